//! The invariants of the test protocol: one of each way to judge, and two that would wear the engine out.

use serde::Deserialize;
use squall_nodes::{
    Always, Breach, Built, Group, HostId, InQuiet, Invariant, InvariantKind, Judged, Promise, Seen, Span,
    Time, World,
};

use crate::node::{Claim, Puppet};

/// The places of the invariants in the protocol's list.
pub(crate) const NOT_BAD: usize = 0;
pub(crate) const SPOKEN: usize = 1;
pub(crate) const RESTLESS: usize = 2;
pub(crate) const FIDGETY: usize = 3;
pub(crate) const UNSURE: usize = 4;

/// How far ahead the fidgety invariant looks when nothing is claimed.
pub(crate) const FAR: Span = Span::from_secs(2);

pub(crate) fn all() -> Vec<InvariantKind<Puppet>> {
    #[derive(Default, Deserialize)]
    struct Nothing {}
    let by_hand = |invariant: Box<dyn Invariant<Puppet>>| Built {
        invariant,
        promise: Promise::Always,
        by_default: Promise::Always,
    };
    vec![
        InvariantKind::always("not_bad", "No node claims to be bad.", |_| NotBad),
        InvariantKind::in_quiet(
            "spoken",
            "In quiet, everyone has said something.",
            |_| Span::from_millis(100),
            |setup| Spoken(vec![false; setup.hosts.len()]),
        ),
        InvariantKind::with("restless", "It looks all the time.", move |Nothing {}, _| {
            by_hand(Box::new(Restless))
        }),
        InvariantKind::with(
            "fidgety",
            "It looks soon after each claim.",
            move |Nothing {}, _| {
                by_hand(Box::new(Fidgety {
                    due: Time::ZERO + FAR,
                    looks: 0,
                }))
            },
        ),
        InvariantKind::always("unsure", "It cannot tell.", |_| Unsure),
    ]
}

/// It judges every claim, and cannot tell.
#[derive(Clone)]
struct Unsure;

impl Always<Puppet> for Unsure {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, Puppet>, _world: &World) -> Result<Judged, Breach> {
        Ok(match seen {
            Seen::Fact { .. } => Judged::Yes,
            _ => Judged::NotConcerned,
        })
    }

    fn undecided(&self) -> Option<String> {
        Some("it takes more than it has".to_owned())
    }
}

#[derive(Clone)]
struct NotBad;

impl Always<Puppet> for NotBad {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, Puppet>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::Fact {
                host,
                fact: Claim::Bad,
                ..
            } => Err(Breach::new(format!("{} is bad", world.name(*host)), [*host])),
            Seen::Fact { .. } => Ok(Judged::Yes),
            _ => Ok(Judged::NotConcerned),
        }
    }
}

#[derive(Clone)]
struct Spoken(Vec<bool>);

impl InQuiet<Puppet> for Spoken {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, Puppet>, _world: &World) -> Judged {
        if let Seen::Fact { host, .. } = seen {
            self.0[host.index()] = true;
        }
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        let silent = |host: &&HostId| !self.0[host.index()];
        match group.hosts.iter().find(silent) {
            Some(host) => Err(Breach::new(
                format!("{} said nothing", world.name(*host)),
                [*host],
            )),
            None => Ok(Judged::Yes),
        }
    }
}

/// It is always due at once.
#[derive(Clone)]
struct Restless;

impl Invariant<Puppet> for Restless {
    fn on_seen(&mut self, _at: Time, _seen: &Seen<'_, Puppet>, _world: &World) -> Result<(), Breach> {
        Ok(())
    }

    fn due(&self) -> Time {
        Time::ZERO
    }

    fn on_due(&mut self, _at: Time, _world: &World) -> Result<(), Breach> {
        Ok(())
    }

    fn judged(&self) -> u64 {
        1
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<Puppet>> {
        Box::new(self.clone())
    }
}

/// Each claim makes it due soon; when it has looked, it is due at the next multiple of [`FAR`].
#[derive(Clone)]
struct Fidgety {
    due: Time,
    looks: u64,
}

impl Invariant<Puppet> for Fidgety {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, Puppet>, _world: &World) -> Result<(), Breach> {
        if let Seen::Fact { .. } = seen {
            self.due = at + Span::from_micros(1);
        }
        Ok(())
    }

    fn due(&self) -> Time {
        self.due
    }

    fn on_due(&mut self, at: Time, _world: &World) -> Result<(), Breach> {
        self.looks += 1;
        self.due = Time::from_nanos((at.as_nanos() / FAR.as_nanos() + 1) * FAR.as_nanos());
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.looks
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<Puppet>> {
        Box::new(self.clone())
    }
}
