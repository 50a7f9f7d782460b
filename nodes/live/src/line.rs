//! What a live node tells whoever attends it: a line of JSON each, in the order in which it happened.
//!
//! Every line is written out before anything leaves the node that comes after it, so that a node that is killed has told all that others
//! may know of it. `at` is the machine's monotonic clock (`CLOCK_MONOTONIC`) in nanoseconds, which all processes on it share.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use squall_nodes::{DiskAtBoot, Node, Span, Time};

/// One line: `{"fact":{"at":…,"name":…,"fact":…}}`. The name of what it is stands outside, so that what a protocol puts into it is read as
/// it was written, maps with numbers for keys and all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "")]
pub enum Line<N: Node> {
    /// The process is there, has read its settings, and waits to be told to go.
    Ready {
        /// The process.
        pid: u32,
    },
    /// The node boots.
    Booted {
        /// When.
        at: Time,
        /// Its life, counted from 0.
        incarnation: u32,
        /// What it found on its disk.
        disk: DiskAtBoot,
    },
    /// It claims a fact.
    Fact {
        /// When.
        at: Time,
        /// The fact's name.
        name: String,
        /// All of it.
        fact: N::Fact,
    },
    /// It took a call.
    Call {
        /// When.
        at: Time,
        /// Under which number.
        call: u64,
        /// What was asked.
        command: N::Command,
    },
    /// It answers a call.
    Answer {
        /// When.
        at: Time,
        /// Which call.
        call: u64,
        /// What it gets.
        answer: N::Answer,
    },
    /// A policy is in force.
    Applied {
        /// When.
        at: Time,
        /// Its number.
        policy: u64,
    },
    /// The policy dropped a datagram that a link had no room for, or that was too long for it. Of one link it is told at once and, as
    /// long as it goes on, once in a while.
    Choked {
        /// When.
        at: Time,
        /// Who had sent it.
        from: Ipv4Addr,
    },
    /// A datagram arrives that was under way for longer than the policy tolerates: the law that it was sent under may be another one by
    /// now. Of one link it is told at once and, as long as it goes on, once in a while.
    Straggled {
        /// When.
        at: Time,
        /// Who had sent it.
        from: Ipv4Addr,
    },
    /// A stream with another host waits for what a cut has swallowed, or a law that is not tolerated: it goes on some time after that is
    /// over. Of one host it is told once, whatever the number of streams.
    Stuck {
        /// When.
        at: Time,
        /// With whom.
        with: Ipv4Addr,
    },
    /// No stream with that host does any more.
    Flows {
        /// When.
        at: Time,
        /// With whom.
        with: Ipv4Addr,
    },
    /// It was kept from running, or from showing what it does: it was late for something that was due, since the machine had other work
    /// or the node itself took long over an input, which is not told apart; or a write to its disk takes too long, which is told when it
    /// is noticed, again each time as much has passed as may, and when the write is done.
    Stalled {
        /// Until when.
        at: Time,
        /// For how long; of a write, since it began, or since the node ran again.
        by: Span,
    },
    /// Everything from before `at` has been told.
    Mark {
        /// Until when.
        at: Time,
        /// The counts so far.
        counts: Counts,
    },
    /// It has stopped in order. Nothing comes after this.
    Stopped {
        /// When.
        at: Time,
        /// The last counts.
        counts: Counts,
    },
}

/// What became of datagrams at one node, since its process began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Sent by the node, whatever became of them.
    pub sent: u64,
    /// Copies that the policy made.
    pub duplicated: u64,
    /// Handed to the node.
    pub delivered: u64,
    /// Lost by the policy's law of loss.
    pub lost: u64,
    /// Dropped since the policy cuts the way there or back.
    pub cut: u64,
    /// Dropped since the queue of the policy's bandwidth was full.
    pub congested: u64,
    /// Dropped since they were longer than the policy's MTU, or than a datagram can be.
    pub too_long: u64,
    /// Dropped since the node's inbox was full, by the node or by its kernel.
    pub overflowed: u64,
    /// Dropped since they could not be sent: an address or a port that cannot be, or a socket that refused.
    pub unsent: u64,
    /// Held by the node's policy: they have come in, and the node has not got them.
    pub under_way: u64,
    /// How many datagrams each entry of the scenario's timeline has touched.
    pub touched: BTreeMap<u32, u64>,
    /// What became of stream connections.
    #[serde(skip_serializing_if = "StreamCounts::is_nothing")]
    pub streams: StreamCounts,
}

/// What became of stream connections at one node, since its process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamCounts {
    /// Dialled by the node.
    pub dialled: u64,
    /// Opened of those.
    pub opened: u64,
    /// Of those that others have dialled, those that the node was told of.
    pub accepted: u64,
    /// Ended in order by the peer, after its last byte.
    pub closed: u64,
    /// Ended by the node, or reset since the write failed that it had ended them behind.
    pub ended: u64,
    /// Refused, of those that the node has dialled.
    pub refused: u64,
    /// Ended by a reset, whoever has reset it.
    pub reset: u64,
    /// Ended since the peer was silent for too long.
    pub timed_out: u64,
    /// Of those that others have dialled, reset at once since their address has as many as it may have.
    pub crowded: u64,
    /// How often the ports were shut, since there were as many connections as there may be, or the machine had no more for this process.
    pub shut: u64,
    /// Reset since more waited to be written than may.
    pub overrun: u64,
    /// Ended before they were open, since the peer did not show a certificate that holds, or not in time.
    pub untrusted: u64,
    /// Bytes that the node wrote.
    pub written: u64,
    /// Bytes that the node was handed.
    pub read: u64,
}

impl StreamCounts {
    fn is_nothing(&self) -> bool {
        *self == StreamCounts::default()
    }
}

#[cfg(test)]
mod tests {
    use squall_nodes::echo::EchoNode;

    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = Line::<EchoNode>::Mark {
            at: Time::from_nanos(7),
            counts: Counts {
                sent: 3,
                touched: [(2, 5), (10, 1)].into(),
                ..Counts::default()
            },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with("{\"mark\":{\"at\":7,"), "{text}");
        let read: Line<EchoNode> = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
