//! The high-availability cluster.

mod client;
mod config;
mod describe;
mod disk;
mod facts;
mod failover;
mod invariants;
mod member;
mod peer;
mod server;
pub mod table;
pub mod wire;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use config::{Change, Config, Rules};
pub use describe::Describer;
pub use facts::{HacFact, Row};

use crate::node::{self, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::time::{Span, Time};
use member::Member;
use peer::Peer;
use wire::{Epoch, Status};

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Hac;

impl Protocol for Hac {
    const NAME: &'static str = "hac";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "a server and its clients, or equal peers, that know of each other who is available";
    type Node = HacNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        Config::profile(
            profile,
            if rules == "Original" {
                Rules::Original
            } else {
                Rules::Hardened
            },
        )
    }

    fn assemble(hosts: &mut [Placed<HacNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    fn invariants() -> Vec<InvariantKind<HacNode>> {
        invariants::all()
    }

    /// The shorter of the client's timeout and the peer's window.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.client_timeout.min(config.window())
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer)
    }
}

/// What a host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Serves when the cluster starts.
    Server,
    /// Joins the server, and may be promoted when that fails.
    Client,
    /// One of many equals.
    Peer,
}

/// What can be asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Where it stands and whom it knows.
    Status,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Command::Status`].
    Status {
        /// What it does.
        standing: Standing,
        /// Its id.
        id: Option<u32>,
        /// Its server; itself when it serves.
        server: Option<SocketAddrV4>,
        /// The highest epoch that it accepted.
        epoch: Epoch,
        /// Its table, by id.
        rows: Vec<AnswerRow>,
    },
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It looks for a server.
    Seeking,
    /// It has a server.
    Following,
    /// It lost its server and waits for the next one.
    Electing,
    /// It serves.
    Serving,
    /// It is one of many equals.
    Peer,
    /// It refused to start.
    Refused,
}

/// One node in a table, as it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRow {
    /// Its id; a peer's place in the list, from 1.
    pub id: u32,
    /// Where it is.
    pub addr: SocketAddrV4,
    /// Whether it is held for alive; `None` when that is not known yet.
    pub status: Option<Status>,
    /// In how many rounds it was heard.
    pub heard: u32,
    /// Among peers, the share of rounds that it was heard in, from 0 to 1000.
    pub availability: Option<u16>,
}

/// The alarms of a hac node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A round ends.
    Round,
    /// The next AC or AP is due.
    Availability,
    /// Nothing was heard for too long: from the server, or from the one that is expected to be promoted.
    Silence,
    /// The next HC of a handshake is due.
    Handshake,
    /// The one that is expected to be promoted has had time for it.
    Wait,
    /// What could not be written to the disk is written again.
    Disk,
    /// The peer at this place was not heard for the window.
    Silent(u32),
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        match self {
            Timer::Round => 0,
            Timer::Availability => 1,
            Timer::Silence => 2,
            Timer::Handshake => 3,
            Timer::Wait => 4,
            Timer::Disk => 5,
            Timer::Silent(index) => 6 + u64::from(*index),
        }
    }
}

/// A node of either mode.
#[derive(Clone)]
pub struct HacNode(Kind);

#[derive(Clone)]
enum Kind {
    Member(Box<Member>),
    Peer(Box<Peer>),
    Refused { why: String },
}

impl Node for HacNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = HacFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        let kind = match (config.admit(role), role) {
            (Err(why), _) => Kind::Refused { why },
            (Ok(me), Role::Peer) => Kind::Peer(Box::new(Peer::boot(config.clone(), me, rng))),
            (Ok(me), Role::Server | Role::Client) => {
                Kind::Member(Box::new(Member::boot(*role, config.clone(), me, disk, rng)))
            }
        };
        HacNode(kind)
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match (&mut self.0, input) {
            (Kind::Member(member), input) => member.take(now, input, out),
            (Kind::Peer(peer), input) => peer.take(now, input, out),
            (Kind::Refused { why }, Input::Start) => out.claim(HacFact::RefusedToStart { why: why.clone() }),
            (
                Kind::Refused { .. },
                Input::Command {
                    call,
                    command: Command::Status,
                },
            ) => {
                let (standing, rows) = (Standing::Refused, Vec::new());
                out.answer(
                    call,
                    Answer::Status {
                        standing,
                        id: None,
                        server: None,
                        epoch: Epoch::NONE,
                        rows,
                    },
                );
            }
            // It has bound no port and armed no timer.
            (Kind::Refused { .. }, _) => {}
        }
    }
}
