//! What a run leaves to be desired though its verdict is as expected. `--strict` makes it fail.

use squall_reports::text::check::promise;
use squall_sim::outcome::{FaultOverRuns, InvariantDone};
use squall_sim::plan::Origin;
use squall_sim::runner::{Promise, PromiseMade};

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

/// Faults that never touched anything in a whole sweep, in sentences.
pub(crate) fn untouching(faults: &[FaultOverRuns]) -> Vec<String> {
    faults
        .iter()
        .filter(|fault| fault.affected == 0)
        .map(|fault| format!("{} never touched anything", fault.fault))
        .collect()
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
            origin,
        };
        let told = unjudged(&[
            done(0, Origin::Default),
            done(0, Origin::Written),
            done(3, Origin::Default),
        ]);
        assert_eq!(told, ["t.x never had anything to judge"]);
    }

    #[test]
    fn a_fault_that_happened_and_touched_nothing_is_missed() {
        let fault = |affected| FaultOverRuns {
            fault: "kill(s)".to_owned(),
            runs: 5,
            affected,
        };
        assert_eq!(
            untouching(&[fault(0), fault(1)]),
            ["kill(s) never touched anything"]
        );
    }
}
