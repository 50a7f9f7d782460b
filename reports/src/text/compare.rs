//! Two worlds side by side, and where live falls outside, in plain sentences.

mod facts;
mod machine;
mod measures;
mod order;

use std::fmt::Write as _;

use squall_sim::compare::{
    Agreement, Comparison, FEWEST_LIVE, FEWEST_SIMULATED, LEVEL, Share, Tested, Verdicts, What,
};
use squall_sim::outcome::Standing;

use self::facts::facts;
use self::machine::of_machine;
use self::measures::of_measure;
pub(crate) use self::measures::sentences;
use self::order::order;
use super::run::{mark, remark};
use crate::compare::{Joined, Made};
use crate::look::{Ink, Look, counted, grouped, harmless, millis, padded};

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
    tests(&mut text, comparison, look);
    if let Some(busy) = busy(comparison, made) {
        let _ = writeln!(text, "    {}", look.paint(Ink::Doubtful, &busy));
    }
    for place in 0..comparison.measures.len() {
        text.push('\n');
        of_measure(&mut text, comparison, place, look);
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

/// What there is to say of how it was made, where nothing of it stands beside the findings.
pub(crate) fn all_notes(comparison: &Comparison, made: &Made) -> Vec<String> {
    let busy = busy(comparison, made).into_iter();
    busy.chain(notes(comparison, made)).collect()
}

/// What there is to say of how it was made, besides whether the machine was busy.
fn notes(comparison: &Comparison, made: &Made) -> Vec<String> {
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
            "calibrated: links take what their law says and what was measured, writes what was measured, and hosts wake up and boot as late \
             as was measured; that many hosts share the processors cannot be simulated"
                .to_owned(),
        );
        if made.joined == Joined::Bridge {
            notes.push(
                "the machine was measured over loopback: what the bridge between the namespaces of live hosts adds to a datagram is not \
                 simulated, so that live may be the slower for it"
                    .to_owned(),
            );
        }
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
            let chance = chance(comparison, what);
            let sentence = format!("live falls outside: another share of its runs is {name} ({chance})");
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

/// How all tests together say what falls outside, and how near the nearest of the others comes to it.
fn tests(text: &mut String, comparison: &Comparison, look: &Look) {
    let tests = &comparison.tests;
    let rejected = tests
        .iter()
        .filter(|test| test.agreement == Agreement::Outside)
        .count();
    let mut said = format!(
        "{} at a level of {} % for all of them together, by Holm's procedure: ",
        counted(tests.len() as u64, "test", "tests"),
        percent(LEVEL)
    );
    said += &match rejected {
        0 => "none finds live otherwise".to_owned(),
        1 => "1 finds live otherwise".to_owned(),
        count => format!("{} find live otherwise", grouped(count as u64)),
    };
    let least = tests
        .iter()
        .min_by(|a, b| a.p.total_cmp(&b.p))
        .filter(|_| rejected == 0);
    if let Some(least) = least {
        let _ = write!(said, ", and the least has {}", likely(least));
    }
    let _ = writeln!(text, "    {}", look.paint(Ink::Faint, &said));
}

/// That the machine had something else to do, where live falls outside or is not as the file expects: it may be for that.
fn busy(comparison: &Comparison, made: &Made) -> Option<String> {
    let is_found = comparison.agreement() == Agreement::Outside
        || comparison.verdicts.live.standing != Standing::AsExpected;
    let share = made.busy().filter(|_| is_found)?;
    Some(format!(
        "the machine was busy: others took {} % of its processors while live runs were played, so that live may be late, and other than \
         simulated, for want of them; compare again when it has nothing else to do",
        percent(share)
    ))
}

/// How likely what was seen of one thing is.
fn chance(comparison: &Comparison, what: What) -> String {
    comparison.tested(what).map_or("not tested".to_owned(), likely)
}

/// `p = 0.003, 0.084 by Holm`: the probability by itself, and the one that the level is for.
fn likely(test: &Tested) -> String {
    format!(
        "p = {}, {} by Holm",
        probability(test.p),
        probability(test.adjusted)
    )
}

/// `0.713`, `2.1e-5`.
fn probability(p: f64) -> String {
    if p >= 0.001 {
        format!("{p:.3}")
    } else {
        format!("{p:.1e}")
    }
}

#[cfg(test)]
mod tests;
