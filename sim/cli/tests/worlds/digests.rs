//! Every scenario file runs as expected, and to the digest that is pinned for it: so the same file and seed give the same
//! run in this process and the one that pinned it, in debug and in release.
//!
//! `SQUALL_PROGRAM=target/release/squall` has a program run the files, those tagged `scale` as well, which are too many events for a
//! debug build; with `SQUALL_REPIN=1` besides they are pinned anew. A pin that changes has to be explained where the change is
//! recorded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use squall_nodes::counter::Counter;
use squall_nodes::echo::Echo;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_sim::registered;
use squall_sim::runner::Runner;
use squall_sim::scenario::ScenarioFile;

use crate::library;

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

/// The same, of every file, by a program's own account.
fn runs_of(program: &Path) -> Vec<(String, String)> {
    let output = Command::new(program)
        .current_dir(library::root())
        .args(["run", "scenarios", "--format", "json"])
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let stdout = String::from_utf8(output.stdout).expect("what is printed is UTF-8");
    let pin = |line: &str| {
        let run: Value = serde_json::from_str(line).expect("a line is a run in JSON");
        let text = |field: &str| {
            run[field]
                .as_str()
                .unwrap_or_else(|| panic!("{field}: {line}"))
                .to_owned()
        };
        let run = format!("{} {} {}", text("scenario"), text("rules"), run["seed"]);
        (run, text("digest"))
    };
    stdout.lines().map(pin).collect()
}

#[test]
fn every_file_runs_as_expected_and_to_its_pin() {
    // Relative to the root of the repository, as who types it there means it.
    let program = std::env::var_os("SQUALL_PROGRAM").map(|path| library::root().join(path));
    let runs = match &program {
        Some(program) => runs_of(program),
        None => {
            let files = library::files();
            let small = files.iter().filter(|file| !file.is_tagged("scale"));
            small.flat_map(runs).collect()
        }
    };
    if std::env::var_os("SQUALL_REPIN").is_some() {
        assert!(
            program.is_some(),
            "pin with SQUALL_PROGRAM, which runs every file"
        );
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
    let left: Vec<&&str> = pins
        .keys()
        .filter(|pinned| !runs.iter().any(|(run, _)| run == **pinned))
        .collect();
    if program.is_some() {
        assert!(left.is_empty(), "runs that are no more are pinned: {left:?}");
    }
}
