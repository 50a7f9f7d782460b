//! The elected leader: equal nodes that are all connected with each other over TCP, of which the one with the highest number
//! calculates for all.
//!
//! The source is an anonymous student's *Leader*. What is written here beyond it is marked *decided*.

pub mod calc;
mod calls;
mod chat;
mod config;
mod describe;
mod disk;
mod facts;
mod invariants;
mod mesh;
mod peer;
mod post;
mod start;
mod succession;
pub mod wire;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use calls::MOST_OPEN;
pub use chat::MOST_SAID;
pub use config::{Change, Config, LONGEST_BOUND, MOST_CONNECTIONS, Rules, SHORTEST_BOUND};
pub use describe::Describer;
pub use facts::LeaderFact;

use crate::node::{self, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::start::{Outside, Unusable};
use crate::time::{Span, Time};
use calc::CalcError;
use peer::Peer;
use wire::Term;

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Leader;

impl Protocol for Leader {
    const NAME: &'static str = "leader";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "equal nodes that chat, and of which the one with the highest number calculates for all";
    type Node = LeaderNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        let rules = match rules {
            "Original" => Rules::Original,
            "Hardened" => Rules::Hardened,
            // Whoever asks has chosen among `RULES`.
            other => panic!("leader has no rule set \"{other}\""),
        };
        Config::profile(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<LeaderNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    const WORDS: &'static [(&'static str, &'static str)] = start::WORDS;

    fn start(
        words: &[String],
        config: Config,
        outside: &dyn Outside,
    ) -> Result<Placed<LeaderNode>, Unusable> {
        start::start(words, config, outside)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn invariants() -> Vec<InvariantKind<LeaderNode>> {
        invariants::all()
    }

    /// Three tenths of the timeout or of the deadline of a connection, whichever is shorter, so that a tenth is tolerated: a message takes
    /// four ways until it is answered and a write to a disk, and may have to be sent a second time.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.timeout.min(config.deadline) * 3 / 10
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer::default())
    }
}

/// What a host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Waits until it is told of the others.
    Peer,
    /// Has the list of the others and tells them; it has the highest number and leads first.
    Starter,
}

/// What can be asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Where it stands.
    Status,
    /// Say something to everyone.
    Chat(String),
    /// Have the leader calculate something.
    Calc(String),
    /// Accept the role of the leader, when it is offered to this node.
    Accept,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Command::Status`].
    Status {
        /// What it does.
        standing: Standing,
        /// Its number.
        number: Option<u32>,
        /// The number of its leader; its own when it leads.
        leader: Option<u32>,
        /// The highest term that it has seen.
        term: Term,
        /// All nodes, in the order of their numbers; none when it waits.
        nodes: Vec<SocketAddrV4>,
        /// How many requests of its own are open.
        open: u32,
    },
    /// To [`Command::Calc`]: what the leader has made of it.
    Calculated {
        /// The value, or why there is none.
        outcome: Result<String, CalcError>,
        /// The leader's term; none under `Original`, and for what needs no leader to be refused.
        term: Option<Term>,
    },
    /// To [`Command::Calc`]: nobody leads at the moment, as far as is known; under `Original` only.
    NoLeader,
    /// To [`Command::Calc`] and [`Command::Chat`]: too much of it is open already.
    Busy,
    /// To [`Command::Chat`]: it is on its way, as the one with this number.
    Said {
        /// The number, from 1 in each life of the node.
        number: u64,
    },
    /// To [`Command::Chat`]: this node knows nobody yet to whom it could be said.
    Alone,
    /// To [`Command::Chat`]: it has more than [`LONGEST_CHAT`](wire::LONGEST_CHAT) bytes.
    TooLong,
    /// To [`Command::Accept`]: the node leads now.
    Accepted,
    /// To [`Command::Accept`]: the role is not offered to this node.
    NothingToAccept,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It waits to be told of the others.
    Waiting,
    /// It follows a leader.
    Following,
    /// It knows of no leader, and asks for one or expects one.
    Choosing,
    /// It is the one that is chosen, and the role is open.
    Offered,
    /// It leads.
    Leading,
    /// A write to its disk failed: it is silent until one has completed.
    Failing,
    /// It refused to start.
    Refused,
}

/// The alarms of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The leader's next heartbeat is due.
    Heartbeat,
    /// The leader's heartbeat is overdue.
    Overdue,
    /// Those who were asked whether they are there have had time to answer.
    Choosing,
    /// What was not answered is sent again.
    Retry,
    /// The disk is tried again.
    Disk,
    /// A connection has had its time. The number is used again for later ones.
    Deadline(u32),
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        match self {
            Timer::Heartbeat => 0,
            Timer::Overdue => 1,
            Timer::Choosing => 2,
            Timer::Retry => 3,
            Timer::Disk => 4,
            Timer::Deadline(slot) => 5 + u64::from(*slot),
        }
    }
}

/// A node.
#[derive(Clone)]
pub struct LeaderNode(Kind);

#[derive(Clone)]
enum Kind {
    Peer(Box<Peer>),
    Refused { why: String },
}

impl Node for LeaderNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = LeaderFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        LeaderNode(match config.admit(role) {
            Ok(me) => Kind::Peer(Box::new(Peer::boot(*role, config.clone(), me, disk, rng))),
            Err(why) => Kind::Refused { why },
        })
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&mut self.0, input) {
            (Kind::Peer(peer), input) => peer.take(now, input, out),
            (Kind::Refused { why }, Input::Start) => {
                out.claim(LeaderFact::RefusedToStart { why: why.clone() });
            }
            (Kind::Refused { .. }, Input::Command { call, command }) => out.answer(
                call,
                match command {
                    Command::Status => Answer::Status {
                        standing: Standing::Refused,
                        number: None,
                        leader: None,
                        term: Term::default(),
                        nodes: Vec::new(),
                        open: 0,
                    },
                    Command::Chat(_) => Answer::Alone,
                    Command::Calc(_) => Answer::NoLeader,
                    Command::Accept => Answer::NothingToAccept,
                },
            ),
            // It listens on no port and has armed no timer.
            (Kind::Refused { .. }, _) => {}
        }
    }
}
