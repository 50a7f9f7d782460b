//! `compare`: a scenario in both worlds, simulated under many seeds and played live a few times, side by side.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, bail};
use squall_reports::compare::{Joined, Made, csv};
use squall_reports::look::{counted, grouped};
use squall_reports::{json, text};
use squall_sim::compare::{Comparison, FEWEST_LIVE, FEWEST_SIMULATED, Observed, Setting, Worlds};
use squall_sim::machine::Machine;
use squall_sim::outcome::Standing;
use squall_sim::runner::{Prepared, Runner};
use squall_sim::scenario::ScenarioFile;
use squall_sim::sweep::RunPanicked;
use squall_stage::{Folders, Links, Progress, Stage, StageError, Staged, runs};

use crate::abreast::Abreast;
use crate::args::{CompareArgs, Format, How, Which};
use crate::bug::{Bug, guarded};
use crate::exit::Exit;
use crate::files;
use crate::junit;
use crate::live::{self, staying};
use crate::outfile::{self, Kind};
use crate::session::Session;

mod calibrate;
mod others;

use calibrate::Calibrated;
use others::{Look, Others};

/// How many simulated runs there may be: all that is compared of each is kept until the end.
const MOST_SEEDS: u64 = 100_000;
/// How many simulated runs are one piece of work.
const PIECE: u64 = 16;
/// After so many live runs in a row that could not be played, the next would not be either.
const MOST_FAILED: usize = 3;

/// The samples of both worlds.
const SAMPLES: Kind = Kind {
    what: "the table of samples",
    form: "CSV",
    option: "--samples",
    example: "samples.csv",
};

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When something that was asked for cannot be done, or the output cannot be written.
pub(crate) fn compare(
    runners: &[Box<dyn Runner>],
    stages: &[Box<dyn Staged>],
    args: &CompareArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let asked = args.seeds.range();
    if asked.end() - asked.start() >= MOST_SEEDS {
        bail!(
            "--seeds has more than {MOST_SEEDS} seeds, and what is compared of each run is kept until the end"
        );
    }
    let simulated = u128::from(asked.end() - asked.start()) + 1;
    if args.live_runs < FEWEST_LIVE || simulated < u128::from(FEWEST_SIMULATED) {
        session.tell(&format!(
            "note: so few runs can show that live falls outside of what was simulated, and not that it lies within: that takes \
             {FEWEST_SIMULATED} simulated runs and {FEWEST_LIVE} live ones at least"
        ));
    }
    let named = [args.file.clone()];
    if let Some(samples) = &args.samples {
        outfile::look_ahead(samples, &SAMPLES, &named)?;
    }
    let which = Which {
        files: named.into(),
        tag: Vec::new(),
        skip_tag: Vec::new(),
    };
    let how = args.how();
    let mut junit = junit::Asked::by(&how, "compare", &which.files, session)?;
    let links = if args.netns { Links::Netns } else { Links::Edge };
    let looked = files::look(runners, &which, args.rules.as_deref(), session)?;
    let [looked] = <[_; 1]>::try_from(looked)
        .map_err(|all| anyhow::anyhow!("one scenario is compared at a time, and these are {}", all.len()))?;
    let ready = match looked.found {
        Ok(ready) => ready,
        Err(complaints) => {
            session.complain(&complaints, &how);
            junit.note(|junit| junit.not_in_order(&looked.name, complaints.list()));
            junit.write()?;
            session.tell_error("the file is not in order; nothing was run");
            session.came_to(Exit::Unusable);
            return Ok(());
        }
    };
    let (staged, folder) = match place(stages, &ready, &looked.name, links, args) {
        Ok(found) => found,
        Err(why) => {
            none_begun(junit, &ready.prepared, session);
            return Err(why);
        }
    };
    let mut compared = Compared {
        args,
        how,
        runner: ready.runner,
        staged,
        file: &ready.file,
        folder,
        links,
        machine: None,
        samples: String::new(),
        junit,
    };
    if args.calibrate {
        let calibrated = compared.calibrate(&ready.prepared, session);
        if !matches!(calibrated, Ok(Calibrated::Yes)) {
            none_begun(compared.junit, &ready.prepared, session);
            return calibrated.map(drop);
        }
    }
    for prepared in &ready.prepared {
        let (scenario, rules) = (prepared.scenario(), prepared.rules());
        if session.is_stopped() || session.exit == Exit::Bug {
            compared.junit.note(|junit| junit.not_begun(scenario, rules));
            if session.is_stopped() {
                session.tell(&format!("stopped: under {rules} nothing was begun"));
            }
            continue;
        }
        compared.one(prepared.as_ref(), session)?;
    }
    if let Some(path) = &args.samples {
        outfile::write(path, &SAMPLES, |into| into.write_all(compared.samples.as_bytes()))?;
    }
    compared.junit.write()
}

/// The stage for a scenario that can be played live under all its rule sets, and the folder of all runs.
fn place<'a>(
    stages: &'a [Box<dyn Staged>],
    ready: &files::Ready<'_>,
    name: &str,
    links: Links,
    args: &CompareArgs,
) -> anyhow::Result<(&'a dyn Staged, PathBuf)> {
    let protocol = ready.runner.name();
    let Some(staged) = stages.iter().find(|staged| staged.name() == protocol) else {
        bail!("{protocol} cannot be played live by this program");
    };
    for prepared in &ready.prepared {
        let cannot = staged.cannot(&ready.file, prepared.rules(), links);
        let cannot = cannot.map_err(|complaints| anyhow::anyhow!("{complaints}"))?;
        if !cannot.is_empty() {
            bail!(
                "{name} cannot be played live under {}, so that there is nothing to compare: {}",
                prepared.rules(),
                cannot.join("; ")
            );
        }
    }
    let folder = args.folder.clone().unwrap_or_else(live::default_folder);
    Ok((staged.as_ref(), runs::make(&folder)?))
}

/// Writes for a CI that nothing was begun. Why is another matter, which is not to be lost when this cannot be written.
fn none_begun(mut junit: junit::Asked, all: &[Box<dyn Prepared>], session: &mut Session<'_>) {
    for prepared in all {
        junit.note(|junit| junit.not_begun(prepared.scenario(), prepared.rules()));
    }
    if let Err(why) = junit.write() {
        session.tell_error(&format!("{why:#}"));
        session.came_to(Exit::Unusable);
    }
}

struct Compared<'a> {
    args: &'a CompareArgs,
    how: How,
    runner: &'a dyn Runner,
    staged: &'a dyn Staged,
    file: &'a ScenarioFile,
    folder: PathBuf,
    links: Links,
    machine: Option<Machine>,
    /// The table of samples so far.
    samples: String,
    junit: junit::Asked,
}

/// The runs of one world.
#[derive(Default)]
struct Gathered {
    runs: Vec<Observed>,
    /// What reports call the entries of the timeline.
    faults: Vec<String>,
    wall_ms: u64,
}

impl Compared<'_> {
    /// Where live runs are played.
    fn stage<'s>(&self, stop: &'s AtomicBool, progress: &'s dyn Fn(Progress)) -> anyhow::Result<Stage<'s>> {
        Ok(Stage {
            program: std::env::current_exe().context("the path of this program is not known")?,
            folder: self.folder.clone(),
            links: self.links,
            folders: match self.args.keep {
                true => Folders::Keep,
                false => Folders::KeepIfUnexpected,
            },
            record: None,
            stop,
            progress,
        })
    }

    /// Compares the worlds under one rule set.
    fn one(&mut self, plain: &dyn Prepared, session: &mut Session<'_>) -> anyhow::Result<()> {
        let rules = plain.rules();
        let mut made = Made {
            joined: match self.links {
                Links::Edge => Joined::Loopback,
                Links::Netns => Joined::Bridge,
            },
            ..Made::default()
        };
        let calibrated;
        let prepared = match &self.machine {
            None => plain,
            Some(machine) => {
                let on = self.runner.prepare_on(self.file, rules, machine);
                let (prepared, how) = on.map_err(|complaints| anyhow::anyhow!("{complaints}"))?;
                made.machine = Some((machine.clone(), how));
                calibrated = prepared;
                calibrated.as_ref()
            }
        };
        let Some(simulated) = self.simulated(prepared, session)? else {
            let what = "the simulation panicked, which is told on stderr";
            self.junit
                .note(|junit| junit.bug(prepared.scenario(), rules, "panicked", what));
            return Ok(());
        };
        let live = match self.live(prepared, &mut made, session)? {
            Ok(live) => live,
            Err(bug) => {
                self.junit
                    .note(|junit| junit.bug(prepared.scenario(), rules, bug.what, &bug.said));
                return Ok(());
            }
        };
        let faults = if simulated.faults.is_empty() {
            &live.faults
        } else {
            &simulated.faults
        };
        made.wall_ms = Worlds {
            simulated: simulated.wall_ms,
            live: live.wall_ms,
        };
        let seeds = self.args.seeds.range();
        let setting = Setting {
            scenario: prepared.scenario(),
            rules,
            expect: prepared.expect(),
            asked: Worlds {
                simulated: seeds.end() - seeds.start() + 1,
                live: self.args.live_runs,
            },
            support: self.args.support,
            facts: self.runner.facts(),
            faults,
            cast: &prepared.hosts(),
        };
        let runs = Worlds {
            simulated: simulated.runs,
            live: live.runs,
        };
        let comparison = Comparison::of(&setting, runs);
        session.came_to(comparison.standing().into());
        let was_stopped = session.is_stopped();
        if was_stopped {
            let (runs, asked) = (&comparison.runs, &comparison.asked);
            session.tell(&format!(
                "stopped: under {rules} {} of {} and {} of {} were done",
                grouped(runs.simulated.len() as u64),
                counted(asked.simulated, "simulated run", "simulated runs"),
                grouped(runs.live.len() as u64),
                counted(asked.live, "live one", "live ones"),
            ));
        }
        self.junit.note(|junit| match was_stopped {
            true => junit.stopped(prepared.scenario(), rules),
            false => junit.compared(&comparison, &made),
        });
        let (simulated, live) = (&comparison.runs.simulated, &comparison.runs.live);
        if was_stopped && (simulated.is_empty() || live.is_empty()) {
            // Of one world alone there is nothing to compare.
            return Ok(());
        }
        let told = match self.args.says.format {
            Format::Text => {
                let columns = squall_reports::look::Columns::default();
                text::compare(&comparison, &made, &session.look(&self.how, columns))
            }
            Format::Json => format!("{}\n", json::compare(&comparison, &made)),
        };
        if !self.how.says.quiet || comparison.standing() != Standing::AsExpected {
            session.say(&told)?;
        }
        let table = csv(&comparison);
        // The table has one head, however many rule sets there are.
        let rows = match self.samples.is_empty() {
            true => table.as_str(),
            false => table.split_once('\n').map_or("", |(_, rows)| rows),
        };
        self.samples.push_str(rows);
        Ok(())
    }

    /// All simulated runs, in the order of their seeds; `None` after a bug.
    fn simulated(
        &self,
        prepared: &dyn Prepared,
        session: &mut Session<'_>,
    ) -> anyhow::Result<Option<Gathered>> {
        let (seeds, facts) = (self.args.seeds.range(), self.runner.facts());
        let count = seeds.end() - seeds.start() + 1;
        let bar = session.begin(count);
        session.doing(format!("{} under {}", prepared.scenario(), prepared.rules()));
        let stop = session.surroundings.stop;
        let began = Instant::now();
        let pieces = Abreast {
            // No more than there are seeds, which are few enough.
            count: usize::try_from(count.div_ceil(PIECE)).unwrap_or(usize::MAX),
            jobs: self.args.jobs.count(),
            stop,
        };
        let piece = |place: usize| {
            let first = seeds.start() + place as u64 * PIECE;
            let last = *seeds.end().min(&first.saturating_add(PIECE - 1));
            some_simulated(prepared, first..=last, facts, stop)
        };
        let mut gathered = Gathered::default();
        let mut panicked = None;
        let Ok(_) = pieces.each(piece, |_, some| {
            Ok::<_, Infallible>(match some {
                Err(how) => {
                    panicked = Some(how);
                    ControlFlow::Break(())
                }
                Ok(some) => {
                    bar.inc(some.runs.len() as u64);
                    gathered.runs.extend(some.runs);
                    if gathered.faults.is_empty() {
                        gathered.faults = some.faults;
                    }
                    ControlFlow::Continue(())
                }
            })
        });
        gathered.wall_ms = elapsed_ms(began);
        session.end();
        if let Some(panicked) = panicked {
            let look = session.look(&self.how, squall_reports::look::Columns::default());
            // It has been told, and nothing more is run.
            let _ = Bug::panicked(prepared, &panicked, &look, session);
            return Ok(None);
        }
        Ok(Some(gathered))
    }

    /// The live runs, one after the other; or the bug, when a host panicked.
    fn live(
        &self,
        prepared: &dyn Prepared,
        made: &mut Made,
        session: &mut Session<'_>,
    ) -> anyhow::Result<Result<Gathered, Bug>> {
        let (scenario, rules, limit) = (prepared.scenario(), prepared.rules(), prepared.limit());
        let first = self
            .args
            .live_seed
            .unwrap_or(self.args.seeds.range().end().saturating_add(1));
        let kept = RefCell::new(Vec::new());
        let program = session.program.clone();
        let keep = |progress: Progress| {
            kept.borrow_mut()
                .extend(staying(&progress, &program, &self.folder))
        };
        let stage = self.stage(session.surroundings.stop, &keep)?;
        let bar = session.begin(self.args.live_runs);
        // A person reads of the bar how far it is, and others of lines.
        let tells_progress = !self.how.says.quiet && !session.has_bar();
        let began = Instant::now();
        let mut gathered = Gathered::default();
        let mut failed_in_a_row = 0;
        let mut others = Others::default();
        let mut panicked = None;
        for nth in 0..self.args.live_runs {
            if session.is_stopped() {
                break;
            }
            let seed = first.saturating_add(nth);
            session.doing(format!("live run {} under {rules}", nth + 1));
            if tells_progress {
                session.tell(&format!(
                    "{scenario}: under {rules}, live run {} of {}, each of {limit} and what it takes to start",
                    nth + 1,
                    self.args.live_runs
                ));
            }
            let before = Look::now();
            let played = self.staged.play(self.file, rules, seed, &stage);
            if let (Some(after), Some(before)) = (Look::now(), before) {
                others += after.since(before);
            }
            match played {
                Ok(run) => {
                    failed_in_a_row = 0;
                    made.stalled += u64::from(run.stalls.count > 0);
                    made.longest_stall = made.longest_stall.max(run.stalls.longest);
                    if gathered.faults.is_empty() {
                        gathered.faults = run
                            .outcome
                            .faults
                            .iter()
                            .map(|fault| fault.fault.clone())
                            .collect();
                    }
                    gathered
                        .runs
                        .push(Observed::of(run.outcome, &run.trace, self.runner.facts()));
                }
                Err(StageError::Stopped) => break,
                Err(why @ (StageError::Complaints(_) | StageError::Cannot(_))) => {
                    session.end();
                    return Err(why).context("a live run was refused");
                }
                Err(why @ StageError::Panicked { .. }) => {
                    panicked = Some(why);
                    break;
                }
                Err(why) => {
                    failed_in_a_row += 1;
                    made.failed.push((seed, why.to_string()));
                }
            }
            bar.inc(1);
            if failed_in_a_row == MOST_FAILED {
                break;
            }
        }
        gathered.wall_ms = elapsed_ms(began);
        made.others = others.share();
        session.end();
        drop(stage);
        for line in kept.into_inner() {
            session.tell(&line);
        }
        Ok(match panicked {
            // It is told, and nothing more is run.
            Some(why) => Err(Bug::of_a_host(scenario, &why, session)),
            None => Ok(gathered),
        })
    }
}

/// Some simulated runs, on one worker. What is stopped on the way is left out.
fn some_simulated(
    prepared: &dyn Prepared,
    seeds: RangeInclusive<u64>,
    facts: &[&str],
    stop: &AtomicBool,
) -> Result<Gathered, RunPanicked> {
    let mut gathered = Gathered::default();
    let mut worker = prepared.worker();
    for seed in seeds {
        match guarded(seed, || worker.seen_until(seed, stop))? {
            Err(_) => break,
            Ok((outcome, trace)) => {
                if gathered.faults.is_empty() {
                    gathered.faults = outcome.faults.iter().map(|fault| fault.fault.clone()).collect();
                }
                gathered.runs.push(Observed::of(outcome, &trace, facts));
            }
        }
    }
    Ok(gathered)
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
