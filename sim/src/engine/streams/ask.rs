//! What nodes ask for of streams: at once, or behind a write.

use std::net::SocketAddrV4;

use squall_nodes::{ConnId, HostId, Protocol};

use super::end::Reading;
use super::{EPHEMERAL, Kernel, Place, Side};
use crate::digest::Tag;
use crate::engine::Engine;
use crate::engine::host::Waiting;
use crate::plan::{address_of, host_at};
use crate::trace::Happening;

/// Something that a node asks for, on its own.
pub(crate) enum Asked {
    Listen { port: u16 },
    Dial { conn: ConnId, to: SocketAddrV4 },
    Write { conn: ConnId, bytes: Vec<u8> },
    PauseReading { conn: ConnId },
    ResumeReading { conn: ConnId },
    Close { conn: ConnId },
}

impl Asked {
    /// What it is in the digest; the numbers are part of its format.
    fn code(&self) -> u32 {
        match self {
            Asked::Listen { .. } => 1,
            Asked::Dial { .. } => 2,
            Asked::Write { .. } => 3,
            Asked::PauseReading { .. } => 4,
            Asked::ResumeReading { .. } => 5,
            Asked::Close { .. } => 6,
        }
    }

    /// The number of what it is about.
    fn about(&self) -> u64 {
        match self {
            Asked::Listen { port } => u64::from(*port),
            Asked::Dial { conn, .. }
            | Asked::Write { conn, .. }
            | Asked::PauseReading { conn }
            | Asked::ResumeReading { conn }
            | Asked::Close { conn } => conn.0,
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Does what a node asks for, or lets it wait behind the write that is under way.
    #[cold]
    #[inline(never)]
    pub(in crate::engine) fn ask(&mut self, id: HostId, asked: Asked) {
        match (&self.hosts[id.index()].barrier, &asked) {
            (None, _) => self.asked(id, asked),
            (Some(barrier), Asked::Close { conn }) if barrier.has_failed() => self.break_off(id, *conn),
            // How a node reads, nobody sees: it is no matter of what is on its disk. What it has not dialled yet is not there.
            (Some(_), Asked::PauseReading { conn } | Asked::ResumeReading { conn })
                if self.streams.named(id, *conn).is_some() =>
            {
                self.asked(id, asked);
            }
            (Some(_), _) => self.wait(id, Waiting::Stream(asked)),
        }
    }

    /// Resets a connection whose node has closed it, behind a write that failed: what was to be written before is dropped, and nobody
    /// but the node could ever close it again, which takes it for closed.
    pub(in crate::engine) fn break_off(&mut self, id: HostId, conn: ConnId) {
        if let Some(place) = self.streams.named(id, conn) {
            self.streams.forget(id, conn);
            self.at_end(place, |end, desk| end.abandon(desk));
        }
    }

    /// The same for bytes that are to be written.
    #[cold]
    #[inline(never)]
    pub(in crate::engine) fn ask_to_write(&mut self, id: HostId, conn: ConnId, bytes: &[u8]) {
        let bytes = self.buffers.filled(bytes);
        self.ask(id, Asked::Write { conn, bytes });
    }

    /// Does what a node asked for.
    pub(in crate::engine) fn asked(&mut self, id: HostId, asked: Asked) {
        if self.streams.kernels.is_empty() {
            self.streams
                .kernels
                .resize_with(self.hosts.len(), Kernel::default);
        }
        let (code, about) = (asked.code(), asked.about());
        let address;
        let bytes: &[u8] = match &asked {
            Asked::Write { bytes, .. } => bytes,
            Asked::Dial { to, .. } => {
                let [a, b, c, d] = to.ip().octets();
                let [high, low] = to.port().to_be_bytes();
                address = [a, b, c, d, high, low];
                &address
            }
            _ => &[],
        };
        let len = bytes.len() as u32;
        self.digest
            .head(Tag::Asked, self.now.as_nanos(), id.0, about, code, len);
        self.digest.bytes(bytes);
        self.trace_asked(id, &asked);
        match asked {
            Asked::Listen { port } => self.streams.kernels[id.index()].listening.open(port),
            Asked::Dial { conn, to } => self.dial(id, conn, to),
            Asked::Write { conn, bytes } => {
                if let Some(place) = self.streams.named(id, conn) {
                    self.traffic.streams.written += bytes.len() as u64;
                    let may_wait = self.may_wait(id, place);
                    self.at_end(place, |end, desk| end.write(&bytes, may_wait, desk));
                }
                self.buffers.put(bytes);
            }
            Asked::PauseReading { conn } => self.read(id, conn, Reading::Paused),
            Asked::ResumeReading { conn } => self.read(id, conn, Reading::On),
            Asked::Close { conn } => {
                if let Some(place) = self.streams.named(id, conn) {
                    self.streams.forget(id, conn);
                    self.at_end(place, |end, desk| end.close(desk));
                }
            }
        }
    }

    #[cold]
    fn trace_asked(&mut self, id: HostId, asked: &Asked) {
        let (now, host) = (self.now, Some(id));
        let Some(tracer) = &mut self.tracer else { return };
        let named = |conn| {
            let place = self.streams.named(id, conn)?;
            let connection = self.streams.connection(place)?;
            Some((
                connection.address(place.side),
                connection.address(place.side.other()),
            ))
        };
        match asked {
            Asked::Listen { port } => tracer.note(now, host, Happening::Listening { port: *port }),
            Asked::Dial { conn, to } => tracer.note(
                now,
                host,
                Happening::Dialling {
                    conn: conn.0,
                    to: to.to_string().into(),
                },
            ),
            Asked::Write { conn, bytes } => {
                if let Some((from, to)) = named(*conn) {
                    tracer.wrote(now, id, conn.0, (from, to), bytes);
                }
            }
            Asked::PauseReading { conn } => tracer.note(now, host, Happening::PausedReading { conn: conn.0 }),
            Asked::ResumeReading { conn } => {
                tracer.note(now, host, Happening::ResumedReading { conn: conn.0 })
            }
            Asked::Close { conn } => {
                if let Some((_, to)) = named(*conn) {
                    let (conn, to) = (conn.0, to.to_string().into());
                    tracer.note(now, host, Happening::Closing { conn, to });
                }
            }
        }
    }

    fn read(&mut self, id: HostId, conn: ConnId, reading: Reading) {
        if let Some(place) = self.streams.named(id, conn) {
            self.at_end(place, |end, _| end.reading = reading);
        }
    }

    fn dial(&mut self, id: HostId, conn: ConnId, to: SocketAddrV4) {
        let host = &self.hosts[id.index()];
        let key = self
            .draws
            .connection(self.keys[id.index()], host.incarnation, conn.0);
        let port = self.ephemeral(id);
        let from = SocketAddrV4::new(address_of(id), port);
        let place = self.streams.connect([id, host_at(*to.ip())], [from, to], key);
        if self.make_end(place).is_none() {
            return;
        }
        self.streams.name(id, conn, place);
        let (ip, law) = (to.ip(), &self.plan.network.streams);
        let cannot_be = ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || to.port() == 0;
        if cannot_be || self.streams.kernels[id.index()].own >= law.connections {
            self.at_end(place, |end, desk| end.dial_in_vain(conn, desk));
        } else {
            self.at_end(place, |end, desk| end.dial(conn, desk));
        }
    }

    /// How many bytes of an end may wait that its send buffer has no room for.
    fn may_wait(&self, id: HostId, place: Place) -> u64 {
        let law = &self.plan.network.streams;
        let own = self
            .streams
            .end(place)
            .map_or(0, |end| end.waiting(law.send_buffer));
        let others = self.streams.kernels[id.index()].waiting - own;
        law.backlog.min(law.backlogs.saturating_sub(others))
    }

    /// The port that the next connection comes from which a host dials: one after the other, and none that its node has in use.
    fn ephemeral(&mut self, id: HostId) -> u16 {
        let ports = EPHEMERAL.len() as u64;
        let streams = &mut self.streams;
        for _ in 0..ports {
            let kernel = &mut streams.kernels[id.index()];
            let port = EPHEMERAL.start() + (kernel.dialled % ports) as u16;
            kernel.dialled += 1;
            // Before the first of them comes again, none is in use.
            let used = |place: &Place| {
                place.side == Side::Dialler
                    && streams.connections[place.slot as usize]
                        .address(Side::Dialler)
                        .port()
                        == port
            };
            if kernel.dialled <= ports || !kernel.names.iter().any(|(_, place)| used(place)) {
                return port;
            }
        }
        *EPHEMERAL.start()
    }
}
