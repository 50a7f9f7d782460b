//! A node of the tree: it has a line to a master, a line to its upstream, and those below it.

use std::net::SocketAddrV4;

use super::config::{Change, Changes, Config};
use super::facts::{Loss, Parting, RefineryFact, Refusal};
use super::gate::{Gate, Heard, is_stale};
use super::line::{Line, Word};
use super::strangers::Refusals;
use super::wire::{Epoch, Establish, Grant, Link, Report};
use super::{Answer, Below, Out, Standing, Timer, disk, waits};
use crate::node::{CallId, ConnId, StreamEvent};
use crate::rng::NodeRng;
use crate::time::{Span, Time};

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Member {
    changes: Changes,
    config: Config,
    kind: String,
    me: SocketAddrV4,
    rng: NodeRng,
    /// The highest epoch that it has accepted.
    epoch: Epoch,
    gate: Gate,
    /// To a master.
    line: Option<Line>,
    /// Which of the masters it dials.
    at: usize,
    /// How often in a row no master let it in.
    failures: u32,
    /// How often in a row it was closed because somebody else goes by its id.
    replaced: u32,
    /// Who has turned it away for what somebody has to mend, since a master last let it in, and why.
    turned_away: Option<(SocketAddrV4, Loss)>,
    refusals: Refusals,
    /// What the last master that let it in has given it.
    granted: Option<SocketAddrV4>,
    upstream: Upstream,
    /// How often in a row its upstream did not let it in.
    upstream_failures: u32,
    /// The upstream that it has claimed to be attached to.
    attached: Option<SocketAddrV4>,
}

/// How a node stands with its upstream.
#[derive(Clone, Debug)]
enum Upstream {
    /// It has none, and knows of none or waits to dial.
    None,
    /// It is the master, which it has a line to.
    Master,
    /// It has dialled it.
    Line(Box<Line>),
}

impl Member {
    pub(super) fn boot(kind: String, config: Config, me: SocketAddrV4, epoch: Epoch, rng: NodeRng) -> Self {
        Member {
            changes: config.changes(),
            config,
            kind,
            me,
            rng,
            epoch,
            gate: Gate::default(),
            line: None,
            at: 0,
            failures: 0,
            replaced: 0,
            turned_away: None,
            refusals: Refusals::default(),
            granted: None,
            upstream: Upstream::None,
            upstream_failures: 0,
            attached: None,
        }
    }

    pub(super) fn start(&mut self, now: Time, out: &mut Out) {
        let first = self.rng.span(Span::ZERO, self.config.alive);
        out.arm(Timer::Beat, now + first);
        self.dial(now, out);
    }

    pub(super) fn on_stream(&mut self, now: Time, conn: ConnId, event: StreamEvent<'_>, out: &mut Out) {
        if self.line.as_ref().is_some_and(|line| line.conn == conn) {
            return self.on_line(now, event, out);
        }
        if matches!(&self.upstream, Upstream::Line(line) if line.conn == conn) {
            return self.on_upstream(now, event, out);
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
                // Whom it had below itself is the master's to know.
                let _ = self.gate.over(conn);
            }
            // Of a line that is given up by now.
            StreamEvent::Opened => {}
        }
    }

    pub(super) fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Out) {
        match timer {
            Timer::Beat => self.beat(now, out),
            Timer::Dial => self.dial(now, out),
            Timer::Upstream => self.dial_upstream(now, out),
            // Of others.
            Timer::Takeover | Timer::Disk | Timer::Act => {}
        }
    }

    pub(super) fn on_status(&self, call: CallId, out: &mut Out) {
        let master = self.line.as_ref().filter(|line| line.is_in()).map(|line| line.to);
        let standing = match (master, self.attached, self.turned_away) {
            (Some(_), Some(_), _) => Standing::Attached,
            (Some(_), None, _) => Standing::Joined,
            (None, _, Some((to, Loss::Closed(Parting::NoMaster)))) => Standing::Misdirected { to },
            (None, _, Some((by, why))) => Standing::TurnedAway { by, why },
            (None, _, None) => Standing::Seeking,
        };
        let below = self.gate.within().filter_map(|(_, guest)| {
            let said = guest.said()?;
            Some(Below {
                id: said.id.clone(),
                address: guest.address(),
                kind: said.kind.clone(),
                upstream: self.me,
                is_here: true,
            })
        });
        out.answer(
            call,
            Answer::Status {
                standing,
                epoch: self.epoch,
                master,
                upstream: self.attached,
                below: below.collect(),
                standby: None,
            },
        );
    }

    /// Forgets every connection: what was said last may never have gone out.
    pub(super) fn drop_all(&mut self, out: &mut Out) {
        self.gate.drop_all(out);
        let upstream = match std::mem::replace(&mut self.upstream, Upstream::None) {
            Upstream::Line(line) => Some(line.conn),
            Upstream::None | Upstream::Master => None,
        };
        for conn in self.line.take().map(|line| line.conn).into_iter().chain(upstream) {
            out.close(conn);
        }
        for timer in [Timer::Beat, Timer::Dial, Timer::Upstream] {
            out.disarm(timer);
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn rng(&self) -> NodeRng {
        self.rng.clone()
    }

    fn establish(&self, link: Link) -> Establish {
        Establish {
            id: self.config.own_id(self.me),
            version: self.config.version.clone(),
            kind: self.kind.clone(),
            port: self.me.port(),
            epoch: self.epoch,
            link,
        }
    }

    fn dial(&mut self, now: Time, out: &mut Out) {
        // The source knows one master.
        let masters = match self.changes.has(Change::Standby) {
            true => self.config.masters.len(),
            false => 1,
        };
        if self.line.is_none() {
            let to = self.config.masters[self.at % masters];
            self.line = Some(Line::dial(to, self.establish(Link::Node), now, &self.config, out));
        }
    }

    fn on_line(&mut self, now: Time, event: StreamEvent<'_>, out: &mut Out) {
        let StreamEvent::Bytes(mut bytes) = event else {
            let word = self.line.as_mut().and_then(|line| line.event(now, event, out));
            if let Some(Word::Over(why)) = word {
                self.lose_master(now, why, out);
            }
            return;
        };
        while let Some(line) = &mut self.line {
            match line.next(now, &mut bytes, &self.config, out) {
                None => return,
                Some(Word::Granted(grant)) => self.on_granted(now, grant, out),
                Some(Word::Over(why)) => return self.lose_master(now, why, out),
                // That is for who follows a master.
                Some(Word::Row(_) | Word::Gone(_)) => {
                    line.close(out);
                    return self.lose_master(now, Loss::Turn, out);
                }
            }
        }
    }

    fn on_granted(&mut self, now: Time, grant: Grant, out: &mut Out) {
        let Some(line) = &mut self.line else {
            return;
        };
        let ratchet = self.changes.has(Change::Ratchet);
        if ratchet && grant.epoch < self.epoch {
            line.close(out);
            return self.lose_master(now, Loss::Outdated(grant.epoch), out);
        }
        if grant.epoch != self.epoch {
            self.epoch = grant.epoch;
            if ratchet {
                out.persist(&disk::encode(self.epoch));
            }
            out.claim(RefineryFact::Accepted { epoch: self.epoch });
        }
        let is_new = !line.is_in();
        line.acknowledge(out);
        self.failures = 0;
        self.turned_away = None;
        self.refusals.forget();
        if is_new {
            let (master, epoch) = (line.to, grant.epoch);
            out.claim(RefineryFact::Joined { master, epoch });
        }
        self.follow(now, grant.upstream, out);
    }

    /// No master lets this node in any more, or this one did not.
    fn lose_master(&mut self, now: Time, why: Loss, out: &mut Out) {
        let Some(line) = self.line.take() else {
            return;
        };
        let (master, was_in) = (line.to, line.is_in());
        if was_in {
            out.claim(RefineryFact::Orphaned { master, why });
        } else if !matches!(why, Loss::Refused | Loss::TimedOut | Loss::Silent)
            && self.refusals.count(master, why)
        {
            out.claim(RefineryFact::TurnedAway { by: master, why });
        }
        let is_to_be_mended = matches!(
            why,
            Loss::Declined | Loss::Closed(Parting::NoMaster | Parting::Version | Parting::Replaced)
        );
        if is_to_be_mended {
            self.turned_away = Some((master, why));
        } else if self.turned_away.is_some_and(|(by, _)| by == master) {
            // Somebody else may be there by now.
            self.turned_away = None;
        }
        // Whoever has not let it in may be anybody.
        let is_replaced = was_in && why == Loss::Closed(Parting::Replaced);
        match is_replaced {
            true => self.replaced = self.replaced.saturating_add(1),
            false => (self.replaced, self.at) = (0, self.at.wrapping_add(1)),
        }
        if is_replaced {
            // Its place, and those below it, are those of whoever goes by its id.
            if let Upstream::Line(line) = &self.upstream {
                line.close(out);
            }
            self.gate.close_all(Refusal::Displaced, out);
            out.disarm(Timer::Upstream);
        }
        if is_replaced || matches!(self.upstream, Upstream::Master) {
            self.upstream = Upstream::None;
            self.granted = None;
            self.detach(why, out);
        }
        let wait = self.wait(self.failures);
        self.failures = self.failures.saturating_add(1);
        out.arm(Timer::Dial, now + wait);
    }

    /// Goes over to the upstream that it is given, or stays where that is the one that it has.
    fn follow(&mut self, now: Time, upstream: SocketAddrV4, out: &mut Out) {
        self.granted = Some(upstream);
        if let Upstream::Line(line) = &self.upstream {
            if line.to == upstream {
                return;
            }
            line.close(out);
        }
        if self.attached != Some(upstream) {
            self.detach(Loss::Moved, out);
        }
        self.upstream_failures = 0;
        out.disarm(Timer::Upstream);
        if self.line.as_ref().is_some_and(|line| line.to == upstream) {
            self.upstream = Upstream::Master;
            return self.attach(upstream, out);
        }
        self.upstream = Upstream::None;
        self.dial_upstream(now, out);
    }

    fn dial_upstream(&mut self, now: Time, out: &mut Out) {
        if let (Some(to), Upstream::None) = (self.granted, &self.upstream) {
            let link = match self.changes.has(Change::Whom) {
                true => Link::Child,
                false => Link::Node,
            };
            let line = Line::dial(to, self.establish(link), now, &self.config, out);
            self.upstream = Upstream::Line(Box::new(line));
        }
    }

    fn on_upstream(&mut self, now: Time, event: StreamEvent<'_>, out: &mut Out) {
        let Upstream::Line(line) = &mut self.upstream else {
            return;
        };
        let StreamEvent::Bytes(mut bytes) = event else {
            if let Some(Word::Over(why)) = line.event(now, event, out) {
                self.lose_upstream(now, why, out);
            }
            return;
        };
        let to = line.to;
        loop {
            let Upstream::Line(line) = &mut self.upstream else {
                return;
            };
            match line.next(now, &mut bytes, &self.config, out) {
                None => return,
                // Where this node belongs is the master's to say: an upstream says only that it is one.
                Some(Word::Granted(_)) => {
                    line.acknowledge(out);
                    self.upstream_failures = 0;
                    self.attach(to, out);
                }
                Some(Word::Over(why)) => return self.lose_upstream(now, why, out),
                Some(Word::Row(_) | Word::Gone(_)) => {
                    line.close(out);
                    return self.lose_upstream(now, Loss::Turn, out);
                }
            }
        }
    }

    fn lose_upstream(&mut self, now: Time, why: Loss, out: &mut Out) {
        self.upstream = Upstream::None;
        self.detach(why, out);
        if let (Some(lost), Some(line)) = (self.lost(), &self.line)
            && line.is_in()
        {
            line.report(Some(lost), out);
        }
        let wait = self.wait(self.upstream_failures);
        self.upstream_failures = self.upstream_failures.saturating_add(1);
        out.arm(Timer::Upstream, now + wait);
    }

    /// How long it waits until it dials again after so many failures in a row. Two that go by one id, each of which is let in as often as it
    /// comes, are not to come ever again without a pause.
    fn wait(&mut self, failures: u32) -> Span {
        let failures = failures.max(self.replaced.saturating_sub(1));
        waits(&self.config, failures, &mut self.rng)
    }

    fn attach(&mut self, upstream: SocketAddrV4, out: &mut Out) {
        if self.attached != Some(upstream) {
            self.attached = Some(upstream);
            out.claim(RefineryFact::Attached { upstream });
        }
    }

    fn detach(&mut self, why: Loss, out: &mut Out) {
        if let Some(upstream) = self.attached.take() {
            out.claim(RefineryFact::Detached { upstream, why });
        }
    }

    /// That it has lost the upstream that it was given, where it says so.
    fn lost(&self) -> Option<Report> {
        let lost = self.granted.filter(|_| matches!(self.upstream, Upstream::None));
        lost.filter(|_| self.changes.has(Change::Detect))
            .map(Report::Lost)
    }

    fn beat(&mut self, now: Time, out: &mut Out) {
        out.arm(Timer::Beat, now + self.config.alive);
        // Those below it who were closed for their silence are the master's to know.
        let _ = self.gate.beat(now, &self.config, out);
        let has = self
            .attached
            .filter(|_| self.changes.has(Change::Detect))
            .map(Report::Has);
        let report = has.or(self.lost());
        let lost = self
            .line
            .as_mut()
            .and_then(|line| line.beat(now, report, &self.config, out));
        if let Some(why) = lost {
            self.lose_master(now, why, out);
        }
        if let Upstream::Line(line) = &mut self.upstream
            && let Some(why) = line.beat(now, None, &self.config, out)
        {
            self.lose_upstream(now, why, out);
        }
    }

    /// Takes in what happens at its gate: it lets in those who belong here, as many as it may have, and who do not take it for a master.
    fn hear(&mut self, now: Time, heard: Heard, out: &mut Out) {
        let Some((conn, said)) = (match heard {
            Heard::Named(conn) if !self.changes.has(Change::Earn) => self.said(conn),
            Heard::Proven(conn) => self.said(conn),
            // Whom it has below itself is the master's to know.
            Heard::Named(_) | Heard::Entered(_) | Heard::Alive(..) | Heard::Left(_) => None,
        }) else {
            return;
        };
        let is_proven = matches!(heard, Heard::Proven(_));
        if is_proven && self.is_mistaken(said.link) {
            // Whatever that one has here as a child of this node stays as it is.
            return self.gate.close(conn, Refusal::NoMaster, out);
        }
        let same = |other: &(ConnId, &super::gate::Guest)| {
            other.0 != conn && other.1.said().is_some_and(|other| other.id == said.id)
        };
        let before = self.gate.within().find(same).map(|(conn, _)| conn);
        if let Some(before) = before {
            self.gate.replace(before, self.changes, out);
        }
        if is_proven {
            self.admit(now, conn, out);
        }
    }

    fn said(&self, conn: ConnId) -> Option<(ConnId, Establish)> {
        Some((conn, self.gate.guest(conn)?.said()?.clone()))
    }

    /// Whether one who dials like this takes this node for a master.
    fn is_mistaken(&self, link: Link) -> bool {
        match link {
            Link::Child => false,
            Link::Node => self.changes.has(Change::Whom),
            Link::Follower | Link::Reigning => true,
        }
    }

    fn admit(&mut self, now: Time, conn: ConnId, out: &mut Out) {
        if self.gate.within().count() >= self.config.fan_out as usize {
            let stalest = self.gate.within().min_by_key(|(_, guest)| guest.heard);
            let stalest = stalest.filter(|(_, guest)| is_stale(self.changes, &self.config, now, guest.heard));
            match stalest.map(|(conn, _)| conn) {
                Some(stalest) => self.gate.close(stalest, Refusal::Evicted, out),
                None => return self.gate.close(conn, Refusal::Full, out),
            }
        }
        let (upstream, epoch) = (self.me, self.epoch);
        self.gate.grant(conn, Grant { upstream, epoch }, out);
    }
}
