//! In quiet, a group has one server, and everyone in it who has joined, or could, follows that one. Where two in a group
//! have nobody in common who could tell them of each other, each circle of those who have is judged by itself.

use super::super::HacNode;
use super::acquaintance::Acquaintance;
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. It says nothing of a client that has not joined since it came up and cannot reach the host that its
/// settings name as the server: it knows nobody else.
#[derive(Clone)]
pub(super) struct OneServer {
    standings: Standings,
    acquaintance: Acquaintance,
}

impl OneServer {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        OneServer {
            standings: Standings::new(setup),
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

    /// The host that a client outside should have joined by, if it is among `hosts`.
    fn door(&self, host: HostId, hosts: &[HostId]) -> Option<HostId> {
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
                Standing::Outside => match self.door(host, hosts) {
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
            Standing::Outside => (self.door(orphan, hosts), "asks for it at"),
            Standing::Serves { .. } | Standing::GaveWay => (None, "had served"),
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
