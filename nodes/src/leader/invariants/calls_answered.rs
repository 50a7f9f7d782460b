//! In quiet, what a node is asked to calculate is answered.

use std::collections::BTreeMap;

use super::super::{Answer, Command, LeaderNode, MOST_OPEN};
use super::bounds::Terms;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::{CallId, HostId};
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// The promise. That too many requests are open already is an answer, which a caller gets that has as many as [`MOST_OPEN`]; what a host was
/// asked in a life that is over needs none.
#[derive(Clone)]
pub(super) struct CallsAnswered {
    standings: Standings,
    bound: Span,
    /// What was not answered, or not with a value.
    open: BTreeMap<CallId, Open>,
    /// When each host last answered with what had been calculated, until that has been judged.
    answered: Vec<Option<Time>>,
}

#[derive(Clone, Copy)]
struct Open {
    host: HostId,
    at: Time,
    told: Told,
}

/// What the caller was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// That there is no leader.
    NoLeader,
    /// That too much is open already, where that was not so.
    Busy,
}

impl CallsAnswered {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        CallsAnswered {
            standings: Standings::new(setup),
            bound: Terms::of(setup).calls_answered(),
            open: BTreeMap::new(),
            answered: vec![None; setup.hosts.len()],
        }
    }
}

impl InQuiet<LeaderNode> for CallsAnswered {
    fn observe(&mut self, at: Time, seen: &Seen<'_, LeaderNode>, _world: &World) -> Judged {
        self.standings.observe(seen);
        match seen {
            Seen::World(Change::Down { host, .. }) => {
                self.open.retain(|_, open| open.host != *host);
                self.answered[host.index()] = None;
            }
            Seen::Call {
                host,
                call,
                command: Command::Calc(_),
            } => {
                let open = Open {
                    host: *host,
                    at,
                    told: Told::Nothing,
                };
                self.open.insert(*call, open);
            }
            Seen::Answer { host, call, answer } => match answer {
                Answer::Calculated { .. } if self.open.remove(call).is_some() => {
                    self.answered[host.index()] = Some(at);
                    return Judged::Yes;
                }
                Answer::NoLeader => {
                    if let Some(open) = self.open.get_mut(call) {
                        open.told = Told::NoLeader;
                        return Judged::Yes;
                    }
                }
                Answer::Busy => {
                    let is_open = |(other, open): &(&CallId, &Open)| {
                        *other != call && open.host == *host && open.told == Told::Nothing
                    };
                    let is_full = self.open.iter().filter(is_open).count() >= MOST_OPEN;
                    if is_full {
                        self.open.remove(call);
                    } else if let Some(open) = self.open.get_mut(call) {
                        open.told = Told::Busy;
                        return Judged::Yes;
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        if !self.standings.any_knows(&group.hosts) {
            return Ok(Judged::NotConcerned);
        }
        let since = group.quiet_since;
        let concerns = |open: &Open| group.contains(open.host) && self.standings.number(open.host).is_some();
        let broken = |open: &Open| match open.told {
            // It had the whole time for it.
            Told::Nothing => (open.at + world.slack()).max(since) + self.bound <= at,
            // There should have been a leader by then, and whatever held the node up was over.
            Told::NoLeader | Told::Busy => since + self.bound <= open.at,
        };
        if let Some((_, open)) = self.open.iter().find(|(_, open)| concerns(open) && broken(open)) {
            let name = world.name(open.host);
            let what = match open.told {
                Told::Nothing => "was not answered",
                Told::NoLeader => "was answered with there being no leader",
                Told::Busy => "was answered with too much being open, though it was not",
            };
            let detail = format!("what {name} was asked to calculate at {} {what}", open.at);
            return Err(Breach::new(detail, [open.host]));
        }
        // Who was told before quiet had lasted for the bound was told the truth.
        self.open
            .retain(|_, open| !(group.contains(open.host) && open.told != Told::Nothing));
        let mut judged = Judged::NotConcerned;
        for host in &group.hosts {
            if self.answered[host.index()]
                .take()
                .is_some_and(|answered| answered >= since)
            {
                judged = Judged::Yes;
            }
        }
        Ok(judged)
    }
}
