//! What the command line sees of a protocol that can be played live.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use squall_nodes::{HostId, Time};
use squall_sim::live::LiveRun;
use squall_sim::machine::Boots;
use squall_sim::scenario::{Complaints, ScenarioFile};

/// Where and how scenarios are played.
pub struct Stage<'a> {
    /// The program that every host is a process of, and the words that come before `node CONFIG.ron`: the running one, as a rule.
    pub program: PathBuf,
    /// The folder in which each run has a folder of its own, with the files of its hosts.
    pub folder: PathBuf,
    /// How links are made to fail.
    pub links: Links,
    /// What becomes of a run's folder.
    pub folders: Folders,
    /// The folder in which the hosts record their flights: each run has a folder of its own there, and each host one in that. Nothing is
    /// recorded without one.
    pub record: Option<PathBuf>,
    /// Set when the run is to be given up. Everything is cleaned up then, too.
    pub stop: &'a AtomicBool,
    /// Told what is happening, now and then: for people who wait.
    pub progress: &'a dyn Fn(Progress),
}

/// How links are made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// By the policies of the hosts' own edges, on loopback addresses: no privilege is needed.
    Edge,
    /// Cuts are made by the kernel: each host has a network namespace. It takes root.
    Netns,
}

/// What becomes of a run's folder when the run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    /// It is removed when the run is as expected, and kept when it is not.
    KeepIfUnexpected,
    /// It is kept.
    Keep,
}

/// Why a run's folder is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// All are: [`Folders::Keep`].
    Asked,
    /// The run is not as expected.
    Unexpected,
    /// The run was not played to its end.
    Unplayed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Asked => "as --keep asks",
            Why::Unexpected => "since the run was not as expected",
            Why::Unplayed => "since the run was not played to its end",
        })
    }
}

/// How often hosts boot at most when it is measured how late they do.
pub const MOST_ROUNDS: u32 = 8;

/// What is happening on a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Processes are being started: how many are ready, of how many.
    Starting {
        /// Are ready.
        ready: usize,
        /// Are to be.
        of: usize,
    },
    /// It plays, and has come to this time of the scenario.
    Playing {
        /// Now.
        now: Time,
        /// The end.
        until: Time,
    },
    /// A fault of the timeline is done.
    Fault {
        /// When.
        at: Time,
        /// Which, as reports name it.
        label: String,
    },
    /// A host went down by itself.
    Lost {
        /// Which.
        host: HostId,
        /// The last words of its log.
        said: String,
    },
    /// The run is over, and its folder stays.
    Kept {
        /// Which.
        folder: PathBuf,
        /// Why.
        why: Why,
    },
    /// The run is over, and what its hosts have recorded stays, whatever came of it.
    Recorded {
        /// The folder of the run's recordings.
        folder: PathBuf,
        /// How many there are: one for each life of a host.
        flights: usize,
    },
    /// The run is over, and the folder of its recordings stays, though nothing is known to be recorded in it.
    Unclear {
        /// The folder.
        folder: PathBuf,
        /// Why it stays.
        why: String,
    },
    /// Hosts are booted to see how late they do, once more.
    Booting {
        /// How often all were before; less than [`MOST_ROUNDS`].
        done: u32,
    },
    /// The run is over, and not everything of it could be taken away: its journal stays.
    Left {
        /// What is left, and why.
        what: String,
    },
}

/// A protocol whose scenarios can be played live.
pub trait Staged: Send + Sync {
    /// What files call it.
    fn name(&self) -> &'static str;

    /// What of a scenario cannot be played live: a sentence for each. Empty when all of it can.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, with places.
    fn cannot(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        links: Links,
    ) -> Result<Vec<String>, Complaints>;

    /// Plays a scenario once, in real time.
    ///
    /// # Errors
    ///
    /// That it cannot be played, or that the machine did not let it be. Whatever comes of it, nothing stays behind.
    fn play(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        seed: u64,
        stage: &Stage<'_>,
    ) -> Result<LiveRun, StageError>;

    /// Measures how late a scenario's hosts boot on this stage: its processes are started as for a run, and boot, and boot again, a few times.
    /// Each time has a folder as a run does, which is kept as those of runs are. Nothing is measured of a scenario in which no host boots when
    /// the run begins.
    ///
    /// # Errors
    ///
    /// That they cannot be played, or that the machine did not let it be. Whatever comes of it, no process stays behind.
    fn boots(&self, file: &ScenarioFile, rules: &'static str, stage: &Stage<'_>)
    -> Result<Boots, StageError>;
}

impl StageError {
    /// The system refused what was tried.
    pub(crate) fn system(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        StageError::System {
            what: what.into(),
            why: why.to_string(),
        }
    }
}

/// Why a scenario was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The file is wrong.
    #[error("{0}")]
    Complaints(Complaints),
    /// Some of it cannot be done live.
    #[error("it cannot be played live: {}", .0.join("; "))]
    Cannot(Vec<String>),
    /// It was given up, since somebody wanted it so.
    #[error("it was stopped")]
    Stopped,
    /// A host did not become ready.
    #[error("{host} did not start: {said}")]
    NotReady {
        /// Which.
        host: String,
        /// The last words of its log.
        said: String,
    },
    /// A host's process panicked.
    #[error("{host} panicked, which is a bug of the node or of Squall: {said}")]
    Panicked {
        /// Which.
        host: String,
        /// What the panic said, as its log has it.
        said: String,
    },
    /// The system refused something.
    #[error("could not {what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        why: String,
    },
}
