//! The ordered record of one run, kept only where it is asked for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
// Whoever reads a trace finds its words here.
pub use squall_nodes::{Change, Closed, Crash, Cut, DiskAtBoot, DiskState, HostId, Span, Time};

/// The record of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The hosts' names, by [`HostId`].
    pub hosts: Vec<String>,
    /// The hosts' addresses, by [`HostId`].
    pub ips: Vec<Ipv4Addr>,
    /// Everything that happened, in order.
    pub events: Vec<TraceEvent>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// When, in true virtual time.
    #[serde(rename = "at_ns")]
    pub at: Time,
    /// The host that it happened to; `None` for the world.
    pub host: Option<HostId>,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// A node booted.
    Booted {
        /// Its life, counted from 0.
        incarnation: u32,
    },
    /// The host sent a datagram.
    Sent {
        /// To this address.
        to: Arc<str>,
        /// What becomes of it.
        fate: Fate,
        /// What it says.
        says: String,
        /// How long it is, in bytes.
        len: u32,
        /// The 64-bit xxh3 of its bytes.
        hash: u64,
    },
    /// A datagram reached the host's node.
    Received {
        /// From this address.
        from: Arc<str>,
        /// What it says.
        says: String,
        /// How long it is, in bytes.
        len: u32,
        /// The 64-bit xxh3 of its bytes.
        hash: u64,
    },
    /// A datagram would have reached the host's node, and did not.
    Dropped {
        /// From this address.
        from: String,
        /// Why.
        why: DropCause,
    },
    /// A timer went off.
    Timer {
        /// Which.
        timer: String,
    },
    /// The node accepts connections on a port from now on.
    Listening {
        /// The port.
        port: u16,
    },
    /// The node dials.
    Dialling {
        /// The connection's number.
        conn: u64,
        /// This address.
        to: Arc<str>,
    },
    /// The node wrote to a connection.
    Wrote {
        /// The connection's number.
        conn: u64,
        /// To this address.
        to: Arc<str>,
        /// What it says, message by message, as far as those are complete.
        says: Vec<String>,
        /// How long it is, in bytes.
        len: u32,
        /// The 64-bit xxh3 of its bytes.
        hash: u64,
    },
    /// The node reads no more from a connection.
    PausedReading {
        /// The connection's number.
        conn: u64,
    },
    /// The node reads from a connection again.
    ResumedReading {
        /// The connection's number.
        conn: u64,
    },
    /// The node closes a connection.
    Closing {
        /// The connection's number.
        conn: u64,
        /// To this address.
        to: Arc<str>,
    },
    /// The node was told that a connection which it dialled is open.
    Opened {
        /// The connection's number.
        conn: u64,
        /// To this address.
        to: Arc<str>,
    },
    /// The node was told that it was dialled.
    Accepted {
        /// The connection's number.
        conn: u64,
        /// On this port.
        port: u16,
        /// From this address.
        from: Arc<str>,
    },
    /// The node was told bytes of a connection.
    Read {
        /// The connection's number.
        conn: u64,
        /// From this address.
        from: Arc<str>,
        /// What they say, message by message, as far as those are complete.
        says: Vec<String>,
        /// How many they are.
        len: u32,
        /// The 64-bit xxh3 of the bytes.
        hash: u64,
    },
    /// The node was told that it writes more to a connection than goes out.
    Blocked {
        /// The connection's number.
        conn: u64,
    },
    /// The node was told that this is over.
    Writable {
        /// The connection's number.
        conn: u64,
    },
    /// The node was told that a connection is over.
    Closed {
        /// The connection's number.
        conn: u64,
        /// With this address.
        with: Arc<str>,
        /// Why.
        why: Closed,
    },
    /// A write to the host's disk began.
    Persisting {
        /// The number of the first persist that it completes.
        token: u64,
        /// How much, in bytes.
        len: u32,
        /// The 64-bit xxh3 of its bytes.
        hash: u64,
    },
    /// The node was told that what it wrote is on the disk.
    Persisted {
        /// The persist's number. A write may complete several.
        token: u64,
    },
    /// The node was told that what it wrote is not on the disk.
    PersistFailed {
        /// The persist's number. A write that fails may fail several.
        token: u64,
    },
    /// The node claimed a fact.
    Fact {
        /// Its name.
        name: String,
        /// All of it.
        says: String,
    },
    /// A client or an operator called.
    Call {
        /// The call's number.
        call: u64,
        /// What was asked.
        says: String,
    },
    /// A call was answered.
    Answer {
        /// The call's number.
        call: u64,
        /// What it got.
        says: String,
    },
    /// The world changed.
    World {
        /// How.
        change: Change,
        /// The fault that changed it, as reports name it, with the name of whoever triggered it in place of `@actor`.
        fault: String,
        /// The entry of the timeline that has this fault; `None` for what comes of itself: a first boot, a datagram that is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// A promise was broken: the run ends here.
    Violated {
        /// The invariant's full name.
        invariant: String,
    },
}

/// The entry of the timeline that changed the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its place in the timeline, counted from 0: that of its fault among [`Outcome::faults`](crate::outcome::Outcome::faults).
    pub entry: u32,
    /// The kind of its fault, as [`Fault::kind`](crate::plan::Fault::kind) has it.
    pub kind: String,
    /// Who did what triggered it; `None` where it has its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<HostId>,
    /// What triggered it, in words: `when c4 had completed a write`, `1s after c1 claimed promoted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What becomes of a datagram when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is on its way.
    Underway,
    /// It is on its way, and so is a copy.
    Doubled,
    /// The link loses it.
    Lost,
    /// A cut drops it.
    Cut,
    /// It is on its way, with a byte changed.
    Corrupted,
    /// It is on its way, with a byte changed, and so is a copy, as it was sent.
    CorruptedAndDoubled,
    /// The queue of the link has no room for it.
    Congested,
    /// It is longer than the link's MTU.
    TooLong,
    /// No host has that address, the port that it was sent from is not open, or it is too long for a datagram.
    NoSuchPlace,
}

/// Why no node took a datagram that was due at its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropCause {
    /// The host is down, or went down before its node had read it.
    Down,
    /// The port is not open.
    PortClosed,
    /// The host is paused or slow, and its buffer is full.
    BufferFull,
    /// A cut lies between the two hosts that was laid while the datagram was on its way.
    Cut,
}
