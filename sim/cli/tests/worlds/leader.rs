//! What random storms have found in leader stays mended, and by the change that is said to mend it: without that, the file still breaks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use squall_nodes::leader::{Change, Leader};
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

/// Each file, the change that mends it, and the promise that is broken without.
const FOUND: [(&str, Change, &str); 1] = [("found_waits_to_be_told.ron", Change::Able, "leader.one_leader")];

/// How many seeds each file is run with, beside its own.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 300 };

/// What comes of a file under `Hardened`: with its own seed, and with as many others.
fn run(text: String, others: u64) -> Vec<Outcome> {
    let file = ScenarioFile::parse("found.ron", text).expect("the file is a scenario");
    let prepared = registered::<Leader>().prepare(&file, "Hardened");
    let prepared = prepared.unwrap_or_else(|complaints| panic!("{complaints:?}"));
    let mut worker = prepared.worker();
    let seeds = [file.seed()].into_iter().chain(0..others);
    seeds.map(|seed| worker.run(seed)).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/leader")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the file is in the library")
}

#[test]
fn every_find_of_the_library_is_accounted_for_here_and_on_the_page_of_leader() {
    let files = std::fs::read_dir(folder()).expect("the folder can be read");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("the folder can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("found_"))
        .collect();
    assert_eq!(files, FOUND.map(|(file, ..)| file.to_owned()).into());
    let page = folder().join("../../nodes/src/leader/mod.rs");
    let page = std::fs::read_to_string(page).expect("leader's page can be read");
    for (file, change, _) in FOUND {
        let row = format!("//! | `{}` |", file.trim_end_matches(".ron"));
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{file} is not told of on the page of leader"));
        assert!(row.contains(&format!("[`{change:?}`]")), "{file}: {row}");
    }
}

#[test]
fn what_a_storm_found_is_mended() {
    for (file, change, _) in FOUND {
        for outcome in run(text(file), SEEDS) {
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
        let protocol = "    protocol: \"leader\",\n";
        let without = format!("{protocol}    config: (without: [{change:?}]),\n");
        for outcome in run(text(file).replace(protocol, &without), 0) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(violated.as_deref(), Some(broken), "{file} without its mend");
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
