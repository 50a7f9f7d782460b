//! In quiet, what somebody is asked to say is said, and shown to everyone.

use std::collections::{BTreeMap, VecDeque};

use super::super::wire::LONGEST_CHAT;
use super::super::{Answer, Command, LeaderFact, LeaderNode};
use super::bounds::Terms;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::{CallId, HostId};
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// The promise. It speaks of what is said while the group is quiet already, by one that has said no more than
/// [`MOST_SAID`](super::super::MOST_SAID) that are not there yet. It begins when somebody is asked to say something: who takes that in
/// and says nothing, or says that it cannot when it can, breaks it as well.
#[derive(Clone)]
pub(super) struct ChatReachesAll {
    standings: Standings,
    bound: Span,
    /// What somebody was asked to say, and was not judged yet.
    asked: BTreeMap<CallId, Asked>,
    /// What was said and not shown to everyone, in the order of time.
    said: VecDeque<Said>,
}

#[derive(Clone)]
struct Asked {
    host: HostId,
    at: Time,
    text: String,
    told: Told,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// It was answered with its being said, under a number under which nothing was.
    Unsaid,
    /// It was refused: for there being nobody to say it to, or too much to say.
    Refused,
}

#[derive(Clone)]
struct Said {
    by: HostId,
    life: u64,
    number: u64,
    text: String,
    at: Time,
    /// To whom it was shown.
    shown: Vec<HostId>,
}

impl ChatReachesAll {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        ChatReachesAll {
            standings: Standings::new(setup),
            bound: Terms::of(setup).chat_reaches_all(),
            asked: BTreeMap::new(),
            said: VecDeque::new(),
        }
    }

    /// What a call was answered.
    fn answered(&mut self, call: CallId, answer: &Answer) {
        let Some(asked) = self.asked.get_mut(&call) else {
            return;
        };
        let is_it =
            |said: &Said, number| said.by == asked.host && said.number == number && said.text == asked.text;
        match answer {
            // What was said may have been heard by everyone, and judged, before that.
            Answer::Said { number } if self.said.iter().any(|said| is_it(said, *number)) => {
                self.asked.remove(&call);
            }
            Answer::Said { .. } => asked.told = Told::Unsaid,
            Answer::TooLong if asked.text.len() > LONGEST_CHAT => {
                self.asked.remove(&call);
            }
            _ => asked.told = Told::Refused,
        }
    }

    /// Judges what the hosts of a group were asked to say.
    fn judge_asked(&mut self, group: &Group, at: Time, world: &World) -> Result<(), Breach> {
        let (since, bound) = (group.quiet_since, self.bound);
        let has_others = |host: HostId| {
            self.standings
                .listed(&group.hosts)
                .any(|(_, other)| other != host)
        };
        let concerns = |asked: &Asked| {
            let is_listed = self.standings.number(asked.host).is_some();
            group.contains(asked.host) && is_listed && has_others(asked.host)
        };
        let is_broken = |asked: &Asked| match asked.told {
            // It had the whole time for it.
            Told::Nothing | Told::Unsaid => (asked.at + world.slack()).max(since) + bound <= at,
            // It knew everyone by then, and whatever held it up was over.
            Told::Refused => since + bound <= asked.at,
        };
        if self.standings.any_knows(&group.hosts)
            && let Some(asked) = self
                .asked
                .values()
                .find(|asked| concerns(asked) && is_broken(asked))
        {
            let name = world.name(asked.host);
            let what = match asked.told {
                Told::Nothing => "was neither said nor refused",
                Told::Unsaid => "was not said, though it was answered that it was",
                Told::Refused => "was refused, though there was somebody to say it to",
            };
            let detail = format!("what {name} was asked to say at {} {what}", asked.at);
            return Err(Breach::new(detail, [asked.host]));
        }
        // Who was refused before quiet had lasted for the bound may have been so rightly.
        self.asked
            .retain(|_, asked| !(group.contains(asked.host) && asked.told == Told::Refused));
        Ok(())
    }
}

impl InQuiet<LeaderNode> for ChatReachesAll {
    fn observe(&mut self, at: Time, seen: &Seen<'_, LeaderNode>, world: &World) -> Judged {
        self.standings.observe(seen);
        match seen {
            Seen::World(Change::Down { host, .. }) => {
                self.said.retain(|said| said.by != *host);
                self.asked.retain(|_, asked| asked.host != *host);
            }
            Seen::Call {
                host,
                call,
                command: Command::Chat(text),
            } => {
                let asked = Asked {
                    host: *host,
                    at,
                    text: text.clone(),
                    told: Told::Nothing,
                };
                self.asked.insert(*call, asked);
            }
            Seen::Answer { call, answer, .. } => self.answered(*call, answer),
            Seen::Fact {
                host,
                fact: LeaderFact::Said { life, number, text },
                ..
            } => self.said.push_back(Said {
                by: *host,
                life: *life,
                number: *number,
                text: text.clone(),
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
        self.judge_asked(group, at, world)?;
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
