//! What happened to the world, as a story tells it: a flap is one line, and so are all late datagrams of one link; and what a
//! fault did first is told however far back it is.

use std::collections::{BTreeMap, BTreeSet};

use squall_sim::trace::{Cause, Change, Crash, DiskAtBoot, DiskState, Happening, HostId, Span, Time, Trace};

use crate::look::millis;

/// The kinds of the faults that take a layer away, and that lay one which comes and goes.
const HEAL: &str = "heal";
const FLAP: &str = "flap";

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
        let mut lines = gather(trace, involved, &laid);
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
            told: told.collect(),
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

/// What laid a layer of cuts.
#[derive(Clone, Copy)]
pub(super) struct Laid<'t> {
    fault: &'t str,
    /// The entry of the timeline that did.
    entry: Option<u32>,
}

/// What laid each layer of cuts, by the layer's number.
pub(super) fn laid(trace: &Trace) -> BTreeMap<u32, Laid<'_>> {
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
pub(super) fn change_of(
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
fn told(fault: &str, cause: Option<&Cause>) -> String {
    match cause.and_then(|cause| cause.when.as_deref()) {
        Some(when) => format!("{fault}, {when}"),
        None => fault.to_owned(),
    }
}

fn with_fault(what: &str, fault: &str) -> String {
    if fault.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {fault}")
    }
}

fn name(host: HostId, trace: &Trace) -> &str {
    trace.hosts.get(host.index()).map_or("?", String::as_str)
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

/// All that could be told, by the place of the first event of each line.
fn gather<'t>(
    trace: &'t Trace,
    involved: &[usize],
    laid: &BTreeMap<u32, Laid<'t>>,
) -> BTreeMap<usize, Line<'t>> {
    let mut lines: BTreeMap<usize, Line<'t>> = BTreeMap::new();
    let mut folds: BTreeMap<Fold<'t>, usize> = BTreeMap::new();
    let mut known = BTreeSet::new();
    // The cuts that touch the hosts involved: their healing does too.
    let mut touching = BTreeSet::new();
    for (nth, event) in trace.events.iter().enumerate() {
        let Happening::World { change, fault, cause } = &event.what else {
            continue;
        };
        if says_no_more_than_the_next(trace, nth) {
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
    lines
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
mod tests {
    use squall_sim::trace::{Cut, TraceEvent};

    use super::*;
    use crate::look::Look;
    use crate::{sample, text};

    /// The story of a violation of `c1` and `c2` after these changes, each 1 ms after the last.
    fn story(changes: Vec<(Change, &str)>) -> String {
        let with_cause = |(change, fault): (Change, &str)| (change, (fault.to_owned(), sample::cause(fault)));
        story_of(changes.into_iter().map(with_cause).collect())
    }

    fn story_of(changes: Vec<(Change, (String, Option<Cause>))>) -> String {
        let events = changes
            .into_iter()
            .enumerate()
            .map(|(nth, (change, (fault, cause)))| TraceEvent {
                at: Time::ZERO + Span::from_millis(nth as u64),
                host: None,
                what: Happening::World { change, fault, cause },
            });
        let trace = Trace {
            events: events.collect(),
            ..sample::trace()
        };
        text::story(&sample::violated(true), &trace, None, &Look::plain("squall"))
    }

    /// A cut between `s` and the others.
    fn cut(layer: u32) -> Change {
        let cut = Cut::Groups(vec![0, 1, 1]);
        Change::Cut { layer, cut }
    }

    fn late(from: u32) -> Change {
        Change::Straggled {
            from: HostId(from),
            to: HostId(0),
        }
    }

    #[test]
    fn a_triggered_fault_is_told_with_what_triggered_it_and_the_healing_of_it_in_short() {
        let by = |kind: &str, entry, fault: &str, when: &str| {
            let cause = Cause {
                entry,
                kind: kind.to_owned(),
                actor: Some(HostId(1)),
                when: Some(when.to_owned()),
            };
            (fault.to_owned(), Some(cause))
        };
        let laid = || by("partition", 0, "partition(c1)", "when c1 had completed a write");
        let flaps = || {
            by(
                "flap",
                1,
                "flap(partition(c1), 1ms down, 1ms up)",
                "1s after c1 claimed promoted",
            )
        };
        let heal = by("heal", 2, "heal(partition(c1))", "when c1 claimed joined");
        let heal_all = by("heal_all", 3, "heal_all", "when c2 claimed joined");
        let said = story_of(vec![
            (cut(1), laid()),
            (Change::Healed { layer: 1 }, heal),
            (cut(2), flaps()),
            (Change::Healed { layer: 2 }, flaps()),
            (cut(3), flaps()),
            (Change::Healed { layer: 3 }, heal_all),
        ]);
        for told in [
            "world  links are cut: partition(c1), when c1 had completed a write\n",
            "world  links are healed of partition(c1), when c1 claimed joined\n",
            "world  links flap 2 times from 2.000 to 4.000 ms: flap(partition(c1), 1ms down, 1ms up), 1s after c1 claimed promoted\n",
            "world  links are healed of flap(partition(c1), 1ms down, 1ms up): heal_all, when c2 claimed joined\n",
        ] {
            assert!(said.contains(told), "{told} in {said}");
        }
    }

    #[test]
    fn what_caused_it_outlasts_what_came_after_it() {
        let mut changes = vec![(cut(1), "partition(s | c1 c2)")];
        for turn in 2..60 {
            changes.push((cut(turn), "flap(ring(s c1 c2), 1ms down, 1ms up)"));
            changes.push((
                Change::Healed { layer: turn },
                "flap(ring(s c1 c2), 1ms down, 1ms up)",
            ));
            changes.push((late(1), "link"));
        }
        changes.push((late(2), "link"));
        changes.push((Change::Healed { layer: 1 }, "heal(partition(s | c1 c2))"));
        let expected = "
      0.000  world  links are cut: partition(s | c1 c2)
      1.000  world  links flap 58 times from 1.000 to 173.000 ms: flap(ring(s c1 c2), 1ms down, 1ms up)
      3.000  world  datagrams from c1 to s come late, 58 times from 3.000 to 174.000 ms
    175.000  world  a datagram from c2 to s comes late
    176.000  world  links are healed of partition(s | c1 c2)
";
        let said = story(changes);
        let lines = |text: &str| -> Vec<String> {
            let worlds = text.lines().filter(|line| line.contains("  world  "));
            worlds.map(|line| line.trim().to_owned()).collect()
        };
        assert_eq!(lines(&said), lines(expected), "{said}");
        assert!(!said.contains('⋮'), "all is told: {said}");
    }

    #[test]
    fn of_a_fault_that_comes_again_and_again_the_first_and_the_last_are_told() {
        let mut changes = Vec::new();
        for layer in 0..40 {
            changes.push((cut(layer), "partition(s | c1 c2)"));
            changes.push((Change::Healed { layer }, "heal_all"));
        }
        let said = story(changes);
        for told in [
            "  0.000  world  links are cut: partition(s | c1 c2)\n",
            " 1.000  world  links are healed of partition(s | c1 c2): heal_all\n",
            "79.000  world  ",
        ] {
            assert!(said.contains(told), "{told} in {said}");
        }
        assert_eq!(said.matches("  world  ").count(), 2 + LAST_AGAIN, "{said}");
        assert!(said.contains('⋮'), "{said}");
    }

    #[test]
    fn of_many_links_the_last_are_told() {
        let links = (0..100).map(|from| (late(from), "link"));
        let choked = Change::Choked {
            from: HostId(1),
            to: HostId(2),
        };
        let said = story(
            links
                .chain([
                    (choked.clone(), "link(c1 > c2, queue 9 B)"),
                    (choked, "link(c1 > c2, queue 9 B)"),
                ])
                .collect(),
        );
        assert_eq!(said.matches("comes late").count(), LAST_LINKS - 1, "{said}");
        let told = "the link from c1 to c2 drops for want of room, 2 times from 100.000 to 101.000 ms: link(c1 > c2, queue 9 B)\n";
        assert!(said.contains(told), "{said}");
    }

    #[test]
    fn a_fault_that_hits_others_first_is_a_cause_for_those_involved() {
        let down = |host| Change::Down {
            host: HostId(host),
            how: Crash::Kill,
        };
        let mut changes = vec![(down(0), "kill(s c1)"), (down(1), "kill(s c1)")];
        let again = |nth| {
            (
                if nth % 2 == 0 {
                    Change::Paused { host: HostId(0) }
                } else {
                    Change::Resumed { host: HostId(0) }
                },
                "pause(s)",
            )
        };
        changes.extend((0..50).map(again));
        let said = story(changes);
        assert!(
            said.contains("  world  s is killed: kill(s c1)\n")
                && said.contains("  world  c1 is killed: kill(s c1)\n"),
            "{said}"
        );
    }

    #[test]
    fn a_clock_without_drift_goes_as_it_should() {
        let drift = |ppm| Change::Drift { host: HostId(1), ppm };
        let said = story(vec![(drift(-200), "drift(c1, -200 ppm)"), (drift(0), "heal_all")]);
        assert!(
            said.contains("c1's clock goes -200 ppm: drift(c1, -200 ppm)\n"),
            "{said}"
        );
        assert!(
            said.contains("c1's clock goes as it should again: heal_all\n"),
            "{said}"
        );
    }

    #[test]
    fn a_stall_is_told_once_and_how_far_a_fault_has_come_after_what_it_did() {
        let by = Span::from_millis(303);
        let stalled = || (Change::Stalled { host: HostId(1), by }, "the machine");
        let mut changes = vec![
            (Change::Unsettled { by: 4 }, "kill(s)"),
            (cut(1), "partition(s | c1 c2)"),
            (Change::Settled { by: 4 }, "kill(s)"),
        ];
        changes.extend([stalled(), stalled()]);
        let said = story(changes);
        for told in [
            " 0.000  world  kill(s) is under way\n",
            " 1.000  world  links are cut: partition(s | c1 c2)\n",
            " 2.000  world  kill(s) is done everywhere\n",
            " 3.000  world  c1 is kept from running for 303.000 ms\n",
        ] {
            assert!(said.contains(told), "{told} in {said}");
        }
        assert_eq!(said.matches("  world  ").count(), 4, "{said}");
    }

    #[test]
    fn that_a_fault_is_under_way_is_not_told_where_the_next_line_says_what_it_does() {
        let events = [
            Change::Unsettled { by: 4 },
            cut(1),
            Change::Settled { by: 4 },
            Change::Unsettled { by: 4 },
            Change::Settled { by: 4 },
        ];
        let events = events.map(|change| TraceEvent {
            at: Time::ZERO,
            host: None,
            what: Happening::World {
                change,
                fault: "partition(s | c1 c2)".to_owned(),
                cause: None,
            },
        });
        let trace = Trace {
            events: events.to_vec(),
            ..sample::trace()
        };
        let world = World::of(&trace, &[]);
        assert_eq!(world.places().collect::<Vec<_>>(), [1, 2, 3, 4]);
        let said = |nth| world.says(nth, &trace).unwrap();
        assert_eq!(said(2), "partition(s | c1 c2) is done everywhere");
        assert_eq!(said(3), "partition(s | c1 c2) is under way");
    }

    #[test]
    fn what_faults_do_outlasts_how_far_they_had_come_and_what_the_machine_did() {
        let mut changes = vec![(Change::Paused { host: HostId(1) }, "pause(c1)")];
        for by in 1..50 {
            let stalled = Change::Stalled {
                host: HostId(1),
                by: Span::from_millis(by),
            };
            changes.push((stalled, "the machine"));
            changes.push((Change::Settled { by: 4 }, "pause(c1)"));
        }
        changes.insert(1, (Change::Settled { by: 4 }, "pause(c1)"));
        changes.push((Change::Resumed { host: HostId(1) }, "pause(c1)"));
        let said = story(changes);
        assert!(said.contains("  world  c1 is paused: pause(c1)\n"), "{said}");
        assert!(said.contains("  world  c1 runs on: pause(c1)\n"), "{said}");
        assert_eq!(said.matches("  world  ").count(), LAST_OF_MACHINE + 2, "{said}");
    }

    #[test]
    fn every_change_is_told_in_words() {
        let (host, from, to, by) = (HostId(1), HostId(1), HostId(2), Span::from_millis(3));
        let how = [Crash::Kill, Crash::PowerCut];
        let disks = [
            DiskAtBoot::Fresh,
            DiskAtBoot::Kept,
            DiskAtBoot::Wiped,
            DiskAtBoot::Stale,
            DiskAtBoot::Torn,
            DiskAtBoot::Corrupt,
        ];
        let up = |disk| Change::Up {
            host,
            incarnation: 1,
            disk,
        };
        let mut changes = vec![
            Change::Paused { host },
            Change::Resumed { host },
            cut(1),
            Change::Healed { layer: 1 },
            Change::Links { beyond: Vec::new() },
            Change::Links {
                beyond: vec![(from, to)],
            },
            Change::Choked { from, to },
            Change::Slowed { host, by },
            Change::Slowed { host, by: Span::ZERO },
            Change::Drift { host, ppm: 9 },
            Change::Jumped { host, by },
            Change::Straggled { from, to },
            Change::Unsettled { by: 4 },
            Change::Settled { by: 4 },
            Change::Stalled { host, by },
        ];
        changes.extend(how.map(|how| Change::Down { host, how }));
        changes.extend(disks.map(up));
        changes.extend([DiskState::Sound, DiskState::Ailing].map(|state| Change::Disk { host, state }));
        let (laid, cause) = (BTreeMap::new(), sample::cause("pause(c1)"));
        for change in &changes {
            for fault in [None, Some(("", None)), Some(("pause(c1)", cause.as_ref()))] {
                let said = change_of(change, fault, &laid, &sample::trace());
                // The catch-all says no more than that something changed.
                assert!(
                    said.len() > 8 && said != "the world changes",
                    "{change:?}: {said}"
                );
                assert!(!said.contains(['{', '}', '[']), "{change:?}: {said}");
            }
        }
        let count = changes.len();
        let said = story(changes.into_iter().map(|change| (change, "pause(c1)")).collect());
        let world: Vec<&str> = said.lines().filter(|line| line.contains("  world  ")).collect();
        assert!(world.len() > count / 2, "{said}");
        assert!(world.iter().all(|line| !line.contains('{')), "{said}");
    }
}
