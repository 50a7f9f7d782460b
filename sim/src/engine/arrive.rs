//! A datagram's way in: to a node, into the buffer of a paused or slow host, or nowhere; and what never got there in the run.

use std::net::SocketAddrV4;

use squall_nodes::Protocol;

use super::Engine;
use super::event::{Datagram, Event, Lies};
use super::queue::{Place, Popped};
use super::take::{DueInput, TimerOf, What};
use crate::digest::Tag;
use crate::outcome::Digest;
use crate::plan::address_of;
use crate::trace::{DropCause, Happening};

impl<P: Protocol> Engine<'_, P> {
    #[inline(always)]
    pub(super) fn take_datagram(&mut self, ticket: u64, place: Place) -> Option<DueInput<TimerOf<P>>> {
        let Event::Datagram(datagram) = self.queue.event(place) else {
            return None;
        };
        let to = datagram.to;
        let host = &self.hosts[to.index()];
        let cause = if self.layers.cut_any() && self.layers.between(datagram.from, to).next().is_some() {
            Some(DropCause::Cut)
        } else if host.node.is_none() {
            Some(DropCause::Down)
        } else if !host.ports.contains(datagram.to_port) {
            Some(DropCause::PortClosed)
        } else if let Some(held) = &host.held {
            if held.has_room(datagram) {
                let event = Event::Datagram(*datagram);
                self.hold(to, ticket, event);
                return None;
            }
            Some(DropCause::BufferFull)
        } else {
            None
        };
        if let Some(why) = cause {
            let datagram = *datagram;
            self.drop_arrived(datagram, why);
            return None;
        }
        self.deliver(place)
    }

    /// Hands the datagram that lies at `place` to the node on its host, which is running.
    #[inline(always)]
    pub(super) fn deliver(&mut self, place: Place) -> Option<DueInput<TimerOf<P>>> {
        let Event::Datagram(datagram) = self.queue.event(place) else {
            return None;
        };
        let to = datagram.to;
        let ports = u64::from(datagram.from_port) << 16 | u64::from(datagram.to_port);
        let (from, len) = (datagram.from.0, u32::from(datagram.len));
        let now = self.now.as_nanos();
        match datagram.lies {
            Lies::Inline => {
                let bytes = &datagram.bytes;
                self.digest
                    .short(Tag::Datagram, now, to.0, ports, from, len, bytes);
            }
            Lies::Outside => {
                self.digest.head(Tag::Datagram, now, to.0, ports, from, len);
                self.digest.bytes(datagram.payload(&self.payloads));
                self.told = Some(*datagram);
            }
        }
        self.traffic.delivered += 1;
        if self.tracer.is_some() {
            let datagram = *datagram;
            self.trace_received(&datagram);
        }
        Some(DueInput {
            host: to,
            what: What::Datagram(place),
        })
    }

    #[cold]
    pub(super) fn drop_arrived(&mut self, datagram: Datagram, why: DropCause) {
        match why {
            DropCause::Cut => {
                self.traffic.cut += 1;
                self.cut(datagram.from, datagram.to);
            }
            DropCause::BufferFull => self.traffic.overflowed += 1,
            DropCause::Down | DropCause::PortClosed => self.traffic.to_nobody += 1,
        }
        self.digest_dropped(&datagram, Tag::Dropped, why as u64);
        let from = SocketAddrV4::new(address_of(datagram.from), datagram.from_port);
        self.trace(Some(datagram.to), || Happening::Dropped {
            from: from.to_string(),
            why,
        });
        self.payloads.release(&datagram, &mut self.buffers);
    }

    /// The digest of the run that is over, with what is still on its way or held back for a paused or slow host, which is counted as well.
    /// What waits behind a write is not sent.
    pub(crate) fn finish_digest(&mut self) -> Digest {
        let mut held_back = std::mem::take(&mut self.held_back);
        held_back.clear();
        let held = self.hosts.iter().filter_map(|host| host.held.as_ref());
        for (ticket, event) in held.flat_map(|held| &held.events).chain(&self.released) {
            if let Event::Datagram(datagram) = event {
                held_back.push((*ticket, *datagram));
            }
        }
        held_back.sort_unstable_by_key(|(ticket, _)| *ticket);
        self.traffic.in_flight = self.stranded;
        // What is held back stands for the beginning of the run, among what the queue has for it. The queue is emptied as it is
        // told: a list of what is in it would be as long as the queue.
        let mut held = held_back.iter().peekable();
        while let Some(Popped { at, ticket, place }) = self.queue.pop() {
            let Event::Datagram(datagram) = *self.queue.event(place) else {
                continue;
            };
            while let Some((_, earlier)) = held.next_if(|(earlier, _)| (0, *earlier) < (at, ticket)) {
                self.digest_in_flight(earlier);
            }
            self.digest_in_flight(&datagram);
        }
        for (_, datagram) in held {
            self.digest_in_flight(datagram);
        }
        self.held_back = held_back;
        debug_assert!(
            self.traffic.is_balanced(),
            "every datagram is accounted for: {:?}",
            self.traffic
        );
        self.digest.finish()
    }

    fn digest_in_flight(&mut self, datagram: &Datagram) {
        self.traffic.in_flight += 1;
        self.digest_dropped(datagram, Tag::InFlight, 0);
    }

    /// Digests a datagram that no node took.
    #[cold]
    fn digest_dropped(&mut self, datagram: &Datagram, tag: Tag, why: u64) {
        let ports = u64::from(datagram.from_port) << 16 | u64::from(datagram.to_port);
        self.digest.head(
            tag,
            self.now.as_nanos(),
            datagram.to.0,
            ports << 8 | why,
            datagram.from.0,
            u32::from(datagram.len),
        );
        self.digest.bytes(datagram.payload(&self.payloads));
    }

    #[cold]
    fn trace_received(&mut self, datagram: &Datagram) {
        if let Some(tracer) = &mut self.tracer {
            let from = SocketAddrV4::new(address_of(datagram.from), datagram.from_port);
            let to = SocketAddrV4::new(address_of(datagram.to), datagram.to_port);
            tracer.received(self.now, datagram.to, from, to, datagram.payload(&self.payloads));
        }
    }
}
