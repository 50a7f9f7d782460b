//! What nodes are told of their connections, and in how many pieces their bytes come.

use std::net::SocketAddrV4;

use squall_nodes::{Closed, ConnId, HostId, Protocol};

use super::end::{Notice, Owner, Telling};
use super::{Place, Told};
use crate::digest::Tag;
use crate::draws::below;
use crate::engine::Engine;
use crate::engine::take::{DueInput, TimerOf, What};
use crate::trace::Happening;

impl<P: Protocol> Engine<'_, P> {
    /// Tells the node of an end the next thing that there is to tell, if there still is one.
    pub(in crate::engine) fn tell(&mut self, id: HostId, place: Place) -> Option<DueInput<TimerOf<P>>> {
        let streams = &mut self.streams;
        streams.connection(place)?;
        let connection = &mut streams.connections[place.slot as usize];
        let key = connection.key;
        let (own, peer) = (
            connection.address(place.side),
            connection.address(place.side.other()),
        );
        let peer_host = connection.host(place.side.other());
        let end = connection.ends[place.side as usize].as_mut()?;
        end.entries.telling = Telling::No;
        let notice = end.notice()?;
        let law = &self.plan.network.streams;
        if notice == Notice::Accepted && streams.kernels[id.index()].is_crowded_by(peer_host, law) {
            self.turn_away(place);
            return None;
        }
        let conn = match end.owner {
            Owner::Node(conn) => conn,
            Owner::Untold => {
                let conn = ConnId(self.hosts[id.index()].ids.draw());
                end.owner = Owner::Node(conn);
                streams.name(id, conn, place);
                conn
            }
            Owner::Kernel => return None,
        };
        let (told, count) = match notice {
            Notice::Opened => (Told::Opened, 0),
            Notice::Accepted => (
                Told::Accepted {
                    port: own.port(),
                    from: peer,
                },
                0,
            ),
            Notice::Blocked => (Told::Blocked, 0),
            Notice::Writable => (Told::Writable, 0),
            Notice::Bytes { from, most } => {
                let word = self.draws.piece(key, place.side as u64, from);
                (Told::Bytes, piece(word, most))
            }
            Notice::Closed(why) => {
                self.streams.forget(id, conn);
                (Told::Closed(why), 0)
            }
        };
        let mut bytes = std::mem::take(&mut self.streams.bytes);
        bytes.clear();
        self.at_end(place, |end, desk| end.tell(notice, count, &mut bytes, desk));
        self.streams.bytes = bytes;
        if notice == Notice::Accepted {
            self.mind_the_ports(id);
        }
        (self.streams.conn, self.streams.told) = (conn, told);
        self.note_told(id, own, peer);
        Some(DueInput {
            host: id,
            what: What::Stream,
        })
    }

    /// A host that has as many connections as it may have shuts its ports: what its kernel has opened for its node beyond is reset.
    fn mind_the_ports(&mut self, id: HostId) {
        let kernel = &mut self.streams.kernels[id.index()];
        if kernel.accepted < self.plan.network.streams.connections {
            return;
        }
        for place in std::mem::take(&mut kernel.untold).into_values().flatten() {
            self.turn_away(place);
        }
    }

    /// Resets a connection that a peer has opened, of which the node never hears.
    fn turn_away(&mut self, place: Place) {
        self.traffic.streams.turned_away += 1;
        self.at_end(place, |end, desk| end.abandon(desk));
    }

    /// What a node is told enters the digest, the counts and the trace.
    fn note_told(&mut self, id: HostId, own: SocketAddrV4, peer: SocketAddrV4) {
        let streams = &self.streams;
        let counts = &mut self.traffic.streams;
        let address;
        let mut said: &[u8] = &[];
        let code = match streams.told {
            Told::Opened => 1,
            Told::Accepted { port, from } => {
                let [a, b, c, d] = from.ip().octets();
                let ([high, low], [p, q]) = (from.port().to_be_bytes(), port.to_be_bytes());
                address = [a, b, c, d, high, low, p, q];
                said = &address;
                2
            }
            Told::Bytes => {
                counts.delivered += streams.bytes.len() as u64;
                said = &streams.bytes;
                3
            }
            Told::Blocked => 4,
            Told::Writable => 5,
            Told::Closed(why) => {
                match why {
                    Closed::Refused => counts.refused += 1,
                    Closed::Reset => counts.reset += 1,
                    Closed::TimedOut => counts.timed_out += 1,
                    Closed::Orderly => counts.closed += 1,
                }
                6 + why as u32
            }
        };
        let len = said.len() as u32;
        self.digest
            .head(Tag::Stream, self.now.as_nanos(), id.0, streams.conn.0, code, len);
        self.digest.bytes(said);
        if self.tracer.is_some() {
            self.trace_told(id, own, peer);
        }
    }

    #[cold]
    fn trace_told(&mut self, id: HostId, own: SocketAddrV4, peer: SocketAddrV4) {
        let Some(tracer) = &mut self.tracer else { return };
        let conn = self.streams.conn.0;
        let text = || peer.to_string().into();
        let what = match self.streams.told {
            Told::Opened => Happening::Opened { conn, to: text() },
            Told::Accepted { port, .. } => {
                // Before a word of either end is told.
                tracer.begins(peer, own);
                Happening::Accepted {
                    conn,
                    port,
                    from: text(),
                }
            }
            Told::Bytes => return tracer.read(self.now, id, conn, (peer, own), &self.streams.bytes),
            Told::Blocked => Happening::Blocked { conn },
            Told::Writable => Happening::Writable { conn },
            Told::Closed(why) => Happening::Closed {
                conn,
                with: text(),
                why,
            },
        };
        tracer.note(self.now, Some(id), what);
    }
}

/// How many of the bytes that can be read come at once: one in a quarter of all cases, any number in another, else all of them.
fn piece(word: u64, most: usize) -> usize {
    match word >> 62 {
        0 => 1,
        1 => 1 + below(word << 2, most as u64) as usize,
        _ => most,
    }
}
