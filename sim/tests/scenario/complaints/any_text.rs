//! Whatever a text is: it is refused at once or within bounds, and never panics.

use proptest::prelude::*;
use squall_nodes::{HostId, Span, Time};
use squall_sim::plan::{
    Clock, Cue, CutPlan, Fault, HEADERS, Latency, Layer, LinkChange, LinkLaw, Plan, Target, Trigger,
    address_of,
};
use squall_sim::scenario::{LARGEST, SHORTEST_INTERVAL, ScenarioFile, Style, resolve};

use super::{complaints, plan, with};
use crate::stand::Stand;

/// Refused before anything grows with what the file asks for. A bound that is missing shows as a test that does not end.
#[track_caller]
fn refused_at_once(text: String, message: &str) {
    let drawn = complaints(&text).to_string();
    assert!(
        drawn.contains(message),
        "expected {message:?}:\n{}",
        drawn.chars().take(2_000).collect::<String>()
    );
}

#[test]
fn a_huge_file_is_refused_at_once() {
    let hosts = |hosts: &str| format!("Scenario(protocol: \"hac\", hosts: [{hosts}])");
    refused_at_once(
        hosts("(name: \"c1..c1000000\", role: Client)"),
        "more than 20000 hosts",
    );
    refused_at_once(
        hosts("(name: \"c0..c18446744073709551615\", role: Client)"),
        "more than 20000 hosts",
    );
    refused_at_once(
        with("timeline: [Every(interval: \"1ns\", do: Kill(\"s\"))],"),
        "too often",
    );
    refused_at_once("[".repeat(10_000_000), "larger than 1 MiB");
    refused_at_once("[".repeat(LARGEST), "nested deeper than 64 levels");
    refused_at_once("(a:".repeat(LARGEST / 3), "nested deeper than 64 levels");
    refused_at_once(
        with(&format!("tags: [{}],", "\"a\",".repeat(200_000))),
        "at most 64 tags",
    );
    refused_at_once(
        with(&format!("timeline: [{}],", "1,".repeat(500_000))),
        "500000 entries",
    );
    refused_at_once(
        with(&format!("timeline: [{}],", "1,".repeat(100_000))),
        "more in test.ron",
    );
    refused_at_once(
        with(&format!("config: ({}),", "retries:1,".repeat(100_000))),
        "`retries` is written twice",
    );
    refused_at_once(
        with(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"z\")),".repeat(50_000)
        )),
        "no host `z`",
    );
    refused_at_once(
        with(&format!("seed: \"{}\",", "x".repeat(1_000_000))),
        "expected a whole number",
    );
    refused_at_once(
        with(&format!("seed: {},", "9".repeat(1_000_000))),
        "expected a whole number",
    );
    let many = "hosts: [(name: \"s\", role: Server), (name: \"c1..c10000\", role: Client)]";
    let all = |lines: &str| {
        with(lines).replace(
            "hosts: [(name: \"s\", role: Server), (name: \"c1..c4\", role: Client)]",
            many,
        )
    };
    refused_at_once(
        all("network: (links: [(from: \"*\", to: \"*\", loss: 0.5)]),"),
        "more than 1000000 links",
    );
    refused_at_once(
        all("timeline: [At(\"1s\", Link(from: \"*\", to: \"*\", loss: 0.5))],"),
        "more than 1000000 links",
    );
    let half = "from: \"c1..c60\", to: \"*\", loss: 0.5";
    refused_at_once(
        all(&format!(
            "network: (links: [({half})]), timeline: [At(\"1s\", Link({half}))],"
        )),
        "more than 1000000 links",
    );
    let zones: String = (0..1_001)
        .map(|zone| format!("(name: \"z{zone}\", role: Client, zone: \"z{zone}\"),"))
        .collect();
    let names: String = (0..1_001).map(|zone| format!("\"z{zone}\",")).collect();
    refused_at_once(
        format!(
            "Scenario(protocol: \"hac\", hosts: [{zones}], network: (zones: [(between: [{names}], loss: 0.5)]))"
        ),
        "more than 1000000 links",
    );
    refused_at_once(
        with(&format!(
            "persist: Empirical([{}]),",
            "\"1ms\",".repeat(100_000) + "1"
        )),
        "expected a length of time",
    );
    refused_at_once(
        all(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"*\")),".repeat(50_000)
        )),
        "more than 2000000 hosts",
    );
    refused_at_once(
        all(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"d1\")),".repeat(45_000)
        )),
        "there is no host `d1`",
    );
}

const WHOLE: &str = include_str!("../../../src/scenario/mod.rs");

/// The file with every field that the format's description has.
fn whole() -> String {
    let lines = WHOLE.lines().map(|line| {
        line.strip_prefix("//! ")
            .or(line.strip_prefix("//!"))
            .unwrap_or(line)
    });
    let block = lines
        .skip_while(|line| !line.starts_with("# let text"))
        .skip(1)
        .take_while(|line| !line.starts_with("# "));
    block.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_described_file_is_fine_under_both_rule_sets() {
    let file = ScenarioFile::parse("example.ron", whole()).unwrap();
    for rules in ["Original", "Hardened"] {
        if let Err(complaints) = resolve::<Stand>(&file, rules) {
            panic!("{complaints}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        if let Err(complaints) = plan(&text) {
            prop_assert!(!complaints.render(Style::Coloured).is_empty());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes.ron");
        std::fs::write(&path, bytes).unwrap();
        let read = ScenarioFile::read(&path).and_then(|file| resolve::<Stand>(&file, "Original"));
        prop_assert!(read.is_err());
    }

    /// A good file with pieces of itself and others put in its place is refused with places inside it, or is fine.
    #[test]
    fn no_mutated_file_makes_it_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,2}"), 1..6)
    ) {
        let whole = whole();
        let mut text: Vec<char> = whole.chars().collect();
        let source = text.clone();
        for (at, cut, from, copy, between) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            let from = from.index(source.len());
            let copied = &source[from..(from + copy).min(source.len())];
            let put: Vec<char> = copied.iter().copied().chain(between.chars()).collect();
            text.splice(at..end, put);
        }
        let text: String = text.into_iter().collect();
        match plan(&text) {
            Ok(plan) => prop_assert!(is_within_bounds(&plan), "{text}"),
            Err(complaints) => {
                prop_assert!(!complaints.list().is_empty());
                for complaint in complaints.list() {
                    let place = complaint.place.as_ref().map_or(0..0, |place| place.span.clone());
                    prop_assert!(text.get(place).is_some());
                }
                prop_assert!(!complaints.to_string().is_empty());
            }
        }
    }
}

/// Whether a plan is one that the engine can run: what it relies on without looking again.
fn is_within_bounds(plan: &Plan<Stand>) -> bool {
    let end = Time::ZERO + plan.limit;
    let hosts = plan.hosts.len();
    let on_time = plan.timeline.iter().all(|step| match &step.trigger {
        Trigger::At(at) => *at < end,
        Trigger::Every {
            first,
            interval,
            until,
        } => first < until && *until <= end && *interval >= SHORTEST_INTERVAL,
        Trigger::When { cue, by, nth, .. } => {
            let to: &[HostId] = if let Cue::Send(to) = cue { to } else { &[] };
            *nth >= 1 && by.iter().chain(to).all(|host| host.index() < hosts)
        }
    });
    let done = plan.timeline.iter().all(|step| {
        let actor = matches!(step.trigger, Trigger::When { .. });
        is_a_fault(&step.fault, hosts, actor)
    });
    let asked = plan.workload.iter().all(|work| {
        work.first < work.until
            && !work.of.is_empty()
            && work.of.iter().all(|host| host.index() < plan.hosts.len())
    });
    let placed = plan
        .hosts
        .iter()
        .zip(0..)
        .all(|(host, id)| host.placed.ip == address_of(HostId(id)) && is_a_rate(host.clock.drift_ppm));
    let zones = &plan.network.zones;
    let zoned = (zones.names.is_empty() || zones.of.len() == hosts)
        && zones
            .of
            .iter()
            .flatten()
            .all(|zone| (*zone as usize) < zones.names.len())
        && zones.laws.is_sorted_by(|(one, _), (next, _)| one < next)
        && plan.network.links.is_sorted_by(|(one, _), (next, _)| one < next);
    plan.network.laws().all(is_a_law)
        && is_a_latency(&plan.persist)
        && on_time
        && done
        && asked
        && placed
        && zoned
        && !plan.limit.is_zero()
}

fn is_a_ratio(ratio: f64) -> bool {
    (0.0..=1.0).contains(&ratio)
}

fn is_a_rate(ppm: i32) -> bool {
    (Clock::SLOWEST_PPM..=Clock::FASTEST_PPM).contains(&ppm)
}

fn is_a_latency(latency: &Latency) -> bool {
    match latency {
        Latency::Constant(_) | Latency::Normal { .. } => true,
        Latency::Uniform(low, high) => low <= high,
        Latency::LogNormal { median, sigma } => sigma.is_finite() && *sigma >= 0.0 && !median.is_zero(),
        Latency::Exponential { mean, .. } => !mean.is_zero(),
        Latency::Pareto { min, shape } => shape.is_finite() && *shape > 0.0 && !min.is_zero(),
        Latency::Empirical(samples) => !samples.is_empty() && samples.is_sorted(),
    }
}

fn is_a_law(law: &LinkLaw) -> bool {
    let ratios = [law.loss, law.duplicate, law.reorder, law.corrupt];
    ratios.into_iter().all(is_a_ratio)
        && is_a_latency(&law.latency)
        && law.bandwidth.is_none_or(|bits| bits > 0)
        && law.queue > HEADERS
        && law.mtu.is_none_or(|bytes| (29..=65_535).contains(&bytes))
}

fn is_a_fault(fault: &Fault, hosts: usize, actor: bool) -> bool {
    let there = |who: &[Target]| {
        !who.is_empty()
            && who.iter().all(|target| match target {
                Target::Host(host) => host.index() < hosts,
                Target::Actor => actor,
            })
    };
    let is_a_cut = |cut: &CutPlan| match cut {
        CutPlan::Partition(groups) => !groups.is_empty() && groups.iter().all(|group| there(group)),
        CutPlan::OneWay { from, to } => there(from) && there(to),
        CutPlan::Bridge { over, sides } => {
            there(over) && !sides.is_empty() && sides.iter().all(|side| there(side))
        }
        CutPlan::Ring { hosts, reach } => {
            there(hosts) && *reach >= 1 && hosts.len() as u64 >= 2 * u64::from(*reach) + 2
        }
    };
    match fault {
        Fault::Crash(_, who) | Fault::Restart { who, .. } | Fault::Pause(who) | Fault::Resume(who) => {
            there(who)
        }
        Fault::Jump { who, by } => there(who) && !by.is_zero(),
        Fault::HealAll => true,
        Fault::Lay(layer) | Fault::Heal(layer) => match layer {
            Layer::Cut(cut) => is_a_cut(cut),
            Layer::Flap { cut, down, up } => {
                is_a_cut(cut) && *down >= SHORTEST_INTERVAL && *up >= SHORTEST_INTERVAL
            }
            Layer::Links { from, to, change } => {
                there(from)
                    && there(to)
                    && *change != LinkChange::default()
                    && is_a_law(&change.over(&LinkLaw::delaying(Latency::Constant(Span::ZERO))))
            }
            Layer::Slow { who, by } | Layer::SlowDisk { who, by } => there(who) && !by.is_zero(),
            Layer::FailingDisk { who, share } => there(who) && *share > 0.0 && is_a_ratio(*share),
            Layer::Drift { who, ppm } => there(who) && *ppm != 0 && is_a_rate(*ppm),
        },
    }
}
