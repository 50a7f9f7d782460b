//! What always comes first, and live runs in which it did not.

use std::fmt::Write as _;

use squall_sim::compare::{Agreement, By, Comparison, Implied, Order, Point, What};

use super::{LONGEST, chance};
use crate::look::{Ink, Look, counted, grouped, harmless, millis, padded};

/// How many lines the order is told in; the rest is counted.
const MOST_ORDERS: usize = 16;
/// How many of the live runs that stand against it are named.
const MOST_CONTRADICTIONS: usize = 10;

/// What always came in one order in the simulated runs: one line when no live run stands against it, and the order itself when one does.
pub(super) fn order(text: &mut String, comparison: &Comparison, look: &Look) {
    let order = &comparison.order;
    let title = look.paint(Ink::Strong, &padded("order", 9));
    let support = grouped(comparison.support);
    let simulated = comparison.runs.simulated.len() as u64;
    if simulated < comparison.support {
        let _ = writeln!(
            text,
            "    {title}  not looked at: {support} simulated runs at least have to have one, and there are {}",
            grouped(simulated)
        );
        return;
    }
    if order.relations.is_empty() {
        let _ = writeln!(
            text,
            "    {title}  nothing comes first in every simulated run, in {support} of them at least"
        );
        return;
    }
    let pairs = counted(order.relations.len() as u64, "pair of things", "pairs of things");
    if order.live.count == 0 {
        let good = look.paint(Ink::Good, "no live run stands against it");
        let _ = writeln!(
            text,
            "    {title}  {pairs} always came in one order, in {support} simulated runs at least, and {good}"
        );
        return;
    }
    let _ = writeln!(
        text,
        "    {title}  {pairs} always came in one order, in {support} simulated runs at least; not implied by others are:"
    );
    let lines = chains(order);
    for (line, _) in lines.iter().take(MOST_ORDERS) {
        let _ = writeln!(text, "      {}", harmless(line, LONGEST * 3));
    }
    if lines.len() > MOST_ORDERS {
        let left = counted((lines.len() - MOST_ORDERS) as u64, "more line", "more lines");
        let direct = order.direct().count();
        let _ = writeln!(
            text,
            "      and {left}, of {direct} in all; --format json has them"
        );
    }
    let is_told_of_a_role = lines.iter().take(MOST_ORDERS).any(|(_, of)| *of == Of::Role);
    if is_told_of_a_role {
        let said = "`a ROLE` is the first of that role, of which another one is so from run to run";
        let _ = writeln!(text, "      {}", look.paint(Ink::Faint, said));
    }
    against(text, comparison, look);
}

/// Of whom a line of the order tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Hosts by their names alone.
    Hosts,
    /// The first of some role besides.
    Role,
}

/// `kill(s) → c1: suspected, c2: suspected`, a line for what comes first.
fn chains(order: &Order) -> Vec<(String, Of)> {
    let mut lines: Vec<(usize, Vec<usize>)> = Vec::new();
    for relation in order.direct() {
        match lines.iter_mut().find(|(first, _)| *first == relation.first) {
            Some((_, thens)) => thens.push(relation.then),
            None => lines.push((relation.first, vec![relation.then])),
        }
    }
    let is_of_a_role = |place: usize| {
        matches!(
            order.points[place],
            Point::Fact {
                by: By::Role { .. },
                ..
            }
        )
    };
    lines
        .into_iter()
        .map(|(first, thens)| {
            let is_of_a_role = is_of_a_role(first) || thens.iter().any(|then| is_of_a_role(*then));
            let thens: Vec<String> = thens.iter().map(|then| order.points[*then].to_string()).collect();
            let line = format!("{} → {}", order.points[first], thens.join(", "));
            (line, if is_of_a_role { Of::Role } else { Of::Hosts })
        })
        .collect()
}

/// Live runs that stand against the order.
fn against(text: &mut String, comparison: &Comparison, look: &Look) {
    let order = &comparison.order;
    let others = format!(
        "of the simulated runs {} of {} stand so against all others",
        grouped(order.simulated.count),
        grouped(order.simulated.of)
    );
    let these = format!(
        "{} of {} live runs stand against it, and {others} ({})",
        grouped(order.live.count),
        grouped(order.live.of),
        chance(comparison, What::Order)
    );
    let said = match comparison.of_test(What::Order) {
        Agreement::Outside => look.paint(Ink::Bad, &format!("live falls outside: {these}")),
        Agreement::Within | Agreement::TooFew => look.paint(Ink::Good, &these),
    };
    let _ = writeln!(text, "      {said}");
    for (run, first) in firsts(order).into_iter().take(MOST_CONTRADICTIONS) {
        let one = &order.contradictions[first];
        let relation = order.relations[one.relation];
        let others = order
            .contradictions
            .iter()
            .filter(|other| other.run == run)
            .count()
            - 1;
        let others = match others {
            0 => String::new(),
            others => format!("; and {}", counted(others as u64, "more", "more")),
        };
        let said = format!(
            "live run with seed {}: {} at {} ms, before {} at {} ms{others}",
            comparison.runs.live[run].seed,
            order.points[relation.then],
            millis(one.then_at.as_nanos()),
            order.points[relation.first],
            millis(one.first_at.as_nanos())
        );
        let _ = writeln!(text, "      {}", harmless(&said, LONGEST * 3));
    }
    let runs = firsts(order).len();
    if runs > MOST_CONTRADICTIONS {
        let left = (runs - MOST_CONTRADICTIONS) as u64;
        let _ = writeln!(
            text,
            "      and {}; --format json has them",
            counted(left, "more run", "more runs")
        );
    }
}

/// The live runs that stand against the order, each with the place of a contradiction of what no others imply, if there is one.
fn firsts(order: &Order) -> Vec<(usize, usize)> {
    let mut firsts: Vec<(usize, usize)> = Vec::new();
    let is_direct =
        |place: usize| order.relations[order.contradictions[place].relation].standing == Implied::No;
    for (place, one) in order.contradictions.iter().enumerate() {
        match firsts.iter_mut().find(|(run, _)| *run == one.run) {
            Some((_, first)) if is_direct(place) && !is_direct(*first) => *first = place,
            Some(_) => {}
            None => firsts.push((one.run, place)),
        }
    }
    firsts
}
