//! What a run leaves to be desired though its verdict is as expected. `--strict` makes it fail.

use squall_reports::text::check::promise;
use squall_sim::outcome::{FaultOverRuns, InvariantDone, Outcome};
use squall_sim::plan::Origin;
use squall_sim::runner::{Promise, PromiseMade};
use squall_sim::scenario::{Flaw, ScenarioFile};

/// Promises that the file keeps less strictly than the protocol does, in sentences.
pub(crate) fn loosened(promises: &[PromiseMade]) -> Vec<String> {
    promises
        .iter()
        .filter(|made| is_looser(&made.promise, &made.by_default))
        .map(|made| {
            format!(
                "{} is loosened: it is asked for {}, by default {}",
                made.name,
                promise(&made.promise),
                promise(&made.by_default)
            )
        })
        .collect()
}

/// Invariants that judge by default and never did, in sentences. Of written ones, a run is inconclusive by itself.
pub(crate) fn unjudged(invariants: &[InvariantDone]) -> Vec<String> {
    invariants
        .iter()
        .filter(|done| done.judged == 0 && done.origin == Origin::Default)
        .map(|done| format!("{} never had anything to judge", done.name))
        .collect()
}

/// Promises of quiet that judge by default and never did, in one sentence for all of them.
pub(crate) fn never_quiet(promises: &[PromiseMade], invariants: &[InvariantDone]) -> Option<String> {
    let waits = |name: &String| {
        let made = promises.iter().find(|made| made.name == *name);
        made.is_some_and(|made| matches!(made.promise, Promise::InQuiet { .. }))
    };
    let unjudged: Vec<&str> = invariants
        .iter()
        .filter(|done| done.judged == 0 && done.origin == Origin::Default && waits(&done.name))
        .map(|done| done.name.as_str())
        .collect();
    (!unjudged.is_empty()).then(|| format!("promised in quiet and never judged: {}", unjudged.join(", ")))
}

/// Faults that had no part in a run's violation, in sentences: whoever reads that a promise breaks under them would be
/// misled. Those of which the file says that the flaw shows without them are left out.
pub(crate) fn undone(outcome: &Outcome, file: &ScenarioFile) -> Vec<String> {
    let needed = outcome
        .undone()
        .into_iter()
        .filter(|entry| is_needed(file, *entry));
    needed
        .map(|entry| &outcome.faults[entry])
        .map(|done| match done.at {
            None => format!("violated before {} happened", done.fault),
            Some(_) => format!("violated before {} touched anything", done.fault),
        })
        .collect()
}

/// Faults that never touched anything in a whole sweep, in sentences, but for those of which the file says that it shows
/// the same without them.
pub(crate) fn untouching(faults: &[FaultOverRuns], file: &ScenarioFile) -> Vec<String> {
    let missed = faults
        .iter()
        .enumerate()
        .filter(|(entry, done)| done.affected == 0 && is_needed(file, *entry));
    missed
        .map(|(_, done)| match done.runs {
            0 => format!("{} never happened", done.fault),
            _ => format!("{} never touched anything", done.fault),
        })
        .collect()
}

/// Whether the verdict that the file expects takes this entry of its timeline, as far as the file says.
fn is_needed(file: &ScenarioFile, entry: usize) -> bool {
    file.flaw() == Flaw::NeedsFaults && !file.scenery().contains(&entry)
}

fn is_looser(promise: &Promise, by_default: &Promise) -> bool {
    match (promise, by_default) {
        (Promise::Always, _) => false,
        (Promise::InQuiet { .. }, Promise::Always) => true,
        (Promise::InQuiet { bound }, Promise::InQuiet { bound: by_default }) => bound > by_default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_nodes::Span;

    fn made(promise: Promise, by_default: Promise) -> PromiseMade {
        PromiseMade {
            name: "t.x".to_owned(),
            says: "",
            promise,
            by_default,
            origin: Origin::Written,
        }
    }

    fn quiet(ms: u64) -> Promise {
        Promise::InQuiet {
            bound: Span::from_millis(ms),
        }
    }

    #[test]
    fn a_longer_bound_is_looser_and_a_shorter_one_is_not() {
        let told = loosened(&[made(quiet(4200), quiet(1000))]);
        assert_eq!(
            told,
            ["t.x is loosened: it is asked for in quiet for 4.2s, by default in quiet for 1s"]
        );
        for promise in [
            made(quiet(1), quiet(2)),
            made(quiet(2), quiet(2)),
            made(Promise::Always, quiet(1)),
        ] {
            assert_eq!(loosened(&[promise]), Vec::<String>::new());
        }
        assert_eq!(loosened(&[made(quiet(1), Promise::Always)]).len(), 1);
    }

    #[test]
    fn only_what_judges_by_default_is_missed_here() {
        let done = |judged, origin| InvariantDone {
            name: "t.x".to_owned(),
            judged,
            undecided: None,
            origin,
            promise: Promise::Always,
        };
        let told = unjudged(&[
            done(0, Origin::Default),
            done(0, Origin::Written),
            done(3, Origin::Default),
        ]);
        assert_eq!(told, ["t.x never had anything to judge"]);
    }

    #[test]
    fn promises_of_quiet_that_never_judged_are_named_in_one_sentence() {
        let named = |name: &str, promise| PromiseMade {
            name: name.to_owned(),
            ..made(promise, promise)
        };
        let promises = [
            named("t.a", quiet(1)),
            named("t.b", quiet(1)),
            named("t.c", quiet(1)),
            named("t.d", Promise::Always),
        ];
        let done = |name: &str, judged| InvariantDone {
            name: name.to_owned(),
            judged,
            undecided: None,
            origin: Origin::Default,
            promise: quiet(1),
        };
        let told = never_quiet(
            &promises,
            &[done("t.a", 0), done("t.b", 1), done("t.c", 0), done("t.d", 0)],
        );
        assert_eq!(
            told.as_deref(),
            Some("promised in quiet and never judged: t.a, t.c")
        );
        assert_eq!(never_quiet(&promises, &[done("t.b", 1), done("t.d", 0)]), None);
    }

    #[test]
    fn a_fault_without_effect_is_missed_unless_the_file_does_without_it() {
        let file = |more: &str| {
            let text =
                format!(r#"(protocol: "t", hosts: [], timeline: [A, B, C, D], tags: ["flaw"], {more})"#);
            ScenarioFile::parse("x.ron", text).expect("a scenario")
        };
        let fault = |fault: &str, runs, affected| FaultOverRuns {
            fault: fault.to_owned(),
            runs,
            affected,
        };
        let faults = [
            fault("kill(a)", 5, 0),
            fault("kill(b)", 5, 1),
            fault("kill(c)", 0, 0),
            fault("kill(d)", 5, 0),
        ];
        assert_eq!(
            untouching(&faults, &file("scenery: [3]")),
            ["kill(a) never touched anything", "kill(c) never happened"]
        );
        assert_eq!(
            untouching(&faults, &file("flaw: NeedsNoFault")),
            Vec::<String>::new()
        );
    }
}
