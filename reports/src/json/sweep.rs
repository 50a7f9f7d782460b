//! A sweep as a line.

use serde::Serialize;
use squall_sim::outcome::{Measured, SweepOutcome};

use super::{Expected, Invariant, line};

/// A sweep as a line, without its end. `wall_ms` is how long it took, by a clock that is not ours.
///
/// `seeds` are those that were run, as are all numbers; `asked` are those that were asked for. The two differ only when the
/// sweep was stopped.
pub fn sweep(outcome: &SweepOutcome, wall_ms: u64, notes: &[String]) -> String {
    line(&Sweep {
        scenario: &outcome.scenario,
        rules: outcome.rules,
        seeds: outcome.done(),
        held: outcome.held,
        violated: outcome.violated,
        inconclusive: outcome.inconclusive,
        as_expected: outcome.as_expected,
        failures: outcome
            .failures
            .iter()
            .map(|failures| Failures {
                signature: &failures.signature,
                count: failures.count,
                first_seed: failures.first_seed,
            })
            .collect(),
        digest: outcome.digest.to_string(),
        wall_ms,
        asked: outcome.seeds,
        expect: Expected(&outcome.expect),
        measures: outcome.measures.iter().map(Distribution::of).collect(),
        samples_left_out: outcome.samples_left_out,
        faults: outcome
            .faults
            .iter()
            .map(|fault| FaultOverRuns {
                fault: &fault.fault,
                runs: fault.runs,
                affected: fault.affected,
            })
            .collect(),
        invariants: outcome.invariants.iter().map(Invariant::of).collect(),
        notes,
        rechecked: outcome.rechecked,
    })
}

#[derive(Serialize)]
struct Sweep<'a> {
    scenario: &'a str,
    rules: &'a str,
    seeds: (u64, u128),
    held: u64,
    violated: u64,
    inconclusive: u64,
    as_expected: bool,
    failures: Vec<Failures<'a>>,
    digest: String,
    wall_ms: u64,
    asked: (u64, u128),
    expect: Expected<'a>,
    measures: Vec<Distribution<'a>>,
    samples_left_out: u64,
    faults: Vec<FaultOverRuns<'a>>,
    invariants: Vec<Invariant<'a>>,
    notes: &'a [String],
    /// How many of the runs were done a second time and came out the same.
    rechecked: u64,
}

#[derive(Serialize)]
struct Failures<'a> {
    signature: &'a str,
    count: u64,
    first_seed: u64,
}

#[derive(Serialize)]
struct FaultOverRuns<'a> {
    fault: &'a str,
    runs: u64,
    affected: u64,
}

#[derive(Serialize)]
struct Distribution<'a> {
    name: &'a str,
    samples: u64,
    unfinished: u32,
    min_ns: Option<u64>,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl<'a> Distribution<'a> {
    fn of(measured: &'a Measured) -> Self {
        let ranks = crate::text::Ranks::of(&measured.samples);
        Distribution {
            name: &measured.name,
            samples: measured.samples.len() as u64,
            unfinished: measured.unfinished,
            min_ns: ranks.percentile(0),
            p50_ns: ranks.percentile(50),
            p90_ns: ranks.percentile(90),
            p99_ns: ranks.percentile(99),
            max_ns: ranks.percentile(100),
        }
    }
}
