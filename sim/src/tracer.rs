//! Takes down the record of a run while it happens.

use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::{Describe, HostId, Time};
use xxhash_rust::xxh3::xxh3_64;

use crate::trace::{Fate, Happening, Trace, TraceEvent};

pub(crate) struct Tracer {
    trace: Trace,
    describer: Box<dyn Describe>,
}

impl Tracer {
    /// A blank record. Packets are put into words by `describer`.
    pub(crate) fn new(hosts: Vec<String>, ips: Vec<Ipv4Addr>, describer: Box<dyn Describe>) -> Self {
        Tracer {
            trace: Trace {
                hosts,
                ips,
                events: Vec::new(),
            },
            describer,
        }
    }

    pub(crate) fn note(&mut self, at: Time, host: Option<HostId>, what: Happening) {
        self.trace.events.push(TraceEvent { at, host, what });
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
        let says = self.describer.datagram(from, to, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        self.note(
            at,
            Some(host),
            Happening::Sent {
                to: to.to_string(),
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
        let says = self.describer.datagram(from, to, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        self.note(
            at,
            Some(host),
            Happening::Received {
                from: from.to_string(),
                says,
                len,
                hash,
            },
        );
    }

    pub(crate) fn finish(self) -> Trace {
        self.trace
    }
}
