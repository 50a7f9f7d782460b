//! What is to be cleaned up after a live run, written down before anything is started: so that whatever happens to the stage itself, the
//! next `squall live --clean` finds what it left behind, and ends it.
//!
//! A journal is one file of JSON in the folder of all runs. It names the stage's process, the run's own folder, by whose path the
//! processes of its hosts are known (it stands in their command lines), and the network namespaces that the run has. It is removed
//! when all of these are gone, and stays as long as one of them cannot be ended.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use squall_nodes::Span;

use crate::clock;
use crate::door::StageError;
use crate::stat::Stat;
use crate::{netns, runs};

/// What a journal's file is called: this, the run's name, and `.json`.
const PREFIX: &str = "journal-";

/// How long a process that was killed has to be gone. It takes no time unless the system is out of it, or stuck in a read of a disk.
const TO_BE_GONE: Span = Span::from_secs(10);
/// How long to wait between two looks at what is still there.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// The flag that every host of a run is started with.
pub const ATTENDED: &str = "--attended";

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
}

/// What a cleaning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The runs that had left something behind.
    pub runs: Vec<String>,
    /// How many processes were killed, each counted once.
    pub processes: usize,
    /// How many namespaces were removed.
    pub namespaces: usize,
    /// The runs whose stage is alive; nothing of theirs was touched.
    pub alive: Vec<String>,
    /// Journals that cannot be read, each with the reason; nothing that they may speak of was touched.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The runs of which something is still there, each with what and why. Their journals stay.
    pub left: Vec<(String, String)>,
    /// The folders of runs that are over, with what their hosts wrote: they are left to whoever wants them, in the order of their names.
    /// A run whose journal is still there is not over.
    pub kept: Vec<PathBuf>,
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
            let mut file = tempfile::NamedTempFile::new_in(runs)?;
            serde_json::to_writer(&mut file, self)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
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
    fn is_alive(&self) -> bool {
        self.stage.boot == boot_id() && started(self.stage.pid) == Some(self.stage.started)
    }

    /// Ends what the run has left behind, its processes, whichever they are, and its namespaces, and then removes the journal from the
    /// folder of all runs.
    ///
    /// # Errors
    ///
    /// What is still there, and why. What could be ended is, and the journal stays.
    pub fn clean(&self, runs: &Path) -> Result<Cleaned, StageError> {
        let processes = end_hosts_of(&self.folder);
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

/// Cleans up after all runs whose journal is in `runs` and whose stage is gone. Folders of runs stay: what is in them may be wanted.
///
/// # Errors
///
/// That the folder is not there, cannot be read, or is not this user's own ([`runs::is_there`]).
pub fn clean(runs: &Path) -> Result<Cleaned, StageError> {
    let mut cleaned = Cleaned::default();
    if !runs::is_there(runs)? {
        return Err(StageError::system(
            format!("clean up in {}", runs.display()),
            "there is no such folder",
        ));
    }
    for path in journals(runs)? {
        let journal = match read(&path) {
            Ok(journal) => journal,
            Err(why) => {
                cleaned.unreadable.push((path, why));
                continue;
            }
        };
        if journal.is_alive() {
            cleaned.alive.push(journal.run);
            continue;
        }
        match journal.clean(runs) {
            Ok(own) => {
                cleaned.runs.extend(own.runs);
                cleaned.processes += own.processes;
                cleaned.namespaces += own.namespaces;
            }
            Err(why) => cleaned.left.push((journal.run, why.to_string())),
        }
    }
    cleaned.kept = kept(runs)?;
    Ok(cleaned)
}

/// The folders of runs that are over, with something in them.
///
/// A run has its folder first, then its journal, and writes to the folder only then; at its end the journal goes first. So a folder that
/// has something in it is a run's that is over if it has no journal afterwards, whatever begins and ends while this looks.
fn kept(runs: &Path) -> Result<Vec<PathBuf>, StageError> {
    let mut kept = entries(runs)?;
    kept.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(runs::PREFIX) && has_something(path)
    });
    // Not only those whose stage is alive have one: it stays where something cannot be ended, or where it cannot be read.
    let journals = journals(runs)?;
    kept.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let journal = runs.join(file_name_of(&name));
        !journals.contains(&journal) && path.is_dir()
    });
    Ok(kept)
}

/// Whether something is in a folder, as far as that can be seen.
fn has_something(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(why) => why.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// What is in the folder of all runs, in the order of the names.
fn entries(runs: &Path) -> Result<Vec<PathBuf>, StageError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(runs)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    let mut paths = read().map_err(|why| StageError::system(format!("read {}", runs.display()), why))?;
    paths.sort();
    Ok(paths)
}

/// The files of journals in the folder of all runs, in the order of their names.
fn journals(runs: &Path) -> Result<Vec<PathBuf>, StageError> {
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with(PREFIX) && name.ends_with(".json")
    };
    let mut paths = entries(runs)?;
    paths.retain(is_journal);
    Ok(paths)
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

/// Kills the hosts of a run until none is there, and says how many there were.
///
/// # Errors
///
/// Which of them are still there after [`TO_BE_GONE`].
fn end_hosts_of(folder: &Path) -> Result<usize, StageError> {
    let until = clock::now() + TO_BE_GONE;
    let mut killed = BTreeSet::new();
    loop {
        let hosts = hosts_of(folder)
            .map_err(|why| StageError::system("look for the processes of a run in /proc", why))?;
        if hosts.is_empty() {
            return Ok(killed.len());
        }
        let mut refused = None;
        for &pid in &hosts {
            match kill_process(pid, Signal::KILL) {
                Ok(()) => drop(killed.insert(pid.as_raw_nonzero())),
                Err(why) => refused = Some(why),
            }
        }
        if clock::now() >= until {
            let pids: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            let what = format!("end the processes {} of {}", pids.join(", "), folder.display());
            let why = refused.map_or("they do not end".to_owned(), |why| why.to_string());
            return Err(StageError::system(what, why));
        }
        // Nothing comes of it but that time passes.
        let _ = poll(&mut [], Some(&LOOK));
    }
}

/// The processes of hosts: those that were told that they are attended, with something of the folder among their words. An editor that has
/// a file of it open is none.
fn hosts_of(folder: &Path) -> io::Result<Vec<Pid>> {
    let own = std::process::id();
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            continue;
        };
        // One that is gone, or another user's, has nothing to say.
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0).map(OsStr::from_bytes);
        let is_host = words.clone().any(|word| word == ATTENDED)
            && words.any(|word| Path::new(word).starts_with(folder));
        if is_host && pid.as_raw_nonzero().get().unsigned_abs() != own {
            pids.push(pid);
        }
    }
    Ok(pids)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::DirBuilderExt as _;

    use super::*;

    #[test]
    fn only_folders_of_runs_that_have_no_journal_are_kept_ones() {
        let above = tempfile::tempdir().unwrap();
        let runs = above.path().join("runs");
        fs::DirBuilder::new().mode(0o700).create(&runs).unwrap();
        let folder = |name: &str| {
            let folder = runs.join(name);
            fs::create_dir(&folder).unwrap();
            fs::create_dir(folder.join("s")).unwrap();
            folder
        };
        let over = folder("run-over");
        let alive = folder("run-alive");
        Journal::new("run-alive".to_owned(), alive, Vec::new())
            .unwrap()
            .write(&runs)
            .unwrap();
        folder("run-unreadable");
        fs::write(runs.join("journal-run-unreadable.json"), "{").unwrap();
        // One that is about to begin has written neither its journal nor anything else.
        fs::create_dir(runs.join("run-new")).unwrap();
        folder("somebody-else");
        fs::write(runs.join("run-no-folder"), "").unwrap();
        let cleaned = clean(&runs).unwrap();
        assert_eq!(cleaned.alive, ["run-alive"]);
        assert_eq!(cleaned.unreadable.len(), 1);
        assert_eq!(cleaned.kept, [over]);
    }
}
