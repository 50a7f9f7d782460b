//! In quiet, what somebody says is shown to everyone.

use std::collections::VecDeque;

use super::super::{LeaderFact, LeaderNode};
use super::bounds::Terms;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// The promise. It speaks of what is said while the group is quiet already, by one that has said no more than
/// [`MOST_SAID`](super::super::MOST_SAID) that are not there yet.
#[derive(Clone)]
pub(super) struct ChatReachesAll {
    standings: Standings,
    bound: Span,
    /// What was said and not shown to everyone, in the order of time.
    said: VecDeque<Said>,
}

#[derive(Clone)]
struct Said {
    by: HostId,
    life: u64,
    number: u64,
    at: Time,
    /// To whom it was shown.
    shown: Vec<HostId>,
}

impl ChatReachesAll {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        ChatReachesAll {
            standings: Standings::new(setup),
            bound: Terms::of(setup).chat_reaches_all(),
            said: VecDeque::new(),
        }
    }
}

impl InQuiet<LeaderNode> for ChatReachesAll {
    fn observe(&mut self, at: Time, seen: &Seen<'_, LeaderNode>, world: &World) -> Judged {
        self.standings.observe(seen);
        match seen {
            Seen::World(Change::Down { host, .. }) => self.said.retain(|said| said.by != *host),
            Seen::Fact {
                host,
                fact: LeaderFact::Said { life, number, .. },
                ..
            } => self.said.push_back(Said {
                by: *host,
                life: *life,
                number: *number,
                at,
                shown: Vec::new(),
            }),
            Seen::Fact {
                host,
                fact: LeaderFact::Chat {
                    from, life, number, ..
                },
                ..
            } => {
                let by = world.host_at(*from.ip());
                let is_it =
                    |said: &&mut Said| Some(said.by) == by && said.life == *life && said.number == *number;
                if let Some(said) = self.said.iter_mut().find(is_it) {
                    said.shown.push(*host);
                }
            }
            _ => {}
        }
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let mut judged = Judged::NotConcerned;
        let mut rest = VecDeque::with_capacity(self.said.len());
        for said in std::mem::take(&mut self.said) {
            if !group.contains(said.by) {
                rest.push_back(said);
                continue;
            }
            if said.at < group.quiet_since {
                // Who was to hear it may not have been there.
                continue;
            }
            if said.at + world.slack() + self.bound > at {
                rest.push_back(said);
                continue;
            }
            let mut others = self
                .standings
                .listed(&group.hosts)
                .filter(|(_, host)| *host != said.by)
                .peekable();
            // What nobody is there to hear proves nothing.
            if others.peek().is_some() {
                judged = Judged::Yes;
            }
            if let Some((_, host)) = others.find(|(_, host)| !said.shown.contains(host)) {
                let (by, name) = (world.name(said.by), world.name(host));
                let detail = format!("what {by} said at {} was not shown to {name}", said.at);
                return Err(Breach::new(detail, [said.by, host]));
            }
        }
        self.said = rest;
        Ok(judged)
    }
}
