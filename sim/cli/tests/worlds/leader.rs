//! What random storms have found in leader stays mended, and by the change that is said to mend it: without that, the file still breaks. So
//! does one that shows what a change is for.

use squall_nodes::leader::{Change, Leader};
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Verdict, registered};

use crate::finds;

/// Each file, the change that mends it, and the promise that is broken without.
const FOUND: [(&str, Change, &str); 1] = [("found_waits_to_be_told.ron", Change::Able, "leader.one_leader")];

/// Files of the library whose flaw is that of one change: with the promise that is broken first without it. Nodes that have forgotten who
/// there is have forgotten the terms as well, which `Original` does not have.
const SHOWN: [(&str, Change, &str); 1] = [("lights_out.ron", Change::WriteDown, "leader.terms_grow")];

#[test]
fn every_find_of_the_library_is_accounted_for_here_and_on_the_page_of_leader() {
    finds::assert_accounted_for::<Leader>(FOUND.map(|(file, change, _)| (file, format!("[`{change:?}`]"))));
}

#[test]
fn what_a_storm_found_is_mended() {
    for (file, change, _) in FOUND {
        for outcome in finds::run::<Leader>(finds::text::<Leader>(file), finds::SEEDS) {
            let (seed, verdict, violation) = (outcome.seed, outcome.verdict, &outcome.violation);
            assert_eq!(
                verdict,
                Verdict::Held,
                "{file}, seed {seed} (mended by {change:?}): {violation:?}"
            );
        }
    }
}

#[test]
fn without_its_mend_what_a_storm_found_breaks_again() {
    for (file, change, broken) in FOUND {
        for outcome in finds::run::<Leader>(finds::without::<Leader>(file, change), 0) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(violated.as_deref(), Some(broken), "{file} without its mend");
        }
    }
}

#[test]
fn what_a_file_shows_of_a_change_breaks_without_it() {
    for (file, change, promise) in SHOWN {
        for outcome in finds::run::<Leader>(finds::without::<Leader>(file, change), 5) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(
                violated.as_deref(),
                Some(promise),
                "{file}, seed {}",
                outcome.seed
            );
        }
    }
}

#[test]
fn a_file_whose_hosts_may_not_have_the_connections_that_it_takes_is_refused() {
    let complaints = |streams: &str| {
        let text = format!(
            r#"Scenario(
    protocol: "leader",
    hosts: [(name: "p1..p199", role: Peer), (name: "s", role: Starter)],
    network: (latency: Constant("2ms"){streams}),
)"#
        );
        let file = ScenarioFile::parse("many.ron", text).expect("the file is a scenario");
        let prepared = registered::<Leader>().prepare(&file, "Hardened");
        prepared.err().map(|complaints| format!("{complaints:?}"))
    };
    let refused = complaints("").expect("twenty connections to each of 199 others do not fit into 1 024");
    assert!(
        refused.contains("20 connections to each of 199 others"),
        "{refused}"
    );
    assert_eq!(complaints(", streams: (connections: 3980)"), None);
}

#[test]
fn of_the_largest_group_that_fits_a_host_that_reaches_nobody_has_room_for_all_that_its_node_dials() {
    let run = |connections: u32, connect_timeout: &str, without: &str| {
        let text = format!(
            r#"Scenario(
    protocol: "leader",
    config: (without: [{without}]),
    hosts: [(name: "p1..p12", role: Peer), (name: "s", role: Starter)],
    network: (latency: Constant("2ms"), streams: (connections: {connections}, connect_timeout: "{connect_timeout}")),
    tolerated: (loss: 0.0, latency: "10ms"),
    timeline: [
        At("3s", Partition([["s"]])),
        At("12s", Pause("p12")), At("12s", Pause("p11")), At("12s", Pause("p10")), At("12s", Pause("p9")),
        At("20s", PowerCut("p10")), At("20s", PowerCut("p9")),
        At("35s", Resume("p12")), At("35s", Resume("p11")),
    ],
    workload: [
        Every(interval: "40ms", from: "1s", until: "40s", of: "*", command: Calc("1+2")),
        Every(interval: "200ms", from: "1s", until: "40s", of: "*", command: Chat("hello")),
    ],
    limit: "65s",
    invariants: [one_leader()],
)"#
        );
        let file = ScenarioFile::parse("largest.ron", text).expect("the file is a scenario");
        let prepared = registered::<Leader>().prepare(&file, "Hardened");
        prepared
            .map(|prepared| prepared.worker().run(0))
            .map_err(|complaints| format!("{complaints:?}"))
    };
    // Twelve others, and to each of them twenty connections.
    assert!(run(239, "10s", "").is_err());
    for connect_timeout in ["3s", "10s", "60s"] {
        let outcome = run(240, connect_timeout, "").expect("it fits");
        assert_eq!(outcome.traffic.streams.refused, 0, "dials for {connect_timeout}");
        assert_eq!(outcome.verdict, Verdict::Held, "{:?}", outcome.violation);
    }
    let outcome = run(240, "10s", "BackOff").expect("it fits");
    assert!(outcome.traffic.streams.refused > 1_000);
}
