//! In quiet, the one that reigns knows who is there.

use std::collections::BTreeSet;
use std::iter;

use super::super::RefineryNode;
use super::bounds::Terms;
use super::relapses::Relapses;
use super::standing::Standings;
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::Seen;
use crate::time::Time;
use crate::world::{Group, World};

/// The promise, for every master that reigns: two of them are another promise's.
#[derive(Clone)]
pub(super) struct RegistryTrue {
    standings: Standings,
    relapses: Relapses,
}

impl RegistryTrue {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        RegistryTrue {
            standings: Standings::new(setup),
            relapses: Relapses::new(Terms::of(setup).registry_true(), setup.tolerated.loss),
        }
    }
}

impl InQuiet<RefineryNode> for RegistryTrue {
    fn observe(&mut self, at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Judged {
        self.standings.observe(at, seen, world)
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let [chief] = self.standings.reigning(&group.hosts)[..] else {
            return Ok(Judged::NotConcerned);
        };
        let changes = self.standings.reign_changes(&group.hosts);
        if self.relapses.excuse(changes, group, at) {
            return Ok(Judged::NotConcerned);
        }
        let name = world.name(chief);
        let registry = self.standings.registry(chief);
        let mut listed = BTreeSet::<HostId>::new();
        // Whoever has come or gone a moment ago may be on its way back.
        let mut recent = BTreeSet::<HostId>::new();
        for (address, (is_listed, changes)) in registry {
            let Some(host) = world.host_at(*address.ip()) else {
                continue;
            };
            if self.relapses.excuse(iter::once(changes), group, at) {
                recent.insert(host);
            } else if *is_listed {
                listed.insert(host);
            }
        }
        if let Some(gone) = listed.iter().find(|host| !group.contains(**host)) {
            let detail = format!(
                "{name} has {} in its registry, which is down or cannot be reached",
                world.name(*gone)
            );
            return Err(Breach::new(detail, [chief, *gone]));
        }
        let is_misled = |host: &HostId| {
            let master = self.standings.master(*host, world);
            let master =
                master.filter(|master| group.contains(*master) && !self.standings.cast.is_chief(*master));
            Some((*host, master?))
        };
        if let Some((node, master)) = group.hosts.iter().find_map(is_misled) {
            let [own, other] = [node, master].map(|host| world.name(host));
            let detail =
                format!("{name} does not have {own} in its registry, which takes {other} for its master");
            return Err(Breach::new(detail, [chief, node, master]));
        }
        let is_expected = |host: &&HostId| {
            self.standings.cast.is_node(**host) && self.standings.cast.may_join(**host, chief)
        };
        if let Some(stranger) = listed.iter().find(|host| !is_expected(host)) {
            let detail = format!(
                "{name} has {} in its registry, which does not belong there",
                world.name(*stranger)
            );
            return Err(Breach::new(detail, [chief, *stranger]));
        }
        let mut expected = group.hosts.iter().filter(is_expected);
        if let Some(missing) = expected.find(|host| !listed.contains(*host) && !recent.contains(*host)) {
            let detail = format!("{name} does not have {} in its registry", world.name(*missing));
            return Err(Breach::new(detail, [chief, *missing]));
        }
        Ok(Judged::Yes)
    }
}
