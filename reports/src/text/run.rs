//! A run as a line.

use std::fmt::Write as _;

use squall_sim::outcome::{Outcome, Standing, StreamTraffic, Traffic, Verdict};
use squall_sim::plan::Expect;

use super::measures;
use crate::look::{Ink, Look, counted, grouped, harmless, listed, millis, padded, span};

/// The longest doubt or note on a line, in characters.
pub(crate) const LONGEST_REMARK: usize = 300;

/// A run as one line: how it stands, the file, the rule set, the seed, the verdict, and what was measured. A line more for
/// each of the `notes`, for each doubt, and for what befell datagrams beyond loss and cuts, if anything did.
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
    if let Some(befell) = befell(&outcome.traffic) {
        remark(&mut line, "datagrams", Ink::Faint, &befell, look);
    }
    if let Some(streams) = streams(&outcome.traffic.streams) {
        remark(&mut line, "streams", Ink::Faint, &streams, look);
    }
    for note in notes {
        remark(&mut line, "note", Ink::Faint, note, look);
    }
    line
}

/// What befell datagrams, of what does not befall them in most runs.
fn befell(traffic: &Traffic) -> Option<String> {
    let counts = [
        (traffic.congested, "found no room in a link's queue"),
        (traffic.too_long, "longer than a link's MTU"),
        (traffic.corrupted, "with a byte changed on the way"),
        (
            traffic.overflowed,
            "found no room in a paused or slow host's buffer",
        ),
    ];
    let befell: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(count)))
        .collect();
    (!befell.is_empty()).then(|| befell.join(", "))
}

/// What became of streams, where there were any.
fn streams(counts: &StreamTraffic) -> Option<String> {
    let counts = [
        (counts.opened, "connections opened"),
        (counts.refused, "refused"),
        (counts.reset, "reset"),
        (counts.timed_out, "given up"),
        (counts.turned_away, "turned away by a host that had enough"),
        (counts.written, "bytes written"),
        (counts.delivered, "read"),
        (counts.packets, "packets"),
        (counts.sent_again, "of them sent again"),
        (counts.duplicated, "doubled"),
        (counts.lost, "lost"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(count)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
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
pub fn verdict(outcome: &Outcome, look: &Look) -> String {
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
