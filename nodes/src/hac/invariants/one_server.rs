//! In quiet, a group has one server, and everyone in it who has joined, or could, follows that one; the server of the settings
//! is never outside, since it can serve itself. Where two in a group
//! have nobody in common who could tell them of each other, each circle of those who have is judged by itself.

use super::super::{HacNode, Role};
use super::acquaintance::Acquaintance;
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. It says nothing of a client that has not joined since it came up and cannot reach the host that its
/// settings name as the server: it knows nobody else. One that starts over in the middle of its life goes on knowing whom it knew.
#[derive(Clone)]
pub(super) struct OneServer {
    standings: Standings,
    /// Whether each host is one that serves when the cluster starts. It comes back as a server where there is none.
    founds: Vec<bool>,
    acquaintance: Acquaintance,
}

impl OneServer {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        OneServer {
            standings: Standings::new(setup),
            founds: setup.hosts.iter().map(|host| host.role == Role::Server).collect(),
            acquaintance: Acquaintance::new(setup),
        }
    }
}

impl InQuiet<HacNode> for OneServer {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Judged {
        self.acquaintance.observe(seen, world);
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        if self.servers(&group.hosts).nth(1).is_none() {
            return self.judge_circle(&group.hosts, world);
        }
        for circle in self.acquaintance.circles(&group.hosts) {
            self.judge_circle(&circle, world)?;
        }
        Ok(Judged::Yes)
    }
}

impl OneServer {
    fn servers(&self, hosts: &[HostId]) -> impl Iterator<Item = HostId> {
        let serves = |host: &HostId| matches!(self.standings.of(*host), Standing::Serves { .. });
        hosts.iter().copied().filter(serves)
    }

    fn judge_circle(&self, hosts: &[HostId], world: &World) -> Result<Judged, Breach> {
        let mut servers = self.servers(hosts);
        match (servers.next(), servers.next()) {
            (Some(first), Some(second)) => Err(Breach::new(
                format!(
                    "{} and {} both serve, though they can reach each other",
                    self.server(first, world),
                    self.server(second, world)
                ),
                [first, second],
            )),
            (Some(server), None) => self.judge_followers(hosts, server, world),
            (None, _) => self.judge_orphans(hosts, world),
        }
    }

    fn server(&self, host: HostId, world: &World) -> String {
        match self.standings.of(host) {
            Standing::Serves { epoch, .. } if epoch.counter > 0 => {
                format!("{} (in epoch {epoch})", world.name(host))
            }
            _ => world.name(host).to_owned(),
        }
    }

    /// The host that one outside should have come in by, if it is among `hosts`: for a client the one that its settings
    /// name, for a server itself.
    fn door(&self, host: HostId, hosts: &[HostId]) -> Option<HostId> {
        if self.founds[host.index()] {
            return Some(host);
        }
        let server = self.acquaintance.configured(host);
        server.filter(|server| hosts.binary_search(server).is_ok())
    }

    fn judge_followers(&self, hosts: &[HostId], server: HostId, world: &World) -> Result<Judged, Breach> {
        for &host in hosts {
            let told = match self.standings.of(host) {
                Standing::Follows { server: followed, .. }
                    if world.host_at(*followed.ip()) != Some(server) =>
                {
                    match world.host_at(*followed.ip()) {
                        Some(other) => format!("still follows {}", world.name(other)),
                        None => format!("follows {followed}, which is no host"),
                    }
                }
                Standing::GaveWay => "has given way as a server and joined no other".to_owned(),
                Standing::StartedOver => "has started over and not joined again".to_owned(),
                Standing::Outside => match self.door(host, hosts) {
                    Some(door) if door == host => {
                        "is back as the server of the settings and has not joined".to_owned()
                    }
                    Some(door) => format!("has not joined, which it asks {} for", world.name(door)),
                    None => continue,
                },
                Standing::Serves { .. } | Standing::Follows { .. } => continue,
            };
            let (name, server_name) = (world.name(host), world.name(server));
            let detail = format!("{name} {told}, though {server_name} serves and can be reached");
            return Err(Breach::new(detail, [host, server]));
        }
        Ok(Judged::Yes)
    }

    /// Judges a group without a server.
    fn judge_orphans(&self, hosts: &[HostId], world: &World) -> Result<Judged, Breach> {
        let belongs = |host: &&HostId| {
            self.standings.of(**host) != Standing::Outside || self.door(**host, hosts).is_some()
        };
        let Some(&orphan) = hosts.iter().find(belongs) else {
            return Ok(Judged::NotConcerned);
        };
        let (followed, told) = match self.standings.of(orphan) {
            Standing::Follows { server, .. } => (world.host_at(*server.ip()), "had joined"),
            Standing::Outside => match self.door(orphan, hosts).filter(|door| *door != orphan) {
                Some(door) => (Some(door), "asks for it at"),
                None => (None, "is the server of the settings"),
            },
            Standing::Serves { .. } | Standing::GaveWay => (None, "had served"),
            Standing::StartedOver => (None, "had been in the cluster when it started over"),
        };
        let whom = followed.map_or(String::new(), |server| format!(" {}", world.name(server)));
        let (count, name) = (hosts.len(), world.name(orphan));
        let detail =
            format!("none of the {count} hosts that {name} can reach serves, though {name} {told}{whom}");
        Err(Breach::new(
            detail,
            [Some(orphan), followed].into_iter().flatten(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::super::super::wire::Epoch;
    use super::super::super::{Config, HacFact, Rules};
    use super::*;
    use crate::protocol::{Placed, Tolerance};
    use crate::time::Span;
    use crate::world::{Links, Resident};

    const S: HostId = HostId(0);
    const C: HostId = HostId(1);

    fn at(host: HostId) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + host.0), 7400)
    }

    /// What is said of a group of a server `s` and its client `c`, of whom some have claimed something.
    fn judged(group: &[HostId], claims: &[(HostId, HacFact)]) -> Result<Judged, String> {
        let hosts = [(S, "s", Role::Server), (C, "c", Role::Client)].map(|(host, name, role)| {
            let mut config = Config::profile("brisk", Rules::Hardened);
            config.server = (role == Role::Client).then(|| at(S));
            let (name, ip) = (name.to_owned(), *at(host).ip());
            Placed {
                name,
                ip,
                role,
                config,
            }
        });
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let world = World::new(residents, Links::Tolerated);
        let tolerated = Tolerance {
            loss: 0.0,
            latency: Span::from_millis(1),
        };
        let mut promise = OneServer::new(&Setup {
            hosts: &hosts,
            rules: "Hardened",
            tolerated,
            streams: crate::stream::StreamLaw::default(),
        });
        for (host, fact) in claims {
            let (host, incarnation) = (*host, 1);
            let seen = Seen::Fact {
                host,
                incarnation,
                fact,
            };
            promise.observe(Time::ZERO, &seen, &world);
        }
        let group = Group {
            hosts: group.to_vec(),
            quiet_since: Time::ZERO,
        };
        promise
            .judge(&group, Time::ZERO, &world)
            .map_err(|breach| breach.detail)
    }

    fn serving() -> HacFact {
        let epoch = Epoch {
            counter: 2,
            server: 2,
            nonce: 7,
        };
        HacFact::Serving { id: 2, epoch }
    }

    #[test]
    fn a_server_that_is_back_alone_and_does_not_serve_is_a_breach() {
        let detail = judged(&[S], &[]).unwrap_err();
        assert!(detail.contains("s is the server of the settings"), "{detail}");
        assert_eq!(judged(&[S], &[(S, serving())]), Ok(Judged::Yes));
        // A client alone has nobody to join.
        assert_eq!(judged(&[C], &[]), Ok(Judged::NotConcerned));
    }

    #[test]
    fn a_server_that_is_back_beside_another_and_does_not_join_it_is_a_breach() {
        let detail = judged(&[S, C], &[(C, serving())]).unwrap_err();
        assert!(detail.contains("s is back as the server"), "{detail}");
        let (id, server, epoch) = (1, at(C), Epoch::NONE);
        let joined = HacFact::Joined { id, epoch, server };
        assert_eq!(judged(&[S, C], &[(C, serving()), (S, joined)]), Ok(Judged::Yes));
    }

    #[test]
    fn one_that_starts_over_and_never_comes_back_is_a_breach() {
        let (id, server, epoch) = (1, at(S), Epoch::NONE);
        let started = HacFact::Started { id: Some(id), epoch };
        let joined = HacFact::Joined { id, epoch, server };
        let came_up = [(S, serving()), (C, started.clone()), (C, joined.clone())];
        assert_eq!(judged(&[S, C], &came_up), Ok(Judged::Yes));
        let over = [came_up.as_slice(), &[(C, started.clone()), (C, started.clone())]].concat();
        let detail = judged(&[S, C], &over).unwrap_err();
        assert!(
            detail.contains("c has started over and not joined again"),
            "{detail}"
        );
        // Without a server, it should serve itself.
        let detail = judged(&[C], &over).unwrap_err();
        assert!(detail.contains("c had been in the cluster"), "{detail}");
        let back = [over.as_slice(), &[(C, joined)]].concat();
        assert_eq!(judged(&[S, C], &back), Ok(Judged::Yes));
        // So should the server: one that starts over serves no more until it says so.
        let over = [(S, serving()), (S, started)];
        let detail = judged(&[S], &over).unwrap_err();
        assert!(detail.contains("s had been in the cluster"), "{detail}");
    }
}
