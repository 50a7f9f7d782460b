//! A sweep as a line, with its reasons not to hold.

use std::fmt::Write as _;

use squall_sim::outcome::{Failures, Standing, SweepOutcome};
use squall_sim::plan::Expect;

use super::measures;
use super::run::{LONGEST_REMARK, mark, remark};
use crate::look::{Ink, Look, counted, grouped, harmless, listed, padded};

/// How many reasons are shown; the others are counted.
const MOST_REASONS: usize = 10;

/// A sweep as a line: how it stands, the file, the rule set, the seeds and the shares. A line more for each reason not to
/// hold, with the command that repeats the first run of it, for each measure, and for each of the `notes`.
pub fn sweep(outcome: &SweepOutcome, wall_ms: u64, notes: &[String], look: &Look) -> String {
    let scenario = padded(&harmless(&outcome.scenario, usize::MAX), look.columns.scenario);
    let rules = padded(outcome.rules, look.columns.rules);
    let (from, to) = outcome.done();
    let standing = outcome.standing();
    let mut text = format!(
        "{} {scenario}  {rules}  seeds {from}..{to}  {}",
        mark(standing, look),
        shares(outcome)
    );
    if standing != Standing::AsExpected {
        let _ = write!(text, "; {}", look.paint(Ink::Bad, &expected(outcome)));
    }
    text.push_str(&look.paint(Ink::Faint, &format!("  ({})", pace(outcome, wall_ms))));
    text.push('\n');
    for failures in outcome.failures.iter().take(MOST_REASONS) {
        reason(&mut text, failures, outcome, look);
    }
    if outcome.failures.len() > MOST_REASONS {
        // Not the runs: one may have several of them.
        let others = (outcome.failures.len() - MOST_REASONS) as u64;
        let _ = writeln!(
            text,
            "    and {}",
            counted(others, "other reason", "other reasons")
        );
    }
    for measured in &outcome.measures {
        let _ = writeln!(
            text,
            "    {}",
            look.paint(Ink::Faint, &measures::of_a_sweep(measured))
        );
    }
    if outcome.samples_left_out > 0 {
        let left_out = counted(outcome.samples_left_out, "sample is", "samples are");
        remark(
            &mut text,
            "note",
            Ink::Faint,
            &format!("{left_out} beyond those that are kept"),
            look,
        );
    }
    if outcome.was_stopped() {
        remark(&mut text, "note", Ink::Doubtful, &stopped(outcome), look);
    }
    for note in notes {
        remark(&mut text, "note", Ink::Faint, note, look);
    }
    text
}

/// How far a sweep that was stopped has come.
pub(crate) fn stopped(outcome: &SweepOutcome) -> String {
    let asked = outcome.asked();
    format!(
        "stopped after {} of {} seeds",
        grouped(outcome.runs),
        grouped(asked)
    )
}

/// What the file expects, in words.
pub(crate) fn expected(outcome: &SweepOutcome) -> String {
    match &outcome.expect {
        Expect::Held => "the file expects every run to hold".to_owned(),
        Expect::Violated(names) => {
            format!(
                "the file expects violations of {}, and of nothing else",
                listed(names)
            )
        }
    }
}

/// `1 000 held`, `960 held (96 %), 40 violated (4 %)`.
pub(crate) fn shares(outcome: &SweepOutcome) -> String {
    let parts = [
        (outcome.held, "held"),
        (outcome.violated, "violated"),
        (outcome.inconclusive, "inconclusive"),
    ];
    let there: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| {
            let count_told = grouped(*count);
            if *count == outcome.runs {
                format!("{count_told} {word}")
            } else {
                format!("{count_told} {word} ({})", share(*count, outcome.runs))
            }
        })
        .collect();
    if there.is_empty() {
        "no runs".to_owned()
    } else {
        there.join(", ")
    }
}

/// A share in per cent with two decimals where that says something; never 0 or 100 unless it is exactly that.
fn share(count: u64, of: u64) -> String {
    let parts = u128::from(count) * 10_000 / u128::from(of.max(1));
    match (parts, count) {
        (0, 1..) => "< 0.01 %".to_owned(),
        (parts, _) if parts % 100 == 0 => format!("{} %", parts / 100),
        (parts, _) => format!("{}.{:02} %", parts / 100, parts % 100),
    }
}

/// `1.2 s, 8 123 runs/s, 10 rechecked`.
fn pace(outcome: &SweepOutcome, wall_ms: u64) -> String {
    let rate = u128::from(outcome.runs) * 1000 / u128::from(wall_ms.max(1));
    let rate = grouped(u64::try_from(rate).unwrap_or(u64::MAX));
    let rechecked = match outcome.rechecked {
        0 => String::new(),
        rechecked => format!(", {} rechecked", grouped(rechecked)),
    };
    match wall_ms {
        0..1_000 => format!("{wall_ms} ms, {rate} runs/s{rechecked}"),
        _ => format!(
            "{}.{} s, {rate} runs/s{rechecked}",
            wall_ms / 1000,
            wall_ms % 1000 / 100
        ),
    }
}

/// A reason not to hold as a line, with the command that repeats the first run of it.
pub(crate) fn reason(text: &mut String, failures: &Failures, outcome: &SweepOutcome, look: &Look) {
    let is_expected = match &outcome.expect {
        Expect::Held => false,
        Expect::Violated(names) => names.contains(&failures.signature),
    };
    let signature = harmless(&failures.signature, LONGEST_REMARK);
    let signature = if is_expected {
        signature
    } else {
        look.paint(Ink::Bad, &signature)
    };
    let (count, share) = (
        counted(failures.count, "run", "runs"),
        share(failures.count, outcome.runs),
    );
    let as_expected = if is_expected { ", as expected" } else { "" };
    let command = look.run_command(&outcome.scenario, outcome.rules, failures.first_seed);
    let _ = writeln!(
        text,
        "    {signature}: {count} ({share}){as_expected}, the first: {command}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        assert_eq!(share(1, 3), "33.33 %");
        assert_eq!(share(1, 4), "25 %");
        assert_eq!(share(1, 1_000_000), "< 0.01 %");
        assert_eq!(share(999_999, 1_000_000), "99.99 %");
        assert_eq!(share(0, 10), "0 %");
    }
}
