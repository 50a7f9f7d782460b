//! What a master does while it reigns: it keeps the registry, gives every node its upstream, and tells the one who follows.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::super::config::{Change, Changes};
use super::super::facts::{RefineryFact, Refusal};
use super::super::gate::is_stale;
use super::super::registry::{Loops, Place, Registry, Terms};
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
        let nodes = self.registry.members().filter_map(|(id, member)| {
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

    fn row(&self, id: &str, me: SocketAddrV4) -> Option<Row> {
        let member = self.registry.member(id)?;
        Some(Row {
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
            self.gate.close(before, Refusal::Replaced, out);
        }
        let (config, changes) = (&self.config, self.changes);
        let terms = Terms {
            fan_out: config.fan_out as usize,
            is_stale: &|heard| is_stale(changes, config, now, heard),
            avoid: None,
            loops: loops(changes),
        };
        let kept = reign.registry.kept(&said.id, &terms);
        let Place { parent, evicts } = match kept {
            Some(parent) => Place { parent, evicts: None },
            None => reign.registry.place(&said.id, &terms),
        };
        reign
            .registry
            .enlist(&said.id, address, &said.kind, parent, conn, now);
        let id = said.id.clone();
        out.claim(RefineryFact::Enlisted { id, address });
        self.give(&said.id, out);
        if let Some(evicted) = evicts {
            self.evict(now, &evicted, out);
        }
    }

    /// Somebody is in now: one who follows is told of everyone.
    pub(super) fn on_entered(&mut self, conn: ConnId, out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let said = self.gate.guest(conn).and_then(|guest| guest.said());
        if said.is_none_or(|said| said.link == Link::Node) {
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
        let Some(Report::Lost(upstream)) = report.filter(|_| detects) else {
            return;
        };
        let member = reign.registry.member(&id);
        // What it has lost may be what it had before, while it is on its way to another.
        let is_its_own =
            member.is_some_and(|member| reign.registry.upstream(&member.parent, self.me) == upstream);
        if is_its_own && upstream != self.me {
            reign.registry.doubt(upstream);
            self.relocate(now, &id, Some(upstream), out);
        }
    }

    pub(super) fn on_left(&mut self, now: Time, conn: ConnId, out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        reign.followers.remove(&conn);
        if let Some(id) = reign.registry.id(conn).map(str::to_owned) {
            self.strike_off(now, &id, out);
        }
    }

    /// Those of the last reign who have not come are expected no more.
    pub(super) fn strike_off_overdue(&mut self, now: Time, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        for id in reign.registry.overdue(now) {
            self.strike_off(now, &id, out);
        }
    }

    /// A node is there no more. Those below it get another upstream.
    pub(super) fn strike_off(&mut self, now: Time, id: &str, out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let was_here = reign.registry.conn(id).is_some();
        let Some((member, orphans)) = reign.registry.strike_off(id) else {
            return;
        };
        for follower in &reign.followers {
            self.gate.tell(*follower, Err(id.to_owned()), out);
        }
        if was_here {
            let (id, address) = (id.to_owned(), member.address);
            out.claim(RefineryFact::StruckOff { id, address });
        }
        for orphan in orphans {
            self.relocate(now, &orphan, Some(member.address), out);
        }
    }

    /// Gives a node another upstream.
    fn relocate(&mut self, now: Time, id: &str, avoid: Option<SocketAddrV4>, out: &mut Out) {
        let Stance::Reigning(reign) = &mut self.stance else {
            return;
        };
        let (config, changes) = (&self.config, self.changes);
        let terms = Terms {
            fan_out: config.fan_out as usize,
            is_stale: &|heard| is_stale(changes, config, now, heard),
            avoid,
            loops: loops(changes),
        };
        let place = reign.registry.place(id, &terms);
        reign.registry.move_to(id, place.parent);
        self.give(id, out);
        if let Some(evicted) = place.evicts {
            self.evict(now, &evicted, out);
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

    /// Somebody who has been silent makes room.
    fn evict(&mut self, now: Time, id: &str, out: &mut Out) {
        let Stance::Reigning(reign) = &self.stance else {
            return;
        };
        if let Some(conn) = reign.registry.conn(id) {
            self.gate.close(conn, Refusal::Evicted, out);
        }
        self.strike_off(now, id, out);
    }
}

fn loops(changes: Changes) -> Loops {
    match changes.has(Change::Downward) {
        true => Loops::Never,
        false => Loops::Allowed,
    }
}
