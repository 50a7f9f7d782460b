//! Streams: virtual TCP, packet by packet, between the kernels of simulated machines.
//!
//! Here are the connections of a run and where they are found. Each has two ends, one in the kernel of each host; an end knows of the
//! other only what packets say, and a packet is delayed, lost, doubled and cut on its link as a datagram is. So what a cut, a kill
//! or a power cut does to a connection is not a rule of its own, but comes of what the kernels hear.
//!
//! - The machine that knows no engine: an `end` with its `sender` and its `receiver`, the `rto` by which it sends again, the `packet`s
//!   that it speaks in, and the `rope` that its bytes lie in.
//! - The engine's part: `ask` (what nodes ask for), `wire` (packets out and in), `tell` (what nodes are told), `fate` (what becomes
//!   of connections when machines go down).
//!
//! Where it is simpler than Linux: there is no congestion window (see `sender`); every packet that carries anything is acknowledged at
//! once; the kernel knows the MTU of a link without trying; what is short goes out at once (`TCP_NODELAY`); kernels count true time;
//! and no connection is ever taken for another, since a packet names its own by a number that no other has.

mod ask;
mod end;
mod fate;
mod packet;
mod receiver;
mod rope;
mod rto;
mod sender;
mod stuck;
mod tell;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use squall_nodes::{Closed, ConnId, HostId, Protocol, StreamEvent};

pub(super) use ask::Asked;

use end::{End, Owner};
use packet::{Desk, Packet};

use super::event::Event;
use super::host::Ports;
use super::queue::Full;
use super::spares::{ALLOCATION, Buffers};
use super::{End as RunEnd, Engine};
use crate::plan::StreamLaw;

/// How many connections there may be at once in a run.
pub(crate) const MOST_CONNECTIONS: usize = 1 << 18;
/// How many bytes of memory each end takes, besides what lies in its buffers.
const END: usize = size_of::<End>() + size_of::<Connection>() / 2 + ALLOCATION;
/// The ports that dialled connections come from: `ip_local_port_range` of Linux.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;
/// How many ends that were cleared are kept.
const MOST_SPARE_ENDS: usize = 1 << 12;

/// The connections of a run. Nothing is allocated before the first.
pub(crate) struct Streams {
    connections: Vec<Connection>,
    /// Places among them that are free.
    free: Vec<u32>,
    /// For each host what its kernel knows of them.
    kernels: Vec<Kernel>,
    parcels: wire::Parcels,
    /// How many ends are stuck, by from whom to whom.
    stuck: BTreeMap<(HostId, HostId), u32>,
    #[expect(
        clippy::vec_box,
        reason = "a connection holds a box, which goes to and fro as it is"
    )]
    spare: Vec<Box<End>>,
    /// What an end sends.
    out: Vec<Packet>,
    /// What a node is told now, of which connection, and the bytes of it.
    conn: ConnId,
    told: Told,
    bytes: Vec<u8>,
}

struct Connection {
    /// How many connections were at this place before.
    generation: u32,
    /// Who dialled, and who was dialled, who may be nobody; and their addresses.
    hosts: [HostId; 2],
    at: [SocketAddrV4; 2],
    ends: [Option<Box<End>>; 2],
    /// The key of its draws.
    key: u64,
    /// How each end counts where it is.
    counts: [Counts; 2],
}

/// How an end counts among those of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Not,
    /// It was dialled by the node.
    Dialled,
    /// It was opened by a peer, and the node does not know of it yet.
    Untold,
    /// It was opened by a peer.
    Told,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    slot: u32,
    generation: u32,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Who dialled.
    Dialler = 0,
    /// Who was dialled.
    Listener = 1,
}

/// What the kernel of a host knows.
#[derive(Default)]
struct Kernel {
    /// The ports that its node listens on.
    listening: Ports,
    /// The connections of its node, by their numbers.
    names: Vec<(ConnId, Place)>,
    /// How many connections were dialled from here, and how many of those there are.
    dialled: u64,
    own: u32,
    /// How many there are that the node was told others have opened, and how many of each of them.
    accepted: u32,
    by_peer: BTreeMap<HostId, u32>,
    /// Those that the node does not know of yet, by the port, in the order in which they were asked for.
    untold: BTreeMap<u16, VecDeque<Place>>,
    /// How many bytes wait that send buffers have no room for.
    waiting: u64,
}

/// What a node is told of a connection.
#[derive(Clone, Copy, Debug)]
enum Told {
    Opened,
    Accepted {
        port: u16,
        from: SocketAddrV4,
    },
    /// Those that lie in [`Streams::bytes`].
    Bytes,
    Blocked,
    Writable,
    Closed(Closed),
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Dialler => Side::Listener,
            Side::Listener => Side::Dialler,
        }
    }
}

impl Place {
    fn other(self) -> Place {
        Place {
            side: self.side.other(),
            ..self
        }
    }
}

impl Connection {
    fn host(&self, side: Side) -> HostId {
        self.hosts[side as usize]
    }

    /// The address of an end.
    fn address(&self, side: Side) -> SocketAddrV4 {
        self.at[side as usize]
    }

    fn end(&self, side: Side) -> Option<&End> {
        self.ends[side as usize].as_deref()
    }
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            connections: Vec::new(),
            free: Vec::new(),
            kernels: Vec::new(),
            parcels: wire::Parcels::default(),
            stuck: BTreeMap::new(),
            spare: Vec::new(),
            out: Vec::new(),
            conn: ConnId(0),
            told: Told::Opened,
            bytes: Vec::new(),
        }
    }
}

impl Streams {
    /// Forgets all connections; what was allocated stays, here or among the spares.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        for connection in self.connections.drain(..) {
            for end in connection.ends.into_iter().flatten() {
                keep(&mut self.spare, end, buffers);
            }
        }
        self.free.clear();
        for kernel in &mut self.kernels {
            kernel.listening.clear();
            kernel.names.clear();
            (kernel.dialled, kernel.own, kernel.accepted, kernel.waiting) = (0, 0, 0, 0);
            kernel.by_peer.clear();
            kernel.untold.clear();
        }
        self.parcels.clear(buffers);
        self.stuck.clear();
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.connections.len() - self.free.len()
    }

    /// What the node is told that [`What::Stream`](super::take::What) is for.
    pub(super) fn event(&self) -> (ConnId, StreamEvent<'_>) {
        let event = match self.told {
            Told::Opened => StreamEvent::Opened,
            Told::Accepted { port, from } => StreamEvent::Accepted { port, from },
            Told::Bytes => StreamEvent::Bytes(&self.bytes),
            Told::Blocked => StreamEvent::Blocked,
            Told::Writable => StreamEvent::Writable,
            Told::Closed(why) => StreamEvent::Closed(why),
        };
        (self.conn, event)
    }

    /// Whether an entry of the queue wakes an end, by its ticket.
    pub(super) fn wakes(&self, place: Place, ticket: u64) -> bool {
        self.end(place)
            .is_some_and(|end| end.entries.alarm.is_some_and(|(_, entry)| entry == ticket))
    }

    fn connection(&self, place: Place) -> Option<&Connection> {
        let connection = self.connections.get(place.slot as usize)?;
        (connection.generation == place.generation).then_some(connection)
    }

    fn end(&self, place: Place) -> Option<&End> {
        self.connection(place)?.end(place.side)
    }

    /// The end that a host's node calls by a number.
    fn named(&self, host: HostId, conn: ConnId) -> Option<Place> {
        let names = &self.kernels.get(host.index())?.names;
        let place = names.binary_search_by_key(&conn, |(name, _)| *name).ok()?;
        Some(names[place].1)
    }

    fn name(&mut self, host: HostId, conn: ConnId, place: Place) {
        let names = &mut self.kernels[host.index()].names;
        // Numbers are given in order, but what waited behind a write is named later.
        let at = names.partition_point(|(name, _)| *name < conn);
        names.insert(at, (conn, place));
    }

    fn forget(&mut self, host: HostId, conn: ConnId) {
        let names = &mut self.kernels[host.index()].names;
        if let Ok(at) = names.binary_search_by_key(&conn, |(name, _)| *name) {
            names.remove(at);
        }
    }

    /// An end counts as something else from now on.
    fn recount(&mut self, place: Place, after: Counts) {
        let connection = &mut self.connections[place.slot as usize];
        let before = std::mem::replace(&mut connection.counts[place.side as usize], after);
        if before == after {
            return;
        }
        let (host, peer) = (connection.host(place.side), connection.host(place.side.other()));
        let port = connection.address(place.side).port();
        let kernel = &mut self.kernels[host.index()];
        match before {
            Counts::Not => {}
            Counts::Dialled => kernel.own -= 1,
            Counts::Untold => {
                // Most are told in the order in which they were asked for.
                if let Some(untold) = kernel.untold.get_mut(&port)
                    && let Some(at) = untold.iter().position(|untold| *untold == place)
                {
                    untold.remove(at);
                }
            }
            Counts::Told => {
                kernel.accepted -= 1;
                if let Entry::Occupied(mut of_peer) = kernel.by_peer.entry(peer) {
                    *of_peer.get_mut() -= 1;
                    if *of_peer.get() == 0 {
                        of_peer.remove();
                    }
                }
            }
        }
        match after {
            Counts::Not => {}
            Counts::Dialled => kernel.own += 1,
            Counts::Untold => kernel.untold.entry(port).or_default().push_back(place),
            Counts::Told => {
                kernel.accepted += 1;
                *kernel.by_peer.entry(peer).or_default() += 1;
            }
        }
    }

    /// Makes a connection without ends.
    fn connect(&mut self, hosts: [HostId; 2], at: [SocketAddrV4; 2], key: u64) -> Place {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(Connection {
                generation: 0,
                hosts,
                at,
                ends: [None, None],
                key,
                counts: [Counts::Not; 2],
            });
            self.connections.len() as u32 - 1
        });
        let connection = &mut self.connections[slot as usize];
        (connection.hosts, connection.at, connection.key) = (hosts, at, key);
        connection.counts = [Counts::Not; 2];
        Place {
            slot,
            generation: connection.generation,
            side: Side::Dialler,
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Makes an end at a place that has none. `None` when there are more connections than there may be.
    fn make_end(&mut self, place: Place) -> Option<()> {
        let streams = &mut self.streams;
        if streams.open() > self.most_connections {
            self.ended.get_or_insert(RunEnd::TooManyConnections);
            return None;
        }
        let end = streams.spare.pop().unwrap_or_else(|| Box::new(End::new()));
        streams.connections[place.slot as usize].ends[place.side as usize] = Some(end);
        self.account(0, END);
        Some(())
    }

    /// Lets something happen to an end, if there is one, and does what comes of it: what it sends goes out, it is woken when it likes,
    /// its node is told, and it is forgotten when nobody has any use for it.
    fn at_end<R>(&mut self, place: Place, act: impl FnOnce(&mut End, &mut Desk<'_>) -> R) -> Option<R> {
        let connection = self.streams.connection(place)?;
        let (from, to) = (connection.host(place.side), connection.host(place.side.other()));
        let most = self.longest_payload(from, to);
        let end = &mut self.streams.connections[place.slot as usize].ends[place.side as usize];
        let end = end.as_mut()?;
        let mut desk = Desk {
            now: self.now,
            most,
            law: &self.plan.network.streams,
            buffers: &mut self.buffers,
            out: &mut self.streams.out,
        };
        let send_buffer = desk.law.send_buffer;
        let (before, waited) = (end.taken(), end.waiting(send_buffer));
        let result = act(end, &mut desk);
        let (after, waits) = (end.taken(), end.waiting(send_buffer));
        let waiting = &mut self.streams.kernels[from.index()].waiting;
        *waiting = *waiting - waited + waits;
        self.account(before, after);
        let mut out = std::mem::take(&mut self.streams.out);
        for packet in out.drain(..) {
            self.ship(place, packet);
        }
        self.streams.out = out;
        self.settle(place);
        Some(result)
    }

    /// Sees to it that an end is woken, its node told, and that it is forgotten in the end.
    fn settle(&mut self, place: Place) {
        let connection = &mut self.streams.connections[place.slot as usize];
        let host = connection.hosts[place.side as usize];
        let to = connection.hosts[place.side.other() as usize];
        let Some(end) = &mut connection.ends[place.side as usize] else {
            return;
        };
        let goes_on = end.goes_on();
        let is_done = end.is_done();
        let counts = match (end.owner, place.side) {
            (Owner::Untold, _) => Counts::Untold,
            (Owner::Node(_), Side::Dialler) => Counts::Dialled,
            (Owner::Node(_), Side::Listener) => Counts::Told,
            // What its node has closed counts as it did for as long as it takes, and no longer than the node's patience.
            (Owner::Kernel, _) if end.is_being_closed() => connection.counts[place.side as usize],
            (Owner::Kernel, _) => Counts::Not,
        };
        self.streams.recount(place, counts);
        if goes_on {
            self.flows(host, to);
        }
        if is_done {
            self.remove_end(place);
            return;
        }
        let Some(end) = &mut self.streams.connections[place.slot as usize].ends[place.side as usize] else {
            return;
        };
        if end.entries.telling == end::Telling::No && end.notice().is_some() {
            end.entries.telling = end::Telling::Soon;
            let incarnation = self.hosts[host.index()].incarnation;
            let tell = Event::Tell {
                host,
                incarnation,
                place,
            };
            self.push(self.now, tell);
        }
        self.set_alarm(place, host);
    }

    /// Sees to it that an end is woken when it likes: by the entry that there is, if that comes up in time.
    fn set_alarm(&mut self, place: Place, host: HostId) {
        let end = &mut self.streams.connections[place.slot as usize].ends[place.side as usize];
        let Some(end) = end else { return };
        let Some(due) = end.due(&self.plan.network.streams) else {
            return;
        };
        match end.entries.alarm {
            Some((at, _)) if at <= due => return,
            Some(_) => self.stale += 1,
            None => {}
        }
        let due = due.max(self.now);
        match self.queue.push(due.as_nanos(), Event::Alarm { host, place }) {
            Ok(ticket) => end.entries.alarm = Some((due, ticket)),
            Err(Full) => {
                self.ended.get_or_insert(RunEnd::QueueFull);
            }
        }
        self.sweep_queue();
    }

    /// An entry comes up that may wake an end.
    pub(super) fn alarm(&mut self, ticket: u64, place: Place) {
        if !self.streams.wakes(place, ticket) {
            self.stale = self.stale.saturating_sub(1);
            return;
        }
        let now = self.now;
        let law = &self.plan.network.streams;
        self.at_end(place, |end, desk| {
            end.entries.alarm = None;
            if end.due(law).is_some_and(|due| due <= now) {
                end.wake(desk);
            }
        });
    }

    /// Nobody has any use for an end.
    fn remove_end(&mut self, place: Place) {
        let streams = &mut self.streams;
        let connection = &mut streams.connections[place.slot as usize];
        let Some(end) = connection.ends[place.side as usize].take() else {
            return;
        };
        let (host, to) = (connection.host(place.side), connection.host(place.side.other()));
        streams.recount(place, Counts::Not);
        streams.kernels[host.index()].waiting -= end.waiting(self.plan.network.streams.send_buffer);
        let connection = &mut streams.connections[place.slot as usize];
        if connection.ends.iter().all(Option::is_none) {
            connection.generation += 1;
            streams.free.push(place.slot);
        }
        let gone = END + end.taken();
        let was_stuck = end.is_stuck();
        self.stale += usize::from(end.entries.alarm.is_some());
        keep(&mut streams.spare, end, &mut self.buffers);
        self.account(gone, 0);
        self.sweep_queue();
        if was_stuck {
            self.flows(host, to);
        }
    }
}

impl Kernel {
    /// Whether a peer has as many connections to here as it may have.
    fn is_crowded_by(&self, peer: HostId, law: &StreamLaw) -> bool {
        self.by_peer
            .get(&peer)
            .is_some_and(|of_peer| *of_peer >= law.of_peer)
    }
}

/// Keeps an end to be used again.
#[expect(
    clippy::vec_box,
    reason = "a connection holds a box, which goes to and fro as it is"
)]
fn keep(spare: &mut Vec<Box<End>>, mut end: Box<End>, buffers: &mut Buffers) {
    end.clear(buffers);
    if spare.len() < MOST_SPARE_ENDS {
        spare.push(end);
    }
}
