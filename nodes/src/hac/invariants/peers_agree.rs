//! In quiet, peers of a group hold each other for alive and everyone else for dead.

use super::super::{HacFact, HacNode};
use crate::invariant::{Breach, InQuiet, Judged};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::{Group, World};

/// The promise.
#[derive(Clone)]
pub(super) struct PeersAgree {
    /// For each host, a bit for each host that it holds for alive. Its own bit is not used.
    alive: Vec<u64>,
    /// How many words a host's bits take.
    words: usize,
    /// Scratch: the group's bits.
    members: Vec<u64>,
}

const BITS: usize = u64::BITS as usize;

impl PeersAgree {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        let hosts = setup.hosts.len();
        let words = hosts.div_ceil(BITS);
        PeersAgree {
            alive: vec![0; hosts * words],
            words,
            members: vec![0; words],
        }
    }

    fn row(&mut self, host: HostId) -> &mut [u64] {
        &mut self.alive[host.index() * self.words..][..self.words]
    }
}

impl InQuiet<HacNode> for PeersAgree {
    fn observe(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Judged {
        let (host, addr, is_alive) = match seen {
            Seen::World(Change::Up { host, .. }) => {
                self.row(*host).fill(0);
                return Judged::Yes;
            }
            Seen::Fact {
                host,
                fact: HacFact::PeerAlive { addr },
                ..
            } => (*host, addr, true),
            Seen::Fact {
                host,
                fact: HacFact::PeerDead { addr },
                ..
            } => (*host, addr, false),
            _ => return Judged::NotConcerned,
        };
        if let Some(other) = world.host_at(*addr.ip()) {
            let bit = 1 << (other.index() % BITS);
            let word = &mut self.row(host)[other.index() / BITS];
            *word = if is_alive { *word | bit } else { *word & !bit };
        }
        Judged::Yes
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        self.members.fill(0);
        for host in &group.hosts {
            self.members[host.index() / BITS] |= 1 << (host.index() % BITS);
        }
        for &host in &group.hosts {
            let row = &self.alive[host.index() * self.words..][..self.words];
            for (place, (held, members)) in row.iter().zip(&self.members).enumerate() {
                let own = if host.index() / BITS == place {
                    1 << (host.index() % BITS)
                } else {
                    0
                };
                let wrong = (held ^ members) & !own;
                if wrong != 0 {
                    let other = HostId((place * BITS) as u32 + wrong.trailing_zeros());
                    return Err(breach(host, other, group.contains(other), world));
                }
            }
        }
        Ok(Judged::Yes)
    }
}

fn breach(host: HostId, other: HostId, is_member: bool, world: &World) -> Breach {
    let (host_name, name) = (world.name(host), world.name(other));
    let detail = match (is_member, world.is_up(other)) {
        (true, _) => format!("{host_name} does not hold {name} for alive, though they can reach each other"),
        (false, true) => format!("{host_name} holds {name} for alive, which cannot be reached"),
        (false, false) => format!("{host_name} holds {name} for alive, which is down"),
    };
    Breach::new(detail, [host, other])
}
