//! What is seen of a run from outside: claims, changes of the world, calls and answers. Nothing else is ever judged.

use serde::{Deserialize, Serialize};

use crate::node::{CallId, HostId, Node};

/// One thing that was seen.
#[non_exhaustive]
pub enum Seen<'a, N: Node> {
    /// The world changed. It has already, when an invariant is told.
    World(&'a Change),
    /// A node claimed a fact.
    Fact {
        /// Who.
        host: HostId,
        /// In which of the host's lives, counted from 0.
        incarnation: u32,
        /// What.
        fact: &'a N::Fact,
    },
    /// A client or an operator called.
    Call {
        /// Whom.
        host: HostId,
        /// Under which number.
        call: CallId,
        /// What was asked.
        command: &'a N::Command,
    },
    /// A call was answered.
    Answer {
        /// By whom.
        host: HostId,
        /// Which call.
        call: CallId,
        /// What it got.
        answer: &'a N::Answer,
    },
}

/// A change of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Change {
    /// A host came up.
    Up {
        /// Which.
        host: HostId,
        /// Its life, counted from 0.
        incarnation: u32,
        /// What it found on its disk.
        disk: DiskAtBoot,
    },
    /// A host went down.
    Down {
        /// Which.
        host: HostId,
        /// How.
        how: Crash,
    },
    /// A host stopped running, and keeps its memory.
    Paused {
        /// Which.
        host: HostId,
    },
    /// A paused host runs again.
    Resumed {
        /// Which.
        host: HostId,
    },
    /// Links were cut. The layers of cuts add up.
    Cut {
        /// The layer's number, by which it is healed.
        layer: u32,
        /// Which links.
        cut: Cut,
    },
    /// A layer of cuts was taken away; the others are still there.
    Healed {
        /// The layer.
        layer: u32,
    },
}

/// What a booting host finds on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DiskAtBoot {
    /// Nothing was ever written to it.
    Fresh,
    /// The last write that completed.
    Kept,
    /// Nothing any more: what was there is gone.
    Wiped,
}

/// How a host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Crash {
    /// The process is killed; its machine tells the peers of its connections.
    Kill,
    /// The machine loses power: nobody is told anything.
    PowerCut,
}

/// Links that carry nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cut {
    /// Each host's group, by host; nothing passes from one group to another.
    Groups(Vec<u32>),
    /// Nothing passes from the marked senders to the marked receivers; the way back is open.
    OneWay {
        /// Whether each host is a sender.
        from: Vec<bool>,
        /// Whether each host is a receiver.
        to: Vec<bool>,
    },
}

impl Cut {
    /// Whether the cut keeps `from` from reaching `to`. A host always reaches itself.
    pub fn blocks(&self, from: HostId, to: HostId) -> bool {
        match self {
            Cut::Groups(group) => group[from.index()] != group[to.index()],
            Cut::OneWay {
                from: senders,
                to: receivers,
            } => from != to && senders[from.index()] && receivers[to.index()],
        }
    }

    /// What of the cut matters for one host: two hosts with equal sides are treated alike.
    pub(crate) fn side(&self, host: HostId) -> u32 {
        match self {
            Cut::Groups(group) => group[host.index()],
            Cut::OneWay { from, to } => u32::from(from[host.index()]) | u32::from(to[host.index()]) << 1,
        }
    }
}
