//! In quiet, tables of one epoch and round are equal in all of a group, and nobody's is old.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::super::wire::Epoch;
use super::super::{HacFact, HacNode, Row};
use super::bounds::Terms;
use super::name_at;
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// The promise. It speaks of those who serve or have joined, and of those who had and are starting over.
#[derive(Clone)]
pub(super) struct TablesAgree {
    standings: Standings,
    /// What each host claimed last in its present life.
    held: Vec<Held>,
    /// How old a table may be.
    age: Span,
}

#[derive(Clone, Default)]
struct Held {
    /// When it was claimed; `None` when none was.
    at: Option<Time>,
    epoch: Epoch,
    round: u32,
    server: Option<SocketAddrV4>,
    rows: Vec<Row>,
    /// Of the rows, so that equal tables are told without looking at them.
    digest: u64,
}

impl TablesAgree {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        TablesAgree {
            standings: Standings::new(setup),
            held: vec![Held::default(); setup.hosts.len()],
            age: Terms::of(setup).table_age(),
        }
    }
}

impl InQuiet<HacNode> for TablesAgree {
    fn observe(&mut self, at: Time, seen: &Seen<'_, HacNode>, _world: &World) -> Judged {
        match seen {
            Seen::World(Change::Up { host, .. }) => self.held[host.index()].at = None,
            Seen::Fact {
                host,
                fact:
                    HacFact::Table {
                        epoch,
                        round,
                        server,
                        rows,
                    },
                ..
            } => {
                let held = &mut self.held[host.index()];
                held.at = Some(at);
                (held.epoch, held.round, held.server) = (*epoch, *round, Some(*server));
                held.rows.clone_from(rows);
                held.digest = digest(rows);
                return Judged::Yes;
            }
            _ => {}
        }
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let mut first_of = BTreeMap::new();
        for &host in &group.hosts {
            if matches!(self.standings.of(host), Standing::Outside | Standing::GaveWay) {
                continue;
            }
            let held = &self.held[host.index()];
            let age = held.at.map(|claimed| at.since(claimed));
            if age.is_none_or(|age| age > self.age) {
                let has = match age {
                    Some(age) => format!("has had no new table for {age}"),
                    None => "has had no table".to_owned(),
                };
                let detail = format!(
                    "{} {has}, though it has joined; {} is promised",
                    world.name(host),
                    self.age
                );
                return Err(Breach::new(detail, [host]));
            }
            let first = *first_of
                .entry((held.epoch, held.server, held.round))
                .or_insert(host);
            let other = &self.held[first.index()];
            if other.digest != held.digest {
                return Err(self.differ(first, host, world));
            }
        }
        Ok(if first_of.is_empty() {
            Judged::NotConcerned
        } else {
            Judged::Yes
        })
    }
}

impl TablesAgree {
    /// The breach of two hosts that hold different tables of one round.
    fn differ(&self, one: HostId, other: HostId, world: &World) -> Breach {
        let (a, b) = (&self.held[one.index()], &self.held[other.index()]);
        let only = |x: &Held, y: &Held| {
            let row = x.rows.iter().find(|row| !y.rows.contains(row));
            row.map(|row| tell(row, world))
        };
        let (of_one, of_other) = (only(a, b), only(b, a));
        let nothing = || "no such entry".to_owned();
        let detail = format!(
            "{} and {} hold different tables of round {} (epoch {}): {} against {}",
            world.name(one),
            world.name(other),
            a.round,
            a.epoch,
            of_one.unwrap_or_else(nothing),
            of_other.unwrap_or_else(nothing)
        );
        Breach::new(detail, [one, other])
    }
}

/// `c124 (id 125) alive, heard 301`
fn tell(row: &Row, world: &World) -> String {
    let name = name_at(row.addr, world);
    format!("{name} (id {}) {}, heard {}", row.id, row.status, row.heard)
}

/// FNV-1a over the fields, a word at a time: quick, and only ever compared within a run.
fn digest(rows: &[Row]) -> u64 {
    rows.iter().fold(0xcbf2_9ce4_8422_2325, |hash, row| {
        let place =
            u64::from(u32::from(*row.addr.ip())) << 32 | u64::from(row.addr.port()) << 1 | row.status as u64;
        let count = u64::from(row.id) << 32 | u64::from(row.heard);
        [place, count].into_iter().fold(hash, |hash: u64, word| {
            (hash ^ word).wrapping_mul(0x0100_0000_01b3)
        })
    })
}
