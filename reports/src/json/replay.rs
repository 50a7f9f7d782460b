//! Replays as JSON: a line for each input that is wanted, and one for the whole.

use serde::Serialize;
use squall_nodes::recording::{Asked, CutWhy, Ended, Happened, Replay, Step};

use super::line;

/// A replay as a line, without its end. Times are in nanoseconds on the clock of the machine that recorded it.
pub fn replay(file: &str, replay: &Replay, notes: &[String]) -> String {
    let Replay { pilot, .. } = replay;
    let (ended, cut_at, cut_bytes) = match replay.ended {
        Ended::Stopped { .. } => ("stopped", None, None),
        Ended::Open => ("open", None, None),
        Ended::Full => ("full", None, None),
        Ended::Panicked => ("panicked", None, None),
        Ended::CutOff {
            at,
            bytes,
            why: CutWhy::Short,
        } => ("cut_short", Some(at), Some(bytes)),
        Ended::CutOff {
            at,
            bytes,
            why: CutWhy::Damaged,
        } => ("damaged", Some(at), Some(bytes)),
    };
    line(&Told {
        replay: file,
        identical: (!replay.is_empty()).then_some(replay.difference.is_none()),
        inputs: replay.inputs,
        effects: replay.effects,
        ended,
        cut_at,
        cut_bytes,
        difference: replay.difference.as_ref().map(|difference| Differs {
            input: difference.input,
            at_ns: difference.at.as_nanos(),
            told: &difference.told,
            effect: difference.effect,
            recorded: difference.recorded.as_deref(),
            replayed: difference.replayed.as_deref(),
        }),
        differing: replay.differing,
        skipped: replay.skipped,
        panicked: replay.panicked.as_deref(),
        rules: &replay.rules,
        last_ns: replay.last.as_nanos(),
        recorded: Recorded {
            version: &pilot.version,
            build: pilot.build.map(|build| format!("{build:016x}")),
            protocol: &pilot.protocol,
            rules: &pilot.rules,
            name: &pilot.name,
            ip: pilot.ip.to_string(),
            role: &pilot.role,
            config: &pilot.config,
            incarnation: pilot.incarnation,
            seed: pilot.seed,
            disk_bytes: pilot.disk,
            booted_ns: pilot.booted.as_nanos(),
        },
        notes,
    })
}

/// An input of a replay as a line, without its end.
pub fn step(step: &Step) -> String {
    let (effects, panicked, skipped) = match &step.happened {
        Happened::Asked(all) => (all.iter().map(effect).collect(), None, false),
        Happened::Panicked(said) => (Vec::new(), Some(said.as_str()), false),
        Happened::Skipped => (Vec::new(), None, true),
    };
    line(&Input {
        input: step.input,
        at_ns: step.at.as_nanos(),
        told: &step.told,
        effects,
        panicked,
        skipped,
    })
}

fn effect(asked: &Asked) -> Effect<'_> {
    match asked {
        Asked::AsRecorded(said) => Effect {
            as_recorded: true,
            recorded: Some(said),
            replayed: Some(said),
        },
        Asked::Otherwise { recorded, replayed } => Effect {
            as_recorded: false,
            recorded: recorded.as_deref(),
            replayed: replayed.as_deref(),
        },
    }
}

#[derive(Serialize)]
struct Told<'a> {
    replay: &'a str,
    /// `null` when there was nothing that could have been.
    identical: Option<bool>,
    inputs: u64,
    effects: u64,
    ended: &'static str,
    cut_at: Option<u64>,
    cut_bytes: Option<u64>,
    difference: Option<Differs<'a>>,
    differing: u64,
    skipped: u64,
    panicked: Option<&'a str>,
    rules: &'a str,
    last_ns: u64,
    recorded: Recorded<'a>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Differs<'a> {
    input: u64,
    at_ns: u64,
    told: &'a str,
    effect: u64,
    recorded: Option<&'a str>,
    replayed: Option<&'a str>,
}

#[derive(Serialize)]
struct Recorded<'a> {
    version: &'a str,
    build: Option<String>,
    protocol: &'a str,
    rules: &'a str,
    name: &'a str,
    ip: String,
    role: &'a str,
    config: &'a str,
    incarnation: u32,
    seed: u64,
    disk_bytes: Option<u64>,
    booted_ns: u64,
}

#[derive(Serialize)]
struct Input<'a> {
    input: u64,
    at_ns: u64,
    told: &'a str,
    effects: Vec<Effect<'a>>,
    panicked: Option<&'a str>,
    skipped: bool,
}

#[derive(Serialize)]
struct Effect<'a> {
    as_recorded: bool,
    recorded: Option<&'a str>,
    replayed: Option<&'a str>,
}

#[cfg(test)]
mod tests;
