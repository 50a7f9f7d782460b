//! What is claimed in another share of the live runs than of the simulated ones.

use std::fmt::Write as _;

use squall_sim::compare::{Agreement, Claimed, Comparison, What};

use super::{LONGEST, chance};
use crate::look::{Ink, Look, grouped, harmless, padded};

/// Facts that one world claims in another share of its runs, and those that only one does.
pub(super) fn facts(text: &mut String, comparison: &Comparison, look: &Look) {
    let title = look.paint(Ink::Strong, &padded("facts", 9));
    let (mut outside, mut of_one) = (Vec::new(), Vec::new());
    for (place, fact) in comparison.facts.iter().enumerate() {
        let is_of_one = fact.runs.simulated.count == 0 || fact.runs.live.count == 0;
        if fact.agreement == Agreement::Outside {
            outside.push((place, fact));
        } else if is_of_one {
            of_one.push((place, fact));
        }
    }
    let all = grouped(comparison.facts.len() as u64);
    let said = match (comparison.facts.len(), outside.len()) {
        (0, _) => "none is claimed in either world".to_owned(),
        (_, 0) => format!("all {all}, by role, are claimed in like shares of the runs of both worlds"),
        (_, count) => format!(
            "{} of {all}, by role, {} claimed in another share of the live runs than of the simulated ones",
            grouped(count as u64),
            if count == 1 { "is" } else { "are" }
        ),
    };
    let _ = writeln!(text, "    {title}  {said}");
    for (list, ink, what) in [
        (outside, Ink::Bad, "live falls outside: "),
        (of_one, Ink::Faint, "in one world only: "),
    ] {
        for (place, fact) in list {
            let said = format!("{what}{} ({})", of(fact), chance(comparison, What::Fact(place)));
            let _ = writeln!(text, "      {}", look.paint(ink, &harmless(&said, LONGEST * 3)));
        }
    }
}

/// `the Server claims promoted in 0 of 1 000 simulated runs and 3 of 30 live ones`.
fn of(fact: &Claimed) -> String {
    let article = if fact.hosts == 1 { "the" } else { "a" };
    format!(
        "{article} {} claims {} in {} of {} simulated runs and {} of {} live ones",
        fact.role,
        fact.name,
        grouped(fact.runs.simulated.count),
        grouped(fact.runs.simulated.of),
        grouped(fact.runs.live.count),
        grouped(fact.runs.live.of)
    )
}
