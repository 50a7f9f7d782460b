//! What the edge of a host holds of a connection while a policy is in force: its bytes are under way, its end and its reset as well, and
//! what a cut keeps from it is as if it were lost.
//!
//! - What comes in is taken from the kernel as far as one receive buffer holds it, and arrives in order, when the law of its link says.
//! - While the way from the peer is cut nothing is taken in, so that the peer feels it. What was under way comes when its sender tries
//!   again after the cut is healed. A reset is not tried again: it is lost, and the connection half open.
//! - While either way is cut nothing that is written is acknowledged: for longer than the user timeout, and the connection is given up.
//!   The peer does not hear of that: nobody answers it before it writes.

use std::collections::VecDeque;

use squall_nodes::link::passage::stream::next_try;
use squall_nodes::stream::StreamLaw;
use squall_nodes::{Closed, Span, Time};

use super::conn::{Conn, Phase, Reading, What};
use super::wire::{Came, Wire};
use crate::edge::{Cuts, Edge};
use crate::line::Counts;
use crate::settings::Streams as Settings;

/// How often is read at a time from one connection.
const MOST_READ: u32 = 4;

/// What the edge holds of a connection.
pub(super) struct Held {
    cuts: Cuts,
    room: usize,
    /// What has come in, in order.
    chunks: VecDeque<Chunk>,
    /// How many bytes it is.
    bytes: usize,
    /// How it ends, and when that arrives.
    end: Option<(Time, Closed)>,
    /// When the connection is open, as far as the node is told.
    opens: Option<Time>,
    /// Since when the peer sends in vain.
    stalled: Option<Time>,
    /// Nothing is taken in before.
    resumes: Time,
    /// Since when something that was written waits to be acknowledged in vain.
    unacked: Option<Time>,
    /// Since when it is dialled.
    pub(super) asks_since: Time,
    /// Whether the peer knows nothing of the connection any more, and this side has not heard of that.
    half_open: bool,
    /// Whether it was told that it is stuck.
    is_stuck: bool,
    /// When there is something to do by itself.
    pub(super) wakes: Time,
}

struct Chunk {
    at: Time,
    straggles: bool,
    bytes: Vec<u8>,
}

/// What a connection's turn is about, besides itself.
pub(super) struct Around<'a> {
    pub(super) now: Time,
    pub(super) edge: &'a mut Edge,
    pub(super) counts: &'a mut Counts,
    pub(super) settings: &'a Settings,
}

impl Held {
    /// `room` is how many bytes it holds at most, but for one reading.
    pub(super) fn new(cuts: Cuts, room: usize) -> Box<Self> {
        Box::new(Held {
            cuts,
            room,
            chunks: VecDeque::new(),
            bytes: 0,
            end: None,
            opens: None,
            stalled: None,
            resumes: Time::ZERO,
            unacked: None,
            asks_since: Time::ZERO,
            half_open: false,
            is_stuck: false,
            wakes: Time::MAX,
        })
    }

    pub(super) fn cuts(&self) -> Cuts {
        self.cuts
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.room
    }

    /// A dial is tried again when a kernel would do so that has asked for it since a time.
    pub(super) fn asks_again(&mut self, since: Time, now: Time) {
        self.asks_since = since;
        self.wakes = next_try(since, StreamLaw::FIRST_TIMEOUT, now + Span::from_nanos(1));
    }

    /// When the last of what has come in arrives.
    fn last(&self) -> Time {
        self.chunks.back().map_or(Time::ZERO, |chunk| chunk.at)
    }

    /// When something is to be done, besides what the kernel says; [`Time::MAX`] for never.
    fn next(&self, conn: &Conn, now: Time, user_timeout: Span) -> Time {
        let mut next = Time::MAX;
        if !conn.is_greeted() {
            return self.opens.unwrap_or(Time::MAX);
        }
        if let Some(first) = self.chunks.front()
            && conn.reading == Reading::On
        {
            next = next.min(first.at);
        }
        if let Some((at, how)) = self.end
            && (how != Closed::Orderly || (self.chunks.is_empty() && conn.reading == Reading::On))
        {
            next = next.min(at);
        }
        if conn.ready.to_read && !self.cuts.back && self.resumes > now {
            next = next.min(self.resumes);
        }
        // From then on it is not stuck any more, whether it is read or not.
        let late = |chunk: &&Chunk| chunk.straggles && chunk.at > now;
        if let Some(late) = self.chunks.iter().find(late) {
            next = next.min(late.at);
        }
        if let Some(unacked) = self.unacked {
            next = next.min(unacked + user_timeout);
        }
        next
    }

    /// Whether either side waits for what was swallowed.
    fn waits(&self, now: Time) -> bool {
        let late = |chunk: &Chunk| chunk.straggles && chunk.at > now;
        self.stalled.is_some() || self.unacked.is_some() || self.chunks.iter().any(late)
    }

    /// A cut is laid in the way of what comes in.
    fn freeze(&mut self, now: Time) {
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.at > now) {
            chunk.at = Time::MAX;
            self.stalled.get_or_insert(now);
        }
        match &mut self.end {
            Some((at, Closed::Orderly)) if *at > now => {
                *at = Time::MAX;
                self.stalled.get_or_insert(now);
            }
            // It was on its way, and is lost.
            Some((at, Closed::Reset)) if *at > now => {
                self.end = None;
                self.goes_half_open();
            }
            _ => {}
        }
    }

    /// The way of what comes in is open again.
    fn thaw(&mut self, again: Time) {
        self.resumes = again;
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.at == Time::MAX) {
            (chunk.at, chunk.straggles) = (again, true);
        }
        if let Some((at, _)) = &mut self.end
            && *at == Time::MAX
        {
            *at = again;
        }
    }

    /// The peer has gone, and this side does not hear of it. What it had sent in vain is gone with it.
    fn goes_half_open(&mut self) {
        self.half_open = true;
        self.stalled = None;
        while self.chunks.back().is_some_and(|chunk| chunk.at == Time::MAX) {
            self.bytes -= self.chunks.pop_back().map_or(0, |chunk| chunk.bytes.len());
        }
    }
}

impl Conn {
    /// Sees to it that others know whether it waits for what was swallowed.
    pub(super) fn tell_whether_stuck(&mut self, now: Time, edge: &mut Edge) {
        let Some(held) = &mut self.held else { return };
        let is_stuck = match self.phase {
            Phase::Calling { .. } => true,
            Phase::Open => held.waits(now),
            _ => false,
        };
        if is_stuck != std::mem::replace(&mut held.is_stuck, is_stuck) {
            match is_stuck {
                true => edge.sticks(*self.peer.ip()),
                false => edge.flows(*self.peer.ip()),
            }
        }
    }

    /// The policy is another one.
    pub(super) fn falls_under_policy(&mut self, around: &mut Around<'_>) {
        let (now, peer) = (around.now, *self.peer.ip());
        let cuts = around.edge.cuts(peer);
        let Some(mut held) = self.held.take() else {
            let mut held = Held::new(cuts, around.settings.receive_buffer);
            held.opens = self.is_open().then_some(now);
            held.unacked = (cuts.any() && self.has_to_write()).then_some(now);
            self.held = Some(held);
            return;
        };
        let before = std::mem::replace(&mut held.cuts, cuts);
        if cuts.back && !before.back {
            held.freeze(now);
        }
        if !cuts.back && before.back {
            let again = match held.stalled {
                Some(since) => around.edge.sent_again(peer, since, now),
                None => now,
            };
            held.thaw(again);
        }
        match (before.any(), cuts.any()) {
            (false, true) => {
                held.unacked = self.has_to_write().then_some(now);
                if !self.is_greeted() {
                    held.opens = None;
                }
            }
            (true, false) => {
                let since = held.unacked.take();
                if held.half_open
                    && let Some(since) = since
                {
                    // What it has sent in vain is answered, when it is sent again.
                    let again = around.edge.sent_again(peer, since, now);
                    held.end = Some((again + around.edge.opening(peer, 1), Closed::Reset));
                }
                if !self.is_greeted() && self.is_open() {
                    held.opens = Some(now + around.edge.opening(peer, 2));
                }
            }
            _ => {}
        }
        self.held = Some(held);
    }

    /// The node writes. Whether the kernel is to have it.
    pub(super) fn writes_under_policy(&mut self, around: &mut Around<'_>) -> bool {
        let peer = *self.peer.ip();
        let Some(held) = &mut self.held else {
            return true;
        };
        if held.cuts.any() && held.unacked.is_none() {
            around.edge.note_cut(peer, around.counts);
            held.unacked = Some(around.now);
        }
        if held.half_open && held.unacked.is_none() && held.end.is_none() {
            held.end = Some((around.now + around.edge.opening(peer, 2), Closed::Reset));
        }
        !held.half_open
    }

    /// The same as [`serve`](Conn::serve), for a connection that the edge holds.
    pub(super) fn serve_under_policy(&mut self, room: &mut [u8], around: &mut Around<'_>) -> Option<What> {
        let was_open = self.is_open();
        let was_dialled = matches!(self.phase, Phase::Dialled { .. });
        self.see_progress();
        let peer = *self.peer.ip();
        if !was_open
            && self.is_open()
            && let Some(held) = &mut self.held
        {
            // Half of it is this side's question, or its answer.
            let packets = if self.opened_by.is_us() { 2 } else { 3 };
            held.opens = (!held.cuts.any()).then(|| around.now + around.edge.opening(peer, packets));
        }
        if was_dialled && let (Phase::Over(how), Some(held)) = (self.phase, &mut self.held) {
            held.end = Some((around.now + around.edge.opening(peer, 2), how));
        }
        let told = match self.phase {
            Phase::Open if !self.close_waits => self.tell_under_policy(room, around),
            Phase::Over(how) if !self.close_waits => {
                let at = self
                    .held
                    .as_ref()
                    .and_then(|held| held.end)
                    .map_or(Time::ZERO, |(at, _)| at);
                (at <= around.now).then(|| {
                    self.phase = Phase::Gone;
                    What::Closed(how)
                })
            }
            Phase::Closing { .. } => {
                self.go_on_closing(room);
                None
            }
            Phase::Silent => {
                self.stay_silent(room);
                None
            }
            _ => None,
        };
        let wakes = match (self.phase, &self.held) {
            (Phase::Open, Some(held)) => held.next(self, around.now, around.settings.user_timeout),
            (Phase::Over(_), Some(held)) => held.end.map_or(Time::MAX, |(at, _)| at),
            _ => Time::MAX,
        };
        if let Some(held) = &mut self.held {
            held.wakes = wakes;
        }
        told
    }

    fn tell_under_policy(&mut self, room: &mut [u8], around: &mut Around<'_>) -> Option<What> {
        let tells = self.greeted && self.reading == Reading::On && self.news().is_none();
        if let Some(read) = self.take_in(room, around, tells) {
            return Some(What::Bytes(read));
        }
        let now = around.now;
        let peer = *self.peer.ip();
        let held = self.held.as_mut()?;
        if !self.greeted {
            if held.opens.is_none_or(|opens| opens > now) {
                return None;
            }
            return self.tell_news();
        }
        if let Some(since) = held.unacked
            && now >= since + around.settings.user_timeout
        {
            return Some(self.gives_up());
        }
        if let Some(news) = self.tell_news() {
            return Some(news);
        }
        let held = self.held.as_mut()?;
        if self.reading == Reading::On
            && let Some(chunk) = held.chunks.pop_front_if(|chunk| chunk.at <= now)
        {
            held.bytes -= chunk.bytes.len();
            if chunk.straggles {
                around.edge.straggles(peer, now);
                held.stalled = None;
            }
            room[..chunk.bytes.len()].copy_from_slice(&chunk.bytes);
            return Some(What::Bytes(chunk.bytes.len()));
        }
        let (at, how) = held.end?;
        // An orderly end lies behind all bytes; nobody reads any more after another one.
        if at > now
            || (how == Closed::Orderly && (!held.chunks.is_empty() || self.reading == Reading::Paused))
        {
            return None;
        }
        self.is_over(how);
        self.phase = Phase::Gone;
        Some(What::Closed(how))
    }

    /// Takes in what has come in. If the node can be told, of what nothing holds back it is: so many bytes, in `room`.
    pub(super) fn take_in(
        &mut self,
        room: &mut [u8],
        around: &mut Around<'_>,
        can_be_told: bool,
    ) -> Option<usize> {
        let (now, peer) = (around.now, *self.peer.ip());
        let held = self.held.as_mut()?;
        if held.cuts.back {
            if self.fault.take().is_some() {
                self.socket = None;
                self.ready = super::conn::Ready::default();
                held.goes_half_open();
            } else if self.ready.to_read && held.stalled.is_none() {
                around.edge.note_cut(peer, around.counts);
                held.stalled = Some(now);
            }
            return None;
        }
        if now < held.resumes {
            return None;
        }
        for _ in 0..MOST_READ {
            let held = self.held.as_mut()?;
            if held.end.is_some() || !(self.ready.to_read || self.fault.is_some()) {
                return None;
            }
            if held.is_full() {
                // Whatever is unread, the kernel says that it is over.
                if let Some(how) = self.fault {
                    self.hears_of_end(how, around);
                }
                return None;
            }
            let socket = self.socket.as_ref()?;
            match self.wire.read(socket, room) {
                Came::Bytes(read) => {
                    let delay = around.edge.delay(peer, now, read, around.counts);
                    let held = self.held.as_mut()?;
                    let straggles =
                        held.stalled.take().is_some() || delay.is_some_and(|delay| delay.straggles);
                    if can_be_told && delay.is_none() && held.chunks.is_empty() {
                        if straggles {
                            around.edge.straggles(peer, now);
                        }
                        return Some(read);
                    }
                    let at = now + delay.map_or(Span::ZERO, |delay| delay.by);
                    let at = at.max(held.last());
                    held.bytes += read;
                    let bytes = room[..read].to_vec();
                    held.chunks.push_back(Chunk { at, straggles, bytes });
                }
                Came::Nothing => match self.fault {
                    Some(how) => self.hears_of_end(how, around),
                    None => self.ready.to_read = false,
                },
                Came::End => self.hears_of_end(self.fault.unwrap_or(Closed::Orderly), around),
                Came::Broken(how) => self.hears_of_end(self.fault.unwrap_or(how), around),
            }
        }
        None
    }

    /// The end has come in, and arrives later.
    fn hears_of_end(&mut self, how: Closed, around: &mut Around<'_>) {
        let (now, peer) = (around.now, *self.peer.ip());
        let Some(held) = &mut self.held else { return };
        self.ready.to_read = false;
        held.end = match how {
            Closed::Orderly => {
                let delay = around.edge.delay(peer, now, 1, around.counts);
                let at = now + delay.map_or(Span::ZERO, |delay| delay.by);
                Some((at.max(held.last()), how))
            }
            // Nobody has sent that.
            Closed::TimedOut => Some((now, how)),
            Closed::Reset | Closed::Refused => {
                self.socket = None;
                self.fault = None;
                around.edge.lone_packet(peer).map(|latency| (now + latency, how))
            }
        };
        if held.end.is_none() {
            held.goes_half_open();
        }
    }

    /// Nothing of what was written was acknowledged for too long.
    fn gives_up(&mut self) -> What {
        let silent = self
            .held
            .as_ref()
            .is_some_and(|held| !held.cuts.out && !held.half_open);
        let socket = self.socket.take();
        self.is_over(Closed::TimedOut);
        self.phase = Phase::Gone;
        if silent {
            // Its bytes do come in there, and so would a reset: the peer is told when it writes.
            self.socket = socket;
            self.phase = Phase::Silent;
        }
        What::Closed(Closed::TimedOut)
    }

    /// Whoever writes to a connection that was given up is told that it is over.
    fn stay_silent(&mut self, room: &mut [u8]) {
        let cut = self.held.as_ref().is_some_and(|held| held.cuts.back);
        let Some(socket) = &self.socket else {
            self.phase = Phase::Gone;
            return;
        };
        if cut {
            self.ready.to_read = false;
            return;
        }
        match Wire::Plain.read(socket, room) {
            Came::Nothing => self.ready.to_read = false,
            _ => self.phase = Phase::Gone,
        }
    }

    /// Whether there is something to do about a connection that the edge holds.
    pub(super) fn wants_turn_under_policy(&self, held: &Held, now: Time) -> bool {
        match self.phase {
            Phase::Open => {
                let can_take_in = if held.cuts.back {
                    self.fault.is_some() || (self.ready.to_read && held.stalled.is_none())
                } else {
                    now >= held.resumes && held.end.is_none() && self.can_read(held)
                };
                let news = self.greeted && self.news().is_some();
                !self.close_waits && (can_take_in || news || held.wakes <= now)
            }
            Phase::Over(_) => !self.close_waits && held.end.is_none_or(|(at, _)| at <= now),
            Phase::Silent => self.ready.to_read && !held.cuts.back,
            _ => false,
        }
    }

    fn can_read(&self, held: &Held) -> bool {
        self.fault.is_some() || (self.ready.to_read && !held.is_full())
    }
}
