//! The connections of a node: one for each message, each with a deadline, and no more of them than the settings allow.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::config::Config;
use super::under_way::{Kind, Lane, Room, UnderWay};
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
    /// The same, the oldest first, by what bounds them.
    under_way: UnderWay,
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
    to: SocketAddrV4,
    errand: Errand,
    bytes: Arc<[u8]>,
    reader: Reader,
    stage: Stage,
}

/// How far a connection of this node's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is being opened, until its deadline, whose timer has this number.
    Dialled(u32),
    /// The message was written, and is to be answered until then.
    Written(u32),
    /// Nobody answered the dial in time. What it was for is given up; to close it would end nothing, as its host goes on dialling.
    LateDial,
    /// Nobody answered the message in time, as one who is paused does when it goes on.
    LateAnswer,
}

impl Stage {
    /// The number of its timer, unless its deadline is over.
    fn slot(self) -> Option<u32> {
        match self {
            Stage::Dialled(slot) | Stage::Written(slot) => Some(slot),
            Stage::LateDial | Stage::LateAnswer => None,
        }
    }
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
            under_way: UnderWay::new(config),
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

    /// Sends a message on a connection of its own, unless as many are under way as there may be: then what is given up for that is returned,
    /// which is the oldest for the same thing, or what was to be sent.
    pub(super) fn send(
        &mut self,
        now: Time,
        to: SocketAddrV4,
        errand: Errand,
        bytes: Arc<[u8]>,
        out: &mut Outbox<LeaderNode>,
    ) -> Option<Letter> {
        // Those that were opened may never end: who was paused may have lost power since. Nor would a node hear of that.
        let may_never_end = |conn: ConnId| {
            let own = self.outbound.get(&conn);
            own.is_some_and(|own| own.stage == Stage::LateAnswer)
        };
        let lane = errand.lane();
        let given_up = match self.under_way.room(to, lane, now, may_never_end) {
            Room::Free => None,
            Room::InPlaceOf(oldest) => self.finish(oldest, out),
            Room::Full => return Some(Letter::Lost(errand)),
        };
        let conn = out.dial(to);
        self.under_way.begin(to, lane, conn, now);
        let slot = self.slots.take(conn);
        out.arm(Timer::Deadline(slot), now + self.deadline);
        let outbound = Outbound {
            to,
            errand,
            bytes,
            reader: Reader::new(LONGEST_ANSWER),
            stage: Stage::Dialled(slot),
        };
        self.outbound.insert(conn, outbound);
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
                self.opened(conn, out);
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
        let errand = match self.under_way.outlasts_deadlines() {
            false => self.finish(conn, out),
            true => self.is_late(conn, out),
        };
        errand.map(Letter::Lost)
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
    fn count(&mut self, kind: WireError, peer: Ipv4Addr, out: &mut Outbox<LeaderNode>) {
        if let Some(count) = self.unreadable.count(kind) {
            out.claim(LeaderFact::Unreadable { kind, count, peer });
        }
    }

    fn admit(&mut self, now: Time, conn: ConnId, from: Ipv4Addr, out: &mut Outbox<LeaderNode>) {
        let of_this = self.of_a_peer.get(&from).copied().unwrap_or(0);
        if self.inbound.len() >= self.most || of_this >= self.most_of_a_peer {
            out.close(conn);
            return self.count(WireError::Crowded, from, out);
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

    /// A connection of this node's was opened: the message goes out, unless it was given up.
    fn opened(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) {
        self.hear(conn);
        let Some(own) = self.outbound.get_mut(&conn) else {
            return out.close(conn);
        };
        match own.stage {
            Stage::Dialled(slot) => {
                let payload = out.payload(&own.bytes);
                out.write(conn, payload);
                own.stage = Stage::Written(slot);
            }
            Stage::Written(_) | Stage::LateDial | Stage::LateAnswer => {
                self.finish(conn, out);
            }
        }
    }

    /// The deadline of a connection of this node's is over, and its host has not done with it. Comes back with what it was for.
    fn is_late(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Errand> {
        let own = self.outbound.get_mut(&conn)?;
        let (errand, slot) = (own.errand, own.stage.slot()?);
        own.stage = match own.stage {
            Stage::Dialled(_) | Stage::LateDial => Stage::LateDial,
            Stage::Written(_) | Stage::LateAnswer => Stage::LateAnswer,
        };
        own.bytes = Arc::from([]);
        self.give_back(slot, out);
        Some(errand)
    }

    /// Something is heard of the node that a connection goes to, so that it may be dialled again at once.
    fn hear(&mut self, conn: ConnId) {
        if let Some(own) = self.outbound.get(&conn) {
            self.under_way.hear(own.to);
        }
    }

    /// A node answers: what was written to it before and is late will not be answered any more.
    fn close_late(&mut self, to: SocketAddrV4, answered: ConnId, out: &mut Outbox<LeaderNode>) {
        let is_late = |conn: &ConnId| {
            let own = self.outbound.get(conn);
            *conn < answered && own.is_some_and(|own| own.stage == Stage::LateAnswer)
        };
        let late: Vec<ConnId> = self.under_way.to(to).filter(is_late).collect();
        for conn in late {
            self.finish(conn, out);
        }
    }

    fn read_answer(&mut self, conn: ConnId, bytes: &[u8], out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        self.hear(conn);
        let own = self.outbound.get_mut(&conn)?;
        let to = own.to;
        if own.stage.slot().is_none() {
            // It has come too late to say anything but that somebody is there.
            self.finish(conn, out);
            return None;
        }
        let answer = match own.reader.push(bytes) {
            Ok(None) => return None,
            Ok(Some(answer)) if answer.is_answer() => Ok(answer),
            Ok(Some(_)) => Err(WireError::OutOfPlace),
            Err(kind) => Err(kind),
        };
        let errand = self.finish(conn, out)?;
        self.close_late(to, conn, out);
        match answer {
            Ok(answer) => Some(Letter::Answered(errand, answer)),
            Err(kind) => {
                self.count(kind, *to.ip(), out);
                Some(Letter::Lost(errand))
            }
        }
    }

    fn closed(&mut self, conn: ConnId, how: Closed, out: &mut Outbox<LeaderNode>) -> Option<Letter> {
        if let Some(inbound) = self.drop_inbound(conn, out) {
            // One that was reset or given up has broken no rule.
            if how == Closed::Orderly && inbound.reader.has_begun() {
                self.count(WireError::CutShort, inbound.from, out);
            }
            return None;
        }
        match how {
            Closed::TimedOut => {}
            _ => self.hear(conn),
        }
        self.drop_outbound(conn, out)?.map(Letter::Lost)
    }

    /// Closes a connection on which no message came.
    fn reject(&mut self, conn: ConnId, kind: WireError, out: &mut Outbox<LeaderNode>) {
        let inbound = self.drop_inbound(conn, out);
        out.close(conn);
        if let Some(Inbound { from, .. }) = inbound {
            self.count(kind, from, out);
        }
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

    /// Closes a connection of this node's. Comes back with what it was for, unless that was given up before.
    fn finish(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Errand> {
        let errand = self.drop_outbound(conn, out)?;
        out.close(conn);
        errand
    }

    /// Forgets a connection of this node's, if it is one.
    fn drop_outbound(&mut self, conn: ConnId, out: &mut Outbox<LeaderNode>) -> Option<Option<Errand>> {
        let Outbound {
            to, errand, stage, ..
        } = self.outbound.remove(&conn)?;
        self.under_way.end(to, errand.lane(), conn);
        let slot = stage.slot();
        if let Some(slot) = slot {
            self.give_back(slot, out);
        }
        Some(slot.map(|_| errand))
    }

    fn give_back(&mut self, slot: u32, out: &mut Outbox<LeaderNode>) {
        self.slots.give_back(slot);
        out.disarm(Timer::Deadline(slot));
    }
}

impl Errand {
    fn lane(self) -> Lane {
        let kind = match self.what {
            What::Nodes => Kind::Nodes,
            What::Heartbeat => Kind::Heartbeat,
            What::Choose => Kind::Choose,
            What::Chat { .. } => Kind::Chat,
            What::Calc { request } => Kind::Calc(request),
        };
        Lane { to: self.to, kind }
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
    use super::super::config::{Change, MOST_AT_ONCE, MOST_OF_A_NODE, MOST_UNHEARD, Rules};
    use super::*;

    fn node(place: usize) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + place as u32), 7500)
    }

    /// Wants three things sent to each of two nodes, and comes back with how many of them were given up.
    fn send_six(post: &mut Post, now: Time, out: &mut Outbox<LeaderNode>) -> usize {
        let mut given_up = 0;
        for what in [What::Heartbeat, What::Choose, What::Calc { request: 1 }] {
            for to in [0, 1] {
                let errand = Errand { to, list: 0, what };
                let lost = post.send(now, node(to), errand, Arc::from([]), out);
                given_up += usize::from(lost.is_some());
            }
        }
        given_up
    }

    #[test]
    fn without_back_off_no_more_is_under_way_for_one_thing_than_is_opened_until_a_deadline() {
        let config = Config {
            without: vec![Change::BackOff],
            ..Config::profile("brisk", Rules::Hardened)
        };
        let (mut post, mut out) = (Post::new(&config), Outbox::new());
        let given_up: usize = (0..1_000)
            .map(|_| send_six(&mut post, Time::ZERO, &mut out))
            .sum();
        // A second has room for ten tenths of one, and the next begins when the first is over.
        let most = 11 * 3 * 2;
        assert_eq!((post.outbound.len(), given_up), (most, 6_000 - most));
        assert_eq!(post.slots.conns.len(), most);
        post.close_all(&mut out);
        assert!(post.outbound.is_empty());
    }

    #[test]
    fn to_a_node_that_never_answers_no_more_is_under_way_than_there_may_be_however_long_its_host_goes_on() {
        let config = Config::profile("brisk", Rules::Hardened);
        let (mut post, mut out) = (Post::new(&config), Outbox::new());
        let mut now = Time::ZERO;
        for nth in 0..1_000 {
            send_six(&mut post, now, &mut out);
            // The first three and then two more at once, and one every two seconds from then on.
            let expected = match nth {
                0 => 3,
                _ => (MOST_AT_ONCE + (nth - 1) / 20).min(MOST_UNHEARD),
            };
            assert_eq!(post.outbound.len(), 2 * expected, "at {now}");
            now += Span::from_millis(100);
            let slots = 0..post.slots.conns.len() as u32;
            if nth % 10 == 9 {
                for slot in slots {
                    post.on_deadline(slot, &mut out);
                }
            }
        }
        assert!(post.outbound.values().all(|own| own.stage == Stage::LateDial));
        assert!(post.slots.conns.iter().all(Option::is_none));
    }

    #[test]
    fn who_is_heard_of_is_dialled_again_at_once_up_to_what_there_may_be_to_a_node() {
        let config = Config::profile("brisk", Rules::Hardened);
        let (mut post, mut out) = (Post::new(&config), Outbox::new());
        for _ in 0..100 {
            send_six(&mut post, Time::ZERO, &mut out);
            // They are opened, and never answered.
            let dialled = post
                .outbound
                .iter()
                .filter(|(_, own)| matches!(own.stage, Stage::Dialled(_)));
            let dialled: Vec<ConnId> = dialled.map(|(conn, _)| *conn).collect();
            for conn in dialled {
                post.opened(conn, &mut out);
            }
        }
        assert_eq!(post.outbound.len(), 2 * MOST_OF_A_NODE);
        post.close_all(&mut out);
        assert!(post.outbound.is_empty());
        assert!(post.under_way.is_empty());
    }
}
