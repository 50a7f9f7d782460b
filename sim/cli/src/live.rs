//! `live`: each file under each of its rule sets on live processes, one after the other, in real time.

use std::cell::RefCell;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use indicatif::ProgressBar;
use squall_nodes::{Span, Time};
use squall_reports::json;
use squall_reports::look::{Look, Repeats, counted};
use squall_reports::text::{self, Tallied, Tally};
use squall_sim::live::LiveRun;
use squall_sim::outcome::{Standing, Verdict};
use squall_sim::runner::{Prepared, Runner};
use squall_sim::scenario::ScenarioFile;
use squall_stage::{Folders, Links, Progress, Stage, StageError, Staged};

use crate::args::{Format, How, LiveArgs, Which};
use crate::bug::Bug;
use crate::exit::Exit;
use crate::files;
use crate::junit;
use crate::run::notes;
use crate::session::Session;
use crate::tracefile::Stream;

mod clean;
mod telling;

use clean::clean;
use telling::Telling;
pub(crate) use telling::staying;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When a path cannot be used, a scenario cannot be played, the system refuses something, or the output cannot be written.
pub(crate) fn live(
    runners: &[Box<dyn Runner>],
    stages: &[Box<dyn Staged>],
    args: &LiveArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    if args.clean {
        return clean(args.folder.as_deref(), session);
    }
    let folder = args.folder.clone().unwrap_or_else(default_folder);
    let which = Which {
        files: args.files.clone(),
        tag: args.tag.clone(),
        skip_tag: args.skip_tag.clone(),
    };
    let records = args.records();
    records.look_ahead(&which.files, args.how.junit.as_deref())?;
    let mut junit = junit::Asked::by(&args.how, "live", &which.files, session)?;
    let rules = args.rules.as_deref();
    let Some(all) = files::ready(runners, &which, rules, &args.how, &mut junit, session)? else {
        junit.write()?;
        session.came_to(Exit::Unusable);
        return Ok(());
    };
    let links = if args.netns { Links::Netns } else { Links::Edge };
    let runs = each(&all, stages)?;
    let count = runs.len() as u64 * args.runs;
    records.are_of_one(count, "name one file, one rule set with --rules, and no --runs")?;
    if !are_all_able(&runs, links, session) {
        for run in &runs {
            junit.note(|junit| junit.not_begun(run.prepared.scenario(), run.prepared.rules()));
        }
        junit.write()?;
        session.came_to(Exit::Unusable);
        return Ok(());
    }
    let stage = Place {
        program: std::env::current_exe().context("this program does not know where it is")?,
        folder,
        links,
        folders: if args.keep {
            Folders::Keep
        } else {
            Folders::KeepIfUnexpected
        },
        record: args.record.clone(),
    };
    let mut report = Report {
        args,
        look: Look {
            repeats: Repeats::Live,
            ..session.look(&args.how, files::columns(&all))
        },
        is_one_file: all.len() == 1,
        told: Vec::new(),
        tally: Tally::default(),
        junit,
        to: records.beside(),
    };
    let played = report.play(&runs, &stage, session);
    session.end();
    // What was played is told, whatever became of the rest.
    report.finish(session)?;
    report.junit.write()?;
    played
}

/// One file under one rule set.
struct Run<'a> {
    file: &'a ScenarioFile,
    prepared: &'a dyn Prepared,
    stage: &'a dyn Staged,
}

/// Where all are played, and how.
struct Place {
    program: PathBuf,
    folder: PathBuf,
    links: Links,
    folders: Folders,
    record: Option<PathBuf>,
}

fn each<'a>(all: &'a [files::Ready<'a>], stages: &'a [Box<dyn Staged>]) -> anyhow::Result<Vec<Run<'a>>> {
    let mut runs = Vec::new();
    for ready in all {
        let name = ready.runner.name();
        let stage = stages.iter().find(|stage| stage.name() == name);
        let stage = stage.with_context(|| format!("this program cannot play {name} live"))?;
        for prepared in &ready.prepared {
            runs.push(Run {
                file: &ready.file,
                prepared: prepared.as_ref(),
                stage: stage.as_ref(),
            });
        }
    }
    Ok(runs)
}

/// Names everything that cannot be played, before anything is started.
fn are_all_able(runs: &[Run<'_>], links: Links, session: &mut Session<'_>) -> bool {
    let mut unable = 0;
    let mut told: Vec<String> = Vec::new();
    for run in runs {
        let found = match run.stage.cannot(run.file, run.prepared.rules(), links) {
            Ok(cannot) => cannot,
            Err(complaints) => vec![complaints.to_string()],
        };
        unable += usize::from(!found.is_empty());
        for sentence in found {
            let line = format!("{} cannot be played live: {sentence}", run.prepared.scenario());
            // Mostly it is the same under every rule set.
            if !told.contains(&line) {
                session.tell_error(&line);
                told.push(line);
            }
        }
    }
    if unable > 0 {
        session.tell_error("nothing was started; `squall run` simulates all of it");
    }
    unable == 0
}

/// What is told of the runs.
struct Report<'a> {
    args: &'a LiveArgs,
    look: Look,
    is_one_file: bool,
    told: Vec<String>,
    tally: Tally,
    junit: junit::Asked,
    to: Stream,
}

impl Report<'_> {
    /// Plays all of them, one after the other.
    fn play(&mut self, runs: &[Run<'_>], place: &Place, session: &mut Session<'_>) -> anyhow::Result<()> {
        let seconds = |run: &Run<'_>| run.prepared.limit().as_nanos().div_ceil(1_000_000_000);
        let total: u64 = runs.iter().map(seconds).sum();
        let bar = session.begin(total * self.args.runs);
        let (mut before, mut begun, mut runs_begun) = (0, 0, 0);
        let mut failed = None;
        'all: for (nth_run, run) in (1..).zip(runs) {
            for nth in 0..self.args.runs {
                if session.is_stopped() {
                    break 'all;
                }
                session.doing(format!(
                    "{} under {}",
                    run.prepared.scenario(),
                    run.prepared.rules()
                ));
                let played = one(
                    run,
                    self.seed(run, nth),
                    place,
                    &Bar { bar: &bar, before },
                    &self.args.how,
                    session,
                );
                begun += 1;
                runs_begun = nth_run;
                before += seconds(run);
                bar.set_position(before);
                match played {
                    Ok(live) => self.one(run, live, session)?,
                    Err(StageError::Stopped) => {
                        self.tally.stopped += 1;
                        let (scenario, rules) = (run.prepared.scenario(), run.prepared.rules());
                        self.junit.note(|junit| junit.stopped(scenario, rules));
                    }
                    Err(panicked @ StageError::Panicked { .. }) => {
                        let (scenario, rules) = (run.prepared.scenario(), run.prepared.rules());
                        let bug = Bug::of_a_host(scenario, &panicked, session);
                        self.tally.panicked += 1;
                        self.junit
                            .note(|junit| junit.bug(scenario, rules, bug.what, &bug.said));
                        break 'all;
                    }
                    Err(why) => {
                        let (scenario, rules) = (run.prepared.scenario(), run.prepared.rules());
                        self.junit
                            .note(|junit| junit.not_played(scenario, rules, &why.to_string()));
                        failed = Some(anyhow!("{scenario}: {why}"));
                        break 'all;
                    }
                }
            }
        }
        self.tally.not_begun = runs.len() as u64 * self.args.runs - begun;
        if session.exit == Exit::Bug || failed.is_some() {
            for run in &runs[runs_begun..] {
                let (scenario, rules) = (run.prepared.scenario(), run.prepared.rules());
                self.junit.note(|junit| junit.not_begun(scenario, rules));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The seed of a run that is played for the nth time.
    fn seed(&self, run: &Run<'_>, nth: u64) -> u64 {
        let first = self.args.seed.unwrap_or_else(|| run.prepared.seed());
        first.wrapping_add(nth)
    }

    fn one(&mut self, run: &Run<'_>, live: LiveRun, session: &mut Session<'_>) -> anyhow::Result<()> {
        let outcome = &live.outcome;
        let how = &self.args.how;
        self.args.records().write(outcome, &live.trace, session)?;
        let (mut notes, is_too_loose) = notes(run.prepared, run.file, outcome, how);
        notes.extend(of_the_machine(&live, run.file));
        let standing = outcome.standing();
        session.came_to(standing.into());
        self.tally.add(standing, 1);
        if is_too_loose {
            session.came_to(Exit::Otherwise);
            self.tally.too_loose += u64::from(standing == Standing::AsExpected);
        }
        if !how.says.quiet || standing != Standing::AsExpected || is_too_loose {
            let line = match how.says.format {
                Format::Text => text::run(outcome, &notes, &self.look),
                Format::Json => format!("{}\n", json::live(&live, &notes)),
            };
            self.to.say(&line, session)?;
        }
        let taken = junit::taken(is_too_loose);
        self.junit.note(|junit| junit.run(outcome, &notes, taken));
        if self.wants_story(standing, outcome.verdict) {
            let comment = Some(run.file.story()).filter(|story| !story.trim().is_empty());
            self.told
                .push(text::story(outcome, &live.trace, comment, &self.look));
        }
        Ok(())
    }

    fn wants_story(&self, standing: Standing, verdict: Verdict) -> bool {
        let wants_all = self.args.story || (self.is_one_file && !self.args.how.says.quiet);
        match standing {
            _ if self.args.how.says.format == Format::Json => false,
            Standing::AsExpected => wants_all && verdict == Verdict::Violated,
            Standing::Otherwise | Standing::Unknown => true,
        }
    }

    /// The summary, and then the stories.
    fn finish(&mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        if self.args.how.says.format == Format::Json {
            return Ok(());
        }
        let undone = self.tally.stopped + self.tally.not_begun;
        let is_worth_it = !self.args.how.says.quiet || session.exit != Exit::AsExpected || undone > 0;
        if is_worth_it && self.tally.done() + undone > 1 {
            let summary = self.tally.summary(Tallied::Runs, &self.look);
            self.to.say(&format!("\n{summary}"), session)?;
        }
        for story in std::mem::take(&mut self.told) {
            self.to.say(&format!("\n{story}"), session)?;
        }
        if is_worth_it && self.tally.done() > 0 {
            let program = &session.program;
            session.tell(&format!(
                "note: no live run comes again; `{program} run` repeats what is simulated of it with the same seed"
            ));
        }
        Ok(())
    }
}

/// Where the progress of one run is shown.
struct Bar<'a> {
    bar: &'a ProgressBar,
    /// How many seconds of all runs were played before it.
    before: u64,
}

/// Plays one.
fn one(
    run: &Run<'_>,
    seed: u64,
    place: &Place,
    bar: &Bar<'_>,
    how: &How,
    session: &mut Session<'_>,
) -> Result<LiveRun, StageError> {
    let hosts = run.prepared.hosts();
    let (scenario, rules) = (run.prepared.scenario(), run.prepared.rules());
    let telling = RefCell::new(Telling::of(run.prepared.limit()));
    let stop = session.surroundings.stop;
    // What is told, and by whom: of a bar a person reads how far it is, and so do others of lines.
    let tells_progress = !how.says.quiet && !session.has_bar();
    let session = RefCell::new(session);
    let progress = |progress: Progress| {
        let line = match progress {
            Progress::Playing { now, .. } => {
                let seconds = now.since(Time::ZERO).as_nanos() / 1_000_000_000;
                return bar.bar.set_position(bar.before + seconds);
            }
            Progress::Starting { .. } | Progress::Fault { .. } => {
                match telling.borrow_mut().line(&progress).filter(|_| tells_progress) {
                    Some(line) => format!("under {rules}, {line}"),
                    None => return,
                }
            }
            Progress::Lost { host, said } => {
                let name = hosts.get(host.index()).map_or("a host", |host| &host.name);
                format!("{name} went down by itself: {said}")
            }
            _ => match staying(&progress, &session.borrow().program, &place.folder) {
                Some(line) => line,
                None => return,
            },
        };
        session.borrow_mut().tell(&format!("{scenario}: {line}"));
    };
    let stage = Stage {
        program: place.program.clone(),
        folder: place.folder.clone(),
        links: place.links,
        folders: place.folders,
        record: place.record.clone(),
        stop,
        progress: &progress,
    };
    let played = run.stage.play(run.file, rules, seed, &stage);
    if let Ok(live) = &played
        && tells_progress
    {
        let verdict = text::run::verdict(&live.outcome, &Look::plain(""));
        session
            .borrow_mut()
            .tell(&format!("{scenario}: under {rules}, {verdict}"));
    }
    played
}

/// What there is to say of the machine's part in a run.
fn of_the_machine(live: &LiveRun, file: &ScenarioFile) -> Vec<String> {
    let mut notes = Vec::new();
    if live.stalls.count > 0 {
        notes.push(format!(
            "the machine kept hosts from running for longer than {}: {}, for {} at most",
            live.tolerance,
            counted(live.stalls.count, "time", "times"),
            // Nobody needs it to the nanosecond.
            Span::from_millis(live.stalls.longest.as_nanos().div_ceil(1_000_000))
        ));
    }
    if file.place("persist").is_some() {
        notes.push("writes took what the real disk took, whatever `persist` says".to_owned());
    }
    notes
}

/// The folder of all runs of a user, when no other one is named.
pub(crate) fn default_folder() -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let user = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
    std::env::temp_dir().join(format!("squall-live-{user}"))
}
