//! Two worlds side by side, and where live falls outside, in plain sentences.

use std::fmt::Write as _;

use squall_sim::compare::{
    Agreement, Claimed, Compared, Comparison, FEWEST_LIVE, FEWEST_SIMULATED, How, Implied, Later, Method,
    Order, Ranked, Samples, Share, Verdicts, What,
};
use squall_sim::machine::Machine;
use squall_sim::outcome::Standing;
use squall_sim::trace::Span;

use super::run::{mark, remark};
use crate::compare::Made;
use crate::look::{Ink, Look, counted, grouped, harmless, millis, padded};

/// How many lines the order is told in; the rest is counted.
const MOST_ORDERS: usize = 16;
/// How many of the live runs that stand against it are named.
const MOST_CONTRADICTIONS: usize = 10;
/// The longest name of a host, a fact or a reason, in characters.
const LONGEST: usize = 120;

/// A comparison: a line with what it comes to, and below it the verdicts, the measures, the order and the facts of both worlds.
pub fn compare(comparison: &Comparison, made: &Made, look: &Look) -> String {
    let runs = &comparison.runs;
    let mut text = format!(
        "{} {}  {}  {} and {}: {}\n",
        mark(comparison.standing(), look),
        harmless(&comparison.scenario, usize::MAX),
        comparison.rules,
        counted(runs.simulated.len() as u64, "simulated run", "simulated runs"),
        counted(runs.live.len() as u64, "live one", "live ones"),
        look.paint(Ink::Strong, &in_a_word(comparison)),
    );
    verdicts(&mut text, comparison, look);
    for measure in &comparison.measures {
        text.push('\n');
        of_measure(&mut text, measure, look);
    }
    text.push('\n');
    order(&mut text, comparison, look);
    facts(&mut text, comparison, look);
    if let Some((machine, _)) = &made.machine {
        text.push('\n');
        of_machine(&mut text, machine, look);
    }
    for note in notes(comparison, made) {
        remark(&mut text, "note", Ink::Faint, &note, look);
    }
    text
}

/// What there is to say of how it was made.
pub(crate) fn notes(comparison: &Comparison, made: &Made) -> Vec<String> {
    let mut notes = Vec::new();
    let asked = &comparison.asked;
    for (ran, asked, which) in [
        (
            comparison.runs.simulated.len() as u64,
            asked.simulated,
            "simulated",
        ),
        (comparison.runs.live.len() as u64, asked.live, "live"),
    ] {
        if ran < asked {
            notes.push(format!(
                "{} of {} {which} runs were done",
                grouped(ran),
                grouped(asked)
            ));
        }
    }
    for (seed, why) in &made.failed {
        notes.push(format!(
            "the live run with seed {seed} was not played to its end: {why}"
        ));
    }
    if made.stalled > 0 {
        notes.push(format!(
            "in {} hosts were kept from running for longer than the file tolerates, for {} ms at most",
            counted(made.stalled, "live run", "live runs"),
            millis(made.longest_stall.as_nanos())
        ));
    }
    if let Some((_, calibrated)) = &made.machine {
        if let Some((before, after)) = calibrated.tolerated {
            notes.push(format!(
                "with the machine's own, a latency of {after} is tolerated in place of {before}"
            ));
        }
        notes.push(
            "calibrated: links take what their law says and what was measured, writes what was measured, and timers go off as late as was \
             measured; that many hosts share the processors cannot be simulated"
                .to_owned(),
        );
    }
    notes
}

/// What the comparison comes to, in a few words.
pub(crate) fn in_a_word(comparison: &Comparison) -> String {
    let agreement = match comparison.agreement() {
        Agreement::Within => "live lies within what was simulated".to_owned(),
        Agreement::Outside => "live falls outside what was simulated".to_owned(),
        Agreement::TooFew => format!(
            "too few runs to say, which takes {FEWEST_SIMULATED} simulated ones and {FEWEST_LIVE} live ones at least"
        ),
    };
    let verdicts = &comparison.verdicts;
    match (verdicts.simulated.standing, verdicts.live.standing) {
        (Standing::AsExpected, Standing::AsExpected) => agreement,
        (Standing::Otherwise, _) => format!("simulated runs are not as the file expects; {agreement}"),
        (_, Standing::Otherwise) => format!("live runs are not as the file expects; {agreement}"),
        _ => format!("the verdicts are not known; {agreement}"),
    }
}

fn verdicts(text: &mut String, comparison: &Comparison, look: &Look) {
    let verdicts = &comparison.verdicts;
    for (world, of) in [("simulated", &verdicts.simulated), ("live", &verdicts.live)] {
        let standing = match of.standing {
            Standing::AsExpected => "as the file expects".to_owned(),
            Standing::Otherwise => look.paint(Ink::Bad, "not as the file expects"),
            Standing::Unknown => look.paint(Ink::Doubtful, "which does not answer what the file expects"),
        };
        let _ = writeln!(text, "    {}  {}, {standing}", padded(world, 9), of_world(of));
        for reason in &of.reasons {
            let _ = writeln!(
                text,
                "               {}: {}, the first with seed {}",
                harmless(&reason.signature, LONGEST * 2),
                counted(reason.count, "run", "runs"),
                reason.first_seed
            );
        }
    }
    for (what, name) in [(What::Violated, "violated"), (What::Inconclusive, "inconclusive")] {
        if comparison.of_test(what) == Agreement::Outside {
            let sentence = format!("live falls outside: another share of its runs is {name}");
            let _ = writeln!(text, "    {}", look.paint(Ink::Bad, &sentence));
        }
    }
}

fn of_world(verdicts: &Verdicts) -> String {
    let parts = [
        (verdicts.held, "held"),
        (verdicts.violated, "violated"),
        (verdicts.inconclusive, "inconclusive"),
    ];
    let there: Vec<String> = parts
        .iter()
        .filter(|(share, _)| share.count > 0)
        .map(|(share, word)| format!("{} {word}", with_interval(*share)))
        .collect();
    if there.is_empty() {
        "no runs".to_owned()
    } else {
        there.join(", ")
    }
}

/// `30 of 30 (88.6 to 100 %)`: the share, and between which ones the true one is with a confidence of 95 %.
fn with_interval(share: Share) -> String {
    let (low, high) = share.interval();
    format!(
        "{} of {} ({} to {} %)",
        grouped(share.count),
        grouped(share.of),
        percent(low),
        percent(high)
    )
}

fn percent(share: f64) -> String {
    let told = format!("{:.1}", share * 100.0);
    told.strip_suffix(".0").map_or(told.clone(), str::to_owned)
}

fn of_measure(text: &mut String, measure: &Compared, look: &Look) {
    let name = harmless(&measure.name, LONGEST);
    let (simulated, live) = (measure.samples.simulated.ranked(), measure.samples.live.ranked());
    if simulated.is_none() && live.is_none() {
        let _ = writeln!(
            text,
            "    {}  not measured in either world",
            look.paint(Ink::Strong, &name)
        );
        return;
    }
    let head = ["n", "open", "min", "p50", "p90", "p95", "p99", "max"];
    let rows = [
        row(simulated, &measure.samples.simulated),
        row(live, &measure.samples.live),
    ];
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([head[column].len()])
            .max()
            .unwrap_or_default()
    };
    let line = |cells: &[String]| -> String {
        cells
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("  {cell:>width$}", width = width(column)))
            .collect()
    };
    let first = name.chars().count().max(9);
    let _ = writeln!(
        text,
        "    {}{}  ms",
        look.paint(Ink::Strong, &padded(&name, first)),
        look.paint(Ink::Faint, &line(&head.map(str::to_owned)))
    );
    for (world, row) in ["simulated", "live"].iter().zip(&rows) {
        let _ = writeln!(text, "    {}{}", padded(world, first), line(row));
    }
    if let Some(said) = numbers(measure) {
        let _ = writeln!(text, "    {}", look.paint(Ink::Faint, &said));
    }
    let ink = if measure.outside.is_empty() {
        Ink::Good
    } else {
        Ink::Bad
    };
    for sentence in sentences(measure) {
        let _ = writeln!(text, "    {}", look.paint(ink, &sentence));
    }
}

fn row(ranked: Option<Ranked>, samples: &Samples) -> [String; 8] {
    let open = grouped(samples.unfinished());
    let Some(ranked) = ranked else {
        return ["0", open.as_str(), "–", "–", "–", "–", "–", "–"].map(str::to_owned);
    };
    let told = |span: Span| millis(span.as_nanos());
    // Of too few samples it would be the greatest.
    let beyond = |span: Option<Span>| span.map_or("n too small".to_owned(), told);
    [
        grouped(ranked.count as u64),
        open,
        told(ranked.min),
        told(ranked.p50),
        beyond(ranked.p90),
        beyond(ranked.p95),
        beyond(ranked.p99),
        told(ranked.max),
    ]
}

/// The distance with its probability, and the difference of the medians.
fn numbers(measure: &Compared) -> Option<String> {
    let distance = measure.distance?;
    let by = match distance.by {
        Method::Exact => "exact".to_owned(),
        Method::Asymptotic => "by the limit for large samples".to_owned(),
        Method::Permutation { rounds } => {
            format!(
                "by {} deals of whole runs, which have several samples",
                grouped(rounds.into())
            )
        }
    };
    let mut said = format!(
        "D = {:.3}, p = {} ({by})",
        distance.distance,
        probability(distance.p)
    );
    if let Some(later) = measure.later {
        let _ = write!(said, "; the live median is {}", by_how_much(later));
    }
    Some(said)
}

/// `0.713`, `2.1e-5`.
pub(crate) fn probability(p: f64) -> String {
    if p >= 0.001 {
        format!("{p:.3}")
    } else {
        format!("{p:.1e}")
    }
}

/// `1.8 ms later (95 %: 1.2 to 2.4 ms)`.
fn by_how_much(later: Later) -> String {
    let word = if later.by < 0 { "earlier" } else { "later" };
    format!("{} ms {word} ({})", magnitude(later.by), confidence(later))
}

/// `95 %: 1.2 to 2.4 ms`, in the direction of the difference.
fn confidence(later: Later) -> String {
    let (low, high) = later.between;
    let [low, high] = if later.by < 0 { [-high, -low] } else { [low, high] };
    let signed = |ns: i64| {
        let minus = if ns < 0 { "−" } else { "" };
        format!("{minus}{}", magnitude(ns))
    };
    format!("95 %: {} to {} ms", signed(low), signed(high))
}

/// Nanoseconds as milliseconds, without their sign.
fn magnitude(ns: i64) -> String {
    millis(ns.unsigned_abs())
}

/// How live stands in a measure, in plain sentences.
pub(crate) fn sentences(measure: &Compared) -> Vec<String> {
    let (simulated, live) = (measure.reached.simulated, measure.reached.live);
    let reached = format!(
        "live falls outside: {} of {} live runs have a sample, and {} of {} simulated ones",
        grouped(live.count),
        grouped(live.of),
        grouped(simulated.count),
        grouped(simulated.of)
    );
    let beyond = |share: Share, which: &str| {
        format!(
            "live falls outside: {} of {} live runs are {which} of {} simulated ones",
            grouped(share.count),
            grouped(share.of),
            grouped(simulated.count)
        )
    };
    let mut told: Vec<String> = measure
        .outside
        .iter()
        .map(|how| match how {
            How::Reached => reached.clone(),
            How::Above => beyond(measure.above, "above the greatest"),
            How::Below => beyond(measure.below, "below the least"),
            How::Distance => distance(measure),
        })
        .collect();
    if told.is_empty() {
        told.push(if live.count == 0 {
            "no live run has a sample".to_owned()
        } else {
            let mut within = "live lies within what was simulated".to_owned();
            for (share, which) in [
                (measure.above, "above the greatest"),
                (measure.below, "below the least"),
            ] {
                if share.count > 0 {
                    let _ = write!(
                        within,
                        ", though {} of {} live runs {} {which}, as chance has it",
                        grouped(share.count),
                        grouped(share.of),
                        if share.count == 1 { "is" } else { "are" }
                    );
                }
            }
            within
        });
    }
    told
}

fn distance(measure: &Compared) -> String {
    match measure.later {
        Some(later) if later.between.0 > 0 || later.between.1 < 0 => {
            let word = if later.by < 0 { "faster" } else { "slower" };
            format!(
                "live is {word} by {} ms at the median ({}), which the simulated latency does not explain",
                magnitude(later.by),
                confidence(later)
            )
        }
        _ => "live falls outside: its samples are spread otherwise, though their middle may be the same"
            .to_owned(),
    }
}

fn order(text: &mut String, comparison: &Comparison, look: &Look) {
    let order = &comparison.order;
    let title = look.paint(Ink::Strong, &padded("order", 9));
    if order.relations.is_empty() {
        let _ = writeln!(
            text,
            "    {title}  nothing comes first in every simulated run, in {} of them at least",
            grouped(comparison.support)
        );
        return;
    }
    let direct = order.direct().count();
    let _ = writeln!(
        text,
        "    {title}  {} that always came in one order, in {} simulated runs at least; not implied by others are:",
        counted(order.relations.len() as u64, "pair of things", "pairs of things"),
        grouped(comparison.support),
    );
    for line in chains(order).into_iter().take(MOST_ORDERS) {
        let _ = writeln!(text, "      {}", harmless(&line, LONGEST * 3));
    }
    let lines = chains(order).len();
    if lines > MOST_ORDERS {
        let left = counted((lines - MOST_ORDERS) as u64, "more line", "more lines");
        let _ = writeln!(
            text,
            "      and {left}, of {direct} in all; --format json has them"
        );
    }
    if order.points.iter().any(|point| {
        matches!(
            point,
            squall_sim::compare::Point::Fact {
                by: squall_sim::compare::By::Role { .. },
                ..
            }
        )
    }) {
        let said = "`a ROLE` is the first of that role, of which another one is so from run to run";
        let _ = writeln!(text, "      {}", look.paint(Ink::Faint, said));
    }
    against(text, comparison, look);
}

/// `kill(s) → c1: suspected, c2: suspected`, a line for what comes first.
fn chains(order: &Order) -> Vec<String> {
    let mut lines: Vec<(usize, Vec<String>)> = Vec::new();
    for relation in order.direct() {
        let then = order.points[relation.then].to_string();
        match lines.iter_mut().find(|(first, _)| *first == relation.first) {
            Some((_, thens)) => thens.push(then),
            None => lines.push((relation.first, vec![then])),
        }
    }
    lines
        .into_iter()
        .map(|(first, thens)| format!("{} → {}", order.points[first], thens.join(", ")))
        .collect()
}

/// Live runs that stand against the order.
fn against(text: &mut String, comparison: &Comparison, look: &Look) {
    let order = &comparison.order;
    let by_chance = format!(
        "of the simulated runs {} of {} stand so against all others",
        grouped(order.simulated.count),
        grouped(order.simulated.of)
    );
    let said = match (comparison.of_test(What::Order), order.live.count) {
        (_, 0) => look.paint(Ink::Good, "no live run stands against it"),
        (Agreement::Outside, count) => look.paint(
            Ink::Bad,
            &format!(
                "live falls outside: {} of {} live runs stand against it, and {by_chance}",
                grouped(count),
                grouped(order.live.of)
            ),
        ),
        (_, count) => look.paint(
            Ink::Good,
            &format!(
                "{} of {} live runs stand against it, as chance has it: {by_chance}",
                grouped(count),
                grouped(order.live.of)
            ),
        ),
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

/// Facts that one world claims in another share of its runs, and those that only one does.
fn facts(text: &mut String, comparison: &Comparison, look: &Look) {
    let title = look.paint(Ink::Strong, &padded("facts", 9));
    let is_of_one = |fact: &&Claimed| fact.runs.simulated.count == 0 || fact.runs.live.count == 0;
    let outside: Vec<&Claimed> = comparison
        .facts
        .iter()
        .filter(|fact| fact.agreement == Agreement::Outside)
        .collect();
    let of_one: Vec<&Claimed> = comparison
        .facts
        .iter()
        .filter(|fact| is_of_one(fact) && fact.agreement != Agreement::Outside)
        .collect();
    let alike = comparison.facts.len() - outside.len();
    let _ = writeln!(
        text,
        "    {title}  {} of {} claimed in no other a share of the runs than chance lets them be",
        grouped(alike as u64),
        counted(comparison.facts.len() as u64, "is", "are")
    );
    for (list, ink, what) in [
        (outside, Ink::Bad, "live falls outside: "),
        (of_one, Ink::Faint, "in one world only, as chance has it: "),
    ] {
        for fact in list {
            let said = format!(
                "{what}{} claims {} in {} of {} simulated runs and {} of {} live ones",
                if fact.hosts == 1 {
                    format!("the {}", fact.role)
                } else {
                    format!("a {}", fact.role)
                },
                fact.name,
                grouped(fact.runs.simulated.count),
                grouped(fact.runs.simulated.of),
                grouped(fact.runs.live.count),
                grouped(fact.runs.live.of)
            );
            let _ = writeln!(text, "      {}", look.paint(ink, &harmless(&said, LONGEST * 3)));
        }
    }
}

/// What a machine was measured to take, a line each.
fn of_machine(text: &mut String, machine: &Machine, look: &Look) {
    let _ = writeln!(
        text,
        "    {}",
        look.paint(Ink::Strong, "this machine, with processes that were idle before")
    );
    for (what, samples) in [
        ("a datagram", &machine.delay),
        ("a timer, late by", &machine.lateness),
        ("a durable write", &machine.write),
    ] {
        let _ = writeln!(text, "      {}  {}", padded(what, 16), of_samples(samples));
    }
}

/// `p50 0.041 ms, p99 0.213 ms, max 1.020 ms (4 000 samples)`.
fn of_samples(samples: &[Span]) -> String {
    let ranks = super::Ranks::of(samples);
    let at = |percent| {
        ranks
            .percentile(percent)
            .map_or("–".to_owned(), |ns| format!("{} ms", millis(ns)))
    };
    format!(
        "p50 {}, p99 {}, max {} ({})",
        at(50),
        at(99),
        at(100),
        counted(samples.len() as u64, "sample", "samples")
    )
}

#[cfg(test)]
mod tests;
