//! What is judged, as files write it.

use squall_nodes::{Built, InvariantKind, Placed, Promise, Protocol, Setup};

use super::page::Page;
use crate::plan::{Origin, Plan, PlannedInvariant};

/// Writes promises that are written, with their bounds, and in comments those that are not.
pub(super) fn promises<P: Protocol>(page: &mut Page, plans: &[Plan<P>]) {
    let kinds = P::invariants();
    let of: Vec<Judged<'_, P>> = plans
        .iter()
        .map(|plan| Judged {
            plan,
            placed: plan.hosts.iter().map(|host| host.placed.clone()).collect(),
        })
        .collect();
    let (mut written, mut by_themselves) = (Vec::new(), Vec::new());
    let mut without: Vec<Vec<String>> = vec![Vec::new(); of.len()];
    for (index, kind) in kinds.iter().enumerate() {
        let planned: Vec<Option<&PlannedInvariant>> = of.iter().map(|of| of.planned(index)).collect();
        let says = says_when(kind, &of, &planned);
        let named = planned
            .iter()
            .flatten()
            .find(|planned| planned.origin == Origin::Written);
        if let Some(PlannedInvariant { params, .. }) = named {
            let params = with_bound(kind, &of, params);
            written.push(format!("{}{params}, // {says}", kind.name()));
        } else if planned.iter().any(Option::is_some) {
            by_themselves.push(format!("{}.{}: {says}", P::NAME, kind.name()));
        }
        for ((of, planned), without) in of.iter().zip(&planned).zip(&mut without) {
            if planned.is_none() && kind.applies(&of.setup()) {
                without.push(format!("\"{}\"", kind.name()));
            }
        }
    }
    page.list("invariants", written.into_iter());
    if !by_themselves.is_empty() {
        page.comment("Judged by themselves:");
    }
    for line in by_themselves {
        page.comment(&line);
    }
    if let Some(without) = without_of(plans, &without) {
        page.field("without", without);
    }
}

/// Promises that are left out, as a list where it is the same for all rule sets, and else for each that leaves some out.
fn without_of<P: Protocol>(plans: &[Plan<P>], without: &[Vec<String>]) -> Option<String> {
    let listed = |names: &[String]| format!("[{}]", names.join(", "));
    let first = without.first()?;
    if without.iter().all(|names| names == first) {
        return (!first.is_empty()).then(|| listed(first));
    }
    let each = plans.iter().zip(without).filter(|(_, names)| !names.is_empty());
    let each: Vec<String> = each
        .map(|(plan, names)| format!("{}: {}", plan.rules, listed(names)))
        .collect();
    Some(format!("{{ {} }}", each.join(", ")))
}

/// A rule set with what its promises may know before the run.
struct Judged<'a, P: Protocol> {
    plan: &'a Plan<P>,
    placed: Vec<Placed<P::Node>>,
}

impl<P: Protocol> Judged<'_, P> {
    fn setup(&self) -> Setup<'_, P::Node> {
        Setup {
            hosts: &self.placed,
            rules: self.plan.rules,
            tolerated: self.plan.tolerated,
            streams: self.plan.network.streams,
        }
    }

    fn planned(&self, kind: usize) -> Option<&PlannedInvariant> {
        self.plan.invariants.iter().find(|planned| planned.kind == kind)
    }

    fn promise(&self, kind: &InvariantKind<P::Node>, params: &str) -> Option<Promise> {
        let Built { promise, .. } = kind.build(params, &self.setup()).ok()?;
        Some(promise)
    }
}

/// When a promise holds, in words; under each rule set that makes it, where they differ.
fn says_when<P: Protocol>(
    kind: &InvariantKind<P::Node>,
    of: &[Judged<'_, P>],
    planned: &[Option<&PlannedInvariant>],
) -> String {
    let made: Vec<(&str, String)> = of
        .iter()
        .zip(planned)
        .filter_map(|(of, planned)| {
            let promise = of.promise(kind, &planned.as_ref()?.params)?;
            let says = match promise {
                Promise::Always => "always".to_owned(),
                Promise::InQuiet { bound } => format!("in quiet for {bound}"),
            };
            Some((of.plan.rules, says))
        })
        .collect();
    match made.split_first() {
        Some(((_, first), rest)) if made.len() == of.len() && rest.iter().all(|(_, says)| says == first) => {
            first.clone()
        }
        _ => {
            let made: Vec<String> = made
                .iter()
                .map(|(rules, says)| format!("{rules} {says}"))
                .collect();
            made.join(", ")
        }
    }
}

/// The parameters of a promise that is written, with the bound that it has by default where it has none and all rule sets
/// agree on it.
fn with_bound<P: Protocol>(kind: &InvariantKind<P::Node>, of: &[Judged<'_, P>], params: &str) -> String {
    let bound = of.first().and_then(|of| match of.promise(kind, params)? {
        Promise::InQuiet { bound } => Some(bound),
        Promise::Always => None,
    });
    let is_nothing = params
        .trim_start_matches('(')
        .trim_end_matches(')')
        .trim()
        .is_empty();
    let Some(bound) = bound.filter(|_| is_nothing) else {
        return params.to_owned();
    };
    let explicit = format!("(bound: \"{bound}\")");
    let is_the_same = |of: &Judged<'_, P>| {
        let by_default = of.promise(kind, params);
        by_default.is_some() && of.promise(kind, &explicit) == by_default
    };
    if of.iter().all(is_the_same) {
        explicit
    } else {
        params.to_owned()
    }
}
