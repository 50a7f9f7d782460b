//! The connections of a node: one for each message, each with a deadline, and no more of them than the settings allow.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::config::Config;
use super::wire::{LONGEST_ANSWER, Message, Reader, Unreadable, WireError};
use super::{LeaderFact, LeaderNode, Timer};
use crate::node::{Closed, ConnId, StreamEvent};
use crate::outbox::Outbox;
use crate::time::{Span, Time};

/// The connections of one node.
#[derive(Clone)]
pub(super) struct Post {
    deadline: Span,
    longest: usize,
    most: usize,
    most_of_a_peer: u32,
    /// Those that others opened, until their message was answered.
    inbound: BTreeMap<ConnId, Inbound>,
    /// How many of these come from each address.
    of_a_peer: BTreeMap<Ipv4Addr, u32>,
    /// Those that this node opened, until its message was answered.
    outbound: BTreeMap<ConnId, Outbound>,
    /// The same by what they are for, the oldest first, and how many there may be for one thing.
    under_way: BTreeMap<(usize, Kind), VecDeque<ConnId>>,
    most_at_once: usize,
    slots: Slots,
    unreadable: Unreadable,
}

#[derive(Clone)]
struct Inbound {
    from: Ipv4Addr,
    reader: Reader,
    slot: u32,
}

#[derive(Clone)]
struct Outbound {
    errand: Errand,
    bytes: Arc<[u8]>,
    reader: Reader,
    slot: u32,
}

/// What a connection of this node's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// The place in the list of whom it goes to.
    pub(super) to: usize,
    /// Which list that is.
    pub(super) list: u64,
    pub(super) what: What,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Nodes,
    Heartbeat,
    Choose,
    /// What was said, up to this number, in this session.
    Chat {
        last: u64,
        session: u64,
    },
    Calc {
        request: u64,
    },
}

/// What is counted as the same thing, if it goes to the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Nodes,
    Heartbeat,
    Choose,
    Chat,
    Calc(u64),
}

/// What has happened on a connection that concerns more than connections.
pub(super) enum Letter {
    /// A message came, and is to be [answered](Post::answer).
    Came(ConnId, Message),
    /// A message of this node was answered.
    Answered(Errand, Message),
    /// It was not, and will not be: the connection was refused, lost, closed early, too slow, or brought no answer.
    Lost(Errand),
}

impl Post {
    pub(super) fn new(config: &Config) -> Self {
        Post {
            deadline: config.deadline,
            longest: config.longest_message as usize,
            most: config.most_connections as usize,
            most_of_a_peer: config.most_of_a_peer,
            inbound: BTreeMap::new(),
            of_a_peer: BTreeMap::new(),
            outbound: BTreeMap::new(),
            under_way: BTreeMap::new(),
            most_at_once: config.most_at_once() as usize,
            slots: Slots::default(),
            unreadable: Unreadable::default(),
        }
    }

    /// Encodes a message that may go to many.
    pub(super) fn encode(message: &Message) -> Arc<[u8]> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        bytes.into()
    }

    /// Sends a message on a connection of its own. Where as many are under way for the same thing as the settings open until a deadline, the
    /// oldest is given up for it, and returned.
    pub(super) fn send(
        &mut self,
        now: Time,
        to: SocketAddrV4,
        errand: Errand,
        bytes: Arc<[u8]>,
        out: &mut Outbox<LeaderNode>,
    ) -> Option<Letter> {
        let lane = (errand.to, errand.what.kind());
        let under_way = self.under_way.get(&lane);
        let oldest = under_way.filter(|conns| conns.len() >= self.most_at_once);
        let oldest = oldest.and_then(|conns| conns.front().copied());
        let given_up = oldest.and_then(|oldest| self.finish(oldest, out));
        let conn = out.dial(to);
        self.under_way.entry(lane).or_default().push_back(conn);
        let slot = self.slots.take(conn);
        out.arm(Timer::Deadline(slot), now + self.deadline);
        let reader = Reader::new(LONGEST_ANSWER);
        self.outbound.insert(
            conn,
            Outbound {
                errand,
                bytes,
                reader,
                slot,
            },
        );
        given_up.map(Letter::Lost)
    }

    /// Takes what happened on a connection.
    pub(super) fn take(
        &mut self,
        now: Time,
        conn: ConnId,
        event: StreamEvent<'_>,
        out: &mut Outbox<LeaderNode>,
    ) -> Option<Letter> {
        match event {
            StreamEvent::Accepted { from, .. } => {
                self.admit(now, conn, *from.ip(), out);
                None
            }
            StreamEvent::Opened => {
                match self.outbound.get(&conn) {
                    Some(own) => {
                        let payload = out.payload(&own.bytes);
                        out.write(conn, payload);
                    }
                    None => out.close(conn),
                }
                None
            }
            StreamEvent::Bytes(bytes) if self.outbound.contains_key(&conn) => {
                self.read_answer(conn, bytes, out)
            }
            StreamEvent::Bytes(bytes) => self.read_message(conn, bytes, out),
            StreamEvent::Closed(how) => self.closed(conn, how, out),
            // A message is short and the last that is written; what of it waits, the transport keeps.
            StreamEvent::Blocked | StreamEvent::Writable => None,
        }
    }

    /// Answers a message and closes its connection.
    pub(super) fn answer(&mut self, conn: ConnId, answer: &Message, out: &mut Outbox<LeaderNode>) {
        let payload = out.encode(|into| answer.encode(into));
        out.write(conn, payload);
        self.drop_inbound(conn, out);
        out.close(conn);
    }

    /// The deadline of a connection has come.
    pub(super) fn on_deadline(&mut self, slot: u32, out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        let conn = self.slots.conn(slot)?;
        if self.inbound.contains_key(&conn) {
            self.reject(conn, WireError::TooSlow, out);
            return None;
        }
        self.finish(conn, out).map(Letter::Lost)
    }

    /// Closes every connection, whatever it is for.
    pub(super) fn close_all(&mut self, out: &mut Outbox<LeaderNode>) {
        let inbound: Vec<ConnId> = self.inbound.keys().copied().collect();
        for conn in inbound {
            self.drop_inbound(conn, out);
            out.close(conn);
        }
        let outbound: Vec<ConnId> = self.outbound.keys().copied().collect();
        for conn in outbound {
            self.finish(conn, out);
        }
    }

    /// Counts something that was no message, and claims it now and then.
    fn count(&mut self, kind: WireError, out: &mut Outbox<LeaderNode>) {
        if let Some(count) = self.unreadable.count(kind) {
            out.claim(LeaderFact::Unreadable { kind, count });
        }
    }

    fn admit(&mut self, now: Time, conn: ConnId, from: Ipv4Addr, out: &mut Outbox<LeaderNode>) {
        let of_this = self.of_a_peer.get(&from).copied().unwrap_or(0);
        if self.inbound.len() >= self.most || of_this >= self.most_of_a_peer {
            out.close(conn);
            return self.count(WireError::Crowded, out);
        }
        self.of_a_peer.insert(from, of_this + 1);
        let slot = self.slots.take(conn);
        out.arm(Timer::Deadline(slot), now + self.deadline);
        let reader = Reader::new(self.longest);
        self.inbound.insert(conn, Inbound { from, reader, slot });
    }

    fn read_message(&mut self, conn: ConnId, bytes: &[u8], out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        let Some(inbound) = self.inbound.get_mut(&conn) else {
            // Of a connection that was closed before a write failed and took the closing with it.
            out.close(conn);
            return None;
        };
        match inbound.reader.push(bytes) {
            Ok(None) => None,
            Ok(Some(message)) if message.is_answer() => {
                self.reject(conn, WireError::OutOfPlace, out);
                None
            }
            Ok(Some(message)) => Some(Letter::Came(conn, message)),
            Err(kind) => {
                self.reject(conn, kind, out);
                None
            }
        }
    }

    fn read_answer(&mut self, conn: ConnId, bytes: &[u8], out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        let answer = match self.outbound.get_mut(&conn)?.reader.push(bytes) {
            Ok(None) => return None,
            Ok(Some(answer)) if answer.is_answer() => Ok(answer),
            Ok(Some(_)) => Err(WireError::OutOfPlace),
            Err(kind) => Err(kind),
        };
        let errand = self.finish(conn, out)?;
        match answer {
            Ok(answer) => Some(Letter::Answered(errand, answer)),
            Err(kind) => {
                self.count(kind, out);
                Some(Letter::Lost(errand))
            }
        }
    }

    fn closed(&mut self, conn: ConnId, how: Closed, out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        if let Some(inbound) = self.drop_inbound(conn, out) {
            // One that was reset or given up has broken no rule.
            if how == Closed::Orderly && inbound.reader.has_begun() {
                self.count(WireError::CutShort, out);
            }
            return None;
        }
        self.drop_outbound(conn, out).map(Letter::Lost)
    }

    /// Closes a connection on which no message came.
    fn reject(&mut self, conn: ConnId, kind: WireError, out: &mut Outbox<LeaderNode>) {
        self.drop_inbound(conn, out);
        out.close(conn);
        self.count(kind, out);
    }

    fn drop_inbound(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Inbound> {
        let inbound = self.inbound.remove(&conn)?;
        if let Some(count) = self.of_a_peer.get_mut(&inbound.from) {
            *count -= 1;
            if *count == 0 {
                self.of_a_peer.remove(&inbound.from);
            }
        }
        self.give_back(inbound.slot, out);
        Some(inbound)
    }

    /// Closes a connection of this node's.
    fn finish(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Errand> {
        let errand = self.drop_outbound(conn, out)?;
        out.close(conn);
        Some(errand)
    }

    fn drop_outbound(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Errand> {
        let Outbound { errand, slot, .. } = self.outbound.remove(&conn)?;
        self.give_back(slot, out);
        let lane = (errand.to, errand.what.kind());
        if let Some(conns) = self.under_way.get_mut(&lane) {
            conns.retain(|other| *other != conn);
            if conns.is_empty() {
                self.under_way.remove(&lane);
            }
        }
        Some(errand)
    }

    fn give_back(&mut self, slot: u32, out: &mut Outbox<LeaderNode>) {
        self.slots.give_back(slot);
        out.disarm(Timer::Deadline(slot));
    }
}

impl What {
    fn kind(self) -> Kind {
        match self {
            What::Nodes => Kind::Nodes,
            What::Heartbeat => Kind::Heartbeat,
            What::Choose => Kind::Choose,
            What::Chat { .. } => Kind::Chat,
            What::Calc { request } => Kind::Calc(request),
        }
    }
}

/// Numbers for the timers of connections, used again, so that there are no more of them than connections at once.
#[derive(Clone, Default)]
struct Slots {
    conns: Vec<Option<ConnId>>,
    free: Vec<u32>,
}

impl Slots {
    fn take(&mut self, conn: ConnId) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.conns.push(None);
            self.conns.len() as u32 - 1
        });
        self.conns[slot as usize] = Some(conn);
        slot
    }

    fn conn(&self, slot: u32) -> Option<ConnId> {
        self.conns.get(slot as usize).copied().flatten()
    }

    fn give_back(&mut self, slot: u32) {
        self.conns[slot as usize] = None;
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Rules;
    use super::*;

    #[test]
    fn no_more_is_under_way_for_one_thing_than_the_settings_open_until_a_deadline() {
        let config = Config::profile("brisk", Rules::Hardened);
        let (mut post, mut out) = (Post::new(&config), Outbox::new());
        let node = |place: usize| SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + place as u32), 7500);
        let mut given_up = 0;
        for _ in 0..1_000 {
            for what in [What::Heartbeat, What::Choose, What::Calc { request: 1 }] {
                for to in [0, 1] {
                    let errand = Errand { to, list: 0, what };
                    let lost = post.send(Time::ZERO, node(to), errand, Arc::from([]), &mut out);
                    given_up += usize::from(lost.is_some());
                }
            }
        }
        // A second has room for ten tenths of one, and the next begins when the first is over.
        let most = 11 * 3 * 2;
        assert_eq!((post.outbound.len(), given_up), (most, 6_000 - most));
        assert_eq!(post.slots.conns.len(), most);
        post.close_all(&mut out);
        assert!(post.outbound.is_empty() && post.under_way.is_empty());
    }
}
