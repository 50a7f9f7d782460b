//! `run`: each file once under each of its rule sets, several at a time and told in order.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use squall_reports::json;
use squall_reports::look::Look;
use squall_reports::text::{self, Tallied, Tally};
use squall_sim::outcome::{Outcome, Standing, Verdict};
use squall_sim::runner::{Prepared, Runner, Stopped};
use squall_sim::scenario::ScenarioFile;
use squall_sim::sweep::RunPanicked;
use squall_sim::trace::Trace;

use crate::abreast::Abreast;
use crate::args::{Format, How, RunArgs};
use crate::bug::{Bug, are_one, guarded, traced};
use crate::exit::Exit;
use crate::files;
use crate::junit;
use crate::session::Session;
use crate::strict;
use crate::tracefile::Stream;

/// How many stories are told at the end; of the rest, the lines say how to hear them.
const MOST_STORIES: usize = 10;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When a path cannot be used, or the output cannot be written.
pub(crate) fn run(
    runners: &[Box<dyn Runner>],
    args: &RunArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let records = args.records();
    records.look_ahead(&args.which.files, args.how.junit.as_deref())?;
    let mut junit = junit::Asked::by(&args.how, "run", &args.which.files, session)?;
    let rules = args.rules.as_deref();
    let Some(all) = files::ready(runners, &args.which, rules, &args.how, &mut junit, session)? else {
        junit.write()?;
        session.came_to(Exit::Unusable);
        return Ok(());
    };
    let prepared: Vec<&dyn Prepared> = all
        .iter()
        .flat_map(|ready| &ready.prepared)
        .map(Box::as_ref)
        .collect();
    let files: Vec<&ScenarioFile> = all
        .iter()
        .flat_map(|ready| ready.prepared.iter().map(|_| &ready.file))
        .collect();
    let count = prepared.len();
    records.are_of_one(count as u64, "name one file, and one rule set with --rules")?;
    let mut report = Report {
        args,
        look: session.look(&args.how, files::columns(&all)),
        stories: if args.story || (all.len() == 1 && !args.how.says.quiet) {
            Stories::All
        } else {
            Stories::Unexpected
        },
        told: Vec::new(),
        untold: 0,
        tally: Tally::default(),
        junit,
        to: records.beside(),
    };
    session.begin(count as u64);
    // What is waited for is what is said to be done: of those under way, the first.
    let doing = |session: &mut Session<'_>, place: usize| {
        if let Some(next) = prepared.get(place) {
            session.doing(format!("{} under {}", next.scenario(), next.rules()));
        }
    };
    doing(session, 0);
    let runs = Abreast {
        count,
        jobs: args.jobs.count(),
        stop: session.surroundings.stop,
    };
    let mut handed_over = 0;
    let stop = session.surroundings.stop;
    let begun = runs.each(
        |place| first_run(prepared[place], args, stop),
        |place, done| {
            match done {
                Ok(Ok(run)) => report.one(prepared[place], files[place], run, session)?,
                Ok(Err(stopped)) => report.stopped(prepared[place], stopped, session),
                Err(panicked) => {
                    let bug = Bug::panicked(prepared[place], &panicked, &report.look, session);
                    report.bug(prepared[place], &bug);
                }
            }
            handed_over = place + 1;
            if session.exit == Exit::Bug {
                return anyhow::Ok(ControlFlow::Break(()));
            }
            session.advance();
            doing(session, place + 1);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for prepared in &prepared[handed_over..] {
        report
            .junit
            .note(|junit| junit.not_begun(prepared.scenario(), prepared.rules()));
    }
    if session.exit == Exit::Bug {
        return report.junit.write();
    }
    report.tally.not_begun = (count - begun) as u64;
    session.end();
    report.finish(session)?;
    report.junit.write()
}

/// What is told of the runs, and where.
struct Report<'a> {
    args: &'a RunArgs,
    look: Look,
    stories: Stories,
    told: Vec<String>,
    /// Stories beyond those that are told.
    untold: usize,
    tally: Tally,
    junit: junit::Asked,
    to: Stream,
}

/// Whose stories are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stories {
    /// Of every violation, and of all that is not as expected.
    All,
    /// Of what is not as expected.
    Unexpected,
}

impl Report<'_> {
    fn one(
        &mut self,
        prepared: &dyn Prepared,
        file: &ScenarioFile,
        (outcome, trace): (Outcome, Option<Trace>),
        session: &mut Session<'_>,
    ) -> anyhow::Result<()> {
        let how = &self.args.how;
        if let Some(trace) = &trace {
            self.args.records().write(&outcome, trace, session)?;
        }
        let (notes, is_too_loose) = notes(prepared, file, &outcome, how);
        session.came_to(outcome.standing().into());
        self.tally.add(outcome.standing(), 1);
        if is_too_loose {
            session.came_to(Exit::Otherwise);
            self.tally.too_loose += u64::from(outcome.standing() == Standing::AsExpected);
        }
        if !how.says.quiet || outcome.standing() != Standing::AsExpected || is_too_loose {
            let line = match how.says.format {
                Format::Text => text::run(&outcome, &notes, &self.look),
                Format::Json => format!("{}\n", json::run(&outcome, &notes)),
            };
            self.say(&line, session)?;
        }
        match self.keep_story(prepared, file, &outcome, trace, session) {
            Ok(()) => {
                let taken = junit::taken(is_too_loose);
                self.junit.note(|junit| junit.run(&outcome, &notes, taken));
            }
            Err(bug) => self.bug(prepared, &bug),
        }
        Ok(())
    }

    /// A run that was stopped has no verdict: nothing is said of it where results are.
    fn stopped(&mut self, prepared: &dyn Prepared, Stopped { at }: Stopped, session: &mut Session<'_>) {
        let (scenario, rules) = (prepared.scenario(), prepared.rules());
        self.tally.stopped += 1;
        self.junit.note(|junit| junit.stopped(scenario, rules));
        session.tell(&format!(
            "{scenario} under {rules} was stopped at {at}, without a verdict"
        ));
    }

    fn bug(&mut self, prepared: &dyn Prepared, bug: &Bug) {
        let (scenario, rules) = (prepared.scenario(), prepared.rules());
        self.junit
            .note(|junit| junit.bug(scenario, rules, bug.what, &bug.said));
    }

    /// Keeps the story of a run, where it is wanted, for the end.
    fn keep_story(
        &mut self,
        prepared: &dyn Prepared,
        file: &ScenarioFile,
        outcome: &Outcome,
        trace: Option<Trace>,
        session: &mut Session<'_>,
    ) -> Result<(), Bug> {
        if !self.wants_story(outcome) {
            return Ok(());
        }
        if self.told.len() >= MOST_STORIES && !self.args.story {
            self.untold += 1;
            return Ok(());
        }
        let look = &self.look;
        let trace = match trace {
            Some(trace) => trace,
            None => {
                let Ok((again, trace)) = traced(prepared, outcome.seed, look, session)? else {
                    // Whoever stops does not wait for stories.
                    return Ok(());
                };
                are_one(prepared, [outcome, &again], look, session)?;
                trace
            }
        };
        let comment = Some(file.story()).filter(|story| !story.trim().is_empty());
        self.told.push(text::story(outcome, &trace, comment, look));
        Ok(())
    }

    fn wants_story(&self, outcome: &Outcome) -> bool {
        if self.args.how.says.format == Format::Json {
            return false;
        }
        match (outcome.standing(), outcome.verdict) {
            (Standing::AsExpected, Verdict::Violated) => self.stories == Stories::All,
            (Standing::AsExpected, _) => false,
            (Standing::Otherwise | Standing::Unknown, _) => true,
        }
    }

    /// The summary, where there is something to sum up, and then the stories, so that the last line is the command that
    /// repeats what broke.
    fn finish(&mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        if self.args.how.says.format == Format::Json {
            return Ok(());
        }
        let Tally {
            as_expected,
            too_loose,
            stopped,
            not_begun,
            ..
        } = self.tally;
        let undone = stopped + not_begun;
        let is_worth_it =
            !self.args.how.says.quiet || as_expected < self.tally.done() || too_loose > 0 || undone > 0;
        if is_worth_it && self.tally.done() + undone > 1 {
            let summary = self.tally.summary(Tallied::Runs, &self.look);
            self.say(&format!("\n{summary}"), session)?;
        }
        if self.untold > 0 {
            let more = format!(
                "\n{} more stories are told with --story, or file by file\n",
                self.untold
            );
            self.say(&more, session)?;
        }
        for story in std::mem::take(&mut self.told) {
            self.say(&format!("\n{story}"), session)?;
        }
        Ok(())
    }

    fn say(&mut self, text: &str, session: &mut Session<'_>) -> anyhow::Result<()> {
        self.to.say(text, session)
    }
}

/// The one run, with its trace where that is asked for, unless it is stopped.
fn first_run(
    prepared: &dyn Prepared,
    args: &RunArgs,
    stop: &AtomicBool,
) -> Result<Result<(Outcome, Option<Trace>), Stopped>, RunPanicked> {
    let seed = args.seed.unwrap_or_else(|| prepared.seed());
    guarded(seed, || {
        let mut worker = prepared.worker();
        if args.records().is_any() {
            let traced = worker.trace_until(seed, stop);
            traced.map(|(outcome, trace)| (outcome, Some(trace)))
        } else {
            worker.run_until(seed, stop).map(|outcome| (outcome, None))
        }
    })
}

/// What there is to say of a run besides its verdict, and whether strictness fails it.
pub(crate) fn notes(
    prepared: &dyn Prepared,
    file: &ScenarioFile,
    outcome: &Outcome,
    how: &How,
) -> (Vec<String>, bool) {
    let mut notes = strict::loosened(&prepared.promises());
    notes.extend(strict::undone(outcome, file));
    // A run that a violation ended early has not had the time to judge everything.
    if how.strict && outcome.verdict == Verdict::Held {
        notes.extend(strict::unjudged(&outcome.invariants));
    }
    let is_too_loose = how.strict && !notes.is_empty();
    if !how.strict && outcome.verdict == Verdict::Held {
        notes.extend(strict::never_quiet(&prepared.promises(), &outcome.invariants));
    }
    (notes, is_too_loose)
}
