//! From following to serving and back: suspicion, election by the node's own table, promotion, stepping down.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::config::{Change, Rules};
use super::disk::Reign;
use super::facts::HacFact;
use super::member::{Doubt, Member, Phase, Stage, Why};
use super::wire::{Entry, Status};
use super::{HacNode, Role, Timer};
use crate::outbox::Outbox;
use crate::time::Time;

impl Member {
    /// Nothing was heard for as long as the phase allows.
    pub(super) fn on_silence(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        match &mut self.phase {
            Phase::Seeking { why: Why::Return, .. } => match self.changes.has(Change::Return) {
                true => self.open_again(now, out),
                false => self.seek(Why::Return, now, out),
            },
            Phase::Seeking { why: Why::Join, .. } => {
                let lost = self
                    .accepted
                    .map(|reign| reign.at)
                    .or(self.config.server)
                    .unwrap_or(self.me);
                self.elect(lost, BTreeSet::new(), now, out);
            }
            Phase::Following {
                server,
                doubt: doubt @ Doubt::Calm,
            } => {
                *doubt = Doubt::Suspected;
                out.claim(HacFact::Suspected { server: *server });
                out.arm(Timer::Silence, now + self.config.client_timeout);
                self.shake(now, out);
            }
            Phase::Following {
                server,
                doubt: Doubt::Suspected,
            } => {
                let lost = *server;
                self.elect(lost, BTreeSet::new(), now, out);
            }
            Phase::Electing {
                lost, struck, choice, ..
            } => {
                let lost = *lost;
                let mut struck = std::mem::take(struck);
                struck.insert(*choice);
                self.elect(lost, struck, now, out);
            }
            // A server hears itself.
            Phase::Serving(_) => {}
        }
    }

    /// It has waited long enough for the one that it expects to be promoted.
    pub(super) fn on_wait(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        let Phase::Electing {
            stage: stage @ Stage::Waiting,
            ..
        } = &mut self.phase
        else {
            return;
        };
        *stage = Stage::Asking;
        out.arm(Timer::Silence, now + self.config.client_timeout);
        self.shake(now, out);
    }

    /// Whether it could elect anyone. Under `Hardened` a client that never held a whole table goes on asking instead: it
    /// would become a server that knows nobody, and that nobody finds.
    pub(super) fn may_elect(&self) -> bool {
        let has_table = !self.known.entries.is_empty();
        match self.config.rules {
            // It keeps no table over a restart, and has one whenever it has lost a server.
            Rules::Original => false,
            Rules::Hardened => self.identity.is_some() && has_table,
        }
    }

    /// Finds the next server in its own table: of those alive and not struck, the one heard in most rounds, of several the
    /// one with the lowest id.
    fn elect(
        &mut self,
        lost: SocketAddrV4,
        mut struck: BTreeSet<SocketAddrV4>,
        now: Time,
        out: &mut Outbox<HacNode>,
    ) {
        self.stop_shaking(out);
        struck.insert(lost);
        match self.best(&struck) {
            Some(best) if best == self.me => self.open_promoted(now, out),
            Some(choice) => {
                out.disarm(Timer::Silence);
                out.arm(Timer::Wait, now + self.config.promotion_wait);
                self.phase = Phase::Electing {
                    lost,
                    struck,
                    choice,
                    stage: Stage::Waiting,
                };
            }
            // Nobody is left. Back to the beginning.
            None => self.seek(
                if self.role == Role::Server {
                    Why::Return
                } else {
                    Why::Join
                },
                now,
                out,
            ),
        }
    }

    fn best(&self, struck: &BTreeSet<SocketAddrV4>) -> Option<SocketAddrV4> {
        let own_id = self.identity.map(|identity| identity.id)?;
        let is_me = |entry: &Entry| match self.config.rules {
            Rules::Original => entry.id == own_id,
            Rules::Hardened => entry.addr == self.me,
        };
        if self.config.rules == Rules::Hardened && !self.may_elect() {
            return None;
        }
        let own_heard = self
            .known
            .entries
            .iter()
            .find(|entry| is_me(entry))
            .map(|entry| entry.heard);
        let me = match self.config.rules {
            // It goes by its table alone, and is not in it before the first round.
            Rules::Original => own_heard.map(|heard| (heard, own_id, self.me)),
            Rules::Hardened => Some((own_heard.unwrap_or(0), own_id, self.me)),
        };
        let others = self
            .known
            .entries
            .iter()
            .filter(|entry| entry.status == Status::Alive && !is_me(entry));
        let others = others.map(|entry| (entry.heard, entry.id, entry.addr));
        let left = others
            .filter(|(_, _, addr)| *addr != self.me && !struck.contains(addr))
            .chain(me);
        left.min_by_key(|(heard, id, _)| (std::cmp::Reverse(*heard), *id))
            .map(|(_, _, addr)| addr)
    }

    /// Serves no more, for the sake of a greater reign. The AS that told of it is handled next.
    pub(super) fn step_down(&mut self, other: Reign, now: Time, out: &mut Outbox<HacNode>) {
        let Some(own) = self.accepted else { return };
        out.disarm(Timer::Round);
        out.claim(HacFact::SteppedDown {
            from: own.epoch,
            to: other.epoch,
        });
        self.phase = Phase::Following {
            server: other.at,
            doubt: Doubt::Calm,
        };
        out.arm(Timer::Silence, now + self.config.client_timeout);
        out.arm(Timer::Availability, now + self.next_availability());
    }
}
