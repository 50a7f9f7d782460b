//! What is to be cleaned up after a live run, written down before anything is started: so that whatever happens to the stage itself, the
//! next `squall live --clean` finds what it left behind, and ends it.
//!
//! A journal is one file of JSON in the folder of all runs. It names the stage's process, the run's own folder, by whose path the
//! processes of its hosts are known (it stands in their command lines), and the network namespaces that the run has. It is removed
//! when all of these are gone, and stays as long as one of them cannot be ended.
//!
//! The run's folder is claimed by the stage and by every process that it starts, so that it is known when the last of them has ended:
//! a program that a killed stage has set to work goes on without it, and makes what nobody would look for afterwards.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::door::StageError;
use crate::netns;
use crate::stat::Stat;

mod clean;
mod processes;

pub use clean::{Cleaned, clean};
pub use processes::ATTENDED;

/// What a journal's file is called: this, the run's name, and `.json`.
const PREFIX: &str = "journal-";
/// What a journal begins with, of every format so far.
const BEGINNING: &[u8] = br#"{"format":"#;

/// What one run is to have cleaned up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The version of this form: 1.
    format: u32,
    /// The run's name.
    pub run: String,
    /// The process that plays it.
    stage: Process,
    /// The folder of the run, an absolute path that no other run has.
    pub folder: PathBuf,
    /// The network namespaces that it makes.
    pub namespaces: Vec<String>,
}

/// A process, told apart from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    pid: u32,
    /// When it was started, in the kernel's ticks since the machine was.
    started: u64,
    /// The boot of the machine that it belongs to.
    boot: String,
    /// The PID namespace in which that is its number, as the kernel numbers them; `None` where it does not say, and in journals of
    /// before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<u64>,
}

/// Whether whoever plays a run still does, as far as that can be seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Player {
    Alive,
    Gone,
    /// It had a number in another PID namespace, as in a container: nobody here knows who has it.
    Elsewhere,
}

impl Journal {
    /// The journal of a run of this process. `folder` is where the run will have its own; nothing is written yet.
    ///
    /// # Errors
    ///
    /// That the system does not say which process this is.
    pub fn new(run: String, folder: PathBuf, namespaces: Vec<String>) -> Result<Self, StageError> {
        let pid = std::process::id();
        let started = started(pid)
            .ok_or_else(|| StageError::system("find this process in /proc", "it is not there"))?;
        Ok(Journal {
            format: 1,
            run,
            stage: Process {
                pid,
                started,
                boot: boot_id(),
                pid_namespace: pid_namespace(),
            },
            folder,
            namespaces,
        })
    }

    /// Writes the journal into the folder of all runs, which is there, so that it is there after a loss of power.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write(&self, runs: &Path) -> Result<(), StageError> {
        let path = self.path(runs);
        let whole = || -> io::Result<()> {
            let text = serde_json::to_vec(self)?;
            let (mut draft, _claim) = draft_in(runs)?;
            draft.write_all(&text)?;
            draft.as_file().sync_all()?;
            draft.persist(&path)?;
            fs::File::open(runs)?.sync_all()
        };
        whole().map_err(|why| StageError::system(format!("write {}", path.display()), why))
    }

    /// Removes the journal: nothing is left to be cleaned.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn remove(&self, runs: &Path) -> Result<(), StageError> {
        let path = self.path(runs);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                Err(StageError::system(format!("remove {}", path.display()), why))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, runs: &Path) -> PathBuf {
        runs.join(file_name_of(&self.run))
    }

    /// Whether the process that plays the run is still there.
    fn player(&self) -> Player {
        if self.stage.boot != boot_id() {
            return Player::Gone;
        }
        match (self.stage.pid_namespace, pid_namespace()) {
            (Some(its), Some(own)) if its != own => Player::Elsewhere,
            _ if started(self.stage.pid) == Some(self.stage.started) => Player::Alive,
            _ => Player::Gone,
        }
    }

    /// Ends what the run has left behind, its processes, whichever they are, and its namespaces, and then removes the journal from the
    /// folder of all runs.
    ///
    /// # Errors
    ///
    /// What is still there, and why. What could be ended is, and the journal stays.
    pub fn clean(&self, runs: &Path) -> Result<Cleaned, StageError> {
        let processes = processes::end_hosts_of(&self.folder);
        self.clean_after(runs, processes)
    }

    /// The same, once its processes have been ended, so many of them, or not.
    fn clean_after(&self, runs: &Path, processes: Result<usize, StageError>) -> Result<Cleaned, StageError> {
        // Whatever became of those: what can be ended is.
        let namespaces = netns::remove(&self.namespaces);
        let cleaned = Cleaned {
            runs: vec![self.run.clone()],
            processes: processes?,
            namespaces: namespaces?,
            ..Cleaned::default()
        };
        self.remove(runs)?;
        Ok(cleaned)
    }
}

/// A file for a journal that is being written, which nobody takes for one that is left behind for as long as the claim is held.
fn draft_in(runs: &Path) -> io::Result<(tempfile::NamedTempFile, Claim)> {
    loop {
        let draft = tempfile::NamedTempFile::new_in(runs)?;
        if let Some(claim) = Claim::of_own(draft.path())? {
            return Ok((draft, claim));
        }
    }
}

/// Reads a journal. Whatever a file says, nobody is killed for having `/` in the command line, and no namespace is removed but a run's.
fn read(path: &Path) -> Result<Journal, String> {
    let text = fs::read_to_string(path).map_err(|why| why.to_string())?;
    let journal: Journal = serde_json::from_str(&text).map_err(|why| why.to_string())?;
    if journal.format != 1 {
        return Err(format!(
            "its format is {}, and this version knows 1",
            journal.format
        ));
    }
    let run = journal.run.as_str();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if run.is_empty() || !run.bytes().all(is_plain) {
        return Err(format!("{run:?} is no name of a run"));
    }
    if path.file_name() != Some(file_name_of(run).as_ref()) {
        return Err(format!("it is of the run {run}, and not called after it"));
    }
    if !journal.folder.is_absolute() || journal.folder.file_name() != Some(run.as_ref()) {
        return Err("the folder that it names is not the run's".to_owned());
    }
    match journal.namespaces.iter().find(|name| !netns::is_of(run, name)) {
        Some(name) => Err(format!("the namespace {name:?} that it names is not the run's")),
        None => Ok(journal),
    }
}

/// What the journal of a run is called.
fn file_name_of(run: &str) -> String {
    format!("{PREFIX}{run}.json")
}

/// When a process was started, in ticks since the machine was; `None` when there is none of that number, or it is a dead one that nobody
/// has asked after.
fn started(pid: u32) -> Option<u64> {
    let stat = Stat::of(pid)?;
    (!stat.is_dead()).then_some(stat.started)
}

/// Which boot of the machine this is.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// The PID namespace of this process, as the kernel numbers them.
fn pid_namespace() -> Option<u64> {
    fs::metadata("/proc/self/ns/pid")
        .ok()
        .map(|namespace| namespace.ino())
}
