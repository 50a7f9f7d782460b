//! What of a scenario cannot be played live: it is named before anything is started.
//!
#![doc = include_str!("faults.md")]

use rustix::process::{Resource, getrlimit};
use squall_nodes::Protocol;
use squall_sim::plan::{Clock, Cue, DiskOnRestart, Fault, Layer, LinkLaw, Plan, Step, Trigger};

use crate::door::Links;
use crate::ground::Edge;
use crate::netns;

/// How many open files the stage has of each host: its stdin, its stdout, and what tells of its end.
const FILES_EACH: u64 = 3;
/// How many it may have besides.
const FILES_BESIDES: u64 = 64;
/// How much memory a host is taken to need, in bytes: twice what a node of a hundred others has been seen to take.
const MEMORY_EACH: u64 = 24 << 20;

/// What of a plan cannot be played live, a sentence for each.
pub(crate) fn cannot<P: Protocol>(plan: &Plan<P>, links: Links) -> Vec<String> {
    let mut cannot = Vec::new();
    for host in &plan.hosts {
        if host.clock != Clock::default() {
            cannot.push(format!(
                "{} has a clock of its own, and a live host has its machine's",
                host.placed.name
            ));
        }
    }
    if plan.network.laws().any(corrupts) {
        cannot.push("links corrupt datagrams, and live ones are only ever lost whole".to_owned());
    }
    for step in &plan.timeline {
        cannot.extend(fault(step));
        cannot.extend(trigger(step));
    }
    cannot.extend(too_many(plan.hosts.len(), links));
    if links == Links::Netns {
        cannot.extend(netns::unavailable());
    }
    let mut told = Vec::new();
    // What a file says of many hosts alike is said once.
    cannot.retain(|sentence| {
        let is_new = !told.contains(sentence);
        told.push(sentence.clone());
        is_new
    });
    cannot
}

/// Why a fault cannot be done.
fn fault(step: &Step) -> Option<String> {
    let why = match &step.fault {
        Fault::Crash(..) | Fault::Pause(_) | Fault::Resume(_) | Fault::HealAll => return None,
        Fault::Restart { disk, .. } => match disk {
            DiskOnRestart::Kept | DiskOnRestart::Wiped => return None,
            DiskOnRestart::Stale | DiskOnRestart::Torn | DiskOnRestart::Corrupt => {
                "a real disk has what was written to it"
            }
        },
        Fault::Jump { .. } => "a live host has its machine's clock",
        // What cannot be laid is named where it is laid.
        Fault::Heal(_) => return None,
        Fault::Lay(layer) => match layer {
            Layer::Cut(_) | Layer::Flap { .. } => return None,
            Layer::Links { change, .. } => {
                if change.corrupt.is_none_or(|share| share == 0.0) {
                    return None;
                }
                "live datagrams are only ever lost whole"
            }
            Layer::Slow { .. } => "a live host is as quick as it is",
            Layer::SlowDisk { .. } | Layer::FailingDisk { .. } => "a real disk takes what it takes",
            Layer::Drift { .. } => "a live host has its machine's clock",
        },
    };
    Some(format!("{} cannot be done: {why}", step.label))
}

/// Why nobody hears what a step waits for.
fn trigger(step: &Step) -> Option<String> {
    let Trigger::When { cue, .. } = &step.trigger else {
        return None;
    };
    let what = match cue {
        // Whoever adds a cue gives it a row of the table.
        Cue::Fact(_) => return None,
        Cue::PersistBegun | Cue::PersistCompleted => "a write",
        Cue::Send(_) => "a datagram",
        Cue::Open(_) => "a connection",
    };
    Some(format!(
        "{} waits for {what}, and of a live host only what it claims is heard in time",
        step.label
    ))
}

fn corrupts(law: &LinkLaw) -> bool {
    law.corrupt > 0.0
}

/// Why the machine does not take so many hosts.
fn too_many(hosts: usize, links: Links) -> Option<String> {
    let most_addresses = match links {
        Links::Edge => Edge::MOST_HOSTS,
        Links::Netns => netns::MOST_HOSTS,
    };
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let by_files = files.saturating_sub(FILES_BESIDES) / FILES_EACH;
    let processes = getrlimit(Resource::Nproc).current.unwrap_or(u64::MAX);
    let by_memory = available_memory().unwrap_or(u64::MAX) / MEMORY_EACH;
    let bounds = [
        (most_addresses as u64, "there are no more addresses for them"),
        (
            by_files,
            "a process may have no more files open; raise `ulimit -n`",
        ),
        (processes, "a user may have no more processes; raise `ulimit -u`"),
        (by_memory, "there is no more memory"),
    ];
    let (most, why) = bounds.into_iter().min_by_key(|(most, _)| *most)?;
    (hosts as u64 > most).then(|| format!("of {hosts} hosts this machine takes {most}: {why}"))
}

/// How much memory can be had, in bytes.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests;
