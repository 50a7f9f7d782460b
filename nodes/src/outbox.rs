//! What a node wants done: the outbox that it fills and the effects that a transport takes out of it.
//!
//! The outbox owns one arena of bytes that is reused from input to input, so that a message costs no allocation and one
//! encoding may go to many. Facts and answers lie in lists of their own, so that a large fact fattens no send.

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::slice;

use crate::node::{CallId, ConnId, Fact, Node, Timer, Token};
use crate::recording::{Content, Outline};
use crate::time::Time;

/// Bytes that were put in an [`Outbox`] once and may be sent many times, until the input is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    start: u32,
    len: u32,
    generation: u32,
}

/// Where the numbers of a host's connections and persists come from: one counter for each incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    next: u64,
}

impl Ids {
    /// A number that this counter never gave before.
    pub fn draw(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// The effects of one input, in the order in which the node asked for them.
pub struct Outbox<N: Node> {
    arena: Vec<u8>,
    generation: u32,
    ids: Ids,
    records: Vec<Record<N::Timer>>,
    facts: VecDeque<N::Fact>,
    answers: VecDeque<N::Answer>,
}

#[derive(Clone, Copy)]
enum Record<T> {
    Bind {
        port: u16,
    },
    Listen {
        port: u16,
    },
    Send {
        port: u16,
        to: SocketAddrV4,
        payload: Payload,
    },
    Multicast {
        port: u16,
        group: SocketAddrV4,
        payload: Payload,
    },
    Join {
        group: SocketAddrV4,
    },
    Leave {
        group: SocketAddrV4,
    },
    Dial {
        conn: ConnId,
        to: SocketAddrV4,
    },
    Write {
        conn: ConnId,
        payload: Payload,
    },
    PauseReading {
        conn: ConnId,
    },
    ResumeReading {
        conn: ConnId,
    },
    Close {
        conn: ConnId,
    },
    Arm {
        timer: T,
        at: Time,
    },
    Disarm {
        timer: T,
    },
    Persist {
        token: Token,
        payload: Payload,
    },
    Claim,
    Answer {
        call: CallId,
    },
}

impl<N: Node> Default for Outbox<N> {
    fn default() -> Self {
        Outbox {
            arena: Vec::new(),
            generation: 0,
            ids: Ids::default(),
            records: Vec::new(),
            facts: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }
}

impl<N: Node> Outbox<N> {
    /// An empty outbox. Keep it: its buffers are reused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies `bytes` in, to be sent any number of times while this input is handled.
    ///
    /// # Panics
    ///
    /// When the payloads of one input come to more than 4 GiB.
    pub fn payload(&mut self, bytes: &[u8]) -> Payload {
        self.encode(|into| into.extend_from_slice(bytes))
    }

    /// Lets `write` append to the arena, and names what it appended. It must not take away what was there.
    ///
    /// # Panics
    ///
    /// When the payloads of one input come to more than 4 GiB.
    pub fn encode(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Payload {
        let start = self.arena.len();
        write(&mut self.arena);
        let range = u32::try_from(start)
            .ok()
            .zip(u32::try_from(self.arena.len() - start).ok());
        let (start, len) = range.expect("the payloads of one input come to more than 4 GiB");
        Payload {
            start,
            len,
            generation: self.generation,
        }
    }

    /// Opens a datagram port. Datagrams to a port that is not open are dropped.
    pub fn bind(&mut self, port: u16) {
        self.records.push(Record::Bind { port });
    }

    /// Sends a datagram from `port`, which must have been bound, to `to`.
    ///
    /// # Panics
    ///
    /// When `payload` is from an earlier input.
    #[inline]
    pub fn send(&mut self, port: u16, to: SocketAddrV4, payload: Payload) {
        self.own(payload);
        self.records.push(Record::Send { port, to, payload });
    }

    /// Sends a datagram from `port` to every member of `group` but this node.
    ///
    /// # Panics
    ///
    /// When `payload` is from an earlier input.
    pub fn multicast(&mut self, port: u16, group: SocketAddrV4, payload: Payload) {
        self.own(payload);
        self.records.push(Record::Multicast { port, group, payload });
    }

    /// Becomes a member of a multicast group.
    pub fn join(&mut self, group: SocketAddrV4) {
        self.records.push(Record::Join { group });
    }

    /// Leaves a multicast group.
    pub fn leave(&mut self, group: SocketAddrV4) {
        self.records.push(Record::Leave { group });
    }

    /// Accepts stream connections on a port, each of which comes as [`Accepted`](crate::StreamEvent::Accepted), for as long as the node
    /// lives.
    pub fn listen(&mut self, port: u16) {
        self.records.push(Record::Listen { port });
    }

    /// Opens a stream connection. What becomes of it comes as [`Input::Stream`](crate::Input::Stream): that it is
    /// [open](crate::StreamEvent::Opened), after a round trip at least, or [closed](crate::StreamEvent::Closed). It may be written to and
    /// closed before that.
    pub fn dial(&mut self, to: SocketAddrV4) -> ConnId {
        let conn = ConnId(self.ids.draw());
        self.records.push(Record::Dial { conn, to });
        conn
    }

    /// Writes to a stream connection, all of it: a write is never cut short. A node that is told
    /// [`Blocked`](crate::StreamEvent::Blocked) does well to write no more until it is told
    /// [`Writable`](crate::StreamEvent::Writable). What is written to a connection that is over is dropped, and that a write was
    /// accepted says nothing about whether it arrives.
    ///
    /// # Panics
    ///
    /// When `payload` is from an earlier input.
    pub fn write(&mut self, conn: ConnId, payload: Payload) {
        self.own(payload);
        self.records.push(Record::Write { conn, payload });
    }

    /// Reads no more from a stream connection for now: its peer will feel it. Neither bytes come while reading is paused nor their
    /// [orderly](crate::Closed::Orderly) end; what else ends a connection does, and what was not read by then is gone.
    pub fn pause_reading(&mut self, conn: ConnId) {
        self.records.push(Record::PauseReading { conn });
    }

    /// Reads from a stream connection again.
    pub fn resume_reading(&mut self, conn: ConnId) {
        self.records.push(Record::ResumeReading { conn });
    }

    /// Closes a stream connection in order: what was written before is still delivered, and then the peer hears of its
    /// [end](crate::Closed::Orderly). This node hears nothing of it any more, not even whether that came to pass; what the peer had
    /// written is dropped, and what the node asks of the connection afterwards is nothing. Behind a [write](Self::persist) that fails the
    /// connection is reset.
    pub fn close(&mut self, conn: ConnId) {
        self.records.push(Record::Close { conn });
    }

    /// Arms `timer` to go off at `at` on this node's clock, in place of when it was armed for, if it was.
    ///
    /// An instant that is past goes off at once, as an input of its own.
    #[inline]
    pub fn arm(&mut self, timer: N::Timer, at: Time) {
        self.records.push(Record::Arm { timer, at });
    }

    /// Takes back an armed timer; does nothing when it is not armed.
    pub fn disarm(&mut self, timer: N::Timer) {
        self.records.push(Record::Disarm { timer });
    }

    /// Replaces what is on the node's disk by `bytes`, whole or not at all.
    ///
    /// It is a barrier: what this and later inputs send, write, dial, close, answer and claim after it waits until it is
    /// on the disk, which comes as [`Input::Persisted`](crate::Input::Persisted). Timers do not wait, nor does how it reads. When the write fails, all of it
    /// is dropped that was asked for until the node is told, which comes as
    /// [`Input::PersistFailed`](crate::Input::PersistFailed): nothing ever goes out that rests on what is not on the disk without the
    /// node knowing. A stream connection that was to be closed behind it is reset: what was to be written before its end is gone, and so
    /// no peer takes what it has got for all of it.
    pub fn persist(&mut self, bytes: &[u8]) -> Token {
        let token = Token(self.ids.draw());
        let payload = self.payload(bytes);
        self.records.push(Record::Persist { token, payload });
        token
    }

    /// Claims a fact, for invariants, measures, triggers and people.
    pub fn claim(&mut self, fact: N::Fact) {
        self.records.push(Record::Claim);
        self.facts.push_back(fact);
    }

    /// Answers a call. A call may be answered more than once.
    pub fn answer(&mut self, call: CallId, answer: N::Answer) {
        self.records.push(Record::Answer { call });
        self.answers.push_back(answer);
    }

    /// Makes room for the effects of the next input; numbers go on from `ids`.
    #[inline]
    pub(crate) fn begin(&mut self, ids: Ids) {
        self.arena.clear();
        self.records.clear();
        // What is left of an input that took its host down. Most claim and answer nothing.
        if !self.facts.is_empty() {
            self.facts.clear();
        }
        if !self.answers.is_empty() {
            self.answers.clear();
        }
        self.generation = self.generation.wrapping_add(1);
        self.ids = ids;
    }

    /// Where the next input's numbers go on from.
    pub(crate) fn ids(&self) -> Ids {
        self.ids
    }

    /// What was asked for since [`begin`](Self::begin).
    #[inline]
    pub(crate) fn effects(&mut self) -> Effects<'_, N> {
        Effects {
            arena: &self.arena,
            records: self.records.iter(),
            facts: &mut self.facts,
            answers: &mut self.answers,
        }
    }

    #[inline]
    fn own(&self, payload: Payload) {
        assert!(
            payload.generation == self.generation,
            "a payload was kept from an earlier input; encode it again"
        );
    }
}

/// One thing that a node wants done.
pub enum Effect<'a, N: Node> {
    /// Open a datagram port.
    Bind {
        /// The port.
        port: u16,
    },
    /// Accept stream connections on a port.
    Listen {
        /// The port.
        port: u16,
    },
    /// Send a datagram.
    Send {
        /// The port that it goes out from.
        port: u16,
        /// Where it goes.
        to: SocketAddrV4,
        /// All of it.
        bytes: &'a [u8],
    },
    /// Send a datagram to every other member of a group.
    Multicast {
        /// The port that it goes out from.
        port: u16,
        /// The group.
        group: SocketAddrV4,
        /// All of it.
        bytes: &'a [u8],
    },
    /// Become a member of a multicast group.
    Join {
        /// The group.
        group: SocketAddrV4,
    },
    /// Leave a multicast group.
    Leave {
        /// The group.
        group: SocketAddrV4,
    },
    /// Open a stream connection.
    Dial {
        /// What it will be called.
        conn: ConnId,
        /// Where to.
        to: SocketAddrV4,
    },
    /// Write to a stream connection.
    Write {
        /// The connection.
        conn: ConnId,
        /// What to write.
        bytes: &'a [u8],
    },
    /// Read no more from a stream connection for now.
    PauseReading {
        /// The connection.
        conn: ConnId,
    },
    /// Read from a stream connection again.
    ResumeReading {
        /// The connection.
        conn: ConnId,
    },
    /// Close a stream connection in order.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Arm a timer, or move it.
    Arm {
        /// The timer.
        timer: N::Timer,
        /// When, on the node's clock.
        at: Time,
    },
    /// Take back a timer.
    Disarm {
        /// The timer.
        timer: N::Timer,
    },
    /// Replace what is on the disk.
    Persist {
        /// What the completion will be called.
        token: Token,
        /// The new contents.
        bytes: &'a [u8],
    },
    /// Claim a fact.
    Claim(N::Fact),
    /// Answer a call.
    Answer {
        /// The call.
        call: CallId,
        /// What it gets.
        answer: N::Answer,
    },
}

/// The effects of one input, in order; bytes are lent, facts and answers are given away.
pub struct Effects<'a, N: Node> {
    arena: &'a [u8],
    records: slice::Iter<'a, Record<N::Timer>>,
    facts: &'a mut VecDeque<N::Fact>,
    answers: &'a mut VecDeque<N::Answer>,
}

impl<N: Node> Effects<'_, N> {
    /// How many there are still.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none any more.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at those that there are still, in order, and takes none.
    pub fn look(&self) -> impl Iterator<Item = (Outline, Content<'_, N>)> {
        let (mut facts, mut answers) = (self.facts.iter(), self.answers.iter());
        let bytes =
            |payload: Payload| Content::Bytes(&self.arena[payload.start as usize..][..payload.len as usize]);
        self.records.clone().map(move |record| match *record {
            Record::Bind { port } => (Outline::Bind { port }, Content::Nothing),
            Record::Listen { port } => (Outline::Listen { port }, Content::Nothing),
            Record::Send { port, to, payload } => {
                let len = payload.len;
                (Outline::Send { port, to, len }, bytes(payload))
            }
            Record::Multicast { port, group, payload } => {
                let len = payload.len;
                (Outline::Multicast { port, group, len }, bytes(payload))
            }
            Record::Join { group } => (Outline::Join { group }, Content::Nothing),
            Record::Leave { group } => (Outline::Leave { group }, Content::Nothing),
            Record::Dial { conn, to } => (Outline::Dial { conn, to }, Content::Nothing),
            Record::Write { conn, payload } => {
                let len = payload.len;
                (Outline::Write { conn, len }, bytes(payload))
            }
            Record::PauseReading { conn } => (Outline::PauseReading { conn }, Content::Nothing),
            Record::ResumeReading { conn } => (Outline::ResumeReading { conn }, Content::Nothing),
            Record::Close { conn } => (Outline::Close { conn }, Content::Nothing),
            Record::Arm { timer, at } => {
                let code = timer.code();
                (Outline::Arm { timer: code, at }, Content::Timer(timer))
            }
            Record::Disarm { timer } => {
                let code = timer.code();
                (Outline::Disarm { timer: code }, Content::Timer(timer))
            }
            Record::Persist { token, payload } => {
                let len = payload.len;
                (Outline::Persist { token, len }, bytes(payload))
            }
            Record::Claim => {
                let fact = facts.next().expect("a fact was put in with each claim");
                let index = fact.index() as u32;
                (Outline::Claim { fact: index }, Content::Fact(fact))
            }
            Record::Answer { call } => {
                let answer = answers.next().expect("an answer was put in with each record");
                (Outline::Answer { call }, Content::Answer(answer))
            }
        })
    }
}

impl<'a, N: Node> Iterator for Effects<'a, N> {
    type Item = Effect<'a, N>;

    #[inline]
    fn next(&mut self) -> Option<Effect<'a, N>> {
        let arena = self.arena;
        let bytes = |payload: Payload| &arena[payload.start as usize..][..payload.len as usize];
        Some(match *self.records.next()? {
            Record::Send { port, to, payload } => Effect::Send {
                port,
                to,
                bytes: bytes(payload),
            },
            Record::Arm { timer, at } => Effect::Arm { timer, at },
            Record::Disarm { timer } => Effect::Disarm { timer },
            Record::Claim => {
                let fact = self.facts.pop_front();
                Effect::Claim(fact.expect("a fact was put in with each claim"))
            }
            Record::Answer { call } => {
                let answer = self
                    .answers
                    .pop_front()
                    .expect("an answer was put in with each record");
                Effect::Answer { call, answer }
            }
            Record::Persist { token, payload } => Effect::Persist {
                token,
                bytes: bytes(payload),
            },
            Record::Bind { port } => Effect::Bind { port },
            Record::Listen { port } => Effect::Listen { port },
            Record::Multicast { port, group, payload } => Effect::Multicast {
                port,
                group,
                bytes: bytes(payload),
            },
            Record::Join { group } => Effect::Join { group },
            Record::Leave { group } => Effect::Leave { group },
            Record::Dial { conn, to } => Effect::Dial { conn, to },
            Record::Write { conn, payload } => Effect::Write {
                conn,
                bytes: bytes(payload),
            },
            Record::PauseReading { conn } => Effect::PauseReading { conn },
            Record::ResumeReading { conn } => Effect::ResumeReading { conn },
            Record::Close { conn } => Effect::Close { conn },
        })
    }
}
