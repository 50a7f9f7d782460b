//! Hosts that do not hand on at once what comes in: paused ones, and slow ones, which work on each input before their node
//! gets it, one after the other.
//!
//! What comes in meanwhile lies in the host's [`Held`]. A slow host that holds anything and is not paused has one entry in the
//! queue, for the instant at which it is done with the first of them; what it has worked so far outlives a pause and a change
//! of its pace. The next is begun when the node has done what it does about the one before.

use squall_nodes::{HostId, Protocol, Span};

use super::ailments::Ailment;
use super::event::Event;
use super::host::{Held, Pace};
use super::queue::Full;
use super::take::{DueInput, TimerOf};
use super::{End, Engine};

impl<P: Protocol> Engine<'_, P> {
    /// Keeps an event for a host that is paused or slow.
    pub(super) fn hold(&mut self, id: HostId, ticket: u64, event: Event) {
        let host = &mut self.hosts[id.index()];
        if let Some(held) = &mut host.held {
            held.push(ticket, event);
            for over in &host.ailments {
                if let Ailment::Slow(_) = over.ailment {
                    self.faults[over.step as usize].affected += 1;
                }
            }
            self.account(0, Held::EVENT);
            self.work_on(id);
        }
    }

    /// Stops a host that is up and not paused.
    pub(super) fn stop(&mut self, id: HostId) {
        self.interrupt(id);
        let held = &mut self.hosts[id.index()].held;
        held.get_or_insert_default().pace = Pace::Paused;
    }

    /// Lets a paused host go on: at once, or as slowly as it is.
    pub(super) fn go_on(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        if host.slow_by.is_zero() {
            self.release_held(id);
        } else if let Some(held) = &mut host.held {
            held.pace = Pace::Slow;
            self.work_on(id);
        }
    }

    /// Lets each input of a host take so long from now on, the one that it works on included.
    pub(super) fn set_pace(&mut self, id: HostId, by: Span) {
        let host = &mut self.hosts[id.index()];
        host.slow_by = by;
        if !host.is_up() || host.is_paused() {
            return;
        }
        if by.is_zero() {
            self.interrupt(id);
            self.release_held(id);
        } else {
            host.held.get_or_insert_default();
            self.interrupt(id);
            self.work_on(id);
        }
    }

    /// Lets a host find what came in, in order and before anything else comes up.
    fn release_held(&mut self, id: HostId) {
        if let Some(held) = self.hosts[id.index()].held.take() {
            self.released.extend(held.events);
        }
    }

    /// A slow host without work begins with the next thing that is worth it.
    pub(super) fn work_on(&mut self, id: HostId) {
        loop {
            let host = &mut self.hosts[id.index()];
            let local = host.local(self.now).as_nanos();
            let Some(held) = &mut host.held else { return };
            if held.pace == Pace::Paused || held.work.is_some() {
                return;
            }
            let Some((ticket, event)) = held.first() else {
                return;
            };
            if let Event::Timer { place, .. } = event
                && !host.timers.is_due(place, ticket, local)
            {
                // The node took it back while it waited here.
                held.pop();
                self.account(Held::EVENT, 0);
                self.fire(ticket, id, place);
                continue;
            }
            let done = self.now + (host.slow_by - held.worked);
            match self.queue.push(done.as_nanos(), Event::Worked { host: id }) {
                Ok(entry) => held.work = Some((entry, self.now)),
                Err(Full) => {
                    self.ended.get_or_insert(End::QueueFull);
                }
            }
            return;
        }
    }

    /// A host is done with the first thing that it holds.
    pub(super) fn worked(&mut self, entry: u64, id: HostId) -> Option<DueInput<TimerOf<P>>> {
        let held = self.hosts[id.index()].held.as_mut();
        let Some(held) = held.filter(|held| held.is_entry(entry)) else {
            self.stale = self.stale.saturating_sub(1);
            return None;
        };
        held.work = None;
        held.worked = Span::ZERO;
        let (ticket, event) = held.pop()?;
        self.account(Held::EVENT, 0);
        let due = self.hand_over(ticket, event);
        if due.is_none() {
            self.work_on(id);
        }
        due
    }

    /// A host stops to work; how far it is, it keeps.
    fn interrupt(&mut self, id: HostId) {
        if let Some(held) = &mut self.hosts[id.index()].held
            && let Some((_, since)) = held.work.take()
        {
            held.worked = held.worked + self.now.since(since);
            self.stale += 1;
            self.sweep_queue();
        }
    }
}
