//! From the queue to the next input: pops events, does what they are about, and stops at one that a running node gets.

use squall_nodes::{CallId, Change, HostId, Node, Protocol, Time, Token};

use super::event::Event;
use super::host::{Held, Pace};
use super::queue::{Full, Place, Popped};
use super::see::By;
use super::timers::Due;
use super::{End, Engine};
use crate::digest::Tag;
use crate::timeline;
use crate::trace::Happening;

/// An input that is due, without what it borrows.
#[derive(Clone, Copy)]
pub(super) struct DueInput<T> {
    pub(super) host: HostId,
    pub(super) what: What<T>,
}

#[derive(Clone, Copy)]
pub(super) enum What<T> {
    Start,
    /// The one that lies there.
    Datagram(Place),
    Timer(T),
    Command {
        entry: u32,
        call: CallId,
    },
    Persisted(Token),
    PersistFailed(Token),
    /// What [`Streams::event`](super::streams::Streams::event) has.
    Stream,
}

pub(super) type TimerOf<P> = <<P as Protocol>::Node as Node>::Timer;

impl<P: Protocol> Engine<'_, P> {
    /// Pops events until one is an input for a running node; `None` when the run is over or rests.
    pub(super) fn next_due(&mut self) -> Option<DueInput<TimerOf<P>>> {
        if let Some(datagram) = self.told.take() {
            self.payloads.release(&datagram, &mut self.buffers);
        }
        loop {
            if self.ended.is_some() || self.events >= self.rest_at {
                return None;
            }
            let due = if let Some((ticket, event)) = self.released.pop_front() {
                self.account(Held::EVENT, 0);
                self.take_released(ticket, event)
            } else {
                let limit = Time::ZERO + self.plan.limit;
                let Popped { at, ticket, place } = match self.queue.pop() {
                    Some(popped) if popped.at < limit.as_nanos() => popped,
                    beyond => {
                        // It is still on its way, as everything behind it.
                        if let Some(Popped { at, place, .. }) = beyond {
                            let event = *self.queue.event(place);
                            self.push(Time::from_nanos(at), event);
                        }
                        self.finish(limit);
                        return None;
                    }
                };
                if self.queue.opens_crowd() {
                    self.look_ahead();
                }
                let at = Time::from_nanos(at);
                if at > self.now {
                    self.now = at;
                    self.at_this_instant = 0;
                }
                self.at_this_instant += 1;
                if self.at_this_instant > self.most_at_an_instant {
                    let event = self.queue.event(place);
                    let host = event.host();
                    self.stranded += u64::from(matches!(event, Event::Datagram(_)));
                    self.stop_standing_still(host);
                    return None;
                }
                self.take(ticket, place)
            };
            if let Some(due) = due {
                self.count()?;
                return Some(due);
            }
        }
    }

    /// Looks at the hosts that a crowd of events is for, before each has its turn: the processor waits for many lines of a large
    /// memory about as long as for one, when it is told of all of them together.
    #[cold]
    fn look_ahead(&self) {
        let hosts = self.queue.crowd().filter_map(Event::host);
        let lines = hosts.map(|host| {
            let host = &self.hosts[host.index()];
            host.timers.first_deadline() ^ u64::from(host.incarnation)
        });
        // Or else the compiler would see that nobody wants to know.
        std::hint::black_box(lines.fold(0, |all, line| all ^ line));
    }

    /// Does what an event is about, or says for whom it is an input.
    #[inline(always)]
    fn take(&mut self, ticket: u64, place: Place) -> Option<DueInput<TimerOf<P>>> {
        match *self.queue.event(place) {
            Event::Datagram(_) => self.take_datagram(ticket, place),
            Event::Timer {
                host,
                incarnation,
                place,
            } => self.take_timer(ticket, host, incarnation, place),
            event => self.take_other(ticket, event),
        }
    }

    /// The same for what comes up less often than datagrams and timers.
    fn take_other(&mut self, ticket: u64, event: Event) -> Option<DueInput<TimerOf<P>>> {
        match event {
            Event::Datagram(_) | Event::Timer { .. } => None,
            Event::Start { host, incarnation }
            | Event::Written { host, incarnation }
            | Event::Persisted {
                host, incarnation, ..
            }
            | Event::PersistFailed {
                host, incarnation, ..
            }
            | Event::Tell {
                host, incarnation, ..
            }
            | Event::Command {
                host, incarnation, ..
            } => {
                let machine = &self.hosts[host.index()];
                if !machine.lives(incarnation) {
                    return None;
                }
                if machine.held.is_some() {
                    self.hold(host, ticket, event);
                    return None;
                }
                self.hand_over(ticket, event)
            }
            Event::Worked { host } => self.worked(ticket, host),
            Event::Parcel { parcel, .. } => {
                // It is sent by an input, a timer or another packet, none of which it makes more of: time passes.
                self.at_this_instant -= 1;
                self.take_parcel(parcel);
                None
            }
            Event::Alarm { place, .. } => {
                self.alarm(ticket, place);
                None
            }
            // What has no node for a receiver counts too, so that no timeline or invariant goes on without end.
            Event::Work { entry, ordinal } => {
                self.count()?;
                self.work(entry, ordinal);
                None
            }
            Event::Boot { host } => {
                self.count()?;
                self.switch_on(host);
                None
            }
            Event::Step { step, actor } => {
                self.count()?;
                self.again(timeline::Due::Step(step));
                self.strike(step as usize, actor);
                None
            }
            Event::Flap { layer } => {
                self.flap(layer);
                None
            }
            Event::Straggler { from, to } => {
                self.count()?;
                self.change(Change::Straggled { from, to }, By::itself("link"));
                None
            }
            Event::Judge if ticket != self.judge_entry.1 => {
                self.stale = self.stale.saturating_sub(1);
                None
            }
            Event::Judge => {
                self.judge_entry = (Time::MAX, 0);
                self.count()?;
                self.judge.look(self.now);
                if self.judge.violation.is_some() {
                    self.ended.get_or_insert(End::Violated);
                }
                self.plan_judge();
                None
            }
        }
    }

    /// What a host finds that was paused or slow when it came up. A datagram has reached its machine: no cut stops it any more.
    #[cold]
    fn take_released(&mut self, ticket: u64, event: Event) -> Option<DueInput<TimerOf<P>>> {
        let datagram = match event {
            Event::Datagram(datagram) => datagram,
            Event::Timer {
                host,
                incarnation,
                place,
            } => return self.take_timer(ticket, host, incarnation, place),
            other => return self.take_other(ticket, other),
        };
        if self.hosts[datagram.to.index()].held.is_some() {
            // It was stopped again before it came to this one.
            self.hold(datagram.to, ticket, event);
            return None;
        }
        self.hand_over(ticket, event)
    }

    #[inline(always)]
    fn take_timer(
        &mut self,
        ticket: u64,
        host: HostId,
        incarnation: u32,
        place: u32,
    ) -> Option<DueInput<TimerOf<P>>> {
        let machine = &self.hosts[host.index()];
        if !machine.lives(incarnation) {
            self.stale = self.stale.saturating_sub(1);
            return None;
        }
        if let Some(held) = &machine.held {
            let local = machine.local(self.now).as_nanos();
            if held.pace == Pace::Paused || machine.timers.is_due(place, ticket, local) {
                let timer = Event::Timer {
                    host,
                    incarnation,
                    place,
                };
                self.hold(host, ticket, timer);
                return None;
            }
        }
        if self.plan.lateness.is_some() && self.oversleeps(host, ticket, place) {
            return None;
        }
        self.fire(ticket, host, place)
    }

    /// Lets the entry of a timer be what it is worth.
    #[inline(always)]
    pub(super) fn fire(&mut self, ticket: u64, host: HostId, place: u32) -> Option<DueInput<TimerOf<P>>> {
        let machine = &mut self.hosts[host.index()];
        let local = machine.local(self.now).as_nanos();
        match machine.timers.due(place, ticket, local) {
            Due::Fire(timer) => {
                let code = squall_nodes::Timer::code(&timer);
                self.digest
                    .head(Tag::Timer, self.now.as_nanos(), host.0, code, 0, 0);
                self.trace(Some(host), || Happening::Timer {
                    timer: format!("{timer:?}"),
                });
                Some(DueInput {
                    host,
                    what: What::Timer(timer),
                })
            }
            Due::Later(deadline) => {
                let at = machine.reaches(Time::from_nanos(deadline), self.now);
                self.push_timer(at, host, place);
                None
            }
            Due::Stale => {
                self.stale = self.stale.saturating_sub(1);
                None
            }
        }
    }

    /// Does what an event is about that its host, which lives the life that it is for, gets now; or says for whom it is an input.
    pub(super) fn hand_over(&mut self, ticket: u64, event: Event) -> Option<DueInput<TimerOf<P>>> {
        let now = self.now.as_nanos();
        let (host, what) = match event {
            Event::Datagram(_) => match self.queue.lend(event) {
                Ok(place) => return self.deliver(place),
                Err(Full) => {
                    self.ended.get_or_insert(End::QueueFull);
                    self.stranded += 1;
                    return None;
                }
            },
            Event::Timer { host, place, .. } => return self.fire(ticket, host, place),
            Event::Written { host, .. } => {
                self.count()?;
                self.written(host);
                self.look_at_disk(host, By::itself("slow_disk"));
                return None;
            }
            Event::Start { host, incarnation } => {
                self.digest
                    .head(Tag::Start, now, host.0, u64::from(incarnation), 0, 0);
                self.trace(Some(host), || Happening::Booted { incarnation });
                (host, What::Start)
            }
            Event::Persisted { host, token, .. } => {
                self.digest.head(Tag::Persisted, now, host.0, token.0, 0, 0);
                self.trace(Some(host), || Happening::Persisted { token: token.0 });
                (host, What::Persisted(token))
            }
            Event::PersistFailed { host, token, .. } => {
                // It knows now: what it asks for from here on may go out.
                let barrier = &mut self.hosts[host.index()].barrier;
                if barrier.as_ref().is_some_and(|barrier| barrier.has_failed()) {
                    *barrier = None;
                }
                self.digest.head(Tag::PersistFailed, now, host.0, token.0, 0, 0);
                self.trace(Some(host), || Happening::PersistFailed { token: token.0 });
                (host, What::PersistFailed(token))
            }
            Event::Command {
                host, entry, call, ..
            } => {
                self.digest.head(Tag::Command, now, host.0, call.0, entry, 0);
                (host, What::Command { entry, call })
            }
            Event::Tell { host, place, .. } => return self.tell(host, place),
            // None of these is for a node.
            Event::Boot { .. }
            | Event::Worked { .. }
            | Event::Work { .. }
            | Event::Step { .. }
            | Event::Flap { .. }
            | Event::Parcel { .. }
            | Event::Alarm { .. }
            | Event::Straggler { .. }
            | Event::Judge => return None,
        };
        Some(DueInput { host, what })
    }
}
