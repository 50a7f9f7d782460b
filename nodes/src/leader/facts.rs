//! What a node claims about itself.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::wire::{Term, WireError};

crate::facts! {
    /// What a node claims. Under `Original`, which has no terms, a term has the counter 0 and the number of the leader.
    pub enum LeaderFact {
        /// The node runs, or starts over after a write to its disk had failed.
        "started" => Started {
            /// The highest term that it found on its disk.
            term: Term,
        },
        /// It knows all nodes: told by another, by its disk, or by its own arguments. Again when the list is another one.
        "connected" => Connected {
            /// Its own number.
            number: u32,
            /// How many nodes there are, itself included.
            nodes: u32,
        },
        /// It has told a node of all nodes, and was understood.
        "told" => Told {
            /// The node.
            node: SocketAddrV4,
        },
        /// A node of the list could not be told of it, and is tried again.
        "node_down" => NodeDown {
            /// The node.
            node: SocketAddrV4,
        },
        /// The leader has sent no heartbeat in a while.
        "heartbeat_overdue" => HeartbeatOverdue {
            /// The leader, if one was known.
            leader: Option<u32>,
        },
        /// It holds that this is the next leader: the highest number of those that it does not hold for gone.
        "chosen" => Chosen {
            /// The number.
            number: u32,
        },
        /// It is the one that is chosen; the role is open until a person accepts it.
        "offered" => Offered {
            /// Its number.
            number: u32,
        },
        /// It leads from now on.
        "leading" => Leading {
            /// Its term.
            term: Term,
        },
        /// It follows this leader from now on.
        "following" => Following {
            /// The leader's term.
            term: Term,
            /// Its number.
            leader: u32,
            /// Where it is.
            address: SocketAddrV4,
        },
        /// It led, and does not any more.
        "gave_way" => GaveWay {
            /// The term in which it led.
            from: Term,
            /// The term of which it has heard.
            to: Term,
        },
        /// It has seen a term above all that it had seen. Claimed no more often than once in the settings' `heartbeat`.
        "term_seen" => TermSeen {
            /// The term.
            term: Term,
        },
        /// As the leader, it has calculated what somebody asked for.
        routine "calculated" => Calculated {
            /// Who asked.
            asker: SocketAddrV4,
            /// The request's number among those of the asker.
            request: u64,
            /// In which term.
            term: Term,
        },
        /// It took an answer of the leader's for a request of its own.
        routine "answer_taken" => AnswerTaken {
            /// The request's number.
            request: u64,
            /// The answer's term.
            term: Term,
        },
        /// A request was lost with its connection, and nobody will answer it.
        "request_lost" => RequestLost {
            /// The request's number.
            request: u64,
        },
        /// An answer of a term below the highest that was seen, or of one that nobody can have opened, was not taken.
        "answer_refused" => AnswerRefused {
            /// The request's number.
            request: u64,
            /// The answer's term.
            term: Term,
        },
        /// The person at this node has said something to everyone.
        "said" => Said {
            /// By which the lives of this node are told apart.
            life: u64,
            /// The number of what was said, from 1 in each life.
            number: u64,
            /// The words.
            text: String,
        },
        /// What somebody else said was shown here.
        "chat" => Chat {
            /// Who said it.
            from: SocketAddrV4,
            /// What they are called.
            name: String,
            /// In which of their lives.
            life: u64,
            /// Its number.
            number: u64,
            /// The words.
            text: String,
        },
        /// What was said to a node was lost on the way, and is not said to it again. Claimed of the last of several.
        "chat_lost" => ChatLost {
            /// The node.
            to: SocketAddrV4,
            /// The number of what was said.
            number: u64,
        },
        /// Connections were closed for what came in on them. Claimed when the count reaches 1, 2, 4, 8, …
        "unreadable" => Unreadable {
            /// Why.
            kind: WireError,
            /// How many since the start.
            count: u64,
            /// With whom the last of them was.
            peer: Ipv4Addr,
        },
        /// What was on the disk is not what such a node writes; the node goes on as if it were wiped.
        "disk_unreadable" => DiskUnreadable,
        /// It cannot run with these settings, and does nothing.
        "refused_to_start" => RefusedToStart {
            /// Why.
            why: String,
        },
        /// A node of the list goes by another one, and follows nobody by this one. It is told again. Claimed once, until it goes by this one.
        "another_list" => AnotherList {
            /// The node.
            node: SocketAddrV4,
        },
        /// A list came that does not have this node, by the address at which it knows itself. Claimed when the count reaches 1, 2, 4, 8, …
        "not_listed" => NotListed {
            /// Who sent the last of them.
            from: SocketAddrV4,
            /// How many since the start.
            count: u64,
        },
    }
}
