//! What is judged, what is expected to come of it, and what is measured.

use squall_nodes::{Built, Fact, InvariantKind, Node, Promise, Protocol, Setup};

use super::cast::Cast;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use super::timeline::{FAULTS, fact};
use crate::plan::{Expect, Fault, Measure, Moment, Origin, PlannedInvariant, Step};

/// How many measures a file may have.
const MOST_MEASURES: usize = 100;

/// An invariant that the file names.
pub(super) struct Named<'f> {
    kind: usize,
    item: &'f Item,
}

/// What the file says of the protocol's invariants.
pub(super) struct Chosen<'f> {
    written: Vec<Named<'f>>,
    without: Vec<usize>,
    /// Whether all of it could be read.
    whole: bool,
}

/// Reads `invariants` and `without`.
pub(super) fn chosen<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    kinds: &[InvariantKind<P::Node>],
) -> Chosen<'f> {
    let before = desk.count();
    let mut chosen = Chosen {
        written: Vec::new(),
        without: Vec::new(),
        whole: true,
    };
    for item in scenario
        .get("invariants")
        .map_or(&[][..], |item| desk.filled_list(item, "invariants"))
    {
        let Some(name) = desk
            .head(item)
            .filter(|_| !matches!(item.shape, Shape::List(_) | Shape::Map(_)))
        else {
            let hint = "such as `name()`, or `name(bound: \"1s\")`".to_owned();
            desk.complain(item.span.clone(), "this is not an invariant", Some(hint));
            continue;
        };
        let Some(kind) = kind_of::<P>(desk, item, name, kinds) else {
            continue;
        };
        if chosen.written.iter().any(|other| other.kind == kind) {
            desk.complain(
                desk.point(item),
                format!("`{name}` is written twice"),
                Some("keep one of them".to_owned()),
            );
        } else {
            chosen.written.push(Named { kind, item });
        }
    }
    for item in scenario
        .get("without")
        .map_or(&[][..], |item| desk.filled_list(item, "invariants"))
    {
        let Some(name) = desk.name(item, "an invariant's name") else {
            continue;
        };
        let Some(kind) = kind_of::<P>(desk, item, &name, kinds) else {
            continue;
        };
        if chosen.written.iter().any(|written| written.kind == kind) {
            let hint = "take it from `invariants` or from `without`".to_owned();
            desk.complain(
                item.span.clone(),
                format!("`{name}` is asked for and turned off"),
                Some(hint),
            );
        } else if chosen.without.contains(&kind) {
            desk.complain(item.span.clone(), format!("`{name}` is written twice"), None);
        } else {
            chosen.without.push(kind);
        }
    }
    chosen.whole = desk.count() == before;
    chosen
}

/// An invariant of the plan with what it came to when it was made on trial.
pub(super) struct Made<'f> {
    pub(super) planned: PlannedInvariant,
    pub(super) promise: Promise,
    /// Where it is written.
    pub(super) item: Option<&'f Item>,
}

impl<'f> Chosen<'f> {
    /// Makes each invariant on trial: those that the file names, and those that apply by themselves, in the protocol's
    /// order.
    pub(super) fn make<P: Protocol>(
        &self,
        desk: &mut Desk<'f>,
        scenario: &Fields<'f>,
        kinds: &[InvariantKind<P::Node>],
        setup: &Setup<'_, P::Node>,
    ) -> Vec<Made<'f>> {
        let mut made = Vec::new();
        for (index, kind) in kinds.iter().enumerate() {
            let name = format!("{}.{}", P::NAME, kind.name());
            let named = self.written.iter().find(|named| named.kind == index);
            match named {
                Some(Named { item, .. }) => {
                    let params = parameters(desk, item);
                    match kind.build(&params, setup) {
                        Ok(Built { promise, .. }) => {
                            let planned = PlannedInvariant {
                                kind: index,
                                name,
                                params,
                                origin: Origin::Written,
                            };
                            made.push(Made {
                                planned,
                                promise,
                                item: Some(item),
                            });
                        }
                        Err(error) => {
                            let base = item.name.clone().map_or(item.span.start, |name| name.end);
                            let open = desk.whole_text()[base..]
                                .find('(')
                                .map_or(base, |found| base + found);
                            desk.mistyped(item, open, &error);
                        }
                    }
                }
                None if !self.without.contains(&index) && kind.applies(setup) => {
                    match kind.build("()", setup) {
                        Ok(Built { promise, .. }) => {
                            let planned = PlannedInvariant {
                                kind: index,
                                name,
                                params: "()".to_owned(),
                                origin: Origin::Default,
                            };
                            made.push(Made {
                                planned,
                                promise,
                                item: None,
                            });
                        }
                        Err(error) => {
                            let message = format!(
                                "{name} judges this cluster, and has to be told more: {}",
                                error.code
                            );
                            let hint = format!(
                                "write `invariants: [{}(…)]`, or `without: [\"{0}\"]`",
                                kind.name()
                            );
                            let span = scenario.get("protocol").map_or(0..0, |item| item.span.clone());
                            desk.complain(span, message, Some(hint));
                        }
                    }
                }
                None => {}
            }
        }
        made
    }

    /// Whether everything that the file says of invariants could be read.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}

/// What stands in the parentheses, with them.
fn parameters(desk: &Desk<'_>, item: &Item) -> String {
    let after_name = item.name.clone().map_or(item.span.start, |name| name.end);
    match item.shape {
        Shape::Word => "()".to_owned(),
        _ => {
            let rest = &desk.whole_text()[after_name..item.span.end];
            rest[rest.find('(').unwrap_or(0)..].to_owned()
        }
    }
}

fn kind_of<P: Protocol>(
    desk: &mut Desk<'_>,
    item: &Item,
    name: &str,
    kinds: &[InvariantKind<P::Node>],
) -> Option<usize> {
    let bare = name
        .strip_prefix(P::NAME)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name);
    let found = kinds.iter().position(|kind| kind.name() == bare);
    if found.is_none() {
        let hint = did_you_mean(bare, kinds.iter().map(InvariantKind::name));
        desk.complain(
            desk.point(item),
            format!("{} has no invariant `{name}`", P::NAME),
            hint,
        );
    }
    found
}

/// Reads `expect`, and gives what is expected of one rule set. `judged` are the names of the invariants of the plan, as
/// far as they are known.
pub(super) fn expect<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    rules: &str,
    kinds: &[InvariantKind<P::Node>],
    judged: Option<&[Made<'f>]>,
) -> Expect {
    let Some(item) = scenario.get("expect") else {
        return Expect::Held;
    };
    let Shape::Map(pairs) = &item.shape else {
        return expectation::<P>(desk, item, kinds, judged);
    };
    let mut here = Expect::Held;
    let mut named = Vec::new();
    for (key, value) in pairs {
        let Some(name) = desk.name(key, "the name of a rule set") else {
            continue;
        };
        if !P::RULES.contains(&name.as_str()) {
            let hint = did_you_mean(&name, P::RULES.iter().copied());
            desk.complain(
                key.span.clone(),
                format!("{} has no rule set `{name}`", P::NAME),
                hint,
            );
        }
        let expected = expectation::<P>(desk, value, kinds, judged.filter(|_| name == rules));
        if name == rules {
            here = expected;
        }
        named.push(name);
    }
    for missing in P::RULES
        .iter()
        .filter(|rules| !named.iter().any(|name| name == *rules))
    {
        let hint = format!("add `{missing}: Held` or what else is expected of it");
        let message = format!("nothing is said of the rule set `{missing}`");
        desk.complain(item.span.start..item.span.start + 1, message, Some(hint));
    }
    here
}

fn expectation<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    kinds: &[InvariantKind<P::Node>],
    judged: Option<&[Made<'f>]>,
) -> Expect {
    let names = match (desk.head(item), &item.shape) {
        (Some("Held"), Shape::Word) => return Expect::Held,
        (Some("Violated"), Shape::Tuple(parts)) if parts.len() == 1 => &parts[0],
        (head, _) => {
            let hint = match head {
                Some(head) if head != "Held" && head != "Violated" => {
                    did_you_mean(head, ["Held", "Violated"])
                }
                _ => Some(
                    "`Held`, `Violated(\"name\")`, or one of them for each rule set in braces".to_owned(),
                ),
            };
            desk.complain(desk.point(item), "this is not a verdict to expect", hint);
            return Expect::Held;
        }
    };
    let items = match &names.shape {
        Shape::List(_) => desk.filled_list(names, "invariants"),
        _ => std::slice::from_ref(names),
    };
    let mut violated: Vec<String> = Vec::new();
    for item in items {
        let Some(written) = desk.text(item, "an invariant's name") else {
            continue;
        };
        let Some(kind) = kind_of::<P>(desk, item, &written, kinds) else {
            continue;
        };
        let name = format!("{}.{}", P::NAME, kinds[kind].name());
        if judged.is_some_and(|judged| judged.iter().all(|made| made.planned.kind != kind)) {
            let hint = format!(
                "write `invariants: [{}()]`, or expect something else",
                kinds[kind].name()
            );
            desk.complain(
                item.span.clone(),
                format!("{name} is not judged in this scenario"),
                Some(hint),
            );
        }
        if violated.contains(&name) {
            desk.complain(item.span.clone(), format!("{name} is named twice"), None);
        } else {
            violated.push(name);
        }
    }
    Expect::Violated(violated)
}

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
    // A restart is one kind of fault, whatever is on the disk.
    let kind = match written {
        "Wipe" => None,
        _ => FAULTS
            .iter()
            .position(|name| *name == written)
            .map(|_| snake_case(written)),
    };
    let kind = kind.and_then(|kind| Fault::KINDS.iter().copied().find(|known| *known == kind));
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

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
