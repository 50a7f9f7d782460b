//! What goes over a link for a connection: one packet, and what an end needs to make some.
//!
//! The bytes of each direction are numbered from 1; the opening has the number 0, and the end the number after the last byte. So no
//! number is used twice, and an old packet is known for what it is however late it comes.

use squall_nodes::{Span, Time};

use crate::engine::spares::Buffers;

/// A TCP segment.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub(super) kind: Kind,
    /// The number of its first byte; of what comes next when it has none.
    pub(super) from: u64,
    pub(super) bytes: Vec<u8>,
    /// Whether the end of the bytes is in it.
    pub(super) tail: Tail,
    /// The number of the first byte that its sender has not got.
    pub(super) acked: u64,
    /// The number of the first byte that its sender has no room for.
    pub(super) edge: u64,
    /// When it was sent, and when that was sent which it answers.
    pub(super) sent: Time,
    pub(super) answers: Time,
    pub(super) sending: Sending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks for a connection.
    Syn,
    /// Grants it.
    SynAck,
    /// Carries bytes, or says what came in.
    #[default]
    Plain,
    /// There is no such connection.
    Reset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tail {
    /// More bytes may come.
    #[default]
    Open,
    /// The last byte is in it, or was before.
    End,
}

/// Why a packet is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sending {
    /// It says something new, or answers.
    #[default]
    First,
    /// Nothing was heard in time, and it is sent again.
    Again,
    /// It asks whether there is room now.
    Probe,
}

impl Packet {
    /// How many numbers it takes.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.tail == Tail::End)
    }
}

/// What an end of a connection needs when anything happens to it.
pub(super) struct Desk<'a> {
    pub(super) now: Time,
    /// How many bytes a packet carries at most.
    pub(super) most: usize,
    pub(super) law: &'a crate::plan::StreamLaw,
    pub(super) buffers: &'a mut Buffers,
    /// What it sends, in order.
    pub(super) out: &'a mut Vec<Packet>,
}

/// How long an end that its process has let go of waits for the other side to close: `tcp_fin_timeout` of Linux.
pub(super) const FIN_TIMEOUT: Span = Span::from_secs(60);
