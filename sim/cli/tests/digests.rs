//! Every scenario file runs as expected, and to the digest that is pinned for it: so the same file and seed give the same
//! run in this process and the one that pinned it, in debug and in release.
//!
//! `SQUALL_REPIN=1 cargo test --release -p squall --test digests` pins them anew. A pin that changes has to be explained where
//! the change is recorded. Files tagged `scale` are run in release only.

mod library;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use squall_nodes::counter::Counter;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_sim::registered;
use squall_sim::runner::Runner;
use squall_sim::scenario::ScenarioFile;

/// The pins: a line a run, `path rules seed digest`.
fn pins_path() -> PathBuf {
    library::root().join("scenarios/digests.txt")
}

fn runners() -> Vec<Box<dyn Runner>> {
    vec![
        registered::<Counter>(),
        registered::<Echo>(),
        registered::<Hac>(),
        registered::<Leader>(),
        registered::<Refinery>(),
    ]
}

/// The pin of each run of a file; panics when one is not as the file expects.
fn runs(file: &ScenarioFile) -> Vec<(String, String)> {
    let runners = runners();
    let runner = runners.iter().find(|runner| runner.name() == file.protocol());
    let runner = runner.unwrap_or_else(|| panic!("{} names no protocol", file.name()));
    let run = |rules: &&'static str| {
        let prepared = runner
            .prepare(file, rules)
            .unwrap_or_else(|complaints| panic!("{}: {complaints:?}", file.name()));
        let outcome = prepared.worker().run(file.seed());
        assert!(
            outcome.as_expected,
            "{} under {rules} is {}, not {:?}: {:?} {:?}",
            file.name(),
            outcome.verdict,
            outcome.expect,
            outcome.violation,
            outcome.doubts
        );
        (
            format!("{} {rules} {}", file.name(), file.seed()),
            outcome.digest.to_string(),
        )
    };
    runner.rules().iter().map(run).collect()
}

#[test]
fn every_file_runs_as_expected_and_to_its_pin() {
    let in_release = !cfg!(debug_assertions);
    let files = library::files();
    let runs: Vec<(String, String)> = files
        .iter()
        .filter(|file| in_release || !file.is_tagged("scale"))
        .flat_map(runs)
        .collect();
    if std::env::var_os("SQUALL_REPIN").is_some() {
        assert!(in_release, "pin in release, where every file is run");
        let mut text = String::new();
        for (run, digest) in &runs {
            writeln!(text, "{run} {digest}").expect("a string takes all");
        }
        std::fs::write(pins_path(), text).expect("the pins can be written");
        return;
    }
    let text = std::fs::read_to_string(pins_path()).expect("scenarios/digests.txt can be read");
    let pins: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let off: Vec<String> = runs
        .iter()
        .filter(|(run, digest)| pins.get(run.as_str()) != Some(&digest.as_str()))
        .map(|(run, digest)| format!("{run}: {digest}, pinned is {:?}", pins.get(run.as_str())))
        .collect();
    assert!(off.is_empty(), "runs differ from their pins:\n{}", off.join("\n"));
    if in_release {
        assert_eq!(
            pins.len(),
            runs.len(),
            "scenarios/digests.txt pins runs that are no more"
        );
    }
}
