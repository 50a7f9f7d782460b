//! Random storms over hac: whatever is done to a cluster in its first ten seconds, the hardened rules keep their promises.
//!
//! A storm that breaks one is shrunk and left as a scenario file that can be read, run and committed; the failure says
//! where. That the hunt does find, shrink and leave what there is to be found is shown on the original rules.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use squall_nodes::hac::Hac;
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

/// A cluster in client-server mode, and one of peers.
const CLUSTERS: [&[(&str, &str)]; 2] = [
    &[
        ("s", "Server"),
        ("c1", "Client"),
        ("c2", "Client"),
        ("c3", "Client"),
        ("c4", "Client"),
    ],
    &[("p1", "Peer"), ("p2", "Peer"), ("p3", "Peer"), ("p4", "Peer")],
];

/// One thing that a storm does; hosts are by their place, sets of hosts by their bits.
#[derive(Clone, Debug)]
struct Gust {
    after_ms: u64,
    what: What,
    host: usize,
    set: u8,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Kill,
    PowerCut,
    Restart,
    Wipe,
    Pause,
    Resume,
    Partition,
    OneWay,
    HealAll,
}

#[derive(Clone, Debug)]
struct Storm {
    cluster: usize,
    seed: u64,
    loss_percent: u8,
    gusts: Vec<Gust>,
}

fn storms() -> impl Strategy<Value = Storm> {
    use What::{HealAll, Kill, OneWay, Partition, Pause, PowerCut, Restart, Resume, Wipe};
    let what = prop::sample::select(vec![
        Kill, PowerCut, Restart, Restart, Wipe, Pause, Resume, Resume, Partition, Partition, OneWay, HealAll,
        HealAll,
    ]);
    let gust = (1..1500u64, what, 0..5usize, 1..31u8).prop_map(|(after_ms, what, host, set)| Gust {
        after_ms,
        what,
        host,
        set,
    });
    (
        0..2usize,
        any::<u64>(),
        0..4u8,
        prop::collection::vec(gust, 1..14),
    )
        .prop_map(|(cluster, seed, loss_percent, gusts)| Storm {
            cluster,
            seed,
            loss_percent,
            gusts,
        })
}

/// What is true of the hosts while a storm is put into words, so that it does only what can be done.
struct Sky {
    up: Vec<bool>,
    paused: Vec<bool>,
    cuts: u32,
}

impl Storm {
    /// The storm as a scenario file.
    fn scenario(&self, rules: &str) -> String {
        let hosts = CLUSTERS[self.cluster];
        let mut text = format!(
            "// Found by a random storm: what it breaks under the {rules} rules, with nothing left to take away.\n"
        );
        let _ = write!(text, "Scenario(\n    protocol: \"hac\",\n    hosts: [\n");
        for (name, role) in hosts {
            let _ = writeln!(text, "        (name: \"{name}\", role: {role}),");
        }
        let _ = writeln!(
            text,
            "    ],\n    network: (latency: Uniform(\"1ms\", \"10ms\"), loss: 0.0{}),",
            self.loss_percent
        );
        let _ = writeln!(text, "    timeline: [");
        let mut sky = Sky {
            up: vec![true; hosts.len()],
            paused: vec![false; hosts.len()],
            cuts: 0,
        };
        let mut at_ms = 0;
        for gust in &self.gusts {
            at_ms += gust.after_ms;
            if let Some(fault) = sky.apply(gust, hosts) {
                let _ = writeln!(text, "        At(\"{at_ms}ms\", {fault}),");
            }
        }
        let _ = writeln!(
            text,
            "    ],\n    limit: \"{}ms\",\n    seed: {},\n)",
            at_ms + 15_000,
            self.seed
        );
        text
    }

    fn run(&self, rules: &'static str) -> Outcome {
        run(&self.scenario(rules), rules)
    }
}

fn run(text: &str, rules: &'static str) -> Outcome {
    let file = ScenarioFile::parse("storm.ron", text.to_owned()).unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    let prepared = registered::<Hac>()
        .prepare(&file, rules)
        .unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    prepared.worker().run(file.seed())
}

impl Sky {
    /// The fault in the words of a scenario; `None` when it can not be done now.
    fn apply(&mut self, gust: &Gust, hosts: &[(&str, &str)]) -> Option<String> {
        let host = gust.host % hosts.len();
        let name = hosts[host].0;
        let quoted = |of: bool| {
            let of = |i: &usize| (gust.set >> i & 1 == 1) == of;
            let names: Vec<String> = (0..hosts.len())
                .filter(of)
                .map(|i| format!("\"{}\"", hosts[i].0))
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        Some(match gust.what {
            What::Kill | What::PowerCut if self.up[host] => {
                self.up[host] = false;
                self.paused[host] = false;
                format!("{:?}(\"{name}\")", gust.what)
            }
            What::Restart | What::Wipe if !self.up[host] => {
                self.up[host] = true;
                format!("{:?}(\"{name}\")", gust.what)
            }
            What::Pause if self.up[host] && !self.paused[host] => {
                self.paused[host] = true;
                format!("Pause(\"{name}\")")
            }
            What::Resume if self.paused[host] => {
                self.paused[host] = false;
                format!("Resume(\"{name}\")")
            }
            What::Partition => {
                let groups = (quoted(true)?, quoted(false)?);
                self.cuts += 1;
                format!("Partition([[{}], [{}]])", groups.0, groups.1)
            }
            What::OneWay => {
                let (from, to) = (quoted(true)?, quoted(false)?);
                self.cuts += 1;
                format!("OneWay(from: [{from}], to: [{to}])")
            }
            What::HealAll if self.cuts > 0 => {
                self.cuts = 0;
                "HealAll".to_owned()
            }
            _ => return None,
        })
    }
}

/// Hunts for a storm that breaks a promise under a rule set; leaves the smallest as a file.
fn hunt(rules: &'static str, storms_to_try: u32, leave_at: &Path) -> Option<PathBuf> {
    let config = Config {
        cases: storms_to_try,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    // The same storms every time: a test that fails for one person fails for the next.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"squall storms over hac, set no 1");
    let mut runner = TestRunner::new_with_rng(config, rng);
    let found = runner.run(&storms(), |storm| {
        let outcome = storm.run(rules);
        match outcome.violation {
            Some(violation) => Err(TestCaseError::fail(violation.invariant)),
            None => Ok(()),
        }
    });
    match found {
        Ok(()) => None,
        Err(TestError::Fail(_, storm)) => {
            std::fs::write(leave_at, storm.scenario(rules))
                .expect("the smallest storm can be left as a file");
            Some(leave_at.to_owned())
        }
        Err(TestError::Abort(why)) => panic!("the hunt was given up: {why}"),
    }
}

fn leave_at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_hardened_rules_stand_every_storm() {
    let storms_to_try = std::env::var("SQUALL_STORMS").map_or(Ok(1_000), |text| text.parse());
    let storms_to_try = storms_to_try.expect("SQUALL_STORMS is a whole number");
    if let Some(file) = hunt("Hardened", storms_to_try, &leave_at("hac_hardened.ron")) {
        let text = std::fs::read_to_string(&file).expect("the file was just written");
        let outcome = run(&text, "Hardened");
        panic!(
            "a storm breaks {:?}:\n{text}\nsquall run {} --rules Hardened",
            outcome.violation,
            file.display()
        );
    }
}

#[test]
fn a_storm_that_breaks_the_original_rules_is_found_shrunk_and_left_as_a_file() {
    let file = hunt("Original", 200, &leave_at("hac_original.ron"))
        .expect("the original rules have flaws to be found");
    let text = std::fs::read_to_string(file).expect("the file was just written");
    assert_eq!(
        run(&text, "Original").verdict,
        Verdict::Violated,
        "the file shows what was found:\n{text}"
    );
    let faults = text
        .lines()
        .filter(|line| line.trim_start().starts_with("At("))
        .count();
    assert!(faults <= 4, "{faults} faults are left:\n{text}");
}
