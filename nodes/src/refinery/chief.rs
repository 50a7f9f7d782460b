//! A master or a standby: it seeks the other, follows it, or reigns.
//!
//! Whoever reigns keeps the registry and gives every node its upstream. What the two masters have to do with each other is here as
//! well: who follows whom, and who gives way.

mod reign;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::config::{Change, Changes, Config, MOST_NODES, Rules};
use super::facts::{Loss, Parting, RefineryFact, Refusal};
use super::gate::{Gate, Heard};
use super::line::{Line, Word};
use super::registry::Registry;
use super::strangers::Refusals;
use super::wire::{Epoch, Establish, Grant, Link, Row};
use super::{Answer, Out, Role, Standing, Timer, disk, waits};
use crate::node::{CallId, ConnId, StreamEvent};
use crate::rng::NodeRng;
use crate::time::Time;
use reign::Reign;

/// One of the masters.
#[derive(Clone, Debug)]
pub(super) struct Chief {
    changes: Changes,
    config: Config,
    role: Role,
    me: SocketAddrV4,
    other: Option<SocketAddrV4>,
    rng: NodeRng,
    /// The highest epoch that it has opened, accepted or heard of from who belongs here.
    epoch: Epoch,
    /// What is on the disk, or on its way there.
    saved: Epoch,
    gate: Gate,
    stance: Stance,
    /// To the other.
    line: Option<Line>,
    /// How often in a row it was not reached.
    failures: u32,
    /// When a master last was there for which, or to which, this one is not the other.
    rival: Option<Time>,
    refusals: Refusals,
    /// The registry of the one that it followed last, and where that is.
    known: BTreeMap<String, Row>,
    known_from: Option<SocketAddrV4>,
}

/// What it does.
#[derive(Clone, Debug)]
enum Stance {
    /// Nothing.
    Idle,
    /// It looks for the other.
    Seeking(Search),
    /// It follows the other, on the line.
    Following,
    /// It keeps the registry.
    Reigning(Reign),
}

/// Whether it has looked for the other for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    GoesOn,
    /// It has, but for the attempt that is under way.
    IsOver,
}

impl Chief {
    pub(super) fn boot(role: Role, config: Config, me: SocketAddrV4, epoch: Epoch, rng: NodeRng) -> Self {
        let other = config.masters.iter().copied().find(|master| *master != me);
        let changes = config.changes();
        Chief {
            changes,
            role,
            me,
            other: other.filter(|_| changes.has(Change::Standby)),
            rng,
            epoch,
            saved: epoch,
            gate: Gate::default(),
            stance: Stance::Idle,
            line: None,
            failures: 0,
            rival: None,
            refusals: Refusals::default(),
            known: BTreeMap::new(),
            known_from: None,
            config,
        }
    }

    /// Whether it does nothing: the source knows no standby.
    pub(super) fn is_idle(&self) -> bool {
        self.role == Role::Standby && self.other.is_none()
    }

    pub(super) fn start(&mut self, now: Time, out: &mut Out) {
        if self.is_idle() {
            return out.claim(RefineryFact::Idle);
        }
        let first = self.rng.span(crate::time::Span::ZERO, self.config.alive);
        out.arm(Timer::Beat, now + first);
        if self.other.is_none() {
            return self.reign(now, out);
        }
        self.seek(now, out);
        self.dial(now, out);
    }

    pub(super) fn on_stream(&mut self, now: Time, conn: ConnId, event: StreamEvent<'_>, out: &mut Out) {
        if self.line.as_ref().is_some_and(|line| line.conn == conn) {
            return self.on_line(now, event, out);
        }
        match event {
            StreamEvent::Accepted { from, .. } => self.gate.accept(now, conn, from, &self.config, out),
            StreamEvent::Bytes(mut bytes) => {
                while let Some(heard) =
                    self.gate
                        .next(now, conn, &mut bytes, &self.config, &mut self.rng, out)
                {
                    self.hear(now, heard, out);
                }
            }
            StreamEvent::Blocked => self.gate.set_blocked(conn, true),
            StreamEvent::Writable => self.gate.set_blocked(conn, false),
            StreamEvent::Closed(_) => {
                if let Some(heard) = self.gate.over(conn) {
                    self.hear(now, heard, out);
                }
            }
            // Of a line that is given up by now.
            StreamEvent::Opened => {}
        }
    }

    pub(super) fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Out) {
        match timer {
            Timer::Beat => self.beat(now, out),
            Timer::Dial => self.dial(now, out),
            Timer::Takeover => {
                if !matches!(self.stance, Stance::Seeking(_)) {
                    return;
                }
                if self.line.is_none() {
                    return self.take_over(now, out);
                }
                // Where many dial at once it may be let in only a little later.
                self.stance = Stance::Seeking(Search::IsOver);
            }
            // Of others.
            Timer::Upstream | Timer::Disk | Timer::Act => {}
        }
    }

    pub(super) fn on_status(&self, call: CallId, out: &mut Out) {
        let (standing, master) = match &self.stance {
            Stance::Idle => (Standing::Idle, None),
            Stance::Seeking(_) => (Standing::Seeking, None),
            Stance::Following => (Standing::Following, self.other),
            Stance::Reigning(_) => (Standing::Reigning, Some(self.me)),
        };
        let below = match &self.stance {
            Stance::Reigning(reign) => reign.below(self.me),
            _ => Vec::new(),
        };
        let standby = match &self.stance {
            Stance::Reigning(reign) => reign
                .followers
                .first()
                .and_then(|conn| Some(self.gate.guest(*conn)?.address())),
            _ => None,
        };
        let epoch = self.epoch;
        let upstream = None;
        out.answer(
            call,
            Answer::Status {
                standing,
                epoch,
                master,
                upstream,
                below,
                standby,
            },
        );
    }

    /// Forgets every connection: what was said last may never have gone out.
    pub(super) fn drop_all(&mut self, out: &mut Out) {
        self.gate.drop_all(out);
        if let Some(line) = self.line.take() {
            out.close(line.conn);
        }
        for timer in [Timer::Beat, Timer::Dial, Timer::Takeover] {
            out.disarm(timer);
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn rng(&self) -> NodeRng {
        self.rng.clone()
    }

    /// Looks for the other, and reigns if there is none to be found for a while.
    fn seek(&mut self, now: Time, out: &mut Out) {
        self.stance = Stance::Seeking(Search::GoesOn);
        out.arm(Timer::Takeover, now + self.config.takeover);
    }

    /// Reigns, as it has looked for the other for long enough; but no standby does beside a master that is there, and of whom it was not told.
    fn take_over(&mut self, now: Time, out: &mut Out) {
        let is_there = |rival: Time| now.since(rival) <= self.config.patience;
        if self.role == Role::Standby && self.rival.is_some_and(is_there) {
            return self.seek(now, out);
        }
        self.reign(now, out);
    }

    /// Opens an epoch; goes on looking for the other where there is none to open.
    fn reign(&mut self, now: Time, out: &mut Out) {
        out.disarm(Timer::Takeover);
        let epoch = match self.config.rules {
            Rules::Original => Some(Epoch(0)),
            Rules::Hardened => self.open_epoch(out),
        };
        let Some(epoch) = epoch else {
            self.stance = Stance::Seeking(Search::GoesOn);
            return self.dial_later(now, out);
        };
        if self.known_from.is_some() {
            out.claim(RefineryFact::Promoted { epoch });
        }
        let until = now + self.config.takeover + self.config.silence;
        let was = self.known_from.take().unwrap_or(self.me);
        let known = std::mem::take(&mut self.known);
        let registry = Registry::remembering(known.values(), was, until);
        self.stance = Stance::Reigning(Reign::new(epoch, registry));
        out.claim(RefineryFact::Serving { epoch });
        self.dial_later(now, out);
    }

    /// An epoch above all that it knows of, which is on the disk before anything is said in it; none when the last one that it could open
    /// is known of already.
    fn open_epoch(&mut self, out: &mut Out) -> Option<Epoch> {
        let Some(epoch) = next_epoch(&self.role, self.epoch) else {
            out.claim(RefineryFact::NoEpochLeft);
            return None;
        };
        self.epoch = epoch;
        self.save(out);
        Some(epoch)
    }

    fn save(&mut self, out: &mut Out) {
        if self.saved != self.epoch {
            self.saved = self.epoch;
            out.persist(&disk::encode(self.epoch));
        }
    }

    fn hear(&mut self, now: Time, heard: Heard, out: &mut Out) {
        match heard {
            Heard::Named(conn) => self.on_named(now, conn, out),
            Heard::Proven(conn) => self.on_proven(now, conn, out),
            Heard::Entered(conn) => self.on_entered(conn, out),
            Heard::Alive(conn, report) => self.on_alive(now, conn, report, out),
            Heard::Left(conn) => self.on_left(now, &[conn], out),
        }
    }

    /// Somebody names itself. By the original rules it is believed, and whoever went by that id before was the same node before a restart.
    fn on_named(&mut self, now: Time, conn: ConnId, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        let id = self
            .gate
            .guest(conn)
            .and_then(|guest| guest.said())
            .map(|said| said.id.clone());
        let before = id.and_then(|id| Some((reign.registry.conn(&id)?, id)));
        if let Some((before, id)) = before.filter(|_| !self.changes.has(Change::Earn)) {
            self.gate.replace(before, self.changes, out);
            self.strike_off(now, &[id], out);
        }
    }

    fn on_proven(&mut self, now: Time, conn: ConnId, out: &mut Out) {
        let Some(guest) = self.gate.guest(conn) else {
            return;
        };
        let Some(said) = guest.said().cloned() else {
            return;
        };
        let theirs = guest.epoch();
        let is_chief = matches!(said.link, Link::Follower | Link::Reigning);
        if is_chief && self.other != Some(guest.address()) {
            self.rival = Some(now);
            return self.gate.close(conn, Refusal::Unexpected, out);
        }
        let Stance::Reigning(reign) = &self.stance else {
            self.epoch = self.epoch.max(theirs);
            self.gate.close(conn, Refusal::NotReigning(self.epoch), out);
            if said.link == Link::Reigning {
                self.nudged(now, out);
            }
            return;
        };
        let gives_way = self.changes.has(Change::GiveWay);
        match said.link {
            Link::Reigning if theirs > reign.epoch && gives_way => {
                self.step_down(now, theirs, out);
                self.nudged(now, out);
            }
            Link::Reigning if !gives_way => {
                self.gate.close(conn, Refusal::NotReigning(Epoch(0)), out);
            }
            Link::Reigning => self.grant_to_chief(conn, out),
            Link::Follower => {
                if theirs > reign.epoch && gives_way {
                    self.rise_above(theirs, out);
                }
                self.grant_to_chief(conn, out);
            }
            Link::Node | Link::Child => {
                if theirs > reign.epoch && gives_way {
                    self.rise_above(theirs, out);
                }
                self.admit(now, conn, &said, out);
            }
        }
    }

    /// The other one reigns and is not followed, as far as it knows.
    fn nudged(&mut self, now: Time, out: &mut Out) {
        // It may not have known of this line yet when it dialled.
        if self
            .line
            .as_ref()
            .is_some_and(|line| line.is_young(now, &self.config))
        {
            return;
        }
        if let Some(line) = self.line.take() {
            line.close(out);
        }
        if matches!(self.stance, Stance::Following) {
            self.seek(now, out);
        }
        self.dial(now, out);
    }

    fn grant_to_chief(&mut self, conn: ConnId, out: &mut Out) {
        if let Stance::Reigning(Reign { epoch, .. }) = self.stance {
            let upstream = self.me;
            self.gate.grant(conn, Grant { upstream, epoch }, out);
        }
    }

    /// Somebody has accepted a higher epoch than the one in which this one reigns, and nobody reigns there: another is opened above it.
    fn rise_above(&mut self, theirs: Epoch, out: &mut Out) {
        self.epoch = self.epoch.max(theirs);
        let Some(epoch) = self.open_epoch(out) else {
            return;
        };
        let me = self.me;
        if let Stance::Reigning(reign) = &mut self.stance {
            reign.epoch = epoch;
            out.claim(RefineryFact::Serving { epoch });
            for (conn, grant) in reign.grants(me) {
                self.gate.grant(conn, grant, out);
            }
        }
    }

    /// Another one reigns in a higher epoch: this one follows it.
    fn step_down(&mut self, now: Time, to: Epoch, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        let from = reign.epoch;
        self.epoch = self.epoch.max(to);
        out.claim(RefineryFact::SteppedDown { from, to });
        self.gate.close_all(Refusal::NotReigning(to), out);
        self.seek(now, out);
    }

    fn on_line(&mut self, now: Time, event: StreamEvent<'_>, out: &mut Out) {
        let StreamEvent::Bytes(mut bytes) = event else {
            let word = self.line.as_mut().and_then(|line| line.event(now, event, out));
            if let Some(Word::Over(why)) = word {
                self.lose_line(now, why, out);
            }
            return;
        };
        while let Some(line) = &mut self.line {
            let Some(word) = line.next(now, &mut bytes, &self.config, out) else {
                return;
            };
            match word {
                Word::Granted(grant) => self.on_granted(now, grant, out),
                // Whoever is there could go on for ever.
                Word::Row(row) if self.known.len() < MOST_NODES || self.known.contains_key(&row.id) => {
                    self.known.insert(row.id.clone(), row);
                }
                Word::Row(_) => {}
                Word::Gone(id) => {
                    self.known.remove(&id);
                }
                Word::Over(why) => return self.lose_line(now, why, out),
            }
            // Another line may have come in its place, of which these bytes are not.
            if self.line.as_ref().is_none_or(Line::is_new) {
                return;
            }
        }
    }

    /// The other one reigns.
    fn on_granted(&mut self, now: Time, grant: Grant, out: &mut Out) {
        let Some(to) = self.line.as_ref().map(|line| line.to) else {
            return;
        };
        let is_outdated = match &self.stance {
            Stance::Reigning(reign) => grant.epoch <= reign.epoch || !self.changes.has(Change::GiveWay),
            _ => grant.epoch < self.epoch && self.changes.has(Change::Ratchet),
        };
        if is_outdated {
            self.lose_line_with(now, Loss::Outdated(grant.epoch), out);
            return;
        }
        if matches!(self.stance, Stance::Reigning(_)) {
            self.step_down(now, grant.epoch, out);
        }
        self.epoch = self.epoch.max(grant.epoch);
        self.save(out);
        if !matches!(self.stance, Stance::Following) {
            self.known.clear();
            self.stance = Stance::Following;
        }
        self.known_from = Some(to);
        self.failures = 0;
        self.refusals.forget();
        out.disarm(Timer::Takeover);
        out.claim(RefineryFact::Following {
            master: to,
            epoch: grant.epoch,
        });
        if let Some(line) = &mut self.line {
            line.acknowledge(out);
        }
    }

    fn lose_line_with(&mut self, now: Time, why: Loss, out: &mut Out) {
        if let Some(line) = &self.line {
            line.close(out);
        }
        self.lose_line(now, why, out);
    }

    fn lose_line(&mut self, now: Time, why: Loss, out: &mut Out) {
        let Some(line) = self.line.take() else {
            return;
        };
        // Somebody is there with whom it does not agree on who the other one is, on the version or on the secret.
        let disagrees = matches!(
            why,
            Loss::Closed(Parting::Unexpected | Parting::Version) | Loss::Declined
        );
        let by = line.to;
        let turns_away = disagrees || why == Loss::Closed(Parting::NoMaster);
        if turns_away && self.refusals.count(by, why) {
            out.claim(RefineryFact::TurnedAway { by, why });
        }
        if disagrees {
            self.rival = Some(now);
        }
        // Of which epoch the other knows is not believed: who is dialled has not shown that it belongs here. Where it does, it says so
        // again when it dials itself, and shows it.
        match self.stance {
            Stance::Following => {
                let master = line.to;
                out.claim(RefineryFact::Suspected { master, why });
                self.failures = 0;
                self.seek(now, out);
            }
            Stance::Seeking(Search::IsOver) => {
                self.take_over(now, out);
                if self.line.is_some() || matches!(self.stance, Stance::Reigning(_)) {
                    return;
                }
            }
            Stance::Seeking(_) if self.role == Role::Master && is_vacant(why) => {
                // The other is there and does not reign, or is down: nobody else does.
                return self.reign(now, out);
            }
            Stance::Seeking(_) | Stance::Reigning(_) | Stance::Idle => {}
        }
        self.dial_later(now, out);
    }

    fn dial(&mut self, now: Time, out: &mut Out) {
        let Some(other) = self.other.filter(|_| self.line.is_none()) else {
            return;
        };
        let link = match &self.stance {
            Stance::Idle => return,
            Stance::Reigning(reign) if !reign.followers.is_empty() => return self.dial_later(now, out),
            Stance::Reigning(_) => Link::Reigning,
            Stance::Seeking(_) | Stance::Following => Link::Follower,
        };
        let said = Establish {
            id: self.config.own_id(self.me),
            version: self.config.version.clone(),
            kind: "master".to_owned(),
            port: self.me.port(),
            epoch: self.epoch,
            link,
        };
        out.disarm(Timer::Dial);
        self.line = Some(Line::dial(other, said, now, &self.config, out));
    }

    fn dial_later(&mut self, now: Time, out: &mut Out) {
        if self.other.is_none() || self.line.is_some() {
            return;
        }
        let wait = match self.stance {
            // It is not in a hurry.
            Stance::Reigning(_) => self.config.backoff_most,
            _ => waits(&self.config, self.failures, &mut self.rng),
        };
        self.failures = self.failures.saturating_add(1);
        out.arm(Timer::Dial, now + wait);
    }

    fn beat(&mut self, now: Time, out: &mut Out) {
        out.arm(Timer::Beat, now + self.config.alive);
        let left = self.gate.beat(now, &self.config, out);
        self.on_left(now, &left, out);
        self.strike_off_overdue(now, out);
        let lost = self
            .line
            .as_mut()
            .and_then(|line| line.beat(now, None, &self.config, out));
        if let Some(why) = lost {
            self.lose_line(now, why, out);
        }
    }
}

/// The epoch above another that a master opens, which is even, or a standby, which is odd. So the two never open the same.
fn next_epoch(role: &Role, above: Epoch) -> Option<Epoch> {
    let parity = u64::from(*role != Role::Master);
    let next = above.0.checked_add(1)?;
    let epoch = Epoch(next.checked_add(u64::from(next % 2 != parity))?);
    (epoch <= Epoch::LAST).then_some(epoch)
}

/// Whether nobody can be reigning where a line was lost like this.
fn is_vacant(why: Loss) -> bool {
    matches!(
        why,
        Loss::Refused | Loss::Closed(Parting::NotReigning(_) | Parting::NoMaster)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_epoch_is_opened_by_both_and_none_beyond_the_last() {
        let roles = [Role::Master, Role::Standby];
        let last = Epoch::LAST.0;
        for above in (0..10)
            .chain(last - 10..=last)
            .chain([u64::MAX - 1, u64::MAX])
            .map(Epoch)
        {
            let [master, standby] = [&roles[0], &roles[1]].map(|role| next_epoch(role, above));
            assert!(master.is_none() || master != standby, "{master:?} above {above}");
            for epoch in [master, standby].into_iter().flatten() {
                assert!(above < epoch && epoch <= Epoch::LAST, "{epoch} above {above}");
            }
        }
        let opens = |role, above| next_epoch(role, Epoch(above));
        assert_eq!(opens(&roles[0], last - 2), Some(Epoch(last - 1)));
        assert_eq!(opens(&roles[1], last - 2), Some(Epoch::LAST));
        assert_eq!((opens(&roles[0], last - 1), opens(&roles[1], last)), (None, None));
    }
}
