//! A run as a line.

use std::fmt::Write as _;

use squall_sim::outcome::{Outcome, Standing, Verdict};
use squall_sim::plan::Expect;

use super::measures;
use crate::look::{Ink, Look, counted, harmless, listed, millis, padded, span};

/// The longest doubt or note on a line, in characters.
pub(crate) const LONGEST_REMARK: usize = 300;

/// A run as one line: how it stands, the file, the rule set, the seed, the verdict, and what was measured. A line more for
/// each of the `notes` and, unless the run is as expected, for each doubt.
pub fn run(outcome: &Outcome, notes: &[String], look: &Look) -> String {
    let scenario = padded(&harmless(&outcome.scenario, usize::MAX), look.columns.scenario);
    let rules = padded(outcome.rules, look.columns.rules);
    let mut line = format!(
        "{} {scenario}  {rules}  seed {}  {}",
        mark(outcome.standing(), look),
        outcome.seed,
        verdict(outcome, look)
    );
    let mut details = Vec::new();
    if outcome.violation.is_none() {
        // A violation has its time already.
        details.push(span(outcome.virtual_time.as_nanos() / 1_000_000 * 1_000_000));
    }
    details.push(counted(outcome.events, "event", "events"));
    details.extend(outcome.measures.iter().map(measures::of_a_run));
    line.push_str(&look.paint(Ink::Faint, &format!("  ({})", details.join(", "))));
    line.push('\n');
    for doubt in &outcome.doubts {
        remark(&mut line, "doubt", Ink::Doubtful, doubt, look);
    }
    for note in notes {
        remark(&mut line, "note", Ink::Faint, note, look);
    }
    line
}

/// `✓` as expected, `✗` not, `?` not known.
pub(crate) fn mark(standing: Standing, look: &Look) -> String {
    match standing {
        Standing::AsExpected => look.paint(Ink::Good, "✓"),
        Standing::Otherwise => look.paint(Ink::Bad, "✗"),
        Standing::Unknown => look.paint(Ink::Doubtful, "?"),
    }
}

/// A line under a line.
pub(crate) fn remark(into: &mut String, kind: &str, ink: Ink, text: &str, look: &Look) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        into,
        "    {}",
        look.paint(ink, &format!("{kind}: {}", harmless(text, LONGEST_REMARK)))
    );
}

/// The verdict in words, and, unless the run is as expected, what the file expects.
pub(crate) fn verdict(outcome: &Outcome, look: &Look) -> String {
    let expected = match &outcome.expect {
        Expect::Held => "the file expects it to hold".to_owned(),
        Expect::Violated(names) => format!("the file expects a violation of {}", listed(names)),
    };
    let said = match (&outcome.violation, outcome.verdict) {
        (Some(violation), Verdict::Violated) => {
            format!(
                "violated {} at {} ms",
                violation.invariant,
                millis(violation.at.as_nanos())
            )
        }
        (_, verdict) => verdict.to_string(),
    };
    match (outcome.standing(), outcome.verdict) {
        (Standing::AsExpected, Verdict::Held) => look.paint(Ink::Good, &said),
        (Standing::AsExpected, _) => format!("{}, as expected", look.paint(Ink::Good, &said)),
        (Standing::Otherwise, _) => format!("{}; {expected}", look.paint(Ink::Bad, &said)),
        (Standing::Unknown, _) => format!("{}; {expected}", look.paint(Ink::Doubtful, &said)),
    }
}
