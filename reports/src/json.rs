//! Results as JSON, one object a line, for programs.
//!
//! Keys stand in a fixed order and are never taken away; new ones are added at the end. Times are in nanoseconds of virtual
//! time, counted from the beginning of the run, but for `wall_ms`; digests are 32 hexadecimal digits. `expect` is `"held"`, or
//! the list of the invariants of which one is to be violated.

mod compare;
pub mod replay;

use serde::{Serialize, Serializer};
use squall_sim::live::LiveRun;
use squall_sim::outcome::{
    FaultDone, InvariantDone, Measured, Outcome, Standing, StreamTraffic, SweepOutcome, Traffic,
};
use squall_sim::plan::Expect;
use squall_sim::runner::{Happens, Promise};
use squall_sim::trace::{Trace, TraceEvent};

pub use self::compare::compare;
use crate::text::{Checked, CheckedRules};

/// A run as a line, without its end. `notes` are what the program has to say besides: bounds that were loosened, promises
/// that were never judged.
pub fn run(outcome: &Outcome, notes: &[String]) -> String {
    line(&run_of(outcome, notes))
}

/// A live run as a line, without its end: as a simulated one, and at the end under `live` what the machine had to do with it.
pub fn live(run: &LiveRun, notes: &[String]) -> String {
    let host = |host: &squall_sim::live::HostUse| LiveHost {
        name: host.name.clone(),
        cpu_ns: host.cpu.as_nanos(),
        peak_memory: host.peak_memory,
    };
    line(&Live {
        run: run_of(&run.outcome, notes),
        live: Machine {
            tolerance_ns: run.tolerance.as_nanos(),
            stalls: run.stalls.count,
            longest_stall_ns: run.stalls.longest.as_nanos(),
            hosts: run.hosts.iter().map(host).collect(),
        },
    })
}

fn run_of<'a>(outcome: &'a Outcome, notes: &'a [String]) -> Run<'a> {
    Run {
        scenario: &outcome.scenario,
        rules: outcome.rules,
        seed: outcome.seed,
        verdict: outcome.verdict.to_string(),
        as_expected: outcome.as_expected,
        violation: outcome.violation.as_ref().map(|violation| Violation {
            invariant: &violation.invariant,
            at_ns: violation.at.as_nanos(),
            detail: &violation.detail,
        }),
        digest: outcome.digest.to_string(),
        events: outcome.events,
        virtual_ns: outcome.virtual_time.as_nanos(),
        measures: outcome.measures.iter().map(Measure::of).collect(),
        faults: outcome.faults.iter().map(Fault::of).collect(),
        invariants: outcome.invariants.iter().map(Invariant::of).collect(),
        expect: Expected(&outcome.expect),
        doubts: &outcome.doubts,
        traffic: traffic(&outcome.traffic),
        promised: outcome
            .violation
            .as_ref()
            .map(|violation| violation.promised.as_str()),
        hosts_involved: outcome
            .violation
            .as_ref()
            .map_or(&[], |violation| violation.hosts.as_slice()),
        notes,
        undone: outcome
            .undone()
            .into_iter()
            .map(|entry| outcome.faults[entry].fault.as_str())
            .collect(),
        quiet: outcome
            .violation
            .as_ref()
            .and_then(|violation| violation.quiet)
            .map(|quiet| Quiet {
                since_ns: quiet.since.as_nanos(),
                bound_ns: quiet.bound.as_nanos(),
                tolerance_ns: quiet.tolerance.as_nanos(),
            }),
    }
}

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

/// A checked file as a line, without its end.
pub fn check(checked: &Checked) -> String {
    line(&Check {
        scenario: &checked.scenario,
        ok: checked.is_ok(),
        complaints: checked
            .complaints
            .iter()
            .map(|complaint| Complained {
                line: complaint.place.as_ref().map(|place| place.line),
                column: complaint.place.as_ref().map(|place| place.column),
                message: &complaint.message,
                hint: complaint.hint.as_deref(),
            })
            .collect(),
        protocol: checked.protocol.as_deref(),
        hosts: checked
            .hosts
            .iter()
            .map(|host| Host {
                name: &host.name,
                role: &host.role,
                zone: host.zone.as_deref(),
                offset_ns: Some(host.clock.offset.as_nanos()).filter(|offset| *offset > 0),
                drift_ppm: Some(host.clock.drift_ppm).filter(|ppm| *ppm != 0),
            })
            .collect(),
        laws: checked
            .laws
            .iter()
            .map(|law| Law {
                of: &law.of,
                says: &law.says,
            })
            .collect(),
        limit_ns: checked.limit.map(|limit| limit.as_nanos()),
        seed: checked.seed,
        tags: &checked.tags,
        rules: checked.rules.iter().map(CheckRules::of).collect(),
        notes: &checked.notes,
        resolved: checked.resolved.as_deref(),
        timeline: checked.timeline.iter().map(Entry::of).collect(),
        workload: checked.workload.iter().map(Entry::of).collect(),
    })
}

/// The first line of a trace, without its end: which run it is of, and the hosts that its events number.
pub fn trace_header(outcome: &Outcome, trace: &Trace) -> String {
    line(&TraceHeader {
        scenario: &outcome.scenario,
        rules: outcome.rules,
        seed: outcome.seed,
        verdict: outcome.verdict.to_string(),
        digest: outcome.digest.to_string(),
        hosts: &trace.hosts,
        ips: trace.ips.iter().map(ToString::to_string).collect(),
    })
}

/// An event of a trace as a line, without its end.
pub fn trace_event(event: &TraceEvent) -> String {
    line(event)
}

/// All that is written here is plain data with text for keys, which `serde_json` cannot refuse.
/// How something stands to what a file expects, in a word.
fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::AsExpected => "as_expected",
        Standing::Otherwise => "otherwise",
        Standing::Unknown => "unknown",
    }
}

fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

#[derive(Serialize)]
struct Live<'a> {
    #[serde(flatten)]
    run: Run<'a>,
    live: Machine,
}

#[derive(Serialize)]
struct Machine {
    tolerance_ns: u64,
    stalls: u64,
    longest_stall_ns: u64,
    hosts: Vec<LiveHost>,
}

#[derive(Serialize)]
struct LiveHost {
    name: String,
    cpu_ns: u64,
    peak_memory: u64,
}

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    rules: &'a str,
    seed: u64,
    verdict: String,
    as_expected: bool,
    violation: Option<Violation<'a>>,
    digest: String,
    events: u64,
    virtual_ns: u64,
    measures: Vec<Measure<'a>>,
    faults: Vec<Fault<'a>>,
    invariants: Vec<Invariant<'a>>,
    expect: Expected<'a>,
    doubts: &'a [String],
    traffic: TrafficCounts,
    promised: Option<&'a str>,
    hosts_involved: &'a [String],
    notes: &'a [String],
    /// Of a run that was violated: the faults that had not happened or touched nothing by then.
    undone: Vec<&'a str>,
    /// Of a promise that waits for quiet, when it was broken.
    quiet: Option<Quiet>,
}

#[derive(Serialize)]
struct Violation<'a> {
    invariant: &'a str,
    at_ns: u64,
    detail: &'a str,
}

#[derive(Serialize)]
struct Measure<'a> {
    name: &'a str,
    samples_ns: Vec<u64>,
    unfinished: u32,
}

impl<'a> Measure<'a> {
    fn of(measured: &'a Measured) -> Self {
        Measure {
            name: &measured.name,
            samples_ns: measured.samples.iter().map(|sample| sample.as_nanos()).collect(),
            unfinished: measured.unfinished,
        }
    }
}

#[derive(Serialize)]
struct Fault<'a> {
    fault: &'a str,
    at_ns: Option<u64>,
    affected: u64,
}

impl<'a> Fault<'a> {
    fn of(done: &'a FaultDone) -> Self {
        Fault {
            fault: &done.fault,
            at_ns: done.at.map(|at| at.as_nanos()),
            affected: done.affected,
        }
    }
}

#[derive(Serialize)]
struct Invariant<'a> {
    name: &'a str,
    judged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided: Option<&'a str>,
}

impl<'a> Invariant<'a> {
    fn of(done: &'a InvariantDone) -> Self {
        Invariant {
            name: &done.name,
            judged: done.judged,
            undecided: done.undecided.as_deref(),
        }
    }
}

/// In the order and with the meaning of [`Traffic`].
#[derive(Serialize)]
struct TrafficCounts {
    sent: u64,
    duplicated: u64,
    delivered: u64,
    lost: u64,
    cut: u64,
    to_nobody: u64,
    overflowed: u64,
    congested: u64,
    too_long: u64,
    corrupted: u64,
    in_flight: u64,
    /// Where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<StreamCounts>,
}

/// In the order and with the meaning of [`StreamTraffic`].
#[derive(Serialize)]
struct StreamCounts {
    opened: u64,
    refused: u64,
    reset: u64,
    timed_out: u64,
    closed: u64,
    turned_away: u64,
    written: u64,
    delivered: u64,
    packets: u64,
    sent_again: u64,
    lost: u64,
}

fn traffic(traffic: &Traffic) -> TrafficCounts {
    let Traffic {
        sent,
        duplicated,
        delivered,
        lost,
        cut,
        to_nobody,
        overflowed,
        congested,
        too_long,
        corrupted,
        in_flight,
        streams,
    } = *traffic;
    TrafficCounts {
        sent,
        duplicated,
        delivered,
        lost,
        cut,
        to_nobody,
        overflowed,
        congested,
        too_long,
        corrupted,
        in_flight,
        streams: (streams != StreamTraffic::default()).then(|| stream_traffic(&streams)),
    }
}

fn stream_traffic(streams: &StreamTraffic) -> StreamCounts {
    let StreamTraffic {
        opened,
        refused,
        reset,
        timed_out,
        closed,
        turned_away,
        written,
        delivered,
        packets,
        sent_again,
        lost,
    } = *streams;
    StreamCounts {
        opened,
        refused,
        reset,
        timed_out,
        closed,
        turned_away,
        written,
        delivered,
        packets,
        sent_again,
        lost,
    }
}

/// `"held"`, or the list of the invariants of which one is expected to be violated.
struct Expected<'a>(&'a Expect);

impl Serialize for Expected<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Expect::Held => serializer.serialize_str("held"),
            Expect::Violated(names) => names.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Quiet {
    since_ns: u64,
    bound_ns: u64,
    /// How much more time than that it had.
    tolerance_ns: u64,
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

#[derive(Serialize)]
struct Check<'a> {
    scenario: &'a str,
    ok: bool,
    complaints: Vec<Complained<'a>>,
    protocol: Option<&'a str>,
    hosts: Vec<Host<'a>>,
    laws: Vec<Law<'a>>,
    limit_ns: Option<u64>,
    seed: Option<u64>,
    tags: &'a [String],
    rules: Vec<CheckRules<'a>>,
    notes: &'a [String],
    /// The resolved form of the file, where it was asked for.
    resolved: Option<&'a str>,
    timeline: Vec<Entry<'a>>,
    workload: Vec<Entry<'a>>,
}

/// What happens when, in the words that people read.
#[derive(Serialize)]
struct Entry<'a> {
    when: &'a str,
    what: &'a str,
}

impl<'a> Entry<'a> {
    fn of(happens: &'a Happens) -> Self {
        Entry {
            when: &happens.when,
            what: &happens.what,
        }
    }
}

#[derive(Serialize)]
struct Complained<'a> {
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift_ppm: Option<i32>,
}

#[derive(Serialize)]
struct Law<'a> {
    of: &'a str,
    says: &'a str,
}

#[derive(Serialize)]
struct CheckRules<'a> {
    rules: &'a str,
    expect: Expected<'a>,
    promises: Vec<PromiseMade<'a>>,
    tolerated: Tolerated,
}

#[derive(Serialize)]
struct Tolerated {
    loss: f64,
    latency_ns: u64,
}

#[derive(Serialize)]
struct PromiseMade<'a> {
    name: &'a str,
    says: &'a str,
    bound_ns: Option<u64>,
    default_bound_ns: Option<u64>,
}

impl<'a> CheckRules<'a> {
    fn of(checked: &'a CheckedRules) -> Self {
        CheckRules {
            rules: checked.rules,
            expect: Expected(&checked.expect),
            promises: checked
                .promises
                .iter()
                .map(|made| PromiseMade {
                    name: &made.name,
                    says: made.says,
                    bound_ns: bound_ns(&made.promise),
                    default_bound_ns: bound_ns(&made.by_default),
                })
                .collect(),
            tolerated: Tolerated {
                loss: checked.tolerated.loss,
                latency_ns: checked.tolerated.latency.as_nanos(),
            },
        }
    }
}

fn bound_ns(promise: &Promise) -> Option<u64> {
    match promise {
        Promise::Always => None,
        Promise::InQuiet { bound } => Some(bound.as_nanos()),
    }
}

#[derive(Serialize)]
struct TraceHeader<'a> {
    scenario: &'a str,
    rules: &'a str,
    seed: u64,
    verdict: String,
    digest: String,
    hosts: &'a [String],
    ips: Vec<String>,
}

#[cfg(test)]
mod tests;
