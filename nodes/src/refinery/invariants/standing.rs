//! Who reigns, who has which upstream, and whom a master has in its registry, as far as each host has claimed it in its present life.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::super::{RefineryFact, RefineryNode};
use super::cast::Cast;
use crate::invariant::Judged;
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::World;

/// What every host has claimed, and when.
#[derive(Clone, Debug)]
pub(super) struct Standings {
    pub(super) cast: Cast,
    hosts: Vec<Standing>,
}

/// What one host has claimed since it came up.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// Since when it reigns or does not.
    reign_since: Time,
    reigns: bool,
    /// Since when it has the upstream that it has, or none.
    upstream_since: Time,
    upstream: Option<Upstream>,
    /// By address: whether it has somebody in its registry, and since when.
    registry: BTreeMap<SocketAddrV4, (bool, Time)>,
}

/// An upstream that a node has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    /// Which host it is; none, where no host is at the address.
    pub(super) host: Option<HostId>,
    /// In which of its lives it was when the node got in there.
    life: u32,
}

impl Standings {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        Standings {
            cast: Cast::new(setup),
            hosts: vec![Standing::default(); setup.hosts.len()],
        }
    }

    /// Takes in what was seen; says whether anyone stands elsewhere now.
    pub(super) fn observe(&mut self, at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Judged {
        match seen {
            Seen::World(Change::Up { host, .. } | Change::Down { host, .. }) => self.begin(*host, at),
            Seen::Fact { host, fact, .. } => {
                let own = &mut self.hosts[host.index()];
                match fact {
                    RefineryFact::Started { .. } => self.begin(*host, at),
                    RefineryFact::Serving { .. } => own.reign(true, at),
                    RefineryFact::SteppedDown { .. } => {
                        own.reign(false, at);
                        own.registry.clear();
                    }
                    RefineryFact::Attached { upstream } => {
                        let host = world.host_at(*upstream.ip());
                        let life = host.map_or(0, |host| world.incarnation(host));
                        (own.upstream, own.upstream_since) = (Some(Upstream { host, life }), at);
                    }
                    RefineryFact::Detached { .. } => (own.upstream, own.upstream_since) = (None, at),
                    RefineryFact::Enlisted { address, .. } => {
                        own.registry.insert(*address, (true, at));
                    }
                    RefineryFact::StruckOff { address, .. } => {
                        own.registry.insert(*address, (false, at));
                    }
                    _ => return Judged::NotConcerned,
                }
            }
            _ => return Judged::NotConcerned,
        }
        Judged::Yes
    }

    fn begin(&mut self, host: HostId, at: Time) {
        self.hosts[host.index()] = Standing {
            reign_since: at,
            upstream_since: at,
            ..Standing::default()
        };
    }

    /// Those of some hosts that reign.
    pub(super) fn reigning(&self, hosts: &[HostId]) -> Vec<HostId> {
        let reigns = |host: &&HostId| self.hosts[host.index()].reigns;
        hosts.iter().filter(reigns).copied().collect()
    }

    /// Since when none of some hosts has begun to reign or ceased to.
    pub(super) fn reign_since(&self, hosts: &[HostId]) -> Time {
        let chiefs = hosts.iter().filter(|host| self.cast.is_chief(**host));
        chiefs
            .map(|host| self.hosts[host.index()].reign_since)
            .max()
            .unwrap_or_default()
    }

    /// The upstream of a node, and since when it has it, or none.
    pub(super) fn upstream(&self, node: HostId) -> (Option<Upstream>, Time) {
        let own = &self.hosts[node.index()];
        (own.upstream, own.upstream_since)
    }

    /// Those who are in a master's registry, and those who were, each with since when.
    pub(super) fn registry(&self, chief: HostId) -> &BTreeMap<SocketAddrV4, (bool, Time)> {
        &self.hosts[chief.index()].registry
    }
}

impl Standing {
    fn reign(&mut self, reigns: bool, at: Time) {
        if self.reigns != reigns {
            (self.reigns, self.reign_since) = (reigns, at);
        }
    }
}

impl Upstream {
    /// The host, if it has been up since.
    pub(super) fn live(self, world: &World) -> Option<HostId> {
        self.host
            .filter(|host| world.is_running(*host) && world.incarnation(*host) == self.life)
    }
}
