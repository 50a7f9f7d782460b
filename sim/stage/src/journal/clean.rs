//! What a cleaning does: it goes through the folder of all runs, ends what runs have left behind whose stage is gone, and names what it
//! leaves there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{BEGINNING, Journal, PREFIX, Player, file_name_of, processes, read};
use crate::claim::{Claim, Claimed};
use crate::door::StageError;
use crate::{measure, runs};

/// What a file is called that is to become a journal: this, and what is drawn for it.
const DRAFT: &str = ".tmp";
/// How long that is, and what is drawn for the folder of a run, in letters and digits.
const DRAWN: usize = 6;

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
    /// The runs of another container, or of whatever else has PID namespaces of its own, alive or not; nothing of theirs was touched.
    pub elsewhere: Vec<String>,
    /// How many folders were removed in which nothing is, of runs whose stage was killed when they began.
    pub empty: usize,
    /// How many journals were removed that were never whole, since the stage was killed that wrote them.
    pub drafts: usize,
    /// How many folders were removed in which machines were measured, of whoever was killed meanwhile.
    pub measured: usize,
    /// Journals that cannot be read, each with the reason; nothing that they may speak of was touched.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The runs of which something is still there, each with what and why. Their journals stay.
    pub left: Vec<(String, String)>,
    /// The folders of runs that are over, with what their hosts wrote: they are left to whoever wants them, in the order of their names.
    /// A run whose journal is still there is not over.
    pub kept: Vec<PathBuf>,
}

/// Cleans up after all runs whose journal is in `runs` and whose stage is gone. Folders of runs stay: what is in them may be wanted. Those
/// that never had anything in them go, with journals that were never whole.
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
            // Its run was about to end.
            Err(_) if fs::symlink_metadata(&path).is_err() => continue,
            Err(why) => {
                cleaned.unreadable.push((path, why));
                continue;
            }
        };
        match journal.player() {
            Player::Alive => cleaned.alive.push(journal.run),
            Player::Elsewhere => cleaned.elsewhere.push(journal.run),
            Player::Gone => match clean_after(&journal, runs) {
                Ok(own) => {
                    cleaned.runs.extend(own.runs);
                    cleaned.processes += own.processes;
                    cleaned.namespaces += own.namespaces;
                }
                Err(why) => cleaned.left.push((journal.run, why.to_string())),
            },
        }
    }
    cleaned.drafts = remove_drafts(runs)?;
    cleaned.empty = remove_empty(runs)?;
    cleaned.measured = remove_measured(runs)?;
    cleaned.kept = kept(runs)?;
    Ok(cleaned)
}

/// Cleans up after a run whose stage is gone.
fn clean_after(journal: &Journal, runs: &Path) -> Result<Cleaned, StageError> {
    // Held until the journal is removed: nobody makes anything more of the run.
    let (processes, _claim) = match processes::end_all_of(&journal.folder) {
        Ok((processes, claim)) => (Ok(processes), claim),
        Err(why) => (Err(why), None),
    };
    journal.clean_after(runs, processes)
}

/// Removes what was to become journals, and whose stage was killed before it did. Says how many there were.
fn remove_drafts(runs: &Path) -> Result<usize, StageError> {
    let mut removed = 0;
    for path in entries(runs)? {
        // Nothing but a plain file is opened: to open a pipe may take for ever.
        if is_drawn(&path, DRAFT)
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_file())
            && let Ok(Claimed::Ours(_claim)) = Claim::of_others(&path)
            && is_of_a_journal(&path).unwrap_or(false)
        {
            // The claim is held until it is gone: whoever has made it just now must not take it for its own.
            removed += usize::from(fs::remove_file(&path).is_ok());
        }
    }
    Ok(removed)
}

/// Whether a file is the beginning of a journal, or nothing.
fn is_of_a_journal(path: &Path) -> io::Result<bool> {
    let mut begins = Vec::new();
    File::open(path)?
        .take(BEGINNING.len() as u64)
        .read_to_end(&mut begins)?;
    Ok(BEGINNING.starts_with(&begins))
}

/// Removes the folders of runs in which nothing is, and that nobody has: their stages were killed before they had written anything, or
/// when they had removed everything. Says how many there were.
fn remove_empty(runs: &Path) -> Result<usize, StageError> {
    let journals = journals(runs)?;
    let mut removed = 0;
    for path in entries(runs)? {
        // A link is none, wherever it leads.
        if is_drawn(&path, runs::PREFIX)
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir())
            && !journals.contains(&journal_of(runs, &path))
            && let Ok(Claimed::Ours(_claim)) = Claim::of_others(&path)
        {
            // It is only removed if it is empty.
            removed += usize::from(fs::remove_dir(&path).is_ok());
        }
    }
    Ok(removed)
}

/// Removes the folders in which a machine was measured, and that nobody has, with what the nodes wrote there that did it. Says how many there
/// were. One with anything else in it stays.
fn remove_measured(runs: &Path) -> Result<usize, StageError> {
    let of_node = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(measure::OF_NODE))
    };
    let mut removed = 0;
    for path in entries(runs)? {
        if is_drawn(&path, measure::PREFIX)
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir())
            && let Ok(Claimed::Ours(_claim)) = Claim::of_others(&path)
            && entries(&path).is_ok_and(|within| within.iter().all(of_node))
        {
            removed += usize::from(fs::remove_dir_all(&path).is_ok());
        }
    }
    Ok(removed)
}

/// Whether something is called by what is drawn for it, after its kind.
fn is_drawn(path: &Path, kind: &str) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let drawn = name.and_then(|name| name.strip_prefix(kind));
    drawn.is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Where the journal of the run is that has a folder.
fn journal_of(runs: &Path, folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    runs.join(file_name_of(&name))
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
    kept.retain(|path| !journals.contains(&journal_of(runs, path)) && path.is_dir());
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::DirBuilderExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::journal::{draft_in, pid_namespace};

    /// The folder of all runs, in another one.
    fn runs() -> (TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let runs = above.path().join("runs");
        fs::DirBuilder::new().mode(0o700).create(&runs).unwrap();
        (above, runs)
    }

    /// Cleans up until nothing is held for a moment by a process that another test is just starting.
    fn clean_until(runs: &Path, is_so: impl Fn(&Cleaned) -> bool) -> Cleaned {
        let until = crate::clock::now() + squall_nodes::Span::from_secs(60);
        loop {
            let cleaned = clean(runs).unwrap();
            if is_so(&cleaned) {
                return cleaned;
            }
            assert!(crate::clock::now() < until, "{cleaned:?}");
        }
    }

    #[test]
    fn a_folder_in_which_nothing_is_goes_once_nobody_has_it() {
        let (_above, runs) = runs();
        let [own, other] = ["run-aB3dE6", "run-letters"].map(|name| runs.join(name));
        fs::create_dir(&own).unwrap();
        fs::create_dir(&other).unwrap();
        // Its stage has it before it has a journal.
        let claim = Claim::of_own(&own).unwrap().unwrap();
        assert_eq!(clean(&runs).unwrap(), Cleaned::default());
        assert!(own.exists());
        drop(claim);
        assert_eq!(
            clean_until(&runs, |cleaned| cleaned.empty == 1).kept,
            Vec::<PathBuf>::new()
        );
        assert!(!own.exists());
        assert!(other.exists(), "no run draws such a name");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("log"), "").unwrap();
        for _ in 0..2 {
            let cleaned = clean(&runs).unwrap();
            assert_eq!((cleaned.empty, cleaned.kept), (0, vec![own.clone()]));
        }
    }

    #[test]
    fn a_folder_in_which_a_machine_was_measured_goes_once_nobody_has_it() {
        let (_above, runs) = runs();
        let [own, others] = ["squall-measure-aB3dE6", "squall-measure-zZ9yX8"].map(|name| runs.join(name));
        for folder in [&own, &others] {
            fs::create_dir_all(folder.join("probe0")).unwrap();
            fs::write(folder.join("probe0/state"), "written").unwrap();
        }
        fs::write(others.join("letter"), "somebody's").unwrap();
        let claim = Claim::of_own(&own).unwrap().unwrap();
        assert_eq!(clean(&runs).unwrap(), Cleaned::default());
        drop(claim);
        clean_until(&runs, |cleaned| cleaned.measured == 1);
        assert!(!own.exists());
        assert!(others.join("probe0/state").exists(), "something else is in it");
    }

    #[test]
    fn a_journal_that_was_never_whole_goes_once_nobody_writes_it() {
        let (_above, runs) = runs();
        let others = runs.join(".tmpAbCd12");
        fs::write(&others, "somebody's").unwrap();
        for begun in ["", "{\"for", "{\"format\":1,\"run\":\"run-a"] {
            let (draft, claim) = draft_in(&runs).unwrap();
            fs::write(draft.path(), begun).unwrap();
            assert_eq!(clean(&runs).unwrap(), Cleaned::default());
            assert!(draft.path().exists());
            drop(claim);
            clean_until(&runs, |cleaned| cleaned.drafts == 1);
            assert!(!draft.path().exists(), "{begun}");
        }
        assert_eq!(fs::read(&others).unwrap(), b"somebody's");
    }

    #[test]
    fn a_run_of_another_container_is_named_and_nothing_of_it_is_touched() {
        let (_above, runs) = runs();
        let folder = runs.join("run-a");
        let mut journal = Journal::new("run-a".to_owned(), folder, Vec::new()).unwrap();
        // Of those that say nothing of it, the number counts, as ever.
        journal.stage.pid_namespace = None;
        journal.write(&runs).unwrap();
        assert_eq!(clean(&runs).unwrap().alive, ["run-a"]);
        journal.stage.pid_namespace = pid_namespace().map(|own| own + 1);
        assert!(journal.stage.pid_namespace.is_some());
        // Whoever has its number here.
        for started in [journal.stage.started, 1] {
            journal.stage.started = started;
            journal.write(&runs).unwrap();
            let elsewhere = vec!["run-a".to_owned()];
            let named = Cleaned {
                elsewhere,
                ..Cleaned::default()
            };
            assert_eq!(clean(&runs).unwrap(), named);
        }
        // No container outlives the machine.
        journal.stage.boot = "another".to_owned();
        journal.write(&runs).unwrap();
        assert_eq!(clean(&runs).unwrap().runs, ["run-a"]);
    }

    #[test]
    fn only_folders_of_runs_that_have_no_journal_are_kept_ones() {
        let (_above, runs) = runs();
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
