//! What happens to connections: whoever something happens to is given a turn, and the turns are taken one after the other.
//!
//! In its turn a connection goes on until the node is to be told something, and then stands at the end of the line; a port accepts one
//! connection. So neither a flood of bytes nor one of connections keeps others waiting.

use std::io;
use std::task::{Context, Poll};

use rustix::event::{Timespec, epoll};
use squall_nodes::{Closed, ConnId, StreamEvent, Time};

use super::conn::{Conn, OpenedBy, Phase, Ready, Then, What};
use super::held::{Around, Held};
use super::wire::Wire;
use super::{ACCEPTED, PORTS, SHORT_FOR, Streams, Turn, socket};
use crate::edge::Edge;
use crate::line::Counts;

/// How much the kernel tells at a time.
const EVENTS: usize = 256;
/// How many turns are taken at a time in which the node is told nothing.
const QUIET_TURNS: usize = 64;
/// How many connections are turned away at a time.
const TURNED_AWAY: usize = 64;

impl Streams {
    /// Whether there may be something to tell the node, or to do.
    pub(crate) fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// The next thing that the node is told. `None`: nothing now; if there [are turns](Self::has_turns), there may be something soon.
    pub(crate) fn next(&mut self, now: Time, edge: &mut Edge, counts: &mut Counts) -> Option<(ConnId, What)> {
        self.now = now;
        if self.turns.is_empty() && self.unasked {
            self.ask_kernel();
        }
        for _ in 0..QUIET_TURNS {
            match self.turns.pop_front()? {
                Turn::Port(port) => {
                    if let Some(told) = self.accept(port, edge, counts) {
                        return Some(told);
                    }
                }
                Turn::Conn(id) => {
                    if let Some(what) = self.serve(id, edge, counts) {
                        return Some((ConnId(id), what));
                    }
                }
            }
        }
        None
    }

    /// The same as the node is told it, with the bytes that were read last.
    pub(crate) fn event(&self, what: What) -> StreamEvent<'_> {
        match what {
            What::Opened => StreamEvent::Opened,
            What::Accepted { port, from } => StreamEvent::Accepted { port, from },
            What::Bytes(len) => StreamEvent::Bytes(&self.room[..len]),
            What::Blocked => StreamEvent::Blocked,
            What::Writable => StreamEvent::Writable,
            What::Closed(how) => StreamEvent::Closed(how),
        }
    }

    /// The kernel may have something to say.
    pub(crate) fn may_have_more(&mut self) {
        self.unasked = self.watch.is_some();
    }

    /// Whether something has happened.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        loop {
            if !self.has_turns() {
                self.hear_kernel();
            }
            if self.has_turns() {
                return Ok(Poll::Ready(()));
            }
            let Some(watch) = &self.watch else {
                return Ok(Poll::Pending);
            };
            let Poll::Ready(ready) = watch.poll_read_ready(cx) else {
                return Ok(Poll::Pending);
            };
            // What the runtime knows is from before.
            ready?.clear_ready();
            self.unasked = true;
        }
    }

    /// Takes in all that the kernel has to say.
    pub(super) fn hear_kernel(&mut self) {
        while self.unasked {
            self.ask_kernel();
        }
    }

    /// Takes in what the kernel has to say, or a part of it.
    fn ask_kernel(&mut self) {
        self.unasked = false;
        let Some(watch) = &self.watch else { return };
        let mut events = Vec::with_capacity(EVENTS);
        let at_once = Timespec::default();
        let told = epoll::wait(
            watch.get_ref(),
            rustix::buffer::spare_capacity(&mut events),
            Some(&at_once),
        );
        if let Err(why) = told {
            tracing::debug!(%why, "the kernel does not say what happens to sockets");
        }
        self.unasked = events.len() == EVENTS;
        for event in &events {
            self.happens(event.data.u64(), event.flags);
        }
    }

    fn happens(&mut self, number: u64, flags: epoll::EventFlags) {
        use epoll::EventFlags as Flags;
        if number & PORTS != 0 {
            let number = (number & !PORTS) as u16;
            if let Some(port) = self.ports.get_mut(&number)
                && !port.has_turn
            {
                port.has_turn = true;
                self.turns.push_back(Turn::Port(number));
            }
            return;
        }
        let Some(conn) = self.conns.get_mut(&number) else {
            return;
        };
        let wrong = flags.intersects(Flags::ERR | Flags::HUP);
        conn.ready.to_read |= wrong || flags.intersects(Flags::IN | Flags::RDHUP);
        conn.ready.to_write |= wrong || flags.intersects(Flags::OUT);
        if wrong {
            let backlog = conn.backlog();
            conn.look_for_fault();
            self.backlogs = self.backlogs - backlog + conn.backlog();
        }
        self.give_turn(number);
    }

    /// Gives a connection a turn, if there is something to do about it.
    pub(super) fn give_turn(&mut self, id: u64) {
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.has_turn
            && conn.wants_turn(self.now)
        {
            conn.has_turn = true;
            self.turns.push_back(Turn::Conn(id));
        }
    }

    /// A connection's turn.
    fn serve(&mut self, id: u64, edge: &mut Edge, counts: &mut Counts) -> Option<What> {
        let now = self.now;
        let conn = self.conns.get_mut(&id)?;
        conn.has_turn = false;
        let (backlog, phase) = (conn.backlog(), conn.phase);
        let what = if conn.held.is_some() {
            let mut around = Around {
                now,
                edge,
                counts,
                settings: &self.settings,
            };
            let what = conn.serve_under_policy(&mut self.room, &mut around);
            conn.tell_whether_stuck(now, around.edge);
            what
        } else {
            conn.serve(&mut self.room)
        };
        self.backlogs = self.backlogs - backlog + conn.backlog();
        let went_out = conn.backlog() < backlog;
        if matches!(phase, Phase::Dialled { .. })
            && !matches!(conn.phase, Phase::Dialled { .. })
            && let Some(socket) = &conn.socket
        {
            socket::is_open(socket, &self.settings);
        }
        let began_to_close = !matches!(phase, Phase::Closing { .. });
        let (after, deadline) = (conn.phase, conn.deadline);
        let is_untrusted = conn.take_shaken_in_vain()
            || (matches!(phase, Phase::Shaking { .. }) && matches!(after, Phase::Over(_) | Phase::Gone));
        let deadline = match after {
            Phase::Closing { .. } if went_out || began_to_close => now + self.settings.user_timeout,
            // As far as the node knows, it is being opened.
            Phase::Open if !conn.is_greeted() => deadline,
            Phase::Open | Phase::Silent | Phase::Over(_) | Phase::Gone => Time::MAX,
            _ => deadline,
        };
        self.set_deadline(id, deadline);
        self.count(is_untrusted, what);
        if after == Phase::Gone {
            self.forget(id);
        } else {
            self.give_turn(id);
        }
        what
    }

    fn count(&mut self, is_untrusted: bool, what: Option<What>) {
        let counts = &mut self.counts;
        match what {
            None | Some(What::Blocked | What::Writable) => {}
            Some(What::Opened) => counts.opened += 1,
            Some(What::Accepted { .. }) => counts.accepted += 1,
            Some(What::Bytes(read)) => counts.read += read as u64,
            Some(What::Closed(how)) => match how {
                Closed::Refused => counts.refused += 1,
                Closed::Reset => counts.reset += 1,
                Closed::TimedOut => counts.timed_out += 1,
                Closed::Orderly => counts.closed += 1,
            },
        }
        counts.untrusted += u64::from(is_untrusted);
    }

    /// Accepts a connection on a port, if the node may have one more from there.
    fn accept(&mut self, number: u16, edge: &mut Edge, counts: &mut Counts) -> Option<(ConnId, What)> {
        let now = self.now;
        for _ in 0..TURNED_AWAY {
            let port = self.ports.get_mut(&number)?;
            port.has_turn = false;
            if port.is_shut {
                return None;
            }
            let (stream, from) = match socket::accept(&port.listener) {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return None,
                Err(why) => {
                    tracing::warn!(%why, "no connection can be accepted for a moment");
                    self.short_until = Some(now + SHORT_FOR);
                    self.mind_the_ports();
                    return None;
                }
            };
            let of_peer = self.by_peer.get(from.ip()).copied().unwrap_or(0);
            if of_peer >= self.settings.of_peer {
                // The peer hears of a reset.
                self.counts.crowded += 1;
                continue;
            }
            let then = Then::Stay;
            let mut conn = Conn::new(from, OpenedBy::Them { port: number }, Phase::Shaking { then });
            if let Some(tls) = &self.tls {
                match tls.accepts(*from.ip()) {
                    Ok(session) => conn.wire = Wire::Tls(Box::new(session)),
                    Err(why) => {
                        tracing::warn!(%why, "TLS does not begin");
                        continue;
                    }
                }
            }
            let id = ACCEPTED + self.accepted;
            if let Err(why) = self.watch_over(&stream, id) {
                tracing::warn!(%why, "a connection cannot be watched");
                continue;
            }
            self.accepted += 1;
            conn.socket = Some(stream);
            if edge.is_in_force() {
                let held = Held::new(edge.cuts(*from.ip()), self.settings.receive_buffer);
                conn.held = Some(held);
            }
            conn.ready = Ready {
                to_read: true,
                to_write: true,
            };
            self.conns.insert(id, conn);
            *self.by_peer.entry(*from.ip()).or_default() += 1;
            self.by_others += 1;
            self.mind_the_ports();
            self.set_deadline(id, now + self.settings.connect_timeout);
            self.keep_turn(number);
            // It may be that all is said already.
            return self.serve(id, edge, counts).map(|what| (ConnId(id), what));
        }
        self.keep_turn(number);
        None
    }

    /// A port stands at the end of the line again: there may be more.
    fn keep_turn(&mut self, number: u16) {
        if let Some(port) = self.ports.get_mut(&number)
            && !port.has_turn
        {
            port.has_turn = true;
            self.turns.push_back(Turn::Port(number));
        }
    }

    /// When something is to be done by itself; [`Time::MAX`] for never.
    pub(crate) fn next_deadline(&self) -> Time {
        let first = self.deadlines.first().map_or(Time::MAX, |(at, _)| *at);
        first.min(self.short_until.unwrap_or(Time::MAX))
    }

    /// Does what is due by itself.
    pub(crate) fn expire(&mut self, now: Time, edge: &mut Edge, counts: &mut Counts) {
        self.now = now;
        if self.short_until.is_some_and(|until| until <= now) {
            self.short_until = None;
            self.mind_the_ports();
        }
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some(conn) = self.conns.get_mut(&id) else {
                continue;
            };
            conn.alarm = Time::MAX;
            if conn.deadline > now {
                match (conn.phase, &conn.held) {
                    (Phase::Calling { .. }, Some(held)) => {
                        let since = held.asks_since;
                        self.call(id, since, edge, counts);
                    }
                    _ => self.wake(id),
                }
                continue;
            }
            conn.deadline = Time::MAX;
            let backlog = conn.backlog();
            match (conn.phase, conn.opened_by) {
                (Phase::Closing { .. }, _) => conn.give_up_closing(),
                // The node was never told of it.
                (Phase::Shaking { .. } | Phase::Open, OpenedBy::Them { .. }) => {
                    self.counts.untrusted += u64::from(!conn.is_open());
                    conn.phase = Phase::Gone;
                }
                _ => conn.is_over(Closed::TimedOut),
            }
            self.backlogs = self.backlogs - backlog + conn.backlog();
            self.give_turn(id);
        }
    }

    /// Forgets a connection. Its socket is closed, if it is not: that resets it.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        self.deadlines.remove(&(conn.alarm, id));
        self.backlogs -= conn.backlog();
        match conn.opened_by {
            OpenedBy::Us => self.by_us -= 1,
            OpenedBy::Them { .. } => {
                self.by_others -= 1;
                if let Some(of_peer) = self.by_peer.get_mut(conn.peer.ip()) {
                    *of_peer -= 1;
                    if *of_peer == 0 {
                        self.by_peer.remove(conn.peer.ip());
                    }
                }
            }
        }
        drop(conn);
        self.mind_the_ports();
    }
}
