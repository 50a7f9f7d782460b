//! What is done to the world, and when.

use std::ops::Range;

use squall_nodes::{Protocol, Span};

use super::cast::{Actor, Cast};
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::faults::{FAULTS, Faults};
use super::labels::label;
use super::laws::Laws;
use super::places::{Item, Shape};
use super::triggers::{MOST_TIMES, earliest, repeated, time, when};
use crate::plan::{Fault, Layer, Step, Trigger};

/// How many entries a timeline or a workload may have.
pub const MOST_ENTRIES: usize = 100_000;
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
    laws: &mut Laws,
    limit: Span,
) -> Timeline {
    let before = desk.count();
    let mut timeline = Timeline {
        steps: Vec::new(),
        places: Vec::new(),
        whole: true,
    };
    for item in entries(desk, scenario, "timeline") {
        let Some((trigger, done, actor)) = parts(desk, item) else {
            continue;
        };
        let trigger = match trigger {
            Happens::At(item) => time(desk, item, limit).map(Trigger::At),
            Happens::Every(fields) => repeated(desk, &fields, limit).map(|times| Trigger::Every {
                first: times.first,
                interval: times.interval,
                until: times.until,
            }),
            Happens::When(fields) => when::<P>(desk, &fields, cast, limit),
        };
        let fault = done.and_then(|item| Faults::new(cast, laws, actor, limit).read(desk, item));
        let (Some(trigger), Some(fault), Some(done)) = (trigger, fault, done) else {
            continue;
        };
        flaps_within_bounds(desk, &trigger, &fault, done, limit);
        let label = label(cast, &fault);
        timeline.places.push(done.span.clone());
        timeline.steps.push(Step {
            trigger,
            fault,
            label,
        });
    }
    timeline.whole = desk.count() == before && cast.is_known();
    timeline
}

/// When an entry says that something happens.
enum Happens<'f> {
    At(&'f Item),
    Every(Fields<'f>),
    When(Fields<'f>),
}

/// The parts of an entry: when, what, and whether there is an actor.
fn parts<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Option<(Happens<'f>, Option<&'f Item>, Actor)> {
    match (desk.head(item), &item.shape) {
        (Some("At"), Shape::Tuple(parts)) if parts.len() == 2 => {
            Some((Happens::At(&parts[0]), Some(&parts[1]), Actor::Nobody))
        }
        (Some("Every"), Shape::Struct(_)) => {
            let fields = desk.fields(item, "`Every`", &["interval", "from", "until", "do"])?;
            let done = desk.required(&fields, "do", "Kill(\"a\")");
            Some((Happens::Every(fields), done, Actor::Nobody))
        }
        (Some("When"), Shape::Struct(_)) => {
            let known = [
                "fact", "persist", "send_to", "open_to", "by", "nth", "after", "do",
            ];
            let fields = desk.fields(item, "`When`", &known)?;
            let done = desk.required(&fields, "do", "Kill(\"@actor\")");
            Some((Happens::When(fields), done, Actor::Named))
        }
        (Some(head @ ("At" | "Every" | "When")), _) => {
            let hint = match head {
                "At" => "`At(\"2s\", Kill(\"a\"))`",
                "Every" => "`Every(interval: \"1s\", from: \"1s\", until: \"9s\", do: Kill(\"a\"))`",
                _ => "`When(fact: \"…\", do: Kill(\"@actor\"))`",
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
                Some(fault) if FAULTS.contains(&fault) => Some(format!("say when: `At(\"2s\", {fault}…)`")),
                _ => did_you_mean(head.unwrap_or_default(), ["At", "Every", "When"]),
            };
            desk.complain(
                desk.point(item),
                "an entry of the timeline says when something is done",
                hint,
            );
            None
        }
    }
}

/// Complains about a layer that would be cut and opened more often than anything may happen.
fn flaps_within_bounds(desk: &mut Desk<'_>, trigger: &Trigger, fault: &Fault, item: &Item, limit: Span) {
    let Fault::Lay(Layer::Flap { down, up, .. }) = fault else {
        return;
    };
    let rest = limit.as_nanos().saturating_sub(earliest(trigger).as_nanos());
    let times = rest / (*down + *up).as_nanos();
    if times > MOST_TIMES {
        let hint = format!("at most {MOST_TIMES} times: make `down` and `up` longer, or the run shorter");
        let message = format!("this is cut up to {times} times before the end of the run");
        desk.complain(item.span.clone(), message, Some(hint));
    }
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
