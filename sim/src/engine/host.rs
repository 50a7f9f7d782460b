//! A simulated machine: the node that runs on it, its timers, its disk, and what waits for either.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use squall_nodes::{CallId, DiskAtBoot, Ids, Node, Token};

use super::event::Event;
use super::timers::Timers;

/// How many bytes of datagrams the kernel keeps for a paused process: Linux's default `rmem_default`.
pub(crate) const RECEIVE_BUFFER: usize = 212_992;

pub(crate) struct Host<N: Node> {
    /// The node while the host is up.
    pub(crate) node: Option<N>,
    pub(crate) ids: Ids,
    /// The present life, or the last, counted from 0.
    pub(crate) incarnation: u32,
    /// How many lives there were.
    pub(crate) boots: u32,
    pub(crate) timers: Timers<N>,
    /// Open datagram ports: a handful.
    pub(crate) ports: Vec<u16>,
    pub(crate) disk: Disk,
    /// What waits for a write to reach the disk; `None` when no write is under way.
    pub(crate) barrier: Option<Box<Barrier<N>>>,
    /// What came in while the host is paused; `None` when it is not.
    pub(crate) paused: Option<Box<Held>>,
}

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) contents: Option<Vec<u8>>,
    pub(crate) wiped: bool,
    /// How many writes were begun in the present life.
    pub(crate) writes: u64,
}

/// The effects that wait behind a write.
pub(crate) struct Barrier<N: Node> {
    /// The write that is under way.
    pub(crate) writing: Write,
    /// What waits, in order.
    pub(crate) queue: VecDeque<Waiting<N>>,
}

pub(crate) struct Write {
    /// All the persists that it completes.
    pub(crate) tokens: Vec<Token>,
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
}

/// What a paused host will find.
#[derive(Default)]
pub(crate) struct Held {
    /// Events in the order in which they came up, with their tickets.
    pub(crate) events: Vec<(u64, Event)>,
    /// How many bytes of datagrams are among them.
    pub(crate) bytes: usize,
}

impl<N: Node> Host<N> {
    pub(crate) fn new() -> Self {
        Host {
            node: None,
            ids: Ids::default(),
            incarnation: 0,
            boots: 0,
            timers: Timers::new(),
            ports: Vec::new(),
            disk: Disk::default(),
            barrier: None,
            paused: None,
        }
    }

    /// Makes it a machine that was never switched on; what was allocated stays.
    pub(crate) fn clear(&mut self) {
        self.node = None;
        self.ids = Ids::default();
        self.incarnation = 0;
        self.boots = 0;
        self.timers.clear();
        self.ports.clear();
        self.disk = Disk::default();
        self.barrier = None;
        self.paused = None;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Whether the host still lives the life that something was meant for.
    #[inline]
    pub(crate) fn lives(&self, incarnation: u32) -> bool {
        self.node.is_some() && self.incarnation == incarnation
    }
}

impl Disk {
    pub(crate) fn at_boot(&self) -> DiskAtBoot {
        match (&self.contents, self.wiped) {
            (Some(_), _) => DiskAtBoot::Kept,
            (None, true) => DiskAtBoot::Wiped,
            (None, false) => DiskAtBoot::Fresh,
        }
    }
}

impl<N: Node> Barrier<N> {
    pub(crate) fn new(writing: Write) -> Self {
        Barrier {
            writing,
            queue: VecDeque::new(),
        }
    }

    /// Puts a persist behind what waits. One that directly follows another takes its place, and completes both.
    pub(crate) fn persist(&mut self, token: Token, bytes: &[u8]) {
        if let Some(Waiting::Persist(last)) = self.queue.back_mut() {
            last.tokens.push(token);
            last.bytes.clear();
            last.bytes.extend_from_slice(bytes);
        } else {
            self.queue.push_back(Waiting::Persist(Write {
                tokens: vec![token],
                bytes: bytes.to_vec(),
            }));
        }
    }
}
