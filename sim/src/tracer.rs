//! Takes down the record of a run while it happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use squall_nodes::{Change, Describe, HostId, Time};
use xxhash_rust::xxh3::xxh3_64;

use crate::engine::By;
use crate::plan::{Cue, Step, Trigger, host_at};
use crate::trace::{Cause, Fate, Happening, Trace, TraceEvent};
use crate::words::ordinal;

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
    /// Puts into words what is read from streams, which is in other pieces than what was written.
    reader: Box<dyn Describe>,
    /// For each host the text of an address that datagrams come from or go to: most hosts have but one.
    addresses: Vec<(SocketAddrV4, Arc<str>)>,
}

impl Tracer {
    /// A blank record of such a depth. Packets, and what is written to streams, are put into words by the first of `describers`, what is
    /// read from streams by the second.
    pub(crate) fn new(
        hosts: Vec<String>,
        ips: Vec<Ipv4Addr>,
        describers: [Box<dyn Describe>; 2],
        depth: Depth,
    ) -> Self {
        let [describer, reader] = describers;
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
            reader,
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

    /// A connection between these ends begins.
    pub(crate) fn begins(&mut self, one: SocketAddrV4, other: SocketAddrV4) {
        self.describer.begins(one, other);
        self.reader.begins(one, other);
    }

    /// The node on a host wrote to a connection; `ends` are its own address and the other.
    pub(crate) fn wrote(
        &mut self,
        at: Time,
        host: HostId,
        conn: u64,
        ends: (SocketAddrV4, SocketAddrV4),
        bytes: &[u8],
    ) {
        if self.depth == Depth::Seen {
            return;
        }
        let says = self.describer.stream(ends.0, ends.1, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        let to = self.text_of(ends.1);
        self.note(
            at,
            Some(host),
            Happening::Wrote {
                conn,
                to,
                says,
                len,
                hash,
            },
        );
    }

    /// The node on a host was told bytes of a connection; `ends` are the other address and its own.
    pub(crate) fn read(
        &mut self,
        at: Time,
        host: HostId,
        conn: u64,
        ends: (SocketAddrV4, SocketAddrV4),
        bytes: &[u8],
    ) {
        if self.depth == Depth::Seen {
            return;
        }
        let says = self.reader.stream(ends.0, ends.1, bytes);
        let (len, hash) = (bytes.len() as u32, xxh3_64(bytes));
        let from = self.text_of(ends.0);
        self.note(
            at,
            Some(host),
            Happening::Read {
                conn,
                from,
                says,
                len,
                hash,
            },
        );
    }

    /// The world changed, by a step of a timeline or by itself. `facts` are the names of all facts.
    pub(crate) fn changed(
        &mut self,
        at: Time,
        change: &Change,
        by: By<'_>,
        timeline: &[Step],
        facts: &[&str],
    ) {
        let what = changed(change, by, timeline, facts, &self.trace.hosts);
        self.note(at, None, what);
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

/// A change of the world, by a step of a timeline or by itself, as a trace has it. `hosts` and `facts` are all names of both.
pub(crate) fn changed(
    change: &Change,
    by: By<'_>,
    timeline: &[Step],
    facts: &[&str],
    hosts: &[String],
) -> Happening {
    let fault = match by.actor.and_then(|actor| hosts.get(actor.index())) {
        Some(actor) => by.label.replace("@actor", actor),
        None => by.label.to_owned(),
    };
    let planned = by.step.and_then(|place| Some((place, timeline.get(place)?)));
    let cause = planned.map(|(place, step)| Cause {
        entry: place as u32,
        kind: step.fault.kind().to_owned(),
        actor: by.actor,
        when: by
            .actor
            .and_then(|actor| when(actor, &step.trigger, hosts, facts)),
    });
    let change = change.clone();
    Happening::World { change, fault, cause }
}

/// What triggered a fault, in words: `when c4 had completed a write`, `1s after c1 claimed promoted`.
fn when(actor: HostId, trigger: &Trigger, hosts: &[String], facts: &[&str]) -> Option<String> {
    /// More receivers than that are counted.
    const MOST_NAMED: usize = 3;
    let Trigger::When { cue, by, nth, after } = trigger else {
        return None;
    };
    let name = |host: &HostId| hosts.get(host.index()).map_or("?", String::as_str);
    let did = match cue {
        Cue::Fact(fact) => format!("claimed {}", facts.get(*fact).copied().unwrap_or("a fact")),
        Cue::PersistBegun => "had begun a write".to_owned(),
        Cue::PersistCompleted => "had completed a write".to_owned(),
        Cue::Send(to) => match to.as_slice() {
            [] => "had sent a datagram".to_owned(),
            [one] => format!("had sent a datagram to {}", name(one)),
            few if few.len() <= MOST_NAMED => {
                let names: Vec<&str> = few.iter().map(name).collect();
                format!("had sent a datagram to one of {}", names.join(" "))
            }
            many => format!("had sent a datagram to one of {} hosts", many.len()),
        },
        Cue::Open(to) => match to.as_slice() {
            [] => "had opened a connection".to_owned(),
            [one] => format!("had opened a connection to {}", name(one)),
            few if few.len() <= MOST_NAMED => {
                let names: Vec<&str> = few.iter().map(name).collect();
                format!("had opened a connection to one of {}", names.join(" "))
            }
            many => format!("had opened a connection to one of {} hosts", many.len()),
        },
    };
    // Where several are waited for, what each of them does counts.
    let count = match (nth, by.as_slice()) {
        (1, _) => String::new(),
        (nth, [_]) => format!(" for the {} time", ordinal(*nth)),
        (nth, _) => format!(", the {} time in all", ordinal(*nth)),
    };
    let actor = name(&actor);
    Some(if after.is_zero() {
        format!("when {actor} {did}{count}")
    } else {
        format!("{after} after {actor} {did}{count}")
    })
}
