//! Who serves, who follows whom and under which id, as far as each host has claimed it in its present life.

use std::net::SocketAddrV4;

use super::super::wire::Epoch;
use super::super::{HacFact, HacNode};
use crate::invariant::Judged;
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};

/// What every host has claimed.
#[derive(Clone, Debug)]
pub(super) struct Standings {
    hosts: Vec<Standing>,
}

/// What one host has claimed since it came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: it has not been in the cluster yet.
    Outside,
    /// It serves.
    Serves {
        /// Under which id.
        id: u32,
        /// In which epoch.
        epoch: Epoch,
    },
    /// It has joined.
    Follows {
        /// Under which id.
        id: u32,
        /// Whom.
        server: SocketAddrV4,
    },
    /// It served, gave way, and has not joined the other yet.
    GaveWay,
    /// It was in the cluster in this life, has started over, and has not joined again yet. It has kept its table and its book, so
    /// that it knows whom to ask: unlike one outside, it has no excuse for staying away.
    StartedOver,
}

impl Standings {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        Standings {
            hosts: vec![Standing::Outside; setup.hosts.len()],
        }
    }

    /// Takes in what was seen; says whether anyone stands elsewhere now.
    pub(super) fn observe(&mut self, seen: &Seen<'_, HacNode>) -> Judged {
        let (host, standing) = match seen {
            Seen::World(Change::Up { host, .. } | Change::Down { host, .. }) => (*host, Standing::Outside),
            Seen::Fact { host, fact, .. } => match **fact {
                // The first time in a life it has just come up, and may know nobody.
                HacFact::Started { .. } => match self.of(*host) {
                    Standing::Outside | Standing::StartedOver => return Judged::NotConcerned,
                    _ => (*host, Standing::StartedOver),
                },
                HacFact::Serving { id, epoch } => (*host, Standing::Serves { id, epoch }),
                HacFact::Joined { id, server, .. } | HacFact::Rejoined { id, server, .. } => {
                    (*host, Standing::Follows { id, server })
                }
                HacFact::SteppedDown { .. } => (*host, Standing::GaveWay),
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
}

impl Standing {
    /// The id that it goes by.
    pub(super) fn id(self) -> Option<u32> {
        match self {
            Standing::Serves { id, .. } | Standing::Follows { id, .. } => Some(id),
            Standing::Outside | Standing::GaveWay | Standing::StartedOver => None,
        }
    }
}
