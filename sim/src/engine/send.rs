//! A datagram's way out: through the links and the cuts into the queue.

use std::net::SocketAddrV4;

use squall_nodes::{HostId, Protocol, Span};

use super::event::{Datagram, Event};
use super::network::Passage;
use super::{End, Engine};
use crate::digest::Tag;
use crate::plan::{address_of, host_at};
use crate::trace::Fate;

/// The longest payload that a UDP datagram can have over IPv4.
const LONGEST_DATAGRAM: usize = 65_507;

impl<P: Protocol> Engine<'_, P> {
    /// Sends a datagram from a host's port.
    #[inline(always)]
    pub(super) fn send(&mut self, from: HostId, port: u16, to: SocketAddrV4, bytes: &[u8]) {
        self.traffic.sent += 1;
        let receiver = host_at(*to.ip());
        let known = receiver.index() < self.hosts.len();
        if !known || bytes.len() > LONGEST_DATAGRAM || !self.hosts[from.index()].ports.contains(port) {
            self.traffic.to_nobody += 1;
            self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::NoSuchPlace);
            self.trace_sent(from, port, to, bytes, Fate::NoSuchPlace);
            return;
        }
        // The draw comes first, so that a cut changes nothing for what is sent after it.
        let passage = self.links.send(&self.draws, &self.keys, from, receiver);
        if self.cuts.any() && self.cut(from, receiver) {
            self.traffic.cut += 1;
            self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::Cut);
            self.trace_sent(from, port, to, bytes, Fate::Cut);
            return;
        }
        let fate = match passage {
            Passage::Lost => {
                self.traffic.lost += 1;
                self.digest_unsent(from, port, receiver, to.port(), bytes, Fate::Lost);
                Fate::Lost
            }
            Passage::Once(latency) => {
                self.launch(latency, from, port, receiver, to.port(), bytes);
                Fate::Underway
            }
            Passage::Twice(first, second) => {
                self.launch_twice([first, second], from, port, receiver, to.port(), bytes);
                Fate::Doubled
            }
        };
        if self.tracer.is_some() {
            self.trace_sent(from, port, to, bytes, fate);
        }
    }

    #[cold]
    fn launch_twice(
        &mut self,
        latencies: [Span; 2],
        from: HostId,
        from_port: u16,
        to: HostId,
        to_port: u16,
        bytes: &[u8],
    ) {
        self.traffic.duplicated += 1;
        for latency in latencies {
            self.launch(latency, from, from_port, to, to_port, bytes);
        }
    }

    #[inline(always)]
    fn launch(
        &mut self,
        latency: Span,
        from: HostId,
        from_port: u16,
        to: HostId,
        to_port: u16,
        bytes: &[u8],
    ) {
        let len = bytes.len() as u16;
        let Ok((lies, bytes)) = self
            .payloads
            .store(bytes, self.most_held.saturating_sub(self.held))
        else {
            self.ended.get_or_insert(End::TooMuchHeld);
            return;
        };
        self.push(
            self.now + latency,
            Event::Datagram(Datagram {
                to,
                from,
                from_port,
                to_port,
                len,
                lies,
                bytes,
            }),
        );
    }

    /// Whether a cut is in the way; counts for each that is.
    #[cold]
    pub(super) fn cut(&mut self, from: HostId, to: HostId) -> bool {
        let mut cut = false;
        self.cut_drops += 1;
        for step in self.cuts.between(from, to) {
            // A step that lies in the way with several layers has dropped one datagram all the same.
            if self.last_cut_drop[step] != self.cut_drops {
                self.last_cut_drop[step] = self.cut_drops;
                self.faults[step].affected += 1;
            }
            cut = true;
        }
        cut
    }

    /// Digests a datagram that is never on its way, with all its bytes: what a node says counts, whether it is heard or not.
    #[cold]
    fn digest_unsent(&mut self, from: HostId, port: u16, to: HostId, to_port: u16, bytes: &[u8], fate: Fate) {
        let ports = u64::from(port) << 16 | u64::from(to_port);
        self.digest.head(
            Tag::Dropped,
            self.now.as_nanos(),
            to.0,
            ports << 8 | (16 + fate as u64),
            from.0,
            bytes.len() as u32,
        );
        self.digest.bytes(bytes);
    }

    #[cold]
    fn trace_sent(&mut self, from: HostId, port: u16, to: SocketAddrV4, bytes: &[u8], fate: Fate) {
        if let Some(tracer) = &mut self.tracer {
            let source = SocketAddrV4::new(address_of(from), port);
            tracer.sent(self.now, from, source, to, bytes, fate);
        }
    }
}
