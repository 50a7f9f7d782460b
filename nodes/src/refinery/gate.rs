//! The accepting side of connections: who may come in, and the steps by which they do.
//!
//! A master has a gate for nodes and for the other master, a node has one for those below it. It counts, times and closes; what one who
//! has proved to belong here is given is its owner's to say.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::Rng;

use super::config::{Change, Changes, Config};
use super::facts::{RefineryFact, Refusal};
use super::proof::{is_cert, is_proof};
use super::strangers::{Strangers, Told};
use super::wire::{Credential, Decoder, Epoch, Establish, Grant, NONCE, Packet, Report, Row, Why};
use super::{Out, write};
use crate::node::ConnId;
use crate::rng::NodeRng;
use crate::time::Time;

/// Everyone who has dialled this node, by connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    guests: BTreeMap<ConnId, Guest>,
    strangers: Strangers,
}

/// One who has dialled.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Where the connection comes from.
    pub(super) from: SocketAddrV4,
    /// When a whole packet last came from it; when it came itself, before the first.
    pub(super) heard: Time,
    /// What it has said of itself, once it has.
    said: Option<Establish>,
    since: Time,
    step: Step,
    decoder: Decoder,
    /// Whether it takes less than is written to it.
    is_blocked: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is expected to say who it is.
    Dialled,
    /// It was asked to show that it belongs here, over this nonce.
    Asked([u8; NONCE]),
    /// It was not let in, and is expected to close.
    Declined,
    /// It belongs here, and is about to be told what it is given.
    Proven,
    /// It was told, and is expected to say that it has understood.
    Granted,
    /// It is in.
    In,
}

/// What a gate has to tell its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A guest has a right version and names itself. Nothing else is known of it.
    Named(ConnId),
    /// A guest belongs here: it is to be [granted](Gate::grant) something, or closed.
    Proven(ConnId),
    /// A guest is in now.
    Entered(ConnId),
    /// A guest that is in is alive, and says this of its upstream.
    Alive(ConnId, Option<Report>),
    /// A guest that had proved to belong here is gone.
    Left(ConnId),
}

impl Gate {
    /// A peer has dialled. Some must give way to it, or it to them.
    pub(super) fn accept(
        &mut self,
        now: Time,
        conn: ConnId,
        from: SocketAddrV4,
        config: &Config,
        out: &mut Out,
    ) {
        let limit = config.packet as usize;
        let guest = Guest {
            from,
            heard: now,
            said: None,
            since: now,
            step: Step::Dialled,
            decoder: Decoder::new(limit),
            is_blocked: false,
        };
        if !config.changes().has(Change::Slots) {
            if self.guests.len() >= config.connections as usize {
                return self.turn_away(conn, from, Refusal::Crowded, out);
            }
            self.guests.insert(conn, guest);
            return;
        }
        let mut outside = BTreeMap::<Ipv4Addr, u32>::new();
        for guest in self.guests.values().filter(|guest| !guest.is_let_in()) {
            *outside.entry(*guest.from.ip()).or_default() += 1;
        }
        if outside.get(from.ip()).copied().unwrap_or(0) >= config.connections_per_peer {
            return self.turn_away(conn, from, Refusal::TooMany, out);
        }
        self.guests.insert(conn, guest);
        if outside.values().sum::<u32>() >= config.connections
            && let Some(oldest) = self.oldest_of_the_most(&outside)
        {
            self.close(oldest, Refusal::Crowded, out);
        }
    }

    /// The oldest connection that has not been let in of the peer that has the most of them.
    fn oldest_of_the_most(&self, outside: &BTreeMap<Ipv4Addr, u32>) -> Option<ConnId> {
        let (peer, _) = outside.iter().max_by_key(|(_, count)| **count)?;
        let own = self
            .guests
            .iter()
            .find(|(_, guest)| guest.from.ip() == peer && !guest.is_let_in());
        own.map(|(conn, _)| *conn)
    }

    /// Takes in bytes of a guest up to the end of what is worth telling. To be called until there is nothing more.
    pub(super) fn next(
        &mut self,
        now: Time,
        conn: ConnId,
        bytes: &mut &[u8],
        config: &Config,
        rng: &mut NodeRng,
        out: &mut Out,
    ) -> Option<Heard> {
        loop {
            let guest = self.guests.get_mut(&conn)?;
            let packet = match guest.decoder.next(bytes) {
                Ok(None) => return None,
                Ok(Some(packet)) => packet,
                Err(wrong) => return self.throw_out(conn, Refusal::Unreadable(wrong), out),
            };
            guest.heard = now;
            match (guest.step, packet) {
                (Step::Dialled, Packet::Establish(said)) => {
                    if said.version != config.version {
                        return self.throw_out(conn, Refusal::Version, out);
                    }
                    let mut nonce = [0; NONCE];
                    let asks = config.changes().has(Change::Prove);
                    if asks {
                        rng.fill_bytes(&mut nonce);
                    }
                    guest.said = Some(said);
                    guest.step = Step::Asked(nonce);
                    let from = guest.from;
                    if self.strangers.count(*from.ip(), Told::Asked).is_some() {
                        out.claim(RefineryFact::Asked { conn: conn.0, from });
                    }
                    write(conn, &Packet::StartAuth(asks.then_some(nonce)), out);
                    return Some(Heard::Named(conn));
                }
                (Step::Asked(nonce), Packet::AuthStart(credential)) => {
                    let said = guest.said.as_ref()?;
                    let belongs = match (credential, config.changes().has(Change::Prove)) {
                        (Credential::Proof(proof), true) => {
                            is_proof(&proof, config.secret.expose(), &nonce, said)
                        }
                        (Credential::Cert(cert), false) => is_cert(&cert, config.secret.expose()),
                        // The one rule set does not take the other's.
                        (Credential::Proof(_), false) | (Credential::Cert(_), true) => false,
                    };
                    let from = guest.from;
                    if belongs {
                        guest.step = Step::Proven;
                        guest.decoder.set_limit(config.packet_within());
                        let id = said.id.clone();
                        self.strangers.forget(*from.ip());
                        out.claim(RefineryFact::Authenticated {
                            conn: conn.0,
                            from,
                            id,
                        });
                        return Some(Heard::Proven(conn));
                    }
                    // It is to close the connection itself.
                    guest.step = Step::Declined;
                    if self.strangers.count(*from.ip(), Told::Declined).is_some() {
                        let id = said.id.clone();
                        out.claim(RefineryFact::Declined {
                            conn: conn.0,
                            from,
                            id,
                        });
                    }
                    write(conn, &Packet::Dec, out);
                }
                (Step::Asked(_), Packet::Ack) if !config.changes().has(Change::Turn) => {
                    guest.step = Step::Proven;
                    return Some(Heard::Proven(conn));
                }
                (Step::Granted, Packet::Ack) => {
                    guest.step = Step::In;
                    return Some(Heard::Entered(conn));
                }
                // That it has understood where it belongs by now.
                (Step::In, Packet::Ack) => {}
                (Step::In, Packet::Alive(report)) => return Some(Heard::Alive(conn, report)),
                (_, Packet::Close(_)) => {
                    out.close(conn);
                    return self.gone(conn);
                }
                // Out of turn, or a command of a master from one that has none to give here.
                _ => return self.throw_out(conn, Refusal::Turn, out),
            }
        }
    }

    /// A connection is over. Whether it is one of those that were let in is in what is returned.
    pub(super) fn over(&mut self, conn: ConnId) -> Option<Heard> {
        self.gone(conn)
    }

    /// A connection takes less than is written to it, or all of it again.
    pub(super) fn set_blocked(&mut self, conn: ConnId, is_blocked: bool) {
        if let Some(guest) = self.guests.get_mut(&conn) {
            guest.is_blocked = is_blocked;
        }
    }

    /// Gives a guest that belongs here its upstream.
    pub(super) fn grant(&mut self, conn: ConnId, grant: Grant, out: &mut Out) {
        let Some(guest) = self.guests.get_mut(&conn) else {
            return;
        };
        if guest.step == Step::Proven {
            guest.step = Step::Granted;
        }
        let (epoch, upstream) = (grant.epoch, grant.upstream);
        out.claim(RefineryFact::Granted {
            conn: conn.0,
            upstream,
            epoch,
        });
        write(conn, &Packet::Grant(grant), out);
    }

    /// Closes a guest, since somebody else goes by its id.
    pub(super) fn replace(&mut self, conn: ConnId, changes: Changes, out: &mut Out) {
        // Where an id has not to be earned, anybody may have it for the asking.
        let said = changes.has(Change::Earn).then_some(Why::Replaced);
        self.say_and_close(conn, said, Refusal::Replaced, out);
    }

    /// Closes a guest, with a packet that says so.
    pub(super) fn close(&mut self, conn: ConnId, why: Refusal, out: &mut Out) {
        let said = match why {
            Refusal::NotReigning(epoch) => Some(Why::NotReigning(epoch)),
            Refusal::Full => Some(Why::Full),
            Refusal::NoMaster => Some(Why::NoMaster),
            Refusal::Unexpected => Some(Why::Unexpected),
            Refusal::Version => Some(Why::Version),
            _ => None,
        };
        self.say_and_close(conn, said, why, out);
    }

    fn say_and_close(&mut self, conn: ConnId, said: Option<Why>, why: Refusal, out: &mut Out) {
        let Some(guest) = self.guests.remove(&conn) else {
            return;
        };
        write(conn, &Packet::Close(said), out);
        out.close(conn);
        let from = guest.from;
        if guest.is_let_in() || self.strangers.count(*from.ip(), Told::Closed(why)).is_some() {
            out.claim(RefineryFact::Closed {
                conn: conn.0,
                from,
                why,
            });
        }
    }

    /// Closes a connection that never became a guest.
    fn turn_away(&mut self, conn: ConnId, from: SocketAddrV4, why: Refusal, out: &mut Out) {
        out.close(conn);
        if self.strangers.count(*from.ip(), Told::Closed(why)).is_some() {
            out.claim(RefineryFact::Closed {
                conn: conn.0,
                from,
                why,
            });
        }
    }

    /// Says to everyone who is in that this node is alive, and closes those who have been silent or slow for too long. Returns those
    /// of them who had proved to belong here.
    pub(super) fn beat(&mut self, now: Time, config: &Config, out: &mut Out) -> Vec<ConnId> {
        let changes = config.changes();
        let late = |guest: &Guest| match guest.step {
            Step::In => (changes.has(Change::Watch) && now.since(guest.heard) > config.patience)
                .then_some(Refusal::Silent),
            _ => {
                let is_slow = now.since(guest.since) > config.handshake;
                (changes.has(Change::Deadline) && is_slow).then_some(Refusal::Slow)
            }
        };
        let closed: Vec<(ConnId, Refusal, bool)> = self
            .guests
            .iter()
            .filter_map(|(conn, guest)| Some((*conn, late(guest)?, guest.is_let_in())))
            .collect();
        for (conn, why, _) in &closed {
            self.close(*conn, *why, out);
        }
        let mut alive = None;
        let awake = self
            .guests
            .iter()
            .filter(|(_, guest)| guest.step == Step::In && !guest.is_blocked);
        for (conn, _) in awake {
            let alive = alive.get_or_insert_with(|| out.encode(|into| Packet::Alive(None).encode(into)));
            out.write(*conn, *alive);
        }
        closed
            .into_iter()
            .filter_map(|(conn, _, was_let_in)| was_let_in.then_some(conn))
            .collect()
    }

    /// Tells one who follows this master of a node in the registry.
    pub(super) fn tell(&self, conn: ConnId, row: Result<Row, String>, out: &mut Out) {
        let packet = match row {
            Ok(row) => Packet::Row(row),
            Err(gone) => Packet::Gone(gone),
        };
        write(conn, &packet, out);
    }

    /// Closes everyone.
    pub(super) fn close_all(&mut self, why: Refusal, out: &mut Out) {
        let all: Vec<ConnId> = self.guests.keys().copied().collect();
        for conn in all {
            self.close(conn, why, out);
        }
    }

    /// Forgets everyone, without a word: what was said last may never have gone out.
    pub(super) fn drop_all(&mut self, out: &mut Out) {
        for (conn, _) in std::mem::take(&mut self.guests) {
            out.close(conn);
        }
    }

    /// One who has dialled.
    pub(super) fn guest(&self, conn: ConnId) -> Option<&Guest> {
        self.guests.get(&conn)
    }

    /// Those who have been told what they are given, by connection.
    pub(super) fn within(&self) -> impl Iterator<Item = (ConnId, &Guest)> {
        let is_within = |guest: &Guest| matches!(guest.step, Step::Granted | Step::In);
        self.guests
            .iter()
            .filter(move |(_, guest)| is_within(guest))
            .map(|(conn, guest)| (*conn, guest))
    }

    fn throw_out(&mut self, conn: ConnId, why: Refusal, out: &mut Out) -> Option<Heard> {
        let was_let_in = self.guests.get(&conn).is_some_and(Guest::is_let_in);
        self.close(conn, why, out);
        was_let_in.then_some(Heard::Left(conn))
    }

    fn gone(&mut self, conn: ConnId) -> Option<Heard> {
        let guest = self.guests.remove(&conn)?;
        guest.is_let_in().then_some(Heard::Left(conn))
    }
}

impl Guest {
    /// What it has said of itself: known of everyone who has proved to belong here.
    pub(super) fn said(&self) -> Option<&Establish> {
        self.said.as_ref()
    }

    /// Where it accepts those below it.
    pub(super) fn address(&self) -> SocketAddrV4 {
        let port = self.said.as_ref().map_or(0, |said| said.port);
        SocketAddrV4::new(*self.from.ip(), port)
    }

    /// The highest epoch that it knows of.
    pub(super) fn epoch(&self) -> Epoch {
        self.said.as_ref().map_or(Epoch(0), |said| said.epoch)
    }

    fn is_let_in(&self) -> bool {
        matches!(self.step, Step::Proven | Step::Granted | Step::In)
    }
}

/// Whether a silence is long enough to give the place of who keeps it to another.
pub(super) fn is_stale(changes: Changes, config: &Config, now: Time, heard: Time) -> bool {
    changes.has(Change::Watch) && now.since(heard) > config.silence
}
