//! Who could have been told of whom: without that, nobody can be asked to agree.
//!
//! Two nodes that no chain of nodes links cannot find each other, whatever the rules are: there is nobody left who could
//! tell the one of the other. It takes a wiped disk or a dead server to come to that.

use std::net::SocketAddrV4;

use super::super::{HacFact, HacNode, Role};
use crate::node::HostId;
use crate::protocol::{Placed, Setup};
use crate::seen::{Change, DiskAtBoot, Seen};
use crate::world::World;

/// Whom each host has had named to it since its disk was last empty: by its settings, by a table, by its server, or by
/// asking it for an id.
#[derive(Clone)]
pub(super) struct Acquaintance {
    /// The host that each client's settings name as the server.
    configured: Vec<Option<HostId>>,
    /// For each host, whom it knows, ascending.
    knows: Vec<Vec<HostId>>,
    /// The addresses in the last table of each host, so that a table that names the same is passed over.
    named: Vec<Vec<SocketAddrV4>>,
}

impl Acquaintance {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        let server = |host: &Placed<HacNode>| {
            let ip = *host.config.server.filter(|_| host.role == Role::Client)?.ip();
            let index = setup.hosts.iter().position(|other| other.ip == ip);
            index.map(|index| HostId(index as u32))
        };
        let configured: Vec<Option<HostId>> = setup.hosts.iter().map(server).collect();
        Acquaintance {
            knows: configured
                .iter()
                .map(|server| server.iter().copied().collect())
                .collect(),
            named: vec![Vec::new(); configured.len()],
            configured,
        }
    }

    /// Takes in what was seen.
    pub(super) fn observe(&mut self, seen: &Seen<'_, HacNode>, world: &World) {
        match seen {
            Seen::World(Change::Up {
                host,
                disk: DiskAtBoot::Wiped,
                ..
            }) => {
                let knows = &mut self.knows[host.index()];
                knows.clear();
                knows.extend(self.configured[host.index()]);
                self.named[host.index()].clear();
            }
            Seen::Fact { host, fact, .. } => match fact {
                HacFact::Table { rows, .. } => {
                    let named = &mut self.named[host.index()];
                    if !rows.iter().map(|row| row.addr).eq(named.iter().copied()) {
                        named.clear();
                        named.extend(rows.iter().map(|row| row.addr));
                        for row in rows {
                            self.meet(*host, row.addr, world);
                        }
                    }
                }
                HacFact::Granted { addr, .. } => self.meet(*host, *addr, world),
                HacFact::Joined { server, .. } | HacFact::Rejoined { server, .. } => {
                    self.meet(*host, *server, world);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn meet(&mut self, host: HostId, addr: SocketAddrV4, world: &World) {
        let Some(other) = world.host_at(*addr.ip()) else {
            return;
        };
        let knows = &mut self.knows[host.index()];
        if let Err(place) = knows.binary_search(&other) {
            knows.insert(place, other);
        }
    }

    /// The host that a client's settings name as the server.
    pub(super) fn configured(&self, host: HostId) -> Option<HostId> {
        self.configured[host.index()]
    }

    /// Cuts `hosts`, which can reach each other, into those that are linked by whom they know. `hosts` are ascending, and so
    /// are those of each circle.
    pub(super) fn circles(&self, hosts: &[HostId]) -> Vec<Vec<HostId>> {
        let mut circle_of: Vec<usize> = (0..hosts.len()).collect();
        for (place, host) in hosts.iter().enumerate() {
            for other in &self.knows[host.index()] {
                let Ok(other) = hosts.binary_search(other) else {
                    continue;
                };
                let (one, two) = (circle_of[place], circle_of[other]);
                for circle in circle_of.iter_mut().filter(|circle| **circle == two) {
                    *circle = one;
                }
            }
        }
        let mut circles: Vec<Vec<HostId>> = vec![Vec::new(); hosts.len()];
        for (host, circle) in hosts.iter().zip(circle_of) {
            circles[circle].push(*host);
        }
        circles.retain(|circle| !circle.is_empty());
        circles
    }
}
