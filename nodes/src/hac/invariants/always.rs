//! What holds at every moment: an id is granted once, `heard` never goes down, nor does an accepted epoch.
//!
//! What is on the disk is promised as long as the disk is kept: the epoch, and the ids under `Hardened`. What is in memory
//! alone is promised for one life of the host. Where a promise speaks of tables or ids, it is of one epoch.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::super::wire::Epoch;
use super::super::{HacFact, HacNode, Row, Rules};
use super::{loses, name_at};
use crate::invariant::{Always, Breach, Judged};
use crate::node::HostId;
use crate::protocol::{Placed, Setup};
use crate::seen::{Change, Seen};
use crate::time::Time;
use crate::world::World;

/// A server gives an id to one address only. It claims what it gives for the first time; of what it gives again, the one that
/// joins it under the id bears witness.
#[derive(Clone)]
pub(super) struct IdsGrantedOnce {
    /// How long a grant stands: under `Original`, whose epochs say nothing of when, for one life of the server. Nor do they tell
    /// in which of a server's lives somebody has joined it, so that joinings bear witness under `Hardened` only.
    stands: Stands,
    /// The address of each host.
    addresses: Vec<SocketAddrV4>,
    /// For each host, what it granted, and who has joined it under what.
    granted: Vec<BTreeMap<(Epoch, u32), SocketAddrV4>>,
}

/// That a server has given an id to an address.
struct Grant {
    server: HostId,
    id: u32,
    epoch: Epoch,
    addr: SocketAddrV4,
}

/// For how long something is promised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    ForOneLife,
    WhileTheDiskIsKept,
}

/// `heard` never goes down.
#[derive(Clone)]
pub(super) struct HeardGrows {
    /// For each host, the highest `heard` that it claimed in its present life, by reign and id. Under `Original`
    /// two servers may go by one id; their addresses tell them apart.
    highest: Vec<BTreeMap<(Epoch, SocketAddrV4), HeardById>>,
}

/// Ids, ascending, each with a `heard`.
type HeardById = Vec<(u32, u32)>;

/// An accepted epoch never goes down: nobody says anything in an epoch below one in which it has said something.
#[derive(Clone)]
pub(super) struct EpochGrows {
    /// For each host, the epoch in which it claimed something last since its disk was last empty, unreadable, or not what it had
    /// written.
    accepted: Vec<Epoch>,
}

impl IdsGrantedOnce {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        let is_hardened = |host: &Placed<HacNode>| host.config.rules == Rules::Hardened;
        IdsGrantedOnce {
            stands: if setup.hosts.iter().all(is_hardened) {
                Stands::WhileTheDiskIsKept
            } else {
                Stands::ForOneLife
            },
            addresses: setup.hosts.iter().map(address).collect(),
            granted: vec![BTreeMap::new(); setup.hosts.len()],
        }
    }
}

impl Always<HacNode> for IdsGrantedOnce {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Result<Judged, Breach> {
        let over = match (self.stands, seen) {
            (Stands::ForOneLife, Seen::World(Change::Up { host, .. })) => Some(*host),
            _ => forgets(seen),
        };
        if let Some(host) = over {
            self.granted[host.index()].clear();
        }
        let Some(grant) = self.grant(seen, world) else {
            return Ok(Judged::NotConcerned);
        };
        let Grant {
            server: host,
            id,
            epoch,
            addr,
        } = grant;
        let first = *self.granted[host.index()].entry((epoch, id)).or_insert(addr);
        if first == addr {
            return Ok(Judged::Yes);
        }
        let server = world.name(host);
        let detail = format!(
            "{server} gave the id {id} to {} and then to {}",
            name_at(first, world),
            name_at(addr, world)
        );
        let others = [first, addr]
            .into_iter()
            .filter_map(|addr| world.host_at(*addr.ip()));
        Err(Breach::new(detail, [host].into_iter().chain(others)))
    }
}

impl IdsGrantedOnce {
    /// The grant that is claimed, or that a joining bears witness of.
    fn grant(&self, seen: &Seen<'_, HacNode>, world: &World) -> Option<Grant> {
        let Seen::Fact { host, fact, .. } = seen else {
            return None;
        };
        match **fact {
            HacFact::Granted { id, epoch, addr } => Some(Grant {
                server: *host,
                id,
                epoch,
                addr,
            }),
            HacFact::Joined { id, epoch, server } | HacFact::Rejoined { id, epoch, server }
                if self.stands == Stands::WhileTheDiskIsKept =>
            {
                Some(Grant {
                    server: world.host_at(*server.ip())?,
                    id,
                    epoch,
                    addr: self.addresses[host.index()],
                })
            }
            _ => None,
        }
    }
}

/// Where the node of a host is reached.
fn address(host: &Placed<HacNode>) -> SocketAddrV4 {
    let given = host.config.address;
    given.unwrap_or(SocketAddrV4::new(host.ip, host.config.port))
}

impl HeardGrows {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        HeardGrows {
            highest: vec![BTreeMap::new(); setup.hosts.len()],
        }
    }
}

impl Always<HacNode> for HeardGrows {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::World(Change::Up { host, .. }) => self.highest[host.index()].clear(),
            Seen::Fact {
                host,
                fact: HacFact::Table {
                    epoch, server, rows, ..
                },
                ..
            } => {
                let highest = self.highest[host.index()].entry((*epoch, *server)).or_default();
                return match first_fall(highest, rows) {
                    None => Ok(Judged::Yes),
                    Some((row, before)) => Err(heard_fell(*host, row, before, world)),
                };
            }
            _ => {}
        }
        Ok(Judged::NotConcerned)
    }
}

/// Takes `rows` into `highest`, both by id; returns the first row that is below what was there, with what was there.
fn first_fall<'a>(highest: &mut HeardById, rows: &'a [Row]) -> Option<(&'a Row, u32)> {
    let mut place = 0;
    for row in rows {
        // Nearly always the next one: tables rarely change in anything but their numbers.
        while highest.get(place).is_some_and(|(id, _)| *id < row.id) {
            place += 1;
        }
        match highest.get_mut(place) {
            Some((id, heard)) if *id == row.id => {
                if row.heard < *heard {
                    return Some((row, *heard));
                }
                *heard = row.heard;
            }
            _ => highest.insert(place, (row.id, row.heard)),
        }
    }
    None
}

fn heard_fell(host: HostId, row: &Row, before: u32, world: &World) -> Breach {
    let of = world.host_at(*row.addr.ip());
    let name = name_at(row.addr, world);
    let detail = format!(
        "in the table of {}, {name} (id {}) was heard in {} rounds after it had been heard in {before}",
        world.name(host),
        row.id,
        row.heard
    );
    Breach::new(
        detail,
        [Some(host), of.filter(|of| *of != host)].into_iter().flatten(),
    )
}

impl EpochGrows {
    pub(super) fn new(setup: &Setup<'_, HacNode>) -> Self {
        EpochGrows {
            accepted: vec![Epoch::NONE; setup.hosts.len()],
        }
    }
}

impl Always<HacNode> for EpochGrows {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, HacNode>, world: &World) -> Result<Judged, Breach> {
        if let Some(host) = forgets(seen) {
            self.accepted[host.index()] = Epoch::NONE;
            return Ok(Judged::NotConcerned);
        }
        let Seen::Fact { host, fact, .. } = seen else {
            return Ok(Judged::NotConcerned);
        };
        let host = *host;
        let epoch = match **fact {
            HacFact::Accepted { epoch } | HacFact::Started { epoch, .. } => epoch,
            HacFact::Serving { epoch, .. }
            | HacFact::Granted { epoch, .. }
            | HacFact::Promoted { epoch, .. }
            | HacFact::Joined { epoch, .. }
            | HacFact::Rejoined { epoch, .. }
            | HacFact::Table { epoch, .. }
                // Those of `Original` are none.
                if epoch.counter > 0 =>
            {
                epoch
            }
            _ => return Ok(Judged::NotConcerned),
        };
        let before = std::mem::replace(&mut self.accepted[host.index()], epoch);
        if epoch < before {
            let detail = format!(
                "{} went back from epoch {before} to epoch {epoch}",
                world.name(host)
            );
            return Err(Breach::new(detail, [host]));
        }
        Ok(Judged::Yes)
    }
}

/// The host that may not have all of its disk any more, if that is what was seen.
fn forgets(seen: &Seen<'_, HacNode>) -> Option<HostId> {
    match seen {
        Seen::World(Change::Up { host, disk, .. }) if loses(*disk) => Some(*host),
        Seen::Fact {
            host,
            fact: HacFact::DiskUnreadable,
            ..
        } => Some(*host),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::{Config, Role};
    use super::*;
    use crate::protocol::Tolerance;
    use crate::seen::DiskAtBoot;
    use crate::time::Span;
    use crate::world::{Links, Resident};

    const S: HostId = HostId(0);
    /// Disks of which nobody can tell from outside what they still have.
    const LOST: [DiskAtBoot; 4] = [
        DiskAtBoot::Wiped,
        DiskAtBoot::Stale,
        DiskAtBoot::Torn,
        DiskAtBoot::Corrupt,
    ];

    /// What a promise says of the last of some claims of a server, of which the first is made in its first life and the
    /// others after a restart.
    fn judged<P: Always<HacNode>>(
        rules: Rules,
        promise: fn(&Setup<'_, HacNode>) -> P,
        disk: DiskAtBoot,
        claims: &[HacFact],
    ) -> Result<Judged, String> {
        let name = || "s".to_owned();
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        let hosts = [Placed {
            name: name(),
            ip,
            role: Role::Server,
            config: Config::profile("brisk", rules),
        }];
        let (name, up) = (name(), true);
        let world = World::new(
            [Resident {
                name,
                ip,
                up,
                drift_ppm: 0,
            }],
            Links::Tolerated,
        );
        let tolerated = Tolerance {
            loss: 0.0,
            latency: Span::from_millis(1),
        };
        let mut promise = promise(&Setup {
            hosts: &hosts,
            rules: "",
            tolerated,
            streams: crate::stream::StreamLaw::default(),
        });
        let mut last = Ok(Judged::NotConcerned);
        for (place, fact) in claims.iter().enumerate() {
            if place == 1 {
                let (host, incarnation) = (S, 1);
                let up = Change::Up {
                    host,
                    incarnation,
                    disk,
                };
                assert!(promise.judge(Time::ZERO, &Seen::World(&up), &world).is_ok());
            }
            let (host, incarnation) = (S, 0);
            let seen = Seen::Fact {
                host,
                incarnation,
                fact,
            };
            last = promise
                .judge(Time::ZERO, &seen, &world)
                .map_err(|breach| breach.detail);
        }
        last
    }

    fn epoch(counter: u64) -> Epoch {
        Epoch {
            counter,
            server: 1,
            nonce: 0,
        }
    }

    #[test]
    fn an_epoch_that_a_restart_brings_down_is_a_breach_unless_the_disk_was_lost() {
        let (id, lower) = (None, epoch(1));
        let accepted = HacFact::Accepted { epoch: epoch(2) };
        let started = HacFact::Started { id, epoch: lower };
        let over = |disk, claims: &[HacFact]| judged(Rules::Hardened, EpochGrows::new, disk, claims);
        let claims = [accepted.clone(), started.clone()];
        // Where nothing was ever written, nothing should have been said that had to be.
        for disk in [DiskAtBoot::Kept, DiskAtBoot::Fresh] {
            assert!(over(disk, &claims).is_err(), "{disk:?}");
        }
        for disk in LOST {
            assert_eq!(over(disk, &claims), Ok(Judged::Yes), "{disk:?}");
        }
        let unreadable = [accepted, HacFact::DiskUnreadable, started];
        assert_eq!(over(DiskAtBoot::Kept, &unreadable), Ok(Judged::Yes));
    }

    #[test]
    fn a_table_of_an_epoch_that_its_holder_had_left_is_a_breach() {
        let accepted = HacFact::Accepted { epoch: epoch(2) };
        let table = |counter| HacFact::Table {
            epoch: epoch(counter),
            round: 1,
            server: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 7400),
            rows: Vec::new(),
        };
        let over = |claims: &[HacFact]| judged(Rules::Hardened, EpochGrows::new, DiskAtBoot::Kept, claims);
        assert_eq!(over(&[accepted.clone(), table(2)]), Ok(Judged::Yes));
        assert!(over(&[accepted.clone(), table(1)]).is_err());
        // By the original rules it is no epoch.
        assert_eq!(over(&[accepted, table(0)]), Ok(Judged::NotConcerned));
    }

    #[test]
    fn an_id_that_is_granted_again_after_a_restart_is_a_breach_unless_the_disk_was_lost() {
        let granted = |last| HacFact::Granted {
            id: 2,
            epoch: epoch(1),
            addr: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 7400),
        };
        let claims = [granted(2), granted(3)];
        let over = |rules, disk| judged(rules, IdsGrantedOnce::new, disk, &claims);
        assert!(over(Rules::Hardened, DiskAtBoot::Kept).is_err());
        for disk in LOST {
            assert_eq!(over(Rules::Hardened, disk), Ok(Judged::Yes), "{disk:?}");
        }
        // Its epochs do not tell one reign from another.
        assert_eq!(over(Rules::Original, DiskAtBoot::Kept), Ok(Judged::Yes));
    }

    #[test]
    fn an_id_under_which_another_joins_than_the_one_that_has_it_is_a_breach() {
        let s = |port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port);
        let granted = |id, addr| HacFact::Granted {
            id,
            epoch: epoch(1),
            addr,
        };
        let joined = |id, counter| HacFact::Joined {
            id,
            epoch: epoch(counter),
            server: s(7400),
        };
        let over = |rules, claims: &[HacFact]| judged(rules, IdsGrantedOnce::new, DiskAtBoot::Kept, claims);
        let (own, other) = (s(Config::profile("brisk", Rules::Hardened).port), s(1));
        assert_eq!(
            over(Rules::Hardened, &[granted(2, own), joined(2, 1)]),
            Ok(Judged::Yes)
        );
        let claims = [granted(2, other), joined(2, 1)];
        assert!(over(Rules::Hardened, &claims).is_err());
        // Whichever is claimed first.
        assert!(over(Rules::Hardened, &[joined(2, 1), granted(2, other)]).is_err());
        // Another id, another epoch.
        assert_eq!(
            over(Rules::Hardened, &[granted(2, other), joined(3, 1)]),
            Ok(Judged::Yes)
        );
        assert_eq!(
            over(Rules::Hardened, &[granted(2, other), joined(2, 2)]),
            Ok(Judged::Yes)
        );
        // Nothing tells by the original rules in which of its lives the server gave it.
        assert_eq!(over(Rules::Original, &claims), Ok(Judged::NotConcerned));
    }
}
