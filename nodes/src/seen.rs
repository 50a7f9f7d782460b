//! What is seen of a run from outside: claims, changes of the world, calls and answers. Nothing else is ever judged.

use serde::{Deserialize, Serialize};

use crate::node::{CallId, HostId, Node};
use crate::time::Span;

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
    /// The laws of links changed.
    Links {
        /// All links, as (from, to), whose loss or latency is beyond what is tolerated since: sorted, each once.
        beyond: Vec<(HostId, HostId)>,
    },
    /// A link dropped a datagram that its queue had no room for, or that was too long for it.
    Choked {
        /// The sender.
        from: HostId,
        /// The receiver.
        to: HostId,
    },
    /// A host became slow, or as quick as it was.
    Slowed {
        /// Which.
        host: HostId,
        /// How long each of its inputs takes from now on; zero when it is not slowed any more.
        by: Span,
    },
    /// A host's disk became worse, or as good as it was: it is when the writes that it took too long over are done.
    Disk {
        /// Whose.
        host: HostId,
        /// How it is from now on.
        state: DiskState,
    },
    /// A host's clock goes at another rate.
    Drift {
        /// Whose.
        host: HostId,
        /// By how many millionths it is fast from now on; slow where it is negative.
        ppm: i32,
    },
    /// A host's clock jumped forward.
    Jumped {
        /// Whose.
        host: HostId,
        /// How far.
        by: Span,
    },
    /// A datagram comes to the end of its way that has been on it for longer than is tolerated, since the law of its link was beyond that
    /// when it was sent. The law may be another one by now. It disturbs the groups of both hosts.
    Straggled {
        /// The sender.
        from: HostId,
        /// The receiver.
        to: HostId,
    },
    /// What a stream has to bring from one host to another was dropped by what is not tolerated: a cut, a machine that was off, a link beyond
    /// what is tolerated; or there is no room for it at a host that is paused. Whoever sends it backs off, and knows nothing of it when that
    /// is over. From now on, and until [`StreamFlows`](Change::StreamFlows), no group that both hosts are in is quiet.
    StreamStuck {
        /// The sender.
        from: HostId,
        /// The receiver.
        to: HostId,
    },
    /// All that was held up of the streams from one host to another has been brought, or is given up. It disturbs the group that both are
    /// in, and nobody where they are not in one.
    StreamFlows {
        /// The sender.
        from: HostId,
        /// The receiver.
        to: HostId,
    },
    /// In a live run a change takes from the command that makes it until every host that it concerns has said that it is made. From now
    /// on, and until [`Settled`](Change::Settled), the world may be as it was or as it will be: no group is quiet.
    Unsettled {
        /// Which change: the entry of the timeline, or another number of its own.
        by: u32,
    },
    /// The change is made, and everybody is disturbed by it.
    Settled {
        /// Which change.
        by: u32,
    },
    /// In a live run, a host was kept from running for longer than the scenario tolerates, though nobody paused it.
    Stalled {
        /// Which.
        host: HostId,
        /// For how long.
        by: Span,
    },
}

/// How a disk is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DiskState {
    /// As it should.
    Sound,
    /// Writes take longer, or some of them fail.
    Ailing,
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
    /// What was there before the last write, which had completed, or was under way when the host went down, and is gone.
    Stale,
    /// The beginning of the last write, over what was there before it.
    Torn,
    /// The last write, with a byte changed.
    Corrupt,
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
    /// Each host's group, by host; nothing passes from one group to another, but everything to and from the hosts of
    /// [`Cut::BRIDGE`], which are in all of them.
    Bridge(#[serde(with = "or_none")] Vec<u32>),
    /// Hosts in a ring, each of which reaches those that are no more than a number of places away, on either side. The hosts
    /// that are outside it reach each other, and nobody in it.
    Ring {
        /// Each host's place in the ring, counted from 0 and each given once, or [`Cut::OUTSIDE`]; by host.
        #[serde(with = "or_none")]
        place: Vec<u32>,
        /// How many hosts are in the ring.
        len: u32,
        /// How many places away a host reaches.
        reach: u32,
    },
}

/// Numbers of which [`u32::MAX`] stands for none. For people it is no number; where only programs look, as in digests, it stays one.
mod or_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(numbers: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(
                numbers
                    .iter()
                    .map(|number| (*number != u32::MAX).then_some(number)),
            )
        } else {
            numbers.serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        if deserializer.is_human_readable() {
            let numbers = Vec::<Option<u32>>::deserialize(deserializer)?;
            Ok(numbers
                .into_iter()
                .map(|number| number.unwrap_or(u32::MAX))
                .collect())
        } else {
            Vec::deserialize(deserializer)
        }
    }
}

impl Cut {
    /// The group, in a [`Cut::Bridge`], of a host that is in all groups.
    pub const BRIDGE: u32 = u32::MAX;
    /// The place, in a [`Cut::Ring`], of a host that is outside it.
    pub const OUTSIDE: u32 = u32::MAX;

    /// Whether the cut keeps `from` from reaching `to`. A host always reaches itself.
    pub fn blocks(&self, from: HostId, to: HostId) -> bool {
        match self {
            Cut::Groups(group) => group[from.index()] != group[to.index()],
            Cut::Bridge(group) => {
                let (a, b) = (group[from.index()], group[to.index()]);
                a != b && a != Cut::BRIDGE && b != Cut::BRIDGE
            }
            Cut::Ring { place, len, reach } => match (place[from.index()], place[to.index()]) {
                (a, b) if a == b => false,
                (Cut::OUTSIDE, _) | (_, Cut::OUTSIDE) => true,
                (a, b) => {
                    let apart = a.abs_diff(b);
                    apart.min(len - apart) > *reach
                }
            },
            Cut::OneWay {
                from: senders,
                to: receivers,
            } => from != to && senders[from.index()] && receivers[to.index()],
        }
    }

    /// What of the cut matters for one host: two hosts with equal sides are treated alike.
    pub(crate) fn side(&self, host: HostId) -> u32 {
        match self {
            Cut::Groups(group) | Cut::Bridge(group) => group[host.index()],
            Cut::Ring { place, .. } => place[host.index()],
            Cut::OneWay { from, to } => u32::from(from[host.index()]) | u32::from(to[host.index()]) << 1,
        }
    }
}
