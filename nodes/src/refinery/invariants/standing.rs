//! Who reigns, who has which upstream, and whom a master has in its registry, as far as each host has claimed it in its present life.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::super::{RefineryFact, RefineryNode};
use super::cast::Cast;
use super::relapses::Changes as When;
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
    /// When it began to reign or ceased to.
    reign_changes: When,
    reigns: bool,
    /// When it got another upstream, or none.
    upstream_changes: When,
    upstream: Option<Upstream>,
    /// Whom it takes for its master.
    master: Option<SocketAddrV4>,
    /// By address: whether it has somebody in its registry, and when it took it in or struck it off.
    registry: BTreeMap<SocketAddrV4, (bool, When)>,
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
                        own.upstream = Some(Upstream { host, life });
                        own.upstream_changes.note(at);
                    }
                    RefineryFact::Detached { .. } => {
                        own.upstream = None;
                        own.upstream_changes.note(at);
                    }
                    RefineryFact::Joined { master, .. } => {
                        own.master = Some(*master);
                        // What it is attached to, or not any more, is told beside it.
                        return Judged::NotConcerned;
                    }
                    RefineryFact::Orphaned { .. } => {
                        own.master = None;
                        return Judged::NotConcerned;
                    }
                    RefineryFact::Enlisted { address, .. } => {
                        own.lists(*address, true, at);
                    }
                    RefineryFact::StruckOff { address, .. } => {
                        own.lists(*address, false, at);
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
            reign_changes: When::since(at),
            upstream_changes: When::since(at),
            ..Standing::default()
        };
    }

    /// Those of some hosts that reign.
    pub(super) fn reigning(&self, hosts: &[HostId]) -> Vec<HostId> {
        let reigns = |host: &&HostId| self.hosts[host.index()].reigns;
        hosts.iter().filter(reigns).copied().collect()
    }

    /// When any of some hosts has begun to reign or ceased to.
    pub(super) fn reign_changes(&self, hosts: &[HostId]) -> impl Iterator<Item = &When> {
        let chiefs = hosts.iter().filter(|host| self.cast.is_chief(**host));
        chiefs.map(|host| &self.hosts[host.index()].reign_changes)
    }

    /// The upstream of a node, if it has one.
    pub(super) fn upstream(&self, node: HostId) -> Option<Upstream> {
        self.hosts[node.index()].upstream
    }

    /// Which host a node takes for its master, if it takes any.
    pub(super) fn master(&self, node: HostId, world: &World) -> Option<HostId> {
        self.hosts[node.index()]
            .master
            .and_then(|master| world.host_at(*master.ip()))
    }

    /// When a node got another upstream, or none.
    pub(super) fn upstream_changes(&self, node: HostId) -> impl Iterator<Item = &When> {
        std::iter::once(&self.hosts[node.index()].upstream_changes)
    }

    /// Those who are in a master's registry, and those who were, each with when that changed.
    pub(super) fn registry(&self, chief: HostId) -> &BTreeMap<SocketAddrV4, (bool, When)> {
        &self.hosts[chief.index()].registry
    }
}

impl Standing {
    fn lists(&mut self, address: SocketAddrV4, is_listed: bool, at: Time) {
        let (listed, changes) = self.registry.entry(address).or_default();
        *listed = is_listed;
        changes.note(at);
    }

    fn reign(&mut self, reigns: bool, at: Time) {
        if self.reigns != reigns {
            self.reigns = reigns;
            self.reign_changes.note(at);
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
