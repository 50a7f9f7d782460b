//! Each file tagged `flaw` is held to account: its flaw needs the faults that it writes, all of them, and nothing else. Files
//! tagged `scale` are in release only, and with fewer seeds.

mod library;

use std::sync::atomic::AtomicBool;

use squall_nodes::hac::Hac;
use squall_sim::plan::{Expect, Plan};
use squall_sim::prepare;
use squall_sim::scenario::{Flaw, ScenarioFile, resolve};
use squall_sim::sweep::{Share, SweepOptions, sweep};

const SEEDS: u64 = 20;
const SEEDS_OF_SCALE: u64 = 3;

/// The plan of a file under a rule set.
fn plan(file: &ScenarioFile, rules: &'static str) -> Plan<Hac> {
    resolve::<Hac>(file, rules).unwrap_or_else(|complaints| panic!("{}: {complaints:?}", file.name()))
}

/// Which invariants are violated by a plan of the file over some seeds.
fn violated(file: &ScenarioFile, plan: Plan<Hac>) -> Vec<String> {
    let seeds = if file.is_tagged("scale") {
        SEEDS_OF_SCALE
    } else {
        SEEDS
    };
    let options = SweepOptions {
        jobs: 2,
        stop: &AtomicBool::new(false),
        recheck: Share::NONE,
        progress: &|_| {},
    };
    let outcome = sweep(&prepare(plan, 0), 0..seeds, &options).expect("nothing is rechecked");
    let failures = outcome.failures.into_iter().map(|failures| failures.signature);
    failures
        .filter(|signature| !signature.starts_with("inconclusive"))
        .collect()
}

/// The rule sets under which the file expects a violation, with the names that it expects.
fn expected(file: &ScenarioFile) -> Vec<(&'static str, Vec<String>)> {
    let expect = |rules: &&'static str| match plan(file, rules).expect {
        Expect::Violated(names) => Some((*rules, names)),
        Expect::Held => None,
    };
    <Hac as squall_nodes::Protocol>::RULES
        .iter()
        .filter_map(expect)
        .collect()
}

fn flaws() -> Vec<ScenarioFile> {
    let in_release = !cfg!(debug_assertions);
    let is_flaw = |file: &ScenarioFile| file.protocol() == "hac" && (in_release || !file.is_tagged("scale"));
    let files: Vec<_> = library::files()
        .into_iter()
        .filter(|file| is_flaw(file) && !expected(file).is_empty())
        .collect();
    assert!(!files.is_empty(), "no file shows a flaw");
    files
}

#[test]
fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw() {
    for file in flaws() {
        assert!(
            file.is_tagged("flaw"),
            "{} expects a violation and is not tagged `flaw`",
            file.name()
        );
    }
}

#[test]
fn without_its_timeline_a_flaw_does_not_show() {
    for file in flaws() {
        for (rules, _) in expected(&file) {
            let mut calm = plan(&file, rules);
            calm.timeline.clear();
            let violated = violated(&file, calm);
            match file.flaw() {
                Flaw::NeedsFaults => assert!(violated.is_empty(), "{} {rules}: {violated:?}", file.name()),
                Flaw::NeedsNoFault => assert!(!violated.is_empty(), "{} {rules} needs a fault", file.name()),
            }
        }
    }
}

#[test]
fn each_fault_is_needed_or_is_marked_as_scenery() {
    for file in flaws() {
        for (rules, names) in expected(&file) {
            for step in 0..plan(&file, rules).timeline.len() {
                let mut without = plan(&file, rules);
                let label = without.timeline.remove(step).label;
                let shows = violated(&file, without).iter().any(|name| names.contains(name));
                let is_scenery = file.scenery().contains(&step) || file.flaw() == Flaw::NeedsNoFault;
                assert_eq!(
                    shows,
                    is_scenery,
                    "{} {rules}: without entry {step}, {label}, the flaw {}; `scenery` says otherwise",
                    file.name(),
                    if shows { "still shows" } else { "does not show" }
                );
            }
        }
    }
}
