//! Who could have been told of whom: without that, nobody can be asked to agree.
//!
//! Two nodes that no chain of nodes links cannot find each other, whatever the rules are: there is nobody left who could
//! tell the one of the other. It takes a wiped disk or a dead server to come to that.

use std::net::SocketAddrV4;

use super::super::{HacFact, HacNode, Role};
use super::loses;
use crate::node::HostId;
use crate::protocol::{Placed, Setup};
use crate::seen::{Change, Seen};
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
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => {
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
    /// are those of each circle, and the circles by their first hosts.
    pub(super) fn circles(&self, hosts: &[HostId]) -> Vec<Vec<HostId>> {
        let mut circle_of: Vec<usize> = (0..hosts.len()).collect();
        for (place, host) in hosts.iter().enumerate() {
            for other in &self.knows[host.index()] {
                let Ok(other) = hosts.binary_search(other) else {
                    continue;
                };
                let both = [circle_of[place], circle_of[other]];
                // Each circle goes by the first of its hosts.
                let first = both[0].min(both[1]);
                for circle in circle_of.iter_mut().filter(|circle| both.contains(circle)) {
                    *circle = first;
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::wire::{Epoch, Status};
    use super::super::super::{Config, Row, Rules};
    use super::*;
    use crate::protocol::Tolerance;
    use crate::seen::DiskAtBoot;
    use crate::time::Span;
    use crate::world::{Links, Resident};

    const HOSTS: [HostId; 4] = [HostId(0), HostId(1), HostId(2), HostId(3)];

    fn at(host: HostId) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + host.0), 7400)
    }

    /// Four hosts, of which the last knows the first by its settings.
    fn cluster() -> (Acquaintance, World) {
        let hosts = HOSTS.map(|host| {
            let mut config = Config::profile("brisk", Rules::Hardened);
            config.server = (host == HOSTS[3]).then(|| at(HOSTS[0]));
            let (name, ip) = (format!("h{}", host.0), *at(host).ip());
            let role = Role::Client;
            Placed {
                name,
                ip,
                role,
                config,
            }
        });
        let tolerated = Tolerance {
            loss: 0.0,
            latency: Span::from_millis(1),
        };
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let setup = Setup {
            hosts: &hosts,
            rules: "Hardened",
            tolerated,
            streams: crate::stream::StreamLaw::default(),
        };
        let world = World::new(residents, Links::Tolerated);
        (Acquaintance::new(&setup), world)
    }

    fn claim(acquaintance: &mut Acquaintance, world: &World, host: HostId, fact: &HacFact) {
        let incarnation = 0;
        acquaintance.observe(
            &Seen::Fact {
                host,
                incarnation,
                fact,
            },
            world,
        );
    }

    fn table(names: &[HostId]) -> HacFact {
        let row = |host: &HostId| Row {
            id: host.0 + 1,
            addr: at(*host),
            status: Status::Dead,
            heard: 0,
        };
        HacFact::Table {
            epoch: Epoch::NONE,
            round: 1,
            server: at(names[0]),
            rows: names.iter().map(row).collect(),
        }
    }

    #[test]
    fn those_are_linked_whom_somebody_among_them_knows() {
        let (mut acquaintance, world) = cluster();
        let [a, b, c, d] = HOSTS;
        assert_eq!(acquaintance.circles(&HOSTS), [vec![a, d], vec![b], vec![c]]);
        claim(&mut acquaintance, &world, c, &table(&[b, c, d]));
        assert_eq!(acquaintance.circles(&HOSTS), [HOSTS.to_vec()]);
        // Without the one that knows the others, they are strangers.
        assert_eq!(acquaintance.circles(&[a, b, d]), [vec![a, d], vec![b]]);
    }

    #[test]
    fn a_table_that_names_fewer_unlinks_nobody_and_a_wiped_disk_does() {
        let (mut acquaintance, world) = cluster();
        let [a, b, _, d] = HOSTS;
        claim(&mut acquaintance, &world, d, &table(&[a, b, d]));
        claim(&mut acquaintance, &world, d, &table(&[a, d]));
        assert_eq!(acquaintance.circles(&[a, b, d]), [vec![a, b, d]]);
        for (disk, circles) in [
            (DiskAtBoot::Kept, vec![vec![a, b, d]]),
            (DiskAtBoot::Stale, vec![vec![a, d], vec![b]]),
        ] {
            let (host, incarnation) = (d, 1);
            let up = Change::Up {
                host,
                incarnation,
                disk,
            };
            acquaintance.observe(&Seen::World(&up), &world);
            assert_eq!(acquaintance.circles(&[a, b, d]), circles);
        }
    }
}
