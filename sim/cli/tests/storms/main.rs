//! Random storms over hac: whatever is done to a cluster in its first ten seconds, the hardened rules keep their promises.
//!
//! A storm that breaks one is shrunk and left as a scenario file that can be read, run and committed; the failure says
//! where. That the hunt does find, shrink and leave what there is to be found is shown on the original rules.
//!
//! There are two families of storms: [`plain`] ones and [`full`] ones. `SQUALL_STORMS` says how many storms of each are tried,
//! `SQUALL_STORMS_SET`, from 0 to 255, which.

mod full;
mod plain;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use squall_nodes::Protocol;
use squall_nodes::hac::Hac;
use squall_sim::plan::Fault;
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

use full::gales;
use plain::storms;

/// A storm that can be put into words.
trait Weather: std::fmt::Debug {
    /// The storm as a scenario file.
    fn scenario(&self) -> String;
}

/// Clusters in client-server mode, and one of peers.
const CLUSTERS: [&[(&str, &str)]; 4] = [
    &[
        ("s", "Server"),
        ("c1", "Client"),
        ("c2", "Client"),
        ("c3", "Client"),
        ("c4", "Client"),
    ],
    &[("s", "Server"), ("c1", "Client"), ("c2", "Client")],
    &[
        ("s", "Server"),
        ("c1", "Client"),
        ("c2", "Client"),
        ("c3", "Client"),
        ("c4", "Client"),
        ("c5", "Client"),
        ("c6", "Client"),
    ],
    &[("p1", "Peer"), ("p2", "Peer"), ("p3", "Peer"), ("p4", "Peer")],
];

fn run(text: &str, rules: &'static str) -> Outcome {
    let file = ScenarioFile::parse("storm.ron", text.to_owned()).unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    let prepared = registered::<Hac>()
        .prepare(&file, rules)
        .unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    prepared.worker().run(file.seed())
}

/// A family of storms, and where its sets of them begin.
struct Family<S> {
    storms: S,
    sets: [u8; 32],
}

/// The first family.
fn plain_storms() -> Family<impl Strategy<Value = impl Weather>> {
    Family {
        storms: storms(),
        sets: *b"squall storms over hac, set no 1",
    }
}

/// The second.
fn full_storms() -> Family<impl Strategy<Value = impl Weather>> {
    Family {
        storms: gales(),
        sets: *b"squall gales, all faults: set  1",
    }
}

impl<S: Strategy<Value: Weather>> Family<S> {
    /// Hunts for a storm that breaks a promise under a rule set; leaves the smallest as a file. `look` sees what comes of each.
    fn hunt(
        &self,
        rules: &'static str,
        storms_to_try: u32,
        leave_at: &Path,
        look: impl Fn(&Outcome),
    ) -> Option<PathBuf> {
        let config = Config {
            cases: storms_to_try,
            failure_persistence: None,
            max_shrink_iters: 2000,
            ..Config::default()
        };
        // The same storms every time: a test that fails for one person fails for the next.
        let mut set = self.sets;
        set[31] = set[31].wrapping_add(number("SQUALL_STORMS_SET").unwrap_or(0));
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &set);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let found = runner.run(&self.storms, |storm| {
            let outcome = run(&storm.scenario(), rules);
            look(&outcome);
            match outcome.violation {
                Some(violation) => Err(TestCaseError::fail(violation.invariant)),
                None => Ok(()),
            }
        });
        match found {
            Ok(()) => None,
            Err(TestError::Fail(_, storm)) => {
                let text = storm.scenario();
                let broken = run(&text, rules).violation.map_or_else(String::new, |violation| {
                    format!(
                        "{} at {}: {}",
                        violation.invariant, violation.at, violation.detail
                    )
                });
                let story = format!(
                    "// A random storm with nothing left to take away. Under {rules} it breaks {broken}.\n"
                );
                std::fs::write(leave_at, story + &text).expect("the smallest storm can be left as a file");
                Some(leave_at.to_owned())
            }
            Err(TestError::Abort(why)) => panic!("the hunt was given up: {why}"),
        }
    }

    /// Fails with the smallest storm that breaks a promise of the hardened rules.
    fn assert_hardened_stands(&self, leave_at: &Path, look: impl Fn(&Outcome)) {
        let storms_to_try = number("SQUALL_STORMS").unwrap_or(1_000);
        if let Some(file) = self.hunt("Hardened", storms_to_try, leave_at, look) {
            let text = std::fs::read_to_string(&file).expect("the file was just written");
            let outcome = run(&text, "Hardened");
            panic!(
                "a storm breaks {:?}:\n{text}\nsquall run {} --rules Hardened",
                outcome.violation,
                file.display()
            );
        }
    }
}

/// What the environment says, for who wants to hunt for longer or elsewhere.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    let Ok(number) = text.parse() else {
        panic!("{variable} is a whole number, not {text}");
    };
    Some(number)
}

fn leave_at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_hardened_rules_stand_every_storm() {
    plain_storms().assert_hardened_stands(&leave_at("hac_hardened.ron"), |_| ());
}

#[test]
fn the_hardened_rules_stand_every_storm_of_all_faults() {
    let touched = RefCell::new(BTreeMap::<String, u64>::new());
    let judged = RefCell::new(BTreeMap::<String, u64>::new());
    full_storms().assert_hardened_stands(&leave_at("hac_hardened_full.ron"), |outcome| {
        for fault in &outcome.faults {
            let kind = fault.fault.split('(').next().unwrap_or_default();
            *touched.borrow_mut().entry(kind.to_owned()).or_default() += fault.affected;
        }
        for invariant in outcome.invariants.iter().filter(|done| done.judged > 0) {
            *judged.borrow_mut().entry(invariant.name.clone()).or_default() += 1;
        }
    });
    // A hunt in which a fault never touches anything, or a promise is never judged, finds nothing of either.
    let (touched, judged) = (touched.into_inner(), judged.into_inner());
    println!("what was touched: {touched:?}\nin how many storms what was judged: {judged:?}");
    for kind in Fault::KINDS {
        assert!(
            touched.get(*kind).is_some_and(|count| *count > 0),
            "{kind} touched nothing: {touched:?}"
        );
    }
    for promise in Hac::invariants() {
        let name = format!("hac.{}", promise.name());
        assert!(judged.contains_key(&name), "{name} was never judged: {judged:?}");
    }
}

#[test]
fn a_storm_that_breaks_the_original_rules_is_found_shrunk_and_left_as_a_file() {
    fn is_found<S: Strategy<Value: Weather>>(family: &Family<S>, leave_at: &Path) {
        let file = family
            .hunt("Original", 200, leave_at, |_| ())
            .expect("the original rules have flaws to be found");
        let text = std::fs::read_to_string(file).expect("the file was just written");
        assert_eq!(
            run(&text, "Original").verdict,
            Verdict::Violated,
            "the file shows what was found:\n{text}"
        );
        let is_fault = |line: &&str| line.trim_start().starts_with("At(");
        let faults = text.lines().filter(is_fault).count();
        assert!(faults <= 4, "{faults} faults are left:\n{text}");
    }
    is_found(&plain_storms(), &leave_at("hac_original.ron"));
    is_found(&full_storms(), &leave_at("hac_original_full.ron"));
}
