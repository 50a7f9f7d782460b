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
        for (place, &(id, one)) in self.ids.iter().enumerate() {
            let same = self.ids[place + 1..].iter().take_while(|(other, _)| *other == id);
            for &(_, other) in same {
                if self.are_linked(group, one, other) {
                    let (name, other_name) = (world.name(one), world.name(other));
                    let detail = format!("{name} and {other_name} both go by the id {id}");
                    return Err(Breach::new(detail, [one, other]));
                }
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
