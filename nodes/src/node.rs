//! The node: a state machine that does no I/O, and the words in which it is spoken to.

use std::fmt;
use std::hash::Hash;
use std::net::SocketAddrV4;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::outbox::Outbox;
use crate::rng::NodeRng;
use crate::time::Time;

/// A protocol's state machine, the same in the simulator and live.
///
/// [`handle`](Node::handle) is its only door: all that it learns is an [`Input`], all that it wants is an
/// [`Effect`](crate::Effect) put in the [`Outbox`]. Two nodes booted alike and fed the same inputs put the same effects
/// there, byte for byte. So a node reads no clock, opens no socket or file, starts no thread, and iterates over no
/// `HashMap`.
///
/// `Clone` is there for checkpoints: stepping back through a run, and asking what would have happened otherwise.
pub trait Node: Sized + Clone + 'static {
    /// What a host may be: `Server`, `Client`, … as a scenario file writes it.
    type Role: Data + Sync;
    /// Everything that tunes a node; lengths of time are [`Span`](crate::Span)s.
    type Config: Data + Sync;
    /// What a client or an operator asks of a node.
    type Command: Data + Sync;
    /// What they get; one call may have several answers.
    type Answer: Data;
    /// The node's named alarms.
    type Timer: Timer;
    /// What the node claims about itself.
    type Fact: Fact;

    /// Makes the node of one incarnation. It is handed [`Input::Start`] next.
    ///
    /// `disk` is what the last [`persist`](Outbox::persist) that completed had written, or `None` on a fresh or wiped
    /// disk. Any bytes at all may be there: a node claims what it cannot read as a fact and goes on as if wiped.
    fn boot(role: &Self::Role, config: &Self::Config, disk: Option<&[u8]>, rng: NodeRng) -> Self;

    /// Takes one input at `now`, which never decreases, and puts what it wants done in `out`.
    ///
    /// No bytes from a peer may make it panic or hold memory beyond a stated bound.
    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>);
}

/// Plain data that files, traces and reports carry both ways. Implemented for all that qualifies.
pub trait Data: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + 'static {}
impl<T: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// A named alarm. A trace prints its `Debug` form: `Timer(Election)`.
pub trait Timer: Copy + Eq + Hash + fmt::Debug + Send + 'static {
    /// A number that no other timer of the node has, now or in a later version: digests hold it, and timers are looked up
    /// by it. Small numbers without gaps are the quickest.
    fn code(&self) -> u64;
}

/// A thing that a node claims: `promoted`, `joined`, … See [`facts!`](crate::facts) for the way to make one.
pub trait Fact: Data {
    /// The name of every fact there is, in snake case.
    const NAMES: &'static [&'static str];

    /// The names of those that a node claims again and again while all is well, such as a table each round: logs tell them among
    /// the details.
    const ROUTINE: &'static [&'static str] = &[];

    /// Where this fact's name stands in [`NAMES`](Fact::NAMES).
    fn index(&self) -> usize;

    /// This fact's name.
    fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// Appends the fact's canonical bytes (its name's index as a little-endian `u32`, then its
    /// [postcard](https://postcard.jamesmunns.com/) form), by which digests know it.
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&(self.index() as u32).to_le_bytes());
        encode_data(self, into);
    }
}

/// Appends the canonical bytes of plain data: its [postcard](https://postcard.jamesmunns.com/) form.
pub fn encode_data<T: fmt::Debug + Serialize>(data: &T, into: &mut Vec<u8>) {
    struct Tail<'a>(&'a mut Vec<u8>);
    impl Extend<u8> for Tail<'_> {
        fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
            self.0.extend(bytes);
        }
    }
    let start = into.len();
    // Postcard refuses sequences that do not know their length. Their text tells them apart as well.
    if postcard::to_extend(data, Tail(into)).is_err() {
        into.truncate(start);
        into.extend_from_slice(format!("{data:?}").as_bytes());
    }
}

/// Declares an enum of facts, with its names known without running anything. `routine` stands ahead of those that are claimed again and
/// again while all is well.
///
/// ```
/// squall_nodes::facts! {
///     /// What a lamp claims.
///     pub enum LampFact {
///         /// It was lit.
///         "lit" => Lit { watts: u32 },
///         /// It is lit still.
///         routine "burns" => Burns,
///         /// It went out.
///         "out" => Out,
///     }
/// }
/// use squall_nodes::Fact;
/// assert_eq!(LampFact::NAMES, ["lit", "burns", "out"]);
/// assert_eq!(LampFact::ROUTINE, ["burns"]);
/// assert_eq!(LampFact::Lit { watts: 40 }.name(), "lit");
/// ```
#[macro_export]
macro_rules! facts {
    (@routine $text:literal) => {
        $text
    };
    (
        $(#[$outer:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$inner:meta])* $($weight:ident)? $text:literal => $variant:ident $({ $( $(#[$fm:meta])* $field:ident : $ty:ty ),* $(,)? })? ),* $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, Eq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "squall_nodes::serde")]
        $vis enum $name {
            $( $(#[$inner])* $variant $({ $( $(#[$fm])* $field : $ty ),* })? ),*
        }

        impl $crate::Fact for $name {
            const NAMES: &'static [&'static str] = &[$($text),*];
            const ROUTINE: &'static [&'static str] = &[$($($crate::facts!(@$weight $text),)?)*];

            fn index(&self) -> usize {
                #[derive(Clone, Copy)]
                enum Index { $($variant),* }
                (match self { $( Self::$variant { .. } => Index::$variant ),* }) as usize
            }
        }
    };
}

/// A host of a cluster, by its place in the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostId(pub u32);

impl HostId {
    /// The host's place, for tables.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A stream connection, by the number that its host gave it; never used twice in one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnId(pub u64);

/// A [`persist`](Outbox::persist), by the number that it was given; never used twice in one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

/// A call of a client or an operator; never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// What a node is told.
pub enum Input<'a, N: Node> {
    /// The first input of an incarnation.
    Start,
    /// A datagram came in.
    Datagram {
        /// Where it was sent to: the host's own address, or a multicast group's.
        on: SocketAddrV4,
        /// The sender, as the network saw it. It may be forged.
        from: SocketAddrV4,
        /// The whole datagram.
        bytes: &'a [u8],
    },
    /// Something happened to a stream connection.
    Stream {
        /// The connection.
        conn: ConnId,
        /// What happened.
        event: StreamEvent<'a>,
    },
    /// An armed timer came due. It is disarmed now.
    Timer(N::Timer),
    /// A client or an operator asks something.
    Command {
        /// The number to [`answer`](Outbox::answer) to.
        call: CallId,
        /// What is asked.
        command: &'a N::Command,
    },
    /// A persist completed: what it wrote outlives a crash from now on.
    Persisted(Token),
    /// A persist failed. What waited behind it was dropped, and so was what was asked for since.
    PersistFailed(Token),
}

impl<N: Node> Clone for Input<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: Node> Copy for Input<'_, N> {}

impl<N: Node> fmt::Debug for Input<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Start => f.write_str("Start"),
            Input::Datagram { on, from, bytes } => f
                .debug_struct("Datagram")
                .field("on", on)
                .field("from", from)
                .field("bytes", bytes)
                .finish(),
            Input::Stream { conn, event } => f.debug_tuple("Stream").field(conn).field(event).finish(),
            Input::Timer(timer) => f.debug_tuple("Timer").field(timer).finish(),
            Input::Command { call, command } => f.debug_tuple("Command").field(call).field(command).finish(),
            Input::Persisted(token) => f.debug_tuple("Persisted").field(token).finish(),
            Input::PersistFailed(token) => f.debug_tuple("PersistFailed").field(token).finish(),
        }
    }
}

/// What can happen to a stream connection.
///
/// Of one that this node [dialled](crate::Outbox::dial), the first is [`Opened`](StreamEvent::Opened), or that it is closed; of one that it
/// [listens](crate::Outbox::listen) for, [`Accepted`](StreamEvent::Accepted). Nothing comes after [`Closed`](StreamEvent::Closed), and nothing
/// at all once the node has [closed](crate::Outbox::close) it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The connection that this node dialled is open: the peer's kernel has answered, whether its node knows yet or not.
    Opened,
    /// A peer dialled a port that this node listens on, and the connection is open.
    Accepted {
        /// The port.
        port: u16,
        /// The peer: its host's address, with a port that no other open connection from there has.
        from: SocketAddrV4,
    },
    /// Bytes came in, in order and at least one; where they split says nothing about how they were written. None come while reading is
    /// [paused](crate::Outbox::pause_reading): then they wait in a buffer of a bounded size, and when that is full, on the writer's side.
    Bytes(&'a [u8]),
    /// The peer takes less than is written: what was written last did not fit the send buffer, and what is written from now on waits on
    /// this side, up to a bound of the transport, beyond which the connection is reset, for both.
    Blocked,
    /// All that waited has gone into the send buffer, after [`Blocked`](StreamEvent::Blocked).
    Writable,
    /// The connection is over, both ways: there is no half-close, and what the node writes to it from now on is dropped.
    Closed(Closed),
}

/// Why a stream connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Closed {
    /// The host is there and nobody listens, or it has as many connections as it may have; or this host has opened as many as it may.
    Refused,
    /// The peer's process died, its machine does not know of the connection any more, or more was written than may wait on either side;
    /// the peer's host had as many connections as it may have, or as many from here, when it came to this one; or the write failed that the
    /// peer had closed it behind. What the peer had written and had not got through is gone.
    ///
    /// A peer that loses power, or that a cut keeps from saying so, says nothing: the connection is half open until this node writes, which
    /// is answered with this once the peer's machine can be reached again, and with [`TimedOut`](Closed::TimedOut) when it cannot.
    Reset,
    /// Nobody answered when it was dialled, for the connect timeout; or for the user timeout nothing was acknowledged of what was
    /// written. What of it has arrived is not known.
    TimedOut,
    /// The peer closed it, and this node has read its last byte.
    Orderly,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_appended_and_what_postcard_refuses_is_told_apart_by_its_text() {
        #[derive(Debug)]
        struct Endless(u8);
        impl Serialize for Endless {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeSeq;
                let mut seq = serializer.serialize_seq(None)?;
                seq.serialize_element(&self.0)?;
                seq.end()
            }
        }
        let mut bytes = vec![9];
        encode_data(&(300u32, true), &mut bytes);
        assert_eq!(bytes, [9, 0xac, 2, 1]);
        encode_data(&Endless(7), &mut bytes);
        assert_eq!(&bytes[4..], b"Endless(7)");
    }
}
