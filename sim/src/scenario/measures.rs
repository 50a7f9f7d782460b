//! What is measured: from which moment of a run to which.

use squall_nodes::{Fact, Node, Protocol};

use super::cast::Cast;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::faults::{FAULTS, kind_of};
use super::places::{Item, Shape};
use super::triggers::fact;
use crate::plan::{Measure, Moment, Step};

/// How many measures a file may have.
const MOST_MEASURES: usize = 100;

/// Reads `measures`. `steps` is the timeline, when all of it is known.
pub(super) fn measures<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &mut Cast,
    steps: Option<&[Step]>,
) -> Vec<Measure> {
    let mut measures: Vec<Measure> = Vec::new();
    let items = scenario
        .get("measures")
        .map_or(&[][..], |item| desk.filled_list(item, "measures"));
    if items.len() > MOST_MEASURES {
        let span = scenario
            .get("measures")
            .map_or(0..0, |item| item.span.start..item.span.start + 1);
        desk.complain(span, format!("a file has at most {MOST_MEASURES} measures"), None);
        return measures;
    }
    for item in items {
        if desk.head(item) != Some("Latency") {
            let hint = did_you_mean(desk.head(item).unwrap_or_default(), ["Latency"]);
            desk.complain(desk.point(item), "this is not a measure", hint);
            continue;
        }
        let Some(fields) = desk.fields(item, "`Latency`", &["name", "from", "to"]) else {
            continue;
        };
        let name_item = desk.required(&fields, "name", "\"failover\"");
        let name = name_item.and_then(|item| desk.text(item, "a measure's name"));
        let example = "Fact(name: \"…\")";
        let from = desk
            .required(&fields, "from", example)
            .and_then(|item| moment::<P>(desk, item, cast, steps, End::From));
        let to = desk
            .required(&fields, "to", example)
            .and_then(|item| moment::<P>(desk, item, cast, steps, End::To));
        let (Some(name), Some(name_item)) = (name, name_item) else {
            continue;
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(word) {
            let hint = "letters, digits and `_`, such as `\"failover\"`".to_owned();
            desk.complain(
                name_item.span.clone(),
                "this is not the name of a measure",
                Some(hint),
            );
        } else if measures.iter().any(|other| other.name == name) {
            desk.complain(
                name_item.span.clone(),
                format!("there are two measures called `{name}`"),
                None,
            );
        }
        if let (Some((from, _)), Some((to, each))) = (from, to) {
            measures.push(Measure { name, from, to, each });
        }
    }
    measures
}

/// Which end of a measure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

type Reached = (Moment, Option<Vec<squall_nodes::HostId>>);

/// Reads `Fault(Kind)`, `Fact(name: "…", each: …)` or, shorter, `Fact("…")`.
fn moment<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    cast: &mut Cast,
    steps: Option<&[Step]>,
    end: End,
) -> Option<Reached> {
    match (desk.head(item), &item.shape) {
        (Some("Fault"), Shape::Tuple(parts)) if parts.len() == 1 => {
            Some((Moment::Fault(fault_kind(desk, &parts[0], steps)?), None))
        }
        (Some("Fact"), Shape::Tuple(parts)) if parts.len() == 1 => {
            Some((Moment::Fact(fact::<P>(desk, &parts[0])?), None))
        }
        (Some("Fact"), Shape::Struct(_)) => {
            let known: &[&str] = if end == End::To {
                &["name", "each"]
            } else {
                &["name"]
            };
            let fields = desk.fields(item, "the fact that a measure begins or ends with", known)?;
            let name = desk
                .required(&fields, "name", "\"…\"")
                .and_then(|item| fact::<P>(desk, item));
            let each = match fields.get("each").filter(|_| end == End::To) {
                Some(item) => Some(each(desk, item, cast)?),
                None => None,
            };
            Some((Moment::Fact(name?), each))
        }
        (head, _) => {
            let names = <<P::Node as Node>::Fact as Fact>::NAMES;
            let example = names.first().copied().unwrap_or("…");
            let hint = match head {
                Some(head) if head != "Fact" && head != "Fault" => did_you_mean(head, ["Fact", "Fault"]),
                _ => Some(format!("`Fault(PowerCut)`, or `Fact(name: \"{example}\")`")),
            };
            desk.complain(
                desk.point(item),
                "this is not a moment that can be measured from or to",
                hint,
            );
            None
        }
    }
}

/// The hosts of `each`: a role's name, or hosts by their names.
fn each<'f>(desk: &mut Desk<'f>, item: &'f Item, cast: &mut Cast) -> Option<Vec<squall_nodes::HostId>> {
    let Some(role) = desk.head(item) else {
        return Some(cast.hosts(desk, item));
    };
    let hosts = cast.of_role(role);
    if hosts.is_none() && cast.is_known() {
        let hint = did_you_mean(role, cast.roles());
        desk.complain(item.span.clone(), format!("no host has the role `{role}`"), hint);
    }
    hosts
}

/// The kind of a fault, by the name that files write.
fn fault_kind(desk: &mut Desk<'_>, item: &Item, steps: Option<&[Step]>) -> Option<&'static str> {
    let written = desk.head(item).unwrap_or_default();
    let kind = kind_of(written);
    let Some(kind) = kind else {
        let hint = match written {
            "Wipe" => Some("a restart with a wiped disk is a `Restart` too".to_owned()),
            _ => did_you_mean(written, FAULTS.iter().copied().filter(|name| *name != "Wipe")),
        };
        desk.complain(
            item.span.clone(),
            format!("there is no kind of fault `{}`", desk.slice(item)),
            hint,
        );
        return None;
    };
    if steps.is_some_and(|steps| steps.iter().all(|step| step.fault.kind() != kind)) {
        let hint = "measure from something that happens".to_owned();
        desk.complain(
            item.span.clone(),
            format!("nothing in the timeline is a `{written}`"),
            Some(hint),
        );
        return None;
    }
    Some(kind)
}
