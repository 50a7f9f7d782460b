//! From a file to a plan: everything in it is looked up, and everything that cannot be is complained about, all at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use squall_nodes::{HostId, Misfit, Placed, Protocol, Setup, Span};

use super::cast::{Addresses, Cast};
use super::complaint::Complaints;
use super::desk::{Desk, Fields};
use super::file::{FIELDS, ScenarioFile};
use super::laws::Laws;
use super::places::Item;
use super::quiet::{Beyond, Course};
use super::settings::Settings;
use super::{history, measures, network, promises, quiet, timeline, workload};
use crate::plan::{Plan, PlannedHost, StreamLaw, address_of};

/// How long a run lasts when its file does not say.
const LIMIT: Span = Span::from_secs(30);
/// The longest run: a day.
const LONGEST: Span = Span::from_secs(24 * 3600);
/// After how many events a run is stopped when its file does not say.
const MAX_EVENTS: u64 = 100_000_000;
/// The highest number of events that a file may allow.
const MOST_EVENTS: u64 = 10_000_000_000;

/// Resolves a file under one of the protocol's rule sets, which `rules` names.
///
/// # Errors
///
/// Everything that is wrong with the file, with places.
pub fn resolve<P: Protocol>(file: &ScenarioFile, rules: &'static str) -> Result<Plan<P>, Complaints> {
    resolve_at(file, rules, &address_of)
}

/// As [`resolve`], with hosts at other addresses than those of the virtual world: a plan to be played live. The engine does not run it.
///
/// # Errors
///
/// Everything that is wrong with the file, with places.
pub fn resolve_at<P: Protocol>(
    file: &ScenarioFile,
    rules: &'static str,
    address: &dyn Fn(HostId) -> Ipv4Addr,
) -> Result<Plan<P>, Complaints> {
    let mut desk = Desk::new(file.text());
    file.review(&mut desk);
    let plan = desk
        .fields(file.root(), "a scenario", FIELDS)
        .map(|fields| plan::<P>(&mut desk, &fields, file, rules, address));
    desk.close(file.name(), file.shared_text())?;
    plan.ok_or_else(|| Complaints::about_all(file.name(), "holds no scenario".to_owned(), None))
}

/// What a file says of its hosts, before the protocol puts them in their places.
pub(super) struct Draft<P: Protocol> {
    /// The settings that every host begins with.
    pub(super) settings: Settings<P>,
    /// The names of the hosts, and where each is written.
    pub(super) cast: Cast,
    /// The hosts.
    pub(super) hosts: Vec<PlannedHost<P::Node>>,
}

/// The hosts of a file that can be resolved under a rule set; `None` when it cannot.
pub(super) fn draft<P: Protocol>(file: &ScenarioFile, rules: &'static str) -> Option<Draft<P>> {
    let mut desk = Desk::new(file.text());
    let scenario = desk.fields(file.root(), "a scenario", FIELDS)?;
    let limit = limit(&mut desk, &scenario);
    let settings = Settings::<P>::read(&mut desk, &scenario, rules);
    let (cast, hosts) = Cast::read(&mut desk, &scenario, &settings, &address_of, limit);
    Some(Draft {
        settings,
        cast,
        hosts,
    })
}

/// Reads all of it. After a complaint the plan may lack things, and nobody sees it.
fn plan<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    file: &ScenarioFile,
    rules: &'static str,
    address: Addresses<'_>,
) -> Plan<P> {
    if file.protocol() != P::NAME
        && let Some(item) = scenario.get("protocol")
    {
        desk.complain(
            item.span.clone(),
            format!("this is read as a scenario of {}", P::NAME),
            None,
        );
    }
    let limit = limit(desk, scenario);
    let max_events = scenario
        .get("max_events")
        .and_then(|item| desk.whole(item, 1..=MOST_EVENTS));
    let before = desk.count();
    let settings = Settings::<P>::read(desk, scenario, rules);
    let settled = desk.count() == before;
    let (mut cast, mut hosts) = Cast::read(desk, scenario, &settings, address, limit);
    let assembled = settled && cast.is_known() && assemble::<P>(desk, scenario, &cast, &mut hosts);
    let mut laws = Laws::new(limit);
    let network = network::network(desk, scenario, &mut cast, &mut laws);
    let assembled = assembled && fits::<P>(desk, scenario, &cast, &hosts, &network.streams);
    let persist = network::persist(desk, scenario, limit);
    let timeouts = hosts.iter().map(|host| P::shortest_timeout(&host.placed.config));
    let shortest = timeouts
        .min()
        .unwrap_or_else(|| P::shortest_timeout(&settings.config));
    let tolerated = network::tolerated(desk, scenario, shortest);
    let live_tolerance = network::live_tolerance(desk, scenario);
    let timeline = timeline::timeline::<P>(desk, scenario, &mut cast, &mut laws, limit);
    laws.close(desk);
    let workload = workload::workload::<P>(desk, scenario, &mut cast, limit);
    let kinds = P::invariants();
    let chosen = promises::chosen::<P>(desk, scenario, rules, &kinds);
    let placed: Vec<Placed<P::Node>> = hosts.iter().map(|host| host.placed.clone()).collect();
    // An invariant may look at every host: without all of them in their places, it is not made.
    let made = assembled.then(|| {
        chosen.make::<P>(
            desk,
            scenario,
            &kinds,
            &Setup {
                hosts: &placed,
                rules,
                tolerated,
                streams: network.streams,
            },
        )
    });
    let judged = made.as_deref().filter(|_| chosen.is_whole());
    let expect = promises::expect::<P>(desk, scenario, rules, &kinds, judged);
    let steps = timeline.whole.then_some(timeline.steps.as_slice());
    let measures = measures::measures::<P>(desk, scenario, &mut cast, steps);
    if timeline.whole {
        history::undoings(desk, &timeline, &cast);
        let course = Course::of(&hosts, &timeline.steps, &network, tolerated, limit);
        let beyond = Beyond::find(&network, &persist, tolerated);
        quiet::quiet(desk, made.as_deref().unwrap_or(&[]), &course, beyond.as_ref());
    }
    Plan {
        scenario: file.name().to_owned(),
        rules,
        hosts,
        network,
        persist,
        lateness: None,
        timeline: timeline.steps,
        workload,
        limit,
        max_events: max_events.unwrap_or(MAX_EVENTS),
        invariants: made
            .unwrap_or_default()
            .into_iter()
            .map(|made| made.planned)
            .collect(),
        measures,
        expect,
        tolerated,
        live_tolerance,
    }
}

fn limit<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>) -> Span {
    let Some(item) = scenario.get("limit") else {
        return LIMIT;
    };
    match desk.span(item) {
        Some(limit) if limit.is_zero() || limit > LONGEST => {
            let hint = format!("a run lasts more than nothing and at most {LONGEST}");
            desk.complain(
                item.span.clone(),
                format!("a run cannot last {limit}"),
                Some(hint),
            );
            LONGEST
        }
        Some(limit) => limit,
        // Nothing is late when nobody knows when the end is.
        None => LONGEST,
    }
}

/// Lets the protocol put the hosts in their places, and passes on what it says.
fn assemble<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &Cast,
    hosts: &mut [PlannedHost<P::Node>],
) -> bool {
    let mut placed: Vec<Placed<P::Node>> = hosts.iter().map(|host| host.placed.clone()).collect();
    let misfits = P::assemble(&mut placed).err().unwrap_or_default();
    tell(desk, scenario, cast, &misfits);
    for (host, placed) in hosts.iter_mut().zip(placed) {
        host.placed = placed;
    }
    misfits.is_empty()
}

/// Asks the protocol whether the hosts fit into what streams go by, and passes on what it says.
fn fits<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &Cast,
    hosts: &[PlannedHost<P::Node>],
    streams: &StreamLaw,
) -> bool {
    let placed: Vec<Placed<P::Node>> = hosts.iter().map(|host| host.placed.clone()).collect();
    let misfits = P::fits(&placed, streams).err().unwrap_or_default();
    tell(desk, scenario, cast, &misfits);
    misfits.is_empty()
}

/// Complains of what does not fit. A setting that all hosts of a range share is wrong once, though the protocol says it of each of them.
fn tell<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>, cast: &Cast, misfits: &[Misfit]) {
    let mut told = BTreeSet::new();
    for misfit in misfits {
        let span = place_of(desk, scenario, cast, misfit);
        if misfit.host.is_some() && !told.insert((span.start, misfit.field)) {
            continue;
        }
        desk.complain(span, misfit.message.clone(), misfit.hint.clone());
    }
}

/// Where the file says what does not fit: the host's own setting, else everyone's, else the host, else the hosts.
fn place_of<'f>(
    desk: &Desk<'f>,
    scenario: &Fields<'f>,
    cast: &Cast,
    misfit: &Misfit,
) -> std::ops::Range<usize> {
    let text = desk.whole_text();
    let hosts: Option<&'f Item> = scenario.get("hosts");
    let written = misfit.host.and_then(|host| cast.written.get(host));
    let entry = written.and_then(|written| hosts?.items().get(written.entry));
    let own = entry.and_then(|entry| entry.field(text, "config"));
    let shared = scenario.get("config");
    let setting = misfit.field.and_then(|field| {
        let own = own.and_then(|config| config.find(text, field));
        own.or_else(|| shared.and_then(|config| config.find(text, field)))
    });
    match (setting, written, hosts) {
        (Some(item), ..) => item.span.clone(),
        (None, Some(written), _) => written.span.clone(),
        (None, None, Some(hosts)) => hosts.span.start..hosts.span.start + 1,
        (None, None, None) => 0..0,
    }
}
