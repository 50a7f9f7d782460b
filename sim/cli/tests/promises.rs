//! hac's table of promises, held to what happens: each cell of the table in `nodes/src/hac/mod.rs` is shown by the scenarios that
//! stand beside its row, in which the promise is judged and holds under every seed, one of quiet late enough that its bound has
//! gone by; or it has a note that says why there is nothing to show, and begins with these words. The table is read from where
//! people read it. Of a promise that holds always, what is judged before the fault strikes counts as well: that a cell has its
//! scenario does not say that the promise had much to do after it.
//!
//! `SQUALL_SEEDS` says how many seeds each file is run with.

mod library;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use squall_nodes::hac::{Hac, HacNode};
use squall_nodes::{Placed, Promise, Protocol, Setup, Span};
use squall_sim::Outcome;
use squall_sim::plan::{Clock, Cue, DiskOnRestart, Fault, Layer, LinkLaw, Plan, Step, Trigger};
use squall_sim::runner::Prepared;
use squall_sim::scenario::{ScenarioFile, resolve};
use squall_sim::{Verdict, prepare};

/// How many seeds each file is run with.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

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

/// Whether a scenario has what a row of the table is about.
fn has_fault(row: &str, plan: &Plan<Hac>) -> bool {
    let law = |is: fn(&LinkLaw) -> bool| plan.network.laws().any(is);
    let kind = |kinds: &[&str]| {
        let mut steps = plan.timeline.iter();
        steps.any(|step| kinds.contains(&step.fault.kind()))
    };
    let disk = |disks: &[DiskOnRestart]| {
        let mut steps = plan.timeline.iter();
        steps.any(|step| matches!(&step.fault, Fault::Restart { disk, .. } if disks.contains(disk)))
    };
    match row {
        "loss, duplicates, reordering" => {
            law(|law| law.loss > 0.0 || law.duplicate > 0.0 || law.reorder > 0.0)
        }
        "corruption" => law(|law| law.corrupt > 0.0),
        "bandwidth, MTU" => {
            let is_set = |step: &Step| match &step.fault {
                Fault::Lay(Layer::Links { change, .. }) => change.bandwidth.is_some() || change.mtu.is_some(),
                _ => false,
            };
            law(|law| law.bandwidth.is_some() || law.mtu.is_some()) || plan.timeline.iter().any(is_set)
        }
        "link changes" => kind(&["link"]),
        "crash, restart" => kind(&["kill", "power_cut"]),
        "crash at an effect" => plan.timeline.iter().any(|step| {
            let is_effect = |cue: &Cue| !matches!(cue, Cue::Fact(_));
            let at_effect = matches!(&step.trigger, Trigger::When { cue, .. } if is_effect(cue));
            at_effect && matches!(step.fault, Fault::Crash(..))
        }),
        "pause" => kind(&["pause"]),
        "slow host" => kind(&["slow"]),
        "partition, one-way cut" => kind(&["partition", "one_way"]),
        "bridge, ring, flapping cut" => kind(&["bridge", "ring", "flap"]),
        "slow, failing disk" => kind(&["slow_disk", "failing_disk"]),
        "wiped disk" => disk(&[DiskOnRestart::Wiped]),
        "stale, torn, corrupt disk" => {
            disk(&[DiskOnRestart::Stale, DiskOnRestart::Torn, DiskOnRestart::Corrupt])
        }
        "clock offset, drift, jump" => {
            let is_off = |clock: &Clock| *clock != Clock::default();
            kind(&["drift", "jump"]) || plan.hosts.iter().any(|host| is_off(&host.clock))
        }
        other => panic!("nobody here knows what \"{other}\" is"),
    }
}

/// The notes below the table by their numbers, each with its first line.
type Notes = BTreeMap<u32, String>;

/// The rows of the table, and the notes below it.
fn table() -> (Vec<Row>, Notes) {
    let path = library::root().join("nodes/src/hac/mod.rs");
    let text = std::fs::read_to_string(path).expect("hac's page can be read");
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
fn bounds(plan: &Plan<Hac>) -> BTreeMap<String, Span> {
    let hosts: Vec<Placed<HacNode>> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let setup = Setup {
        hosts: &hosts,
        rules: plan.rules,
        tolerated: plan.tolerated,
    };
    let bound = |kind: &squall_nodes::InvariantKind<HacNode>| {
        let built = kind
            .build("()", &setup)
            .expect("a promise of hac has no parameters");
        let bound = match built.promise {
            Promise::Always => Span::ZERO,
            Promise::InQuiet { bound } => bound,
        };
        (format!("hac.{}", kind.name()), bound)
    };
    Hac::invariants().iter().map(bound).collect()
}

/// The promises that were judged in a run, those of quiet after the last thing that was done to the world.
fn judged<'a>(outcome: &'a Outcome, bounds: &'a BTreeMap<String, Span>) -> impl Iterator<Item = &'a str> {
    let last = outcome.faults.iter().filter_map(|fault| fault.at).max();
    outcome.invariants.iter().filter_map(move |done| {
        let quiet = last.map_or(Span::ZERO, |last| last.since(squall_nodes::Time::ZERO));
        let was_quiet = quiet + bounds[&done.name] <= outcome.virtual_time;
        (done.judged > 0 && was_quiet).then(|| done.name.trim_start_matches("hac."))
    })
}

fn file(name: &str) -> ScenarioFile {
    let path = format!("scenarios/hac/{name}.ron");
    let text = std::fs::read_to_string(library::root().join(&path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    ScenarioFile::parse(&path, text).unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

#[test]
fn the_table_has_a_row_for_every_fault_and_a_column_for_every_promise() {
    let (rows, notes) = table();
    let promises: Vec<&str> = Hac::invariants().iter().map(|kind| kind.name()).collect();
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
    let plans: Vec<Plan<Hac>> = library::files()
        .iter()
        .filter(|file| file.protocol() == "hac")
        .map(|file| resolve::<Hac>(file, "Hardened").unwrap_or_else(|c| panic!("{}: {c:?}", file.name())))
        .collect();
    // Healings and returns belong to the rows of what they end.
    let faults = plans.iter().flat_map(|plan| &plan.timeline);
    let kinds: BTreeSet<&str> = faults.map(|step| step.fault.kind()).collect();
    for kind in Fault::KINDS {
        assert!(kinds.contains(kind), "no scenario of hac has the fault {kind}");
    }
}

#[test]
fn every_promise_of_the_table_is_judged_and_holds() {
    let seeds = number("SQUALL_SEEDS").unwrap_or(SEEDS);
    let mut wrong = Vec::new();
    let (rows, notes) = table();
    for row in rows {
        let mut shown = BTreeSet::new();
        for name in &row.files {
            let file = file(name);
            let plan = resolve::<Hac>(&file, "Hardened").unwrap_or_else(|c| panic!("{name}: {c:?}"));
            if !has_fault(&row.fault, &plan) {
                wrong.push(format!("{name} has nothing of {}", row.fault));
            }
            let bounds = bounds(&plan);
            let prepared = prepare(plan, 0);
            let mut worker = prepared.worker();
            let mut conclusive = 0;
            for seed in 0..seeds {
                let outcome = worker.run(seed);
                conclusive += u64::from(outcome.verdict != Verdict::Inconclusive);
                if let Some(violation) = &outcome.violation {
                    let (at, invariant, detail) = (violation.at, &violation.invariant, &violation.detail);
                    wrong.push(format!("{name}, seed {seed}: {invariant} at {at}: {detail}"));
                    break;
                }
                shown.extend(judged(&outcome, &bounds).map(str::to_owned));
            }
            if conclusive == 0 {
                wrong.push(format!("{name} is inconclusive whatever the seed"));
            }
        }
        for (promise, cell) in &row.cells {
            let excused = cell
                .notes
                .iter()
                .any(|note| notes[note].starts_with("Nothing to show"));
            if !shown.contains(promise) && cell.word != "not promised" && !excused {
                wrong.push(format!(
                    "{} × {promise} is judged nowhere, and no note says why",
                    row.fault
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
