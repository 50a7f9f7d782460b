//! In quiet, the highest number of a group leads, and everyone else follows it.

use super::super::LeaderNode;
use super::standing::{Standing, Standings};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. It says nothing of a group in which nobody knows the list: there is nobody there who could tell of it.
#[derive(Clone)]
pub(super) struct OneLeader {
    standings: Standings,
}

impl OneLeader {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        OneLeader {
            standings: Standings::new(setup),
        }
    }

    /// What a host does, for people.
    fn told(&self, host: HostId, world: &World) -> String {
        match self.standings.of(host) {
            Standing::Waits => "waits to be told of the others".to_owned(),
            Standing::Leaderless => "has no leader".to_owned(),
            Standing::Offered => "waits for a person to accept the role".to_owned(),
            Standing::Follows { leader } => match self.standings.host(leader) {
                Some(leader) => format!("follows {}", world.name(leader)),
                None => format!("follows number {leader}"),
            },
            Standing::Leads { term } if term.counter > 0 => format!("leads, in term {term}"),
            Standing::Leads { .. } => "leads".to_owned(),
        }
    }
}

impl InQuiet<LeaderNode> for OneLeader {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, LeaderNode>, _world: &World) -> Judged {
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        let highest = self.standings.listed(&group.hosts).max();
        let Some((number, highest)) = highest.filter(|_| self.standings.any_knows(&group.hosts)) else {
            return Ok(Judged::NotConcerned);
        };
        let name = world.name(highest);
        if !matches!(self.standings.of(highest), Standing::Leads { .. }) {
            let told = self.told(highest, world);
            let detail =
                format!("{name} has the highest number of those who can reach each other, and {told}");
            return Err(Breach::new(detail, [highest]));
        }
        for (_, host) in self.standings.listed(&group.hosts) {
            let follows = Standing::Follows { leader: number };
            if host != highest && self.standings.of(host) != follows {
                let (other, told) = (world.name(host), self.told(host, world));
                let detail = format!("{other} {told}, though {name} leads and can be reached");
                return Err(Breach::new(detail, [host, highest]));
            }
        }
        Ok(Judged::Yes)
    }
}
