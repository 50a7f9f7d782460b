//! How a run ends: hosts that have fallen silent, hosts that are stopped in order, and what became of all datagrams.

use squall_live::Line;
use squall_live::line::Counts;
use squall_nodes::{Protocol, Span, Time};

use super::{LOOK_EVERY, Play};
use crate::clock;
use crate::crew::News;
use crate::host::{Life, Power};

/// How long they may take to stop in order.
const STOPPED_WITHIN: Span = Span::from_secs(3);

impl<P: Protocol> Play<'_, '_, P> {
    /// Some host has told nothing for too long.
    pub(super) fn silent(&mut self, limit: Time) {
        let origin = self.origin;
        let silent = self.crew.hosts.iter().filter(|host| host.holds());
        let Some(last) = silent.min_by_key(|host| host.heard) else {
            return;
        };
        let since = Time::from_nanos(last.heard.since(origin).as_nanos());
        self.cut_short.push(format!(
            "{} has told nothing since {since}, and the run was to end at {limit}",
            last.name
        ));
    }

    /// Stops the hosts in order, so that they tell their last counts; those that cannot be are killed.
    pub(super) fn stop_hosts(&mut self) {
        for host in &mut self.crew.hosts {
            // Of a process that has ended nobody knows what memory it had.
            host.look_at_taken();
            if host.life == Life::Booted && host.power == Power::On {
                host.ask(&squall_live::Request::Stop);
            }
        }
        let until = clock::now() + STOPPED_WITHIN;
        while clock::now() < until
            && self
                .crew
                .hosts
                .iter()
                .any(|host| host.has_process() && host.life == Life::Booted && host.power == Power::On)
        {
            for news in self.crew.wait(clock::now() + LOOK_EVERY) {
                if let News::Told(id, Line::Mark { counts, .. } | Line::Stopped { counts, .. }) = news {
                    self.crew.host(id).counts = counts;
                }
            }
        }
        self.crew.kill_all();
    }

    /// What became of all datagrams, over all hosts and their lives.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for counts in self.crew.hosts.iter().flat_map(|host| &host.past) {
            sum.sent += counts.sent;
            sum.duplicated += counts.duplicated;
            sum.delivered += counts.delivered;
            sum.lost += counts.lost;
            sum.cut += counts.cut;
            sum.congested += counts.congested;
            sum.too_long += counts.too_long;
            sum.overflowed += counts.overflowed;
            sum.under_way += counts.under_way;
            sum.streams.opened += counts.streams.opened;
            sum.streams.refused += counts.streams.refused;
            sum.streams.reset += counts.streams.reset;
            sum.streams.timed_out += counts.streams.timed_out;
            sum.streams.closed += counts.streams.closed;
            sum.streams.crowded += counts.streams.crowded;
            sum.streams.written += counts.streams.written;
            sum.streams.read += counts.streams.read;
            sum.unsent += counts.unsent;
        }
        sum
    }
}
