//! In quiet, a group's server holds those for alive who have joined it, and nobody outside the group.

use super::super::wire::Status;
use super::super::{HacFact, HacNode, Row};
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. A host that the table does not name is not held for alive.
#[derive(Clone)]
pub(super) struct StatusTrue {
    standings: Standings,
    /// The last table that each host made as a server in its present life.
    made: Vec<Vec<Row>>,
    /// Scratch: whether the table holds each host for alive.
    alive: Vec<bool>,
}

impl StatusTrue {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        let hosts = setup.hosts.len();
        StatusTrue {
            standings: Standings::new(setup),
            made: vec![Vec::new(); hosts],
            alive: vec![false; hosts],
        }
    }
}

impl InQuiet<HacNode> for StatusTrue {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Judged {
        match seen {
            Seen::World(Change::Up { host, .. }) => self.made[host.index()].clear(),
            Seen::Fact {
                host,
                fact: HacFact::Table { server, rows, .. },
                ..
            } if *server.ip() == world.ip(*host) => {
                self.made[host.index()].clone_from(rows);
                return Judged::Yes;
            }
            _ => {}
        }
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        let standings = &self.standings;
        let mut servers = group
            .hosts
            .iter()
            .filter(|host| matches!(standings.of(**host), Standing::Serves { .. }));
        // Without one server, `one_server` has something to say.
        let (Some(&server), None) = (servers.next(), servers.next()) else {
            return Ok(Judged::NotConcerned);
        };
        self.alive.fill(false);
        for row in self.made[server.index()]
            .iter()
            .filter(|row| row.status == Status::Alive)
        {
            if let Some(host) = world.host_at(*row.addr.ip()) {
                self.alive[host.index()] = true;
            }
        }
        for (index, &is_alive) in self.alive.iter().enumerate() {
            let host = HostId(index as u32);
            let is_member = group.contains(host);
            if is_alive && !is_member {
                let why = if world.is_up(host) {
                    "cannot be reached"
                } else {
                    "is down"
                };
                let detail = format!(
                    "{} holds {} for alive, which {why}",
                    world.name(server),
                    world.name(host)
                );
                return Err(Breach::new(detail, [server, host]));
            }
            let has_joined = is_member && standings.of(host).id().is_some();
            if has_joined && !is_alive {
                let detail = format!(
                    "{} does not hold {} for alive, which has joined it",
                    world.name(server),
                    world.name(host)
                );
                return Err(Breach::new(detail, [server, host]));
            }
        }
        Ok(Judged::Yes)
    }
}
