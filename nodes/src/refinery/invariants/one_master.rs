//! In quiet, one reigns wherever there is a master or a standby.

use super::super::RefineryNode;
use super::bounds::Terms;
use super::relapses::Relapses;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise. Where links lose what they carry, one may be held for dead that is not: then there are two, or none, for no longer than
/// the bound, and not again and again.
#[derive(Clone)]
pub(super) struct OneMaster {
    standings: Standings,
    relapses: Relapses,
}

impl OneMaster {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        OneMaster {
            standings: Standings::new(setup),
            relapses: Relapses::new(Terms::of(setup).one_master(), setup.tolerated.loss),
        }
    }
}

impl InQuiet<RefineryNode> for OneMaster {
    fn observe(&mut self, at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Judged {
        self.standings.observe(at, seen, world)
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let is_chief = |host: &&crate::node::HostId| self.standings.cast.is_chief(**host);
        let chiefs: Vec<_> = group.hosts.iter().filter(is_chief).copied().collect();
        if chiefs.is_empty() {
            return Ok(Judged::NotConcerned);
        }
        let changes = self.standings.reign_changes(&group.hosts);
        if self.relapses.excuse(changes, group, at) {
            return Ok(Judged::NotConcerned);
        }
        match self.standings.reigning(&chiefs)[..] {
            [_] => Ok(Judged::Yes),
            [] => {
                let names: Vec<&str> = chiefs.iter().map(|chief| world.name(*chief)).collect();
                let detail = format!("nobody reigns, though {} can be reached", names.join(" and "));
                Err(Breach::new(detail, chiefs))
            }
            [first, second, ..] => {
                let [one, other] = [first, second].map(|chief| world.name(chief));
                let detail = format!("{one} and {other} both reign, though they can reach each other");
                Err(Breach::new(detail, [first, second]))
            }
        }
    }
}
