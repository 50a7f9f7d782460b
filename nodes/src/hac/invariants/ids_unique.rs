//! In quiet, no two nodes of a group go by the same id, if they have anybody in common.

use super::super::HacNode;
use super::acquaintance::Acquaintance;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise.
#[derive(Clone)]
pub(super) struct IdsUnique {
    standings: Standings,
    acquaintance: Acquaintance,
    /// Scratch: who goes by which id.
    ids: Vec<(u32, HostId)>,
}

impl IdsUnique {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        IdsUnique {
            standings: Standings::new(setup),
            acquaintance: Acquaintance::new(setup),
            ids: Vec::new(),
        }
    }
}

impl InQuiet<HacNode> for IdsUnique {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Judged {
        self.acquaintance.observe(seen, world);
        self.standings.observe(seen)
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        self.ids.clear();
        let standings = &self.standings;
        self.ids.extend(
            group
                .hosts
                .iter()
                .filter_map(|&host| Some((standings.of(host).id()?, host))),
        );
        self.ids.sort_unstable();
        for pair in self.ids.windows(2) {
            if let [(id, one), (other_id, other)] = *pair
                && id == other_id
                && self.are_linked(group, one, other)
            {
                let detail = format!(
                    "{} and {} both go by the id {id}",
                    world.name(one),
                    world.name(other)
                );
                return Err(Breach::new(detail, [one, other]));
            }
        }
        Ok(if self.ids.is_empty() {
            Judged::NotConcerned
        } else {
            Judged::Yes
        })
    }
}

impl IdsUnique {
    fn are_linked(&self, group: &Group, one: HostId, other: HostId) -> bool {
        let circles = self.acquaintance.circles(&group.hosts);
        circles
            .iter()
            .any(|circle| circle.contains(&one) && circle.contains(&other))
    }
}
