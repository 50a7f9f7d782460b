//! Random storms: whatever is done to a cluster in its first ten seconds, the hardened rules keep their promises.
//!
//! A storm that breaks one is shrunk and left as a scenario file that can be read, run and committed; the failure says
//! where. That the hunt does find, shrink and leave what there is to be found is shown on the original rules.
//!
//! There are two families of storms, [`plain`] ones and [`full`] ones, over each of the protocols: [`hac`], [`leader`], [`refinery`]; and plain ones whose disks
//! keep what was written over [`counter`].
//! `SQUALL_STORMS` says how many storms of each are tried,
//! `SQUALL_STORMS_SET`, from 0 to 255, which.

mod counter;
mod full;
mod hac;
mod leader;
mod plain;
mod refinery;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use squall_nodes::Protocol;
use squall_sim::plan::Fault;
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

/// A storm that can be put into words.
trait Weather: std::fmt::Debug {
    /// The storm as a scenario file.
    fn scenario(&self) -> String;
}

/// Who a storm is over.
struct Cluster {
    protocol: &'static str,
    /// Names and roles.
    hosts: &'static [(&'static str, &'static str)],
    speaks: Speaks,
    /// What people ask of it until the end of its storm and some time after, as entries of a workload; none when it is empty.
    workload: &'static [&'static str],
    /// For how long it is left alone after a storm, so that every promise of quiet is judged.
    calm_ms: u64,
}

/// What the nodes of a cluster speak in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// Datagrams, whose length is a setting.
    Datagrams,
    Streams,
}

impl Cluster {
    /// What stands behind the timeline of a storm that ends at a time.
    fn end(&self, at_ms: u64, seed: u64, text: &mut String) {
        if !self.workload.is_empty() {
            *text += "    workload: [\n";
            for entry in self.workload {
                let until = at_ms + self.calm_ms / 2;
                let _ = writeln!(
                    text,
                    "        Every(from: \"500ms\", until: \"{until}ms\", {entry}),"
                );
            }
            *text += "    ],\n";
        }
        let limit = at_ms + self.calm_ms;
        let _ = writeln!(text, "    limit: \"{limit}ms\",\n    seed: {seed},\n)");
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A storm is shown as a scenario; this is for who looks at its parts.
        write!(f, "{} hosts of {}", self.hosts.len(), self.protocol)
    }
}

fn run<P: Protocol>(text: &str, rules: &'static str) -> Outcome {
    let file = ScenarioFile::parse("storm.ron", text.to_owned()).unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    let prepared = registered::<P>()
        .prepare(&file, rules)
        .unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    prepared.worker().run(file.seed())
}

/// A family of storms over a protocol, and where its sets of them begin.
struct Family<P, S> {
    storms: S,
    sets: [u8; 32],
    /// How many are tried where the environment does not say.
    usually: u32,
    over: PhantomData<fn() -> P>,
}

impl<P: Protocol, S: Strategy<Value: Weather>> Family<P, S> {
    fn new(storms: S, sets: [u8; 32], usually: u32) -> Self {
        Family {
            storms,
            sets,
            usually,
            over: PhantomData,
        }
    }

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
            let outcome = run::<P>(&storm.scenario(), rules);
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
                let broken = run::<P>(&text, rules)
                    .violation
                    .map_or_else(String::new, |violation| {
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
        let storms_to_try = number("SQUALL_STORMS").unwrap_or(self.usually);
        let rules = hardened::<P>();
        if let Some(file) = self.hunt(rules, storms_to_try, leave_at, look) {
            let text = std::fs::read_to_string(&file).expect("the file was just written");
            let outcome = run::<P>(&text, rules);
            panic!(
                "a storm breaks {:?}:\n{text}\nsquall run {} --rules {rules}",
                outcome.violation,
                file.display()
            );
        }
    }
}

/// The rules with the fewest flaws, which a protocol names last.
fn hardened<P: Protocol>() -> &'static str {
    P::RULES.last().expect("a protocol has rules")
}

/// Those with the most, which it names first.
fn original<P: Protocol>() -> &'static str {
    P::RULES.first().expect("a protocol has rules")
}

/// Fails with the smallest storm of all faults that breaks a promise of the hardened rules, or if a fault never touches anything or a
/// promise is never judged: such a hunt finds nothing of either.
fn assert_all_is_stood<P: Protocol, S: Strategy<Value: Weather>>(family: &Family<P, S>, leave_at: &Path) {
    let touched = RefCell::new(BTreeMap::<String, u64>::new());
    let judged = RefCell::new(BTreeMap::<String, u64>::new());
    family.assert_hardened_stands(leave_at, |outcome| {
        for fault in &outcome.faults {
            let kind = fault.fault.split('(').next().unwrap_or_default();
            *touched.borrow_mut().entry(kind.to_owned()).or_default() += fault.affected;
        }
        for invariant in outcome.invariants.iter().filter(|done| done.judged > 0) {
            *judged.borrow_mut().entry(invariant.name.clone()).or_default() += 1;
        }
    });
    let (touched, judged) = (touched.into_inner(), judged.into_inner());
    println!("what was touched: {touched:?}\nin how many storms what was judged: {judged:?}");
    for kind in Fault::KINDS {
        assert!(
            touched.get(*kind).is_some_and(|count| *count > 0),
            "{kind} touched nothing: {touched:?}"
        );
    }
    for promise in P::invariants() {
        let name = format!("{}.{}", P::NAME, promise.name());
        assert!(judged.contains_key(&name), "{name} was never judged: {judged:?}");
    }
}

/// Fails unless a storm that breaks the original rules is found, shrunk and left as a file that shows it.
fn assert_is_found<P: Protocol, S: Strategy<Value: Weather>>(family: &Family<P, S>, leave_at: &Path) {
    let rules = original::<P>();
    let file = family
        .hunt(rules, 200, leave_at, |_| ())
        .expect("the original rules have flaws to be found");
    let text = std::fs::read_to_string(file).expect("the file was just written");
    assert_eq!(
        run::<P>(&text, rules).verdict,
        Verdict::Violated,
        "the file shows what was found:\n{text}"
    );
    let is_fault = |line: &&str| line.trim_start().starts_with("At(");
    let faults = text.lines().filter(is_fault).count();
    assert!(faults <= 4, "{faults} faults are left:\n{text}");
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
