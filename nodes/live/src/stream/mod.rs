//! The stream connections of a live host, over TCP.
//!
//! - Here: what the node asks for, and how many connections there may be.
//! - `turns`: what happens to connections, one after the other, so that none keeps another waiting.
//! - `conn`: one connection, from the dial to its end; `wire`: its bytes as they are, or through TLS; `tls`: from which files.
//! - `socket`: what the kernel is told of each; `held`: what the edge holds of each while a policy is in force.
//!
//! All sockets are watched by one epoll instance of their own, which the runtime watches in turn: a wait costs nothing for connections
//! that nothing happens to. Bytes are read when the node gets them, and not before: what it does not read waits in the kernel, whose
//! buffers are bounded, and the peer feels it.

mod conn;
mod held;
mod socket;
mod tls;
mod turns;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use squall_nodes::{Closed, ConnId, Span, Time};
use tokio::io::unix::AsyncFd;

use crate::edge::Edge;
use crate::error::{LiveError, about_tcp};
use crate::line::{Counts, StreamCounts};
use crate::settings::Streams as Settings;
use crate::status::Streams as Status;
use crate::watch::watched;
pub(crate) use conn::What;
use conn::{Conn, OpenedBy, Phase, Reading, Then};
use held::{Around, Held};
pub(crate) use tls::Tls;
use wire::Wire;

/// How many bytes are read at a time, from one connection.
const ROOM: usize = 64 * 1024;
/// Where the numbers begin of connections that others have opened, so that they are none that the node's own dials get. Programs that keep
/// numbers as floating-point ones keep these, too.
const ACCEPTED: u64 = 1 << 52;
/// Marks the ports among the numbers by which the kernel speaks of sockets.
const PORTS: u64 = 1 << 63;

/// Finds out whether a port can be listened on. Nobody who dials it hears of that.
pub(crate) fn may_listen(at: SocketAddrV4) -> Result<(), LiveError> {
    socket::bound(at).map(drop).map_err(|why| cannot_listen(at, &why))
}

/// Why a port is not listened on.
pub(crate) fn cannot_listen(at: SocketAddrV4, why: &io::Error) -> LiveError {
    let why = about_tcp(at.into(), why);
    LiveError::Port { at, why }
}

/// The stream connections of a host.
pub(crate) struct Streams {
    ip: Ipv4Addr,
    settings: Settings,
    tls: Option<Tls>,
    /// What watches all sockets; there is none before the first of them.
    watch: Option<AsyncFd<OwnedFd>>,
    /// Whether the kernel may have something to say that it was not asked.
    unasked: bool,
    ports: BTreeMap<u16, Port>,
    conns: BTreeMap<u64, Conn>,
    /// Who gets a turn, in order.
    turns: VecDeque<Turn>,
    /// When something is to be done about which connection.
    deadlines: BTreeSet<(Time, u64)>,
    /// How many connections others have opened, each of them, and this node.
    by_peer: BTreeMap<Ipv4Addr, usize>,
    by_others: usize,
    by_us: usize,
    /// How many were accepted.
    accepted: u64,
    /// Bytes that wait to be written, of all connections.
    backlogs: usize,
    /// When ports are opened again that were shut since the machine had no more sockets.
    short_until: Option<Time>,
    /// The last that is known of the clock.
    now: Time,
    /// What was read last.
    room: Vec<u8>,
    counts: StreamCounts,
}

/// A port that connections are accepted on.
struct Port {
    listener: TcpListener,
    /// Whether it accepts.
    is_shut: bool,
    has_turn: bool,
}

/// Who gets a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Port(u16),
    Conn(u64),
}

impl Streams {
    pub(crate) fn new(ip: Ipv4Addr, settings: Settings, tls: Option<Tls>) -> Self {
        Streams {
            ip,
            settings,
            tls,
            watch: None,
            unasked: false,
            ports: BTreeMap::new(),
            conns: BTreeMap::new(),
            turns: VecDeque::new(),
            deadlines: BTreeSet::new(),
            by_peer: BTreeMap::new(),
            by_others: 0,
            by_us: 0,
            accepted: 0,
            backlogs: 0,
            short_until: None,
            now: Time::ZERO,
            room: Vec::new(),
            counts: StreamCounts::default(),
        }
    }

    /// What became of connections so far.
    pub(crate) fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// For those who ask how the node is.
    pub(crate) fn status(&self) -> Status {
        let closing = self.conns.values().filter(|conn| conn.is_closing()).count();
        Status {
            ports: self.ports.keys().copied().collect(),
            open: self.conns.len() - closing,
            closing,
            backlogs: self.backlogs,
            held: self
                .conns
                .values()
                .filter_map(|conn| conn.held.as_ref())
                .map(|held| held.bytes())
                .sum(),
        }
    }

    /// Accepts connections on a port. Must be called inside a runtime.
    pub(crate) fn listen(&mut self, port: u16) -> io::Result<()> {
        if self.ports.contains_key(&port) {
            return Ok(());
        }
        self.begin()?;
        let listener = socket::listen(SocketAddrV4::new(self.ip, port), &self.settings)?;
        self.watch_over(&listener, PORTS | u64::from(port))?;
        // With the port that there is, where the system was to choose one.
        let address = tracing::field::display(listener.local_addr()?);
        tracing::info!(address, "connections are accepted");
        self.ports.insert(
            port,
            Port {
                listener,
                is_shut: false,
                has_turn: false,
            },
        );
        self.mind_the_ports();
        Ok(())
    }

    /// Takes note of a connection that is dialled when what is ahead of it is on the disk.
    pub(crate) fn dials_later(&mut self, id: ConnId, to: SocketAddrV4) {
        let conn = Conn::new(to, OpenedBy::Us, Phase::Waiting);
        self.conns.insert(id.0, conn);
        self.by_us += 1;
    }

    /// Opens a connection. Must be called inside a runtime.
    pub(crate) fn dial(
        &mut self,
        id: ConnId,
        to: SocketAddrV4,
        now: Time,
        edge: &mut Edge,
        counts: &mut Counts,
    ) {
        if !self.conns.contains_key(&id.0) {
            self.dials_later(id, to);
        }
        self.counts.dialled += 1;
        self.now = now;
        // When a cut is in the way, it is dialled later, and outside of a runtime. If it fails, so will that.
        let _ = self.begin();
        if edge.is_in_force()
            && let Some(conn) = self.conns.get_mut(&id.0)
        {
            let held = Held::new(edge.cuts(*to.ip()), self.settings.receive_buffer);
            conn.held = Some(held);
        }
        self.set_deadline(id.0, now + self.settings.connect_timeout);
        self.call(id.0, now, edge, counts);
    }

    /// Dials a connection, unless a cut is in the way: then it is tried again when its kernel would ask again.
    fn call(&mut self, id: u64, since: Time, edge: &mut Edge, counts: &mut Counts) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let (to, now) = (conn.peer, self.now);
        let then = match conn.phase {
            Phase::Calling { then } => then,
            _ => Then::Stay,
        };
        if let Some(held) = &mut conn.held
            && edge.cuts(*to.ip()).any()
        {
            edge.note_cut(*to.ip(), counts);
            held.asks_again(since, now);
            conn.phase = Phase::Calling { then };
            conn.tell_whether_stuck(now, edge);
            self.set_alarm(id);
            return;
        }
        let begun = self.begin_dial(id, to);
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        match begun {
            Ok((socket, wire)) => {
                conn.phase = Phase::Dialled { then };
                (conn.socket, conn.wire) = (Some(socket), wire);
            }
            Err(how) => {
                let backlog = conn.backlog();
                conn.is_over(how);
                self.backlogs = self.backlogs - backlog + conn.backlog();
                self.set_deadline(id, Time::MAX);
            }
        }
        self.give_turn(id);
    }

    /// Takes in what has come in by now.
    pub(crate) fn take_in(&mut self, now: Time, edge: &mut Edge, counts: &mut Counts) {
        self.now = now;
        self.may_have_more();
        self.hear_kernel();
        let mut around = Around {
            now,
            edge,
            counts,
            settings: &self.settings,
        };
        for conn in self.conns.values_mut().filter(|conn| conn.is_open()) {
            conn.take_in(&mut self.room, &mut around, false);
        }
    }

    /// Another policy is in force. What has come in by now is [taken in](Self::take_in): it goes by the one before.
    pub(crate) fn fall_under_policy(&mut self, now: Time, edge: &mut Edge, counts: &mut Counts) {
        self.now = now;
        let all: Vec<u64> = self.conns.keys().copied().collect();
        for id in all {
            let mut around = Around {
                now,
                edge,
                counts,
                settings: &self.settings,
            };
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.falls_under_policy(&mut around);
                conn.tell_whether_stuck(now, around.edge);
            }
            // It may be about to be told anything, or to be told it later.
            self.wake(id);
        }
    }

    /// Gives a connection a turn, whether there is something to do about it or not.
    fn wake(&mut self, id: u64) {
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.has_turn
            && !matches!(conn.phase, Phase::Waiting | Phase::Calling { .. })
        {
            conn.has_turn = true;
            self.turns.push_back(Turn::Conn(id));
        }
    }

    fn begin_dial(&mut self, id: u64, to: SocketAddrV4) -> Result<(std::net::TcpStream, Wire), Closed> {
        // The kernel would take the first for any address of this machine.
        let cannot_be = to.ip().is_unspecified() || to.ip().is_multicast() || to.ip().is_broadcast();
        if cannot_be || to.port() == 0 || self.by_us > self.settings.connections {
            return Err(Closed::Refused);
        }
        let refused = |why: io::Error| {
            tracing::warn!(%to, %why, "a connection could not be dialled");
            socket::ending_of_dial(&why)
        };
        self.begin().map_err(refused)?;
        let wire = match &self.tls {
            None => Wire::Plain,
            Some(tls) => {
                let session = tls.dials(*to.ip());
                Wire::Tls(Box::new(session.map_err(|why| refused(io::Error::other(why)))?))
            }
        };
        let socket = socket::dial(self.ip, to, &self.settings).map_err(refused)?;
        self.watch_over(&socket, id).map_err(refused)?;
        Ok((socket, wire))
    }

    /// Writes all of it: what the kernel has no room for waits.
    pub(crate) fn write(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        now: Time,
        edge: &mut Edge,
        counts: &mut Counts,
    ) {
        self.now = now;
        let Some(conn) = self.conns.get_mut(&id.0) else {
            return;
        };
        if conn.is_closing() || bytes.is_empty() || matches!(conn.phase, Phase::Over(_) | Phase::Gone) {
            return;
        }
        self.counts.written += bytes.len() as u64;
        if conn.held.is_some() {
            let mut around = Around {
                now,
                edge,
                counts,
                settings: &self.settings,
            };
            let is_there = conn.writes_under_policy(&mut around);
            conn.tell_whether_stuck(now, around.edge);
            self.wake(id.0);
            if !is_there {
                return;
            }
        }
        let Some(conn) = self.conns.get_mut(&id.0) else {
            return;
        };
        let before = conn.backlog();
        let room = self.settings.backlogs - (self.backlogs - before);
        let most = self.settings.backlog.min(room);
        let has_room = conn.write(bytes, self.settings.send_buffer, most);
        if !has_room {
            conn.is_over(Closed::Reset);
        }
        self.backlogs = self.backlogs - before + conn.backlog();
        if !has_room {
            self.counts.overrun += 1;
            self.set_deadline(id.0, Time::MAX);
        }
        self.give_turn(id.0);
    }

    /// Reads no more for now.
    pub(crate) fn pause_reading(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id.0) {
            conn.reading = Reading::Paused;
        }
    }

    /// Reads again.
    pub(crate) fn resume_reading(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id.0) {
            conn.reading = Reading::On;
            // What the edge holds may have arrived meanwhile.
            self.wake(id.0);
        }
    }

    /// Takes note that the node has closed a connection, which is done when what is ahead of it is on the disk.
    pub(crate) fn closes_later(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id.0) {
            conn.close_waits = true;
        }
    }

    /// Closes a connection in order, after what was written.
    pub(crate) fn close(&mut self, id: ConnId, now: Time) {
        let Some(conn) = self.conns.get_mut(&id.0) else {
            return;
        };
        if conn.is_closing() {
            return;
        }
        let was_over = matches!(conn.phase, Phase::Over(_));
        conn.close();
        // At once: what the node says afterwards, it says of a connection that it has closed.
        conn.say_the_end();
        self.counts.ended += u64::from(!was_over);
        self.now = now;
        if let Phase::Closing { .. } = conn.phase {
            self.set_deadline(id.0, now + self.settings.user_timeout);
        }
        self.give_turn(id.0);
    }

    /// What waited for the disk is dropped. The connections that were to be closed behind it are broken off.
    pub(crate) fn nothing_waits(&mut self) {
        let waiting = self.conns.iter().filter(|(_, conn)| conn.phase == Phase::Waiting);
        let waiting: Vec<u64> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.forget(id);
        }
        let closed = self.conns.iter().filter(|(_, conn)| conn.close_waits);
        let closed: Vec<u64> = closed.map(|(id, _)| *id).collect();
        for id in closed {
            self.break_off(ConnId(id));
        }
    }

    /// Resets a connection whose node has closed it, behind a write that failed: what was to be written before is dropped, and nobody
    /// but the node could ever close it again, which takes it for closed.
    pub(crate) fn break_off(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id.0) else {
            return;
        };
        conn.close_waits = false;
        if conn.is_closing() {
            return;
        }
        let backlog = conn.backlog();
        let was_over = matches!(conn.phase, Phase::Over(_));
        conn.breaks_off();
        self.backlogs -= backlog;
        self.counts.ended += u64::from(!was_over);
        self.give_turn(id.0);
    }

    /// Closes everything in order, and accepts no more.
    pub(crate) fn close_all(&mut self, now: Time) {
        self.ports.clear();
        let all: Vec<u64> = self.conns.keys().copied().collect();
        for id in all {
            self.close(ConnId(id), now);
        }
    }

    /// Whether there is no connection any more.
    pub(crate) fn are_gone(&self) -> bool {
        self.conns.is_empty()
    }

    /// Makes what watches the sockets, and room to read into.
    fn begin(&mut self) -> io::Result<()> {
        if self.watch.is_none() {
            allow_descriptors(2 * self.settings.connections);
            self.watch = Some(watched(epoll::create(epoll::CreateFlags::CLOEXEC)?)?);
            self.room = vec![0; ROOM];
        }
        Ok(())
    }

    /// Lets the kernel tell what happens to a socket from now on. It forgets the socket when that is closed.
    fn watch_over(&self, socket: impl AsFd, number: u64) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        if let Some(watch) = &self.watch {
            let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
            epoll::add(watch.get_ref(), socket, epoll::EventData::new_u64(number), flags)?;
        }
        Ok(())
    }

    fn set_deadline(&mut self, id: u64, at: Time) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.deadline = at;
            self.set_alarm(id);
        }
    }

    /// Sees to it that something is done about a connection when it is due.
    fn set_alarm(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let at = conn.due();
        if at == conn.alarm {
            return;
        }
        self.deadlines.remove(&(conn.alarm, id));
        conn.alarm = at;
        if at < Time::MAX {
            self.deadlines.insert((at, id));
        }
    }

    /// Opens the ports while there is room for more connections, and shuts them while there is none.
    fn mind_the_ports(&mut self) {
        let no_room = self.by_others >= self.settings.connections || self.short_until.is_some();
        for port in self.ports.values_mut().filter(|port| port.is_shut != no_room) {
            let done = if no_room {
                socket::shut(&port.listener)
            } else {
                socket::reopen(&port.listener, &self.settings)
            };
            match done {
                Ok(()) => {
                    port.is_shut = no_room;
                    self.counts.shut += u64::from(no_room);
                }
                Err(why) => tracing::warn!(%why, "a port could not be shut or opened again"),
            }
        }
    }
}

/// Lets the process have so many more descriptors than usual, as far as it may.
fn allow_descriptors(more: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const USUAL: u64 = 256;
    let wanted = USUAL + more as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let allowed = limit.maximum.map_or(wanted, |most| most.min(wanted));
    limit.current = Some(allowed);
    if setrlimit(Resource::Nofile, limit).is_err() || allowed < wanted {
        tracing::warn!(
            wanted,
            allowed,
            "this process may open fewer descriptors than the connections that it may have take"
        );
    }
}

/// How long ports stay shut when the machine has no more sockets for this process.
const SHORT_FOR: Span = Span::from_millis(100);
