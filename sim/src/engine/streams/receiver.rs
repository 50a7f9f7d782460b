//! One direction of a connection, as its receiver knows it: what came in and was not read, and what came before its turn.

use std::collections::BTreeMap;

use squall_nodes::Time;

use super::packet::{Packet, Tail};
use super::rope::Rope;
use crate::engine::spares::{Buffers, taken_by};

pub(super) struct Receiver {
    unread: Rope,
    /// The number of the first byte that has not come in.
    next: u64,
    /// What came in and is not next, by its number.
    ahead: BTreeMap<u64, Vec<u8>>,
    /// How many bytes of memory that takes.
    ahead_taken: usize,
    /// The number of the end, where it is known.
    end: Option<u64>,
    /// The room that was promised: the number of the first byte that there is none for.
    edge: u64,
    /// How many bytes may lie unread.
    buffer: u64,
    reader: Reader,
    /// When that was sent which brought what came in last.
    answers: Time,
}

/// Who reads what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A node, when it likes.
    Node,
    /// Nobody, ever: it is thrown away at once.
    Nobody,
}

impl Receiver {
    pub(super) fn new(buffer: u64) -> Self {
        Receiver {
            unread: Rope::default(),
            next: 0,
            ahead: BTreeMap::new(),
            ahead_taken: 0,
            end: None,
            edge: 1 + buffer,
            buffer,
            reader: Reader::Node,
            answers: Time::ZERO,
        }
    }

    /// How many bytes of memory it takes besides itself, about.
    pub(super) fn taken(&self) -> usize {
        self.unread.taken() + self.ahead_taken
    }

    /// How many bytes can be read.
    pub(super) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// The number of the first byte that can be read.
    pub(super) fn first_unread(&self) -> u64 {
        // The end has a number too, which is nobody's to read.
        let came = self.end.map_or(self.next, |end| self.next.min(end));
        came - self.unread.len() as u64
    }

    /// Whether all bytes came in, and the end after them.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next > end)
    }

    /// The number of the first byte that has not come in.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What a packet to the sender says: when that was sent which brought what came in last.
    pub(super) fn answers(&self) -> Time {
        self.answers
    }

    /// The room that is promised from now on. It does not grow by little (RFC 1122, 4.2.3.3), or else packets would become short.
    pub(super) fn promise(&mut self, most: usize) -> u64 {
        let edge = self.next + self.buffer.saturating_sub(self.unread.len() as u64);
        if edge.saturating_sub(self.edge) >= self.least_growth(most) {
            self.edge = edge;
        }
        self.edge
    }

    /// Whether there is so much more room than was promised that the sender is to be told.
    pub(super) fn has_news(&self, most: usize) -> bool {
        let edge = self.next + self.buffer.saturating_sub(self.unread.len() as u64);
        let promised = self.edge.saturating_sub(self.next);
        // While the sender has room for some packets more, it hears of it by and by.
        promised <= self.buffer / 2 && edge.saturating_sub(self.edge) >= self.least_growth(most)
    }

    /// The opening came in.
    pub(super) fn open(&mut self, sent: Time) {
        self.next = self.next.max(1);
        self.answers = self.answers.max(sent);
    }

    /// Nobody reads any more.
    pub(super) fn shut(&mut self, buffers: &mut Buffers) {
        self.reader = Reader::Nobody;
        self.unread.clear(buffers);
    }

    /// Takes in what a packet carries. Whether anything was new.
    pub(super) fn take(&mut self, packet: &mut Packet, buffers: &mut Buffers) -> bool {
        let bytes = std::mem::take(&mut packet.bytes);
        if packet.from <= self.next {
            self.answers = self.answers.max(packet.sent);
        }
        let beyond = packet.from + bytes.len() as u64;
        if packet.tail == Tail::End {
            self.end = Some(beyond);
        }
        let before = self.next;
        if bytes.is_empty() || beyond <= self.next || beyond > self.edge {
            buffers.put(bytes);
        } else if packet.from <= self.next {
            self.join(packet.from, bytes, buffers);
            while let Some(first) = self.ahead.first_entry()
                && *first.key() <= self.next
            {
                let (from, bytes) = first.remove_entry();
                self.ahead_taken -= Self::cost(&bytes);
                self.join(from, bytes, buffers);
            }
        } else {
            self.keep(packet.from, bytes, buffers);
        }
        if self.end == Some(self.next) {
            self.next += 1;
        }
        self.next > before
    }

    /// Reads `count` bytes.
    pub(super) fn read(&mut self, count: usize, into: &mut Vec<u8>, buffers: &mut Buffers) {
        self.unread.copy(0, count, into);
        self.unread.drop_front(count, buffers);
    }

    /// Throws away everything, and becomes another's.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        self.unread.clear(buffers);
        for (_, bytes) in std::mem::take(&mut self.ahead) {
            buffers.put(bytes);
        }
        *self = Receiver {
            unread: std::mem::take(&mut self.unread),
            ..Receiver::new(0)
        };
    }

    /// Puts bytes behind those that came in, as far as they are behind them.
    fn join(&mut self, from: u64, bytes: Vec<u8>, buffers: &mut Buffers) {
        let known = (self.next - from) as usize;
        let fresh = bytes.len().saturating_sub(known);
        self.next += fresh as u64;
        if self.reader == Reader::Nobody || fresh == 0 {
            buffers.put(bytes);
        } else if known == 0 {
            self.unread.push_buffer(bytes);
        } else {
            self.unread.push(&bytes[known..], buffers);
            buffers.put(bytes);
        }
    }

    /// Keeps bytes until those before them come in.
    fn keep(&mut self, from: u64, bytes: Vec<u8>, buffers: &mut Buffers) {
        let there = self.ahead.get(&from).map_or(0, Vec::len);
        if there >= bytes.len() {
            buffers.put(bytes);
            return;
        }
        self.ahead_taken += Self::cost(&bytes);
        if let Some(shorter) = self.ahead.insert(from, bytes) {
            self.ahead_taken -= Self::cost(&shorter);
            buffers.put(shorter);
        }
    }

    fn least_growth(&self, most: usize) -> u64 {
        (most as u64).min(self.buffer / 2).max(1)
    }

    fn cost(bytes: &[u8]) -> usize {
        taken_by(bytes.len()) + size_of::<(u64, Vec<u8>)>()
    }
}
