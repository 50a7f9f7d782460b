//! What is judged, and what is expected to come of it.

use squall_nodes::{Built, InvariantKind, Promise, Protocol, Setup};

use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use crate::plan::{Expect, Origin, PlannedInvariant};

/// An invariant that the file names.
pub(super) struct Named<'f> {
    kind: usize,
    item: &'f Item,
}

/// What the file says of the protocol's invariants.
pub(super) struct Chosen<'f> {
    written: Vec<Named<'f>>,
    /// Those that do not judge under the rule set that is resolved.
    without: Vec<usize>,
    /// Whether all of it could be read.
    whole: bool,
}

/// Reads `invariants` and `without`, as far as they are for one rule set.
pub(super) fn chosen<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    rules: &str,
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
    match scenario.get("without") {
        Some(Item {
            shape: Shape::Map(pairs),
            span,
            ..
        }) => {
            if pairs.is_empty() {
                let hint = "take it away, or put something in it".to_owned();
                desk.complain(span.clone(), "no rule set is named here", Some(hint));
            }
            for (key, items) in pairs {
                let of = rules_of::<P>(desk, key);
                let without = chosen.without::<P>(desk, items, kinds);
                if of.as_deref() == Some(rules) {
                    chosen.without = without;
                }
            }
        }
        Some(items) => chosen.without = chosen.without::<P>(desk, items, kinds),
        None => {}
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
    /// Reads a list of promises that do not judge.
    fn without<P: Protocol>(
        &self,
        desk: &mut Desk<'f>,
        items: &'f Item,
        kinds: &[InvariantKind<P::Node>],
    ) -> Vec<usize> {
        let mut without = Vec::new();
        for item in desk.filled_list(items, "invariants") {
            let Some(name) = desk.name(item, "an invariant's name") else {
                continue;
            };
            let Some(kind) = kind_of::<P>(desk, item, &name, kinds) else {
                continue;
            };
            if self.written.iter().any(|written| written.kind == kind) {
                let hint = "take it from `invariants` or from `without`".to_owned();
                desk.complain(
                    item.span.clone(),
                    format!("`{name}` is asked for and turned off"),
                    Some(hint),
                );
            } else if without.contains(&kind) {
                desk.complain(item.span.clone(), format!("`{name}` is written twice"), None);
            } else {
                without.push(kind);
            }
        }
        without
    }

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

/// Reads the name of a rule set, and complains where it is none's.
fn rules_of<P: Protocol>(desk: &mut Desk<'_>, key: &Item) -> Option<String> {
    let name = desk.name(key, "the name of a rule set")?;
    if !P::RULES.contains(&name.as_str()) {
        let hint = did_you_mean(&name, P::RULES.iter().copied());
        desk.complain(
            key.span.clone(),
            format!("{} has no rule set `{name}`", P::NAME),
            hint,
        );
    }
    Some(name)
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
        let Some(name) = rules_of::<P>(desk, key) else {
            continue;
        };
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
