//! Link policies: what a host's edge does to the datagrams that it sends and receives, so that a live cluster has the links of a
//! scenario without any privilege.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use squall_nodes::Span;
use squall_nodes::link::LinkLaw;

/// What a host's edge does to datagrams. It is replaced as a whole, and each one has a higher number than the one before.
///
/// A cut is made at both ends, so that neither a host that was paused nor a datagram that is under way slips through. The law of a link
/// is applied by the sender: what it delays is looked at once more when it would go out, and dropped if the way is cut by then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Which policy.
    pub number: u64,
    /// What the link to everybody who is not named below does; `None`, and nothing is done to what goes there.
    pub law: Option<LinkLaw>,
    /// Entries of the scenario's timeline by which that law is another one than the scenario's own.
    pub by: Vec<u32>,
    /// The links to and from those that differ, by their address.
    pub peers: BTreeMap<Ipv4Addr, Peer>,
    /// How long a datagram may be on its way before it is told that it [straggles](crate::Line::Straggled); `None`, and none does.
    pub tolerated: Option<Span>,
}

/// The links to and from one other host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The way there.
    pub out: Way,
    /// The way back.
    pub back: Way,
    /// What the way there does; `None`, and nothing is done to what goes there.
    pub law: Option<LinkLaw>,
    /// Entries of the scenario's timeline by which that law is another one than the scenario's own.
    pub by: Vec<u32>,
}

/// One direction between two hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Datagrams pass.
    #[default]
    Open,
    /// None does.
    Cut {
        /// Entries of the scenario's timeline that cut it: a datagram that is dropped counts for each.
        by: Vec<u32>,
    },
}
