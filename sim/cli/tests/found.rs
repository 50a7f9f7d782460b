//! What random storms have found stays mended, and by what is said to mend it: without that change the file still breaks.

use std::path::Path;

use squall_nodes::hac::{Change, Hac};
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

/// Each file with the change that mends what it shows, and the promise that is broken without it.
const FOUND: [(&str, Change, &str); 3] = [
    (
        "found_forgotten_by_table.ron",
        Change::Introduce,
        "hac.one_server",
    ),
    ("found_epoch_opened_twice.ron", Change::Nonce, "hac.heard_grows"),
    (
        "found_said_without_a_disk.ron",
        Change::StartOver,
        "hac.epoch_grows",
    ),
];

fn run(text: String, rules: &'static str) -> Outcome {
    let file = ScenarioFile::parse("found.ron", text).expect("the file is a scenario");
    let prepared = registered::<Hac>().prepare(&file, rules);
    let prepared = prepared.unwrap_or_else(|complaints| panic!("{complaints:?}"));
    prepared.worker().run(file.seed())
}

fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/hac");
    std::fs::read_to_string(folder.join(name)).expect("the file is in the library")
}

#[test]
fn what_a_storm_found_is_mended() {
    for (name, _, _) in FOUND {
        assert_eq!(run(text(name), "Hardened").verdict, Verdict::Held, "{name}");
    }
}

#[test]
fn without_its_change_what_a_storm_found_breaks_again() {
    for (name, change, broken) in FOUND {
        let (protocol, without) = (
            "    protocol: \"hac\",\n",
            format!("    config: (without: [{change:?}]),\n"),
        );
        let outcome = run(
            text(name).replace(protocol, &format!("{protocol}{without}")),
            "Hardened",
        );
        let violated = outcome.violation.map(|violation| violation.invariant);
        assert_eq!(violated.as_deref(), Some(broken), "{name} without {change:?}");
    }
}
