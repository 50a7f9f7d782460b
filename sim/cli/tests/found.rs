//! What random storms have found stays mended, and by what is said to mend it: without that change the file still breaks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use squall_nodes::hac::{Change, Hac};
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

/// A file, and what keeps its flaw away.
struct Find {
    file: &'static str,
    mend: Mend,
}

/// What a find was mended by.
enum Mend {
    /// A change of the rules; without it, the promise is broken.
    Change(Change, &'static str),
    /// No rule of a node could mend it: what is promised, when, or of what world was put right.
    Elsewhere(&'static str),
}

const FOUND: [Find; 6] = [
    Find {
        file: "found_forgotten_by_table.ron",
        mend: Mend::Change(Change::Introduce, "hac.one_server"),
    },
    Find {
        file: "found_epoch_opened_twice.ron",
        mend: Mend::Change(Change::Nonce, "hac.heard_grows"),
    },
    Find {
        file: "found_said_without_a_disk.ron",
        mend: Mend::Change(Change::StartOver, "hac.epoch_grows"),
    },
    Find {
        file: "found_nobody_in_common.ron",
        mend: Mend::Elsewhere(
            "nobody is left who could tell the two of each other, so nothing is promised of them",
        ),
    },
    Find {
        file: "found_straggler.ron",
        mend: Mend::Elsewhere("a group is not quiet before what a bad link has kept has come"),
    },
    Find {
        file: "found_told_too_late.ron",
        mend: Mend::Elsewhere(
            "what is said before a node knows that its write failed is dropped with the write",
        ),
    },
];

/// How many seeds each file is run with, beside its own.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 500 };

/// What comes of a file under `Hardened`: with its own seed, and with as many others.
fn run(text: String, others: u64) -> Vec<Outcome> {
    let file = ScenarioFile::parse("found.ron", text).expect("the file is a scenario");
    let prepared = registered::<Hac>().prepare(&file, "Hardened");
    let prepared = prepared.unwrap_or_else(|complaints| panic!("{complaints:?}"));
    let mut worker = prepared.worker();
    [file.seed()]
        .into_iter()
        .chain(0..others)
        .map(|seed| worker.run(seed))
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/hac")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the file is in the library")
}

#[test]
fn every_find_of_the_library_is_accounted_for_here_and_on_the_page_of_hac() {
    let files = std::fs::read_dir(folder()).expect("the folder can be read");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("the folder can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("found_"))
        .collect();
    let named = FOUND.iter().map(|find| find.file.to_owned());
    assert_eq!(files, named.collect());
    let page = folder().join("../../nodes/src/hac/mod.rs");
    let page = std::fs::read_to_string(page).expect("hac's page can be read");
    for Find { file, mend } in FOUND {
        let row = format!("//! | `{}` |", file.trim_end_matches(".ron"));
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{file} is not told of on the page of hac"));
        let named = match mend {
            Mend::Change(change, _) => format!("[`{change:?}`]"),
            Mend::Elsewhere(_) => "None is possible".to_owned(),
        };
        assert!(row.contains(&named), "{file}: {row}");
    }
}

#[test]
fn what_a_storm_found_is_mended() {
    for Find { file, mend } in FOUND {
        for outcome in run(text(file), SEEDS) {
            let why = match mend {
                Mend::Change(change, _) => format!("mended by {change:?}"),
                Mend::Elsewhere(why) => why.to_owned(),
            };
            let (seed, verdict, violation) = (outcome.seed, outcome.verdict, &outcome.violation);
            assert_eq!(
                verdict,
                Verdict::Held,
                "{file}, seed {seed} ({why}): {violation:?}"
            );
        }
    }
}

#[test]
fn without_its_change_what_a_storm_found_breaks_again() {
    for Find { file, mend } in FOUND {
        let Mend::Change(change, broken) = mend else {
            continue;
        };
        let (protocol, without) = (
            "    protocol: \"hac\",\n",
            format!("    config: (without: [{change:?}]),\n"),
        );
        let text = text(file).replace(protocol, &format!("{protocol}{without}"));
        for outcome in run(text, 0) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(violated.as_deref(), Some(broken), "{file} without {change:?}");
        }
    }
}
