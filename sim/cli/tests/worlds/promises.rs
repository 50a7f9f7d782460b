//! The tables of promises, held to what happens: each cell of the table in a protocol's `mod.rs` is shown by the scenarios that
//! stand beside its row, for each of the faults that the row names: one of them has the fault, it makes a difference there, the
//! promise is judged once it has, one of quiet late enough after all that happens that its bound has gone by, and it holds under every
//! seed. Or the cell has a note that says why there is nothing to show, and begins with these words. The table is read from where
//! people read it.
//!
//! What is judged before a fault does not count for it. How much that is, the same run tells that ends when the fault strikes.
//!
//! `SQUALL_SEEDS` says how many seeds each file is run with.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use squall_nodes::hac::Hac;
use squall_nodes::leader::Leader;
use squall_nodes::refinery::Refinery;
use squall_nodes::{Fact, InvariantKind, Node, Placed, Promise, Protocol, Setup, Span, Time};
use squall_sim::Outcome;
use squall_sim::plan::{
    Clock, Cue, DiskOnRestart, Fault, Layer, LinkChange, LinkLaw, Measure, Moment, Plan, Step, Trigger,
};
use squall_sim::runner::Prepared;
use squall_sim::scenario::{ScenarioFile, resolve};
use squall_sim::{Verdict, prepare};

use crate::library;

/// How many seeds each file is run with.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

/// What is said of a promise that is judged at things that prove nothing: what counts in its place, by the name of a fact.
///
/// That an id is granted once is judged whenever somebody joins under one; what counts is that there was something to get wrong, which
/// is an id that is given for the first time.
const COUNTS: &[(&str, &str)] = &[("hac.ids_granted_once", "granted")];

/// How many packets a law is expected to touch of a run at least, where it is not counted whether it did: that it touches none then has a
/// probability below 1e-17.
const MANY: f64 = 40.0;

/// One row of the table.
struct Row {
    fault: String,
    /// What is promised, by the promise's name.
    cells: BTreeMap<String, Cell>,
    /// The scenarios by which it is shown.
    files: Vec<String>,
}

/// One cell.
#[derive(Debug, PartialEq, Eq)]
struct Cell {
    /// `always`, `in quiet`, or `not promised`.
    word: String,
    notes: Vec<u32>,
}

impl Row {
    /// The faults that the row names: `slow` and `failing disk` of `slow, failing disk`.
    fn faults(&self) -> impl Iterator<Item = &str> {
        self.fault.split(", ")
    }
}

/// Since when there is a fault that a row names in a run; never, where the file does not have it or nothing came of it in the end. What
/// a network does to its datagrams it does from the beginning, and so does a clock that is wrong from the beginning.
fn strikes<P: Protocol>(fault: &str, plan: &Plan<P>, outcome: &Outcome) -> Option<Time> {
    let (traffic, streams) = (&outcome.traffic, &outcome.traffic.streams);
    let law = |is: &dyn Fn(&LinkLaw) -> bool, touched: bool| {
        let is_there = touched && plan.network.laws().any(is);
        is_there.then_some(Time::ZERO)
    };
    let clock = |is: fn(&Clock) -> bool| {
        let is_there = plan.hosts.iter().any(|host| is(&host.clock));
        is_there.then_some(Time::ZERO)
    };
    let step = |is: &dyn Fn(&Step) -> bool| {
        let steps = plan.timeline.iter().zip(&outcome.faults);
        let done = steps.filter(|(step, done)| is(step) && done.affected > 0);
        done.filter_map(|(_, done)| done.at).min()
    };
    let kind = |kind: &str| step(&|step| step.fault.kind() == kind);
    let change = |is: fn(&LinkChange) -> bool| {
        step(&|step| matches!(&step.fault, Fault::Lay(Layer::Links { change, .. }) if is(change)))
    };
    let restart = |found: DiskOnRestart| {
        step(&|step| matches!(&step.fault, Fault::Restart { disk, .. } if *disk == found))
    };
    let crash = |at_effect: bool| {
        step(&|step| {
            let is_effect = |cue: &Cue| !matches!(cue, Cue::Fact(_));
            let is_at_effect = matches!(&step.trigger, Trigger::When { cue, .. } if is_effect(cue));
            matches!(step.fault, Fault::Crash(..)) && is_at_effect == at_effect
        })
    };
    match fault {
        "loss" => law(&|law| law.loss > 0.0, traffic.lost + streams.lost > 0),
        "duplicates" => law(
            &|law| law.duplicate > 0.0,
            traffic.duplicated + streams.duplicated > 0,
        ),
        // Nobody counts what overtakes what; of so much, something does.
        "reordering" => law(
            &|law| law.reorder * (traffic.sent + streams.packets) as f64 >= MANY,
            true,
        ),
        "corruption" => law(&|law| law.corrupt > 0.0, traffic.corrupted + streams.lost > 0),
        "bandwidth" => {
            let always = law(&|law| law.bandwidth.is_some(), true);
            always.or_else(|| change(|change| change.bandwidth.is_some()))
        }
        "MTU" if traffic.too_long == 0 => None,
        "MTU" => law(&|law| law.mtu.is_some(), true).or_else(|| change(|change| change.mtu.is_some())),
        "link changes" => kind("link"),
        "crash" => crash(false),
        "restart" => restart(DiskOnRestart::Kept),
        "crash at an effect" => crash(true),
        "pause" => kind("pause"),
        "slow host" => kind("slow"),
        "partition" => kind("partition"),
        "one-way cut" => kind("one_way"),
        "bridge" => kind("bridge"),
        "ring" => kind("ring"),
        "flapping cut" => kind("flap"),
        "slow" => kind("slow_disk"),
        "failing disk" => kind("failing_disk"),
        "wiped disk" => restart(DiskOnRestart::Wiped),
        "stale" => restart(DiskOnRestart::Stale),
        "torn" => restart(DiskOnRestart::Torn),
        "corrupt disk" => restart(DiskOnRestart::Corrupt),
        "clock offset" => clock(|clock| !clock.offset.is_zero()),
        "drift" => clock(|clock| clock.drift_ppm != 0).or_else(|| kind("drift")),
        "jump" => kind("jump"),
        // A role of somebody who does not belong to the cluster.
        "adversary" => {
            let is_one = |role: &<P::Node as Node>::Role| format!("{role:?}").starts_with("Adversary(");
            let is_there = plan.hosts.iter().any(|host| is_one(&host.placed.role));
            is_there.then_some(Time::ZERO)
        }
        other => panic!("nobody here knows what \"{other}\" is"),
    }
}

/// The notes below the table by their numbers, each with its first line.
type Notes = BTreeMap<u32, String>;

/// The rows of the table, and the notes below it.
fn table<P: Protocol>() -> (Vec<Row>, Notes) {
    let path = library::root().join(format!("nodes/src/{}/mod.rs", P::NAME));
    let text = std::fs::read_to_string(path).expect("the protocol's page can be read");
    let page = text.lines().filter_map(|line| line.strip_prefix("//! "));
    let page = page
        .skip_while(|line| *line != "# What is promised")
        .skip(1)
        .take_while(|line| !line.starts_with("# "));
    let (mut promises, mut rows, mut notes) = (Vec::new(), Vec::<Row>::new(), Notes::new());
    let mut is_second = false;
    for line in page {
        if let Some((number, note)) = line.split_once(". ")
            && let Ok(number) = number.parse()
        {
            notes.insert(number, note.to_owned());
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            continue;
        };
        let cells: Vec<&str> = cells.split(" | ").collect();
        match cells.as_slice() {
            ["fault", "scenarios"] => is_second = true,
            ["fault", names @ ..] => promises = names.iter().map(|name| name.trim_matches('`')).collect(),
            [fault, files] if is_second => {
                let row = rows.iter_mut().find(|row| row.fault == *fault);
                let row = row.unwrap_or_else(|| panic!("{fault} is no row of the table of promises"));
                row.files = files
                    .split(", ")
                    .map(|file| file.trim_matches('`').to_owned())
                    .collect();
            }
            [fault, cells @ ..] => {
                assert_eq!(cells.len(), promises.len(), "{line}");
                let cells = promises.iter().zip(cells);
                rows.push(Row {
                    fault: (*fault).to_owned(),
                    cells: cells
                        .map(|(promise, cell)| ((*promise).to_owned(), Cell::read(cell)))
                        .collect(),
                    files: Vec::new(),
                });
            }
            [] => {}
        }
    }
    (rows, notes)
}

impl Cell {
    /// `in quiet⁷ ¹¹`
    fn read(text: &str) -> Self {
        const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
        let word = text.trim_end_matches(|c| c == ' ' || DIGITS.contains(&c));
        assert!(
            ["always", "in quiet", "not promised"].contains(&word),
            "\"{text}\" is no cell of the table"
        );
        let digit = |c| DIGITS.iter().position(|digit| *digit == c).unwrap_or_default() as u32;
        let note = |digits: &str| digits.chars().fold(0, |number, c| number * 10 + digit(c));
        Cell {
            word: word.to_owned(),
            notes: text[word.len()..].split_whitespace().map(note).collect(),
        }
    }
}

/// After how long a quiet each promise holds in a plan; none for those that hold always.
fn bounds<P: Protocol>(plan: &Plan<P>) -> BTreeMap<String, Span> {
    let hosts: Vec<Placed<P::Node>> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let setup = Setup {
        hosts: &hosts,
        rules: plan.rules,
        tolerated: plan.tolerated,
        streams: plan.network.streams,
    };
    let bound = |kind: &InvariantKind<P::Node>| {
        let built = kind
            .build("()", &setup)
            .expect("the promises of the house need no parameters");
        let bound = match built.promise {
            Promise::Always => Span::ZERO,
            Promise::InQuiet { bound } => bound,
        };
        (kind.name().to_owned(), bound)
    };
    P::invariants().iter().map(bound).collect()
}

/// A scenario beside a row.
struct Shown<P: Protocol> {
    name: String,
    file: ScenarioFile,
    plan: Plan<P>,
    bounds: BTreeMap<String, Span>,
}

impl<P: Protocol> Shown<P> {
    fn new(name: &str) -> Self {
        let file = file::<P>(name);
        let plan = plan(&file);
        Shown {
            name: name.to_owned(),
            bounds: bounds(&plan),
            file,
            plan,
        }
    }

    /// Runs the file under seeds from 0. Takes the promises that are judged after each of the faults into `shown`, and what is
    /// wrong into `wrong`.
    fn run(&self, seeds: u64, shown: &mut BTreeMap<&str, BTreeSet<String>>, wrong: &mut Vec<String>) {
        let name = &self.name;
        let prepared = prepare(plan::<P>(&self.file), 0);
        let mut worker = prepared.worker();
        let (mut is_conclusive, mut has_fault) = (false, false);
        for seed in 0..seeds {
            let outcome = worker.run(seed);
            is_conclusive |= outcome.verdict != Verdict::Inconclusive;
            if let Some(violation) = &outcome.violation {
                let (at, invariant, detail) = (violation.at, &violation.invariant, &violation.detail);
                wrong.push(format!("{name}, seed {seed}: {invariant} at {at}: {detail}"));
                break;
            }
            for (fault, shown) in &mut *shown {
                let Some(struck) = strikes(fault, &self.plan, &outcome) else {
                    continue;
                };
                has_fault = true;
                // Runs that can show nothing new need not be looked at twice.
                if self.judged(&outcome).any(|(promise, _)| !shown.contains(promise)) {
                    shown.extend(self.judged_after(struck, &outcome));
                }
            }
        }
        if !is_conclusive {
            wrong.push(format!("{name} is inconclusive whatever the seed"));
        }
        if !has_fault {
            let faults: Vec<&str> = shown.keys().copied().collect();
            wrong.push(format!("{name} has nothing of {}", faults.join(", ")));
        }
    }

    /// The promises that were judged in a run, and how often.
    fn judged<'a>(&self, outcome: &'a Outcome) -> impl Iterator<Item = (&'a str, u64)> + use<'a, P> {
        let claims = |fact: &str| {
            let watch = outcome
                .measures
                .iter()
                .find(|measured| measured.name == between(fact));
            // The watch is started by one claim and stopped by the next.
            watch.map_or(0, |watch| {
                2 * watch.samples.len() as u64 + u64::from(watch.unfinished)
            })
        };
        let judged = outcome.invariants.iter().map(move |done| {
            let counts = COUNTS.iter().find(|(promise, _)| *promise == done.name);
            let promise = done
                .name
                .split_once('.')
                .map_or(done.name.as_str(), |(_, promise)| promise);
            (promise, counts.map_or(done.judged, |(_, fact)| claims(fact)))
        });
        judged.filter(|(_, judged)| *judged > 0)
    }

    /// The promises that were judged in a run after a fault had struck: those of quiet when all had happened to the world and their
    /// bound had gone by, the others at any time.
    fn judged_after(&self, struck: Time, outcome: &Outcome) -> Vec<String> {
        let last = outcome.faults.iter().filter_map(|fault| fault.at).max();
        let last = last.unwrap_or(Time::ZERO);
        let (before, before_last) = (
            self.judged_before(struck, outcome),
            self.judged_before(last, outcome),
        );
        let is_shown = |promise: &str, judged: u64| {
            let more_than =
                |before: &BTreeMap<String, u64>| judged > before.get(promise).copied().unwrap_or(0);
            match self.bounds[promise] {
                Span::ZERO => more_than(&before),
                bound => more_than(&before_last) && last + bound <= Time::ZERO + outcome.virtual_time,
            }
        };
        let shown = self
            .judged(outcome)
            .filter(|(promise, judged)| is_shown(promise, *judged));
        shown.map(|(promise, _)| promise.to_owned()).collect()
    }

    /// How often each promise is judged in the run of a seed until a time, and at it.
    fn judged_before(&self, time: Time, outcome: &Outcome) -> BTreeMap<String, u64> {
        if time == Time::ZERO {
            return BTreeMap::new();
        }
        let mut plan = plan::<P>(&self.file);
        plan.limit = time.since(Time::ZERO) + Span::from_nanos(1);
        let cut_short = prepare(plan, 0).worker().run(outcome.seed);
        let judged = self.judged(&cut_short);
        judged
            .map(|(promise, judged)| (promise.to_owned(), judged))
            .collect()
    }
}

/// The plan of a file, with a watch for each fact that counts, which every claim of it starts or stops.
fn plan<P: Protocol>(file: &ScenarioFile) -> Plan<P> {
    let plan = resolve::<P>(file, "Hardened");
    let mut plan = plan.unwrap_or_else(|complaints| panic!("{}: {complaints:?}", file.name()));
    let own = COUNTS
        .iter()
        .filter(|(promise, _)| promise.starts_with(&format!("{}.", P::NAME)));
    for (_, fact) in own {
        let names = <P::Node as Node>::Fact::NAMES;
        let claimed = names.iter().position(|name| name == fact);
        let claimed = Moment::Fact(claimed.expect("what counts is a fact"));
        plan.measures.push(Measure {
            name: between(fact),
            from: claimed.clone(),
            to: claimed,
            each: None,
        });
    }
    plan
}

/// What the watch of a fact is called.
fn between(fact: &str) -> String {
    format!("from one {fact} to the next")
}

fn file<P: Protocol>(name: &str) -> ScenarioFile {
    let path = format!("scenarios/{}/{name}.ron", P::NAME);
    let text = std::fs::read_to_string(library::root().join(&path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    ScenarioFile::parse(&path, text).unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

mod hac {
    use super::Hac;

    #[test]
    fn the_table_has_a_row_for_every_fault_and_a_column_for_every_promise() {
        super::the_table_has_a_row_for_every_fault_and_a_column_for_every_promise::<Hac>();
    }

    #[test]
    fn every_promise_of_the_table_is_judged_after_each_fault_and_holds() {
        super::every_promise_of_the_table_is_judged_after_each_fault_and_holds::<Hac>();
    }
}

mod leader {
    use super::Leader;

    #[test]
    fn the_table_has_a_row_for_every_fault_and_a_column_for_every_promise() {
        super::the_table_has_a_row_for_every_fault_and_a_column_for_every_promise::<Leader>();
    }

    #[test]
    fn every_promise_of_the_table_is_judged_after_each_fault_and_holds() {
        super::every_promise_of_the_table_is_judged_after_each_fault_and_holds::<Leader>();
    }
}

mod refinery {
    use super::Refinery;

    #[test]
    fn the_table_has_a_row_for_every_fault_and_a_column_for_every_promise() {
        super::the_table_has_a_row_for_every_fault_and_a_column_for_every_promise::<Refinery>();
    }

    #[test]
    fn every_promise_of_the_table_is_judged_after_each_fault_and_holds() {
        super::every_promise_of_the_table_is_judged_after_each_fault_and_holds::<Refinery>();
    }
}

fn the_table_has_a_row_for_every_fault_and_a_column_for_every_promise<P: Protocol>() {
    let (rows, notes) = table::<P>();
    let promises: Vec<&str> = P::invariants().iter().map(|kind| kind.name()).collect();
    for row in &rows {
        let columns: BTreeSet<&str> = row.cells.keys().map(String::as_str).collect();
        assert_eq!(columns, promises.iter().copied().collect(), "{}", row.fault);
        for (promise, cell) in &row.cells {
            assert!(
                cell.notes.iter().all(|note| notes.contains_key(note)),
                "{} × {promise}: {cell:?} refers to a note that is not there",
                row.fault
            );
        }
    }
    let used: BTreeSet<u32> = rows
        .iter()
        .flat_map(|row| row.cells.values())
        .flat_map(|cell| cell.notes.iter().copied())
        .collect();
    assert_eq!(used, notes.into_keys().collect(), "a note that no cell refers to");
    let plans: Vec<Plan<P>> = library::files()
        .iter()
        .filter(|file| file.protocol() == P::NAME)
        .map(plan::<P>)
        .collect();
    // Healings and returns belong to the rows of what they end.
    let faults = plans.iter().flat_map(|plan| &plan.timeline);
    let kinds: BTreeSet<&str> = faults.map(|step| step.fault.kind()).collect();
    for kind in Fault::KINDS {
        assert!(
            kinds.contains(kind),
            "no scenario of {} has the fault {kind}",
            P::NAME
        );
    }
}

fn every_promise_of_the_table_is_judged_after_each_fault_and_holds<P: Protocol>() {
    let seeds = number("SQUALL_SEEDS").unwrap_or(SEEDS);
    let mut wrong = Vec::new();
    let (rows, notes) = table::<P>();
    for row in &rows {
        let mut shown: BTreeMap<&str, BTreeSet<String>> =
            row.faults().map(|fault| (fault, BTreeSet::new())).collect();
        for name in &row.files {
            Shown::<P>::new(name).run(seeds, &mut shown, &mut wrong);
        }
        for (promise, cell) in &row.cells {
            let is_excused = cell
                .notes
                .iter()
                .any(|note| notes[note].starts_with("Nothing to show"));
            let faults = row.faults().filter(|fault| !shown[fault].contains(promise));
            let faults: Vec<&str> = faults.collect();
            if !faults.is_empty() && cell.word != "not promised" && !is_excused {
                wrong.push(format!(
                    "{} × {promise}: judged nowhere after {}, and no note says why",
                    row.fault,
                    faults.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the environment says, for who wants to look for longer.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    let Ok(number) = text.parse() else {
        panic!("{variable} is a whole number, not {text}");
    };
    Some(number)
}
