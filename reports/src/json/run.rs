//! A run, simulated or live, as a line.

use serde::Serialize;
use squall_sim::live::LiveRun;
use squall_sim::outcome::{FaultDone, Measured, Outcome, StreamTraffic, Traffic};

use super::{Expected, Invariant, line};

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

/// With the meaning of [`StreamTraffic`].
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
    duplicated: u64,
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
        duplicated,
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
        duplicated,
    }
}

#[derive(Serialize)]
struct Quiet {
    since_ns: u64,
    bound_ns: u64,
    /// How much more time than that it had.
    tolerance_ns: u64,
}
