//! A datagram's way out: through the links and the cuts into the queue.

use std::net::SocketAddrV4;

use squall_nodes::{Change, HostId, Protocol, Span, Time};

use super::event::{Datagram, Event};
use super::network::{Departure, Flaw, Passage};
use super::queue::Full;
use super::see::By;
use super::{End, Engine};
use crate::digest::Tag;
use crate::plan::{address_of, host_at};
use crate::trace::Fate;

/// The longest payload that a UDP datagram can have over IPv4.
const LONGEST_DATAGRAM: usize = 65_507;

/// A datagram on its way out.
#[derive(Clone, Copy)]
struct Letter<'b> {
    from: HostId,
    port: u16,
    to: SocketAddrV4,
    /// Who would have that address.
    receiver: HostId,
    bytes: &'b [u8],
}

impl<P: Protocol> Engine<'_, P> {
    /// Sends a datagram from a host's port.
    #[inline(always)]
    pub(super) fn send(&mut self, from: HostId, port: u16, to: SocketAddrV4, bytes: &[u8]) {
        self.traffic.sent += 1;
        let letter = Letter {
            from,
            port,
            to,
            receiver: host_at(*to.ip()),
            bytes,
        };
        let known = letter.receiver.index() < self.hosts.len();
        if !known || bytes.len() > LONGEST_DATAGRAM || !self.hosts[from.index()].ports.contains(port) {
            self.traffic.to_nobody += 1;
            self.give_up(letter, Fate::NoSuchPlace);
            return;
        }
        if self.layers.cut_any() && self.cut(from, letter.receiver) {
            // It takes its draws with it all the same, so that a cut changes nothing for what is sent after it.
            self.links.skip(&self.draws, &self.keys, from, letter.receiver);
            self.traffic.cut += 1;
            self.give_up(letter, Fate::Cut);
            return;
        }
        let departure = Departure {
            from,
            to: letter.receiver,
            now: self.now,
            len: bytes.len(),
        };
        let passage = self
            .links
            .send(&self.draws, &self.keys, &mut self.faults, departure);
        let fate = match passage {
            Passage::Once(latency) => {
                self.launch(latency, None, letter);
                Fate::Underway
            }
            Passage::Twice(first, second) => {
                self.launch_twice([first, second], letter);
                Fate::Doubled
            }
            Passage::Lost => {
                self.traffic.lost += 1;
                self.give_up(letter, Fate::Lost);
                return;
            }
            Passage::Flawed { latency, flaw, copy } => self.launch_flawed(latency, flaw, copy, letter),
            Passage::Congested => {
                self.traffic.congested += 1;
                self.choke(letter, Fate::Congested, By::itself("queue"));
                return;
            }
            Passage::TooLong => {
                self.traffic.too_long += 1;
                self.choke(letter, Fate::TooLong, By::itself("mtu"));
                return;
            }
        };
        if self.tracer.is_some() {
            self.trace_sent(letter, fate);
        }
    }

    #[cold]
    fn launch_flawed(&mut self, latency: Span, flaw: Flaw, copy: Option<Span>, letter: Letter<'_>) -> Fate {
        self.traffic.corrupted += 1;
        self.launch(latency, Some(flaw), letter);
        match copy {
            Some(latency) => {
                self.traffic.duplicated += 1;
                self.launch(latency, None, letter);
                Fate::CorruptedAndDoubled
            }
            None => Fate::Corrupted,
        }
    }

    #[cold]
    fn launch_twice(&mut self, latencies: [Span; 2], letter: Letter<'_>) {
        self.traffic.duplicated += 1;
        for latency in latencies {
            self.launch(latency, None, letter);
        }
    }

    #[inline(always)]
    fn launch(&mut self, latency: Span, flaw: Option<Flaw>, letter: Letter<'_>) {
        let Ok((lies, bytes)) = self.payloads.store(
            letter.bytes,
            self.most_held.saturating_sub(self.held),
            &mut self.buffers,
        ) else {
            self.ended.get_or_insert(End::TooMuchHeld);
            self.stranded += 1;
            return;
        };
        let mut datagram = Datagram {
            to: letter.receiver,
            from: letter.from,
            from_port: letter.port,
            to_port: letter.to.port(),
            len: letter.bytes.len() as u16,
            lies,
            bytes,
        };
        if let Some(flaw) = flaw {
            self.payloads.corrupt(&mut datagram, flaw);
        }
        let at = self.now + latency;
        if latency > self.plan.tolerated.latency {
            self.straggles(letter, at);
        }
        if self.queue.push(at.as_nanos(), Event::Datagram(datagram)) == Err(Full) {
            self.ended.get_or_insert(End::QueueFull);
            self.stranded += 1;
        }
    }

    /// A datagram takes longer than is tolerated. Where a layer is why, it may well arrive when that has been healed: those who watch
    /// for quiet have to know. Of what the plan's own laws let through, one of a thousand may take so long.
    #[cold]
    fn straggles(&mut self, letter: Letter<'_>, at: Time) {
        let Letter {
            from, receiver: to, ..
        } = letter;
        if self.links.is_beyond(from, to) {
            self.push(at, Event::Straggler { from, to });
        }
    }

    /// Whether a cut is in the way; counts for each that is.
    #[cold]
    pub(super) fn cut(&mut self, from: HostId, to: HostId) -> bool {
        let mut cut = false;
        self.cut_drops += 1;
        for step in self.layers.between(from, to) {
            // A step that lies in the way with several layers has dropped one datagram all the same.
            if self.last_cut_drop[step] != self.cut_drops {
                self.last_cut_drop[step] = self.cut_drops;
                self.faults[step].affected += 1;
            }
            cut = true;
        }
        cut
    }

    /// A link has no room for a datagram, and those who watch are told.
    #[cold]
    fn choke(&mut self, letter: Letter<'_>, fate: Fate, by: By<'_>) {
        self.give_up(letter, fate);
        let Letter {
            from, receiver: to, ..
        } = letter;
        self.change(Change::Choked { from, to }, by);
    }

    /// Digests a datagram that is never on its way, with all its bytes: what a node says counts, whether it is heard or not.
    #[cold]
    fn give_up(&mut self, letter: Letter<'_>, fate: Fate) {
        let ports = u64::from(letter.port) << 16 | u64::from(letter.to.port());
        self.digest.head(
            Tag::Dropped,
            self.now.as_nanos(),
            letter.receiver.0,
            ports << 8 | number_of(fate),
            letter.from.0,
            letter.bytes.len() as u32,
        );
        self.digest.bytes(letter.bytes);
        self.trace_sent(letter, fate);
    }

    #[cold]
    fn trace_sent(&mut self, letter: Letter<'_>, fate: Fate) {
        if let Some(tracer) = &mut self.tracer {
            let source = SocketAddrV4::new(address_of(letter.from), letter.port);
            tracer.sent(self.now, letter.from, source, letter.to, letter.bytes, fate);
        }
    }
}

/// What a fate is in the digest; the numbers are part of its format. Only what is never on its way has one there.
fn number_of(fate: Fate) -> u64 {
    match fate {
        Fate::Underway => 16,
        Fate::Doubled => 17,
        Fate::Lost => 18,
        Fate::Cut => 19,
        Fate::NoSuchPlace => 20,
        Fate::Congested => 21,
        Fate::TooLong => 22,
        Fate::Corrupted => 23,
        Fate::CorruptedAndDoubled => 24,
    }
}
