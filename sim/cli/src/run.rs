//! `run`: each file once under each of its rule sets.

use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::bail;
use squall_reports::json;
use squall_reports::look::Look;
use squall_reports::text::{self, Tallied, Tally};
use squall_sim::outcome::{Outcome, Standing, Verdict};
use squall_sim::runner::{Prepared, Runner, Worker};
use squall_sim::sweep::RunPanicked;
use squall_sim::trace::Trace;

use crate::args::{Format, How, RunArgs};
use crate::exit::Exit;
use crate::files::{self, Ready};
use crate::session::Session;
use crate::strict;
use crate::tracefile;

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
    let Some(all) = files::ready(runners, &args.which, args.rules.as_deref(), &args.how, session)? else {
        session.came_to(Exit::Unusable);
        return Ok(());
    };
    let count: usize = all.iter().map(|ready| ready.prepared.len()).sum();
    if args.trace.is_some() && count != 1 {
        bail!("--trace is of one run, and these are {count}: name one file, and one rule set with --rules");
    }
    let mut report = Report {
        args,
        look: session.look(&args.how, files::columns(&all)),
        stories: if args.story || (all.len() == 1 && !args.how.quiet) {
            Stories::All
        } else {
            Stories::Unexpected
        },
        told: Vec::new(),
        untold: 0,
        tally: Tally::default(),
        to: if args.trace.as_deref() == Some(Path::new("-")) {
            Stream::Stderr
        } else {
            Stream::Stdout
        },
    };
    session.begin(count as u64);
    for ready in &all {
        for prepared in &ready.prepared {
            if session.is_stopped() {
                report.tally.not_begun += 1;
                continue;
            }
            session.doing(format!("{} under {}", prepared.scenario(), prepared.rules()));
            report.one(ready, prepared.as_ref(), session)?;
            if session.exit == Exit::Bug {
                return Ok(());
            }
            session.advance();
        }
    }
    session.end();
    report.finish(session)
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

/// Where results go: out of the way of a trace on stdout.
#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl Report<'_> {
    fn one(
        &mut self,
        ready: &Ready<'_>,
        prepared: &dyn Prepared,
        session: &mut Session<'_>,
    ) -> anyhow::Result<()> {
        let how = &self.args.how;
        let seed = self.args.seed.unwrap_or_else(|| prepared.seed());
        let mut worker = prepared.worker();
        let traced = self.args.trace.as_deref();
        let first = guarded(prepared, seed, session, &self.look, || match traced {
            Some(_) => {
                let (outcome, trace) = worker.trace(seed);
                (outcome, Some(trace))
            }
            None => (worker.run(seed), None),
        });
        let Some((outcome, trace)) = first else {
            return Ok(());
        };
        if let (Some(path), Some(trace)) = (traced, &trace) {
            if path == Path::new("-") {
                tracefile::write_to(BufWriter::new(&mut *session.stdout), &outcome, trace)?;
            } else {
                tracefile::write(path, &outcome, trace)?;
            }
        }
        let (notes, is_too_loose) = notes(prepared, &outcome, how);
        session.came_to(outcome.standing().into());
        self.tally.add(outcome.standing(), 1);
        if is_too_loose {
            session.came_to(Exit::Otherwise);
            self.tally.too_loose += u64::from(outcome.standing() == Standing::AsExpected);
        }
        if !how.quiet || outcome.standing() != Standing::AsExpected || is_too_loose {
            let line = match how.format {
                Format::Text => text::run(&outcome, &notes, &self.look),
                Format::Json => format!("{}\n", json::run(&outcome, &notes)),
            };
            self.say(&line, session)?;
        }
        if self.wants_story(&outcome) {
            if self.told.len() >= MOST_STORIES && !self.args.story {
                self.untold += 1;
                return Ok(());
            }
            let look = &self.look;
            let trace = match trace {
                Some(trace) => trace,
                None => match guarded(prepared, seed, session, look, || worker.trace(seed)) {
                    Some((again, trace)) => {
                        if again.digest != outcome.digest {
                            tell_difference(prepared, seed, &trace, worker.as_mut(), look, session);
                        }
                        trace
                    }
                    None => return Ok(()),
                },
            };
            let comment = Some(ready.file.story()).filter(|story| !story.trim().is_empty());
            self.told.push(text::story(&outcome, &trace, comment, look));
        }
        Ok(())
    }

    fn wants_story(&self, outcome: &Outcome) -> bool {
        if self.args.how.format == Format::Json {
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
    fn finish(mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        if self.args.how.format == Format::Json {
            return Ok(());
        }
        let Tally {
            as_expected,
            too_loose,
            not_begun,
            ..
        } = self.tally;
        let is_worth_it =
            !self.args.how.quiet || as_expected < self.tally.done() || too_loose > 0 || not_begun > 0;
        if is_worth_it && self.tally.done() + not_begun > 1 {
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
        match self.to {
            Stream::Stdout => session.say(text)?,
            Stream::Stderr => session.tell(text.trim_end_matches('\n')),
        }
        Ok(())
    }
}

/// Calls into the engine. A panic in there is a bug, of ours or of a node: what repeats it is told, and nothing more is run.
fn guarded<T>(
    prepared: &dyn Prepared,
    seed: u64,
    session: &mut Session<'_>,
    look: &Look,
    call: impl FnOnce() -> T,
) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            tell_panic(prepared, &RunPanicked::new(seed, payload.as_ref()), look, session);
            None
        }
    }
}

/// Tells of a run that panicked.
pub(crate) fn tell_panic(
    prepared: &dyn Prepared,
    panicked: &RunPanicked,
    look: &Look,
    session: &mut Session<'_>,
) {
    session.came_to(Exit::Bug);
    session.end();
    session.tell_error(&format!(
        "a run panicked, which is a bug of the simulator or of a node: {}\n{}",
        panicked.message,
        look.run_command(prepared.scenario(), prepared.rules(), panicked.seed)
    ));
}

/// The trace of one run by itself, for a story.
pub(crate) fn traced(
    prepared: &dyn Prepared,
    seed: u64,
    look: &Look,
    session: &mut Session<'_>,
) -> Option<(Outcome, Trace)> {
    let mut worker = prepared.worker();
    guarded(prepared, seed, session, look, || worker.trace(seed))
}

/// Tells that equal seeds gave different runs, and at which event, as far as that shows again.
fn tell_difference(
    prepared: &dyn Prepared,
    seed: u64,
    trace: &Trace,
    worker: &mut dyn Worker,
    look: &Look,
    session: &mut Session<'_>,
) {
    session.came_to(Exit::Otherwise);
    let scenario = prepared.scenario();
    session.tell_error(&format!(
        "{scenario}: the same seed gave two different runs: some node is not deterministic"
    ));
    let Some((_, again)) = guarded(prepared, seed, session, look, || worker.trace(seed)) else {
        return;
    };
    if let Some((nth, (one, other))) = trace
        .events
        .iter()
        .zip(&again.events)
        .enumerate()
        .find(|(_, (one, other))| one != other)
    {
        session.tell(&format!(
            "event {nth} is the first that differs:\n  {}\n  {}",
            json::trace_event(one),
            json::trace_event(other)
        ));
    }
}

/// What there is to say of a run besides its verdict, and whether strictness fails it.
fn notes(prepared: &dyn Prepared, outcome: &Outcome, how: &How) -> (Vec<String>, bool) {
    let mut notes = strict::loosened(&prepared.promises());
    // A run that a violation ended early has not had the time to judge everything.
    if how.strict && outcome.verdict == Verdict::Held {
        notes.extend(strict::unjudged(&outcome.invariants));
    }
    let is_too_loose = how.strict && !notes.is_empty();
    (notes, is_too_loose)
}
