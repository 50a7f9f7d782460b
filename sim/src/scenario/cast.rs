//! The hosts of a scenario, and the ways in which the rest of the file names them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use squall_nodes::{ConfigOf, HostId, HostKey, Node, Placed, Protocol, Span, Time};

use super::complaint::{did_you_mean, is_near};
use super::desk::{Desk, Fields};
use super::names::{Pattern, follows};
use super::places::{Item, Shape};
use super::settings::Settings;
use super::zones::ZonesOfHosts;
use crate::plan::{Clock, PlannedHost, Target};

/// How many hosts a scenario may have.
pub const MOST_HOSTS: usize = 20_000;
/// What an entry of the hosts may say.
const HOST: [&str; 6] = ["name", "role", "zone", "starts", "clock", "config"];

/// How many hosts all entries of a file together may name, ranges and `"*"` counted in full.
pub const MOST_NAMED: usize = 2_000_000;

/// Who is in the file, by name.
pub(super) struct Cast {
    /// By [`HostId`].
    pub(super) names: Vec<String>,
    by_name: BTreeMap<String, HostId>,
    /// The role's name as the file has it, by [`HostId`].
    roles: Vec<String>,
    /// When each host boots first.
    pub(super) starts: Vec<Time>,
    /// Where each host is written: its entry, and what it overrides.
    pub(super) written: Vec<Written>,
    /// The zones that they are in.
    pub(super) zones: ZonesOfHosts,
    names_known: Known,
    hosts_known: Known,
    named: usize,
}

/// Where a host is written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) entry: usize,
    pub(super) span: Range<usize>,
}

/// Whether something was read in full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    InFull,
    InPart,
}

/// Whether `"@actor"` says anything where a host is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Named,
    Nobody,
}

/// The address that each host gets.
pub(super) type Addresses<'a> = &'a dyn Fn(HostId) -> Ipv4Addr;

/// What all entries of the hosts have in common.
struct Common<'a, P: Protocol> {
    settings: &'a Settings<P>,
    address: Addresses<'a>,
    /// When the run ends.
    limit: Span,
}

impl Cast {
    /// Reads the hosts with their settings. Hosts that cannot be read are complained about and left out.
    pub(super) fn read<'f, P: Protocol>(
        desk: &mut Desk<'f>,
        scenario: &Fields<'f>,
        settings: &Settings<P>,
        address: Addresses<'_>,
        limit: Span,
    ) -> (Self, Vec<PlannedHost<P::Node>>) {
        let before = desk.count();
        let mut cast = Cast {
            names: Vec::new(),
            by_name: BTreeMap::new(),
            roles: Vec::new(),
            starts: Vec::new(),
            written: Vec::new(),
            zones: ZonesOfHosts::default(),
            names_known: Known::InFull,
            hosts_known: Known::InFull,
            named: 0,
        };
        let common = Common {
            settings,
            address,
            limit,
        };
        let mut hosts = Vec::new();
        let entries = scenario
            .get("hosts")
            .map_or(&[][..], |item| desk.filled_list(item, "hosts"));
        for (entry, item) in entries.iter().enumerate() {
            cast.entry(desk, item, entry, &common, &mut hosts);
        }
        if desk.count() > before || hosts.is_empty() {
            cast.hosts_known = Known::InPart;
        }
        if cast.names.is_empty() {
            cast.names_known = Known::InPart;
        }
        (cast, hosts)
    }

    /// Reads one entry of the hosts: one host, or a range of them.
    fn entry<'f, P: Protocol>(
        &mut self,
        desk: &mut Desk<'f>,
        item: &'f Item,
        entry: usize,
        common: &Common<'_, P>,
        hosts: &mut Vec<PlannedHost<P::Node>>,
    ) {
        let Some(fields) = desk.fields(item, "a host", &HOST) else {
            self.names_known = Known::InPart;
            return;
        };
        let name = desk.required(&fields, "name", "\"a\"");
        let role_item = desk.required(&fields, "role", "…");
        let role = role_item.and_then(|item| desk.typed::<<P::Node as Node>::Role>(item));
        let starts = fields
            .get("starts")
            .and_then(|item| starts(desk, item, common.limit))
            .unwrap_or(Time::ZERO);
        let zone = fields.get("zone").and_then(|item| self.zones.read(desk, item));
        let clock = fields
            .get("clock")
            .map_or(Clock::default(), |item| clock(desk, item));
        let config = match fields.get("config") {
            Some(item) => common.settings.with(desk, item),
            None => Some(common.settings.config.clone()),
        };
        let first = self.names.len();
        let head = role_item.and_then(|item| desk.head(item)).unwrap_or_default();
        match name {
            Some(name) => self.enlist(desk, name, entry, head, starts, zone),
            None => self.names_known = Known::InPart,
        }
        if let (Some(role), Some(config)) = (role, config) {
            let host = |index| self.host::<P>(index, common.address, &role, &config, clock);
            hosts.extend((first..self.names.len()).map(host));
        }
    }

    /// Whether every host that is written was read.
    pub(super) fn is_known(&self) -> bool {
        self.hosts_known == Known::InFull
    }

    /// The same in a word.
    pub(super) fn hosts_known(&self) -> Known {
        self.hosts_known
    }

    fn host<P: Protocol>(
        &self,
        index: usize,
        address: Addresses<'_>,
        role: &<P::Node as Node>::Role,
        config: &ConfigOf<P>,
        clock: Clock,
    ) -> PlannedHost<P::Node> {
        let name = self.names[index].clone();
        PlannedHost {
            key: HostKey::of(&name),
            starts: self.starts[index],
            clock,
            placed: Placed {
                name,
                ip: address(HostId(index as u32)),
                role: role.clone(),
                config: config.clone(),
            },
        }
    }

    fn enlist(
        &mut self,
        desk: &mut Desk<'_>,
        item: &Item,
        entry: usize,
        role: &str,
        starts: Time,
        zone: Option<u32>,
    ) {
        let Some(written) = desk.text(item, "a host's name") else {
            return;
        };
        let pattern = match Pattern::read(&written) {
            Ok(pattern) => pattern,
            Err((message, hint)) => return desk.complain(item.span.clone(), message, Some(hint)),
        };
        // Counted before anything is made: a range is a few bytes, and may say a million.
        if pattern.len() > (MOST_HOSTS - self.names.len()) as u64 {
            self.names_known = Known::InPart;
            let message = format!("more than {MOST_HOSTS} hosts");
            let hint = format!("a scenario has at most {MOST_HOSTS}");
            return desk.complain(item.span.clone(), message, Some(hint));
        }
        let mut twice = None;
        pattern.each(|name| {
            let host = HostId(self.names.len() as u32);
            match self.by_name.entry(name.clone()) {
                std::collections::btree_map::Entry::Occupied(_) => twice = twice.take().or(Some(name)),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(host);
                    self.names.push(name);
                    self.roles.push(role.to_owned());
                    self.starts.push(starts);
                    self.zones.place(zone);
                    self.written.push(Written {
                        entry,
                        span: item.span.clone(),
                    });
                }
            }
        });
        if let Some(name) = twice {
            let hint = "names are unique".to_owned();
            desk.complain(
                item.span.clone(),
                format!("there are two hosts called `{name}`"),
                Some(hint),
            );
        }
    }

    /// The hosts that a value names, in the order of the file: a name, a range, `"*"`, or a list of those.
    pub(super) fn hosts<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item) -> Vec<HostId> {
        let targets = self.targets(desk, item, Actor::Nobody);
        targets
            .into_iter()
            .filter_map(|target| {
                if let Target::Host(host) = target {
                    Some(host)
                } else {
                    None
                }
            })
            .collect()
    }

    /// The hosts that a value names, and `"@actor"` where it says something.
    pub(super) fn targets<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item, actor: Actor) -> Vec<Target> {
        let mut targets = Vec::new();
        match &item.shape {
            Shape::List(items) => {
                if items.is_empty() {
                    let hint = "name at least one, or take it away".to_owned();
                    desk.complain(item.span.clone(), "this names no host", Some(hint));
                }
                for item in items {
                    self.name(desk, item, actor, &mut targets);
                }
            }
            Shape::Text => self.name(desk, item, actor, &mut targets),
            _ => {
                let hint = "such as `\"c1\"`, `\"c1..c4\"`, `\"*\"` or `[\"a\", \"c1..c4\"]`".to_owned();
                desk.complain(item.span.clone(), "expected the names of hosts", Some(hint));
            }
        }
        self.once(desk, item, &targets);
        targets
    }

    /// Complains when a host is in a list more than once.
    pub(super) fn once(&self, desk: &mut Desk<'_>, item: &Item, targets: &[Target]) {
        let mut sorted: Vec<Option<HostId>> = targets.iter().map(host_of).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let name = pair[0].map_or("@actor", |host| self.names[host.index()].as_str());
            desk.complain(item.span.clone(), format!("`{name}` is named twice"), None);
        }
    }

    fn name<'f>(&mut self, desk: &mut Desk<'f>, item: &'f Item, actor: Actor, into: &mut Vec<Target>) {
        let Some(written) = desk.text(item, "the name of a host") else {
            return;
        };
        if written == "@claimant" {
            let hint = "whoever did what a `When(…)` waits for is called `@actor` now".to_owned();
            desk.complain(item.span.clone(), "`@claimant` is nobody", Some(hint));
            return;
        }
        if written == "@actor" {
            if actor == Actor::Nobody {
                let hint = "it is whoever did what a `When(…)` waits for".to_owned();
                desk.complain(item.span.clone(), "`@actor` is nobody here", Some(hint));
            }
            return into.push(Target::Actor);
        }
        if written.starts_with('@') && is_near(&written, "@actor") {
            let hint = "did you mean `@actor`?".to_owned();
            return desk.complain(item.span.clone(), format!("`{written}` is nobody"), Some(hint));
        }
        if written == "*" {
            if self.spend(desk, item, self.names.len() as u64) {
                into.extend((0..self.names.len() as u32).map(|host| Target::Host(HostId(host))));
            }
            return;
        }
        let pattern = match Pattern::read(&written) {
            Ok(pattern) => pattern,
            Err((message, hint)) => return desk.complain(item.span.clone(), message, Some(hint)),
        };
        if !self.spend(desk, item, pattern.len()) {
            return;
        }
        let mut unknown = None;
        pattern.each(|name| match self.by_name.get(&name) {
            Some(host) => into.push(Target::Host(*host)),
            None => unknown = unknown.take().or(Some(name)),
        });
        if let Some(name) = unknown.filter(|_| self.names_known == Known::InFull) {
            // Looking for a name among thousands takes time, and nobody reads hundreds of hints.
            let names = if desk.is_full() {
                &[]
            } else {
                self.names.as_slice()
            };
            let hint = did_you_mean(&name, names.iter().map(String::as_str));
            desk.complain(item.span.clone(), format!("there is no host `{name}`"), hint);
        }
    }

    /// Counts hosts that are named, and says whether there may be so many.
    fn spend(&mut self, desk: &mut Desk<'_>, item: &Item, count: u64) -> bool {
        if count > (MOST_NAMED - self.named) as u64 {
            let message =
                format!("the file names more than {MOST_NAMED} hosts, each entry counted by itself");
            desk.complain(
                item.span.clone(),
                message,
                Some("name fewer of them here or elsewhere".to_owned()),
            );
            return false;
        }
        self.named += count as usize;
        true
    }

    /// The hosts of a role, by the role's name; `None` when no host has it.
    pub(super) fn of_role(&self, role: &str) -> Option<Vec<HostId>> {
        let hosts: Vec<HostId> = (0..self.names.len())
            .filter(|at| self.roles[*at] == role)
            .map(|at| HostId(at as u32))
            .collect();
        (!hosts.is_empty()).then_some(hosts)
    }

    /// The names of the roles that there are, each once.
    pub(super) fn roles(&self) -> std::collections::BTreeSet<&str> {
        self.roles
            .iter()
            .map(String::as_str)
            .filter(|role| !role.is_empty())
            .collect()
    }

    /// Targets as labels have them: `a c1..c4`. Four or more in a row are a range.
    pub(super) fn label(&self, targets: &[Target]) -> String {
        const SHORTEST_RANGE: usize = 4;
        let name =
            |target: &Target| host_of(target).map_or("@actor", |host| self.names[host.index()].as_str());
        let mut parts: Vec<String> = Vec::new();
        let mut at = 0;
        while at < targets.len() {
            let run = targets[at..]
                .windows(2)
                .take_while(|pair| follows(name(&pair[0]), name(&pair[1])))
                .count()
                + 1;
            if run >= SHORTEST_RANGE {
                parts.push(format!(
                    "{}..{}",
                    name(&targets[at]),
                    name(&targets[at + run - 1])
                ));
                at += run;
            } else {
                parts.push(name(&targets[at]).to_owned());
                at += 1;
            }
        }
        parts.join(" ")
    }
}

/// The host of a target that is one.
pub(super) fn host_of(target: &Target) -> Option<HostId> {
    match target {
        Target::Host(host) => Some(*host),
        Target::Actor => None,
    }
}

/// When a host boots first: before the run is over.
fn starts(desk: &mut Desk<'_>, item: &Item, limit: Span) -> Option<Time> {
    let starts = desk.span(item)?;
    if starts >= limit {
        let hint = format!("the run ends at {limit}");
        desk.complain(
            item.span.clone(),
            "the host would start when the run is over",
            Some(hint),
        );
    }
    Some(Time::ZERO + starts)
}

/// How a host's clock stands and goes.
fn clock<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Clock {
    let mut clock = Clock::default();
    let Some(fields) = desk.fields(item, "a clock", &["offset", "drift_ppm"]) else {
        return clock;
    };
    if let Some(offset) = fields.get("offset").and_then(|item| desk.span(item)) {
        clock.offset = offset;
    }
    if let Some(ppm) = fields.get("drift_ppm").and_then(|item| drift_ppm(desk, item)) {
        clock.drift_ppm = ppm;
    }
    if fields.get("offset").or(fields.get("drift_ppm")).is_none() {
        let hint = "`(offset: \"3s\")`, or `(drift_ppm: 200)`, or both".to_owned();
        desk.complain(desk.point(item), "this says nothing of the clock", Some(hint));
    }
    clock
}

/// By how many millionths a clock is fast or slow.
pub(super) fn drift_ppm(desk: &mut Desk<'_>, item: &Item) -> Option<i32> {
    let ppm = desk.signed(
        item,
        i64::from(Clock::SLOWEST_PPM)..=i64::from(Clock::FASTEST_PPM),
    )?;
    i32::try_from(ppm).ok()
}
