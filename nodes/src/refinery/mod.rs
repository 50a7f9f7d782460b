//! The authenticated cluster: nodes that a master lets in, and that form a tree below it, over streams.
//!
//! PLACEHOLDER

mod adversary;
mod chief;
mod config;
mod describe;
mod disk;
mod facts;
mod gate;
mod honest;
mod invariants;
mod line;
mod member;
mod proof;
mod registry;
mod start;
pub mod wire;

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

pub use adversary::Trick;
pub use config::{Change, Config, MOST_NODES, Rules, Tricks};
pub use describe::{Describer, Told, tell};
pub use facts::{Loss, Parting, RefineryFact, Refusal};

use crate::node::{self, ConnId, Input, Node};
use crate::outbox::Outbox;
use crate::protocol::{ConfigOf, Describe, InvariantKind, Misfit, Placed, Protocol};
use crate::rng::NodeRng;
use crate::start::{Outside, Unusable};
use crate::time::{Span, Time};
use adversary::Adversary;
use honest::Honest;
use wire::{Epoch, Packet};

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Refinery;

impl Protocol for Refinery {
    const NAME: &'static str = "refinery";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["brisk", "classic"];
    const ABOUT: &'static str =
        "nodes that a master lets in when they belong to it, and that form a tree below it, over streams";
    type Node = RefineryNode;

    fn config(profile: &str, rules: &str) -> ConfigOf<Self> {
        let rules = match rules {
            "Original" => Rules::Original,
            "Hardened" => Rules::Hardened,
            // Whoever asks has chosen among `RULES`.
            other => panic!("refinery has no rule set \"{other}\""),
        };
        Config::profile(profile, rules)
    }

    fn assemble(hosts: &mut [Placed<RefineryNode>]) -> Result<(), Vec<Misfit>> {
        config::assemble(hosts)
    }

    const WORDS: &'static [(&'static str, &'static str)] = start::WORDS;

    fn start(
        words: &[String],
        config: Config,
        outside: &dyn Outside,
    ) -> Result<Placed<RefineryNode>, Unusable> {
        start::start(words, config, outside)
    }

    fn status_command() -> Option<Command> {
        Some(Command::Status)
    }

    fn invariants() -> Vec<InvariantKind<RefineryNode>> {
        invariants::all()
    }

    /// The silence by which a line is given up.
    fn shortest_timeout(config: &ConfigOf<Self>) -> Span {
        config.silence
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer::default())
    }
}

/// What a host may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Reigns when the cluster starts.
    Master,
    /// Follows the master, and reigns when it is gone. By the original rules it does nothing.
    Standby,
    /// A node of this type.
    Node(String),
    /// Somebody who does not belong to the cluster.
    Adversary(Trick),
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
        /// The highest epoch that it has accepted or opened; 0 under `Original`.
        epoch: Epoch,
        /// Its master; itself when it reigns.
        master: Option<SocketAddrV4>,
        /// Its upstream, where it has one.
        upstream: Option<SocketAddrV4>,
        /// Of one who reigns, everyone in its registry; of a node, those who are connected to it. By id.
        below: Vec<Below>,
    },
}

/// A node that is below another, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Below {
    /// Its id.
    pub id: String,
    /// Where it accepts those below it.
    pub address: SocketAddrV4,
    /// Its type.
    pub kind: String,
    /// Its upstream.
    pub upstream: SocketAddrV4,
    /// Whether it is connected: a master that has taken over remembers for a while those who have not come yet.
    pub is_here: bool,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It reigns.
    Reigning,
    /// As one of the masters, it follows the other.
    Following,
    /// It looks for a master.
    Seeking,
    /// As a standby by the original rules, it does nothing.
    Idle,
    /// A master has let it in, and it has no upstream yet.
    Joined,
    /// It has its place in the tree.
    Attached,
    /// A write to its disk failed: it says and hears nothing until one has completed.
    Failing,
    /// It is an adversary.
    Adversary,
    /// It refused to start.
    Refused,
}

/// The alarms of a refinery node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next conn:alive is due, and a look at who has been silent.
    Beat,
    /// A master is to be dialled.
    Dial,
    /// The upstream is to be dialled.
    Upstream,
    /// The other master was looked for for long enough.
    Takeover,
    /// What could not be written to the disk is written again.
    Disk,
    /// An adversary goes on.
    Act,
}

impl node::Timer for Timer {
    fn code(&self) -> u64 {
        *self as u64
    }
}

/// A node of any role.
#[derive(Clone)]
pub struct RefineryNode(Kind);

#[derive(Clone)]
enum Kind {
    Honest(Box<Honest>),
    Adversary(Box<Adversary>),
    Refused { why: String },
}

impl Node for RefineryNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = Answer;
    type Timer = Timer;
    type Fact = RefineryFact;

    fn boot(role: &Role, config: &Config, disk: Option<&[u8]>, rng: NodeRng) -> Self {
        let kind = match (config.admit(role), role) {
            (Err(why), _) => Kind::Refused { why },
            (Ok(me), Role::Adversary(trick)) => {
                Kind::Adversary(Box::new(Adversary::boot(*trick, config.clone(), me, rng)))
            }
            (Ok(me), _) => Kind::Honest(Box::new(Honest::boot(role, config, me, disk, rng))),
        };
        RefineryNode(kind)
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let standing = match &mut self.0 {
            Kind::Honest(honest) => return honest.take(now, input, out),
            Kind::Adversary(adversary) => {
                match input {
                    Input::Start => return adversary.start(now, out),
                    Input::Timer(timer) => return adversary.on_timer(now, timer, out),
                    Input::Stream { conn, event } => return adversary.on_stream(conn, event, out),
                    _ => {}
                }
                Standing::Adversary
            }
            Kind::Refused { why } => {
                if let Input::Start = input {
                    out.claim(RefineryFact::RefusedToStart { why: why.clone() });
                }
                Standing::Refused
            }
        };
        if let Input::Command {
            call,
            command: Command::Status,
        } = input
        {
            out.answer(call, Answer::of(standing));
        }
    }
}

impl Answer {
    /// The answer of one who has nothing else to say.
    fn of(standing: Standing) -> Self {
        Answer::Status {
            standing,
            epoch: Epoch(0),
            master: None,
            upstream: None,
            below: Vec::new(),
        }
    }
}

/// Where nodes put what they want done.
type Out = Outbox<RefineryNode>;

/// Whether a node has opened its port in this life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    NotYet,
    Already,
}

/// Writes a packet to a connection.
fn write(conn: ConnId, packet: &Packet, out: &mut Out) {
    let payload = out.encode(|into| packet.encode(into));
    out.write(conn, payload);
}

/// How long a node waits until it dials again after so many failures in a row: twice as long as the time before, up to a bound, and of
/// that between a half and all, so that those who lost the same one do not all come at once.
fn waits(config: &Config, failures: u32, rng: &mut NodeRng) -> Span {
    let doubled = config.backoff * 1u64.checked_shl(failures).unwrap_or(u64::MAX);
    let longest = doubled.min(config.backoff_most);
    rng.span(longest / 2, longest)
}
