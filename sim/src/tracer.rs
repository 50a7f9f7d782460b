//! Takes down the record of a run while it happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use squall_nodes::{Describe, HostId, Time};
use xxhash_rust::xxh3::xxh3_64;

use crate::plan::host_at;
use crate::trace::{Fate, Happening, Trace, TraceEvent};

/// How much of a run is taken down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything that happens.
    All,
    /// What anyone outside the nodes can know of it: claims, calls and answers, changes of the world, and a violation.
    Seen,
}

pub(crate) struct Tracer {
    depth: Depth,
    trace: Trace,
    describer: Box<dyn Describe>,
    /// For each host the text of an address that datagrams come from or go to: most hosts have but one.
    addresses: Vec<(SocketAddrV4, Arc<str>)>,
}

impl Tracer {
    /// A blank record of such a depth. Packets are put into words by `describer`.
    pub(crate) fn new(
        hosts: Vec<String>,
        ips: Vec<Ipv4Addr>,
        describer: Box<dyn Describe>,
        depth: Depth,
    ) -> Self {
        let addresses = ips
            .iter()
            .map(|ip| SocketAddrV4::new(*ip, 0))
            .map(|address| (address, address.to_string().into()))
            .collect();
        Tracer {
            depth,
            addresses,
            trace: Trace {
                hosts,
                ips,
                events: Vec::new(),
            },
            describer,
        }
    }

    pub(crate) fn note(&mut self, at: Time, host: Option<HostId>, what: Happening) {
        let is_seen = matches!(
            what,
            Happening::Fact { .. }
                | Happening::Call { .. }
                | Happening::Answer { .. }
                | Happening::World { .. }
                | Happening::Violated { .. }
        );
        if is_seen || self.depth == Depth::All {
            self.trace.events.push(TraceEvent { at, host, what });
        }
    }

    pub(crate) fn sent(
        &mut self,
        at: Time,
        host: HostId,
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: &[u8],
        fate: Fate,
    ) {
        if self.depth == Depth::Seen {
            return;
        }
        let says = self.describer.datagram(from, to, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        let to = self.text_of(to);
        self.note(
            at,
            Some(host),
            Happening::Sent {
                to,
                fate,
                says,
                len,
                hash,
            },
        );
    }

    pub(crate) fn received(
        &mut self,
        at: Time,
        host: HostId,
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: &[u8],
    ) {
        if self.depth == Depth::Seen {
            return;
        }
        let says = self.describer.datagram(from, to, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        let from = self.text_of(from);
        self.note(
            at,
            Some(host),
            Happening::Received {
                from,
                says,
                len,
                hash,
            },
        );
    }

    pub(crate) fn finish(self) -> Trace {
        self.trace
    }

    /// An address as text, which the events of a trace share.
    fn text_of(&mut self, address: SocketAddrV4) -> Arc<str> {
        match self.addresses.get_mut(host_at(*address.ip()).index()) {
            Some((known, text)) => {
                if *known != address {
                    *known = address;
                    *text = address.to_string().into();
                }
                text.clone()
            }
            // Nobody's: a node may send where there is no host.
            None => address.to_string().into(),
        }
    }
}
