//! The state of the world as far as it was seen: who is up, who reaches whom, which groups there are, since when each
//! has been quiet.
//!
//! It is built from [`Change`]s alone, so that a simulation, a stored trace and a live run answer the same questions.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use crate::node::HostId;
use crate::seen::{Change, Cut};
use crate::time::Time;

/// Who is up, who reaches whom, and which groups are quiet.
#[derive(Clone, Debug)]
pub struct World {
    hosts: Vec<Host>,
    by_ip: BTreeMap<Ipv4Addr, HostId>,
    cuts: Vec<(u32, Cut)>,
    groups: Vec<Group>,
    links: Links,
}

/// Whether loss and latency are such that liveness can be asked for at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Within what the scenario tolerates.
    Tolerated,
    /// Beyond it: no group is ever quiet.
    Beyond,
}

#[derive(Clone, Debug)]
struct Host {
    name: String,
    ip: Ipv4Addr,
    state: State,
    incarnation: u32,
    disturbed: Time,
    group: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Paused,
    Running,
}

/// A set of running hosts in which every pair can exchange messages both ways, and none of which reaches a running host
/// outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The hosts, in ascending order.
    pub hosts: Vec<HostId>,
    /// Since when nothing has disturbed the group; [`Time::MAX`] when it is never quiet.
    pub quiet_since: Time,
}

impl Group {
    /// Whether `host` belongs to the group.
    pub fn contains(&self, host: HostId) -> bool {
        self.hosts.binary_search(&host).is_ok()
    }
}

/// One host, as a [`World`] is told of it at the start.
#[derive(Clone, Debug)]
pub struct Resident {
    /// Its name in the scenario.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Whether it is up when the run begins.
    pub up: bool,
}

impl World {
    /// The world at the start of a run, whose beginning counts as a disturbance.
    pub fn new(residents: impl IntoIterator<Item = Resident>, links: Links) -> Self {
        let hosts: Vec<Host> = residents
            .into_iter()
            .map(|Resident { name, ip, up }| Host {
                name,
                ip,
                state: if up { State::Running } else { State::Down },
                incarnation: 0,
                disturbed: Time::ZERO,
                group: None,
            })
            .collect();
        let by_ip = hosts
            .iter()
            .enumerate()
            .map(|(i, host)| (host.ip, HostId(i as u32)))
            .collect();
        let mut world = World {
            hosts,
            by_ip,
            cuts: Vec::new(),
            groups: Vec::new(),
            links,
        };
        world.regroup(Time::ZERO);
        world
    }

    /// Takes in a change that happened at `at`.
    pub fn apply(&mut self, at: Time, change: &Change) {
        match change {
            Change::Up {
                host, incarnation, ..
            } => {
                self.set(*host, State::Running, at);
                self.hosts[host.index()].incarnation = *incarnation;
            }
            Change::Down { host, .. } => self.set(*host, State::Down, at),
            Change::Paused { host } => self.set(*host, State::Paused, at),
            Change::Resumed { host } => self.set(*host, State::Running, at),
            Change::Cut { layer, cut } => {
                self.cuts.push((*layer, cut.clone()));
                self.disturb_all(at);
            }
            Change::Healed { layer } => {
                self.cuts.retain(|(l, _)| l != layer);
                self.disturb_all(at);
            }
        }
        self.regroup(at);
    }

    /// How many hosts there are, up or not.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there is no host.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The host's name in the scenario.
    pub fn name(&self, host: HostId) -> &str {
        &self.hosts[host.index()].name
    }

    /// The host's address.
    pub fn ip(&self, host: HostId) -> Ipv4Addr {
        self.hosts[host.index()].ip
    }

    /// The host at an address.
    pub fn host_at(&self, ip: Ipv4Addr) -> Option<HostId> {
        self.by_ip.get(&ip).copied()
    }

    /// Whether the host is up, paused or not.
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts[host.index()].state != State::Down
    }

    /// Whether the host is up and not paused.
    pub fn is_running(&self, host: HostId) -> bool {
        self.hosts[host.index()].state == State::Running
    }

    /// The host's present life, or its last, counted from 0.
    pub fn incarnation(&self, host: HostId) -> u32 {
        self.hosts[host.index()].incarnation
    }

    /// Whether what `from` sends can reach `to`, as far as cuts go.
    pub fn can_reach(&self, from: HostId, to: HostId) -> bool {
        self.cuts.iter().all(|(_, cut)| !cut.blocks(from, to))
    }

    /// Since when nothing has happened to the host: it went up, down, paused or resumed, or its group or a link changed.
    pub fn undisturbed_since(&self, host: HostId) -> Time {
        self.hosts[host.index()].disturbed
    }

    /// The groups there are, by their first host. Hosts that are down, paused, or in a shape that is no group are in none.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group that the host is in.
    pub fn group_of(&self, host: HostId) -> Option<&Group> {
        self.hosts[host.index()]
            .group
            .map(|group| &self.groups[group as usize])
    }

    fn set(&mut self, host: HostId, state: State, at: Time) {
        let host = &mut self.hosts[host.index()];
        host.state = state;
        host.disturbed = at;
    }

    fn disturb_all(&mut self, at: Time) {
        for host in &mut self.hosts {
            host.disturbed = at;
        }
    }

    /// Finds the groups anew, and disturbs every host whose group is not the one it was.
    fn regroup(&mut self, at: Time) {
        let fresh = self.find_groups();
        let old_sizes: Vec<usize> = self.groups.iter().map(|group| group.hosts.len()).collect();
        let mut groups = Vec::with_capacity(fresh.len());
        for hosts in &fresh {
            let before = self.hosts[hosts[0].index()].group;
            let same = before.is_some_and(|old| old_sizes[old as usize] == hosts.len())
                && hosts.iter().all(|host| self.hosts[host.index()].group == before);
            if !same {
                for host in hosts {
                    self.hosts[host.index()].disturbed = at;
                }
            }
        }
        for host in &mut self.hosts {
            host.group = None;
        }
        for hosts in fresh {
            let mut quiet_since = Time::ZERO;
            for host in &hosts {
                let host = &mut self.hosts[host.index()];
                host.group = Some(groups.len() as u32);
                quiet_since = quiet_since.max(host.disturbed);
            }
            if self.links == Links::Beyond {
                quiet_since = Time::MAX;
            }
            groups.push(Group { hosts, quiet_since });
        }
        self.groups = groups;
    }

    /// Hosts on the same side of every cut are one class; the graph of classes is small, however many hosts there are.
    fn find_groups(&self) -> Vec<Vec<HostId>> {
        let mut classes: BTreeMap<Vec<u32>, Vec<HostId>> = BTreeMap::new();
        for (index, host) in self.hosts.iter().enumerate() {
            if host.state == State::Running {
                let host = HostId(index as u32);
                let sides = self.cuts.iter().map(|(_, cut)| cut.side(host)).collect();
                classes.entry(sides).or_default().push(host);
            }
        }
        let classes: Vec<Vec<HostId>> = classes.into_values().collect();
        let mut reach = DiGraph::<(), ()>::new();
        let nodes: Vec<_> = classes.iter().map(|_| reach.add_node(())).collect();
        for (a, from) in classes.iter().enumerate() {
            for (b, to) in classes.iter().enumerate() {
                // A class of one has no pair inside it; of a larger one, any two hosts stand for all.
                let pair = if a == b {
                    from.get(1).map(|second| (from[0], *second))
                } else {
                    Some((from[0], to[0]))
                };
                if pair.is_none_or(|(from, to)| self.can_reach(from, to)) {
                    reach.add_edge(nodes[a], nodes[b], ());
                }
            }
        }
        let mut joined = UnionFind::<usize>::new(classes.len());
        for edge in reach.edge_references() {
            joined.union(edge.source().index(), edge.target().index());
        }
        let mut components: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for class in 0..classes.len() {
            components.entry(joined.find(class)).or_default().push(class);
        }
        let mut groups: Vec<Vec<HostId>> = components
            .into_values()
            .filter(|component| {
                component
                    .iter()
                    .all(|&a| component.iter().all(|&b| reach.contains_edge(nodes[a], nodes[b])))
            })
            .map(|component| {
                let mut hosts: Vec<HostId> = component
                    .into_iter()
                    .flat_map(|c| classes[c].iter().copied())
                    .collect();
                hosts.sort_unstable();
                hosts
            })
            .collect();
        groups.sort_unstable();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{Crash, DiskAtBoot};

    fn world(hosts: usize) -> World {
        World::new(
            (0..hosts).map(|i| Resident {
                name: format!("h{i}"),
                ip: Ipv4Addr::new(10, 0, 0, i as u8 + 1),
                up: true,
            }),
            Links::Tolerated,
        )
    }

    fn ids(ids: &[u32]) -> Vec<HostId> {
        ids.iter().map(|&i| HostId(i)).collect()
    }

    fn shape(world: &World) -> Vec<Vec<HostId>> {
        world.groups().iter().map(|group| group.hosts.clone()).collect()
    }

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_partition_makes_a_group_a_side_and_its_healing_makes_one_again() {
        let mut world = world(5);
        world.apply(
            Time::from_nanos(S),
            &Change::Cut {
                layer: 1,
                cut: Cut::Groups(vec![0, 0, 1, 1, 1]),
            },
        );
        assert_eq!(shape(&world), [ids(&[0, 1]), ids(&[2, 3, 4])]);
        assert!(!world.can_reach(HostId(0), HostId(2)));
        world.apply(Time::from_nanos(2 * S), &Change::Healed { layer: 1 });
        assert_eq!(shape(&world), [ids(&[0, 1, 2, 3, 4])]);
        assert_eq!(world.groups()[0].quiet_since, Time::from_nanos(2 * S));
    }

    #[test]
    fn two_layers_add_up_and_healing_one_leaves_the_other() {
        let mut world = world(4);
        world.apply(
            Time::from_nanos(1),
            &Change::Cut {
                layer: 1,
                cut: Cut::Groups(vec![0, 0, 1, 1]),
            },
        );
        world.apply(
            Time::from_nanos(2),
            &Change::Cut {
                layer: 2,
                cut: Cut::Groups(vec![0, 1, 0, 1]),
            },
        );
        assert_eq!(world.groups().len(), 4);
        world.apply(Time::from_nanos(3), &Change::Healed { layer: 1 });
        assert_eq!(shape(&world), [ids(&[0, 2]), ids(&[1, 3])]);
    }

    #[test]
    fn a_one_way_cut_is_no_group_for_anyone_it_touches() {
        let mut world = world(3);
        let cut = Cut::OneWay {
            from: vec![true, false, false],
            to: vec![false, true, false],
        };
        world.apply(Time::from_nanos(1), &Change::Cut { layer: 1, cut });
        assert_eq!(shape(&world), Vec::<Vec<HostId>>::new());
        assert!(world.can_reach(HostId(1), HostId(0)));
    }

    #[test]
    fn a_one_way_cut_inside_a_class_is_seen() {
        let mut world = world(3);
        let all = vec![true; 3];
        world.apply(
            Time::from_nanos(1),
            &Change::Cut {
                layer: 1,
                cut: Cut::OneWay {
                    from: all.clone(),
                    to: all,
                },
            },
        );
        assert!(!world.can_reach(HostId(0), HostId(1)));
        assert!(world.can_reach(HostId(0), HostId(0)));
        assert!(world.groups().is_empty());
    }

    #[test]
    fn a_crash_disturbs_those_who_were_in_the_group_and_no_one_else() {
        let mut world = world(4);
        world.apply(
            Time::from_nanos(S),
            &Change::Cut {
                layer: 1,
                cut: Cut::Groups(vec![0, 0, 1, 1]),
            },
        );
        world.apply(
            Time::from_nanos(2 * S),
            &Change::Down {
                host: HostId(0),
                how: Crash::Kill,
            },
        );
        assert_eq!(shape(&world), [ids(&[1]), ids(&[2, 3])]);
        assert_eq!(
            world.group_of(HostId(1)).unwrap().quiet_since,
            Time::from_nanos(2 * S)
        );
        assert_eq!(
            world.group_of(HostId(2)).unwrap().quiet_since,
            Time::from_nanos(S)
        );
        assert!(world.group_of(HostId(0)).is_none());
        let up = Change::Up {
            host: HostId(0),
            incarnation: 1,
            disk: DiskAtBoot::Kept,
        };
        world.apply(Time::from_nanos(3 * S), &up);
        assert_eq!(world.incarnation(HostId(0)), 1);
        assert_eq!(
            world.group_of(HostId(1)).unwrap().quiet_since,
            Time::from_nanos(3 * S)
        );
    }

    #[test]
    fn a_paused_host_is_up_and_in_no_group() {
        let mut world = world(2);
        world.apply(Time::from_nanos(1), &Change::Paused { host: HostId(1) });
        assert!(world.is_up(HostId(1)) && !world.is_running(HostId(1)));
        assert_eq!(shape(&world), [ids(&[0])]);
    }

    #[test]
    fn links_beyond_what_is_tolerated_are_never_quiet() {
        let residents = [Resident {
            name: "a".into(),
            ip: Ipv4Addr::LOCALHOST,
            up: true,
        }];
        let world = World::new(residents, Links::Beyond);
        assert_eq!(world.groups()[0].quiet_since, Time::MAX);
        assert_eq!(world.host_at(Ipv4Addr::LOCALHOST), Some(HostId(0)));
    }
}
