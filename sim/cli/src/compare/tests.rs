//! The command against a stage on which runs are simulated ones of other seeds: what it gathers, writes, says, and comes to.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser as _;
use squall_nodes::Span;
use squall_nodes::hac::Hac;
use squall_sim::live::{LiveRun, Stalls};
use squall_sim::machine::Boots;
use squall_sim::registered;
use squall_sim::scenario::Complaints;
use squall_stage::Why;

use super::*;
use crate::args::{Command, Typed};
use crate::session::{Colours, Reader, Surroundings};

const SCENARIO: &str = r#"
// The server dies.
Scenario(
    protocol: "hac",
    profile: "brisk",
    hosts: [(name: "s", role: Server), (name: "c1..c3", role: Client)],
    network: (latency: Uniform("1ms", "9ms")),
    timeline: [At("1s", Kill("s"))],
    limit: "5s",
    measures: [Latency(name: "failover", from: Fault(Kill), to: Fact("rejoined"))],
)
"#;

/// A stage on which every run is a simulated one that the same program would not see.
struct Twin {
    runner: Box<dyn Runner>,
    /// How much later live is.
    later: Span,
    /// Which runs cannot be played.
    fails: fn(u64) -> bool,
    /// In which runs a host panics.
    panics: fn(u64) -> bool,
    cannot: Vec<String>,
    /// Why there are no namespaces.
    no_namespaces: Vec<String>,
    /// Whether hosts boot when that is measured.
    boot: Boot,
}

/// What becomes of hosts that are booted.
#[derive(PartialEq)]
enum Boot {
    Ready,
    /// One of them does not boot, and something of it stays.
    Refused,
    /// One of them panics.
    Panics,
}

fn panicked() -> StageError {
    StageError::Panicked {
        host: "c1".to_owned(),
        said: "it is nothing to be survived".to_owned(),
    }
}

impl Default for Twin {
    fn default() -> Self {
        Twin {
            runner: registered::<Hac>(),
            later: Span::ZERO,
            fails: |_| false,
            panics: |_| false,
            cannot: Vec::new(),
            no_namespaces: vec!["there are no namespaces here".to_owned()],
            boot: Boot::Ready,
        }
    }
}

impl Staged for Twin {
    fn name(&self) -> &'static str {
        "hac"
    }

    fn cannot(&self, _: &ScenarioFile, _: &'static str, links: Links) -> Result<Vec<String>, Complaints> {
        Ok(match links {
            Links::Edge => self.cannot.clone(),
            Links::Netns => self.no_namespaces.clone(),
        })
    }

    fn play(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        seed: u64,
        stage: &Stage<'_>,
    ) -> Result<LiveRun, StageError> {
        assert!(stage.folder.is_dir());
        if (self.fails)(seed) {
            return Err(StageError::NotReady {
                host: "c1".to_owned(),
                said: "no room".to_owned(),
            });
        }
        if (self.panics)(seed) {
            return Err(panicked());
        }
        let prepared = self.runner.prepare(file, rules).map_err(StageError::Complaints)?;
        let (mut outcome, trace) = prepared.worker().trace(seed);
        for sample in outcome
            .measures
            .iter_mut()
            .flat_map(|measured| &mut measured.samples)
        {
            *sample = *sample + self.later;
        }
        Ok(LiveRun {
            outcome,
            trace,
            tolerance: Span::from_millis(200),
            stalls: Stalls {
                count: u64::from(seed.is_multiple_of(7)),
                longest: Span::from_millis(250),
            },
            hosts: Vec::new(),
        })
    }

    fn boots(&self, _: &ScenarioFile, _: &'static str, stage: &Stage<'_>) -> Result<Boots, StageError> {
        (stage.progress)(Progress::Booting { done: 0 });
        (stage.progress)(Progress::Left {
            what: "a process".to_owned(),
        });
        if self.boot == Boot::Refused {
            (stage.progress)(Progress::Kept {
                folder: stage.folder.join("run-x"),
                why: Why::Unplayed,
            });
            return Err(StageError::NotReady {
                host: "c1".to_owned(),
                said: "no room".to_owned(),
            });
        }
        if self.boot == Boot::Panics {
            return Err(panicked());
        }
        Ok(Boots {
            first: vec![Span::from_micros(700); 3],
            again: Vec::new(),
        })
    }
}

/// What the command said and came to.
struct Done {
    result: anyhow::Result<()>,
    exit: Exit,
    said: String,
    told: String,
}

fn done(twin: Twin, scenario: &str, words: &[&str]) -> Done {
    stopped(twin, scenario, words, &AtomicBool::new(false))
}

fn stopped(twin: Twin, scenario: &str, words: &[&str], stop: &AtomicBool) -> Done {
    let words: Vec<&str> = ["--rules", "Hardened"].iter().chain(words).copied().collect();
    typed(twin, scenario, &words, stop)
}

fn typed(twin: Twin, scenario: &str, words: &[&str], stop: &AtomicBool) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.ron");
    fs::write(&file, scenario).unwrap();
    let mut all = vec!["squall", "compare", file.to_str().unwrap()];
    all.extend(["--folder", folder.path().to_str().unwrap()]);
    all.extend(words);
    let Command::Compare(args) = Typed::parse_from(all).command else {
        panic!("it is another command");
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut session = Session::new(
        "squall".to_owned(),
        &mut stdout,
        &mut stderr,
        Surroundings {
            stdout: Reader::Other,
            stderr: Reader::Other,
            colours: Colours::Unwanted,
            stop,
            stop_between_runs: &|_| {},
        },
    );
    let stages: [Box<dyn Staged>; 1] = [Box::new(twin)];
    let result = compare(&[registered::<Hac>()], &stages, &args, &mut session);
    let exit = session.exit;
    let text = |bytes| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(file.to_str().unwrap(), "x.ron")
    };
    Done {
        result,
        exit,
        said: text(stdout),
        told: text(stderr),
    }
}

#[test]
fn a_world_that_is_the_simulated_one_lies_within() {
    let samples = tempfile::tempdir().unwrap();
    let samples = samples.path().join("samples.csv");
    let words = [
        "--seeds",
        "200",
        "--live-runs",
        "20",
        "--samples",
        samples.to_str().unwrap(),
    ];
    let done = done(Twin::default(), SCENARIO, &words);
    assert!(done.result.is_ok(), "{:?}", done.result);
    assert_eq!(done.exit, Exit::AsExpected, "{}", done.said);
    let first = done.said.lines().next().unwrap();
    assert_eq!(
        first,
        "✓ x.ron  Hardened  200 simulated runs and 20 live ones: live lies within what was simulated"
    );
    assert!(
        done.said.contains("always came in one order") && done.said.contains("no live run stands against it"),
        "{}",
        done.said
    );
    assert!(done.said.contains("for 250.000 ms at most"), "{}", done.said);
    let table = fs::read_to_string(&samples).unwrap();
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("rules,measure,world,seed,nth,ns"));
    let rows: Vec<&str> = rows.collect();
    assert!(
        rows[0].starts_with("Hardened,failover,simulated,0,0,"),
        "{}",
        rows[0]
    );
    // The seeds of live runs come after the simulated ones.
    assert!(
        rows.iter()
            .any(|row| row.starts_with("Hardened,failover,live,200,0,")),
        "{rows:?}"
    );
}

#[test]
fn a_world_that_is_slower_falls_outside_and_says_by_how_much() {
    let twin = Twin {
        later: Span::from_millis(300),
        ..Twin::default()
    };
    let done = done(twin, SCENARIO, &["--seeds", "200", "--live-runs", "20"]);
    assert_eq!(done.exit, Exit::Otherwise, "{}", done.said);
    assert!(
        done.said.contains("live falls outside what was simulated"),
        "{}",
        done.said
    );
    assert!(done.said.contains("live is slower by "), "{}", done.said);
    assert!(
        done.said.contains("which the simulated latency does not explain"),
        "{}",
        done.said
    );
}

#[test]
fn what_is_said_for_a_program_has_all_of_it() {
    let done = done(
        Twin::default(),
        SCENARIO,
        &["--seeds", "150", "--live-runs", "6", "--format", "json"],
    );
    let said: serde_json::Value = serde_json::from_str(&done.said).unwrap();
    assert_eq!(
        (&said["agreement"], &said["standing"]),
        (&"within".into(), &"as_expected".into())
    );
    assert_eq!(
        (&said["live"]["runs"], &said["simulated"]["runs"]),
        (&6.into(), &150.into())
    );
    let measure = &said["measures"][0];
    assert_eq!(
        (&measure["name"], &measure["method"]),
        (&"failover".into(), &"exact".into())
    );
    assert!(
        measure["simulated"]["p99_ns"].is_u64() && measure["live"]["p99_ns"].is_null(),
        "{measure}"
    );
    assert!(
        said["order"]["relations"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert_eq!(said["machine"], serde_json::Value::Null);
}

#[test]
fn few_live_runs_are_no_answer() {
    let done = done(Twin::default(), SCENARIO, &["--seeds", "150", "--live-runs", "2"]);
    assert_eq!(done.exit, Exit::Unknown, "{}", done.said);
    assert!(done.said.starts_with("? x.ron"), "{}", done.said);
    assert!(done.said.contains("too few runs to say"), "{}", done.said);
}

#[test]
fn live_runs_that_cannot_be_played_are_named_and_three_in_a_row_are_enough() {
    let twin = Twin {
        fails: |seed| seed == 152 || seed >= 160,
        ..Twin::default()
    };
    let done = done(twin, SCENARIO, &["--seeds", "150", "--live-runs", "30"]);
    assert!(done.said.contains("9 of 30 live runs were done"), "{}", done.said);
    assert!(
        done.said
            .contains("the live run with seed 152 was not played to its end: c1 did not start: no room"),
        "{}",
        done.said
    );
    assert!(
        done.said.contains("seed 162") && !done.said.contains("seed 163"),
        "{}",
        done.said
    );
}

#[test]
fn what_cannot_be_played_live_is_refused_before_anything_runs() {
    let twin = Twin {
        cannot: vec!["drift(s) would need a clock of its own".to_owned()],
        ..Twin::default()
    };
    let done = done(twin, SCENARIO, &[]);
    let why = done.result.unwrap_err().to_string();
    assert!(
        why.contains("so that there is nothing to compare: drift(s)"),
        "{why}"
    );
    assert_eq!(done.said, "");
    let done = self::done(Twin::default(), SCENARIO, &["--netns"]);
    let why = done.result.unwrap_err().to_string();
    assert!(why.contains("there are no namespaces here"), "{why}");
}

#[test]
fn a_file_that_is_not_in_order_is_complained_of() {
    let done = done(
        Twin::default(),
        &SCENARIO.replace("Kill(\"s\")", "Kill(\"x\")"),
        &[],
    );
    assert_eq!((done.exit, done.said.as_str()), (Exit::Unusable, ""));
    assert!(
        done.told.contains("error: ") && done.told.contains("nothing was run"),
        "{}",
        done.told
    );
}

#[test]
fn a_host_that_panics_is_a_bug_however_much_was_alike_before() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let words = ["--seeds", "150", "--quiet", "--junit", junit.to_str().unwrap()];
    let twin = Twin {
        panics: |seed| seed == 170,
        ..Twin::default()
    };
    let done = done(twin, SCENARIO, &words);
    assert!(done.result.is_ok(), "{:?}", done.result);
    assert_eq!((done.exit, done.said.as_str()), (Exit::Bug, ""));
    assert!(
        done.told.contains("it is nothing to be survived"),
        "{}",
        done.told
    );
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("it is nothing to be survived") && xml.contains("errors=\"1\""),
        "{xml}"
    );
}

#[test]
fn a_host_that_panics_while_the_machine_is_measured_is_a_bug_too() {
    let twin = Twin {
        boot: Boot::Panics,
        ..Twin::default()
    };
    let done = done(twin, SCENARIO, &["--seeds", "150", "--calibrate"]);
    assert!(done.result.is_ok(), "{:?}", done.result);
    assert_eq!((done.exit, done.said.as_str()), (Exit::Bug, ""));
    assert!(
        done.told.contains("it is nothing to be survived"),
        "{}",
        done.told
    );
}

#[test]
fn one_that_is_stopped_says_what_it_has() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let twin = Twin {
        fails: |seed| {
            if seed == 152 {
                STOP.store(true, Ordering::Relaxed);
            }
            false
        },
        ..Twin::default()
    };
    let done = stopped(twin, SCENARIO, &["--seeds", "150"], &STOP);
    assert!(done.result.is_ok());
    assert!(done.said.contains("3 of 30 live runs were done"), "{}", done.said);
    assert!(done.said.contains("too few runs to say"), "{}", done.said);
}

#[test]
fn one_that_is_stopped_says_what_it_did_of_each_rule_set_and_its_junit_has_a_case_for_each() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let twin = Twin {
        fails: |seed| {
            if seed == 152 {
                STOP.store(true, Ordering::Relaxed);
            }
            false
        },
        ..Twin::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let words = ["--seeds", "150", "--junit", junit.to_str().unwrap()];
    let done = typed(twin, SCENARIO, &words, &STOP);
    assert!(done.result.is_ok(), "{:?}", done.result);
    let lines: Vec<&str> = done.told.lines().filter(|line| line.contains("under ")).collect();
    assert_eq!(
        lines,
        [
            "x.ron: under Original, live run 1 of 30, each of 5s and what it takes to start",
            "x.ron: under Original, live run 2 of 30, each of 5s and what it takes to start",
            "x.ron: under Original, live run 3 of 30, each of 5s and what it takes to start",
            "stopped: under Original 150 of 150 simulated runs and 3 of 30 live ones were done",
            "stopped: under Hardened nothing was begun"
        ]
    );
    let xml = fs::read_to_string(&junit).unwrap();
    for case in [
        "name=\"Original\"",
        "name=\"Hardened\"",
        "message=\"stopped\"",
        "message=\"not begun\"",
    ] {
        assert!(xml.contains(case), "{case} in {xml}");
    }
}

#[test]
fn as_expected_nothing_is_said_when_it_is_quiet_and_its_junit_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let words = [
        "--seeds",
        "200",
        "--live-runs",
        "20",
        "--quiet",
        "--junit",
        junit.to_str().unwrap(),
    ];
    let quiet = done(Twin::default(), SCENARIO, &words);
    assert_eq!(
        (quiet.exit, quiet.said.as_str()),
        (Exit::AsExpected, ""),
        "{}",
        quiet.told
    );
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("tests=\"1\"") && xml.contains("failures=\"0\""),
        "{xml}"
    );
    let slower = Twin {
        later: Span::from_millis(300),
        ..Twin::default()
    };
    let slower = done(slower, SCENARIO, &words);
    assert!(slower.said.contains("live falls outside"), "{}", slower.said);
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("outside"), "{xml}");
}

/// With what this machine takes, the simulated median is later by a datagram or more on the way to it, and promises are kept.
#[test]
fn a_calibrated_simulation_is_that_of_this_machine() {
    let twin = Twin {
        no_namespaces: Vec::new(),
        ..Twin::default()
    };
    let done = done(
        twin,
        SCENARIO,
        &[
            "--seeds",
            "150",
            "--live-runs",
            "6",
            "--calibrate",
            "--netns",
            "--format",
            "json",
        ],
    );
    let said: serde_json::Value = serde_json::from_str(&done.said).unwrap();
    assert_eq!(said["simulated"]["held"]["count"], 150, "{}", done.said);
    for of in ["delay_ns", "lateness", "write_ns", "first_boot_ns"] {
        assert!(
            said["machine"][of].as_array().is_some_and(|all| !all.is_empty()),
            "{of}"
        );
    }
    let notes = said["notes"].to_string();
    assert!(
        notes.contains("wake up and boot as late as was measured"),
        "{notes}"
    );
    assert!(
        notes.contains("the machine was measured over loopback"),
        "{notes}"
    );
    assert!(
        done.told
            .contains("what the bridge of --netns adds to a datagram is not part of it"),
        "{}",
        done.told
    );
    assert!(
        done.told.contains("measuring how late the hosts boot")
            && done
                .told
                .contains("not everything of the run is gone: a process; `squall live --clean"),
        "{}",
        done.told
    );
    assert!(
        done.told.contains("measuring what this machine takes") && done.told.contains("measuring for "),
        "{}",
        done.told
    );
}

/// Holds that what a CI reads has each rule set as one that was not begun.
fn names_both_as_not_begun(xml: &str) {
    for case in ["name=\"Original\"", "name=\"Hardened\""] {
        assert!(xml.contains(case), "{case} in {xml}");
    }
    assert_eq!(xml.matches("message=\"not begun\"").count(), 2, "{xml}");
}

#[test]
fn a_junit_says_what_was_not_begun_since_it_cannot_be_played_or_the_measuring_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let words = ["--calibrate", "--junit", junit.to_str().unwrap()];
    let twin = Twin {
        cannot: vec!["drift(s) would need a clock of its own".to_owned()],
        ..Twin::default()
    };
    let refused = typed(twin, SCENARIO, &words, &AtomicBool::new(false));
    let why = refused.result.unwrap_err().to_string();
    assert!(why.contains("so that there is nothing to compare"), "{why}");
    names_both_as_not_begun(&fs::read_to_string(&junit).unwrap());
    fs::remove_file(&junit).unwrap();

    let stopped = typed(Twin::default(), SCENARIO, &words, &AtomicBool::new(true));
    assert!(stopped.result.is_ok(), "{:?}", stopped.result);
    assert!(stopped.told.contains("nothing was run"), "{}", stopped.told);
    names_both_as_not_begun(&fs::read_to_string(&junit).unwrap());
}

#[test]
fn a_junit_says_what_was_not_begun_since_a_host_did_not_boot_and_what_stays_of_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let words = ["--calibrate", "--quiet", "--junit", junit.to_str().unwrap()];
    let twin = Twin {
        boot: Boot::Refused,
        ..Twin::default()
    };
    let done = typed(twin, SCENARIO, &words, &AtomicBool::new(false));
    let why = format!("{:#}", done.result.unwrap_err());
    assert_eq!(
        why,
        "this machine could not be measured: c1 did not start: no room"
    );
    names_both_as_not_begun(&fs::read_to_string(&junit).unwrap());
    // However quiet it is to be.
    let lines: Vec<&str> = done.told.lines().collect();
    let [left, kept] = lines[..] else {
        panic!("{}", done.told)
    };
    assert!(
        left.starts_with("not everything of the run is gone: a process"),
        "{left}"
    );
    assert!(
        kept.starts_with("what the hosts wrote is in ") && kept.ends_with("was not played to its end"),
        "{kept}"
    );
}
