//! What holds at every moment: terms never go back, a call is answered once and rightly, and what is said is shown once, in its order.
//!
//! What is on the disk is promised as long as the disk is kept: the highest term, and what was shown.

use std::collections::BTreeMap;

use super::super::calc::evaluate;
use super::super::wire::{LONGEST_CHAT, Term};
use super::super::{Answer, Command, LeaderFact, LeaderNode};
use super::loses;
use crate::history::Worth;
use crate::invariant::{Always, Breach, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::World;

/// No term is claimed, and no answer of one taken or given, that is below one that was seen. Under `Original`, which has no terms, there is
/// nothing to judge.
#[derive(Clone)]
pub(super) struct TermsGrow {
    /// The highest term that each host has claimed since its disk was last empty, unreadable, or not what it had written.
    seen: Vec<Term>,
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
        let (host, term, what) = match seen {
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => {
                self.seen[host.index()] = Term::default();
                return Ok(Judged::NotConcerned);
            }
            Seen::Fact { host, fact, .. } => match fact {
                LeaderFact::Started { term } => (*host, *term, "goes by"),
                LeaderFact::Leading { term } => (*host, *term, "leads in"),
                LeaderFact::Following { term, .. } => (*host, *term, "follows in"),
                LeaderFact::TermSeen { term } => (*host, *term, "goes by"),
                LeaderFact::AnswerTaken { term, .. } => (*host, *term, "took an answer of"),
                _ => return Ok(Judged::NotConcerned),
            },
            Seen::Answer {
                host,
                answer: Answer::Calculated { term: Some(term), .. },
                ..
            } => (*host, *term, "answered with what came of"),
            _ => return Ok(Judged::NotConcerned),
        };
        let highest = &mut self.seen[host.index()];
        if term.counter == 0 && highest.counter == 0 {
            return Ok(Judged::NotConcerned);
        }
        if term < *highest {
            let name = world.name(host);
            let detail = format!("{name} had seen term {highest} and {what} term {term}");
            return Err(Breach::new(detail, [host]));
        }
        *highest = term;
        Ok(Judged::Yes)
    }
}

/// What an answer is worth to a call by the rules of `Hardened`, by which nobody is told that nobody leads: a request waits.
pub(super) fn worth(command: &Command, answer: &Answer) -> Worth {
    match (command, answer) {
        (Command::Calc(_), Answer::NoLeader) => Worth::Wrong {
            due: "a value, when somebody leads".to_owned(),
        },
        _ => worth_by_source(command, answer),
    }
}

/// What an answer is worth to a call: a call gets one, and what was calculated is right. That nobody leads, or that too much is open, is all
/// that there is to say of a request then; whether it may be said at the time is judged in quiet.
pub(super) fn worth_by_source(command: &Command, answer: &Answer) -> Worth {
    let is_too_long = |text: &str| text.len() > LONGEST_CHAT;
    let due = match (command, answer) {
        (Command::Calc(expression), Answer::Calculated { outcome, .. }) => match evaluate(expression) {
            due if due == *outcome => return Worth::Right,
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{error:?}"),
        },
        (Command::Chat(text), Answer::Said { .. }) if is_too_long(text) => "that it is too long".to_owned(),
        (Command::Chat(text), Answer::TooLong) if !is_too_long(text) => "whether it is said".to_owned(),
        (Command::Calc(_), Answer::NoLeader | Answer::Busy)
        | (Command::Chat(_), Answer::Said { .. } | Answer::Alone | Answer::Busy | Answer::TooLong)
        | (Command::Accept, Answer::Accepted | Answer::NothingToAccept)
        | (Command::Status, Answer::Status { .. }) => return Worth::Right,
        (Command::Calc(_), _) => "a value".to_owned(),
        (Command::Chat(_), _) => "whether it is said".to_owned(),
        (Command::Accept, _) => "whether the role is taken".to_owned(),
        (Command::Status, _) => "a status".to_owned(),
    };
    Worth::Wrong { due }
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
                ..
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
