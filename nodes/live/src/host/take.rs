//! From what has happened to the node's next input, in fair order; and the wait when nothing has.
//!
//! What became of writes comes first; then timers, by their deadlines; then what is asked; then datagrams. So no flood keeps a timer or
//! an operator waiting. A node that keeps arming timers that are due, or is called without end, gets a datagram now and then.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use squall_nodes::{CallId, ConnId, Node, Span, Time, Token};

use super::asks::{is_heard, keep};
use super::{Host, Started, Writing};
use crate::barrier::Told;
use crate::disk::Written;
use crate::door::Stop;
use crate::edge::Edge;
use crate::error::LiveError;
use crate::line::{Counts, Line};
use crate::stream::What;
use crate::udp::{Letter, Sockets};

/// How many inputs may have precedence over datagrams in a row.
const MOST_IN_A_ROW: u32 = 64;
/// How many datagrams in a row that came before a timer's deadline may have precedence over it: more than wait in the kernel where it
/// keeps as much as it does by itself, for a host of few ports.
const MOST_BEFORE_TIMER: u32 = 1024;
/// How many batches of datagrams go through the edge at a time. That is all that waits in the kernel, where it keeps as much as it does by
/// itself, for three ports: what was under way while the host did not run arrives in its order. With more of them, or larger buffers,
/// what is beyond that is taken in next.
const BATCHES: usize = 16;
/// How long datagrams wait at most for requests that were written before.
const MOST_FOR_REQUESTS: Span = Span::from_millis(100);
/// Who comes later than this to something that was due looks at the sockets first: what came in meanwhile may have been due before.
const LATE: Span = Span::from_millis(1);
/// How often the kernel is asked at most what it has dropped: its table has all sockets of the machine.
const KERNEL_ASKED_EVERY: Span = Span::from_secs(1);

/// An input that is due, without what it borrows.
pub(super) enum Due<N: Node> {
    Start,
    /// It lies in the inbox.
    Datagram(Letter),
    Stream(ConnId, What),
    /// It was under way, and is in the host's [hand](Host::in_hand).
    Arrived,
    Timer(N::Timer),
    Command(CallId),
    Persisted(Token),
    PersistFailed(Token),
}

/// What a wait is for, besides the disk, the clock and the word to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Whatever may come.
    Anything,
    /// What may be asked.
    Asks,
    /// What happens to connections.
    Streams,
    /// Nothing else.
    Nothing,
}

impl<N: Node> Host<N> {
    /// The next input, waiting for it if need be; `None` when the node is to stop.
    pub(super) fn next_due(&mut self) -> Option<Due<N>> {
        self.command = None;
        loop {
            self.look_for_stop();
            if self.failed.is_some() || self.ending.is_some() {
                return None;
            }
            self.tick();
            if self.start == Started::NotYet {
                self.start = Started::Yes;
                return Some(Due::Start);
            }
            if let Some(told) = self.barrier.tell() {
                return Some(match told {
                    Told::Persisted(token) => Due::Persisted(token),
                    Told::Failed(token) => Due::PersistFailed(token),
                });
            }
            // Only now: the node knows all of the write before.
            if let Ok(written) = self.written.try_recv() {
                self.take_written(written);
                continue;
            }
            self.expire_streams();
            self.mark();
            self.let_arrive();
            if self.barrier.bytes() > self.settings.bounds.waiting {
                // Whoever asks how it is has to know now, more than ever.
                self.serve_what_is_no_call();
                self.wait(For::Asks, self.marks.due);
                continue;
            }
            if let Some(due) = self.next_by_rank() {
                return Some(due);
            }
            if self.asks.is_empty()
                && self.timers.next() > self.now
                && !self.streams.has_turns()
                && !self.sockets.fill()
            {
                self.wait(For::Anything, self.wake_up(self.timers.next()));
            }
        }
    }

    /// The next timer, request or datagram of those that are there.
    fn next_by_rank(&mut self) -> Option<Due<N>> {
        if self.in_a_row < MOST_IN_A_ROW {
            self.in_a_row += 1;
            if !self.comes_before_timers()
                && let Some(timer) = self.timers.pop(self.now)
            {
                self.before_timer = 0;
                return Some(Due::Timer(timer));
            }
            // One at a time: what is asked takes its time too.
            if let Some(call) = self.next_ask() {
                return Some(Due::Command(call));
            }
        }
        self.in_a_row = 0;
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(MOST_IN_A_ROW) {
            // However many datagrams there are.
            self.streams.may_have_more();
        }
        if self.turns.is_multiple_of(2)
            && let Some(due) = self.next_of_streams()
        {
            return Some(due);
        }
        let due = if self.edge.is_in_force() {
            self.next_arrived()
        } else {
            self.next_of_inbox()
        };
        if due.is_some() {
            return due;
        }
        self.streams.may_have_more();
        self.next_of_streams()
    }

    /// Whether a datagram came before the timer that is due, and is to be handed over before it, as both would have been by a host that
    /// was not late.
    fn comes_before_timers(&mut self) -> bool {
        let due = self.timers.next();
        if due > self.now || self.before_timer >= MOST_BEFORE_TIMER {
            return false;
        }
        if self.now > due + LATE {
            self.sockets.waited();
        }
        let first = if self.edge.is_in_force() {
            if self.edge.first_arrived().is_none() {
                self.take_in_after_requests();
            }
            self.edge.first_arrived()
        } else {
            if self.sockets.first().is_none() {
                self.sockets.fill();
            }
            self.sockets.first()
        };
        let is_before = first.is_some_and(|first| first < due);
        self.before_timer += u32::from(is_before);
        is_before
    }

    /// The next datagram, where nothing is between the inbox and the node.
    fn next_of_inbox(&mut self) -> Option<Due<N>> {
        loop {
            if let Some(letter) = self.sockets.take() {
                self.counts.delivered += 1;
                return Some(Due::Datagram(letter));
            }
            if !self.sockets.fill() {
                return None;
            }
        }
    }

    /// The next datagram that has come through the edge.
    fn next_arrived(&mut self) -> Option<Due<N>> {
        let letter = match self.edge.next_arrived() {
            Some(letter) => letter,
            None => {
                self.take_in_after_requests();
                self.edge.next_arrived()?
            }
        };
        self.counts.delivered += 1;
        self.in_hand = Some(letter);
        Some(Due::Arrived)
    }

    /// Lets the edge take in what has come in, and lets arrive what is to.
    pub(super) fn take_in(&mut self) {
        take_in(&mut self.sockets, &mut self.edge, &mut self.counts);
        self.tick();
        self.edge.arrive(self.now, &mut self.counts);
        self.tell_upsets();
    }

    /// As [`take_in`](Self::take_in), but after all requests that were written by now: a host that goes on again was told before what
    /// counted while it did not run.
    fn take_in_after_requests(&mut self) {
        let until = self.now + MOST_FOR_REQUESTS;
        while self.unheard.any() && self.is_heard() && self.tick() < until {
            self.wait(For::Asks, (self.now + LATE).min(until));
            self.serve_what_is_no_call();
        }
        // What is not unheard any more is in the door, or out of it.
        while self.unheard.is_known()
            && self.is_heard()
            && let Ok(ask) = self.asked.try_recv()
        {
            keep(&mut self.asks, ask);
        }
        self.serve_what_is_no_call();
        self.take_in();
    }

    fn let_arrive(&mut self) {
        let due = self.edge.next();
        if due > self.now {
            return;
        }
        // What comes in later than what is due may be under way for a shorter time.
        if self.now > due + LATE {
            self.sockets.waited();
            self.take_in_after_requests();
        } else if self.edge.first_arrived().is_none() {
            self.take_in_after_requests();
        } else {
            self.edge.arrive(self.now, &mut self.counts);
            self.tell_upsets();
        }
    }

    /// When the host has to do something by itself, with whatever is due at `next`.
    fn wake_up(&self, next: Time) -> Time {
        let next = next.min(self.streams.next_deadline());
        next.min(self.edge.next()).min(self.marks.due)
    }

    /// Waits until something may have happened, and no longer than until a time.
    pub(super) fn wait(&mut self, what: For, until: Time) {
        if let Err(why) = self.waited(what, until) {
            self.fail(LiveError::System {
                what: "wait for sockets and timers",
                why,
            });
        }
    }

    fn waited(&mut self, what: For, until: Time) -> io::Result<()> {
        self.alarm.set(until)?;
        let Host {
            runtime,
            alarm,
            sockets,
            streams,
            written,
            asked,
            stopped,
            asks,
            ..
        } = self;
        let (mut wrote, mut told_to_stop): (Option<Written>, Option<Stop>) = (None, None);
        let mut settled = false;
        // Everything is looked at each time: what is not would not wake it up.
        let mut look = |cx: &mut Context<'_>| -> io::Result<Poll<()>> {
            let mut any = Poll::Pending;
            if let Poll::Ready(gone_off) = alarm.poll(cx) {
                gone_off?;
                any = Poll::Ready(());
            }
            if let Poll::Ready(Some(done)) = written.poll_recv(cx) {
                wrote = Some(done);
                any = Poll::Ready(());
            }
            if let Poll::Ready(Some(how)) = stopped.poll_recv(cx) {
                told_to_stop = Some(how);
                any = Poll::Ready(());
            }
            // While no call is handed over, those that wait fill the door, and no more.
            if matches!(what, For::Anything | For::Asks)
                && is_heard(asks)
                && let Poll::Ready(Some(ask)) = asked.poll_recv(cx)
            {
                keep(asks, ask);
                any = Poll::Ready(());
            }
            if what == For::Anything {
                if !settled {
                    sockets.settle(cx)?;
                    settled = true;
                }
                if sockets.poll(cx)?.is_ready() {
                    any = Poll::Ready(());
                }
            }
            if matches!(what, For::Anything | For::Streams) && streams.poll(cx)?.is_ready() {
                any = Poll::Ready(());
            }
            Ok(any)
        };
        let waited = runtime.block_on(poll_fn(|cx| match look(cx) {
            Ok(ready) => ready.map(Ok),
            Err(why) => Poll::Ready(Err(why)),
        }));
        self.sockets.waited();
        self.streams.may_have_more();
        if let Some(how) = told_to_stop {
            self.end_by(how);
        }
        if let Some(written) = wrote {
            self.take_written(written);
        }
        waited
    }

    /// Tells what it has come to, when it is time to; and that it was kept from running, when it is late for anything.
    fn mark(&mut self) {
        if self.booted.is_none() {
            return;
        }
        let due = self.wake_up(self.timers.next());
        if self.now > due + self.marks.stall && due >= self.marks.told_until {
            let by = self.now.since(due);
            self.marks.told_until = self.now;
            self.tally.stalls.count += 1;
            self.tally.stalls.longest = self.tally.stalls.longest.max(by);
            self.tell(|at| Line::Stalled { at, by });
            self.flush();
            self.marks.write = Writing {
                since: self.now,
                told: None,
            };
        }
        // All that it shows waits behind the write. It is told again for as long as that goes on, so that nobody takes it for quiet.
        let write = &self.marks.write;
        if self.barrier.is_writing() && self.now > write.told.unwrap_or(write.since) + self.marks.stall {
            self.held_up_by_write();
        }
        if self.now >= self.marks.due {
            if self.now >= self.marks.kernel_asked + KERNEL_ASKED_EVERY {
                self.marks.kernel_asked = self.now;
                self.count_kernel_drops();
            }
            self.edge.recall_upsets(self.now);
            self.tell_upsets();
            let counts = self.counted();
            self.tell(|at| Line::Mark { at, counts });
            self.marks.due = self.now + self.marks.every;
            self.flush();
        }
    }

    /// Tells that a write takes too long, or took. It counts once.
    pub(super) fn held_up_by_write(&mut self) {
        let by = self.now.since(self.marks.write.since);
        let told = self.marks.write.told.replace(self.now);
        self.tally.stalls.count += u64::from(told.is_none());
        self.tally.stalls.longest = self.tally.stalls.longest.max(by);
        self.tell(|at| Line::Stalled { at, by });
        self.flush();
    }

    /// Adds what the kernel has dropped since it was asked last.
    pub(super) fn count_kernel_drops(&mut self) {
        match self.sockets.dropped_by_kernel() {
            Ok(dropped) => self.counts.overflowed += dropped,
            Err(why) => tracing::debug!(%why, "the kernel does not say what it has dropped"),
        }
    }
}

/// Lets an edge take in what has come in, and what is in the inbox before that.
fn take_in(sockets: &mut Sockets, edge: &mut Edge, counts: &mut Counts) {
    for batch in 0..=BATCHES {
        while let Some(letter) = sockets.take() {
            let bytes = sockets.bytes_of(letter);
            edge.take_in(letter.received, (letter.port, letter.from), bytes, counts);
        }
        // The inbox is never left with anything.
        if batch == BATCHES {
            return;
        }
        if !sockets.fill() {
            edge.forget_before(sockets.read_until());
            return;
        }
    }
}

#[cfg(test)]
mod tests;
