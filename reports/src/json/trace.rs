//! A trace, a line an event.

use serde::Serialize;
use squall_sim::outcome::Outcome;
use squall_sim::trace::{Trace, TraceEvent};

use super::line;

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
