//! What a timeline can and cannot come to, found without running it: what undoes something has something to undo, and a
//! promise that holds in quiet finds some.

use std::collections::BTreeMap;

use squall_nodes::{HostId, Promise, Span, Time, Tolerance};

use super::cast::{Cast, host_of};
use super::desk::Desk;
use super::promises::Made;
use super::timeline::Timeline;
use crate::plan::{CutPlan, Fault, Latency, Layer, Network, Origin, Step, Target, Trigger};

/// How many single happenings are followed; a timeline with more is left to the run.
const MOST_FOLLOWED: usize = 2_000_000;

/// When something can first happen, and its place in the file, which decides between equals.
type First = (Time, usize);

/// Complains about healing what was never cut, restarting who was never down and resuming who was never paused.
///
/// What may have happened counts as if it had: a trigger on a fact may go off at any time.
pub(super) fn undoings(desk: &mut Desk<'_>, timeline: &Timeline, cast: &Cast) {
    let mut first = Firsts::default();
    for (index, step) in timeline.steps.iter().enumerate() {
        let at = (earliest(&step.trigger), index);
        match &step.fault {
            Fault::Crash(_, who) => first.downs.note(who, at),
            Fault::Pause(who) => first.pauses.note(who, at),
            Fault::Lay(Layer::Cut(cut)) => {
                first.cut = Some(first.cut.map_or(at, |known| known.min(at)));
                let known = first.cuts.entry(key(cut)).or_insert(at);
                *known = (*known).min(at);
            }
            Fault::Restart { .. }
            | Fault::Resume(_)
            | Fault::Jump { .. }
            | Fault::Lay(_)
            | Fault::Heal(_)
            | Fault::HealAll => {}
        }
    }
    for (index, step) in timeline.steps.iter().enumerate() {
        let by = (latest(&step.trigger), index);
        let span = timeline.places[index].clone();
        match &step.fault {
            Fault::Restart { who, .. } => {
                // A host that has not booted yet is down as well.
                let is_late = |target: &Target| {
                    host_of(target).is_some_and(|host| cast.starts[host.index()] > Time::ZERO)
                };
                if let Some(never) = who
                    .iter()
                    .find(|target| !first.downs.reach(target, by) && !is_late(target))
                {
                    let hint = "a `Kill` or a `PowerCut` has to come first".to_owned();
                    let name = cast.label(std::slice::from_ref(never));
                    desk.complain(span, format!("`{name}` can never be down by then"), Some(hint));
                }
            }
            Fault::Resume(who) => {
                if let Some(never) = who.iter().find(|target| !first.pauses.reach(target, by)) {
                    let hint = "a `Pause` has to come first".to_owned();
                    let name = cast.label(std::slice::from_ref(never));
                    desk.complain(span, format!("`{name}` can never be paused by then"), Some(hint));
                }
            }
            Fault::Heal(Layer::Cut(cut)) if first.cuts.get(&key(cut)).is_none_or(|cut| *cut >= by) => {
                let hint = match first.cut {
                    Some(_) => "a heal names what was cut with the same hosts, or use `HealAll`".to_owned(),
                    None => "nothing is cut in this timeline".to_owned(),
                };
                desk.complain(span, "this heals what was never cut by then", Some(hint));
            }
            Fault::HealAll if first.cut.is_none_or(|cut| cut >= by) => {
                let hint = "a `Partition` or a `OneWay` has to come first".to_owned();
                desk.complain(span, "this heals what was never cut by then", Some(hint));
            }
            _ => {}
        }
    }
}

/// What keeps every group from ever being quiet, whatever happens.
pub(super) struct Beyond {
    what: &'static str,
    hint: String,
}

impl Beyond {
    /// What of the links and the disks is worse than what is tolerated.
    pub(super) fn find(network: &Network, persist: &Latency, tolerated: Tolerance) -> Option<Self> {
        if let Some(law) = network.laws().find(|law| !law.is_within(&tolerated)) {
            let hint = format!(
                "a link has a loss of {} and a latency of up to {}, and {} and {} are tolerated: say so in \
                 `tolerated`, or make the link better",
                law.loss,
                law.percentile_999(),
                tolerated.loss,
                tolerated.latency
            );
            return Some(Beyond {
                what: "the links",
                hint,
            });
        }
        let takes = persist.percentile_999();
        (takes > tolerated.latency).then(|| Beyond {
            what: "the disks",
            hint: format!(
                "what a node says waits up to {takes} for its disk, and a latency of {} is tolerated: say so in \
                 `tolerated`, or make `persist` shorter",
                tolerated.latency
            ),
        })
    }
}

/// Complains about each written promise of quiet for which the file leaves no time, as far as that can be known.
pub(super) fn quiet(
    desk: &mut Desk<'_>,
    timeline: &Timeline,
    cast: &Cast,
    made: &[Made<'_>],
    beyond: Option<&Beyond>,
    limit: Span,
) {
    let mut longest = None;
    for made in made {
        let (Origin::Written, Promise::InQuiet { bound }, Some(item)) =
            (made.planned.origin, made.promise, made.item)
        else {
            continue;
        };
        let name = &made.planned.name;
        if let Some(Beyond { what, hint }) = beyond {
            let message = format!("{name} is never judged: {what} are never quiet");
            desk.complain(desk.point(item), message, Some(hint.clone()));
            continue;
        }
        let longest = *longest.get_or_insert_with(|| longest_quiet(&timeline.steps, cast, limit));
        if bound > longest {
            let hint = format!(
                "raise `limit`, or leave more time between the faults: the longest quiet is {longest}"
            );
            let message = format!("{name} is never judged: it takes {bound} of quiet");
            desk.complain(desk.point(item), message, Some(hint));
        }
    }
}

#[derive(Default)]
struct Firsts {
    downs: Hosts,
    pauses: Hosts,
    cuts: BTreeMap<CutKey, First>,
    cut: Option<First>,
}

/// When something can first happen to each host.
#[derive(Default)]
struct Hosts {
    by_host: BTreeMap<HostId, First>,
    /// To whoever claims a fact: to anyone.
    anyone: Option<First>,
    /// To any of them at all.
    any: Option<First>,
}

impl Hosts {
    fn note(&mut self, who: &[Target], at: First) {
        self.any = Some(self.any.map_or(at, |known| known.min(at)));
        for target in who {
            match host_of(target) {
                Some(host) => {
                    let known = self.by_host.entry(host).or_insert(at);
                    *known = (*known).min(at);
                }
                None => self.anyone = Some(self.anyone.map_or(at, |known| known.min(at))),
            }
        }
    }

    /// Whether it can have happened to the target before `by`.
    fn reach(&self, target: &Target, by: First) -> bool {
        let known = match host_of(target) {
            Some(host) => self.by_host.get(&host).copied(),
            None => self.any,
        };
        known.into_iter().chain(self.anyone).any(|at| at < by)
    }
}

type CutKey = (u64, Vec<Vec<Option<HostId>>>);

fn key(cut: &CutPlan) -> CutKey {
    let hosts = |targets: &Vec<Target>| targets.iter().map(host_of).collect();
    match cut {
        CutPlan::Partition(groups) => (0, groups.iter().map(hosts).collect()),
        CutPlan::OneWay { from, to } => (1, vec![hosts(from), hosts(to)]),
        CutPlan::Bridge { over, sides } => (2, std::iter::once(over).chain(sides).map(hosts).collect()),
        CutPlan::Ring { hosts: ring, reach } => (3 + u64::from(*reach), vec![hosts(ring)]),
    }
}

fn earliest(trigger: &Trigger) -> Time {
    match trigger {
        Trigger::At(at) => *at,
        Trigger::Every { first, .. } => *first,
        Trigger::When { after, .. } => Time::ZERO + *after,
    }
}

fn latest(trigger: &Trigger) -> Time {
    match trigger {
        Trigger::At(at) => *at,
        Trigger::Every {
            first,
            interval,
            until,
        } => {
            let times = (until.since(*first).as_nanos() - 1) / interval.as_nanos();
            *first + *interval * times
        }
        Trigger::When { .. } => Time::MAX,
    }
}

/// The longest time for which some group can be quiet, at most; the whole run when it cannot be known.
///
/// Laying a cut disturbs everyone. So does what happens to one host, while nothing is ever cut: all who run are one group
/// then. Whether a host goes up or down can be followed while no trigger waits for a fact.
fn longest_quiet(steps: &[Step], cast: &Cast, limit: Span) -> Span {
    let mut happenings: Vec<(Time, usize)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let times: Box<dyn Iterator<Item = Time>> = match &step.trigger {
            Trigger::At(at) => Box::new(std::iter::once(*at)),
            Trigger::Every {
                first,
                interval,
                until,
            } => {
                let (interval, until) = (*interval, *until);
                Box::new(std::iter::successors(Some(*first), move |at| {
                    Some(*at + interval).filter(|at| *at < until)
                }))
            }
            Trigger::When { .. } => continue,
        };
        happenings.extend(times.map(|at| (at, index)).take(MOST_FOLLOWED));
        if happenings.len() > MOST_FOLLOWED {
            return limit;
        }
    }
    happenings.sort_unstable();
    let cuts = steps
        .iter()
        .any(|step| matches!(step.fault, Fault::Lay(Layer::Cut(_))));
    let waits = steps
        .iter()
        .any(|step| matches!(step.trigger, Trigger::When { .. }));
    let mut disturbed: Vec<Time> = if cuts {
        let laid = |(_, index): &&(Time, usize)| matches!(steps[*index].fault, Fault::Lay(Layer::Cut(_)));
        happenings.iter().filter(laid).map(|(at, _)| *at).collect()
    } else if waits {
        Vec::new()
    } else {
        host_changes(steps, cast, &happenings)
    };
    disturbed.push(Time::ZERO + limit);
    let mut since = Time::ZERO;
    let mut longest = Span::ZERO;
    for at in disturbed {
        longest = longest.max(at.since(since));
        since = at;
    }
    longest
}

/// When hosts go up or down, pause or run again, in a timeline that is all at known times. Ascending.
fn host_changes(steps: &[Step], cast: &Cast, happenings: &[(Time, usize)]) -> Vec<Time> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum State {
        Running,
        Paused,
        Down,
        /// It boots late, and what happens to it before that is for the run to say.
        Unknown,
    }
    let on_time = |starts: &Time| {
        if *starts == Time::ZERO {
            State::Running
        } else {
            State::Unknown
        }
    };
    let mut states: Vec<State> = cast.starts.iter().map(on_time).collect();
    let mut room = MOST_FOLLOWED;
    let mut changes = Vec::new();
    for (at, index) in happenings {
        let (who, from, to): (_, &[State], _) = match &steps[*index].fault {
            Fault::Crash(_, who) => (who, &[State::Running, State::Paused], State::Down),
            Fault::Restart { who, .. } => (who, &[State::Down], State::Running),
            Fault::Pause(who) => (who, &[State::Running], State::Paused),
            Fault::Resume(who) => (who, &[State::Paused], State::Running),
            Fault::Jump { .. } | Fault::Lay(_) | Fault::Heal(_) | Fault::HealAll => continue,
        };
        match room.checked_sub(who.len()) {
            Some(rest) => room = rest,
            // What is known so far is true; what is beyond is left to the run, and all of it may be quiet.
            None => break,
        }
        for host in who.iter().filter_map(host_of) {
            if from.contains(&states[host.index()]) {
                states[host.index()] = to;
                changes.push(*at);
            }
        }
    }
    changes
}
