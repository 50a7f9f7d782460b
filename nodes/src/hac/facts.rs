//! What a hac node claims about itself.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::wire::{Epoch, Status, WireError};

crate::facts! {
    /// What a hac node claims. Under `Original`, which has no epochs, an epoch has the counter 0 and the id of the
    /// server, as far as the node knows it.
    pub enum HacFact {
        /// The node of a client-server cluster runs, or starts over after a write to its disk had failed.
        "started" => Started {
            /// The id that it found on its disk.
            id: Option<u32>,
            /// The highest epoch that it found there.
            epoch: Epoch,
        },
        /// It serves from now on.
        "serving" => Serving {
            /// Its id.
            id: u32,
            /// The epoch that it opened.
            epoch: Epoch,
        },
        /// A server gave an id to an address that did not have it.
        "granted" => Granted {
            /// The id.
            id: u32,
            /// In which epoch.
            epoch: Epoch,
            /// To whom.
            addr: SocketAddrV4,
        },
        /// It joined a cluster for the first time since it started, or started over.
        "joined" => Joined {
            /// The id that it was given.
            id: u32,
            /// In which epoch.
            epoch: Epoch,
            /// By whom.
            server: SocketAddrV4,
        },
        /// It joined again: another server, another epoch, or under another id.
        "rejoined" => Rejoined {
            /// The id that it was given.
            id: u32,
            /// In which epoch.
            epoch: Epoch,
            /// By whom.
            server: SocketAddrV4,
        },
        /// It heard nothing from its server for the timeout.
        "suspected" => Suspected {
            /// The server.
            server: SocketAddrV4,
        },
        /// It was elected by its own table; it serves next.
        "promoted" => Promoted {
            /// Its id.
            id: u32,
            /// The epoch that it opens.
            epoch: Epoch,
        },
        /// It served, heard of a higher epoch, and serves no more.
        "stepped_down" => SteppedDown {
            /// The epoch in which it served.
            from: Epoch,
            /// The epoch for which it gave way.
            to: Epoch,
        },
        /// It takes this epoch for the present one.
        "accepted" => Accepted {
            /// The epoch.
            epoch: Epoch,
        },
        /// It holds the whole table of a round: a server when it made it, a client when it has all of it.
        routine "table" => Table {
            /// In which epoch.
            epoch: Epoch,
            /// Of which round.
            round: u32,
            /// Made by whom.
            server: SocketAddrV4,
            /// By id.
            rows: Vec<Row>,
        },
        /// A peer was heard that was not held for alive.
        "peer_alive" => PeerAlive {
            /// The peer.
            addr: SocketAddrV4,
        },
        /// A peer was not heard for the window.
        "peer_dead" => PeerDead {
            /// The peer.
            addr: SocketAddrV4,
        },
        /// Datagrams came that are no packets for this node. Claimed when the count reaches 1, 2, 4, 8, …: how often it is claimed says
        /// little, its `count` how many came.
        "unreadable" => Unreadable {
            /// Why.
            kind: WireError,
            /// How many since the start.
            count: u64,
        },
        /// What was on the disk is not what a hac node writes; the node goes on as if it were wiped.
        "disk_unreadable" => DiskUnreadable,
        /// It cannot run with these settings, and does nothing.
        "refused_to_start" => RefusedToStart {
            /// Why.
            why: String,
        },
    }
}

/// One node in a table, as it is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: u32,
    /// Where it is.
    pub addr: SocketAddrV4,
    /// Whether it is held for alive.
    pub status: Status,
    /// In how many rounds it was heard.
    pub heard: u32,
}
