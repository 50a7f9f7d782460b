//! A recorded life, lived again: whether it was the same, and its story.

use std::fmt::Write as _;

use squall_nodes::recording::{Asked, CutWhy, Difference, Ended, Happened, Pilot, Replay, Step};
use squall_nodes::{Span, Time};

use super::run::remark;
use crate::look::{Ink, Look, counted, grouped, harmless, millis, padded, span};

/// The longest text of an input or an effect that is shown in a story, in characters.
const LONGEST_SAYING: usize = 240;

/// A replay as a line, with what there is to say besides under it: the first difference, how the recording ends, and `notes`. `file`
/// is what was replayed.
pub fn replay(file: &str, replay: &Replay, notes: &[String], look: &Look) -> String {
    let Replay { pilot, .. } = replay;
    let (mark, verdict) = match &replay.difference {
        None if replay.is_empty() => (
            look.paint(Ink::Doubtful, "?"),
            look.paint(Ink::Doubtful, "holds no input"),
        ),
        None if replay.is_damaged() => (
            look.paint(Ink::Doubtful, "?"),
            look.paint(Ink::Doubtful, "identical as far as it can be read"),
        ),
        None => (look.paint(Ink::Good, "✓"), look.paint(Ink::Good, "identical")),
        Some(difference) => {
            let text = format!("differs at input {}", grouped(difference.input));
            (look.paint(Ink::Bad, "✗"), look.paint(Ink::Bad, &text))
        }
    };
    let mut text = format!(
        "{mark} {file}  {}  {verdict}{}\n",
        whose(pilot, &replay.rules),
        look.paint(Ink::Faint, &format!("  ({})", amounts(replay)))
    );
    if let Some(difference) = &replay.difference {
        differs(&mut text, difference, pilot.booted, look);
        if replay.differing > 1 {
            let mut more =
                counted(replay.differing, "input has", "inputs have") + " other effects than were recorded";
            if replay.skipped > 0 {
                let _ = write!(
                    more,
                    "; {} of them the node was not told, since it had not asked for what they answer",
                    grouped(replay.skipped)
                );
            }
            remark(&mut text, "then", Ink::Doubtful, &more, look);
        }
    }
    if let Some(said) = &replay.panicked {
        let at = format!("the node panicked over input {}: {said}", grouped(replay.inputs));
        remark(&mut text, "panic", Ink::Bad, &at, look);
    }
    if let Some((ink, ends)) = ended(&replay.ended) {
        remark(&mut text, "end", ink, &ends, look);
    }
    for note in notes {
        remark(&mut text, "note", Ink::Doubtful, note, look);
    }
    text
}

/// An input of a replay and what came of it, a line each. Times are in milliseconds since the node booted.
pub fn step(step: &Step, booted: Time, look: &Look) -> String {
    let mut text = String::new();
    let head = format!("{:>7}  {:>13}", grouped(step.input), since(step.at, booted));
    let told = look.paint(Ink::Strong, &harmless(&step.told, LONGEST_SAYING));
    let _ = writeln!(text, "{}  {told}", look.paint(Ink::Faint, &head));
    let indent = padded("", head.chars().count() + 2);
    let mut line = |ink: Option<Ink>, said: &str| {
        let said = harmless(said, LONGEST_SAYING);
        let said = ink.map_or_else(|| said.clone(), |ink| look.paint(ink, &said));
        let _ = writeln!(text, "{indent}{said}");
    };
    match &step.happened {
        Happened::Asked(all) => {
            for asked in all {
                match asked {
                    Asked::AsRecorded(said) if said.starts_with("claim ") => line(Some(Ink::Fact), said),
                    Asked::AsRecorded(said) => line(None, said),
                    Asked::Otherwise { recorded, replayed } => {
                        line(Some(Ink::Bad), &format!("recorded: {}", or_nothing(recorded)));
                        line(Some(Ink::Bad), &format!("replayed: {}", or_nothing(replayed)));
                    }
                }
            }
        }
        Happened::Panicked(said) => line(Some(Ink::Bad), &format!("panic: {said}")),
        Happened::Skipped => line(
            Some(Ink::Doubtful),
            "not told: the node has not asked for what this answers",
        ),
    }
    text
}

/// `c1, a Client of hac under Hardened, life 3`
fn whose(pilot: &Pilot, rules: &str) -> String {
    let recorded = if pilot.rules == rules {
        String::new()
    } else {
        format!(" (recorded under {})", harmless(&pilot.rules, LONGEST_SAYING))
    };
    format!(
        "{}, {} of {} under {rules}{recorded}, life {}",
        harmless(&pilot.name, LONGEST_SAYING),
        harmless(&pilot.role, LONGEST_SAYING),
        harmless(&pilot.protocol, LONGEST_SAYING),
        pilot.incarnation
    )
}

/// `1 204 inputs, 5 310 effects, 12.3s`
fn amounts(replay: &Replay) -> String {
    let lasted = replay.last.since(replay.pilot.booted).as_nanos() / 1_000_000 * 1_000_000;
    format!(
        "{}, {}, {}",
        counted(replay.inputs, "input", "inputs"),
        counted(replay.effects, "effect", "effects"),
        span(lasted)
    )
}

fn differs(text: &mut String, difference: &Difference, booted: Time, look: &Look) {
    let told = harmless(&difference.told, LONGEST_SAYING);
    let _ = writeln!(
        text,
        "    input {} at {} ms: {told}\n    effect {}\n      recorded  {}\n      replayed  {}",
        grouped(difference.input),
        since(difference.at, booted),
        grouped(difference.effect),
        look.paint(
            Ink::Strong,
            &harmless(or_nothing(&difference.recorded), LONGEST_SAYING)
        ),
        look.paint(
            Ink::Strong,
            &harmless(or_nothing(&difference.replayed), LONGEST_SAYING)
        ),
    );
}

/// What there is to say of how a recording ends.
fn ended(ended: &Ended) -> Option<(Ink, String)> {
    let (ink, text) = match ended {
        Ended::Stopped { .. } => return None,
        Ended::Open => (
            Ink::Faint,
            "with its last whole entry: the node was killed after it, or its recorder was kept from writing, or it still runs"
                .to_owned(),
        ),
        Ended::Full => (
            Ink::Doubtful,
            "the recording was as large as it may be, and the node went on unrecorded".to_owned(),
        ),
        Ended::Panicked => (Ink::Bad, "the node panicked over the last input when it was recorded".to_owned()),
        Ended::CutOff { at, bytes, why } => {
            let why = match why {
                CutWhy::Short => "the file ends within it",
                CutWhy::Damaged => "it is damaged",
            };
            let text = format!(
                "the last {} are no whole entry, and nothing from byte {} on was replayed: {why}",
                counted(*bytes, "byte", "bytes"),
                grouped(*at)
            );
            (Ink::Doubtful, text)
        }
    };
    Some((ink, text))
}

fn or_nothing(said: &Option<String>) -> &str {
    said.as_deref().unwrap_or("nothing")
}

/// Milliseconds since the node booted.
fn since(at: Time, booted: Time) -> String {
    let before: Span = booted.since(at);
    if before.is_zero() {
        format!("+{}", millis(at.since(booted).as_nanos()))
    } else {
        format!("-{}", millis(before.as_nanos()))
    }
}

#[cfg(test)]
mod tests;
