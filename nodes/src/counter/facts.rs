//! What a replica claims about itself.

use super::state::Term;

crate::facts! {
    /// What a replica claims about itself.
    pub enum CounterFact {
        /// It runs.
        "started" => Started {
            /// Its life: how often it has started with this disk, this time included.
            life: u64,
            /// The highest term that it knows of.
            term: Term,
        },
        /// It stands for leader.
        "standing" => Standing {
            /// Of which term.
            term: Term,
        },
        /// A majority follows it into its term.
        "leading" => Leading {
            /// Which.
            term: Term,
        },
        /// It has heard from the leader of a term for the first time.
        "following" => Following {
            /// Which term.
            term: Term,
        },
        /// It led, heard of a higher term, and leads no more.
        "stepped_down" => SteppedDown {
            /// The term for which it gave way.
            term: Term,
        },
        /// Datagrams came that are no packets for this replica. Claimed when the count reaches 1, 2, 4, 8, …
        "unreadable" => Unreadable {
            /// How many since the start.
            count: u64,
        },
        /// What was on the disk is not what a replica writes: it does not know what it has promised, and takes no part any more.
        "disk_unreadable" => DiskUnreadable,
        /// It cannot run with these settings, and does nothing.
        "refused_to_start" => RefusedToStart {
            /// Why.
            why: String,
        },
    }
}
