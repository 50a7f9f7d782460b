//! What can come first in a run: entries of the timeline, and first claims of facts, by host or by role.

use std::collections::BTreeSet;
use std::fmt;

use squall_nodes::{HostId, Time};

use super::observed::Observed;
use crate::runner::HostCast;

/// Something that happens in a run, by the first time that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// An entry of the timeline.
    Fault {
        /// Its place there.
        entry: usize,
        /// What reports call it.
        label: String,
    },
    /// A claim of a fact.
    Fact {
        /// Its place among the protocol's facts.
        fact: u32,
        /// Its name.
        name: &'static str,
        /// Whose.
        by: By,
    },
}

/// Whose claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This host's.
    Host {
        /// Which.
        host: HostId,
        /// Its name.
        name: String,
    },
    /// Any's of the hosts with this role: the first claim of all of theirs.
    Role {
        /// The role.
        role: String,
        /// The hosts.
        hosts: Vec<HostId>,
    },
}

/// Hosts with one role, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) hosts: Vec<HostId>,
}

/// How many points there may be by host; beyond that, facts are told by role only, so that the pairs of them stay few.
const MOST_BY_HOST: usize = 400;

/// The roles of a cast, in the order in which they first occur.
pub(super) fn roles(cast: &[HostCast]) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for (place, host) in cast.iter().enumerate() {
        let id = HostId(place as u32);
        match roles.iter_mut().find(|role| role.name == host.role) {
            Some(role) => role.hosts.push(id),
            None => roles.push(Role {
                name: host.role.clone(),
                hosts: vec![id],
            }),
        }
    }
    roles
}

/// All points of the runs. A fact is told by host where the same hosts claim it in nearly every simulated run, nine of ten of those in which
/// anyone does; where they take turns, the hosts of one role are interchangeable as to that fact, and it is told by role.
pub(super) fn points(
    simulated: &[Observed],
    live: &[Observed],
    facts: &[&'static str],
    faults: &[String],
    cast: &[HostCast],
) -> Vec<Point> {
    let claimed: BTreeSet<(u32, HostId)> = simulated
        .iter()
        .chain(live)
        .flat_map(|run| run.firsts.iter().map(|(key, _)| *key))
        .collect();
    let by_host_fits = claimed.len() <= MOST_BY_HOST;
    let mut points: Vec<Point> = faults
        .iter()
        .enumerate()
        .map(|(entry, label)| Point::Fault {
            entry,
            label: label.clone(),
        })
        .collect();
    for role in roles(cast) {
        for (place, name) in facts.iter().enumerate() {
            let fact = place as u32;
            let hosts: Vec<HostId> = role
                .hosts
                .iter()
                .copied()
                .filter(|host| claimed.contains(&(fact, *host)))
                .collect();
            if hosts.is_empty() {
                continue;
            }
            let is_alone = role.hosts.len() == 1;
            if is_alone || by_host_fits && are_themselves(simulated, fact, &hosts) {
                points.extend(hosts.iter().map(|&host| {
                    let by = By::Host {
                        host,
                        name: cast[host.index()].name.clone(),
                    };
                    Point::Fact { fact, name, by }
                }));
            } else {
                let by = By::Role {
                    role: role.name.clone(),
                    hosts: role.hosts.clone(),
                };
                points.push(Point::Fact { fact, name, by });
            }
        }
    }
    // What comes first is told first: as the first of the runs has it in which it happens.
    let when = |point: &Point| simulated.iter().chain(live).find_map(|run| point.at(run));
    points.sort_by_key(|point| when(point).unwrap_or(Time::MAX));
    points
}

/// Whether each of these hosts claims the fact in nearly every run in which one of them does.
fn are_themselves(simulated: &[Observed], fact: u32, hosts: &[HostId]) -> bool {
    let claims = |run: &&Observed, host: HostId| run.first(fact, host).is_some();
    let anyone = simulated
        .iter()
        .filter(|run| hosts.iter().any(|host| claims(run, *host)))
        .count();
    hosts.iter().all(|host| {
        let theirs = simulated.iter().filter(|run| claims(run, *host)).count();
        theirs * 10 >= anyone * 9
    })
}

impl Point {
    /// When it first happens in a run.
    pub fn at(&self, run: &Observed) -> Option<Time> {
        match self {
            Point::Fault { entry, .. } => run.faults.get(*entry).copied().flatten(),
            Point::Fact {
                fact,
                by: By::Host { host, .. },
                ..
            } => run.first(*fact, *host),
            Point::Fact {
                fact,
                by: By::Role { hosts, .. },
                ..
            } => hosts.iter().filter_map(|host| run.first(*fact, *host)).min(),
        }
    }
}

/// `kill(s)`, `c1: suspected`, `a Client: promoted`.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Point::Fault { label, .. } => f.write_str(label),
            Point::Fact { name, by, .. } => match by {
                By::Host { name: host, .. } => write!(f, "{host}: {name}"),
                By::Role { role, .. } => write!(f, "a {role}: {name}"),
            },
        }
    }
}
