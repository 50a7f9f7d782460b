//! What a master does while it reigns: it keeps the registry, gives every node its upstream, and tells the one who follows.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddrV4;

use super::super::config::{Change, Changes, Config};
use super::super::facts::{RefineryFact, Refusal};
use super::super::gate::is_stale;
use super::super::registry::{Loops, Member, Parent, Place, Registry, Terms};
use super::super::wire::{Epoch, Establish, Grant, Link, Report, Row};
use super::super::{Below, MOST_NODES, Out};
use super::{Chief, Stance};
use crate::node::ConnId;
use crate::time::Time;

/// A reign.
#[derive(Clone, Debug)]
pub(super) struct Reign {
    pub(super) epoch: Epoch,
    pub(super) registry: Registry,
    /// Those who follow: the other master, on one connection or, for a moment, on two.
    pub(super) followers: BTreeSet<ConnId>,
}

/// Those who are to get another upstream, each with the address of the one that it has lost.
type Orphans = VecDeque<(String, Option<SocketAddrV4>)>;

impl Reign {
    pub(super) fn new(epoch: Epoch, registry: Registry) -> Self {
        Reign {
            epoch,
            registry,
            followers: BTreeSet::new(),
        }
    }

    /// What everyone who is in has been given, in this epoch.
    pub(super) fn grants(&self, me: SocketAddrV4) -> Vec<(ConnId, Grant)> {
        let epoch = self.epoch;
        let followers = self
            .followers
            .iter()
            .map(|conn| (*conn, Grant { upstream: me, epoch }));
        let placed = self
            .registry
            .members()
            .filter(|(_, member)| member.parent != Parent::Nobody);
        let nodes = placed.filter_map(|(id, member)| {
            let upstream = self.registry.upstream(&member.parent, me);
            Some((self.registry.conn(id)?, Grant { upstream, epoch }))
        });
        followers.chain(nodes).collect()
    }

    /// The registry for people.
    pub(super) fn below(&self, me: SocketAddrV4) -> Vec<Below> {
        let members = self.registry.members();
        members
            .map(|(id, member)| Below {
                id: id.to_owned(),
                address: member.address,
                kind: member.kind.clone(),
                upstream: self.registry.upstream(&member.parent, me),
                is_here: self.registry.conn(id).is_some(),
            })
            .collect()
    }

    /// What one who follows is told of a node that has its place.
    fn row(&self, id: &str, me: SocketAddrV4) -> Option<Row> {
        let member = self.registry.member(id)?;
        let has_place = member.parent != Parent::Nobody;
        has_place.then(|| Row {
            id: id.to_owned(),
            address: member.address,
            kind: member.kind.clone(),
            upstream: self.registry.upstream(&member.parent, me),
        })
    }
}

impl Chief {
    /// Lets a node into the registry, and gives it its upstream.
    pub(super) fn admit(&mut self, now: Time, conn: ConnId, said: &Establish, out: &mut Out) {
        let Some(address) = self.gate.guest(conn).map(|guest| guest.address()) else {
            return;
        };
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let before = reign.registry.conn(&said.id);
        if before.is_none() && reign.registry.present() >= MOST_NODES {
            return self.gate.close(conn, Refusal::Full, out);
        }
        if let Some(before) = before {
            self.gate.replace(before, self.changes, out);
        }
        let (config, changes) = (&self.config, self.changes);
        let is_stale = |heard| is_stale(changes, config, now, heard);
        let terms = terms(config, changes, &is_stale, None);
        let kept = reign.registry.kept(&said.id, &terms);
        let Place { parent, evicts } = match kept {
            Some(parent) => Place { parent, evicts: None },
            None => reign.registry.place(&said.id, &terms),
        };
        // Those below a node that is elsewhere now are to go there with it.
        let was_elsewhere = |member: &Member| member.address != address;
        let below = match reign.registry.member(&said.id).is_some_and(was_elsewhere) {
            true => reign.registry.below(&said.id),
            false => Vec::new(),
        };
        reign
            .registry
            .enlist(&said.id, address, &said.kind, parent, conn, now);
        let id = said.id.clone();
        out.claim(RefineryFact::Enlisted { id, address });
        self.give(&said.id, out);
        for id in below {
            self.give(&id, out);
        }
        if let Some(evicted) = evicts {
            let orphans = self.evict(&evicted, out);
            self.settle(now, orphans, out);
        }
    }

    /// Somebody is in now: one who follows is told of everyone.
    pub(super) fn on_entered(&mut self, conn: ConnId, out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let said = self.gate.guest(conn).and_then(|guest| guest.said());
        if said.is_none_or(|said| matches!(said.link, Link::Node | Link::Child)) {
            return;
        }
        reign.followers.insert(conn);
        let ids: Vec<String> = reign.registry.members().map(|(id, _)| id.to_owned()).collect();
        for id in ids {
            if let Some(row) = reign.row(&id, self.me) {
                self.gate.tell(conn, Ok(row), out);
            }
        }
    }

    pub(super) fn on_alive(&mut self, now: Time, conn: ConnId, report: Option<Report>, out: &mut Out) {
        let detects = self.changes.has(Change::Detect);
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let Some(id) = reign.registry.id(conn).map(str::to_owned) else {
            return;
        };
        reign.registry.hear(&id, now);
        let Some(parent) = reign.registry.member(&id).map(|member| &member.parent) else {
            return;
        };
        if *parent == Parent::Nobody {
            // It was silent when the one above it was lost.
            return self.settle(now, [(id, None)].into(), out);
        }
        let Some(Report::Lost(upstream)) = report.filter(|_| detects) else {
            return;
        };
        // What it has lost may be what it had before, while it is on its way to another.
        if reign.registry.upstream(parent, self.me) == upstream && upstream != self.me {
            reign.registry.doubt(upstream);
            self.settle(now, [(id, Some(upstream))].into(), out);
        }
    }

    /// Connections are gone, all at once.
    pub(super) fn on_left(&mut self, now: Time, conns: &[ConnId], out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let mut ids = Vec::new();
        for conn in conns {
            reign.followers.remove(conn);
            ids.extend(reign.registry.id(*conn).map(str::to_owned));
        }
        self.strike_off(now, &ids, out);
    }

    /// Those of the last reign who have not come are expected no more.
    pub(super) fn strike_off_overdue(&mut self, now: Time, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        let overdue = reign.registry.overdue(now);
        self.strike_off(now, &overdue, out);
    }

    /// Nodes are there no more. Those below them get another upstream, when all of these are gone: none of them is given one.
    pub(super) fn strike_off(&mut self, now: Time, ids: &[String], out: &mut Out) {
        let mut orphans = Orphans::new();
        for id in ids {
            orphans.append(&mut self.take_out(id, out));
        }
        self.settle(now, orphans, out);
    }

    /// Takes a node out of the registry. Returns those below it.
    fn take_out(&mut self, id: &str, out: &mut Out) -> Orphans {
        let Stance::Reigning(reign) = &mut self.stance else {
            return Orphans::new();
        };
        let was_here = reign.registry.conn(id).is_some();
        let Some((member, orphans)) = reign.registry.strike_off(id) else {
            return Orphans::new();
        };
        for follower in &reign.followers {
            self.gate.tell(*follower, Err(id.to_owned()), out);
        }
        if was_here {
            let (id, address) = (id.to_owned(), member.address);
            out.claim(RefineryFact::StruckOff { id, address });
        }
        let lost = Some(member.address);
        orphans.into_iter().map(|orphan| (orphan, lost)).collect()
    }

    /// Gives nodes another upstream, and then those below whoever has to make room for one. Who is silent, or not there, gets none: it may
    /// be gone as well, and nobody is to make room for it. It gets one when it is heard again.
    fn settle(&mut self, now: Time, mut orphans: Orphans, out: &mut Out) {
        while let Some((id, avoid)) = orphans.pop_front() {
            let Stance::Reigning(reign) = &mut self.stance else {
                return;
            };
            let (config, changes) = (&self.config, self.changes);
            let is_stale = |heard| is_stale(changes, config, now, heard);
            let terms = terms(config, changes, &is_stale, avoid);
            if !reign.registry.is_heard(&id, &terms) {
                continue;
            }
            let place = reign.registry.place(&id, &terms);
            reign.registry.move_to(&id, place.parent);
            self.give(&id, out);
            if let Some(evicted) = place.evicts {
                orphans.append(&mut self.evict(&evicted, out));
            }
        }
    }

    /// Tells a node of its upstream, and the one who follows of both.
    fn give(&mut self, id: &str, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        let Some(row) = reign.row(id, self.me) else {
            return;
        };
        let (upstream, epoch) = (row.upstream, reign.epoch);
        for follower in &reign.followers {
            self.gate.tell(*follower, Ok(row.clone()), out);
        }
        if let Some(conn) = reign.registry.conn(id) {
            self.gate.grant(conn, Grant { upstream, epoch }, out);
        }
    }

    /// Somebody who has been silent makes room. Returns those below it.
    fn evict(&mut self, id: &str, out: &mut Out) -> Orphans {
        let Stance::Reigning(reign) = &self.stance else {
            return Orphans::new();
        };
        if let Some(conn) = reign.registry.conn(id) {
            self.gate.close(conn, Refusal::Evicted, out);
        }
        self.take_out(id, out)
    }
}

/// What places are given by.
fn terms<'a>(
    config: &Config,
    changes: Changes,
    is_stale: &'a dyn Fn(Time) -> bool,
    avoid: Option<SocketAddrV4>,
) -> Terms<'a> {
    Terms {
        fan_out: config.fan_out as usize,
        is_stale,
        avoid,
        loops: match changes.has(Change::Downward) {
            true => Loops::Never,
            false => Loops::Allowed,
        },
    }
}
