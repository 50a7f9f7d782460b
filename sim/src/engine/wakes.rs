//! How late the hosts of a machine are that was measured: a node that is idle wakes up after its timer was due, and boots after it was
//! told to. In a plan that says nothing of it, nothing here is asked.

use squall_nodes::{HostId, Protocol, Time};

use super::{Engine, timers};

/// How a host was woken last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// When it was handed an input last, or boots.
    last: Time,
    /// When it is awake that was idle as a timer was due; all that are due until then are found then.
    until: Option<Time>,
}

impl Wake {
    /// The host is handed an input.
    #[inline]
    pub(super) fn is_up(&mut self, now: Time) {
        self.last = now;
        self.until = self.until.filter(|until| *until > now);
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Whether a timer that is due now is found later, by a host that was idle: its entry comes up again then. How late is drawn by the
    /// deadline, so that it does not matter how many entries there were before, from the law for hosts that have been idle for so long.
    #[cold]
    pub(super) fn oversleeps(&mut self, id: HostId, ticket: u64, place: u32) -> bool {
        let Some(lateness) = &self.plan.lateness else {
            return false;
        };
        let host = &self.hosts[id.index()];
        let wake = &mut self.wakes[id.index()];
        let is_due = host.timers.is_due(place, ticket, host.local(self.now).as_nanos());
        // One timer after the other is found by who is up.
        let is_up = wake.last == self.now;
        if !is_due || is_up || wake.until == Some(self.now) {
            return false;
        }
        let until = match wake.until.filter(|until| *until > self.now) {
            Some(until) => until,
            None => {
                let deadline = host.timers.deadline(place);
                let word = self
                    .draws
                    .lateness(self.keys[id.index()], host.incarnation, deadline);
                let late = lateness.of_timer(self.now.since(wake.last), word);
                if late.is_zero() {
                    return false;
                }
                let until = (self.now + late).min(Time::from_nanos(timers::NEVER - 1));
                wake.until = Some(until);
                until
            }
        };
        self.push_timer(until, id, place);
        true
    }

    /// When a host that is told to boot now does.
    pub(super) fn boots_at(&mut self, id: HostId) -> Time {
        let Some(lateness) = &self.plan.lateness else {
            return self.now;
        };
        let host = &self.hosts[id.index()];
        // No timer is due then.
        let word = self
            .draws
            .lateness(self.keys[id.index()], host.incarnation, timers::NEVER);
        let last = self.now + lateness.of_boot(host.incarnation, word);
        self.wakes[id.index()] = Wake { last, until: None };
        last
    }

    /// When a host that is up finds what it is asked now: not before it has booted.
    pub(super) fn hears_at(&self, id: HostId) -> Time {
        let boots = self.wakes.get(id.index()).map_or(self.now, |wake| wake.last);
        boots.max(self.now)
    }
}
