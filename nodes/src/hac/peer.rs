//! A node of a peer-to-peer cluster: it tells everyone that it is there, and holds for alive whom it has heard.

use std::net::SocketAddrV4;
use std::sync::Arc;

use super::config::{Change, Config};
use super::facts::HacFact;
use super::wire::{Checksum, Code, Entry, Epoch, Head, Mode, Packet, Status, Unreadable, WireError};
use super::{Answer, AnswerRow, Command, HacNode, Standing, Timer};
use crate::node::{CallId, Input};
use crate::outbox::Outbox;
use crate::rng::NodeRng;
use crate::time::{Span, Time};

/// A peer.
#[derive(Clone)]
pub(super) struct Peer {
    config: Config,
    checksum: Checksum,
    window: Span,
    rng: NodeRng,
    me: SocketAddrV4,
    /// Everyone's addresses, in ascending order; a peer's id is its place among them, from 1.
    members: Arc<[SocketAddrV4]>,
    /// What is known of each, in the same order. Its own is not used.
    heard: Vec<Hearing>,
    /// How many rounds have gone by.
    rounds: u32,
    unreadable: Unreadable,
}

/// What a peer knows of another.
#[derive(Clone, Copy, Debug, Default)]
struct Hearing {
    /// Whether it is held for alive; `None` until it was heard, or the first window has gone by.
    status: Option<Status>,
    /// The round in which it was last heard, counted from 1; 0 for never.
    last_round: u32,
    /// In how many rounds it was heard.
    rounds: u32,
}

impl Peer {
    pub(super) fn boot(config: Config, me: SocketAddrV4, rng: NodeRng) -> Self {
        let members = if config.members.is_sorted_by(|a, b| a < b) {
            config.members.clone()
        } else {
            let mut members = config.members.to_vec();
            members.sort_unstable();
            members.dedup();
            members.into()
        };
        Peer {
            checksum: if config.changes().has(Change::Crc) {
                Checksum::Verified
            } else {
                Checksum::Ignored
            },
            window: config.window(),
            rng,
            me,
            heard: vec![Hearing::default(); members.len()],
            members,
            rounds: 0,
            unreadable: Unreadable::default(),
            config,
        }
    }

    pub(super) fn take(&mut self, now: Time, input: Input<'_, HacNode>, out: &mut Outbox<HacNode>) {
        match input {
            Input::Start => self.start(now, out),
            Input::Datagram { from, bytes, .. } => self.on_datagram(now, from, bytes, out),
            Input::Timer(Timer::Round) => {
                self.rounds = self.rounds.saturating_add(1);
                out.arm(Timer::Round, now + self.config.round);
            }
            Input::Timer(Timer::Availability) => self.on_availability(now, out),
            Input::Timer(Timer::Silent(index)) => self.on_silent(index, out),
            Input::Timer(Timer::Silence | Timer::Handshake | Timer::Wait | Timer::Disk) => {
                // A client's or a server's alarm.
            }
            Input::Command {
                call,
                command: Command::Status,
            } => self.on_status(call, out),
            // It has no streams and writes nothing down.
            Input::Stream { .. } | Input::Persisted(_) | Input::PersistFailed(_) => {}
        }
    }

    fn start(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        out.bind(self.me.port());
        out.arm(Timer::Round, now + self.config.round);
        for (index, member) in self.members.iter().enumerate() {
            if *member != self.me {
                out.arm(Timer::Silent(index as u32), now + self.window);
            }
        }
        self.arm_availability(now, out);
    }

    fn on_availability(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        let place = self.members.binary_search(&self.me).unwrap_or_default();
        let entry = Entry {
            id: place as u32 + 1,
            addr: self.me,
            status: Status::Alive,
            // It has heard itself in every round. How much of the others it hears is never sent.
            heard: self.rounds,
            round: self.rounds,
        };
        let head = Head {
            rules: self.config.rules,
            mode: Mode::PeerToPeer,
            code: Code::Ap,
            epoch: Epoch::NONE,
        };
        let payload = out.encode(|into| head.encode_one(&entry, into));
        for member in self.members.iter().filter(|member| **member != self.me) {
            out.send(self.me.port(), *member, payload);
        }
        self.arm_availability(now, out);
    }

    fn arm_availability(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        out.arm(
            Timer::Availability,
            now + self.rng.span(Span::ZERO, self.config.availability_interval),
        );
    }

    fn on_datagram(&mut self, now: Time, from: SocketAddrV4, bytes: &[u8], out: &mut Outbox<HacNode>) {
        let entry = match Packet::decode(self.config.rules, self.checksum, bytes) {
            Ok(packet) if packet.mode == Mode::PeerToPeer => packet.entries.first(),
            other => {
                let kind = other.err().unwrap_or(WireError::OtherMode);
                if let Some(count) = self.unreadable.count(kind) {
                    out.claim(HacFact::Unreadable { kind, count });
                }
                return;
            }
        };
        let Some(index) = self.index_of(from, &entry) else {
            return;
        };
        let round = self.rounds.saturating_add(1);
        let hearing = &mut self.heard[index];
        if hearing.last_round != round {
            hearing.last_round = round;
            hearing.rounds = hearing.rounds.saturating_add(1);
        }
        if hearing.status.replace(Status::Alive) != Some(Status::Alive) {
            out.claim(HacFact::PeerAlive { addr: from });
        }
        out.arm(Timer::Silent(index as u32), now + self.window);
    }

    /// The place of a sender that speaks for itself and belongs to the cluster.
    fn index_of(&self, from: SocketAddrV4, entry: &Entry) -> Option<usize> {
        if entry.addr != from || from == self.me {
            return None;
        }
        // The id tells the place, if the sender's list is the same as this one.
        let told = entry.id.checked_sub(1).map(|place| place as usize);
        told.filter(|place| self.members.get(*place) == Some(&from))
            .or_else(|| self.members.binary_search(&from).ok())
    }

    fn on_silent(&mut self, index: u32, out: &mut Outbox<HacNode>) {
        let place = index as usize;
        if let (Some(hearing), Some(addr)) = (self.heard.get_mut(place), self.members.get(place)) {
            hearing.status = Some(Status::Dead);
            out.claim(HacFact::PeerDead { addr: *addr });
        }
    }

    fn on_status(&self, call: CallId, out: &mut Outbox<HacNode>) {
        let rows = self
            .members
            .iter()
            .zip(&self.heard)
            .enumerate()
            .map(|(place, (addr, hearing))| {
                let own = *addr == self.me;
                let heard = if own { self.rounds } else { hearing.rounds };
                AnswerRow {
                    id: place as u32 + 1,
                    addr: *addr,
                    status: if own { Some(Status::Alive) } else { hearing.status },
                    heard,
                    availability: Some(per_mille(heard, self.rounds)),
                }
            });
        let id = self
            .members
            .binary_search(&self.me)
            .ok()
            .map(|place| place as u32 + 1);
        let rows = rows.collect();
        out.answer(
            call,
            Answer::Status {
                standing: Standing::Peer,
                id,
                server: None,
                epoch: Epoch::NONE,
                rows,
            },
        );
    }
}

/// The share of `rounds` that were `heard`. The round that runs may have been heard already, so it is capped.
fn per_mille(heard: u32, rounds: u32) -> u16 {
    let share = u64::from(heard.min(rounds)) * 1000 / u64::from(rounds.max(1));
    // At most 1000, by the cap.
    share as u16
}

#[cfg(test)]
mod tests {
    use super::per_mille;

    #[test]
    fn availability_is_the_share_of_rounds_heard() {
        assert_eq!(per_mille(0, 0), 0);
        assert_eq!(per_mille(2, 3), 666);
        assert_eq!(per_mille(4, 3), 1000);
        assert_eq!(per_mille(u32::MAX, u32::MAX), 1000);
    }
}
