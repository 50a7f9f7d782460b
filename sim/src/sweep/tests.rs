//! Sweeps over made-up outcomes: order, stopping, expectations, rechecks, panics.

use std::sync::atomic::AtomicUsize;

use squall_nodes::{HostId, Promise, Span, Time, Tolerance};

use super::*;
use crate::outcome::{FaultDone, Traffic, Violation};
use crate::plan::Origin;
use crate::runner::{Happens, HostCast, LawCast, PromiseMade, Worker};
use crate::trace::{Happening, Trace, TraceEvent};

/// A scenario whose runs are looked up instead of run.
struct Table {
    expect: Expect,
    answer: fn(u64) -> Answer,
    workers: AtomicUsize,
}

enum Answer {
    Held,
    Violated(&'static str),
    Doubts(Vec<String>),
}

impl Table {
    fn new(expect: Expect, answer: fn(u64) -> Answer) -> Self {
        Table {
            expect,
            answer,
            workers: AtomicUsize::new(0),
        }
    }

    fn outcome(&self, seed: u64) -> Outcome {
        let answer = (self.answer)(seed);
        let verdict = match &answer {
            Answer::Held => Verdict::Held,
            Answer::Violated(_) => Verdict::Violated,
            Answer::Doubts(_) => Verdict::Inconclusive,
        };
        let violation = match &answer {
            Answer::Violated(name) => Some(Violation {
                invariant: (*name).to_owned(),
                promised: String::new(),
                detail: String::new(),
                at: Time::ZERO,
                hosts: Vec::new(),
                quiet: None,
            }),
            _ => None,
        };
        Outcome {
            scenario: "table.ron".to_owned(),
            rules: "Standard",
            seed,
            verdict,
            as_expected: false,
            expect: self.expect.clone(),
            violation,
            doubts: match answer {
                Answer::Doubts(doubts) => doubts,
                Answer::Held | Answer::Violated(_) => Vec::new(),
            },
            digest: Digest(u128::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
            events: 1,
            virtual_time: Span::from_secs(1),
            measures: vec![Measured {
                name: "m".to_owned(),
                samples: vec![Span::from_nanos(seed)],
                unfinished: 1,
            }],
            faults: vec![FaultDone {
                fault: "kill(a)".to_owned(),
                at: seed.is_multiple_of(2).then_some(Time::ZERO),
                affected: 3,
            }],
            invariants: vec![InvariantDone {
                name: "t.x".to_owned(),
                judged: 2,
                undecided: None,
                origin: Origin::Default,
                promise: Promise::Always,
            }],
            traffic: Traffic::default(),
        }
    }
}

impl Prepared for Table {
    fn scenario(&self) -> &str {
        "table.ron"
    }
    fn rules(&self) -> &'static str {
        "Standard"
    }
    fn expect(&self) -> &Expect {
        &self.expect
    }
    fn seed(&self) -> u64 {
        0
    }
    fn limit(&self) -> Span {
        Span::from_secs(1)
    }
    fn hosts(&self) -> Vec<HostCast> {
        Vec::new()
    }

    fn laws(&self) -> Vec<LawCast> {
        Vec::new()
    }
    fn never_judged(&self) -> Vec<String> {
        Vec::new()
    }

    fn tolerated(&self) -> Tolerance {
        Tolerance {
            loss: 0.0,
            latency: Span::ZERO,
        }
    }

    fn timeline(&self) -> Vec<Happens> {
        Vec::new()
    }

    fn workload(&self) -> Vec<Happens> {
        Vec::new()
    }

    fn promises(&self) -> Vec<PromiseMade> {
        Vec::new()
    }
    fn worker(&self) -> Box<dyn Worker + '_> {
        self.workers.fetch_add(1, Ordering::Relaxed);
        Box::new(Reader(self))
    }
}

struct Reader<'a>(&'a Table);

impl Worker for Reader<'_> {
    fn run_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<Outcome, Stopped> {
        match stop.load(Ordering::Relaxed) {
            true => Err(Stopped { at: Time::ZERO }),
            false => Ok(self.0.outcome(seed)),
        }
    }
    fn seen_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        self.trace_until(seed, stop)
    }
    fn trace_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        Ok((self.run_until(seed, stop)?, Trace::default()))
    }
}

/// How all these sweeps are done but for what a test says otherwise: one run of fifty is rechecked.
fn options(jobs: usize) -> SweepOptions<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    SweepOptions {
        jobs,
        stop: &NEVER,
        recheck: Share::millionths(20_000),
        progress: &|_| {},
    }
}

fn swept(table: &Table, seeds: Range<u64>, jobs: usize) -> SweepOutcome {
    sweep(table, seeds, &options(jobs)).expect("the table says the same every time")
}

fn mixed(seed: u64) -> Answer {
    match seed % 10 {
        3 | 5 => Answer::Violated("t.a"),
        4 => Answer::Violated("t.b"),
        7 => Answer::Doubts(vec!["nothing was killed".to_owned()]),
        _ => Answer::Held,
    }
}

#[test]
fn any_number_of_threads_tells_the_same() {
    let table = Table::new(Expect::Held, mixed);
    let one = swept(&table, 5..1_777, 1);
    for jobs in [0, 2, 3, 7, 16] {
        assert_eq!(swept(&table, 5..1_777, jobs), one, "{jobs} jobs");
    }
}

#[test]
fn the_digest_is_that_of_the_digests_in_seed_order() {
    let table = Table::new(Expect::Held, |_| Answer::Held);
    let bytes: Vec<u8> = (10..200)
        .flat_map(|seed| table.outcome(seed).digest.0.to_le_bytes())
        .collect();
    assert_eq!(
        swept(&table, 10..200, 3).digest.0,
        xxhash_rust::xxh3::xxh3_128(&bytes)
    );
}

#[test]
fn failures_are_counted_by_signature_most_often_first() {
    let outcome = swept(&Table::new(Expect::Held, mixed), 0..100, 2);
    let told: Vec<_> = outcome
        .failures
        .iter()
        .map(|f| (f.signature.as_str(), f.count, f.first_seed))
        .collect();
    assert_eq!(
        told,
        [
            ("t.a", 20, 3),
            ("t.b", 10, 4),
            ("inconclusive: nothing was killed", 10, 7)
        ]
    );
    assert_eq!(
        (outcome.runs, outcome.held, outcome.violated, outcome.inconclusive),
        (100, 60, 30, 10)
    );
}

#[test]
fn samples_faults_and_judgements_add_up_in_seed_order() {
    let outcome = swept(&Table::new(Expect::Held, |_| Answer::Held), 0..1000, 4);
    let seeds: Vec<Span> = (0..1000).map(Span::from_nanos).collect();
    assert_eq!(
        outcome.measures,
        [Measured {
            name: "m".to_owned(),
            samples: seeds,
            unfinished: 1000
        }]
    );
    assert_eq!(
        outcome.faults,
        [FaultOverRuns {
            fault: "kill(a)".to_owned(),
            runs: 500,
            affected: 3000
        }]
    );
    assert_eq!(outcome.invariants[0].judged, 2000);
    assert_eq!(outcome.samples_left_out, 0);
}

#[test]
fn samples_beyond_the_bound_are_counted_and_not_kept() {
    let table = Table::new(Expect::Held, |_| Answer::Held);
    let mut fold = Fold::default();
    for seed in 0..2 {
        let mut outcome = table.outcome(seed);
        outcome.measures[0].samples = vec![Span::from_nanos(seed); KEPT_SAMPLES / 2 + 5];
        fold.add(outcome);
    }
    assert_eq!(fold.measures[0].samples.len(), KEPT_SAMPLES);
    assert_eq!(fold.samples_left_out, 10);
}

#[test]
fn doubts_that_are_all_different_do_not_fill_the_memory() {
    let outcome = swept(
        &Table::new(Expect::Held, |seed| Answer::Doubts(vec![format!("no {seed}")])),
        0..1000,
        2,
    );
    assert_eq!(outcome.failures.len(), KEPT_DOUBTS + 1);
    assert_eq!(outcome.failures[0].signature, "inconclusive: another reason");
    assert_eq!(outcome.failures[0].count, 900);
}

#[test]
fn a_run_counts_under_each_of_its_doubts_and_once_under_each() {
    fn doubts(seed: u64) -> Vec<String> {
        let every = |nth: u64, doubt: &str| seed.is_multiple_of(nth).then(|| doubt.to_owned());
        [
            every(1, "always"),
            every(2, "even"),
            every(5, "fifth"),
            every(5, "fifth"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
    let table = Table::new(Expect::Held, |seed| Answer::Doubts(doubts(seed)));
    let outcome = swept(&table, 1..101, 3);
    let told: Vec<(&str, u64, u64)> = outcome
        .failures
        .iter()
        .map(|failures| (failures.signature.as_str(), failures.count, failures.first_seed))
        .collect();
    assert_eq!(
        told,
        [
            ("inconclusive: always", 100, 1),
            ("inconclusive: even", 50, 2),
            ("inconclusive: fifth", 20, 5)
        ]
    );
    assert_eq!((outcome.runs, outcome.inconclusive), (100, 100));
}

#[test]
fn a_stopped_sweep_tells_what_a_sweep_over_its_prefix_tells() {
    let table = Table::new(Expect::Held, mixed);
    for jobs in [1, 3] {
        let stop = AtomicBool::new(false);
        let progress = |done| {
            if done == 333 {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let mut stopped = sweep(
            &table,
            100..100_000,
            &SweepOptions {
                stop: &stop,
                progress: &progress,
                // Whatever the prefix is, the recheck of one that is short is among all.
                recheck: Share::ALL,
                ..options(jobs)
            },
        )
        .expect("an outcome");
        assert!(
            stopped.was_stopped() && stopped.runs <= 333 + jobs as u64,
            "{} runs",
            stopped.runs
        );
        assert!(jobs > 1 || stopped.runs == 333);
        assert_eq!(stopped.seeds, (100, 100_000));
        stopped.seeds.1 = 100 + u128::from(stopped.runs);
        let options = SweepOptions {
            recheck: Share::ALL,
            ..options(1)
        };
        let prefix = sweep(&table, 100..100 + stopped.runs, &options).expect("an outcome");
        assert_eq!(stopped, prefix);
    }
}

#[test]
fn a_sweep_that_is_stopped_at_once_is_not_as_expected() {
    let stop = AtomicBool::new(true);
    let table = Table::new(Expect::Held, |_| Answer::Held);
    let outcome = sweep(
        &table,
        0..10,
        &SweepOptions {
            stop: &stop,
            ..options(2)
        },
    )
    .expect("an outcome");
    assert_eq!(
        (outcome.runs, outcome.as_expected, outcome.standing()),
        (0, false, Standing::Unknown)
    );
    assert_eq!(table.workers.load(Ordering::Relaxed), 0);
}

#[test]
fn no_seeds_and_the_last_seeds_there_are_end_too() {
    let table = Table::new(Expect::Held, |_| Answer::Held);
    assert_eq!(swept(&table, 5..5, 2).runs, 0);
    assert_eq!(swept(&table, u64::MAX - 100..u64::MAX, 3).runs, 100);
}

#[test]
fn progress_counts_every_run_once() {
    let highest = AtomicU64::new(0);
    let calls = AtomicU64::new(0);
    let progress = |done| {
        highest.fetch_max(done, Ordering::Relaxed);
        calls.fetch_add(1, Ordering::Relaxed);
    };
    let table = Table::new(Expect::Held, |_| Answer::Held);
    sweep(
        &table,
        0..500,
        &SweepOptions {
            progress: &progress,
            ..options(3)
        },
    )
    .expect("an outcome");
    assert_eq!((highest.into_inner(), calls.into_inner()), (500, 500));
}

#[test]
fn a_run_that_panics_is_named_and_nobody_waits_for_it() {
    let table = Table::new(Expect::Held, |seed| {
        if seed == 40 {
            panic!("boom at {seed}")
        } else {
            Answer::Held
        }
    });
    for jobs in [1, 4] {
        let caught = catch_unwind(AssertUnwindSafe(|| swept(&table, 0..100_000, jobs)));
        let panicked = caught
            .expect_err("the sweep panics")
            .downcast::<RunPanicked>()
            .expect("and names the seed");
        assert_eq!(
            *panicked,
            RunPanicked {
                seed: 40,
                message: "boom at 40".to_owned()
            }
        );
    }
}

#[test]
fn what_is_expected_decides_how_a_sweep_stands() {
    let named = |names: &[&str]| Expect::Violated(names.iter().map(|name| (*name).to_owned()).collect());
    let held: fn(u64) -> Answer = |_| Answer::Held;
    let sometimes: fn(u64) -> Answer = |seed| {
        if seed == 9 {
            Answer::Violated("t.a")
        } else {
            Answer::Held
        }
    };
    let doubtful: fn(u64) -> Answer = |seed| match seed {
        9 => Answer::Violated("t.a"),
        8 => Answer::Doubts(vec!["why".to_owned()]),
        _ => Answer::Held,
    };
    let only_doubt: fn(u64) -> Answer = |seed| {
        if seed == 8 {
            Answer::Doubts(vec!["why".to_owned()])
        } else {
            Answer::Held
        }
    };
    let cases = [
        (Expect::Held, held, Standing::AsExpected),
        (Expect::Held, sometimes, Standing::Otherwise),
        (Expect::Held, doubtful, Standing::Otherwise),
        (Expect::Held, only_doubt, Standing::Unknown),
        (named(&["t.a"]), held, Standing::Otherwise),
        (named(&["t.a"]), sometimes, Standing::AsExpected),
        (named(&["t.b", "t.a"]), sometimes, Standing::AsExpected),
        (named(&["t.b"]), sometimes, Standing::Otherwise),
        (named(&["t.a"]), doubtful, Standing::Unknown),
        (named(&["t.a"]), only_doubt, Standing::Unknown),
        (named(&["t.b"]), doubtful, Standing::Otherwise),
    ];
    for (case, (expect, answer, standing)) in cases.into_iter().enumerate() {
        let outcome = swept(&Table::new(expect, answer), 0..20, 2);
        assert_eq!(outcome.standing(), standing, "case {case}");
        assert_eq!(
            outcome.as_expected,
            standing == Standing::AsExpected,
            "case {case}"
        );
    }
}

/// A scenario whose workers do not forget: what they say of a run hangs on how many they have behind them.
struct Unforgetting {
    table: Table,
    /// From how many runs on.
    from: u64,
}

struct Rememberer<'a> {
    of: &'a Unforgetting,
    behind: u64,
}

impl Unforgetting {
    fn from(from: u64) -> Self {
        Unforgetting {
            table: Table::new(Expect::Held, |_| Answer::Held),
            from,
        }
    }
}

impl Prepared for Unforgetting {
    fn scenario(&self) -> &str {
        self.table.scenario()
    }
    fn rules(&self) -> &'static str {
        self.table.rules()
    }
    fn expect(&self) -> &Expect {
        self.table.expect()
    }
    fn seed(&self) -> u64 {
        self.table.seed()
    }
    fn limit(&self) -> Span {
        self.table.limit()
    }
    fn hosts(&self) -> Vec<HostCast> {
        self.table.hosts()
    }

    fn laws(&self) -> Vec<LawCast> {
        Vec::new()
    }
    fn never_judged(&self) -> Vec<String> {
        Vec::new()
    }

    fn tolerated(&self) -> Tolerance {
        Tolerance {
            loss: 0.0,
            latency: Span::ZERO,
        }
    }

    fn timeline(&self) -> Vec<Happens> {
        Vec::new()
    }

    fn workload(&self) -> Vec<Happens> {
        Vec::new()
    }

    fn promises(&self) -> Vec<PromiseMade> {
        self.table.promises()
    }
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(Rememberer { of: self, behind: 0 })
    }
}

impl Worker for Rememberer<'_> {
    fn seen_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        self.trace_until(seed, stop)
    }

    fn run_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<Outcome, Stopped> {
        Ok(self.trace_until(seed, stop)?.0)
    }
    fn trace_until(&mut self, seed: u64, _stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped> {
        let mut outcome = self.of.table.outcome(seed);
        let has_begun = self.behind >= self.of.from;
        // Not the digest: all that an outcome holds is compared.
        outcome.traffic.sent = u64::from(has_begun);
        self.behind += 1;
        let event = |nth: u64, says: &str| TraceEvent {
            at: Time::ZERO + Span::from_millis(nth),
            host: Some(HostId(0)),
            what: Happening::Answer {
                call: nth,
                says: says.to_owned(),
            },
        };
        let tells = if has_begun { "remembers" } else { "begins" };
        let trace = Trace {
            hosts: vec!["a".to_owned()],
            ips: vec![[10, 0, 0, 1].into()],
            events: vec![event(1, "all is well"), event(2, tells)],
        };
        Ok((outcome, trace))
    }
}

#[test]
fn what_a_worker_carries_from_run_to_run_shows_with_the_event_that_it_changes() {
    for recheck in [Share::ALL, Share::millionths(20_000)] {
        for jobs in [1, 3] {
            let recheck = SweepOptions {
                recheck,
                ..options(jobs)
            };
            let difference = sweep(&Unforgetting::from(30), 0..100_000, &recheck).expect_err("it remembers");
            // Before the thirty-first run of its worker, nothing differs.
            assert!(difference.seed >= 30, "{difference}");
            assert_eq!(difference.digests[0], difference.digests[1]);
            let parting = difference.parting.as_ref().expect("a trace shows it");
            assert_eq!(parting.index, 1);
            let told = difference.to_string();
            assert!(told.contains("a answers remembers to call 2"), "{told}");
            assert!(told.contains("a answers begins to call 2"), "{told}");
        }
    }
}

#[test]
fn with_one_thread_the_first_run_that_differs_is_the_one_that_is_named() {
    let all = SweepOptions {
        recheck: Share::ALL,
        ..options(1)
    };
    let difference = sweep(&Unforgetting::from(30), 100..1_000, &all).expect_err("it remembers");
    assert_eq!(difference.seed, 130);
    let none = SweepOptions {
        recheck: Share::NONE,
        ..options(1)
    };
    let outcome = sweep(&Unforgetting::from(30), 100..1_000, &none).expect("nobody looks");
    assert_eq!((outcome.runs, outcome.rechecked), (900, 0));
}

#[test]
fn what_is_rechecked_is_counted_and_changes_nothing_else() {
    let table = Table::new(Expect::Held, mixed);
    let of = |recheck, jobs| {
        let options = SweepOptions {
            recheck,
            ..options(jobs)
        };
        sweep(&table, 5..1_777, &options).expect("the table says the same every time")
    };
    let none = of(Share::NONE, 2);
    assert_eq!((none.runs, none.rechecked), (1_772, 0));
    for jobs in [1, 2, 5] {
        let all = of(Share::ALL, jobs);
        assert_eq!(all.rechecked, 1_772, "{jobs} jobs");
        let some = of(Share::millionths(20_000), jobs);
        assert!((18..=53).contains(&some.rechecked), "{}", some.rechecked);
        for outcome in [all, some] {
            let rechecked = 0;
            assert_eq!(SweepOutcome { rechecked, ..outcome }, none, "{jobs} jobs");
        }
    }
    assert_eq!(swept(&table, 3..4, 2).rechecked, 1);
}
