//! What happened to the world, as a story tells it: a flap is one line, and so are all late datagrams of one link; and what a
//! fault did first is told however far back it is.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use squall_sim::trace::{Cause, Change, Happening, HostId, Span, Time, Trace};

use self::words::{Laid, name, told, with_fault};
pub(super) use self::words::{change_of, laid};
use crate::look::millis;

/// The kind of the faults that lay a layer which comes and goes.
const FLAP: &str = "flap";
/// What lets a host boot for the first time. It is no fault, and all that there is to say of it is that the host comes up.
const START: &str = "start";

/// How many of the changes that were the first of a fault, but touched none of the hosts involved, are shown: the last.
const LAST_FIRSTS: usize = 24;
/// How many of the changes that a fault had made before are shown: the last.
const LAST_AGAIN: usize = 12;
/// Of how many links it is told that datagrams came late or found no room: of those where it was so first last.
const LAST_LINKS: usize = 8;
/// How many lines tell what the machine of a live run did by itself, and how long it took over changes: the last.
const LAST_OF_MACHINE: usize = 8;

/// The lines of a story that tell of the world.
pub(super) struct World<'t> {
    /// By the place of the first event that each tells.
    lines: BTreeMap<usize, Line<'t>>,
    /// All events that are told.
    told: BTreeSet<usize>,
    laid: BTreeMap<u32, Laid<'t>>,
}

impl<'t> World<'t> {
    /// What is told of a run whose violation is one of the hosts `involved`; of the whole world, where these are none.
    pub(super) fn of(trace: &'t Trace, involved: &[usize]) -> Self {
        let laid = laid(trace);
        let (mut lines, implied) = gather(trace, involved, &laid);
        let mut shown: BTreeMap<Rank, usize> = BTreeMap::new();
        lines = lines
            .into_iter()
            .rev()
            .filter(|(_, line)| {
                let shown = shown.entry(line.rank).or_default();
                *shown += 1;
                *shown <= line.rank.room()
            })
            .collect();
        let told = lines.values().flat_map(|line| line.events.iter().copied());
        World {
            told: told.chain(implied).collect(),
            lines,
            laid,
        }
    }

    /// The places in the trace where lines stand.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.lines.keys().copied()
    }

    /// Whether an event is told, in a line of its own or with others.
    pub(super) fn tells(&self, nth: usize) -> bool {
        self.told.contains(&nth)
    }

    /// The line that stands at a place.
    pub(super) fn says(&self, nth: usize, trace: &Trace) -> Option<String> {
        let line = self.lines.get(&nth)?;
        let Happening::World { change, fault, cause } = &trace.events.get(nth)?.what else {
            return None;
        };
        let (first, last) = (line.events.first()?, line.events.last()?);
        let at = |nth: &usize| trace.events.get(*nth).map_or(Time::ZERO, |event| event.at);
        let when = format!(
            "{} times from {} to {} ms",
            line.times,
            millis(at(first).as_nanos()),
            millis(at(last).as_nanos())
        );
        let name = |host: &HostId| name(*host, trace);
        Some(match (line.fold, change) {
            (Some(Fold::Flap(..)), _) if line.events.len() > 1 => {
                let times = if line.times == 1 {
                    format!("once, until {} ms", millis(at(last).as_nanos()))
                } else {
                    when
                };
                with_fault(&format!("links flap {times}"), &told(fault, cause.as_ref()))
            }
            (Some(Fold::Late { .. }), Change::Straggled { from, to }) if line.times > 1 => {
                format!("datagrams from {} to {} come late, {when}", name(from), name(to))
            }
            (Some(Fold::Choked { .. }), Change::Choked { from, to }) if line.times > 1 => format!(
                "the link from {} to {} drops for want of room, {when}: {fault}",
                name(from),
                name(to)
            ),
            _ => change_of(change, Some((fault, cause.as_ref())), &self.laid, trace),
        })
    }
}

struct Line<'t> {
    /// The events that it tells, ascending.
    events: Vec<usize>,
    /// How often it happened: of a flap, how often it cut.
    times: usize,
    rank: Rank,
    fold: Option<Fold<'t>>,
}

/// What is told in one line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold<'t> {
    /// The turns of a flap that an entry of the timeline laid.
    Flap(u32),
    /// Late datagrams of a link.
    Late { from: HostId, to: HostId },
    /// Datagrams that a link had no room for under one fault.
    Choked {
        from: HostId,
        to: HostId,
        fault: &'t str,
    },
    /// A stall, which is told of when it begins and when it ends.
    Stall { host: HostId, by: Span },
}

/// Which lines are left out first when there are many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// What a fault first did to the hosts involved. It may be why the promise broke.
    Cause,
    /// What a fault first did to others.
    First,
    /// What a fault did again.
    Again,
    /// What came of a link's law.
    Link,
    /// What the machine of a live run did, and how far a fault had come on it.
    Machine,
}

impl Rank {
    fn room(self) -> usize {
        match self {
            Rank::Cause => usize::MAX,
            Rank::First => LAST_FIRSTS,
            Rank::Again => LAST_AGAIN,
            Rank::Link => LAST_LINKS,
            Rank::Machine => LAST_OF_MACHINE,
        }
    }
}

/// All that could be told, by the place of the first event of each line; and the events that these imply.
fn gather<'t>(
    trace: &'t Trace,
    involved: &[usize],
    laid: &BTreeMap<u32, Laid<'t>>,
) -> (BTreeMap<usize, Line<'t>>, Vec<usize>) {
    let mut implied = Vec::new();
    let mut lines: BTreeMap<usize, Line<'t>> = BTreeMap::new();
    let mut folds: BTreeMap<Fold<'t>, usize> = BTreeMap::new();
    let mut known = BTreeSet::new();
    // The cuts that touch the hosts involved: their healing does too.
    let mut touching = BTreeSet::new();
    for (nth, event) in trace.events.iter().enumerate() {
        let Happening::World { change, fault, cause } = &event.what else {
            continue;
        };
        let is_course = matches!(change, Change::Unsettled { .. } | Change::Settled { .. });
        let is_start = cause.is_none() && fault == START;
        if (is_course && is_start) || says_no_more_than_the_next(trace, nth) {
            implied.push(nth);
            continue;
        }
        let of = match change {
            Change::Healed { layer } => laid.get(layer).copied(),
            _ => None,
        };
        let fold = Fold::of(change, fault, cause.as_ref(), of);
        let open = fold
            .and_then(|fold| folds.get(&fold))
            .and_then(|first| lines.get_mut(first));
        if let Some(line) = open {
            line.events.push(nth);
            line.times += usize::from(!matches!(change, Change::Healed { .. }));
            continue;
        }
        if let (None, Some(entry)) = (fold, of.and_then(|laid| laid.entry)) {
            // A flap that is laid again later is another.
            folds.remove(&Fold::Flap(entry));
        }
        let touches = match change {
            Change::Cut { layer, cut } => {
                let hosts = || (0..trace.hosts.len()).map(|host| HostId(host as u32));
                let parts =
                    |host: HostId| hosts().any(|other| cut.blocks(host, other) || cut.blocks(other, host));
                let touches = involved.is_empty() || involved.iter().any(|host| parts(HostId(*host as u32)));
                if touches {
                    touching.insert(*layer);
                }
                touches
            }
            Change::Healed { layer } => touching.contains(layer),
            _ => match host_of(change) {
                Some(host) => involved.is_empty() || involved.contains(&host.index()),
                // Laws are of links between anyone.
                None => true,
            },
        };
        // A fault over many hosts is a cause for each of those involved.
        let whose = host_of(change).filter(|_| touches && !involved.is_empty());
        let rank = match change {
            Change::Straggled { .. }
            | Change::Choked { .. }
            | Change::StreamStuck { .. }
            | Change::StreamFlows { .. } => Rank::Link,
            // What a fault does is still to be told.
            Change::Unsettled { .. } | Change::Settled { .. } | Change::Stalled { .. } => Rank::Machine,
            _ => {
                let is_first = known.insert((fault.as_str(), of.map(|laid| laid.fault), whose));
                match (is_first, touches) {
                    (true, true) => Rank::Cause,
                    (true, false) => Rank::First,
                    (false, _) => Rank::Again,
                }
            }
        };
        if let Some(fold) = fold {
            folds.insert(fold, nth);
        }
        let line = Line {
            events: vec![nth],
            times: 1,
            rank,
            fold,
        };
        lines.insert(nth, line);
    }
    (lines, implied)
}

/// Whether an event says that a fault is under way, and the next change of the world is what it does, at once.
fn says_no_more_than_the_next(trace: &Trace, nth: usize) -> bool {
    let mut world = trace.events[nth..].iter().filter_map(|event| match &event.what {
        Happening::World { change, fault, .. } => Some((event.at, fault, change)),
        _ => None,
    });
    match (world.next(), world.next()) {
        (Some((at, fault, Change::Unsettled { .. })), Some((then, of, change))) => {
            at == then && fault == of && !matches!(change, Change::Settled { .. })
        }
        _ => false,
    }
}

impl<'t> Fold<'t> {
    /// What a change is told with; `of` is what laid the cut that it takes away.
    fn of(change: &Change, fault: &'t str, cause: Option<&Cause>, of: Option<Laid<'_>>) -> Option<Self> {
        let flap = cause.filter(|cause| cause.kind == FLAP).map(|cause| cause.entry);
        match change {
            Change::Cut { .. } => flap.map(Fold::Flap),
            // Healed by what laid it: it opens by itself.
            Change::Healed { .. } => flap
                .filter(|flap| of.is_some_and(|laid| laid.entry == Some(*flap)))
                .map(Fold::Flap),
            Change::Straggled { from, to } => Some(Fold::Late { from: *from, to: *to }),
            Change::Choked { from, to } => Some(Fold::Choked {
                from: *from,
                to: *to,
                fault,
            }),
            Change::Stalled { host, by } => Some(Fold::Stall { host: *host, by: *by }),
            _ => None,
        }
    }
}

/// The host that a change is of, where it is of one.
fn host_of(change: &Change) -> Option<HostId> {
    match change {
        Change::Up { host, .. }
        | Change::Down { host, .. }
        | Change::Paused { host }
        | Change::Resumed { host }
        | Change::Slowed { host, .. }
        | Change::Disk { host, .. }
        | Change::Drift { host, .. }
        | Change::Jumped { host, .. }
        | Change::Stalled { host, .. } => Some(*host),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
