//! What is done to the world, and when.

use std::ops::Range;

use squall_nodes::{Crash, Fact, Node, Protocol, Span, Time};

use super::cast::{Cast, Claimant, host_of};
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use crate::plan::{Cue, CutPlan, DiskOnRestart, Fault, Layer, LinkChange, Step, Target, Trigger};

/// How many entries a timeline or a workload may have.
pub const MOST_ENTRIES: usize = 100_000;
/// How many times an `Every` may happen.
pub const MOST_TIMES: u64 = 1_000_000;
/// The shortest interval of an `Every`.
pub const SHORTEST_INTERVAL: Span = Span::from_micros(1);

/// Every fault there is, as files write it.
pub(super) const FAULTS: &[&str] = &[
    "Kill",
    "PowerCut",
    "Restart",
    "Wipe",
    "Pause",
    "Resume",
    "Partition",
    "OneWay",
    "Heal",
    "HealAll",
];

/// A timeline as it was read.
pub(super) struct Timeline {
    /// Its entries.
    pub(super) steps: Vec<Step>,
    /// Where the fault of each entry stands.
    pub(super) places: Vec<Range<usize>>,
    /// Whether all of it could be read.
    pub(super) whole: bool,
}

/// Reads `timeline`.
pub(super) fn timeline<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &mut Cast,
    limit: Span,
) -> Timeline {
    let before = desk.count();
    let mut timeline = Timeline {
        steps: Vec::new(),
        places: Vec::new(),
        whole: true,
    };
    for item in entries(desk, scenario, "timeline") {
        let step = match (desk.head(item), &item.shape) {
            (Some("At"), Shape::Tuple(parts)) if parts.len() == 2 => {
                let trigger = time(desk, &parts[0], limit).map(Trigger::At);
                fault(desk, &parts[1], cast, Claimant::Nobody, &mut timeline.places)
                    .map(|done| (trigger, done))
            }
            (Some("Every"), Shape::Struct(_)) => {
                let fields = desk.fields(item, "`Every`", &["interval", "from", "until", "do"]);
                fields.and_then(|fields| {
                    let trigger = repeated(desk, &fields, limit).map(|times| Trigger::Every {
                        first: times.first,
                        interval: times.interval,
                        until: times.until,
                    });
                    let item = desk.required(&fields, "do", "Kill(\"a\")")?;
                    Some((
                        trigger,
                        fault(desk, item, cast, Claimant::Nobody, &mut timeline.places)?,
                    ))
                })
            }
            (Some("When"), Shape::Struct(_)) => {
                let fields = desk.fields(item, "`When`", &["fact", "by", "nth", "after", "do"]);
                fields.and_then(|fields| {
                    let trigger = when::<P>(desk, &fields, cast, limit);
                    let item = desk.required(&fields, "do", "Kill(\"@claimant\")")?;
                    Some((
                        trigger,
                        fault(desk, item, cast, Claimant::Named, &mut timeline.places)?,
                    ))
                })
            }
            (Some(head @ ("At" | "Every" | "When")), _) => {
                let hint = match head {
                    "At" => "`At(\"2s\", Kill(\"a\"))`",
                    "Every" => "`Every(interval: \"1s\", from: \"1s\", until: \"9s\", do: Kill(\"a\"))`",
                    _ => "`When(fact: \"…\", do: Kill(\"@claimant\"))`",
                };
                desk.complain(
                    item.span.clone(),
                    format!("`{head}` does not look like this"),
                    Some(hint.to_owned()),
                );
                None
            }
            (head, _) => {
                let hint = match head {
                    Some(fault) if FAULTS.contains(&fault) => {
                        Some(format!("say when: `At(\"2s\", {fault}…)`"))
                    }
                    _ => did_you_mean(head.unwrap_or_default(), ["At", "Every", "When"]),
                };
                desk.complain(
                    desk.point(item),
                    "an entry of the timeline says when something is done",
                    hint,
                );
                None
            }
        };
        if let Some((Some(trigger), fault)) = step {
            let label = label(cast, &fault);
            timeline.steps.push(Step {
                trigger,
                fault,
                label,
            });
        } else {
            timeline.places.truncate(timeline.steps.len());
        }
    }
    timeline.whole = desk.count() == before && cast.is_known();
    timeline
}

/// The entries of a list, unless they are too many.
pub(super) fn entries<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>, name: &str) -> &'f [Item] {
    let Some(item) = scenario.get(name) else {
        return &[];
    };
    let entries = desk.list(item, &format!("entries of the {name}"));
    if entries.len() > MOST_ENTRIES {
        let message = format!(
            "{} entries, and a {name} has at most {MOST_ENTRIES}",
            entries.len()
        );
        let hint = "`Every(…)` says what happens again and again".to_owned();
        desk.complain(item.span.start..item.span.start + 1, message, Some(hint));
        return &[];
    }
    entries
}

/// A time before the end of the run.
pub(super) fn time(desk: &mut Desk<'_>, item: &Item, limit: Span) -> Option<Time> {
    let at = desk.span(item)?;
    if at >= limit {
        let hint = format!("the run ends at {limit}: move it ahead, or raise `limit`");
        desk.complain(
            item.span.clone(),
            format!("{at} is not before the end of the run"),
            Some(hint),
        );
        return None;
    }
    Some(Time::ZERO + at)
}

/// When something happens again and again.
pub(super) struct Times {
    pub(super) first: Time,
    pub(super) interval: Span,
    pub(super) until: Time,
}

/// The times of an `Every`: from one interval after the beginning to the end of the run, unless it says otherwise.
pub(super) fn repeated<'f>(desk: &mut Desk<'f>, fields: &Fields<'f>, limit: Span) -> Option<Times> {
    let item = desk.required(fields, "interval", "\"1s\"");
    let interval = item.and_then(|item| {
        let interval = desk.span(item)?;
        if interval < SHORTEST_INTERVAL {
            let hint = format!("the shortest interval is {SHORTEST_INTERVAL}");
            desk.complain(
                item.span.clone(),
                format!("every {interval} is too often"),
                Some(hint),
            );
            return None;
        }
        Some(interval)
    });
    let first = match fields.get("from") {
        Some(item) => time(desk, item, limit),
        None => interval.map(|interval| Time::ZERO + interval),
    };
    let until = match fields.get("until") {
        Some(item) => {
            let until = desk.span(item)?;
            if until > limit {
                let hint = format!("the run ends at {limit}, and so does this when `until` is left out");
                desk.complain(
                    item.span.clone(),
                    format!("{until} is after the end of the run"),
                    Some(hint),
                );
                return None;
            }
            Time::ZERO + until
        }
        None => Time::ZERO + limit,
    };
    let (interval, first) = (interval?, first?);
    let place = fields
        .get("until")
        .or(fields.get("from"))
        .or(item)
        .map_or(0..0, |item| item.span.clone());
    if first >= until {
        let hint = format!("the first time is {first}, and it ends at {until}");
        desk.complain(place, "this never happens", Some(hint));
        return None;
    }
    let times = until.since(first).as_nanos().div_ceil(interval.as_nanos());
    if times > MOST_TIMES {
        let hint = format!("at most {MOST_TIMES} times: make the interval longer, or the stretch shorter");
        desk.complain(
            item.map_or(place, |item| item.span.clone()),
            format!("this happens {times} times"),
            Some(hint),
        );
        return None;
    }
    Some(Times {
        first,
        interval,
        until,
    })
}

fn when<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    cast: &mut Cast,
    limit: Span,
) -> Option<Trigger> {
    let fact = desk
        .required(fields, "fact", "\"…\"")
        .and_then(|item| fact::<P>(desk, item));
    let by = fields.get("by").map_or(Vec::new(), |item| cast.hosts(desk, item));
    let nth = fields
        .get("nth")
        .map_or(Some(1), |item| desk.whole(item, 1..=u64::from(u32::MAX)));
    let after = fields.get("after").map_or(Some(Span::ZERO), |item| {
        let after = desk.span(item)?;
        if after >= limit {
            let hint = format!("the run ends at {limit}");
            desk.complain(item.span.clone(), "this is never reached", Some(hint));
            return None;
        }
        Some(after)
    });
    // Checked to fit by the bound above.
    let nth = u32::try_from(nth?).ok()?;
    Some(Trigger::When {
        cue: Cue::Fact(fact?),
        by,
        nth,
        after: after?,
    })
}

/// The number of a fact that the protocol's nodes claim.
pub(super) fn fact<P: Protocol>(desk: &mut Desk<'_>, item: &Item) -> Option<usize> {
    let written = desk.text(item, "a fact's name")?;
    let names = <<P::Node as Node>::Fact as Fact>::NAMES;
    let bare = written
        .strip_prefix(P::NAME)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(&written);
    let found = names.iter().position(|name| *name == bare);
    if found.is_none() {
        let hint = did_you_mean(bare, names.iter().copied());
        desk.complain(
            item.span.clone(),
            format!("{} has no fact `{written}`", P::NAME),
            hint,
        );
    }
    found
}

/// Reads a fault, and notes its place.
fn fault<'f>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    cast: &mut Cast,
    claimant: Claimant,
    places: &mut Vec<Range<usize>>,
) -> Option<Fault> {
    places.push(item.span.clone());
    let head = desk.head(item);
    if let Some(cut) = cut(desk, item, cast, claimant) {
        return cut.map(|cut| Fault::Lay(Layer::Cut(cut)));
    }
    let name = head.unwrap_or_default();
    match (name, &item.shape) {
        ("HealAll", Shape::Word) => Some(Fault::HealAll),
        ("HealAll", Shape::Tuple(parts)) if parts.is_empty() => Some(Fault::HealAll),
        ("Heal", Shape::Tuple(parts)) if parts.len() == 1 => match cut(desk, &parts[0], cast, claimant) {
            Some(cut) => cut.map(|cut| Fault::Heal(Layer::Cut(cut))),
            None => {
                let hint =
                    "`Heal(Partition(…))` or `Heal(OneWay(…))` with what was cut, or `HealAll`".to_owned();
                desk.complain(parts[0].span.clone(), "this was never a cut", Some(hint));
                None
            }
        },
        ("Kill" | "PowerCut" | "Restart" | "Wipe" | "Pause" | "Resume", Shape::Tuple(parts))
            if parts.len() == 1 =>
        {
            let who = cast.targets(desk, &parts[0], claimant);
            Some(match name {
                "Kill" => Fault::Crash(Crash::Kill, who),
                "PowerCut" => Fault::Crash(Crash::PowerCut, who),
                "Restart" => Fault::Restart {
                    who,
                    disk: DiskOnRestart::Kept,
                },
                "Wipe" => Fault::Restart {
                    who,
                    disk: DiskOnRestart::Wiped,
                },
                "Pause" => Fault::Pause(who),
                _ => Fault::Resume(who),
            })
        }
        (known, _) if FAULTS.contains(&known) => {
            let hint = match known {
                "HealAll" => "`HealAll`".to_owned(),
                "Heal" => "`Heal(Partition([[\"a\"], [\"b\"]]))`".to_owned(),
                _ => format!("`{known}(\"a\")`, or `{known}([\"a\", \"b\"])`"),
            };
            desk.complain(
                item.span.clone(),
                format!("`{known}` does not look like this"),
                Some(hint),
            );
            None
        }
        (unknown, _) => {
            let message = if unknown.is_empty() {
                "this is not a fault".to_owned()
            } else {
                format!("there is no fault `{unknown}`")
            };
            desk.complain(
                desk.point(item),
                message,
                did_you_mean(unknown, FAULTS.iter().copied()),
            );
            None
        }
    }
}

/// Reads a cut: `None` when the value is none at all, `Some(None)` after a complaint.
fn cut<'f>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    cast: &mut Cast,
    claimant: Claimant,
) -> Option<Option<CutPlan>> {
    match (desk.head(item), &item.shape) {
        (Some("Partition"), Shape::Tuple(parts)) if parts.len() == 1 => {
            let before = desk.count();
            let lists = desk.filled_list(&parts[0], "groups");
            let mut groups: Vec<Vec<Target>> = lists
                .iter()
                .map(|item| cast.targets(desk, item, claimant))
                .collect();
            cast.once(desk, &parts[0], &groups.concat());
            // Equal cuts are equal however they are written, so that one heals the other.
            for group in &mut groups {
                group.sort_unstable_by_key(host_of);
            }
            groups.sort_by(|a, b| a.iter().map(host_of).cmp(b.iter().map(host_of)));
            if let [all] = groups.as_slice()
                && all.len() == cast.names.len()
                && cast.is_known()
                && desk.count() == before
            {
                let hint = "hosts that no group names form one more; here, none is left".to_owned();
                desk.complain(item.span.clone(), "this cuts nothing", Some(hint));
            }
            Some((desk.count() == before).then_some(CutPlan::Partition(groups)))
        }
        (Some("OneWay"), Shape::Struct(_)) => {
            let before = desk.count();
            let Some(fields) = desk.fields(item, "`OneWay`", &["from", "to"]) else {
                return Some(None);
            };
            let mut side = |name| {
                let mut side = desk
                    .required(&fields, name, "\"a\"")
                    .map_or(Vec::new(), |item| cast.targets(desk, item, claimant));
                side.sort_unstable_by_key(host_of);
                side
            };
            let (from, to) = (side("from"), side("to"));
            if from == to && from.len() == 1 {
                let hint = "a host always reaches itself".to_owned();
                desk.complain(item.span.clone(), "this cuts nothing", Some(hint));
            }
            Some((desk.count() == before).then_some(CutPlan::OneWay { from, to }))
        }
        (Some(head @ ("Partition" | "OneWay")), _) => {
            let hint = match head {
                "Partition" => "`Partition([[\"a\", \"b\"], [\"c\"]])`",
                _ => "`OneWay(from: \"a\", to: \"b\")`",
            };
            desk.complain(
                item.span.clone(),
                format!("`{head}` does not look like this"),
                Some(hint.to_owned()),
            );
            Some(None)
        }
        _ => None,
    }
}

/// A fault as reports name it.
fn label(cast: &Cast, fault: &Fault) -> String {
    match fault {
        Fault::Restart { who, disk } => match disk {
            DiskOnRestart::Kept => format!("restart({})", cast.label(who)),
            DiskOnRestart::Wiped => format!("wipe({})", cast.label(who)),
            DiskOnRestart::Stale => format!("restart({}, stale)", cast.label(who)),
            DiskOnRestart::Torn => format!("restart({}, torn)", cast.label(who)),
            DiskOnRestart::Corrupt => format!("restart({}, corrupt)", cast.label(who)),
        },
        Fault::Crash(_, who) | Fault::Pause(who) | Fault::Resume(who) => {
            format!("{}({})", fault.kind(), cast.label(who))
        }
        Fault::Jump { who, by } => format!("jump({}, {by})", cast.label(who)),
        Fault::Lay(layer) => layer_label(cast, layer),
        Fault::Heal(layer) => format!("heal({})", layer_label(cast, layer)),
        Fault::HealAll => fault.kind().to_owned(),
    }
}

fn layer_label(cast: &Cast, layer: &Layer) -> String {
    let kind = layer.kind();
    match layer {
        Layer::Cut(plan) => cut_label(cast, plan),
        Layer::Flap { cut, down, up } => format!("{kind}({}, {down} down, {up} up)", cut_label(cast, cut)),
        Layer::Links { from, to, change } => {
            format!(
                "{kind}({} > {}, {})",
                cast.label(from),
                cast.label(to),
                change_label(change)
            )
        }
        Layer::Slow { who, by } | Layer::SlowDisk { who, by } => format!("{kind}({}, {by})", cast.label(who)),
        Layer::FailingDisk { who, share } => format!("{kind}({}, {share})", cast.label(who)),
        Layer::Drift { who, ppm } => format!("{kind}({}, {ppm:+} ppm)", cast.label(who)),
    }
}

fn cut_label(cast: &Cast, cut: &CutPlan) -> String {
    let groups = |groups: &[Vec<Target>]| {
        let groups: Vec<String> = groups.iter().map(|group| cast.label(group)).collect();
        groups.join(" | ")
    };
    match cut {
        CutPlan::Partition(sides) => format!("partition({})", groups(sides)),
        CutPlan::OneWay { from, to } => format!("one_way({} > {})", cast.label(from), cast.label(to)),
        CutPlan::Bridge { over, sides } => format!("bridge({} over {})", groups(sides), cast.label(over)),
        CutPlan::Ring { hosts, reach: 1 } => format!("ring({})", cast.label(hosts)),
        CutPlan::Ring { hosts, reach } => format!("ring({}, reach {reach})", cast.label(hosts)),
    }
}

/// What a change says, part by part.
fn change_label(change: &LinkChange) -> String {
    let LinkChange {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    } = change;
    let ratio = |name: &str, ratio: &Option<f64>| ratio.map(|ratio| format!("{name} {ratio}"));
    let parts = [
        latency.as_ref().map(|law| format!("latency {law}")),
        ratio("loss", loss),
        ratio("duplicate", duplicate),
        ratio("reorder", reorder),
        reorder_by.map(|by| format!("reorder_by {by}")),
        ratio("corrupt", corrupt),
        bandwidth.map(|bits| format!("bandwidth {bits} bit/s")),
        queue.map(|bytes| format!("queue {bytes} B")),
        mtu.map(|bytes| format!("mtu {bytes}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
