//! Seeking and following a server: the handshake, AC, and what AS brings.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::book::Differs;
use super::config::{Change, Rules};
use super::disk::{Identity, Reign};
use super::facts::HacFact;
use super::member::{Doubt, Handshake, Joined, Member, Phase, Stage, Why, restored};
use super::table::{Meeting, Table};
use super::wire::{Code, Entry, NO_ID, Packet, Part, Status, entries_in};
use super::{HacNode, Timer};
use crate::outbox::{Outbox, Payload};
use crate::time::{Span, Time};

impl Member {
    /// Looks for a server.
    pub(super) fn seek(&mut self, why: Why, now: Time, out: &mut Outbox<HacNode>) {
        self.phase = Phase::Seeking { why, asked: 0 };
        out.disarm(Timer::Wait);
        if why == Why::Return && self.asks().is_empty() {
            // There is nobody who could serve in its place.
            return self.open_again(now, out);
        }
        match why {
            Why::Return => out.arm(Timer::Silence, now + self.config.client_timeout),
            // As long as a client that loses its server waits: the one timeout and the other.
            Why::Join if self.may_elect() => out.arm(Timer::Silence, now + self.config.client_timeout * 2),
            Why::Join => out.disarm(Timer::Silence),
        }
        self.handshake = Handshake::Idle;
        self.shake(now, out);
    }

    /// Starts to send HC, unless it does already.
    pub(super) fn shake(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        if self.handshake == Handshake::Idle {
            self.handshake = Handshake::Running;
            self.on_handshake(now, out);
        }
    }

    /// Sends HC no more.
    pub(super) fn stop_shaking(&mut self, out: &mut Outbox<HacNode>) {
        if self.handshake == Handshake::Running {
            self.handshake = Handshake::Idle;
            out.disarm(Timer::Handshake);
        }
    }

    /// It is time for the next HC of a handshake, or the first.
    pub(super) fn on_handshake(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        if self.handshake == Handshake::Idle {
            return;
        }
        let asks = self.asks();
        if let Phase::Seeking { asked, .. } = &mut self.phase {
            *asked = asked.saturating_add(1);
        }
        let (head, entry) = (self.head(Code::Hc), self.own_entry());
        let payload = out.encode(|into| head.encode_one(&entry, into));
        for to in asks {
            out.send(self.me.port(), to, payload);
        }
        match self.repeats_after() {
            Some(after) => out.arm(Timer::Handshake, now + after),
            None => self.handshake = Handshake::Idle,
        }
    }

    /// How long until the next HC; `None` when the handshake has only the one.
    fn repeats_after(&self) -> Option<Span> {
        match &self.phase {
            // *Decided*: what it has no text for, it does four times in the timeout.
            Phase::Seeking { why: Why::Return, .. } if self.config.rules == Rules::Original => {
                Some((self.config.client_timeout / 4).max(Span::from_nanos(1)))
            }
            Phase::Seeking { .. }
            | Phase::Following {
                doubt: Doubt::Calm, ..
            } => Some(self.config.retry_after()),
            // The source repeats the handshake once, and then gives up on the server.
            _ => (self.config.tries() > 1).then(|| self.config.retry_after()),
        }
    }

    /// Whom an HC goes to at the moment.
    fn asks(&self) -> BTreeSet<SocketAddrV4> {
        let mut asks = BTreeSet::new();
        match &self.phase {
            Phase::Following { server, .. } => asks.extend([*server]),
            Phase::Electing {
                choice,
                stage: Stage::Asking,
                ..
            } => asks.extend([*choice]),
            Phase::Seeking { why, asked } => {
                let last = self.accepted.map(|reign| reign.at);
                let near = match self.config.rules {
                    Rules::Original if *why == Why::Join => [self.config.server.or(last), None],
                    _ => [self.config.server, last],
                };
                asks.extend(near.into_iter().flatten());
                // A client first asks where it belongs, and everyone whom it knows when that has been silent.
                let at_large = match why {
                    Why::Return => true,
                    Why::Join => self.changes.has(Change::Remember) && *asked >= self.config.tries(),
                };
                if at_large {
                    asks.extend(self.book.all().map(|(_, addr)| addr));
                }
            }
            Phase::Electing {
                stage: Stage::Waiting,
                ..
            }
            | Phase::Serving(_) => {}
        }
        asks.remove(&self.me);
        asks
    }

    /// An HC came to a node that does not serve.
    pub(super) fn forward(
        &self,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        bytes: &[u8],
        out: &mut Outbox<HacNode>,
    ) {
        let Phase::Following { server, .. } = self.phase else {
            return;
        };
        let asker = packet.entries.first().addr;
        // One hop only, and not back to the one who asks, who is no server if it has to ask.
        if self.changes.has(Change::Forward) && asker == from && asker != server {
            let payload = out.payload(bytes);
            out.send(self.me.port(), server, payload);
        }
    }

    /// An HS came to a node that does not serve.
    pub(super) fn welcomed(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        out: &mut Outbox<HacNode>,
    ) {
        let reign = Reign {
            epoch: packet.epoch,
            at: from,
        };
        let entry = packet.entries.first();
        let wanted = match self.config.rules {
            Rules::Original => match &self.phase {
                Phase::Seeking { .. } => true,
                Phase::Following { server, .. } => *server == from,
                Phase::Electing { choice, lost, .. } => *choice == from || *lost == from,
                Phase::Serving(_) => false,
            },
            Rules::Hardened => entry.addr == self.me && self.accepts(reign),
        };
        let Some(id) = entry.id().filter(|_| wanted) else {
            return;
        };
        self.identity = Some(Identity { id, granted: reign });
        self.gather_from(reign);
        self.follow(reign, now, out);
        self.settle(out);
    }

    /// An AS came to a node that does not serve.
    pub(super) fn hear_server(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        packet: &Packet<'_>,
        out: &mut Outbox<HacNode>,
    ) {
        let reign = Reign {
            epoch: packet.epoch,
            at: from,
        };
        let followed = match self.config.rules {
            Rules::Original => match &self.phase {
                Phase::Following { server, .. } => *server == from,
                Phase::Electing { lost, .. } => *lost == from,
                Phase::Seeking { .. } | Phase::Serving(_) => false,
            },
            Rules::Hardened => self.accepts(reign),
        };
        if followed {
            self.gather_from(reign);
            let meeting = if self.changes.has(Change::Merge) {
                Meeting::Greater
            } else {
                Meeting::Latest
            };
            self.gathering.absorb(reign.epoch, packet.entries.iter(), meeting);
            self.follow(reign, now, out);
            self.take_whole(reign, packet, out);
            self.settle(out);
        } else if self.changes.has(Change::Introduce) {
            // Its server is the one to settle with it who gives way, and may not know that there is another.
            let own = packet.entries.iter().find(|entry| entry.addr == from);
            let id = own.and_then(|entry| entry.id()).unwrap_or(NO_ID);
            if self.book.take((id, from)) == Differs::Yes {
                self.save(out);
            }
        }
    }

    /// Whether an AS or HS of this reign is one to go by.
    fn accepts(&self, reign: Reign) -> bool {
        !self.changes.has(Change::Ratchet) || Some(reign) >= self.accepted
    }

    /// Goes by the server of `reign`, which was just heard.
    fn follow(&mut self, reign: Reign, now: Time, out: &mut Outbox<HacNode>) {
        let old = self.accepted.replace(reign);
        let before = match self.phase {
            Phase::Following { server, .. } => Some(server),
            _ => None,
        };
        self.phase = Phase::Following {
            server: reign.at,
            doubt: Doubt::Calm,
        };
        out.arm(Timer::Silence, now + self.config.client_timeout);
        if before != Some(reign.at) {
            out.disarm(Timer::Wait);
            // Those HC went to somebody else.
            self.stop_shaking(out);
            // A node that boots may find itself a member by an AS alone, and has to be heard all the same.
            out.arm(Timer::Availability, now + self.next_availability());
        }
        self.save(out);
        if self.config.rules == Rules::Hardened && old.is_none_or(|old| old.epoch != reign.epoch) {
            out.claim(HacFact::Accepted { epoch: reign.epoch });
        }
        if self.is_settled() {
            self.stop_shaking(out);
        } else {
            self.shake(now, out);
        }
    }

    /// Makes sure that entries of two servers are never mixed, not even where an epoch cannot tell them apart.
    fn gather_from(&mut self, reign: Reign) {
        if self.accepted != Some(reign) {
            self.gathering = Table::new(reign.epoch);
        }
    }

    /// Whether its server has confirmed its id.
    fn is_confirmed(&self) -> bool {
        self.identity
            .is_some_and(|identity| Some(identity.granted) == self.accepted)
    }

    /// Whether there is nothing left to ask its server for.
    fn is_settled(&self) -> bool {
        let holds_table = !self.changes.has(Change::Remember) || self.known.reign == self.accepted;
        matches!(self.phase, Phase::Following { .. }) && self.is_confirmed() && holds_table
    }

    /// Claims that it joined, if it has and has not said so.
    fn settle(&mut self, out: &mut Outbox<HacNode>) {
        let (Some(Identity { id, .. }), Some(reign), true) =
            (self.identity, self.accepted, self.is_settled())
        else {
            return;
        };
        let (epoch, server) = (self.claimed_epoch(), reign.at);
        match std::mem::replace(&mut self.joined, Joined::As(id, reign)) {
            Joined::Never => out.claim(HacFact::Joined { id, epoch, server }),
            before if before != self.joined => out.claim(HacFact::Rejoined { id, epoch, server }),
            // It has said so.
            _ => {}
        }
    }

    /// Takes the gathered table for known if the AS made it whole.
    fn take_whole(&mut self, reign: Reign, packet: &Packet<'_>, out: &mut Outbox<HacNode>) {
        // A server makes all entries of an AS in one round.
        let round = packet.entries.first().round;
        let is_news = match self.known.reign == Some(reign) {
            true if self.changes.has(Change::Merge) => round > self.known.round,
            true => round != self.known.round,
            false => true,
        };
        let counts = self.changes.has(Change::Count);
        let is_whole = match packet.part {
            _ if counts => self.gathering.made_in(round) >= usize::from(packet.total),
            Part::Whole | Part::Last => true,
            Part::More => false,
        };
        if !is_news || !is_whole {
            return;
        }
        self.known.reign = Some(reign);
        self.known.round = round;
        self.known.entries.clear();
        let gathered = self
            .gathering
            .entries()
            .filter(|entry| !counts || entry.round == round);
        self.known
            .entries
            .extend(gathered.filter(|entry| entry.id().is_some()));
        if self.changes.has(Change::Remember) {
            let names = self.known.entries.iter().map(|entry| (entry.id, entry.addr));
            if self.book.take_table(names) == Differs::Yes {
                if !self.changes.has(Change::Introduce) {
                    self.book.forget_unnamed();
                }
                self.save(out);
            }
        }
        self.claim_table(out);
    }

    /// It is time for an AC.
    pub(super) fn on_availability(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        match self.phase {
            Phase::Serving(_) => return,
            Phase::Following { server, .. } if self.is_confirmed() => {
                let payload = self.encode_availability(out);
                out.send(self.me.port(), server, payload);
            }
            // There is no server to be available to.
            Phase::Seeking { .. } | Phase::Following { .. } | Phase::Electing { .. } => {}
        }
        out.arm(Timer::Availability, now + self.next_availability());
    }

    /// An AC: that the node is available, and whom it knows that its server's table does not name. Those who do not fit wait
    /// until those before them are in the table.
    fn encode_availability(&self, out: &mut Outbox<HacNode>) -> Payload {
        let (head, own) = (self.head(Code::Ac), self.own_entry());
        if self.book.unnamed().is_empty() {
            return out.encode(|into| head.encode_one(&own, into));
        }
        let unnamed = self.book.unnamed().iter().filter(|(_, addr)| *addr != self.me);
        let introduced = unnamed.map(|&(id, addr)| Entry {
            status: Status::Dead,
            ..restored(id, addr)
        });
        let fit = entries_in(self.config.rules, self.config.mtu).max(1);
        let entries: Vec<Entry> = std::iter::once(own).chain(introduced).take(fit).collect();
        let total = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        out.encode(|into| head.encode(Part::Whole, total, &entries, into))
    }

    /// How long until the next AC.
    pub(super) fn next_availability(&mut self) -> Span {
        self.rng.span(Span::ZERO, self.config.availability_interval)
    }
}
