//! Why a run ends, and what no run may exceed: events in all and at one instant, stale entries in the queue, bytes held back, effort
//! spent on changes of the world and on what waits for deeds of nodes.

use squall_nodes::{HostId, Protocol, Time};

use super::Engine;
use super::event::Event;
use crate::digest::Tag;
use crate::outcome::Violation;

/// How many stale entries the queue may hold before anyone counts whether they outweigh the others.
pub(super) const STALE_AT_LEAST: usize = 1024;
/// How many bytes may lie on disks, wait behind writes and for paused and slow hosts, and be on their way as long payloads of datagrams:
/// two gibibytes. What lies in the queue itself is bounded by the queue.
pub(crate) const MOST_HELD: usize = 2 << 30;
/// How many steps the world and the links may take in a run to keep up with what is done to them, and how many entries of the timeline
/// may be looked at for the deeds that they wait for, together: some ten seconds' worth.
pub(crate) const MOST_EFFORT: u64 = 4_000_000_000;
/// The violation of a run in which time stands still.
const TIME_PASSES: &str = "squall.time_passes";

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its limit was reached, or nothing was left that could happen.
    Limit,
    /// A promise was broken.
    Violated,
    /// It had as many events as the plan allows.
    TooManyEvents,
    /// The queue could hold no more.
    QueueFull,
    /// More bytes were held back or on their way than may be.
    TooMuchHeld,
    /// More layers lay over links or hosts than there may.
    TooManyLayers,
    /// To find who reaches whom, by which laws, and what deeds trigger, took more than it may.
    TooMuchEffort,
    /// There were more connections than there may.
    TooManyConnections,
    /// A node asked for something that is not simulated.
    NotSimulated { host: HostId, what: &'static str },
}

impl<P: Protocol> Engine<'_, P> {
    /// Counts an event; `None` when the run has had as many as it may.
    #[inline]
    pub(super) fn count(&mut self) -> Option<()> {
        if self.events >= self.plan.max_events {
            self.ended.get_or_insert(End::TooManyEvents);
            return None;
        }
        self.events += 1;
        Some(())
    }

    /// Notes that what is held back took `before` bytes and now takes `after`.
    #[inline]
    pub(super) fn account(&mut self, before: usize, after: usize) {
        self.held = self.held - before + after;
        if self.held + self.payloads.bytes() > self.most_held {
            self.ended.get_or_insert(End::TooMuchHeld);
        }
    }

    /// Ends the run when it has taken more effort than it may.
    #[inline]
    pub(super) fn weigh_effort(&mut self) {
        let effort = self.judge.world.effort() + self.links.effort() + self.cues.effort();
        if effort > self.most_effort {
            self.ended.get_or_insert(End::TooMuchEffort);
        }
    }

    /// Nothing more can happen: time goes on to the limit, and all invariants look once more.
    pub(super) fn finish(&mut self, limit: Time) {
        self.now = limit;
        self.judge.look_at_the_end(limit);
        self.ended = Some(if self.judge.violation.is_some() {
            End::Violated
        } else {
            End::Limit
        });
    }

    #[cold]
    pub(super) fn stop_standing_still(&mut self, host: Option<HostId>) {
        let name = host.map(|host| self.plan.hosts[host.index()].placed.name.clone());
        let host = host.map_or(u32::MAX, |host| host.0);
        self.digest.head(
            Tag::Stopped,
            self.now.as_nanos(),
            host,
            self.at_this_instant,
            0,
            0,
        );
        let last = match &name {
            Some(name) => format!(
                "the last was for {name}; most likely a node there arms a timer for the present instant, or two nodes \
                 answer each other without latency, again and again"
            ),
            None => "the last was for no host; most likely an invariant is due at the present instant again and again".into(),
        };
        self.judge.violation = Some(Violation {
            invariant: TIME_PASSES.to_owned(),
            promised: "Time moves on: no instant has more events than a cluster of this size can need."
                .to_owned(),
            detail: format!(
                "more than {} events came up at {} without time moving on; {last}",
                self.most_at_an_instant, self.now
            ),
            at: self.now,
            hosts: name.into_iter().collect(),
            quiet: None,
        });
        self.ended = Some(End::Violated);
    }

    /// A node asks for something that this version does not simulate.
    #[cold]
    pub(super) fn refuse(&mut self, id: HostId, what: &'static str) {
        self.ended.get_or_insert(End::NotSimulated { host: id, what });
    }

    /// Sweeps the queue when stale entries outweigh the others.
    pub(super) fn sweep_queue(&mut self) {
        if self.stale < STALE_AT_LEAST || self.stale * 2 < self.queue.len() {
            return;
        }
        let (hosts, layers, streams) = (&mut self.hosts, &self.layers, &self.streams);
        let judge_entry = self.judge_entry.1;
        self.queue.retain(|ticket, event| match event {
            Event::Judge => ticket == judge_entry,
            Event::Flap { layer } => layers.has(*layer),
            Event::Timer {
                host,
                incarnation,
                place,
            } => {
                let host = &mut hosts[host.index()];
                host.lives(*incarnation) && host.timers.keeps(*place, ticket)
            }
            Event::Worked { host } => {
                let held = hosts[host.index()].held.as_ref();
                held.is_some_and(|held| held.is_entry(ticket))
            }
            Event::Alarm { place, .. } => streams.wakes(*place, ticket),
            _ => true,
        });
        // Entries of timers that are held are in no queue, but count as stale when their timers are taken back.
        let stale = |event: &Event| match event {
            Event::Timer { host, place, .. } => !hosts[host.index()].timers.is_armed(*place),
            _ => false,
        };
        let held = hosts.iter().filter_map(|host| host.held.as_ref());
        let held = held.flat_map(|held| &held.events).chain(&self.released);
        self.stale = held.filter(|(_, event)| stale(event)).count();
    }
}
