//! One direction of a connection, as its sender knows it: what was written and is not acknowledged, what of it may go out, and what
//! goes out again.
//!
//! There is no congestion window: what paces a sender is the receiver's window, its own send buffer, and the queue of the link, where
//! too much is dropped and sent again. What runs here are clusters, whose messages are short; how several bulk transfers share a link
//! is not what is asked of it. After a timeout, though, it does begin slowly, as Linux does: what was under way is sent again from
//! the first byte that is missing, one packet, and two for each that is acknowledged; nothing new goes out meanwhile. A packet that is
//! lost is sent again by that timeout alone: neither three equal acknowledgements nor a probe of the tail (RFC 5681, RFC 8985) make it
//! any sooner.

use squall_nodes::{Span, Time};

use super::packet::{Desk, Kind, Packet, Sending, Tail};
use super::rope::Rope;
use super::rto::{Rto, doubled};
use crate::engine::spares::Buffers;

pub(super) struct Sender {
    /// What was written and is not acknowledged. What lies beyond the send buffer waits, and is not sent.
    rope: Rope,
    /// The number of the first byte in there, or that will be.
    first: u64,
    /// All before this was acknowledged.
    acked: u64,
    /// All before this was sent.
    next: u64,
    /// The receiver has no room for this and what comes after it.
    edge: u64,
    /// Whether an end comes after what is there.
    tail: Tail,
    /// All before this was under way at the last timeout, and is sent again, of which `again` is the next.
    recover: u64,
    again: u64,
    rto: Rto,
    /// How often in a row it was asked in vain whether there is room.
    probes: u32,
    /// When it sends again, or asks.
    due: Option<Time>,
    /// Since when nothing was acknowledged of what is to be.
    waits_since: Option<Time>,
}

impl Sender {
    pub(super) fn new(min_rto: Span) -> Self {
        Sender {
            rope: Rope::default(),
            first: 1,
            acked: 0,
            next: 0,
            edge: 0,
            tail: Tail::Open,
            recover: 0,
            again: 0,
            rto: Rto::new(min_rto),
            probes: 0,
            due: None,
            waits_since: None,
        }
    }

    /// Makes it forget everything.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        self.rope.clear(buffers);
        *self = Sender {
            rope: std::mem::take(&mut self.rope),
            ..Sender::new(Span::ZERO)
        };
    }

    /// How many bytes of memory it takes besides itself, about.
    pub(super) fn taken(&self) -> usize {
        self.rope.taken()
    }

    /// When it wants to be woken.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Since when nothing was acknowledged of what is to be; `None` when there is nothing.
    pub(super) fn waits_since(&self) -> Option<Time> {
        self.waits_since
    }

    /// All before this was acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// The number of what comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether the opening was acknowledged.
    pub(super) fn is_open(&self) -> bool {
        self.acked > 0
    }

    /// Whether everything was acknowledged, the end included.
    pub(super) fn is_done(&self) -> bool {
        self.tail == Tail::End && self.acked > self.last()
    }

    /// Whether anything is under way that was not acknowledged.
    pub(super) fn is_under_way(&self) -> bool {
        self.acked < self.next
    }

    /// Whether bytes are there that the receiver has no room for.
    pub(super) fn is_shut_out(&self) -> bool {
        self.is_open() && !self.is_under_way() && self.waits_since.is_some()
    }

    /// How many bytes wait that the send buffer has no room for.
    pub(super) fn waiting(&self, send_buffer: u64) -> u64 {
        (self.rope.len() as u64).saturating_sub(send_buffer)
    }

    /// Sends the opening.
    pub(super) fn open(&mut self, kind: Kind, desk: &mut Desk<'_>) {
        self.next = 1;
        self.waits_since = Some(desk.now);
        self.due = Some(desk.now + self.rto.now());
        desk.out.push(Packet {
            kind,
            ..Packet::default()
        });
    }

    /// Takes in what was written.
    pub(super) fn write(&mut self, bytes: &[u8], buffers: &mut Buffers) {
        self.rope.push(bytes, buffers);
    }

    /// Nothing more is written.
    pub(super) fn end(&mut self) {
        self.tail = Tail::End;
    }

    /// Sends what may go out.
    pub(super) fn pump(&mut self, desk: &mut Desk<'_>) {
        if !self.is_open() || self.acked < self.recover {
            return;
        }
        while let Some(piece) = self.piece(self.next, self.limit(desk.law.send_buffer), desk, Sending::First)
        {
            self.next += piece.len();
            desk.out.push(piece);
        }
        if self.is_under_way() || self.next < self.end_of_all() {
            self.waits_since.get_or_insert(desk.now);
            self.due
                .get_or_insert(desk.now + doubled(self.rto.now(), self.probes));
        }
    }

    /// All before `acked` came in, and there is room up to `edge`; it answers what was sent at `answers`. Whether anything was
    /// acknowledged that was not before.
    pub(super) fn acknowledged(&mut self, acked: u64, edge: u64, answers: Time, desk: &mut Desk<'_>) -> bool {
        if acked > self.next {
            return false;
        }
        if edge > self.edge {
            self.edge = edge;
            if self.is_shut_out() {
                // There is room again, or more of it: nothing is to be asked now, and nothing has waited for it.
                (self.probes, self.due, self.waits_since) = (0, None, None);
            }
        }
        let came = acked > self.acked;
        if came {
            self.rto.answered(answers, desk.now);
            self.acked = acked;
            let gone = acked.min(self.last()).saturating_sub(self.first);
            self.rope.drop_front(gone as usize, desk.buffers);
            self.first += gone;
            let under_way = self.is_under_way();
            self.waits_since = under_way.then_some(desk.now);
            self.due = under_way.then(|| desk.now + self.rto.now());
            self.again = self.again.max(acked);
            for _ in 0..2 {
                self.send_again(desk);
            }
        }
        self.pump(desk);
        came
    }

    /// It is due: nothing was heard in time.
    pub(super) fn wake(&mut self, opening: Kind, desk: &mut Desk<'_>) {
        self.due = None;
        if !self.is_open() {
            self.rto.back_off();
            desk.out.push(Packet {
                kind: opening,
                sending: Sending::Again,
                ..Packet::default()
            });
            self.due = Some(desk.now + self.rto.now());
        } else if self.is_under_way() {
            self.rto.back_off();
            (self.recover, self.again) = (self.next, self.acked);
            self.send_again(desk);
            self.due = Some(desk.now + self.rto.now());
        } else if self.next < self.end_of_all() {
            // What it has got already makes a receiver say how much room it has.
            desk.out.push(Packet {
                from: self.next - 1,
                sending: Sending::Probe,
                ..Packet::default()
            });
            self.probes += 1;
            self.due = Some(desk.now + doubled(self.rto.now(), self.probes));
        }
    }

    /// Sends the next packet again of those that were under way at the last timeout.
    fn send_again(&mut self, desk: &mut Desk<'_>) {
        if self.again >= self.recover {
            return;
        }
        let limit = self.recover.min(self.last());
        if let Some(piece) = self.piece(self.again, limit, desk, Sending::Again) {
            self.again += piece.len();
            // It may have got an end since.
            self.next = self.next.max(self.again);
            desk.out.push(piece);
        }
    }

    /// What goes out from `from` on, up to `limit`, and no longer than a packet; `None` when that is nothing.
    fn piece(&self, from: u64, limit: u64, desk: &mut Desk<'_>, sending: Sending) -> Option<Packet> {
        let len = limit.saturating_sub(from).min(desk.most as u64) as usize;
        let ends = self.tail == Tail::End && from + len as u64 == self.last();
        if len == 0 && !ends {
            return None;
        }
        let mut bytes = desk.buffers.empty(len);
        self.rope.copy((from - self.first) as usize, len, &mut bytes);
        Some(Packet {
            from,
            bytes,
            tail: if ends { Tail::End } else { Tail::Open },
            sending,
            ..Packet::default()
        })
    }

    /// What may go out, up to this.
    fn limit(&self, send_buffer: u64) -> u64 {
        self.last().min(self.edge).min(self.first + send_buffer)
    }

    /// The number after that of the last byte: the end's.
    fn last(&self) -> u64 {
        self.first + self.rope.len() as u64
    }

    /// The number after that of everything there is to send.
    fn end_of_all(&self) -> u64 {
        self.last() + u64::from(self.tail == Tail::End)
    }
}
