//! The state of the world as far as it was seen: who is up, who reaches whom, which groups there are, since when each
//! has been quiet.
//!
//! It is built from [`Change`]s alone, so that a simulation, a stored trace and a live run answer the same questions.

mod classes;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use classes::{Belong, Classes};

use crate::node::HostId;
use crate::seen::{Change, Cut, DiskState};
use crate::time::{Span, Time};

/// Who is up, who reaches whom, and which groups are quiet.
#[derive(Clone, Debug)]
pub struct World {
    hosts: Vec<Host>,
    by_ip: BTreeMap<Ipv4Addr, HostId>,
    cuts: Vec<(u32, Cut)>,
    classes: Classes,
    effort: u64,
    groups: Vec<Group>,
    links: Links,
    /// Links that are beyond what is tolerated, sorted.
    beyond: Vec<(HostId, HostId)>,
    /// From whom to whom streams are stuck.
    stuck: Vec<(HostId, HostId)>,
    /// The changes that are being made.
    unsettled: Vec<u32>,
    /// How long after a disturbance a group begins to be quiet.
    slack: Span,
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
    slowed: bool,
    disk: DiskState,
    /// By how many millionths its clock is fast.
    drift_ppm: i32,
}

impl Host {
    /// Whether nothing is wrong with the machine that a promise of liveness could not be kept with.
    fn is_sound(&self) -> bool {
        !self.slowed && self.disk == DiskState::Sound && self.drift_ppm.unsigned_abs() <= World::TOLERATED_PPM
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Paused,
    Running,
}

/// A set of running hosts in which every pair can exchange messages both ways, and none of which reaches a running host
/// outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// By how many millionths its clock is fast when the run begins; slow where it is negative.
    pub drift_ppm: i32,
}

impl World {
    /// The drift, fast or slow, up to which a clock is as good as any while liveness is asked for.
    pub const TOLERATED_PPM: u32 = 1_000;

    /// The world at the start of a run, whose beginning counts as a disturbance.
    pub fn new(residents: impl IntoIterator<Item = Resident>, links: Links) -> Self {
        let hosts: Vec<Host> = residents
            .into_iter()
            .map(
                |Resident {
                     name,
                     ip,
                     up,
                     drift_ppm,
                 }| Host {
                    name,
                    ip,
                    state: if up { State::Running } else { State::Down },
                    incarnation: 0,
                    disturbed: Time::ZERO,
                    group: None,
                    slowed: false,
                    disk: DiskState::Sound,
                    drift_ppm,
                },
            )
            .collect();
        let by_ip = hosts
            .iter()
            .enumerate()
            .map(|(i, host)| (host.ip, HostId(i as u32)))
            .collect();
        let mut world = World {
            classes: Classes::new(hosts.len()),
            effort: 0,
            hosts,
            by_ip,
            cuts: Vec::new(),
            groups: Vec::new(),
            links,
            beyond: Vec::new(),
            stuck: Vec::new(),
            unsettled: Vec::new(),
            slack: Span::ZERO,
        };
        world.regroup(Time::ZERO);
        world
    }

    /// The same world in which a group begins to be quiet only `slack` after it was last disturbed, so that every promise of quiet has
    /// that much more time: a live run has other work to do, and its tolerance is declared.
    #[must_use]
    pub fn with_slack(mut self, slack: Span) -> Self {
        self.slack = slack;
        self.regroup(Time::ZERO);
        self
    }

    /// How much longer than it is disturbed a group is not quiet: see [`with_slack`](Self::with_slack).
    pub fn slack(&self) -> Span {
        self.slack
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
                self.effort += self.classes.lay(*layer, cut, &self.cuts);
                self.disturb_all(at);
            }
            Change::Healed { layer } => {
                if let Some(place) = self.cuts.iter().position(|(laid, _)| laid == layer) {
                    let (layer, cut) = self.cuts.remove(place);
                    self.effort += self.classes.heal(layer, &cut, &self.cuts);
                }
                self.disturb_all(at);
            }
            Change::Links { beyond } => {
                self.beyond.clone_from(beyond);
                self.effort += beyond.len() as u64;
                self.disturb_all(at);
            }
            // It may come with every datagram, and leaves the groups as they are. Both ends are touched: one misses what was sent, the
            // other an answer to it.
            Change::Choked { from, to } | Change::Straggled { from, to } => {
                for host in [*from, *to] {
                    self.touch(host, at);
                }
                return;
            }
            Change::StreamStuck { from, to } => {
                self.stuck.push((*from, *to));
                let [one, other] = [from, to].map(|host| self.hosts[host.index()].group);
                if let Some(group) = one.filter(|_| one == other) {
                    self.groups[group as usize].quiet_since = Time::MAX;
                }
                return;
            }
            Change::StreamFlows { from, to } => {
                if let Some(place) = self.stuck.iter().position(|pair| pair == &(*from, *to)) {
                    self.stuck.swap_remove(place);
                }
                // Between two groups nothing goes on: it was given up, and neither was waiting for it.
                let [one, other] = [from, to].map(|host| self.hosts[host.index()].group);
                if one.is_some() && one == other {
                    for host in [*from, *to] {
                        self.hosts[host.index()].disturbed = at;
                    }
                }
                self.effort += self.stuck.len() as u64;
            }
            Change::Slowed { host, by } => self.impair(*host, at, |host| host.slowed = !by.is_zero()),
            Change::Disk { host, state } => self.impair(*host, at, |host| host.disk = *state),
            Change::Drift { host, ppm } => self.impair(*host, at, |host| host.drift_ppm = *ppm),
            Change::Jumped { host, .. } => self.impair(*host, at, |_| ()),
            Change::Unsettled { by } => self.unsettled.push(*by),
            Change::Settled { by } => {
                if let Some(place) = self.unsettled.iter().position(|change| change == by) {
                    self.unsettled.swap_remove(place);
                }
                self.disturb_all(at);
            }
            Change::Stalled { host, .. } => {
                self.touch(*host, at);
                return;
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

    /// How many steps it has taken so far to keep up with the changes, about. A step is a host or a word of classes that was
    /// looked at: a nanosecond or a few. Whoever feeds the world changes can tell from it when they come to more than they are
    /// worth.
    pub fn effort(&self) -> u64 {
        self.effort
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

    fn impair(&mut self, host: HostId, at: Time, how: impl FnOnce(&mut Host)) {
        let host = &mut self.hosts[host.index()];
        how(host);
        host.disturbed = at;
    }

    /// Disturbs the group of a host, and leaves it the group that it is.
    fn touch(&mut self, host: HostId, at: Time) {
        let host = &mut self.hosts[host.index()];
        host.disturbed = at;
        if let Some(group) = host.group {
            let quiet_since = &mut self.groups[group as usize].quiet_since;
            *quiet_since = (at + self.slack).max(*quiet_since);
        }
    }

    fn disturb_all(&mut self, at: Time) {
        for host in &mut self.hosts {
            host.disturbed = at;
        }
    }

    /// Finds the groups anew, and disturbs every host whose group is not the one it was.
    fn regroup(&mut self, at: Time) {
        let before: Vec<usize> = self.groups.iter().map(|group| group.hosts.len()).collect();
        let (groups, group_of) = self.find_groups();
        for Group { hosts, .. } in &groups {
            let old = self.hosts[hosts[0].index()].group;
            let same = old.is_some_and(|old| before[old as usize] == hosts.len())
                && hosts.iter().all(|host| self.hosts[host.index()].group == old);
            if !same {
                for host in hosts {
                    self.hosts[host.index()].disturbed = at;
                }
            }
        }
        for (host, group) in self.hosts.iter_mut().zip(group_of) {
            host.group = group;
        }
        self.groups = groups;
        for group in &mut self.groups {
            let hosts = || group.hosts.iter().map(|host| &self.hosts[host.index()]);
            let may_be_quiet = self.links == Links::Tolerated && self.unsettled.is_empty();
            group.quiet_since = if may_be_quiet && hosts().all(Host::is_sound) {
                hosts().map(|host| host.disturbed).max().unwrap_or(Time::ZERO) + self.slack
            } else {
                Time::MAX
            };
        }
        for (from, to) in self.beyond.iter().chain(&self.stuck) {
            let [from, to] = [from, to].map(|host| self.hosts[host.index()].group);
            if let Some(group) = from.filter(|_| from == to) {
                self.groups[group as usize].quiet_since = Time::MAX;
            }
        }
        self.effort += (self.beyond.len() + self.stuck.len()) as u64;
    }

    /// The groups by their first host, with their hosts alone, and the group of each host. The lists of the old groups are
    /// used again.
    fn find_groups(&mut self) -> (Vec<Group>, Vec<Option<u32>>) {
        let mut running = vec![0; self.classes.len()];
        for (index, host) in self.hosts.iter().enumerate() {
            running[self.classes.of(HostId(index as u32))] += u32::from(host.state == State::Running);
        }
        let (belong, steps) = self.classes.belong(&running);
        self.effort += steps + 4 * self.hosts.len() as u64;
        let mut spare = std::mem::take(&mut self.groups);
        let mut groups: Vec<Group> = Vec::with_capacity(spare.len() + 1);
        // Which group the classes that belong together are in so far.
        let mut group_at: Vec<Option<u32>> = vec![None; self.classes.len()];
        let mut group_of = vec![None; self.hosts.len()];
        for (index, host) in self.hosts.iter().enumerate() {
            if host.state != State::Running {
                continue;
            }
            let host = HostId(index as u32);
            let class = self.classes.of(host);
            let mut open = || {
                let mut group = spare.pop().unwrap_or_default();
                group.hosts.clear();
                groups.push(group);
                groups.len() as u32 - 1
            };
            let group = match belong[class] {
                Belong::Together(class) => *group_at[class as usize].get_or_insert_with(open),
                Belong::Alone => open(),
                Belong::Nowhere => continue,
            };
            groups[group as usize].hosts.push(host);
            group_of[index] = Some(group);
        }
        (groups, group_of)
    }
}

#[cfg(test)]
mod tests;
