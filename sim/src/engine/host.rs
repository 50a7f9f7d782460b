//! A simulated machine: the node that runs on it, its timers, its clock, its disk, and what waits for any of them.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use squall_nodes::{CallId, ConnId, DiskState, Ids, Node, Span, Time, Token};

use super::ailments::Over;
use super::clock::Clock;
use super::contents::Disk;
use super::event::{Datagram, Event};
use super::spares::{Barriers, Buffers, taken_by};
use super::streams::Asked;
use super::timers::Timers;

/// How many bytes the kernel keeps for a process that does not read them: Linux's default `rmem_default`.
pub(crate) const RECEIVE_BUFFER: usize = 212_992;
/// What a datagram costs of the receive buffer besides its payload. Linux charges what it allocates (`truesize`), which comes
/// to 768 bytes for the smallest: so a buffer is full after 277 of them, however short they are.
const DATAGRAM_OVERHEAD: usize = 768;

pub(crate) struct Host<N: Node> {
    /// The node while the host is up.
    pub(crate) node: Option<N>,
    pub(crate) ids: Ids,
    /// The present life, or the last, counted from 0.
    pub(crate) incarnation: u32,
    /// How many lives there were.
    pub(crate) boots: u32,
    pub(crate) timers: Timers<N>,
    pub(crate) ports: Ports,
    pub(crate) disk: Disk,
    /// How the world knows the disk to be doing.
    pub(crate) disk_state: DiskState,
    /// What waits for a write to reach the disk; `None` when none is under way, nor has failed without the node knowing.
    pub(crate) barrier: Option<Box<Barrier<N>>>,
    /// What came in and the node has not got; `None` while the host is neither paused nor slow.
    pub(crate) held: Option<Box<Held>>,
    /// Whether its kernel runs, with its node or without.
    pub(crate) power: Power,
    /// How long each input takes.
    pub(crate) slow_by: Span,
    /// The layers that lie over it, in the order in which they were laid.
    pub(crate) ailments: Vec<Over>,
    /// The places in the timeline of what laid those without which its clock would go at another rate, each once.
    pub(crate) drifted_by: Vec<u32>,
    /// `None` while it is true. It is the machine's, and goes on whatever becomes of the node.
    pub(crate) clock: Option<Box<Clock>>,
}

/// Open datagram ports: mostly one, which takes no look elsewhere.
#[derive(Default)]
pub(crate) struct Ports {
    first: Option<u16>,
    others: Vec<u16>,
}

/// The effects that wait behind a write, or that are dropped behind one.
pub(crate) struct Barrier<N: Node> {
    /// The write that is under way. `None` when it failed and the node has not been told: what it asks for meanwhile would have waited
    /// behind that write, and is dropped.
    pub(crate) writing: Option<Write>,
    /// Whether a layer makes that write take longer.
    pub(crate) pace: WritePace,
    /// What waits, in order.
    pub(crate) queue: VecDeque<Waiting<N>>,
    /// The persists that the write under way completes, and behind them those of the writes that wait, in order.
    pub(crate) tokens: VecDeque<Token>,
    /// How many bytes all of that takes.
    pub(crate) bytes: usize,
}

/// How long a write takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WritePace {
    /// As long as writes take.
    Own,
    /// Longer, since the disk was slow when it began; whether it still is or not.
    Slowed,
}

pub(crate) struct Write {
    /// How many persists it completes: so many of the barrier's tokens are its own.
    pub(crate) persists: usize,
    pub(crate) bytes: Vec<u8>,
}

/// An effect that others can see.
pub(crate) enum Waiting<N: Node> {
    Send {
        port: u16,
        to: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Claim(N::Fact),
    Answer {
        call: CallId,
        answer: N::Answer,
    },
    Persist(Write),
    Stream(Asked),
}

/// What a paused or slow host will find.
#[derive(Default)]
pub(crate) struct Held {
    /// Events in the order in which they came up, with their tickets.
    pub(crate) events: VecDeque<(u64, Event)>,
    /// How much of the receive buffer the datagrams among them take.
    buffered: usize,
    pub(crate) pace: Pace,
    /// The ticket of the entry at which it is done with the first of them, and since when it works on it; `None` while it does not.
    pub(crate) work: Option<(u64, Time)>,
    /// How long it worked on the first of them before that.
    pub(crate) worked: Span,
}

/// Whether a machine runs, whatever its node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    Off,
}

/// How a host goes on that does not go on as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Slowly.
    #[default]
    Slow,
    /// Not at all, slow or not.
    Paused,
}

impl<N: Node> Host<N> {
    pub(crate) fn new() -> Self {
        Host {
            node: None,
            ids: Ids::default(),
            incarnation: 0,
            boots: 0,
            timers: Timers::new(),
            ports: Ports::default(),
            disk: Disk::default(),
            disk_state: DiskState::Sound,
            barrier: None,
            held: None,
            power: Power::Off,
            slow_by: Span::ZERO,
            ailments: Vec::new(),
            drifted_by: Vec::new(),
            clock: None,
        }
    }

    /// Makes it a machine that was never switched on; what was allocated stays, here or among the spares.
    pub(crate) fn clear(&mut self, barriers: &mut Barriers<N>, buffers: &mut Buffers) {
        self.node = None;
        self.ids = Ids::default();
        self.incarnation = 0;
        self.boots = 0;
        self.timers.clear();
        self.ports.clear();
        for buffer in std::mem::take(&mut self.disk).into_buffers() {
            buffers.put(buffer);
        }
        self.disk_state = DiskState::Sound;
        if let Some(barrier) = self.barrier.take() {
            barriers.put(barrier, buffers);
        }
        self.held = None;
        self.power = Power::Off;
        self.slow_by = Span::ZERO;
        self.ailments.clear();
        self.drifted_by.clear();
        self.clock = None;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn has_power(&self) -> bool {
        self.power == Power::On
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.pace == Pace::Paused)
    }

    /// Whether the host still lives the life that something was meant for.
    #[inline]
    pub(crate) fn lives(&self, incarnation: u32) -> bool {
        self.node.is_some() && self.incarnation == incarnation
    }
}

impl Ports {
    #[inline]
    pub(crate) fn contains(&self, port: u16) -> bool {
        self.first == Some(port) || (!self.others.is_empty() && self.others.contains(&port))
    }

    pub(crate) fn open(&mut self, port: u16) {
        if self.contains(port) {
            return;
        }
        match self.first {
            None => self.first = Some(port),
            Some(_) => self.others.push(port),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.others.clear();
    }
}

impl<N: Node> Barrier<N> {
    /// What is there from when a write has failed until the node is told.
    pub(crate) fn failed() -> Self {
        Barrier {
            bytes: 0,
            writing: None,
            pace: WritePace::Own,
            queue: VecDeque::new(),
            tokens: VecDeque::new(),
        }
    }

    /// Empties it, as if its write had failed. The connections that were to be closed behind it, in order.
    pub(crate) fn empty_into(&mut self, buffers: &mut Buffers) -> Vec<ConnId> {
        let mut closed = Vec::new();
        for waiting in self.queue.drain(..) {
            match waiting {
                Waiting::Send { bytes, .. }
                | Waiting::Persist(Write { bytes, .. })
                | Waiting::Stream(Asked::Write { bytes, .. }) => buffers.put(bytes),
                Waiting::Stream(Asked::Close { conn }) => closed.push(conn),
                Waiting::Claim(_) | Waiting::Answer { .. } | Waiting::Stream(_) => {}
            }
        }
        if let Some(writing) = self.writing.take() {
            buffers.put(writing.bytes);
        }
        self.tokens.clear();
        self.pace = WritePace::Own;
        self.bytes = 0;
        closed
    }

    /// How many bytes of memory it takes when it is empty.
    pub(crate) fn room(&self) -> usize {
        size_of::<Self>()
            + self.queue.capacity() * size_of::<Waiting<N>>()
            + self.tokens.capacity() * size_of::<Token>()
    }

    /// Whether the write failed and the node has not been told.
    pub(crate) fn has_failed(&self) -> bool {
        self.writing.is_none()
    }

    /// Puts an effect behind what waits; drops it when the write has failed.
    pub(crate) fn wait(&mut self, waiting: Waiting<N>) {
        if self.has_failed() {
            return;
        }
        self.bytes += waiting.bytes_taken();
        self.queue.push_back(waiting);
    }

    /// Puts a persist behind what waits. One that directly follows another takes its place, and completes both.
    pub(crate) fn persist(&mut self, token: Token, bytes: &[u8], buffers: &mut Buffers) {
        let bytes = buffers.filled(bytes);
        self.tokens.push_back(token);
        if let Some(Waiting::Persist(last)) = self.queue.back_mut() {
            self.bytes -= last.bytes_taken();
            last.persists += 1;
            buffers.put(std::mem::replace(&mut last.bytes, bytes));
            self.bytes += last.bytes_taken();
        } else {
            self.wait(Waiting::Persist(Write { persists: 1, bytes }));
        }
    }
}

impl Write {
    /// How many bytes of memory it takes, about.
    pub(crate) fn bytes_taken(&self) -> usize {
        taken_by(self.bytes.len()) + self.persists * size_of::<Token>()
    }
}

impl<N: Node> Waiting<N> {
    /// How many bytes of memory it takes, about: what facts and answers point to is not known.
    pub(crate) fn bytes_taken(&self) -> usize {
        let beside = match self {
            Waiting::Send { bytes, .. } | Waiting::Stream(Asked::Write { bytes, .. }) => {
                taken_by(bytes.len())
            }
            Waiting::Persist(write) => write.bytes_taken(),
            Waiting::Claim(_) | Waiting::Answer { .. } | Waiting::Stream(_) => 0,
        };
        size_of::<Self>() + beside
    }
}

impl Held {
    /// How many bytes of memory each event takes.
    pub(crate) const EVENT: usize = size_of::<(u64, Event)>();

    /// Whether the receive buffer has room for a datagram.
    pub(crate) fn has_room(&self, datagram: &Datagram) -> bool {
        self.buffered + Self::cost(datagram) <= RECEIVE_BUFFER
    }

    /// How many events are kept.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Keeps an event.
    pub(crate) fn push(&mut self, ticket: u64, event: Event) {
        if let Event::Datagram(datagram) = &event {
            self.buffered += Self::cost(datagram);
        }
        self.events.push_back((ticket, event));
    }

    /// The event that was kept first, with its ticket.
    pub(crate) fn first(&self) -> Option<(u64, Event)> {
        self.events.front().copied()
    }

    /// Takes out the event that was kept first.
    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        let first = self.events.pop_front()?;
        if let Event::Datagram(datagram) = &first.1 {
            self.buffered -= Self::cost(datagram);
        }
        Some(first)
    }

    /// Whether the entry with this ticket is the one at which the host is done with the first event.
    pub(crate) fn is_entry(&self, ticket: u64) -> bool {
        self.work.is_some_and(|(entry, _)| entry == ticket)
    }

    fn cost(datagram: &Datagram) -> usize {
        usize::from(datagram.len) + DATAGRAM_OVERHEAD
    }
}
