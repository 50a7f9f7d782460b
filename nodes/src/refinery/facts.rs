//! What refinery nodes claim.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::wire::{Epoch, Why, WireError};

crate::facts! {
    /// What a refinery node claims about itself.
    pub enum RefineryFact {
        /// It begins, or begins again after its disk had failed.
        "started" => Started {
            /// The highest epoch that is on its disk.
            epoch: Epoch,
        },
        /// As a standby by the original rules, it does nothing: the source knows none.
        "idle" => Idle,
        /// It reigns: nodes join it.
        "serving" => Serving {
            /// The epoch that it opens; 0 under `Original`.
            epoch: Epoch,
        },
        /// It reigns in place of the one that it had followed.
        "promoted" => Promoted {
            /// The epoch that it opens.
            epoch: Epoch,
        },
        /// It reigned, heard of a higher epoch, and reigns no more.
        "stepped_down" => SteppedDown {
            /// The epoch in which it reigned.
            from: Epoch,
            /// The epoch for which it gave way.
            to: Epoch,
        },
        /// As one of the masters, it follows the other.
        "following" => Following {
            /// Whom.
            master: SocketAddrV4,
            /// In which epoch.
            epoch: Epoch,
        },
        /// As one of the masters, it has lost the one that it followed.
        "suspected" => Suspected {
            /// Whom.
            master: SocketAddrV4,
            /// How.
            why: Loss,
        },
        /// A node is in its registry.
        "enlisted" => Enlisted {
            /// Its id.
            id: String,
            /// Where it accepts those below it.
            address: SocketAddrV4,
        },
        /// A node is in its registry no more.
        "struck_off" => StruckOff {
            /// Its id.
            id: String,
            /// Where it accepted those below it.
            address: SocketAddrV4,
        },
        /// Somebody who has dialled has the right version, and was asked to show that it belongs here. Claimed of each address the first four
        /// times since somebody from there was let in, and then at the 8th, 16th, 32nd, …
        "asked" => Asked {
            /// The connection's number.
            conn: u64,
            /// Where it comes from.
            from: SocketAddrV4,
        },
        /// Somebody has shown that it belongs here.
        "authenticated" => Authenticated {
            /// The connection's number.
            conn: u64,
            /// Where it comes from.
            from: SocketAddrV4,
            /// Its id.
            id: String,
        },
        /// Somebody has not shown that it belongs here, and was told so. Claimed as often as `asked`.
        "declined" => Declined {
            /// The connection's number.
            conn: u64,
            /// Where it comes from.
            from: SocketAddrV4,
            /// The id that it says is its own.
            id: String,
        },
        /// Somebody was given an upstream.
        "granted" => Granted {
            /// The connection's number.
            conn: u64,
            /// The upstream.
            upstream: SocketAddrV4,
            /// The epoch.
            epoch: Epoch,
        },
        /// It closed a connection that it had accepted. Of those that were not let in it is claimed as often as `asked`, for each reason.
        "closed" => Closed {
            /// The connection's number.
            conn: u64,
            /// Where it comes from.
            from: SocketAddrV4,
            /// Why.
            why: Refusal,
        },
        /// A master has let it in.
        "joined" => Joined {
            /// Which.
            master: SocketAddrV4,
            /// In which epoch.
            epoch: Epoch,
        },
        /// It has no master any more.
        "orphaned" => Orphaned {
            /// The one that it had.
            master: SocketAddrV4,
            /// Why.
            why: Loss,
        },
        /// Who is at an address that it was given for a master's would not let it in.
        "turned_away" => TurnedAway {
            /// The address.
            by: SocketAddrV4,
            /// Why: [`Parting::NoMaster`], where what is there is a node of the tree.
            why: Loss,
        },
        /// It takes this epoch for the present one.
        "accepted" => Accepted {
            /// The epoch.
            epoch: Epoch,
        },
        /// Its upstream has let it in.
        "attached" => Attached {
            /// Its upstream.
            upstream: SocketAddrV4,
        },
        /// It has no upstream any more.
        "detached" => Detached {
            /// The one that it had.
            upstream: SocketAddrV4,
            /// Why.
            why: Loss,
        },
        /// An adversary was let in.
        "broke_in" => BrokeIn {
            /// Under which id.
            id: String,
        },
        /// What was on the disk is not what a refinery node writes; the node goes on as if it were wiped.
        "disk_unreadable" => DiskUnreadable,
        /// It cannot run with these settings, and does nothing.
        "refused_to_start" => RefusedToStart {
            /// Why.
            why: String,
        },
        /// It was to open an epoch above all that it knows of, and there is none: it does not reign in one.
        "no_epoch_left" => NoEpochLeft,
    }
}

/// Why somebody who has dialled was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// It has another version.
    Version,
    /// A packet came out of its turn, or a command of a master.
    Turn,
    /// What came is no packet.
    Unreadable(WireError),
    /// It took too long to be let in.
    Slow,
    /// It was silent for too long.
    Silent,
    /// There is no room for it, or it had to make room for others.
    Crowded,
    /// Its address has as many connections that have not been let in as one may have.
    TooMany,
    /// Somebody else goes by its id now.
    Replaced,
    /// It has as many below it as it may have.
    Full,
    /// It does not reign, and knows of this epoch.
    NotReigning(Epoch),
    /// Its place was needed for another while it was silent.
    Evicted,
    /// It takes this node for a master, which it is not.
    NoMaster,
    /// It says that it is the other master, and is not at the address that this one was given for that.
    Unexpected,
    /// This node has no place in the tree any more, since somebody else goes by its id.
    Displaced,
}

/// Why a connection that this node has dialled is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Loss {
    /// Nobody listens there.
    Refused,
    /// The other died or threw it away.
    Reset,
    /// The other was silent for as long as the transport waits.
    TimedOut,
    /// The other ended it.
    Ended,
    /// The other said that it ends.
    Closed(Parting),
    /// The other was silent for longer than `silence`.
    Silent,
    /// The other did not let this node in.
    Declined,
    /// The other said something out of its turn.
    Turn,
    /// What came is no packet.
    Unreadable(WireError),
    /// The other reigns in an epoch below one that this node has accepted.
    Outdated(Epoch),
    /// It was given another upstream.
    Moved,
}

/// What the other said when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Parting {
    /// Nothing.
    Plain,
    /// That it does not reign, and knows of this epoch.
    NotReigning(Epoch),
    /// That it has no room.
    Full,
    /// That it is no master: it is a node of the tree.
    NoMaster,
    /// That it was given another address for that of the other master.
    Unexpected,
    /// That it has another version.
    Version,
    /// That somebody else goes by this node's id.
    Replaced,
}

impl From<Option<Why>> for Parting {
    fn from(why: Option<Why>) -> Self {
        match why {
            None => Parting::Plain,
            Some(Why::NotReigning(epoch)) => Parting::NotReigning(epoch),
            Some(Why::Full) => Parting::Full,
            Some(Why::NoMaster) => Parting::NoMaster,
            Some(Why::Unexpected) => Parting::Unexpected,
            Some(Why::Version) => Parting::Version,
            Some(Why::Replaced) => Parting::Replaced,
        }
    }
}
