//! What holds at every moment: no answer of an old term is taken, a call is answered once and rightly, and what is said is shown once, in
//! its order.
//!
//! What is on the disk is promised as long as the disk is kept: the highest term, and what was shown.

use std::collections::BTreeMap;

use super::super::calc::evaluate;
use super::super::wire::Term;
use super::super::{Answer, Command, LeaderFact, LeaderNode};
use super::loses;
use crate::invariant::{Always, Breach, Judged};
use crate::node::{CallId, HostId};
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::World;

/// No answer of a term below one that was seen is taken. Under `Original`, which has no terms, there is nothing to judge.
#[derive(Clone)]
pub(super) struct TermsGrow {
    /// The highest term that each host has claimed since its disk was last empty, unreadable, or not what it had written.
    seen: Vec<Term>,
}

/// A call is answered at most once, and what was calculated is right.
#[derive(Clone)]
pub(super) struct AnsweredOnce {
    /// What was asked and not answered yet; nothing of what was.
    calls: BTreeMap<CallId, Option<Command>>,
}

/// What is said is shown at most once, as it was said, in its order.
#[derive(Clone)]
pub(super) struct ChatInOrder {
    /// What each host has said.
    said: Vec<Words>,
    /// For each host, by who has said it, what was last shown to it: the place of the sender's life, and the number.
    shown: Vec<BTreeMap<HostId, (usize, u64)>>,
}

/// What one host has said.
#[derive(Clone, Default)]
struct Words {
    /// In which of its lives, in their order.
    lives: Vec<u64>,
    /// By life and number.
    texts: BTreeMap<(u64, u64), String>,
}

impl TermsGrow {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        TermsGrow {
            seen: vec![Term::default(); setup.hosts.len()],
        }
    }
}

impl Always<LeaderNode> for TermsGrow {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, LeaderNode>, world: &World) -> Result<Judged, Breach> {
        let (host, term, is_answer) = match seen {
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => {
                self.seen[host.index()] = Term::default();
                return Ok(Judged::NotConcerned);
            }
            Seen::Fact { host, fact, .. } => match fact {
                LeaderFact::Leading { term }
                | LeaderFact::Following { term, .. }
                | LeaderFact::TermSeen { term } => (*host, *term, false),
                LeaderFact::AnswerTaken { term, .. } => (*host, *term, true),
                _ => return Ok(Judged::NotConcerned),
            },
            _ => return Ok(Judged::NotConcerned),
        };
        if term.counter == 0 {
            return Ok(Judged::NotConcerned);
        }
        let highest = &mut self.seen[host.index()];
        if is_answer && term < *highest {
            let name = world.name(host);
            let detail = format!("{name} had seen term {highest} and took an answer of term {term}");
            return Err(Breach::new(detail, [host]));
        }
        *highest = (*highest).max(term);
        Ok(if is_answer {
            Judged::Yes
        } else {
            Judged::NotConcerned
        })
    }
}

impl AnsweredOnce {
    pub(super) fn new(_setup: &Setup<'_, LeaderNode>) -> Self {
        AnsweredOnce {
            calls: BTreeMap::new(),
        }
    }
}

impl Always<LeaderNode> for AnsweredOnce {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, LeaderNode>, world: &World) -> Result<Judged, Breach> {
        let (host, call, answer) = match seen {
            Seen::Call { call, command, .. } => {
                self.calls.insert(*call, Some((*command).clone()));
                return Ok(Judged::NotConcerned);
            }
            Seen::Answer { host, call, answer } => (*host, *call, *answer),
            _ => return Ok(Judged::NotConcerned),
        };
        let name = world.name(host);
        let breach = |detail: String| Err(Breach::new(detail, [host]));
        let Some(asked) = self.calls.get_mut(&call).map(Option::take) else {
            return breach(format!("{name} answered a call that nobody has made"));
        };
        let Some(asked) = asked else {
            return breach(format!("{name} answered a call a second time, with {answer:?}"));
        };
        let is_right = match (&asked, answer) {
            (Command::Calc(expression), Answer::Calculated { outcome, .. }) => {
                *outcome == evaluate(expression)
            }
            (Command::Calc(_), Answer::NoLeader | Answer::Busy)
            | (Command::Chat(_), Answer::Said { .. } | Answer::Alone | Answer::Busy | Answer::TooLong)
            | (Command::Accept, Answer::Accepted | Answer::NothingToAccept)
            | (Command::Status, Answer::Status { .. }) => true,
            _ => false,
        };
        if !is_right {
            return breach(format!("{name} was asked {asked:?} and answered {answer:?}"));
        }
        Ok(Judged::Yes)
    }
}

impl ChatInOrder {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        ChatInOrder {
            said: vec![Words::default(); setup.hosts.len()],
            shown: vec![BTreeMap::new(); setup.hosts.len()],
        }
    }
}

impl Always<LeaderNode> for ChatInOrder {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, LeaderNode>, world: &World) -> Result<Judged, Breach> {
        let (host, fact) = match seen {
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => {
                self.shown[host.index()].clear();
                return Ok(Judged::NotConcerned);
            }
            Seen::Fact { host, fact, .. } => (*host, *fact),
            _ => return Ok(Judged::NotConcerned),
        };
        let (from, life, number, text) = match fact {
            LeaderFact::Said { life, number, text } => {
                let words = &mut self.said[host.index()];
                if words.lives.last() != Some(life) {
                    words.lives.push(*life);
                }
                words.texts.insert((*life, *number), text.clone());
                return Ok(Judged::NotConcerned);
            }
            LeaderFact::Chat {
                from,
                life,
                number,
                text,
            } => (from, *life, *number, text),
            _ => return Ok(Judged::NotConcerned),
        };
        let name = world.name(host);
        let words = world.host_at(*from.ip()).map(|by| (by, &self.said[by.index()]));
        let said = words.and_then(|(by, words)| {
            let life = words.lives.iter().position(|own| *own == life)?;
            let said = words.texts.get(&(words.lives[life], number))?;
            (said == text).then_some((by, life))
        });
        let Some((by, life)) = said else {
            let detail =
                format!("{name} was shown {text:?}, number {number} of {from}, which was never said so");
            return Err(Breach::new(detail, [host]));
        };
        let last = self.shown[host.index()].insert(by, (life, number));
        if last.is_some_and(|last| last >= (life, number)) {
            let sender = world.name(by);
            let again = if last == Some((life, number)) {
                "twice"
            } else {
                "after what was said later"
            };
            let detail = format!("{name} was shown number {number} of {sender} {again}");
            return Err(Breach::new(detail, [host, by]));
        }
        Ok(Judged::Yes)
    }
}
