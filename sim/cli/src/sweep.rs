//! `sweep`: each file under many seeds, under each of its rule sets.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use squall_reports::json;
use squall_reports::look::Look;
use squall_reports::text::{self, Tallied, Tally};
use squall_sim::outcome::{Standing, SweepOutcome};
use squall_sim::plan::Expect;
use squall_sim::runner::{Prepared, Runner};
use squall_sim::sweep::{RunPanicked, SweepOptions};

use crate::args::{Format, SweepArgs};
use crate::bug::{Bug, traced};
use crate::exit::Exit;
use crate::files::{self, Ready};
use crate::junit;
use crate::session::Session;
use crate::strict;

/// The tag of files with many hosts.
const SCALE: &str = "scale";
/// How many seeds such files take.
const SCALE_SEEDS: u64 = 20;
/// How many stories are told of a sweep that is not as expected: of the first run of each of its commonest reasons.
const MOST_STORIES: usize = 3;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When a path cannot be used, or the output cannot be written.
pub(crate) fn sweep(
    runners: &[Box<dyn Runner>],
    args: &SweepArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let mut junit = junit::Asked::by(&args.how, "sweep", &args.which.files, session)?;
    let rules = args.rules.as_deref();
    let Some(all) = files::ready(runners, &args.which, rules, &args.how, &mut junit, session)? else {
        junit.write()?;
        session.came_to(Exit::Unusable);
        return Ok(());
    };
    let look = session.look(&args.how, files::columns(&all));
    let mut report = Report {
        args,
        look,
        jobs: args.jobs.count(),
        tally: Tally::default(),
        junit,
        stories: Vec::new(),
    };
    for ready in &all {
        for prepared in &ready.prepared {
            // After a panic or a difference nothing more is run, but what was done before it is summed up.
            if session.is_stopped() || session.exit == Exit::Bug {
                report.tally.not_begun += 1;
                report
                    .junit
                    .note(|junit| junit.not_begun(prepared.scenario(), prepared.rules()));
                continue;
            }
            report.one(ready, prepared.as_ref(), session)?;
        }
    }
    report.finish(session)?;
    report.junit.write()
}

struct Report<'a> {
    args: &'a SweepArgs,
    look: Look,
    jobs: usize,
    tally: Tally,
    junit: junit::Asked,
    stories: Vec<String>,
}

impl Report<'_> {
    fn one(
        &mut self,
        ready: &Ready<'_>,
        prepared: &dyn Prepared,
        session: &mut Session<'_>,
    ) -> anyhow::Result<()> {
        let how = &self.args.how;
        let asked = self.args.seeds.range();
        let seeds = if ready.file.is_tagged(SCALE) {
            self.args.seeds.first(SCALE_SEEDS)
        } else {
            asked.clone()
        };
        let bar = session.begin((seeds.end() - seeds.start()).saturating_add(1));
        session.doing(format!("{} under {}", prepared.scenario(), prepared.rules()));
        let progress = |done| bar.set_position(done);
        let options = SweepOptions {
            jobs: self.jobs,
            stop: session.surroundings.stop,
            recheck: self.args.recheck,
            progress: &progress,
        };
        let began = Instant::now();
        let swept = catch_unwind(AssertUnwindSafe(|| {
            squall_sim::sweep::sweep_through(prepared, seeds.clone(), &options)
        }));
        let wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.end();
        let outcome = match swept.map_err(|payload| payload.downcast::<RunPanicked>()) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(difference)) => {
                // The runs ahead of it are repeated with it, in their order: one of them may be what it takes.
                let seeds = (*seeds.start(), u128::from(difference.seed) + 1);
                let command = self
                    .look
                    .recheck_command(prepared.scenario(), prepared.rules(), seeds);
                let bug = Bug::differs(&difference, &command, session);
                self.tally.differing += 1;
                self.bug(prepared, &bug);
                return Ok(());
            }
            Err(Ok(panicked)) => {
                let bug = Bug::panicked(prepared, &panicked, &self.look, session);
                self.tally.panicked += 1;
                self.bug(prepared, &bug);
                return Ok(());
            }
            Err(Err(payload)) => resume_unwind(payload),
        };
        let mut notes = strict::loosened(&prepared.promises());
        // What no run got to, however it ended, says nothing for the file.
        if outcome.runs > 0 {
            notes.extend(strict::untouching(&outcome.faults, &ready.file));
        }
        // Runs that a violation ended early have not had the time to judge everything.
        if how.strict && outcome.held > 0 {
            notes.extend(strict::unjudged(&outcome.invariants));
        }
        let is_too_loose = how.strict && !notes.is_empty();
        if !how.strict && outcome.held > 0 {
            notes.extend(strict::never_quiet(&prepared.promises(), &outcome.invariants));
        }
        if seeds != asked {
            notes.push(format!(
                "tagged {SCALE}: the first {SCALE_SEEDS} seeds of {}..{}",
                asked.start(),
                u128::from(*asked.end()) + 1
            ));
        }
        session.came_to(outcome.standing().into());
        self.tally.add(outcome.standing(), outcome.runs);
        if is_too_loose {
            session.came_to(Exit::Otherwise);
            self.tally.too_loose += u64::from(outcome.standing() == Standing::AsExpected);
        }
        if !how.says.quiet || outcome.standing() != Standing::AsExpected || is_too_loose {
            let line = match how.says.format {
                Format::Text => text::sweep(&outcome, wall_ms, &notes, &self.look),
                Format::Json => format!("{}\n", json::sweep(&outcome, wall_ms, &notes)),
            };
            session.say(&line)?;
        }
        if how.says.format == Format::Text
            && outcome.standing() != Standing::AsExpected
            && let Err(bug) = self.tell(ready, prepared, &outcome, session)
        {
            self.bug(prepared, &bug);
            return Ok(());
        }
        let taken = junit::taken(is_too_loose);
        self.junit.note(|junit| junit.sweep(&outcome, &notes, taken));
        Ok(())
    }

    fn bug(&mut self, prepared: &dyn Prepared, bug: &Bug) {
        let (scenario, rules) = (prepared.scenario(), prepared.rules());
        self.junit
            .note(|junit| junit.bug(scenario, rules, bug.what, &bug.said));
    }

    /// Keeps the stories of the first runs that failed for reasons that the file does not expect.
    fn tell(
        &mut self,
        ready: &Ready<'_>,
        prepared: &dyn Prepared,
        outcome: &SweepOutcome,
        session: &mut Session<'_>,
    ) -> Result<(), Bug> {
        let is_expected = |signature: &String| match &outcome.expect {
            Expect::Held => false,
            Expect::Violated(names) => names.contains(signature),
        };
        let unexpected = outcome
            .failures
            .iter()
            .filter(|failures| !is_expected(&failures.signature));
        // One run may stand for several reasons, as a run does that has several doubts.
        let mut seeds: Vec<u64> = Vec::new();
        for failures in unexpected {
            if !seeds.contains(&failures.first_seed) {
                seeds.push(failures.first_seed);
            }
        }
        for seed in seeds.into_iter().take(MOST_STORIES) {
            let Ok((run, trace)) = traced(prepared, seed, &self.look, session)? else {
                // Whoever stops does not wait for stories.
                break;
            };
            let comment = Some(ready.file.story()).filter(|story| !story.trim().is_empty());
            self.stories.push(text::story(&run, &trace, comment, &self.look));
        }
        Ok(())
    }

    fn finish(&self, session: &mut Session<'_>) -> anyhow::Result<()> {
        if self.args.how.says.format == Format::Json {
            return Ok(());
        }
        let Tally {
            as_expected,
            too_loose,
            panicked,
            differing,
            not_begun,
            ..
        } = self.tally;
        let is_worth_it =
            !self.args.how.says.quiet || as_expected < self.tally.done() || too_loose > 0 || not_begun > 0;
        // A sweep that panicked or differed has no line of its own.
        if is_worth_it && (self.tally.done() + not_begun > 1 || panicked + differing > 0) {
            session.say(&format!("\n{}", self.tally.summary(Tallied::Sweeps, &self.look)))?;
        }
        for story in &self.stories {
            session.say(&format!("\n{story}"))?;
        }
        Ok(())
    }
}
