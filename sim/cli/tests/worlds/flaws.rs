//! Each file tagged `flaw` is held to account: its flaw needs the faults that it writes, all of them, and nothing else. Files
//! tagged `scale` are in release only, and with fewer seeds.

use std::sync::atomic::AtomicBool;

use squall_nodes::Protocol;
use squall_nodes::counter::Counter;
use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_sim::plan::{Expect, Plan};
use squall_sim::prepare;
use squall_sim::scenario::{Flaw, ScenarioFile, resolve};
use squall_sim::sweep::{Share, SweepOptions, sweep};

use crate::library;

const SEEDS: u64 = 20;
const SEEDS_OF_SCALE: u64 = 3;

/// The plan of a file under a rule set.
fn plan<P: Protocol>(file: &ScenarioFile, rules: &'static str) -> Plan<P> {
    resolve::<P>(file, rules).unwrap_or_else(|complaints| panic!("{}: {complaints:?}", file.name()))
}

/// Which invariants are violated by a plan of the file over some seeds.
fn violated<P: Protocol>(file: &ScenarioFile, plan: Plan<P>) -> Vec<String> {
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
fn expected<P: Protocol>(file: &ScenarioFile) -> Vec<(&'static str, Vec<String>)> {
    let expect = |rules: &&'static str| match plan::<P>(file, rules).expect {
        Expect::Violated(names) => Some((*rules, names)),
        Expect::Held => None,
    };
    P::RULES.iter().filter_map(expect).collect()
}

fn flaws<P: Protocol>() -> Vec<ScenarioFile> {
    let in_release = !cfg!(debug_assertions);
    let is_flaw =
        |file: &ScenarioFile| file.protocol() == P::NAME && (in_release || !file.is_tagged("scale"));
    let files: Vec<_> = library::files()
        .into_iter()
        .filter(|file| is_flaw(file) && !expected::<P>(file).is_empty())
        .collect();
    assert!(!files.is_empty(), "no file shows a flaw");
    files
}

mod counter {
    use super::Counter;

    #[test]
    fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw() {
        super::every_file_that_expects_a_violation_says_that_it_shows_a_flaw::<Counter>();
    }

    #[test]
    fn without_its_timeline_a_flaw_does_not_show() {
        super::without_its_timeline_a_flaw_does_not_show::<Counter>();
    }

    #[test]
    fn each_fault_is_needed_or_is_marked_as_scenery() {
        super::each_fault_is_needed_or_is_marked_as_scenery::<Counter>();
    }
}

mod hac {
    use super::Hac;

    #[test]
    fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw() {
        super::every_file_that_expects_a_violation_says_that_it_shows_a_flaw::<Hac>();
    }

    #[test]
    fn without_its_timeline_a_flaw_does_not_show() {
        super::without_its_timeline_a_flaw_does_not_show::<Hac>();
    }

    #[test]
    fn each_fault_is_needed_or_is_marked_as_scenery() {
        super::each_fault_is_needed_or_is_marked_as_scenery::<Hac>();
    }
}

mod leader {
    use super::Leader;

    #[test]
    fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw() {
        super::every_file_that_expects_a_violation_says_that_it_shows_a_flaw::<Leader>();
    }

    #[test]
    fn without_its_timeline_a_flaw_does_not_show() {
        super::without_its_timeline_a_flaw_does_not_show::<Leader>();
    }

    #[test]
    fn each_fault_is_needed_or_is_marked_as_scenery() {
        super::each_fault_is_needed_or_is_marked_as_scenery::<Leader>();
    }
}

mod refinery {
    use super::Refinery;

    #[test]
    fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw() {
        super::every_file_that_expects_a_violation_says_that_it_shows_a_flaw::<Refinery>();
    }

    #[test]
    fn without_its_timeline_a_flaw_does_not_show() {
        super::without_its_timeline_a_flaw_does_not_show::<Refinery>();
    }

    #[test]
    fn each_fault_is_needed_or_is_marked_as_scenery() {
        super::each_fault_is_needed_or_is_marked_as_scenery::<Refinery>();
    }
}

fn every_file_that_expects_a_violation_says_that_it_shows_a_flaw<P: Protocol>() {
    for file in flaws::<P>() {
        assert!(
            file.is_tagged("flaw"),
            "{} expects a violation and is not tagged `flaw`",
            file.name()
        );
    }
}

fn without_its_timeline_a_flaw_does_not_show<P: Protocol>() {
    for file in flaws::<P>() {
        for (rules, _) in expected::<P>(&file) {
            let mut calm = plan::<P>(&file, rules);
            calm.timeline.clear();
            let violated = violated(&file, calm);
            match file.flaw() {
                Flaw::NeedsFaults => assert!(violated.is_empty(), "{} {rules}: {violated:?}", file.name()),
                Flaw::NeedsNoFault => assert!(!violated.is_empty(), "{} {rules} needs a fault", file.name()),
            }
        }
    }
}

fn each_fault_is_needed_or_is_marked_as_scenery<P: Protocol>() {
    for file in flaws::<P>() {
        for (rules, names) in expected::<P>(&file) {
            for step in 0..plan::<P>(&file, rules).timeline.len() {
                let mut without = plan::<P>(&file, rules);
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
