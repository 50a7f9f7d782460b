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

    /// The folder, and how many recordings were found in it. Where none was, it is removed with the folders of hosts that did not boot;
    /// nothing else ever is: a recording that could not be seen stays, and so does what somebody else has put there.
    pub(crate) fn end(self) -> (PathBuf, usize) {
        let hosts: Vec<PathBuf> = entries(&self.folder).filter(|entry| entry.is_dir()).collect();
        let flights = hosts
            .iter()
            .flat_map(|host| entries(host))
            .filter(|file| file.extension().is_some_and(|form| form == "sqf"))
            .count();
        if flights == 0 {
            for host in hosts {
                // The recorder's has nothing in it.
                let lock = host.join("lock");
                if fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file() && found.len() == 0) {
                    let _ = fs::remove_file(lock);
                }
                let _ = fs::remove_dir(host);
            }
            let _ = fs::remove_dir(&self.folder);
        }
        (self.folder, flights)
    }
}

/// What can be seen in a folder.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
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
        let (kept, flights) = first.end();
        assert_eq!((kept.is_dir(), flights), (true, 1));
        let of_host = second.of("s").folder;
        fs::create_dir(&of_host).unwrap();
        fs::write(of_host.join("lock"), "").unwrap();
        let (removed, flights) = second.end();
        assert_eq!((removed.exists(), flights), (false, 0));
    }

    #[test]
    fn no_recording_and_no_file_of_somebody_elses_goes_with_a_run() {
        let into = tempfile::tempdir().unwrap();
        let make = || Flights::make(into.path(), "kill.ron", "Hardened", 7).unwrap();
        let (strewn, empty) = (make(), make());
        for flights in [&strewn, &empty] {
            fs::write(flights.folder.join("note.txt"), "mine").unwrap();
        }
        let of_host = strewn.of("s").folder;
        fs::create_dir(&of_host).unwrap();
        fs::write(of_host.join("flight-000000.sqf"), "flown").unwrap();
        let (kept, flights) = strewn.end();
        assert_eq!((kept.join("s/flight-000000.sqf").is_file(), flights), (true, 1));
        let (kept, flights) = empty.end();
        assert_eq!((kept.join("note.txt").is_file(), flights), (true, 0));
    }
}
