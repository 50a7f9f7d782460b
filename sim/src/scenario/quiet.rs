//! For how long a group can be quiet under a file's story, found without running it: a promise that holds in quiet is asked for
//! in vain where there is none.
//!
//! What is found is never too little. A story at known times is [`followed`]; of any other one, only what ends everybody's quiet
//! at known times counts.

mod followed;

use squall_nodes::{Node, Promise, Protocol, Span, Time, Tolerance, World};

use self::followed::followed;
use super::cast::host_of;
use super::desk::Desk;
use super::promises::Made;
use crate::plan::{Fault, Latency, Layer, Network, Origin, Plan, PlannedHost, Step, Target, Trigger};
use crate::runner::PromiseMade;
use crate::words::queue_in_words;

/// How many single happenings are counted; a timeline with more is left to the run.
const MOST_COUNTED: usize = 2_000_000;

/// What keeps every group from ever being quiet, whatever happens.
pub(super) struct Beyond {
    what: &'static str,
    hint: String,
}

impl Beyond {
    /// What of the links and the disks is worse than what is tolerated.
    pub(super) fn find(network: &Network, persist: &Latency, tolerated: Tolerance) -> Option<Self> {
        if let Some(law) = network.laws().find(|law| !law.is_within(&tolerated)) {
            let corrupt = match law.corrupt > 0.0 {
                true => format!(", a corruption of {}", law.corrupt),
                false => String::new(),
            };
            let queued = law.full_queue();
            let (queue, or_shorter) = match queued.is_zero() {
                true => (String::new(), ""),
                false => (
                    format!(
                        " ({} of it is what a full queue of {} takes)",
                        readable(queued),
                        queue_in_words(law.queue)
                    ),
                    ", or `queue` shorter",
                ),
            };
            let hint = format!(
                "a link has a loss of {}{corrupt} and a latency of up to {}{queue}, and {} and {} are tolerated: say so in \
                 `tolerated`, or make the link better{or_shorter}",
                law.loss,
                readable(law.percentile_999()),
                tolerated.loss,
                no_more_than(tolerated.latency)
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
                "what a node says waits up to {} for its disk, and a latency of {} is tolerated: say so in \
                 `tolerated`, or make `persist` shorter",
                readable(takes),
                no_more_than(tolerated.latency)
            ),
        })
    }
}

/// A length of time that people read: rounded up, to whole milliseconds or microseconds where there are some of them.
fn readable(span: Span) -> Span {
    let (nanos, unit) = (span.as_nanos(), unit_of(span));
    Span::from_nanos(nanos.div_ceil(unit).saturating_mul(unit)).min(Span::LONGEST)
}

/// The same, rounded down, as a bound is: what is beyond the one is beyond the other.
fn no_more_than(span: Span) -> Span {
    let (nanos, unit) = (span.as_nanos(), unit_of(span));
    Span::from_nanos(nanos / unit * unit)
}

/// In nanoseconds.
fn unit_of(span: Span) -> u64 {
    match span.as_nanos() {
        10_000_000.. => 1_000_000,
        10_000.. => 1_000,
        _ => 1,
    }
}

/// What the quiet of a file depends on.
pub(super) struct Course<'p> {
    /// What is done, and when.
    pub(super) steps: &'p [Step],
    /// To whom.
    pub(super) hosts: Vec<Machine>,
    /// What links are like without it.
    pub(super) network: &'p Network,
    /// How bad they may be.
    pub(super) tolerated: Tolerance,
    /// When the run ends.
    pub(super) limit: Span,
}

/// What matters of a host.
pub(super) struct Machine {
    /// When it boots first.
    pub(super) starts: Time,
    /// How its clock goes when the run begins.
    pub(super) drift_ppm: i32,
}

/// Why a promise of quiet is never judged, and what would be right.
struct Lack {
    why: String,
    hint: String,
}

/// Complains about each written promise of quiet for which the file leaves no time, as far as that can be known.
pub(super) fn quiet(desk: &mut Desk<'_>, made: &[Made<'_>], course: &Course<'_>, beyond: Option<&Beyond>) {
    let mut longest = None;
    for made in made {
        let (Origin::Written, Promise::InQuiet { bound }, Some(item)) =
            (made.planned.origin, made.promise, made.item)
        else {
            continue;
        };
        if let Some(Lack { why, hint }) = course.lack(bound, beyond, &mut longest) {
            let message = format!("{} is never judged: {why}", made.planned.name);
            desk.complain(desk.point(item), message, Some(hint));
        }
    }
}

/// The same of a plan, in sentences, and of every promise of quiet that the protocol makes by itself too.
pub(crate) fn never_judged<P: Protocol>(plan: &Plan<P>, promises: &[PromiseMade]) -> Vec<String> {
    let course = Course::of(
        &plan.hosts,
        &plan.timeline,
        &plan.network,
        plan.tolerated,
        plan.limit,
    );
    let beyond = Beyond::find(&plan.network, &plan.persist, plan.tolerated);
    let mut longest = None;
    let in_quiet = promises.iter().filter_map(|made| match made.promise {
        Promise::InQuiet { bound } => Some((&made.name, bound)),
        Promise::Always => None,
    });
    in_quiet
        .filter_map(|(name, bound)| {
            let Lack { why, hint } = course.lack(bound, beyond.as_ref(), &mut longest)?;
            Some(format!("{name} is never judged here: {why}; {hint}"))
        })
        .collect()
}

impl<'p> Course<'p> {
    pub(super) fn of<N: Node>(
        hosts: &[PlannedHost<N>],
        steps: &'p [Step],
        network: &'p Network,
        tolerated: Tolerance,
        limit: Span,
    ) -> Self {
        let machine = |host: &PlannedHost<N>| Machine {
            starts: host.starts,
            drift_ppm: host.clock.drift_ppm,
        };
        Course {
            steps,
            hosts: hosts.iter().map(machine).collect(),
            network,
            tolerated,
            limit,
        }
    }
}

impl Course<'_> {
    /// What a promise that holds after so long a quiet lacks, if it does. The longest quiet is found when it is asked for first.
    fn lack(&self, bound: Span, beyond: Option<&Beyond>, longest: &mut Option<Span>) -> Option<Lack> {
        if let Some(Beyond { what, hint }) = beyond {
            return Some(Lack {
                why: format!("{what} are never quiet"),
                hint: hint.clone(),
            });
        }
        let longest = *longest.get_or_insert_with(|| self.longest_quiet());
        if bound <= longest {
            return None;
        }
        let ill = match self.has_ills() {
            true => format!(
                "; no group is quiet while a host in it is slow, or has a slow or failing disk, or a clock that drifts by \
                 more than {} ppm",
                World::TOLERATED_PPM
            ),
            false => String::new(),
        };
        let unhealed = match self.unhealed() {
            Some(label) => format!("; `{label}` is never healed"),
            None => String::new(),
        };
        Some(Lack {
            why: format!("it takes {} of quiet", readable(bound)),
            hint: format!(
                "raise `limit`, or leave more time between the faults: the longest quiet is {}{ill}{unhealed}",
                no_more_than(longest)
            ),
        })
    }

    /// The first entry of the timeline that lays what keeps groups from being quiet, and that no entry heals.
    fn unhealed(&self) -> Option<&str> {
        let disturbs = |layer: &Layer| match layer {
            Layer::Cut(_) => false,
            Layer::Links { change, .. } => {
                let worse = |law| !change.over(law).is_within(&self.tolerated);
                self.network.laws().any(worse)
            }
            Layer::Drift { ppm, .. } => is_beyond(i64::from(*ppm)),
            Layer::Flap { .. } | Layer::Slow { .. } | Layer::SlowDisk { .. } | Layer::FailingDisk { .. } => {
                true
            }
        };
        let heals = |layer: &Layer| {
            self.steps.iter().any(|step| match &step.fault {
                Fault::Heal(healed) => healed == layer,
                Fault::HealAll => layer.is_over_links(),
                _ => false,
            })
        };
        let unhealed = self
            .steps
            .iter()
            .find(|step| matches!(&step.fault, Fault::Lay(layer) if disturbs(layer) && !heals(layer)));
        unhealed.map(|step| step.label.as_str())
    }

    /// The longest time for which some group can be quiet, at most.
    fn longest_quiet(&self) -> Span {
        let waits = |step: &Step| matches!(step.trigger, Trigger::When { .. });
        let known = if self.steps.iter().any(waits) {
            None
        } else {
            followed(self)
        };
        known.unwrap_or_else(|| self.bounded())
    }

    /// Whether anything in the file makes hosts ill, or they are.
    fn has_ills(&self) -> bool {
        let laid = |step: &Step| matches!(&step.fault, Fault::Lay(layer) if !layer.is_over_links());
        self.steps.iter().any(laid) || self.hosts.iter().any(|host| is_beyond(i64::from(host.drift_ppm)))
    }

    /// The longest time between what certainly disturbs everybody; the whole run when that is too much to count.
    fn bounded(&self) -> Span {
        let end = Time::ZERO + self.limit;
        let Some(mut disturbed) = self.disturbances() else {
            return self.limit;
        };
        disturbed.push(self.all_ill_from().unwrap_or(end));
        disturbed.sort_unstable();
        let end = self.all_ill_from().unwrap_or(end);
        let mut since = Time::ZERO;
        let mut longest = Span::ZERO;
        for at in disturbed.into_iter().filter(|at| *at <= end) {
            longest = longest.max(at.since(since));
            since = at;
        }
        longest
    }

    /// When everybody is certainly disturbed: cuts and other laws are laid, and all clocks jump. `None` when these are too many.
    fn disturbances(&self) -> Option<Vec<Time>> {
        let heals_flaps =
            |step: &&Step| matches!(step.fault, Fault::HealAll | Fault::Heal(Layer::Flap { .. }));
        let mut heals = Vec::new();
        let mut some_heal_waits = false;
        for step in self.steps.iter().filter(heals_flaps) {
            match times(&step.trigger) {
                Some(times) => heals.extend(times.take(MOST_COUNTED)),
                None => some_heal_waits = true,
            }
            if heals.len() > MOST_COUNTED {
                return None;
            }
        }
        heals.sort_unstable();
        let mut disturbed: Vec<Time> = Vec::new();
        for step in self.steps {
            let Some(times) = times(&step.trigger) else {
                continue;
            };
            match &step.fault {
                Fault::Lay(Layer::Cut(_) | Layer::Links { .. }) => disturbed.extend(times.take(MOST_COUNTED)),
                Fault::Jump { who, .. } if self.is_everyone(who) => {
                    disturbed.extend(times.take(MOST_COUNTED))
                }
                Fault::Lay(Layer::Flap { down, up, .. }) => {
                    for at in times.take(MOST_COUNTED) {
                        let healed = heals.get(heals.partition_point(|heal| *heal < at));
                        let until = match some_heal_waits {
                            true => at,
                            false => healed.copied().unwrap_or(Time::ZERO + self.limit),
                        };
                        let turns = std::iter::successors(Some((at, *down, *up)), |(at, next, other)| {
                            Some((*at + *next, *other, *next))
                        });
                        let room = MOST_COUNTED.saturating_sub(disturbed.len());
                        let turns = turns.map(|(at, ..)| at).take_while(|turn| *turn <= until);
                        disturbed.extend(turns.take(room + 1));
                    }
                }
                _ => {}
            }
            if disturbed.len() > MOST_COUNTED {
                return None;
            }
        }
        Some(disturbed)
    }

    /// Since when every host is certainly ill until the end, if that is ever so.
    fn all_ill_from(&self) -> Option<Time> {
        let end = Time::ZERO + self.limit;
        let mut ill_from: Vec<Option<Time>> = vec![None; self.hosts.len()];
        let touches = |kind: &str| {
            self.steps.iter().any(
                |step| matches!(&step.fault, Fault::Lay(layer) | Fault::Heal(layer) if layer.kind() == kind),
            )
        };
        if !touches("drift") {
            for (ill_from, host) in ill_from.iter_mut().zip(&self.hosts) {
                *ill_from = is_beyond(i64::from(host.drift_ppm)).then_some(Time::ZERO);
            }
        }
        for step in self.steps {
            let (Some(mut times), Fault::Lay(layer)) = (times(&step.trigger), &step.fault) else {
                continue;
            };
            let (Layer::Slow { who, .. } | Layer::SlowDisk { who, .. } | Layer::FailingDisk { who, .. }) =
                layer
            else {
                continue;
            };
            let is_healed = self
                .steps
                .iter()
                .any(|other| matches!(&other.fault, Fault::Heal(healed) if healed.kind() == layer.kind()));
            let Some(at) = times.next().filter(|_| !is_healed) else {
                continue;
            };
            for host in who.iter().filter_map(host_of) {
                let known = ill_from[host.index()].get_or_insert(at);
                *known = (*known).min(at);
            }
        }
        let all: Option<Vec<Time>> = ill_from.into_iter().collect();
        all?.into_iter().max().filter(|from| *from < end)
    }

    fn is_everyone(&self, who: &[Target]) -> bool {
        who.iter().filter_map(host_of).count() == self.hosts.len()
    }
}

/// Whether a clock that is fast or slow by so many millionths is worse than any that liveness is asked for with.
fn is_beyond(ppm: i64) -> bool {
    ppm.unsigned_abs() > u64::from(World::TOLERATED_PPM)
}

/// When a trigger goes off, ascending; `None` when only the run can tell.
fn times(trigger: &Trigger) -> Option<Box<dyn Iterator<Item = Time>>> {
    match trigger {
        Trigger::At(at) => Some(Box::new(std::iter::once(*at))),
        Trigger::Every {
            first,
            interval,
            until,
        } => {
            let (interval, until) = (*interval, *until);
            let next = move |at: &Time| Some(*at + interval).filter(|at| *at < until);
            Some(Box::new(std::iter::successors(Some(*first), next)))
        }
        Trigger::When { .. } => None,
    }
}
