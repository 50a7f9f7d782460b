//! What holds at every moment: nobody is given anything before it has shown that it belongs here, nobody does who does not, nobody who
//! belongs here loses anything to who does not, and no epoch goes back.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::super::wire::Epoch;
use super::super::{RefineryFact, RefineryNode, Refusal};
use super::cast::Cast;
use crate::invariant::{Always, Breach, Judged};
use crate::protocol::Setup;
use crate::seen::{Change, DiskAtBoot, Seen};
use crate::time::Time;
use crate::world::World;

/// Whoever is given an upstream has shown before, on that connection, that it belongs here.
#[derive(Clone)]
pub(super) struct AuthenticatedFirst {
    /// For each host, the connections on which somebody has, in its present life.
    shown: Vec<BTreeSet<u64>>,
}

/// Who has another version, or does not have the secret, does not get past its step.
#[derive(Clone)]
pub(super) struct StrangersStayOut {
    cast: Cast,
}

/// Nobody who has not been let in costs one who belongs here its connection, or a place at a gate that it has reached. What strangers take of a
/// host's ports is its kernel's to give: whoever is kept out by that is missed in quiet.
#[derive(Clone)]
pub(super) struct HonestStay {
    cast: Cast,
    /// For each host, who has named itself or was let in there last.
    last: Vec<Option<SocketAddrV4>>,
}

/// An epoch never goes down.
#[derive(Clone)]
pub(super) struct EpochGrows {
    /// For each host, the highest epoch that it has claimed since its disk was last not what it had written.
    claimed: Vec<Epoch>,
}

impl AuthenticatedFirst {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        AuthenticatedFirst {
            shown: vec![BTreeSet::new(); setup.hosts.len()],
        }
    }
}

impl Always<RefineryNode> for AuthenticatedFirst {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::World(Change::Up { host, .. }) => self.shown[host.index()].clear(),
            Seen::Fact { host, fact, .. } => match fact {
                RefineryFact::Authenticated { conn, .. } => {
                    self.shown[host.index()].insert(*conn);
                }
                RefineryFact::Granted { conn, upstream, .. } => {
                    if self.shown[host.index()].contains(conn) {
                        return Ok(Judged::Yes);
                    }
                    let detail = format!(
                        "{} gave the upstream {upstream} to somebody on connection {conn} who has not shown there that it belongs to \
                         the cluster",
                        world.name(*host)
                    );
                    return Err(Breach::new(detail, [*host]));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(Judged::NotConcerned)
    }
}

impl StrangersStayOut {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        StrangersStayOut {
            cast: Cast::new(setup),
        }
    }
}

impl Always<RefineryNode> for StrangersStayOut {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Result<Judged, Breach> {
        let Seen::Fact { host, fact, .. } = seen else {
            return Ok(Judged::NotConcerned);
        };
        let (from, is_right, what) = match fact {
            RefineryFact::Asked { from, .. } => {
                let Some(guest) = world.host_at(*from.ip()) else {
                    // What version somebody has of whom nothing is known is what it says.
                    return Ok(Judged::NotConcerned);
                };
                let is_right = self.cast.has_version_of(guest, *host);
                (from, is_right, "asked for the cert of, whose version is another")
            }
            RefineryFact::Authenticated { from, .. } => {
                let guest = world.host_at(*from.ip());
                let is_right = guest.is_some_and(|guest| self.cast.belongs_to(guest, *host));
                (from, is_right, "let in, who does not belong to the cluster")
            }
            _ => return Ok(Judged::NotConcerned),
        };
        if is_right {
            return Ok(Judged::Yes);
        }
        let guest = world.host_at(*from.ip());
        let name = guest.map_or(from.to_string(), |guest| world.name(guest).to_owned());
        let (verb, why) = what.split_once(", ").unwrap_or((what, ""));
        let detail = format!("{} {verb} {name}, {why}", world.name(*host));
        Err(Breach::new(detail, [Some(*host), guest].into_iter().flatten()))
    }
}

impl HonestStay {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        let cast = Cast::new(setup);
        HonestStay {
            last: vec![None; cast.len()],
            cast,
        }
    }
}

impl Always<RefineryNode> for HonestStay {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Result<Judged, Breach> {
        let Seen::Fact { host, fact, .. } = seen else {
            return Ok(Judged::NotConcerned);
        };
        let (from, why) = match fact {
            RefineryFact::Asked { from, .. } => {
                self.last[host.index()] = Some(*from);
                return Ok(Judged::NotConcerned);
            }
            RefineryFact::Authenticated { from, .. } => {
                self.last[host.index()] = Some(*from);
                return Ok(Judged::Yes);
            }
            RefineryFact::Closed { from, why, .. } => (from, why),
            _ => return Ok(Judged::NotConcerned),
        };
        let Some(guest) = world.host_at(*from.ip()) else {
            return Ok(Judged::Yes);
        };
        let by = self.last[host.index()].filter(|by| by.ip() != from.ip());
        let detail = match (why, by) {
            _ if !self.cast.belongs_to(guest, *host) => return Ok(Judged::Yes),
            (Refusal::Crowded, _) => format!(
                "{} had no room for {}, which belongs to the cluster, for all those who do not",
                world.name(*host),
                world.name(guest)
            ),
            // It is closed because somebody else goes by its id, who has just said so.
            (Refusal::Replaced, Some(by)) => format!(
                "{} closed the connection of {} because {by} goes by its id",
                world.name(*host),
                world.name(guest)
            ),
            _ => return Ok(Judged::Yes),
        };
        Err(Breach::new(detail, [*host, guest]))
    }
}

impl EpochGrows {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        EpochGrows {
            claimed: vec![Epoch(0); setup.hosts.len()],
        }
    }
}

impl Always<RefineryNode> for EpochGrows {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, RefineryNode>, world: &World) -> Result<Judged, Breach> {
        let (host, epoch) = match seen {
            Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => {
                self.claimed[host.index()] = Epoch(0);
                return Ok(Judged::NotConcerned);
            }
            Seen::Fact {
                host,
                fact:
                    RefineryFact::Started { epoch }
                    | RefineryFact::Accepted { epoch }
                    | RefineryFact::Joined { epoch, .. }
                    | RefineryFact::Following { epoch, .. }
                    | RefineryFact::Serving { epoch },
                ..
            } => (*host, *epoch),
            _ => return Ok(Judged::NotConcerned),
        };
        let before = std::mem::replace(&mut self.claimed[host.index()], epoch);
        if epoch < before {
            let detail = format!(
                "{} went back from epoch {before} to epoch {epoch}",
                world.name(host)
            );
            return Err(Breach::new(detail, [host]));
        }
        // Under `Original` there is none.
        if epoch == Epoch(0) {
            return Ok(Judged::NotConcerned);
        }
        Ok(Judged::Yes)
    }
}

/// Whether a host that boots with such a disk may be without what it had written there. Where nothing was ever written, nothing was
/// lost.
fn loses(disk: DiskAtBoot) -> bool {
    match disk {
        DiskAtBoot::Fresh | DiskAtBoot::Kept => false,
        DiskAtBoot::Wiped | DiskAtBoot::Stale | DiskAtBoot::Torn | DiskAtBoot::Corrupt => true,
    }
}
