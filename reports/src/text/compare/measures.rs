//! A measure in both worlds: its order statistics, how far apart they are, and what follows from that.

use std::fmt::Write as _;

use squall_sim::compare::{Compared, Comparison, How, Later, Method, Ranked, Samples, Share, What};
use squall_sim::trace::Span;

use super::{LONGEST, chance};
use crate::look::{Ink, Look, grouped, harmless, millis, padded};

pub(super) fn of_measure(text: &mut String, comparison: &Comparison, place: usize, look: &Look) {
    let measure = &comparison.measures[place];
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
    if let Some(said) = numbers(comparison, place) {
        let _ = writeln!(text, "    {}", look.paint(Ink::Faint, &said));
    }
    let ink = if measure.outside.is_empty() {
        Ink::Good
    } else {
        Ink::Bad
    };
    for sentence in sentences(comparison, place) {
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

/// The distance with its confidence and its probability, and the difference of the medians.
fn numbers(comparison: &Comparison, place: usize) -> Option<String> {
    let measure = &comparison.measures[place];
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
    let confidence = match measure.distance_between {
        Some((low, high)) => format!(" (95 %: {low:.3} to {high:.3})"),
        None => String::new(),
    };
    let mut said = format!(
        "D = {:.3}{confidence}, {} ({by})",
        distance.distance,
        chance(comparison, What::Measure(place, How::Distance))
    );
    if let Some(later) = measure.later {
        let _ = write!(said, "; the live median is {}", by_how_much(later));
    }
    Some(said)
}

/// `1.8 ms later (95 %: 1.2 to 2.4 ms)`, or without what nobody knows.
fn by_how_much(later: Later) -> String {
    let word = if later.by < 0 { "earlier" } else { "later" };
    format!("{} ms {word}{}", magnitude(later.by), confidence(later))
}

/// ` (95 %: 1.2 to 2.4 ms)`, in the direction of the difference, where it is known.
fn confidence(later: Later) -> String {
    let Some((low, high)) = later.between else {
        return String::new();
    };
    let [low, high] = if later.by < 0 { [-high, -low] } else { [low, high] };
    let signed = |ns: i64| {
        let minus = if ns < 0 { "−" } else { "" };
        format!("{minus}{}", magnitude(ns))
    };
    format!(" (95 %: {} to {} ms)", signed(low), signed(high))
}

/// Nanoseconds as milliseconds, without their sign.
fn magnitude(ns: i64) -> String {
    millis(ns.unsigned_abs())
}

/// How live stands in a measure, in plain sentences.
pub(crate) fn sentences(comparison: &Comparison, place: usize) -> Vec<String> {
    let measure = &comparison.measures[place];
    let (simulated, live) = (measure.reached.simulated, measure.reached.live);
    let likely = |how| chance(comparison, What::Measure(place, how));
    let reached = format!(
        "live falls outside: {} of {} live runs have a sample, and {} of {} simulated ones ({})",
        grouped(live.count),
        grouped(live.of),
        grouped(simulated.count),
        grouped(simulated.of),
        likely(How::Reached)
    );
    let beyond = |share: Share, which: &str, how| {
        format!(
            "live falls outside: {} of {} live runs are {which} of {} simulated ones ({})",
            grouped(share.count),
            grouped(share.of),
            grouped(simulated.count),
            likely(how)
        )
    };
    let mut told: Vec<String> = measure
        .outside
        .iter()
        .map(|how| match how {
            How::Reached => reached.clone(),
            How::Above => beyond(measure.above, "above the greatest", How::Above),
            How::Below => beyond(measure.below, "below the least", How::Below),
            How::Distance => distance(measure),
        })
        .collect();
    if told.is_empty() {
        told.push(if live.count == 0 {
            "no live run has a sample".to_owned()
        } else {
            let mut within = "live lies within what was simulated".to_owned();
            for (share, which, how) in [
                (measure.above, "above the greatest", How::Above),
                (measure.below, "below the least", How::Below),
            ] {
                if share.count > 0 {
                    let _ = write!(
                        within,
                        ", though {} of {} live runs {} {which} simulated one ({})",
                        grouped(share.count),
                        grouped(share.of),
                        if share.count == 1 { "is" } else { "are" },
                        likely(how)
                    );
                }
            }
            within
        });
    }
    told
}

fn distance(measure: &Compared) -> String {
    let is_shifted = |later: &Later| later.between.is_some_and(|(low, high)| low > 0 || high < 0);
    match measure.later.filter(is_shifted) {
        Some(later) => {
            let word = if later.by < 0 { "faster" } else { "slower" };
            format!(
                "live is {word} by {} ms at the median{}, which the simulated latency does not explain",
                magnitude(later.by),
                confidence(later)
            )
        }
        None => "live falls outside: its samples are spread otherwise, though their middle may be the same"
            .to_owned(),
    }
}
