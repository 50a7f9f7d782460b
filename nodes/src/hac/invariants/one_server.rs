//! In quiet, a group has one server, and everyone in it who has joined follows that one.

use super::super::HacNode;
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. It says nothing of a group in which nobody has served or joined since coming up: a client that never
/// found its server has nobody to replace it.
#[derive(Clone)]
pub(super) struct OneServer {
    standings: Standings,
}

impl OneServer {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        OneServer {
            standings: Standings::new(setup),
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
                Standing::Outside | Standing::Serves { .. } | Standing::Follows { .. } => continue,
            };
            let detail = format!(
                "{} {told}, though {} serves and can be reached",
                world.name(host),
                world.name(server)
            );
            return Err(Breach::new(detail, [host, server]));
        }
        Ok(Judged::Yes)
    }

    /// Judges a group without a server.
    fn judge_orphans(&self, group: &Group, world: &World) -> Result<Judged, Breach> {
        let Some(&orphan) = group
            .hosts
            .iter()
            .find(|host| self.standings.of(**host) != Standing::Outside)
        else {
            return Ok(Judged::NotConcerned);
        };
        let followed = match self.standings.of(orphan) {
            Standing::Follows { server, .. } => world.host_at(*server.ip()),
            _ => None,
        };
        let whom = followed.map_or(String::new(), |server| format!(" {}", world.name(server)));
        let detail = format!(
            "none of the {} hosts that {} can reach serves, though it had joined{whom}",
            group.hosts.len(),
            world.name(orphan)
        );
        Err(Breach::new(
            detail,
            [Some(orphan), followed].into_iter().flatten(),
        ))
    }
}
