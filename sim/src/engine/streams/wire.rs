//! Packets on their way: over a link as datagrams go, into the kernel of a host, and to the end that they are for.

use std::collections::VecDeque;

use squall_nodes::{HostId, Protocol, Span};

use super::end::Taken;
use super::packet::{Kind, Packet, Sending};
use super::{Place, Side};
use crate::digest::Tag;
use crate::engine::event::Event;
use crate::engine::network::{Departure, Passage};
use crate::engine::queue::Full;
use crate::engine::spares::{Buffers, taken_by};
use crate::engine::{End as RunEnd, Engine};
use crate::plan::HEADERS;
use crate::timeline::cues::Deed;

/// What a packet has besides what it carries: an IPv4 header and a TCP header without options.
const PACKET_HEADERS: u64 = 40;
/// How many bytes a packet carries at most on a link without an MTU: what Ethernet leaves of 1500.
const LONGEST: usize = 1_460;

/// A packet on its way.
pub(super) struct Parcel {
    /// The end that it is for, and the hosts that it goes between.
    to: Place,
    hosts: (HostId, HostId),
    packet: Packet,
}

impl Parcel {
    /// The end that it is for.
    pub(super) fn to(&self) -> Place {
        self.to
    }
}

/// The packets that are on their way.
#[derive(Default)]
pub(super) struct Parcels {
    slots: Vec<Option<Parcel>>,
    free: Vec<u32>,
}

impl Parcels {
    /// How many bytes of memory a packet takes on its way.
    fn cost(packet: &Packet) -> usize {
        taken_by(packet.bytes.len()) + size_of::<Option<Parcel>>() + size_of::<u32>()
    }

    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        for parcel in self.slots.drain(..).flatten() {
            buffers.put(parcel.packet.bytes);
        }
        self.free.clear();
    }

    fn put(&mut self, parcel: Parcel) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(parcel);
        slot
    }

    fn take(&mut self, slot: u32) -> Option<Parcel> {
        let parcel = self.slots[slot as usize].take()?;
        self.free.push(slot);
        Some(parcel)
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// How many bytes a packet may carry from one host to another.
    pub(in crate::engine) fn longest_payload(&self, from: HostId, to: HostId) -> usize {
        if to.index() >= self.hosts.len() {
            return LONGEST;
        }
        let mtu = self.links.mtu(from, to);
        mtu.map_or(LONGEST, |mtu| {
            (u64::from(mtu).saturating_sub(PACKET_HEADERS) as usize).clamp(1, LONGEST)
        })
    }

    /// Sends a packet from an end to the other one.
    pub(super) fn ship(&mut self, from: Place, packet: Packet) {
        let Some(connection) = self.streams.connection(from) else {
            return;
        };
        let hosts = (connection.host(from.side), connection.host(from.side.other()));
        let counts = &mut self.traffic.streams;
        counts.packets += 1;
        counts.sent_again += u64::from(packet.sending == Sending::Again);
        let parcel = Parcel {
            to: from.other(),
            hosts,
            packet,
        };
        if hosts.1.index() >= self.hosts.len() {
            self.lose(parcel);
            return;
        }
        if self.layers.cut_any() && self.cut(hosts.0, hosts.1) {
            self.links.skip(&self.draws, &self.keys, hosts.0, hosts.1);
            self.hold_up(&parcel);
            self.lose(parcel);
            return;
        }
        if self.links.is_beyond(hosts.0, hosts.1) {
            self.hold_up(&parcel);
        }
        if parcel.packet.sending == Sending::Probe && self.hosts[hosts.1.index()].held.is_some() {
            self.hold_up_end(from);
        }
        let departure = Departure {
            from: hosts.0,
            to: hosts.1,
            now: self.now,
            len: parcel.packet.bytes.len() + (PACKET_HEADERS - HEADERS) as usize,
        };
        let passage = self
            .links
            .send(&self.draws, &self.keys, &mut self.faults, departure);
        match passage {
            Passage::Once(latency) => self.launch_parcel(latency, parcel),
            Passage::Twice(first, second) => {
                self.traffic.streams.duplicated += 1;
                let copy = self.copy_of(&parcel);
                self.launch_parcel(first, parcel);
                self.launch_parcel(second, copy);
            }
            // The checksum tells what is corrupted.
            Passage::Flawed {
                copy: Some(latency), ..
            } => {
                self.traffic.streams.duplicated += 1;
                self.launch_parcel(latency, parcel);
            }
            Passage::Flawed { copy: None, .. } | Passage::Lost | Passage::Congested | Passage::TooLong => {
                self.lose(parcel);
            }
        }
    }

    fn copy_of(&mut self, parcel: &Parcel) -> Parcel {
        let packet = &parcel.packet;
        Parcel {
            to: parcel.to,
            hosts: parcel.hosts,
            packet: Packet {
                bytes: self.buffers.filled(&packet.bytes),
                ..*packet
            },
        }
    }

    fn launch_parcel(&mut self, latency: Span, parcel: Parcel) {
        let host = parcel.hosts.1;
        self.account(0, Parcels::cost(&parcel.packet));
        let parcel = self.streams.parcels.put(parcel);
        let at = self.now + latency;
        if self.queue.push(at.as_nanos(), Event::Parcel { host, parcel }) == Err(Full) {
            self.ended.get_or_insert(RunEnd::QueueFull);
        }
    }

    /// A packet comes to its host.
    pub(in crate::engine) fn take_parcel(&mut self, parcel: u32) {
        let Some(mut parcel) = self.streams.parcels.take(parcel) else {
            return;
        };
        self.account(Parcels::cost(&parcel.packet), 0);
        let (from, to) = parcel.hosts;
        if self.layers.cut_any() && self.layers.between(from, to).next().is_some() {
            self.cut(from, to);
            self.hold_up(&parcel);
            self.lose(parcel);
            return;
        }
        if !self.hosts[to.index()].has_power() {
            self.hold_up(&parcel);
            self.lose(parcel);
            return;
        }
        let packet = &mut parcel.packet;
        match self.streams.end(parcel.to) {
            Some(end) if end.exists() => {
                let taken = self.at_end(parcel.to, |end, desk| end.take(packet, desk));
                if taken == Some(Taken::Opened) {
                    self.opened(parcel.to);
                }
            }
            None if packet.kind == Kind::Syn => self.accept(parcel.to, packet),
            _ if packet.kind != Kind::Reset => self.deny(parcel.to),
            _ => {}
        }
        self.buffers.put(parcel.packet.bytes);
    }

    /// A connection has just been opened from an end, whose node has not been told.
    fn opened(&mut self, place: Place) {
        let Some(connection) = self.streams.connection(place) else {
            return;
        };
        let (host, to) = (connection.host(place.side), connection.host(place.side.other()));
        self.traffic.streams.opened += 1;
        let incarnation = self.hosts[host.index()].incarnation;
        self.cued(host, incarnation, Deed::OpenedTo(to));
    }

    /// Somebody asks for a connection.
    fn accept(&mut self, place: Place, asked: &Packet) {
        let Some(connection) = self.streams.connection(place) else {
            return;
        };
        let asks = connection.end(Side::Dialler).is_some_and(super::End::is_dialling);
        if place.side != Side::Listener || !asks {
            // It was under way for so long that nobody waits for an answer.
            return;
        }
        let (host, port) = (
            connection.host(Side::Listener),
            connection.address(Side::Listener).port(),
        );
        let law = &self.plan.network.streams;
        let kernel = &self.streams.kernels[host.index()];
        if !self.hosts[host.index()].is_up()
            || !kernel.listening.contains(port)
            || kernel.accepted >= law.connections
        {
            self.deny(place);
            return;
        }
        // Linux opens one more than it is told to.
        let untold = kernel.untold.get(&port).map_or(0, VecDeque::len);
        let is_full = untold > law.listen_backlog as usize;
        if is_full || self.make_end(place).is_none() {
            return;
        }
        self.at_end(place, |end, desk| end.answer(asked, desk));
    }

    /// Lets the other end of a connection know that there is nothing at a place, if anyone is there to hear it.
    fn deny(&mut self, place: Place) {
        if self.streams.end(place.other()).is_some_and(super::End::exists) {
            let packet = Packet {
                kind: Kind::Reset,
                ..Packet::default()
            };
            self.ship(place, packet);
        }
    }

    /// A packet is lost.
    fn lose(&mut self, parcel: Parcel) {
        self.traffic.streams.lost += 1;
        let (from, to) = parcel.hosts;
        let packet = parcel.packet;
        let len = packet.bytes.len() as u32;
        self.digest.head(
            Tag::PacketLost,
            self.now.as_nanos(),
            to.0,
            packet.from,
            from.0,
            len,
        );
        self.digest.bytes(&packet.bytes);
        self.buffers.put(packet.bytes);
    }
}
