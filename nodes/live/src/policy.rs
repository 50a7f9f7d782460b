//! Link policies: what a host's edge does to the datagrams that it sends and receives, so that a live cluster has the links of a
//! scenario without any privilege.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use squall_nodes::link::LinkLaw;
use squall_nodes::{Span, Time};

/// What a host's edge does to datagrams. It is replaced as a whole, and each one has a higher number than the one before.
///
/// The law of a link is applied by the receiver, by the address that a datagram comes from, and counts from when its kernel took the
/// datagram in: what is under way has left its sender, which may be stopped or killed. A cut is made at both ends, so that a host that
/// was paused when it was laid is cut off too; what is under way is looked at once more when it arrives, and dropped if the way is cut by
/// then.
///
/// It has no number of a format: it goes from a program to children that it has started from its own file, and to nobody else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Which policy.
    pub number: u64,
    /// Since when it counts, on the machine's monotonic clock: what came in or arrives before goes by the one before, though it is read
    /// later. [`Time::ZERO`], and it counts from when it is put in force.
    #[serde(default)]
    pub since: Time,
    /// Those before it that the host was not told of, the oldest first: what came in under them goes by them. Of more than
    /// [`MOST_MISSED`](Policy::MOST_MISSED) the latest count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Policy>,
    /// What the link from everybody does who is not named below; `None`, and nothing is done to what comes from there.
    pub law: Option<LinkLaw>,
    /// Entries of the scenario's timeline by which that law is another one than the scenario's own.
    pub by: Vec<u32>,
    /// The links to and from those that differ, by their address.
    pub peers: BTreeMap<Ipv4Addr, Peer>,
    /// How long a datagram may be on its way before it is told that it [straggles](crate::Line::Straggled); `None`, and none does.
    pub tolerated: Option<Span>,
    /// What the variation of round trips adds to the retransmission timeout of a stream at least; `None` for 200 ms, as with Linux.
    #[serde(default)]
    pub min_rto: Option<Span>,
}

/// The links to and from one other host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The way there.
    pub out: Way,
    /// The way back.
    pub back: Way,
    /// What the way back does; `None`, and nothing is done to what comes from there. The way there is that host's to deal with.
    pub law: Option<LinkLaw>,
    /// Entries of the scenario's timeline by which that law is another one than the scenario's own.
    pub by: Vec<u32>,
}

impl Policy {
    /// How many policies may be put in force at once besides the latest.
    pub const MOST_MISSED: usize = 256;
}

/// One direction between two hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Datagrams pass.
    #[default]
    Open,
    /// Nothing does that is sent from now on, and it counts for nobody: there is no power at the other end. What has left it arrives.
    Dead,
    /// None does.
    Cut {
        /// Entries of the scenario's timeline that cut it: a datagram that is dropped counts for each.
        by: Vec<u32>,
    },
}
