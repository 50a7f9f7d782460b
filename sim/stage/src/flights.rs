//! Where the hosts of a run record their flights: a folder of the run's own, which is nobody else's before, and in it one of each host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use squall_sim::deployment::{Recording, WhenFull};

use crate::door::StageError;

/// How large a recording gets, in bytes: so large that none of a run that ends ever is.
const BOUND: u64 = 1 << 30;
/// How many lives of a host are recorded.
const KEEP: u32 = 10_000;
/// The empty file that a recorder holds in its folder.
const LOCK: &str = "lock";

/// The recordings of one run.
pub(crate) struct Flights {
    folder: PathBuf,
}

impl Flights {
    /// Makes the folder of a run in `into`, which is made too if need be. It is called after the run; where there is one of that name
    /// already, nothing is added to it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn make(into: &Path, scenario: &str, rules: &str, seed: u64) -> Result<Self, StageError> {
        let cannot = |why: io::Error| {
            StageError::system(format!("make a folder for recordings in {}", into.display()), why)
        };
        if into.exists() && !into.is_dir() {
            return Err(cannot(io::Error::other("it is not a folder")));
        }
        fs::create_dir_all(into).map_err(cannot)?;
        let into = into.canonicalize().map_err(cannot)?;
        let stem = Path::new(scenario).file_stem().unwrap_or_default();
        let name = format!("{}-{rules}-{seed}", stem.to_string_lossy());
        for nth in 1u64.. {
            let folder = into.join(match nth {
                1 => name.clone(),
                nth => format!("{name}-{nth}"),
            });
            match fs::create_dir(&folder) {
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(cannot(why)),
                Ok(()) => return Ok(Flights { folder }),
            }
        }
        Err(cannot(io::ErrorKind::AlreadyExists.into()))
    }

    /// How a host records.
    pub(crate) fn of(&self, host: &str) -> Recording {
        Recording {
            bound: BOUND,
            when_full: WhenFull::Rotate,
            keep: KEEP,
            ..Recording::to(self.folder.join(host))
        }
    }

    /// Says what has become of the recordings: to be called when no host of the run is left. A folder without any is removed, and nothing
    /// else ever is: neither a recording, nor what somebody else has put there.
    pub(crate) fn end(self) -> Flown {
        let Flights { folder } = self;
        match count(&folder) {
            Ok(0) => match remove_empty(&folder) {
                Ok(()) => Flown::Nothing,
                Err(why) => Flown::Unclear {
                    why: format!("nothing is recorded in it, and it could not be removed: {why}"),
                    folder,
                },
            },
            Ok(flights) => Flown::Recorded { folder, flights },
            Err(why) => Flown::Unclear {
                why: format!("it could not be counted what is recorded in it: {why}"),
                folder,
            },
        }
    }
}

/// What has become of the recordings of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flown {
    /// Nothing was recorded, and the folder is gone.
    Nothing,
    /// So many flights are in the folder.
    Recorded { folder: PathBuf, flights: usize },
    /// The folder stays as it is.
    Unclear { folder: PathBuf, why: String },
}

/// How many recordings are in a run's folder.
fn count(folder: &Path) -> io::Result<usize> {
    let mut flights = 0;
    for host in hosts(folder)? {
        for file in fs::read_dir(host)? {
            flights += usize::from(file?.path().extension().is_some_and(|form| form == "sqf"));
        }
    }
    Ok(flights)
}

/// Removes a folder in which nothing was recorded, with those of hosts that did not come to it.
///
/// # Errors
///
/// What the system says, for one that something is in.
fn remove_empty(folder: &Path) -> io::Result<()> {
    for host in hosts(folder)? {
        let lock = host.join(LOCK);
        if fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file() && found.len() == 0) {
            fs::remove_file(&lock)?;
        }
        fs::remove_dir(&host)?;
    }
    fs::remove_dir(folder)
}

/// The folders of hosts. A file beside them is somebody else's.
fn hosts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut hosts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            hosts.push(entry.path());
        }
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_folder_of_its_own_that_goes_when_nothing_was_recorded() {
        let into = tempfile::tempdir().unwrap();
        let make = || Flights::make(&into.path().join("new/one"), "a/b/kill.ron", "Hardened", 7).unwrap();
        let (first, second) = (make(), make());
        assert!(
            first.folder.ends_with("kill-Hardened-7"),
            "{}",
            first.folder.display()
        );
        assert!(
            second.folder.ends_with("kill-Hardened-7-2"),
            "{}",
            second.folder.display()
        );
        let of_host = first.of("s").folder;
        fs::create_dir(&of_host).unwrap();
        fs::write(of_host.join("lock"), "").unwrap();
        fs::write(of_host.join("flight-000000.sqf"), "").unwrap();
        let (kept, removed) = (first.folder.clone(), second.folder.clone());
        let recorded = Flown::Recorded {
            folder: kept.clone(),
            flights: 1,
        };
        assert_eq!(first.end(), recorded);
        assert!(kept.is_dir());
        // A host that was refused its recording has left no more than this.
        fs::create_dir(removed.join("s")).unwrap();
        fs::write(removed.join("s/lock"), "").unwrap();
        assert_eq!(second.end(), Flown::Nothing);
        assert!(!removed.exists());
    }

    #[test]
    fn no_recording_goes_for_a_stray_file_and_none_that_cannot_be_counted() {
        let into = tempfile::tempdir().unwrap();
        let make = || Flights::make(into.path(), "kill.ron", "Hardened", 7).unwrap();
        let with_flight = |flights: &Flights| {
            let of_host = flights.of("s").folder;
            fs::create_dir(&of_host).unwrap();
            fs::write(of_host.join("flight-000000.sqf"), "flown").unwrap();
        };
        let strewn = make();
        with_flight(&strewn);
        fs::write(strewn.folder.join("notes.txt"), "mine").unwrap();
        let recorded = Flown::Recorded {
            folder: strewn.folder.clone(),
            flights: 1,
        };
        assert_eq!(strewn.end(), recorded);
        assert!(into.path().join("kill-Hardened-7/s/flight-000000.sqf").is_file());

        let taken = make();
        let folder = taken.folder.clone();
        fs::remove_dir(&folder).unwrap();
        fs::write(&folder, "no folder can be read here").unwrap();
        let Flown::Unclear { why, .. } = taken.end() else {
            panic!("nobody can count what is recorded in a file");
        };
        assert!(why.starts_with("it could not be counted"), "{why}");
        assert!(folder.exists());
    }

    #[test]
    fn a_folder_without_recordings_stays_when_something_else_is_in_it() {
        let into = tempfile::tempdir().unwrap();
        let flights = Flights::make(into.path(), "kill.ron", "Hardened", 7).unwrap();
        let (folder, notes) = (flights.folder.clone(), flights.folder.join("notes.txt"));
        fs::write(&notes, "mine").unwrap();
        let Flown::Unclear { folder: told, why } = flights.end() else {
            panic!("{} is somebody's", notes.display());
        };
        assert_eq!(told, folder);
        assert!(why.starts_with("nothing is recorded in it"), "{why}");
        assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    }
}
