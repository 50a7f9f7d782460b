//! Who leads: heartbeats, what becomes of it when they stop, and the terms of `Hardened`.

use std::net::SocketAddrV4;

use super::config::Change;
use super::facts::LeaderFact;
use super::peer::Peer;
use super::post::{Post, What};
use super::wire::{Ack, Choose, Heartbeat, LARGEST, MOST_NODES, Message, Term};
use super::{LeaderNode, Role, Timer};
use crate::outbox::Outbox;
use crate::time::Time;

/// What a node holds of who leads.
#[derive(Clone)]
pub(super) struct Succession {
    pub(super) stance: Stance,
    /// The highest term that it has seen; that of no leader under `Original`.
    pub(super) seen: Term,
    /// When it last claimed that it had seen a term.
    claimed: Option<Time>,
    /// When the leader was last heard of, or chosen.
    heard: Time,
    /// `Original`: whom it holds for gone, by place.
    struck: Vec<bool>,
}

/// How far above the highest that a node has seen the counter of a term is believed. Nobody gets there by opening terms, so whoever says
/// so has made it up: by one message it cannot use up the numbers that there are.
const MOST_AHEAD: u64 = 1 << 32;

/// What a node does. A place is one in the list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// It does not know the others.
    Waiting,
    /// It knows of no leader, and expects to hear of one.
    Expecting,
    /// It follows this leader; under `Original`, which it may have chosen without having heard of it.
    Following { leader: usize, term: Term },
    /// It has asked those of higher numbers whether they are there; this is the highest that was.
    Choosing { there: Option<usize> },
    /// It is the one that is chosen, and waits for a person to accept the role.
    Offered,
    /// It leads.
    Leading { term: Term },
}

impl Succession {
    pub(super) fn new(seen: Term) -> Self {
        Succession {
            stance: Stance::Waiting,
            seen,
            claimed: None,
            heard: Time::ZERO,
            struck: Vec::new(),
        }
    }
}

impl Peer {
    /// The place of the leader that this node holds for present; its own when it leads.
    pub(super) fn leader(&self) -> Option<usize> {
        match self.succession.stance {
            Stance::Following { leader, .. } => Some(leader),
            Stance::Leading { .. } => self.mesh.as_ref().map(|mesh| mesh.own),
            Stance::Waiting | Stance::Expecting | Stance::Choosing { .. } | Stance::Offered => None,
        }
    }

    /// Whether it hears of somebody who leads.
    pub(super) fn follows(&self) -> bool {
        matches!(self.succession.stance, Stance::Following { .. })
    }

    /// The term in which it leads, or the highest that it has seen.
    pub(super) fn own_term(&self) -> Term {
        match self.succession.stance {
            Stance::Leading { term } => term,
            _ => self.succession.seen,
        }
    }

    /// The term in which it leads, unless it has heard of a higher one, for which it will lead anew.
    pub(super) fn leads_in(&self) -> Option<Term> {
        let is_overtaken = |term| self.changes.has(Change::GiveWay) && term < self.succession.seen;
        match self.succession.stance {
            Stance::Leading { term } if !is_overtaken(term) => Some(term),
            _ => None,
        }
    }

    /// How much of a term above all that it has seen a node believes: nothing of one whose number is not on the list, and of its counter
    /// no more than [`MOST_AHEAD`]. Who hears of it again believes more, so that nobody stays behind for good. Before there is a list, any
    /// number may be on it.
    pub(super) fn believed(&self, term: Term) -> Option<Term> {
        let nodes = self.mesh.as_ref().map_or(MOST_NODES, |mesh| mesh.nodes.len());
        let is_listed = (1..=nodes as u64).contains(&u64::from(term.number));
        let most = self.succession.seen.counter.saturating_add(MOST_AHEAD);
        is_listed.then(|| Term {
            counter: term.counter.min(most),
            ..term
        })
    }

    /// There is another list. A term that was seen may be of a number that it does not have, and of which nobody would hear any more: in its
    /// place is the lowest one above it.
    pub(super) fn renumber(&mut self) {
        let Some(mesh) = &self.mesh else { return };
        let seen = &mut self.succession.seen;
        if seen.number as usize > mesh.nodes.len() && seen.counter < LARGEST {
            *seen = Term {
                counter: seen.counter + 1,
                number: 1,
            };
        }
    }

    /// Finds its place when it starts: the starter leads, and so does who has the highest number by its disk.
    pub(super) fn start_succession(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        let is_highest = mesh.own + 1 == mesh.nodes.len();
        if self.role == Role::Starter || is_highest {
            // The first leader needs nobody to accept it, under either rule set.
            self.take_the_lead(now, out);
        } else {
            self.expect_a_leader(now, out);
        }
    }

    /// Forgets who led, when a write has failed.
    pub(super) fn step_back(&mut self, out: &mut Outbox<LeaderNode>) {
        if let Stance::Leading { term } = self.succession.stance {
            let to = self.succession.seen;
            out.claim(LeaderFact::GaveWay { from: term, to });
        }
        if self.mesh.is_some() {
            self.succession.stance = Stance::Expecting;
        }
    }

    /// Waits to hear of a leader.
    pub(super) fn expect_a_leader(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        self.succession.stance = Stance::Expecting;
        self.succession.heard = now;
        self.watch(now, out);
    }

    /// Gives the leader, or whoever is to become it, a whole timeout.
    fn watch(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        if self.changes.has(Change::Watch) {
            out.disarm(Timer::Choosing);
            out.arm(Timer::Overdue, now + self.config.timeout);
        }
    }

    /// Leads from now on, in a term above all that it has seen; not where there is none.
    pub(super) fn take_the_lead(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        let number = mesh.number();
        let seen = self.succession.seen;
        let counter = match self.is_hardened() {
            true if seen.counter >= LARGEST => return self.cannot_lead(now, out),
            true => seen.counter + 1,
            false => 0,
        };
        let term = Term { counter, number };
        self.succession.seen = term;
        self.succession.stance = Stance::Leading { term };
        out.disarm(Timer::Overdue);
        out.disarm(Timer::Choosing);
        // In no term anything is said that a crash could make it forget.
        self.save(out);
        out.claim(LeaderFact::Leading { term });
        self.beat(now, out);
        self.retry_calls(now, out);
    }

    /// There is no term above the highest that was seen, and a term never goes back.
    fn cannot_lead(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        if let Stance::Leading { term: from } = self.succession.stance {
            let to = self.succession.seen;
            out.disarm(Timer::Heartbeat);
            out.claim(LeaderFact::GaveWay { from, to });
        }
        self.expect_a_leader(now, out);
    }

    /// The leader's next heartbeat is due. If it has heard of a term above its own since the last, it leads anew.
    pub(super) fn on_heartbeat_due(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let leads = matches!(self.succession.stance, Stance::Leading { .. });
        if leads && self.leads_in().is_none() {
            self.take_the_lead(now, out);
        } else {
            self.beat(now, out);
        }
    }

    /// The leader tells everyone that it is there; whoever waits for the list is told that instead.
    pub(super) fn beat(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let (Stance::Leading { .. }, Some(mesh)) = (self.succession.stance, &self.mesh) else {
            return;
        };
        let heartbeat = Post::encode(&Message::Heartbeat(Heartbeat {
            from: self.me,
            term: self.term_to_send(self.own_term()),
        }));
        let redials = self.changes.has(Change::Redial);
        let nodes = redials.then(|| self.encode_nodes());
        let others: Vec<(usize, bool)> = mesh.others().map(|place| (place, mesh.knows(place))).collect();
        for (place, knows) in others {
            match &nodes {
                Some(nodes) if !knows => self.send(now, place, What::Nodes, nodes, out),
                // By the rules of the source the starter tells them of the list beside it.
                _ => self.send(now, place, What::Heartbeat, &heartbeat, out),
            }
        }
        out.arm(Timer::Heartbeat, now + self.config.heartbeat);
    }

    /// Somebody says that they lead.
    pub(super) fn on_heartbeat(
        &mut self,
        now: Time,
        from: SocketAddrV4,
        term: Option<Term>,
        out: &mut Outbox<LeaderNode>,
    ) {
        let Some(mesh) = &self.mesh else { return };
        let own = mesh.own;
        let Some(place) = mesh.place_of(from).filter(|place| *place != own) else {
            return;
        };
        if !self.is_hardened() {
            return self.on_heartbeat_of_source(now, place, out);
        }
        // Every message of these rules has a term.
        let Some(term) = term else { return };
        if term > self.succession.seen && self.believed(term) != Some(term) {
            return self.hear_of(now, term, out);
        }
        let is_low = self.changes.has(Change::Ratchet) && term < self.succession.seen;
        if place > own && !is_low {
            self.follow(now, place, term, out);
        } else {
            // Who is of a lower number is not followed; who is behind will see by the answer that it is.
            self.hear_of(now, term, out);
        }
    }

    fn follow(&mut self, now: Time, leader: usize, term: Term, out: &mut Outbox<LeaderNode>) {
        let before = self.succession.stance;
        if matches!(before, Stance::Leading { .. }) && !self.changes.has(Change::GiveWay) {
            return;
        }
        self.succession.seen = self.succession.seen.max(term);
        self.succession.stance = Stance::Following { leader, term };
        self.succession.heard = now;
        self.watch(now, out);
        if before == self.succession.stance {
            return;
        }
        self.save(out);
        if let Stance::Leading { term: from } = before {
            out.disarm(Timer::Heartbeat);
            out.claim(LeaderFact::GaveWay { from, to: term });
        }
        self.claim_following(leader, term, out);
        self.retry_calls(now, out);
    }

    fn claim_following(&self, place: usize, term: Term, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        out.claim(LeaderFact::Following {
            term,
            leader: place as u32 + 1,
            address: mesh.nodes[place],
        });
    }

    /// Hears of a term, whoever told.
    pub(super) fn hear_of(&mut self, now: Time, term: Term, out: &mut Outbox<LeaderNode>) {
        let Some(term) = self.believed(term) else { return };
        if !self.is_hardened() || term <= self.succession.seen {
            return;
        }
        self.succession.seen = term;
        self.save(out);
        self.claim_seen(now, term, out);
        let (Stance::Leading { term: own }, Some(mesh)) = (self.succession.stance, &self.mesh) else {
            return;
        };
        // Where nobody who should lead in place of this node has opened it, it leads anew with its next heartbeat. Not at once: each time it
        // dials everyone, and whoever tells of one such term after the other should not have it do that each time.
        if self.changes.has(Change::GiveWay) && term.number > mesh.number() {
            out.disarm(Timer::Heartbeat);
            out.claim(LeaderFact::GaveWay { from: own, to: term });
            self.choose(now, out);
        }
    }

    /// Claims that a term was seen, no more often than leaders are heard of.
    fn claim_seen(&mut self, now: Time, term: Term, out: &mut Outbox<LeaderNode>) {
        let claimed = self.succession.claimed;
        if claimed.is_none_or(|at| now.since(at) >= self.config.heartbeat) {
            self.succession.claimed = Some(now);
            out.claim(LeaderFact::TermSeen { term });
        }
    }

    /// The leader has not been heard of for the timeout.
    pub(super) fn on_overdue(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let leader = self.leader().map(|place| place as u32 + 1);
        out.claim(LeaderFact::HeartbeatOverdue { leader });
        self.choose(now, out);
    }

    /// Asks those of higher numbers whether they are there.
    fn choose(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        let higher = mesh.own + 1..mesh.nodes.len();
        self.succession.stance = Stance::Choosing { there: None };
        let choose = Post::encode(&Message::Choose(Choose {
            from: self.me,
            term: self.term_to_send(self.succession.seen),
        }));
        out.disarm(Timer::Overdue);
        if higher.is_empty() {
            return self.on_chosen(now, out);
        }
        for place in higher {
            self.send(now, place, What::Choose, &choose, out);
        }
        out.arm(Timer::Choosing, now + self.config.deadline);
    }

    /// A node of a higher number is there. Who waits for the list could not lead, and is not to be waited for.
    pub(super) fn is_there(&mut self, place: usize, ack: &Ack) {
        if ack.waits && self.changes.has(Change::Able) {
            return;
        }
        if let Stance::Choosing { there } = &mut self.succession.stance {
            *there = (*there).max(Some(place));
        }
    }

    /// Everyone who was asked has had time to answer.
    pub(super) fn on_chosen(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let (Stance::Choosing { there }, Some(mesh)) = (self.succession.stance, &self.mesh) else {
            return;
        };
        let chosen = there.unwrap_or(mesh.own);
        let number = chosen as u32 + 1;
        out.claim(LeaderFact::Chosen { number });
        if chosen != mesh.own {
            self.expect_a_leader(now, out);
        } else if self.changes.has(Change::Accept) {
            self.take_the_lead(now, out);
        } else {
            self.succession.stance = Stance::Offered;
            out.claim(LeaderFact::Offered { number });
        }
    }
}

/// The rules of the source.
impl Peer {
    /// The list has come, for the first time or again: the highest number leads.
    pub(super) fn begin_anew(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &self.mesh else { return };
        let nodes = mesh.nodes.len();
        self.succession.struck = vec![false; nodes];
        out.disarm(Timer::Heartbeat);
        self.follow_by_source(now, nodes - 1, out);
    }

    fn follow_by_source(&mut self, now: Time, leader: usize, out: &mut Outbox<LeaderNode>) {
        let number = leader as u32 + 1;
        let term = Term { counter: 0, number };
        let stance = Stance::Following { leader, term };
        self.succession.heard = now;
        if std::mem::replace(&mut self.succession.stance, stance) != stance {
            self.claim_following(leader, term, out);
        }
    }

    /// Whoever says that they lead is believed, unless this node leads itself: nothing says which of two is the later.
    fn on_heartbeat_of_source(&mut self, now: Time, place: usize, out: &mut Outbox<LeaderNode>) {
        if let Some(struck) = self.succession.struck.get_mut(place) {
            *struck = false;
        }
        if !matches!(self.succession.stance, Stance::Leading { .. }) {
            self.follow_by_source(now, place, out);
        }
    }

    /// There is a request: is the leader still active? If it has sent no heartbeat in a while, the highest number of those that are
    /// left is chosen; if that is this node's, the role is open until a person accepts it.
    pub(super) fn check_leader(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let Stance::Following { leader, .. } = self.succession.stance else {
            return;
        };
        let Some(mesh) = &self.mesh else { return };
        if now.since(self.succession.heard) <= self.config.timeout {
            return;
        }
        self.succession.struck.resize(mesh.nodes.len(), false);
        self.succession.struck[leader] = true;
        self.succession.struck[mesh.own] = false;
        let left = self.succession.struck.iter().rposition(|struck| !struck);
        let chosen = left.unwrap_or(mesh.own);
        let (own, number) = (mesh.own, chosen as u32 + 1);
        out.claim(LeaderFact::HeartbeatOverdue {
            leader: Some(leader as u32 + 1),
        });
        out.claim(LeaderFact::Chosen { number });
        self.succession.heard = now;
        if chosen == own {
            self.succession.stance = Stance::Offered;
            out.claim(LeaderFact::Offered { number });
        } else {
            self.follow_by_source(now, chosen, out);
        }
    }
}
