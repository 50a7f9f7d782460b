//! In quiet, a group has one server, and everyone in it who has joined, or could, follows that one.

use super::super::{HacNode, Role};
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::{Placed, Setup};
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. It says nothing of a client that has not joined since it came up and cannot reach the host that its
/// settings name as the server: it knows nobody else.
#[derive(Clone)]
pub(super) struct OneServer {
    standings: Standings,
    /// The host that each client's settings name as the server.
    configured: Vec<Option<HostId>>,
}

impl OneServer {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        let server = |host: &Placed<HacNode>| {
            let ip = *host.config.server.filter(|_| host.role == Role::Client)?.ip();
            setup
                .hosts
                .iter()
                .position(|other| other.ip == ip)
                .map(|index| HostId(index as u32))
        };
        OneServer {
            standings: Standings::new(setup),
            configured: setup.hosts.iter().map(server).collect(),
        }
    }
}

impl InQuiet<HacNode> for OneServer {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, HacNode>, _world: &World) -> Judged {
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        let mut servers = group
            .hosts
            .iter()
            .filter(|host| matches!(self.standings.of(**host), Standing::Serves { .. }));
        let (first, second) = (servers.next(), servers.next());
        match (first, second) {
            (Some(&first), Some(&second)) => Err(Breach::new(
                format!(
                    "{} and {} both serve, though they can reach each other",
                    self.server(first, world),
                    self.server(second, world)
                ),
                [first, second],
            )),
            (Some(&server), None) => self.judge_followers(group, server, world),
            (None, _) => self.judge_orphans(group, world),
        }
    }
}

impl OneServer {
    fn server(&self, host: HostId, world: &World) -> String {
        match self.standings.of(host) {
            Standing::Serves { epoch, .. } if epoch.counter > 0 => {
                format!("{} (in epoch {epoch})", world.name(host))
            }
            _ => world.name(host).to_owned(),
        }
    }

    /// The host that a client outside should have joined by, if it is in the group.
    fn door(&self, host: HostId, group: &Group) -> Option<HostId> {
        self.configured[host.index()].filter(|server| group.contains(*server))
    }

    fn judge_followers(&self, group: &Group, server: HostId, world: &World) -> Result<Judged, Breach> {
        for &host in &group.hosts {
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
                Standing::Outside => match self.door(host, group) {
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
    fn judge_orphans(&self, group: &Group, world: &World) -> Result<Judged, Breach> {
        let belongs = |host: &&HostId| {
            self.standings.of(**host) != Standing::Outside || self.door(**host, group).is_some()
        };
        let Some(&orphan) = group.hosts.iter().find(belongs) else {
            return Ok(Judged::NotConcerned);
        };
        let (followed, told) = match self.standings.of(orphan) {
            Standing::Follows { server, .. } => (world.host_at(*server.ip()), "had joined"),
            Standing::Outside => (self.door(orphan, group), "asks for it at"),
            Standing::Serves { .. } | Standing::GaveWay => (None, "had served"),
        };
        let whom = followed.map_or(String::new(), |server| format!(" {}", world.name(server)));
        let (count, name) = (group.hosts.len(), world.name(orphan));
        let detail =
            format!("none of the {count} hosts that {name} can reach serves, though {name} {told}{whom}");
        Err(Breach::new(
            detail,
            [Some(orphan), followed].into_iter().flatten(),
        ))
    }
}
