//! Calls into the engine that look out for bugs, of ours or of a node: a panic, and two runs of one seed that are not one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squall_reports::look::Look;
use squall_sim::gate::Difference;
use squall_sim::outcome::Outcome;
use squall_sim::runner::{Prepared, Stopped};
use squall_sim::sweep::RunPanicked;
use squall_sim::trace::Trace;
use squall_stage::StageError;

use crate::exit::Exit;
use crate::session::Session;

/// A bug that has been told. After it nothing more is run.
#[must_use]
pub(crate) struct Bug {
    /// What it is, in a word or two.
    pub(crate) what: &'static str,
    /// All that was said of it, with the command that repeats it.
    pub(crate) said: String,
}

impl Bug {
    /// Tells of a run that panicked.
    pub(crate) fn panicked(
        prepared: &dyn Prepared,
        panicked: &RunPanicked,
        look: &Look,
        session: &mut Session<'_>,
    ) -> Self {
        let command = look.run_command(prepared.scenario(), prepared.rules(), panicked.seed);
        let said = format!(
            "a run panicked, which is a bug of the simulator or of a node: {}\n{command}",
            panicked.message
        );
        Bug::told("panicked", said, session)
    }

    /// Tells of a live run of which a host panicked.
    pub(crate) fn of_a_host(scenario: &str, panicked: &StageError, session: &mut Session<'_>) -> Self {
        let said = format!(
            "{scenario}: {panicked}\nplayed by `live` with --record, what it was told is recorded up to that, and `replay` tells it the same again"
        );
        Bug::told("panicked", said, session)
    }

    /// Tells of two runs of one seed that are not one, with the first event that shows it.
    pub(crate) fn differs(difference: &Difference, command: &str, session: &mut Session<'_>) -> Self {
        let said = format!(
            "the run is not deterministic, which is a bug of the simulator or of a node\n{difference}\n{command}"
        );
        Bug::told("not deterministic", said, session)
    }

    fn told(what: &'static str, said: String, session: &mut Session<'_>) -> Self {
        session.came_to(Exit::Bug);
        session.end();
        session.tell_error(&said);
        Bug { what, said }
    }
}

/// Calls into the engine.
///
/// # Errors
///
/// When it panics.
pub(crate) fn guarded<T>(seed: u64, call: impl FnOnce() -> T) -> Result<T, RunPanicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| RunPanicked::new(seed, payload.as_ref()))
}

/// The trace of one run by itself, for a story, unless Ctrl-C is pressed before it is over.
///
/// # Errors
///
/// The bug, when it panics.
pub(crate) fn traced(
    prepared: &dyn Prepared,
    seed: u64,
    look: &Look,
    session: &mut Session<'_>,
) -> Result<Result<(Outcome, Trace), Stopped>, Bug> {
    let stop = session.surroundings.stop;
    guarded(seed, || prepared.worker().trace_until(seed, stop))
        .map_err(|panicked| Bug::panicked(prepared, &panicked, look, session))
}

/// Holds a run against the one before it, which had the same seed.
///
/// # Errors
///
/// The bug, when the two are not one.
pub(crate) fn are_one(
    prepared: &dyn Prepared,
    runs: [&Outcome; 2],
    look: &Look,
    session: &mut Session<'_>,
) -> Result<(), Bug> {
    let [first, second] = runs;
    match guarded(first.seed, || Difference::between(prepared, first, second)) {
        Ok(None) => Ok(()),
        Ok(Some(difference)) => {
            let command = look.run_command(prepared.scenario(), prepared.rules(), first.seed);
            Err(Bug::differs(&difference, &command, session))
        }
        Err(panicked) => Err(Bug::panicked(prepared, &panicked, look, session)),
    }
}
