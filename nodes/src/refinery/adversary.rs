//! Hosts that do not belong to the cluster, and try what can be tried at its gates.
//!
//! An adversary knows the protocol and not the secret. It dials its target, does what its trick says, and does it again. Only where it
//! is let in does it claim anything.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{Change, Config};
use super::facts::RefineryFact;
use super::proof::prove;
use super::wire::{Credential, Decoder, Epoch, Establish, Grant, Link, NONCE, Packet, Row};
use super::{Out, Timer, write};
use crate::node::{ConnId, StreamEvent};
use crate::rng::NodeRng;
use crate::secret::Secret;
use crate::time::{Span, Time};

/// What an adversary tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trick {
    /// It shows a cert, or a proof, that is made of another secret.
    WrongCert,
    /// It says again what a node once said when it was let in.
    Replay,
    /// It goes by the id of a node, and says nothing more.
    StolenId,
    /// It sends packets out of their turn, and commands of a master.
    OutOfTurn,
    /// It sends a byte at a time, on as many connections as it may have.
    Slow,
    /// It sends packets that do not end, and payloads that are nested without end.
    Oversized,
    /// It has another version, and the secret: it was not brought up to date.
    OldVersion,
    /// It opens connections, and says nothing.
    Flood,
}

/// An adversary.
#[derive(Clone, Debug)]
pub(super) struct Adversary {
    trick: Trick,
    config: Config,
    me: SocketAddrV4,
    rng: NodeRng,
    /// What it is about on each connection.
    attempts: BTreeMap<ConnId, Attempt>,
    /// How many it has begun.
    begun: u64,
}

/// A connection of an adversary.
#[derive(Clone, Debug)]
struct Attempt {
    number: u64,
    is_open: bool,
    /// How much it has written, where it writes on and on.
    written: u64,
    is_blocked: bool,
    decoder: Decoder,
}

impl Adversary {
    pub(super) fn boot(trick: Trick, config: Config, me: SocketAddrV4, rng: NodeRng) -> Self {
        Adversary {
            trick,
            config,
            me,
            rng,
            attempts: BTreeMap::new(),
            begun: 0,
        }
    }

    pub(super) fn start(&mut self, now: Time, out: &mut Out) {
        let first = self.rng.span(Span::ZERO, self.pace());
        out.arm(Timer::Act, now + first);
    }

    pub(super) fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Out) {
        if timer != Timer::Act {
            return;
        }
        out.arm(Timer::Act, now + self.pace());
        for (conn, attempt) in &mut self.attempts {
            if attempt.is_open && !attempt.is_blocked {
                goes_on(self.trick, *conn, attempt, out);
            }
        }
        let Some(target) = self.config.target() else {
            return;
        };
        let most = self.config.adversary.connections.unwrap_or(1) as usize;
        // One that is open and leads nowhere is given up for another.
        if self.trick == Trick::StolenId
            && let Some((oldest, _)) = self.attempts.pop_first()
        {
            out.close(oldest);
        }
        while self.attempts.len() < most {
            let attempt = Attempt {
                number: self.begun,
                is_open: false,
                written: 0,
                is_blocked: false,
                decoder: Decoder::new(self.config.packet_within()),
            };
            self.begun += 1;
            self.attempts.insert(out.dial(target), attempt);
        }
    }

    pub(super) fn on_stream(&mut self, conn: ConnId, event: StreamEvent<'_>, out: &mut Out) {
        let Some(attempt) = self.attempts.get_mut(&conn) else {
            return;
        };
        match event {
            StreamEvent::Opened => {
                attempt.is_open = true;
                let number = attempt.number;
                self.opens(conn, number, out);
            }
            StreamEvent::Bytes(mut bytes) => {
                while let Some(attempt) = self.attempts.get_mut(&conn) {
                    match attempt.decoder.next(&mut bytes) {
                        Ok(Some(packet)) => self.hears(conn, packet, out),
                        Ok(None) => return,
                        Err(_) => self.gives_up(conn, out),
                    }
                }
            }
            StreamEvent::Blocked => attempt.is_blocked = true,
            StreamEvent::Writable => attempt.is_blocked = false,
            StreamEvent::Closed(_) => {
                self.attempts.remove(&conn);
            }
            // It listens on no port.
            StreamEvent::Accepted { .. } => {}
        }
    }

    fn pace(&self) -> Span {
        self.config.adversary.pace.unwrap_or(self.config.alive)
    }

    fn establish(&self) -> Establish {
        let own = || self.config.own_id(self.me);
        let id = match self.trick {
            Trick::StolenId => self.config.adversary.victim.clone().unwrap_or_else(own),
            _ => own(),
        };
        let version = match self.trick {
            Trick::OldVersion => "0".to_owned(),
            _ => self.config.version.clone(),
        };
        Establish {
            id,
            version,
            kind: "adversary".to_owned(),
            port: self.me.port(),
            epoch: Epoch(0),
            link: Link::Node,
        }
    }

    /// What it says first.
    fn opens(&mut self, conn: ConnId, number: u64, out: &mut Out) {
        match self.trick {
            Trick::WrongCert | Trick::StolenId | Trick::OldVersion => {
                write(conn, &Packet::Establish(self.establish()), out);
            }
            Trick::Replay => self.replays(conn, 0, out),
            Trick::OutOfTurn => {
                let line = self.out_of_turn(number);
                for packet in line {
                    write(conn, &packet, out);
                }
            }
            Trick::Oversized => {
                if let Some(attempt) = self.attempts.get_mut(&conn) {
                    goes_on(self.trick, conn, attempt, out);
                }
            }
            // They have nothing to say, or no hurry to say it.
            Trick::Slow | Trick::Flood => {}
        }
    }

    fn hears(&mut self, conn: ConnId, packet: Packet, out: &mut Out) {
        match (self.trick, packet) {
            (Trick::Replay, Packet::StartAuth(_)) => self.replays(conn, 1, out),
            (Trick::WrongCert | Trick::OldVersion, Packet::StartAuth(nonce)) => {
                let secret = match self.trick {
                    Trick::OldVersion => self.config.secret.expose().to_owned(),
                    _ => format!("not {}", self.config.secret.expose()),
                };
                let credential = match nonce {
                    Some(nonce) => Credential::Proof(prove(&secret, &nonce, &self.establish())),
                    None => Credential::Cert(secret),
                };
                write(conn, &Packet::AuthStart(credential), out);
            }
            (_, Packet::Grant(_)) => {
                let id = match self.trick {
                    Trick::Replay => self.config.adversary.victim.clone().unwrap_or_default(),
                    _ => self.establish().id,
                };
                out.claim(RefineryFact::BrokeIn { id });
                write(conn, &Packet::Ack, out);
            }
            (_, Packet::Dec | Packet::Close(_)) => self.gives_up(conn, out),
            // It takes no part in anything else.
            _ => {}
        }
    }

    fn gives_up(&mut self, conn: ConnId, out: &mut Out) {
        self.attempts.remove(&conn);
        out.close(conn);
    }

    fn replays(&self, conn: ConnId, which: usize, out: &mut Out) {
        if let Some(packet) = self.config.adversary.overheard.get(which) {
            let payload = out.payload(packet.expose().as_bytes());
            out.write(conn, payload);
        }
    }

    /// Packets of which one at least comes out of its turn.
    fn out_of_turn(&self, number: u64) -> Vec<Packet> {
        let establish = || Packet::Establish(self.establish());
        let cert = || Packet::AuthStart(Credential::Cert("guess".to_owned()));
        let (me, epoch) = (self.me, Epoch::LAST);
        let grant = || Packet::Grant(Grant { upstream: me, epoch });
        let row = Row {
            id: self.establish().id,
            address: me,
            kind: "adversary".to_owned(),
            upstream: me,
        };
        let lines = [
            vec![cert()],
            vec![Packet::Ack],
            vec![Packet::Alive(None)],
            vec![establish(), Packet::Ack],
            vec![establish(), Packet::Alive(None)],
            vec![establish(), establish()],
            vec![establish(), cert(), Packet::Ack],
            vec![establish(), cert(), cert()],
            vec![Packet::StartAuth(None)],
            vec![establish(), grant()],
            vec![grant()],
            vec![Packet::Dec],
            vec![establish(), Packet::Row(row.clone())],
            vec![Packet::Row(row)],
            vec![establish(), Packet::Gone("n1".to_owned())],
        ];
        let which = (number % lines.len() as u64) as usize;
        lines.into_iter().nth(which).unwrap_or_default()
    }
}

/// What an adversary goes on writing.
fn goes_on(trick: Trick, conn: ConnId, attempt: &mut Attempt, out: &mut Out) {
    const BEGINS: &[u8] = b"conn:establish;;{\"id\":\"";
    const CHUNK: usize = 16_384;
    let payload = match trick {
        Trick::Slow => {
            let place = attempt.written as usize;
            attempt.written += 1;
            out.payload(&[BEGINS.get(place).copied().unwrap_or(b'x')])
        }
        Trick::Oversized => {
            let is_first = attempt.written == 0;
            attempt.written += CHUNK as u64;
            // Every other attempt is deep in place of long.
            let fill = if attempt.number.is_multiple_of(2) {
                b'x'
            } else {
                b'['
            };
            out.encode(|into| {
                if is_first {
                    into.extend_from_slice(BEGINS);
                    into.extend_from_slice(if fill == b'[' { b"\",\"a\":" } else { b"" });
                }
                into.resize(into.len() + CHUNK, fill);
            })
        }
        _ => return,
    };
    out.write(conn, payload);
}

/// What is overheard of a node that is let in by a master: what it said, packet by packet. Of `Hardened` the nonce that it was sent is
/// one of long ago.
pub(super) fn overheard(node: &Config, kind: &str) -> Arc<[Secret]> {
    let Some(address) = node.address else {
        return Arc::from([]);
    };
    let establish = Establish {
        id: node.own_id(address),
        version: node.version.clone(),
        kind: kind.to_owned(),
        port: address.port(),
        epoch: Epoch(0),
        link: Link::Node,
    };
    let credential = match node.changes().has(Change::Prove) {
        false => Credential::Cert(node.secret.expose().to_owned()),
        true => Credential::Proof(prove(node.secret.expose(), &[0x5a; NONCE], &establish)),
    };
    let said = [Packet::Establish(establish), Packet::AuthStart(credential)];
    said.iter()
        .map(|packet| {
            let mut bytes = Vec::new();
            packet.encode(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned().into()
        })
        .collect()
}
