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

    /// The folder, and how many recordings are in it. It is removed when nothing was recorded.
    pub(crate) fn end(self) -> (PathBuf, usize) {
        let flights = self.count().unwrap_or_default();
        if flights == 0 {
            // What is in it is at most the folders of hosts that did not boot.
            let _ = fs::remove_dir_all(&self.folder);
        }
        (self.folder, flights)
    }

    fn count(&self) -> io::Result<usize> {
        let mut flights = 0;
        for host in fs::read_dir(&self.folder)? {
            for file in fs::read_dir(host?.path())? {
                flights += usize::from(file?.path().extension().is_some_and(|form| form == "sqf"));
            }
        }
        Ok(flights)
    }
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
        let (removed, flights) = second.end();
        assert_eq!((removed.exists(), flights), (false, 0));
    }
}
