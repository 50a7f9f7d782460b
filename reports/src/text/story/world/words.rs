//! Changes of the world in words, with the faults that made them.

use std::collections::BTreeMap;

use squall_sim::trace::{Cause, Change, Crash, DiskAtBoot, DiskState, Happening, HostId, Trace};

use crate::look::millis;

/// The kind of the faults that take a layer away.
const HEAL: &str = "heal";

/// What laid a layer of cuts.
#[derive(Clone, Copy)]
pub(in super::super) struct Laid<'t> {
    pub(super) fault: &'t str,
    /// The entry of the timeline that did.
    pub(super) entry: Option<u32>,
}

/// What laid each layer of cuts, by the layer's number.
pub(in super::super) fn laid(trace: &Trace) -> BTreeMap<u32, Laid<'_>> {
    let laid = trace.events.iter().filter_map(|event| match &event.what {
        Happening::World {
            change: Change::Cut { layer, .. },
            fault,
            cause,
        } => {
            let entry = cause.as_ref().map(|cause| cause.entry);
            Some((*layer, Laid { fault, entry }))
        }
        _ => None,
    });
    laid.collect()
}

/// A change in words, with the fault that made it where one is given.
pub(in super::super) fn change_of(
    change: &Change,
    fault: Option<(&str, Option<&Cause>)>,
    laid: &BTreeMap<u32, Laid<'_>>,
    trace: &Trace,
) -> String {
    let name = |host: &HostId| name(*host, trace);
    let what = match change {
        Change::Up {
            host,
            incarnation,
            disk,
        } => {
            let disk = match disk {
                DiskAtBoot::Fresh => "with an empty disk",
                DiskAtBoot::Kept => "with its disk kept",
                DiskAtBoot::Wiped => "with its disk wiped",
                DiskAtBoot::Stale => "with its disk as before the last write",
                DiskAtBoot::Torn => "with the last write torn",
                DiskAtBoot::Corrupt => "with a byte of its disk changed",
                _ => "",
            };
            let life = if *incarnation == 0 {
                "for the first time"
            } else {
                "again"
            };
            format!("{} comes up {life} {disk}", name(host))
        }
        Change::Down {
            host,
            how: Crash::Kill,
        } => format!("{} is killed", name(host)),
        Change::Down {
            host,
            how: Crash::PowerCut,
        } => format!("{} loses power", name(host)),
        Change::Paused { host } => format!("{} is paused", name(host)),
        Change::Resumed { host } => format!("{} runs on", name(host)),
        Change::Cut { .. } => "links are cut".to_owned(),
        Change::Healed { layer } => return healed(laid.get(layer).copied(), fault),
        Change::Links { beyond } if beyond.is_empty() => {
            "links have other laws, all of them tolerated".to_owned()
        }
        Change::Links { beyond } => {
            format!(
                "links have other laws, {} of them beyond what is tolerated",
                beyond.len()
            )
        }
        // No fault does that of itself: the law of the link did when the datagram was sent.
        Change::Straggled { from, to } => {
            return format!("a datagram from {} to {} comes late", name(from), name(to));
        }
        // What dropped its packets is told where it begins.
        Change::StreamStuck { from, to } => {
            return format!("a stream from {} to {} is held up", name(from), name(to));
        }
        Change::StreamFlows { from, to } => {
            return format!(
                "no stream from {} to {} is held up any more",
                name(from),
                name(to)
            );
        }
        Change::Choked { from, to } => format!(
            "the link from {} to {} drops for want of room",
            name(from),
            name(to)
        ),
        Change::Slowed { host, by } if by.is_zero() => format!("{} is as quick as it was", name(host)),
        Change::Slowed { host, by } => format!("{} is slow: {by} for each input", name(host)),
        Change::Disk {
            host,
            state: DiskState::Sound,
        } => format!("{}'s disk is sound again", name(host)),
        Change::Disk {
            host,
            state: DiskState::Ailing,
        } => format!("{}'s disk is ailing", name(host)),
        Change::Drift { host, ppm: 0 } => format!("{}'s clock goes as it should again", name(host)),
        Change::Drift { host, ppm } => format!("{}'s clock goes {ppm:+} ppm", name(host)),
        Change::Jumped { host, by } => format!("{}'s clock jumps {by} forward", name(host)),
        Change::Unsettled { .. } => return course("is under way", fault),
        Change::Settled { .. } => return course("is done everywhere", fault),
        // It is the machine that does that, and nothing else.
        Change::Stalled { host, by } => {
            let by = millis(by.as_nanos());
            return format!("{} is kept from running for {by} ms", name(host));
        }
        _ => "the world changes".to_owned(),
    };
    match fault {
        Some((fault, cause)) => with_fault(what.trim_end(), &told(fault, cause)),
        None => what.trim_end().to_owned(),
    }
}

/// That a cut was taken away: which, and by what, unless that says no more.
fn healed(laid: Option<Laid<'_>>, fault: Option<(&str, Option<&Cause>)>) -> String {
    let what = match laid {
        Some(laid) => format!("links are healed of {}", laid.fault),
        None => "links are healed".to_owned(),
    };
    match (laid, fault) {
        (_, None) => what,
        // It is over by itself.
        (Some(laid), Some((_, Some(cause)))) if laid.entry == Some(cause.entry) => what,
        // What is healed is what the healing names.
        (Some(_), Some((_, Some(cause)))) if cause.kind == HEAL => match &cause.when {
            Some(when) => format!("{what}, {when}"),
            None => what,
        },
        (_, Some((fault, cause))) => with_fault(&what, &told(fault, cause)),
    }
}

/// How far a fault has come.
fn course(how: &str, fault: Option<(&str, Option<&Cause>)>) -> String {
    let Some((fault, cause)) = fault.filter(|(fault, _)| !fault.is_empty()) else {
        return format!("a change {how}");
    };
    told(&format!("{fault} {how}"), cause)
}

/// A fault, with what triggered it.
pub(super) fn told(fault: &str, cause: Option<&Cause>) -> String {
    match cause.and_then(|cause| cause.when.as_deref()) {
        Some(when) => format!("{fault}, {when}"),
        None => fault.to_owned(),
    }
}

pub(super) fn with_fault(what: &str, fault: &str) -> String {
    if fault.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {fault}")
    }
}

pub(super) fn name(host: HostId, trace: &Trace) -> &str {
    trace.hosts.get(host.index()).map_or("?", String::as_str)
}
