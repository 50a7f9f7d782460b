//! From the queue to the next input: pops events, does what they are about, and stops at one that a running node gets.

use squall_nodes::{CallId, HostId, Node, Protocol, Time, Token};

use super::event::Event;
use super::host::Held;
use super::queue::{Full, Place, Popped};
use super::timers::Due;
use super::{End, Engine};
use crate::digest::Tag;
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
}

pub(super) type TimerOf<P> = <<P as Protocol>::Node as Node>::Timer;

impl<P: Protocol> Engine<'_, P> {
    /// Pops events until one is an input for a running node; `None` when the run is over.
    pub(super) fn next_due(&mut self) -> Option<DueInput<TimerOf<P>>> {
        if let Some(datagram) = self.told.take() {
            self.payloads.release(&datagram);
        }
        loop {
            if self.ended.is_some() {
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
                    let host = self.queue.event(place).host();
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
            Event::Start { host, incarnation } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest.head(
                    Tag::Start,
                    self.now.as_nanos(),
                    host.0,
                    u64::from(incarnation),
                    0,
                    0,
                );
                self.trace(Some(host), || Happening::Booted { incarnation });
                Some(DueInput {
                    host,
                    what: What::Start,
                })
            }
            Event::Written { host, incarnation } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.count()?;
                self.written(host);
                None
            }
            Event::Persisted {
                host,
                incarnation,
                token,
            } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest
                    .head(Tag::Persisted, self.now.as_nanos(), host.0, token.0, 0, 0);
                self.trace(Some(host), || Happening::Persisted { token: token.0 });
                Some(DueInput {
                    host,
                    what: What::Persisted(token),
                })
            }
            Event::Command {
                host,
                incarnation,
                entry,
                call,
            } => {
                self.hold_or(ticket, event, host, incarnation)?;
                self.digest
                    .head(Tag::Command, self.now.as_nanos(), host.0, call.0, entry, 0);
                Some(DueInput {
                    host,
                    what: What::Command { entry, call },
                })
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
            Event::Step { step, claimant } => {
                self.count()?;
                self.repeat(step);
                self.strike(step as usize, claimant);
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

    /// What a host finds that was paused when it came up. A datagram has reached its machine: no cut stops it any more.
    #[cold]
    fn take_released(&mut self, ticket: u64, event: Event) -> Option<DueInput<TimerOf<P>>> {
        let place = match self.queue.lend(event) {
            Ok(place) => place,
            Err(Full) => {
                self.ended.get_or_insert(End::QueueFull);
                return None;
            }
        };
        let Event::Datagram(datagram) = event else {
            return self.take(ticket, place);
        };
        if self.hosts[datagram.to.index()].paused.is_some() {
            // It was paused again before it came to this one.
            self.hold(datagram.to, ticket, event);
            return None;
        }
        self.deliver(place)
    }

    #[inline(always)]
    fn take_timer(
        &mut self,
        ticket: u64,
        host: HostId,
        incarnation: u32,
        place: u32,
    ) -> Option<DueInput<TimerOf<P>>> {
        let machine = &mut self.hosts[host.index()];
        if !machine.lives(incarnation) {
            self.stale = self.stale.saturating_sub(1);
            return None;
        }
        if machine.paused.is_some() {
            let timer = Event::Timer {
                host,
                incarnation,
                place,
            };
            self.hold(host, ticket, timer);
            return None;
        }
        match machine.timers.due(place, ticket, self.now.as_nanos()) {
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
            Due::Later(at) => {
                self.push_timer(Time::from_nanos(at), host, place);
                None
            }
            Due::Stale => {
                self.stale = self.stale.saturating_sub(1);
                None
            }
        }
    }

    /// `None` when the host is in another life, or paused: then it finds the event when it is resumed.
    fn hold_or(&mut self, ticket: u64, event: Event, id: HostId, incarnation: u32) -> Option<()> {
        let host = &self.hosts[id.index()];
        if !host.lives(incarnation) {
            return None;
        }
        if host.paused.is_some() {
            self.hold(id, ticket, event);
            return None;
        }
        Some(())
    }

    /// Keeps an event for a paused host.
    pub(super) fn hold(&mut self, host: HostId, ticket: u64, event: Event) {
        if let Some(held) = &mut self.hosts[host.index()].paused {
            held.push(ticket, event);
            self.account(0, Held::EVENT);
        }
    }
}
