//! Who leads and who follows whom, as far as each host has claimed it since it last started.

use std::net::SocketAddrV4;

use super::super::wire::Term;
use super::super::{LeaderFact, LeaderNode, Role};
use super::loses;
use crate::invariant::Judged;
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};

/// What every host has claimed, and its number.
#[derive(Clone, Debug)]
pub(super) struct Standings {
    hosts: Vec<Standing>,
    /// Whether each host has known the list since its disk was last empty, unreadable, or not what it had written.
    told: Vec<bool>,
    /// The number of each host in the starter's list; none when it is not listed.
    numbers: Vec<Option<u32>>,
}

/// What one host has claimed since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: it waits to be told of the others.
    Waits,
    /// It knows the others and has no leader.
    Leaderless,
    /// It is chosen, and the role is open.
    Offered,
    /// It follows the node of this number.
    Follows { leader: u32 },
    /// It leads.
    Leads { term: Term },
}

impl Standings {
    pub(super) fn new(setup: &Setup<'_, LeaderNode>) -> Self {
        let address = |index: usize| {
            let host = &setup.hosts[index];
            let own = SocketAddrV4::new(host.ip, host.config.port);
            host.config.address.unwrap_or(own)
        };
        let starter = setup.hosts.iter().position(|host| host.role == Role::Starter);
        let list: Vec<SocketAddrV4> = starter
            .map(|starter| {
                let others = setup.hosts[starter].config.others.iter().copied();
                others.chain([address(starter)]).collect()
            })
            .unwrap_or_default();
        let number = |index: usize| {
            let place = list.iter().position(|node| *node == address(index))?;
            Some(place as u32 + 1)
        };
        Standings {
            hosts: vec![Standing::Waits; setup.hosts.len()],
            told: vec![false; setup.hosts.len()],
            numbers: (0..setup.hosts.len()).map(number).collect(),
        }
    }

    /// Takes in what was seen; says whether anyone stands elsewhere now.
    pub(super) fn observe(&mut self, seen: &Seen<'_, LeaderNode>) -> Judged {
        match seen {
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => self.told[host.index()] = false,
            Seen::Fact {
                host,
                fact: LeaderFact::Connected { .. },
                ..
            } => self.told[host.index()] = true,
            _ => {}
        }
        let (host, standing) = match seen {
            Seen::World(Change::Up { host, .. } | Change::Down { host, .. }) => (*host, Standing::Waits),
            Seen::Fact { host, fact, .. } => match **fact {
                LeaderFact::Started { .. } => (*host, Standing::Waits),
                LeaderFact::Connected { .. } if self.of(*host) == Standing::Waits => {
                    (*host, Standing::Leaderless)
                }
                LeaderFact::HeartbeatOverdue { .. } | LeaderFact::GaveWay { .. } => {
                    (*host, Standing::Leaderless)
                }
                LeaderFact::Offered { .. } => (*host, Standing::Offered),
                LeaderFact::Following { leader, .. } => (*host, Standing::Follows { leader }),
                LeaderFact::Leading { term } => (*host, Standing::Leads { term }),
                _ => return Judged::NotConcerned,
            },
            _ => return Judged::NotConcerned,
        };
        self.hosts[host.index()] = standing;
        Judged::Yes
    }

    pub(super) fn of(&self, host: HostId) -> Standing {
        self.hosts[host.index()]
    }

    /// The number of a host; none when it is not listed.
    pub(super) fn number(&self, host: HostId) -> Option<u32> {
        self.numbers[host.index()]
    }

    /// Those of `hosts` that are listed, with their numbers.
    pub(super) fn listed(&self, hosts: &[HostId]) -> impl Iterator<Item = (u32, HostId)> {
        let listed = |host: &HostId| self.number(*host).map(|number| (number, *host));
        hosts.iter().filter_map(listed)
    }

    /// Whether one of `hosts` knows the list, or would if it had written it down when it was told, so that it can tell the others.
    pub(super) fn any_knows(&self, hosts: &[HostId]) -> bool {
        self.listed(hosts)
            .any(|(_, host)| self.of(host) != Standing::Waits || self.told[host.index()])
    }

    /// The host of a number.
    pub(super) fn host(&self, number: u32) -> Option<HostId> {
        let place = self.numbers.iter().position(|own| *own == Some(number))?;
        Some(HostId(place as u32))
    }
}
