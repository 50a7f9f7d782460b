//! A checked file as a line.

use serde::Serialize;
use squall_sim::runner::{Happens, Promise};

use super::{Expected, line};
use crate::text::{Checked, CheckedRules};

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
