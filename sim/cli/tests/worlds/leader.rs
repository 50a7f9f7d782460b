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
    let refused = complaints("").expect("eleven connections to each of 199 others do not fit into 1 024");
    assert!(
        refused.contains("11 connections to each of 199 others"),
        "{refused}"
    );
    assert_eq!(complaints(", streams: (connections: 3000)"), None);
}
