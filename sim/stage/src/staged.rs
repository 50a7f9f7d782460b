//! A protocol on a stage: from a scenario to the folder of a run, its journal, its hosts, and what comes of it all.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use squall_nodes::{Placed, Protocol, Time};
use squall_sim::deployment::{Bounds, Deployment, Streams};
use squall_sim::live::{HostUse, LiveRun};
use squall_sim::machine::Boots;
use squall_sim::outcome::{FaultDone, Outcome, StreamTraffic, Traffic, Violation};
use squall_sim::plan::Plan;
use squall_sim::scenario::{Complaints, ScenarioFile, resolve, resolve_at};
use squall_sim::verdict::{Answer, Done};
use tempfile::TempDir;

use crate::able;
use crate::audience::Audience;
use crate::claim::Claim;
use crate::crew::Crew;
use crate::door::{Folders, Links, MOST_ROUNDS, Progress, Stage, StageError, Staged, Why};
use crate::flights::{Flights, Flown};
use crate::ground::{Edge, Site};
use crate::host::Host;
use crate::journal::Journal;
use crate::play::Play;
use crate::runs;
use crate::wires::Wires;

/// A protocol for the command line, behind an object-safe door.
pub fn staged<P: Protocol>() -> Box<dyn Staged> {
    Box::new(Live::<P>(PhantomData))
}

/// After how many boots it is known well enough how late hosts do.
const ENOUGH_BOOTS: usize = 60;

struct Live<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Staged for Live<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn cannot(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        links: Links,
    ) -> Result<Vec<String>, Complaints> {
        Ok(able::cannot(&resolve::<P>(file, rules)?, links))
    }

    fn play(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        seed: u64,
        stage: &Stage<'_>,
    ) -> Result<LiveRun, StageError> {
        let begun = Begun::<P>::of(file, rules, stage)?;
        let flights = stage.record.as_deref();
        let flights = flights.map(|into| Flights::make(into, &begun.plan.scenario, rules, seed));
        let flights = flights.transpose()?;
        let (folder, played) = begun.run(seed, flights.as_ref(), stage, |mut play| {
            let end = play.run()?;
            Ok(come_to(play, end))
        });
        match flights.map(Flights::end) {
            None | Some(Flown::Nothing) => {}
            Some(Flown::Recorded { folder, flights }) => {
                (stage.progress)(Progress::Recorded { folder, flights });
            }
            Some(Flown::Unclear { folder, why }) => (stage.progress)(Progress::Unclear { folder, why }),
        }
        let is_expected = |run: &LiveRun| run.outcome.as_expected;
        folder.leave(stage, why_kept(stage.folders, &played, is_expected));
        played
    }

    fn boots(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        stage: &Stage<'_>,
    ) -> Result<Boots, StageError> {
        let mut boots = Boots::default();
        for done in 0..MOST_ROUNDS {
            let begun = Begun::<P>::of(file, rules, stage)?;
            if begun.plan.hosts.iter().all(|host| host.starts != Time::ZERO) {
                break;
            }
            (stage.progress)(Progress::Booting { done });
            let (folder, more) = begun.run(0, None, stage, |mut play| play.boot_times());
            folder.leave(stage, why_kept(stage.folders, &more, |_| true));
            let Boots { first, again } = more?;
            boots.first.extend(first);
            boots.again.extend(again);
            if boots.again.len() >= ENOUGH_BOOTS {
                break;
            }
        }
        Ok(boots)
    }
}

/// Why a folder is kept after what was done in it, if it is.
fn why_kept<T>(
    folders: Folders,
    done: &Result<T, StageError>,
    is_expected: impl Fn(&T) -> bool,
) -> Option<Why> {
    match (done, folders) {
        (_, Folders::Keep) => Some(Why::Asked),
        (Ok(end), Folders::KeepIfUnexpected) => (!is_expected(end)).then_some(Why::Unexpected),
        (Err(StageError::Stopped), Folders::KeepIfUnexpected) => None,
        (Err(_), Folders::KeepIfUnexpected) => Some(Why::Unplayed),
    }
}

/// Something that is to be played, and where.
struct Begun<P: Protocol> {
    site: Site,
    plan: Plan<P>,
    folder: Folder,
}

impl<P: Protocol> Begun<P> {
    fn of(file: &ScenarioFile, rules: &'static str, stage: &Stage<'_>) -> Result<Self, StageError> {
        let site = match stage.links {
            Links::Edge => Site::Edge(Edge::claim(u64::from(std::process::id()))?),
            Links::Netns => Site::Netns,
        };
        let plan =
            resolve_at::<P>(file, rules, &|host| site.address(host)).map_err(StageError::Complaints)?;
        let cannot = able::cannot(&plan, stage.links);
        if !cannot.is_empty() {
            return Err(StageError::Cannot(cannot));
        }
        let folder = Folder::make(&stage.folder)?;
        Ok(Begun { site, plan, folder })
    }

    /// Writes down what is to be cleaned up, gets the hosts ready, has something done with them, and cleans up.
    fn run<T>(
        self,
        seed: u64,
        flights: Option<&Flights>,
        stage: &Stage<'_>,
        then: impl FnOnce(Play<'_, '_, P>) -> Result<T, StageError>,
    ) -> (Folder, Result<T, StageError>) {
        let Begun { site, plan, folder } = self;
        let journal = match Written::down(&folder, &site, plan.hosts.len()) {
            Ok(journal) => journal,
            Err(why) => return (folder, Err(why)),
        };
        let done = with_play(&folder, &plan, site, seed, flights, stage, then);
        if let Err(what) = journal.end() {
            let what = what.to_string();
            (stage.progress)(Progress::Left { what });
        }
        (folder, done)
    }
}

/// Has something done with the hosts of a plan, once they are ready, in a folder of their own.
fn with_play<P: Protocol, T>(
    folder: &Folder,
    plan: &Plan<P>,
    site: Site,
    seed: u64,
    flights: Option<&Flights>,
    stage: &Stage<'_>,
    then: impl FnOnce(Play<'_, '_, P>) -> Result<T, StageError>,
) -> Result<T, StageError> {
    let placed: Vec<Placed<P::Node>> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let ground = site.build(&folder.run, plan.hosts.len())?;
    let ips = placed.iter().map(|placed| placed.ip).collect();
    let wires = Wires::new(&plan.network, plan.tolerated, ips);
    let policies = wires.policies(ground.cutter());
    let mut hosts = Vec::new();
    for (placed, mut policy) in placed.iter().zip(policies) {
        let (file, own) = folder.furnish::<P>(plan, placed, seed, flights)?;
        policy.number = 1;
        let (data, log) = (own.join(DATA), own.join("log"));
        hosts.push(Host::new(placed.name.clone(), file, data, log, policy));
    }
    let crew = Crew::new(hosts, stage.program.clone(), plan.live_tolerance, ground);
    let audience = Audience::new(plan, &placed, plan.live_tolerance);
    let mut play = Play::new(plan, seed, stage, crew, wires, audience);
    if let Err(why) = play.get_ready() {
        play.look_for_panic()?;
        return Err(why);
    }
    then(play)
}

/// What comes of a run that is over.
pub(crate) fn come_to<P: Protocol>(play: Play<'_, '_, P>, end: Time) -> LiveRun {
    let counts = play.counts();
    let traffic = traffic(&counts);
    let Play {
        plan,
        seed,
        crew,
        audience,
        mut faults,
        calls,
        lines,
        stalls,
        touched,
        unlaid,
        cut_short,
        late,
        ..
    } = play;
    for (step, count) in touched {
        if let Some(fault) = faults.get_mut(step as usize) {
            fault.affected += count;
        }
    }
    let watched = audience.end(end);
    let end = watched.violation.as_ref().map_or(end, |violation| violation.at);
    if let Some(violation) = &watched.violation {
        faults.iter_mut().for_each(|fault| until(fault, violation));
    }
    let done = Done {
        faults: &faults,
        unlaid: &unlaid,
        calls: &calls,
        invariants: &watched.invariants,
        missed: &watched.missed,
    };
    let Answer {
        verdict,
        as_expected,
        doubts,
    } = Answer::of(
        plan,
        watched.violation.as_ref(),
        &done,
        cut_short.into_iter().chain(late.told()),
    );
    let outcome = Outcome {
        scenario: plan.scenario.clone(),
        rules: plan.rules,
        seed,
        verdict,
        as_expected,
        expect: plan.expect.clone(),
        violation: watched.violation,
        doubts,
        digest: watched.digest,
        events: lines,
        virtual_time: end.since(Time::ZERO),
        measures: watched.measures,
        faults,
        invariants: watched.invariants,
        traffic,
    };
    let hosts = crew.hosts.iter().map(|host| HostUse {
        name: host.name.clone(),
        cpu: host.taken.cpu,
        peak_memory: host.taken.peak_memory,
    });
    LiveRun {
        outcome,
        trace: watched.trace,
        tolerance: plan.live_tolerance,
        stalls,
        hosts: hosts.collect(),
    }
}

/// A fault that was done after the violation, before anybody knew of that, has no part in the run.
fn until(fault: &mut FaultDone, violation: &Violation) {
    if fault.at.is_some_and(|at| at > violation.at) {
        fault.at = None;
        fault.affected = 0;
    }
}

/// What became of the datagrams. Nobody counts those that reached no process, nor what a process had sent in the last moment before it
/// was killed: the former are what is missing, and the latter are added to what was sent.
fn traffic(counts: &squall_live::line::Counts) -> Traffic {
    let known = counts.delivered
        + counts.lost
        + counts.cut
        + counts.unsent
        + counts.overflowed
        + counts.congested
        + counts.too_long
        + counts.under_way;
    let left = counts.sent + counts.duplicated;
    Traffic {
        sent: counts.sent + known.saturating_sub(left),
        duplicated: counts.duplicated,
        delivered: counts.delivered,
        lost: counts.lost,
        cut: counts.cut,
        to_nobody: counts.unsent + left.saturating_sub(known),
        overflowed: counts.overflowed,
        congested: counts.congested,
        too_long: counts.too_long,
        corrupted: 0,
        in_flight: counts.under_way,
        streams: streams(&counts.streams),
    }
}

/// What became of the streams, whose packets nobody but the kernels knows of.
fn streams(counts: &squall_live::line::StreamCounts) -> StreamTraffic {
    StreamTraffic {
        opened: counts.opened,
        refused: counts.refused,
        reset: counts.reset,
        timed_out: counts.timed_out,
        closed: counts.closed,
        turned_away: counts.crowded,
        written: counts.written,
        delivered: counts.read,
        ..StreamTraffic::default()
    }
}

/// The name of a host's folder for what it persists, in its own.
const DATA: &str = "data";

/// The folder of one run, which is removed unless it is kept.
struct Folder {
    dir: TempDir,
    /// Where it is, as an absolute path.
    path: PathBuf,
    /// The folder of all runs.
    runs: PathBuf,
    /// The run's name: no other one that is under way has it.
    run: String,
    /// Held until the folder is gone, by all processes of the run: what they have is not left behind.
    _claim: Claim,
}

impl Folder {
    fn make(runs: &Path) -> Result<Self, StageError> {
        let runs = runs::make(runs)?;
        let made = || -> io::Result<(TempDir, Claim)> {
            loop {
                let dir = tempfile::Builder::new().prefix(runs::PREFIX).tempdir_in(&runs)?;
                // Between the two steps a cleaning may have taken it for one that is left.
                if let Some(claim) = Claim::of_own(dir.path())? {
                    claim.share()?;
                    return Ok((dir, claim));
                }
            }
        };
        let (dir, claim) = made().map_err(|why| {
            StageError::system(format!("make a folder for the run in {}", runs.display()), why)
        })?;
        let path = dir.path().to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let run = name.into_owned();
        Ok(Folder {
            dir,
            path,
            runs,
            run,
            _claim: claim,
        })
    }

    /// Makes the folder of a host and writes its deployment file. Returns both.
    fn furnish<P: Protocol>(
        &self,
        plan: &Plan<P>,
        placed: &Placed<P::Node>,
        seed: u64,
        flights: Option<&Flights>,
    ) -> Result<(PathBuf, PathBuf), StageError> {
        let own = self.path.join(&placed.name);
        let file = own.join("node.ron");
        let deployment = Deployment::<P> {
            story: format!("{} of a live run of {}.", placed.name, plan.scenario),
            rules: plan.rules,
            profile: P::PROFILES[0],
            placed: placed.clone(),
            data: Some(PathBuf::from(DATA)),
            seed: Some(seed),
            record: flights.map(|flights| flights.of(&placed.name)),
            http: None,
            control: None,
            lines: None,
            bounds: Bounds::default(),
            streams: Streams::of(&plan.network.streams),
            tls: None,
        };
        fs::create_dir(&own)
            .and_then(|()| fs::write(&file, deployment.printed()))
            .map_err(|why| StageError::system(format!("write {}", file.display()), why))?;
        Ok((file, own))
    }

    /// Keeps the folder and tells of it where there is a reason to; otherwise it is removed.
    fn leave(self, stage: &Stage<'_>, kept: Option<Why>) {
        if let Some(why) = kept {
            let folder = self.dir.keep();
            (stage.progress)(Progress::Kept { folder, why });
        }
    }
}

/// A journal that is written. What nobody ends, since the stage has panicked, is left to the next cleaning.
struct Written {
    journal: Journal,
    runs: PathBuf,
}

impl Written {
    fn down(folder: &Folder, site: &Site, hosts: usize) -> Result<Self, StageError> {
        let namespaces = site.namespaces(&folder.run, hosts);
        let journal = Journal::new(folder.run.clone(), folder.path.clone(), namespaces)?;
        journal.write(&folder.runs)?;
        Ok(Written {
            journal,
            runs: folder.runs.clone(),
        })
    }

    /// Takes the journal away, when everything that it speaks of is gone; what is not by now is ended.
    fn end(self) -> Result<(), StageError> {
        self.journal.clean(&self.runs).map(drop)
    }
}

#[cfg(test)]
mod tests;
