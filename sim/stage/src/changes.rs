//! Changes of the world that are being made: each lasts from its command until every host that it concerns has acknowledged it.

use std::collections::BTreeMap;

use squall_nodes::{HostId, Time};
use squall_sim::live::Cause;

/// The changes that are being made.
#[derive(Default)]
pub(crate) struct Changes {
    making: BTreeMap<u64, Making>,
    numbers: u64,
}

struct Making {
    by: u32,
    cause: Cause,
    /// How many things are being done to processes for it.
    acts: usize,
    /// The hosts that are to put a policy in force, and its number.
    policies: BTreeMap<HostId, u64>,
    /// Until when it lasts at least.
    last: Time,
    /// What kind of fault touches something when it is made.
    strikes: Option<&'static str>,
    /// Whether everyone whom it concerns is named by now.
    named: Named,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    NotYet,
    All,
}

/// A change that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The entry of the timeline, or another number of its own.
    pub(crate) by: u32,
    /// What made it.
    pub(crate) cause: Cause,
    /// Since when.
    pub(crate) at: Time,
    /// What kind of fault touches something with it.
    pub(crate) strikes: Option<&'static str>,
}

impl Changes {
    /// A change begins, which nobody is concerned by yet.
    pub(crate) fn begin(&mut self, by: u32, cause: Cause, at: Time) -> u64 {
        self.numbers += 1;
        let making = Making {
            by,
            cause,
            acts: 0,
            policies: BTreeMap::new(),
            last: at,
            strikes: None,
            named: Named::NotYet,
        };
        self.making.insert(self.numbers, making);
        self.numbers
    }

    /// What makes a change that is being made.
    pub(crate) fn cause(&self, change: u64) -> Option<&Cause> {
        self.making.get(&change).map(|making| &making.cause)
    }

    /// A change is a fault of this kind, which touches something when it is made: hosts that start are not there before.
    pub(crate) fn strikes(&mut self, change: u64, kind: &'static str) {
        if let Some(making) = self.making.get_mut(&change) {
            making.strikes = Some(kind);
        }
    }

    /// Something is done to a process for a change.
    pub(crate) fn takes_act(&mut self, change: u64) {
        if let Some(making) = self.making.get_mut(&change) {
            making.acts += 1;
        }
    }

    /// A host is to put a policy in force for a change.
    pub(crate) fn takes_policy(&mut self, change: u64, host: HostId, number: u64) {
        if let Some(making) = self.making.get_mut(&change) {
            making.policies.insert(host, number);
        }
    }

    /// Everyone whom a change concerns is named. Whether it takes any time: it is forgotten when it does not.
    pub(crate) fn takes_time(&mut self, change: u64) -> bool {
        let Some(making) = self.making.get_mut(&change) else {
            return false;
        };
        making.named = Named::All;
        let takes_time = !making.is_made();
        if !takes_time {
            self.making.remove(&change);
        }
        takes_time
    }

    /// What was done to a process for a change is done.
    pub(crate) fn act_done(&mut self, change: u64, at: Time) -> Vec<Made> {
        if let Some(making) = self.making.get_mut(&change) {
            making.acts = making.acts.saturating_sub(1);
            making.last = making.last.max(at);
        }
        self.made()
    }

    /// A host has put a policy in force, and with it all that are older.
    pub(crate) fn applied(&mut self, host: HostId, number: u64, at: Time) -> Vec<Made> {
        for making in self.making.values_mut() {
            if making.policies.get(&host).is_some_and(|waited| *waited <= number) {
                making.policies.remove(&host);
                making.last = making.last.max(at);
            }
        }
        self.made()
    }

    fn made(&mut self) -> Vec<Made> {
        let made = self.making.extract_if(.., |_, making| making.is_made());
        made.map(|(_, making)| Made {
            by: making.by,
            cause: making.cause,
            at: making.last,
            strikes: making.strikes,
        })
        .collect()
    }
}

impl Making {
    fn is_made(&self) -> bool {
        self.named == Named::All && self.acts == 0 && self.policies.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> Time {
        Time::from_nanos(ns)
    }

    fn cause(label: &str) -> Cause {
        Cause {
            label: label.to_owned(),
            step: Some(4),
            actor: None,
        }
    }

    #[test]
    fn a_change_is_made_when_the_last_whom_it_concerns_has_said_so() {
        let (a, b, c) = (HostId(0), HostId(1), HostId(2));
        let mut changes = Changes::default();
        let first = changes.begin(4, cause("partition"), at(1));
        for host in [a, b, c] {
            changes.takes_policy(first, host, 7);
        }
        changes.takes_act(first);
        assert!(changes.takes_time(first));
        assert_eq!(changes.applied(a, 8, at(3)), []);
        assert_eq!(changes.applied(b, 6, at(4)), []);
        assert_eq!(changes.applied(b, 7, at(9)), []);
        assert_eq!(changes.applied(c, u64::MAX, at(5)), []);
        let made = Made {
            by: 4,
            cause: cause("partition"),
            at: at(9),
            strikes: None,
        };
        assert_eq!(changes.act_done(first, at(6)), [made]);
        assert_eq!(changes.act_done(first, at(7)), []);
    }

    #[test]
    fn a_change_that_concerns_nobody_takes_no_time() {
        let mut changes = Changes::default();
        let change = changes.begin(0, cause("heal"), at(1));
        // As long as it is not known whom it concerns, nothing makes it.
        assert_eq!(changes.applied(HostId(1), 1, at(1)), []);
        assert!(changes.cause(change).is_some());
        assert!(!changes.takes_time(change));
        assert_eq!(changes.act_done(change, at(2)), []);
    }
}
