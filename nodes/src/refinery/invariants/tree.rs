//! In quiet, every node has an upstream that lives, and the upstreams make a tree below the one that reigns.

use std::collections::BTreeMap;

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

/// Every node has an upstream that lives. One that has just lost it, as it may where links lose what they carry, has the bound to get
/// another, and not again and again.
#[derive(Clone)]
pub(super) struct LiveUpstream {
    standings: Standings,
    relapses: Relapses,
}

/// Every way up ends at the one that reigns, and nobody has more below it than it may.
#[derive(Clone)]
pub(super) struct Tree {
    standings: Standings,
    relapses: Relapses,
}

impl LiveUpstream {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        LiveUpstream {
            standings: Standings::new(setup),
            relapses: Relapses::new(Terms::of(setup).live_upstream(), setup.tolerated.loss),
        }
    }
}

impl InQuiet<RefineryNode> for LiveUpstream {
    fn observe(&mut self, at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Judged {
        self.standings.observe(at, seen, world)
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let mut judged = Judged::NotConcerned;
        for node in concerned(&self.standings, group) {
            let upstream = self.standings.upstream(node);
            let changes = self.standings.upstream_changes(node);
            if self.relapses.excuse(changes, group, at) {
                // It has another one since too short a time to say anything of it.
                continue;
            }
            judged = Judged::Yes;
            let live = upstream.and_then(|upstream| upstream.live(world));
            if live.is_some_and(|live| group.contains(live) && self.standings.cast.is_honest(live)) {
                continue;
            }
            let name = world.name(node);
            let detail = match upstream.and_then(|upstream| upstream.host) {
                None => format!("{name} has no upstream"),
                Some(upstream) => format!(
                    "{name} takes {} for its upstream, which is down, was restarted since, cannot be reached, or does not belong here",
                    world.name(upstream)
                ),
            };
            let others = upstream.and_then(|upstream| upstream.host);
            return Err(Breach::new(detail, [Some(node), others].into_iter().flatten()));
        }
        Ok(judged)
    }
}

impl Tree {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        Tree {
            standings: Standings::new(setup),
            relapses: Relapses::new(Terms::of(setup).live_upstream(), setup.tolerated.loss),
        }
    }
}

impl InQuiet<RefineryNode> for Tree {
    fn observe(&mut self, at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Judged {
        self.standings.observe(at, seen, world)
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let nodes = concerned(&self.standings, group);
        let mut below = BTreeMap::<HostId, Vec<HostId>>::new();
        for node in &nodes {
            let upstream = self.standings.upstream(*node);
            let changes = self.standings.upstream_changes(*node);
            if let Some(upstream) = upstream.and_then(|upstream| upstream.live(world))
                && !self.relapses.excuse(changes, group, at)
            {
                below.entry(upstream).or_default().push(*node);
            }
        }
        for (upstream, nodes) in &below {
            let most = self.standings.cast.fan_out(*upstream);
            if nodes.len() > most {
                let name = world.name(*upstream);
                let detail = format!(
                    "{name} has {} nodes below it, and {most} are the most",
                    nodes.len()
                );
                return Err(Breach::new(detail, [*upstream]));
            }
        }
        for node in &nodes {
            self.climb(*node, group, at, world)?;
        }
        Ok(if nodes.is_empty() {
            Judged::NotConcerned
        } else {
            Judged::Yes
        })
    }
}

impl Tree {
    /// Goes up from a node to the one that reigns.
    fn climb(&self, node: HostId, group: &Group, at: Time, world: &World) -> Result<(), Breach> {
        let mut way = vec![node];
        let mut last = node;
        loop {
            let upstream = self.standings.upstream(last);
            let Some(upstream) = upstream.and_then(|upstream| upstream.live(world)) else {
                // That somebody on the way has none is what the other promise is about.
                return Ok(());
            };
            let changes = self.standings.upstream_changes(last);
            if self.relapses.excuse(changes, group, at) {
                return Ok(());
            }
            if self.standings.cast.is_chief(upstream) {
                let changes = self.standings.reign_changes(&group.hosts);
                if self.standings.reigning(&group.hosts).contains(&upstream)
                    || self.relapses.excuse(changes, group, at)
                {
                    return Ok(());
                }
                let [top, name] = [upstream, node].map(|host| world.name(host));
                let detail = format!("the way up from {name} ends at {top}, which does not reign");
                return Err(Breach::new(detail, [node, upstream]));
            }
            if way.contains(&upstream) {
                let names: Vec<&str> = way.iter().map(|host| world.name(*host)).collect();
                let detail = format!(
                    "the way up from {} comes back to {}",
                    names.join(" by "),
                    world.name(upstream)
                );
                return Err(Breach::new(detail, way));
            }
            way.push(upstream);
            last = upstream;
        }
    }
}

/// The nodes of a group that are promised anything: those that know one of its masters.
fn concerned(standings: &Standings, group: &Group) -> Vec<HostId> {
    let chiefs: Vec<HostId> = group
        .hosts
        .iter()
        .filter(|host| standings.cast.is_chief(**host))
        .copied()
        .collect();
    let knows = |node: &HostId| chiefs.iter().any(|chief| standings.cast.may_join(*node, *chief));
    let nodes = group.hosts.iter().copied();
    nodes
        .filter(|host| standings.cast.is_node(*host) && knows(host))
        .collect()
}
