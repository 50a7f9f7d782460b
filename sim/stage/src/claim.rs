//! Claims on what a stage has made: a lock by which everybody else knows that it is not left behind. It is let go by the kernel, whatever
//! ends those who hold it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};

/// A file or a folder that nobody else has. It is let go when it is dropped, and everybody who [shares](Claim::share) it has ended.
#[derive(Debug)]
pub(crate) struct Claim {
    locked: File,
}

/// What became of the claim on something that others may have.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// It is had.
    Ours(Claim),
    /// Somebody else has it.
    Theirs,
    /// It is not there any more.
    Gone,
    /// Nobody knows: there are file systems without locks.
    Unknown,
}

impl Claim {
    /// Claims what this process has just made; `None` when it was taken for something that is left, and removed, before it was claimed.
    /// On a file system without locks nobody can claim it, and nobody takes it for something that is left.
    ///
    /// # Errors
    ///
    /// That it cannot be opened.
    pub(crate) fn of_own(path: &Path) -> io::Result<Option<Self>> {
        let locked = match File::open(path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(why),
        };
        // Whoever looks at it for something that is left has it for a moment.
        let claim = Claim { locked };
        match claim.locked.lock() {
            Ok(()) => Ok(claim.is_of(path)?.then_some(claim)),
            Err(_) => Ok(Some(claim)),
        }
    }

    /// Claims what others may have made, and may have.
    ///
    /// # Errors
    ///
    /// That it cannot be opened or looked at.
    pub(crate) fn of_others(path: &Path) -> io::Result<Claimed> {
        let locked = match File::open(path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Claimed::Gone),
            Err(why) => return Err(why),
        };
        match locked.try_lock() {
            Ok(()) => {
                let claim = Claim { locked };
                Ok(match claim.is_of(path)? {
                    true => Claimed::Ours(claim),
                    false => Claimed::Gone,
                })
            }
            Err(TryLockError::WouldBlock) => Ok(Claimed::Theirs),
            Err(TryLockError::Error(_)) => Ok(Claimed::Unknown),
        }
    }

    /// Lets every process that this one starts from now on hold it too, for as long as that runs.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn share(&self) -> io::Result<()> {
        Ok(fcntl_setfd(&self.locked, FdFlags::empty())?)
    }

    /// Whether what is locked is what is there.
    fn is_of(&self, path: &Path) -> io::Result<bool> {
        let locked = self.locked.metadata()?;
        match std::fs::symlink_metadata(path) {
            Ok(there) => Ok((locked.dev(), locked.ino()) == (there.dev(), there.ino())),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("run");
        std::fs::create_dir(&folder).unwrap();
        (above, folder)
    }

    /// Waits until nobody has it: a process that another test is just starting holds for a moment what this one has open.
    fn await_claim(path: &Path) -> Claim {
        let until = crate::clock::now() + squall_nodes::Span::from_secs(60);
        loop {
            match Claim::of_others(path).unwrap() {
                Claimed::Ours(claim) => return claim,
                found => assert!(crate::clock::now() < until, "{found:?}"),
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_one_has_no_other_gets_until_it_is_let_go() {
        let (_above, folder) = folder();
        let own = Claim::of_own(&folder).unwrap().unwrap();
        assert!(matches!(Claim::of_others(&folder).unwrap(), Claimed::Theirs));
        drop(own);
        let theirs = await_claim(&folder);
        // Who has it may remove it: the next one of its name is another.
        std::fs::remove_dir(&folder).unwrap();
        assert!(Claim::of_own(&folder).unwrap().is_none());
        assert!(matches!(Claim::of_others(&folder).unwrap(), Claimed::Gone));
        std::fs::create_dir(&folder).unwrap();
        assert!(!theirs.is_of(&folder).unwrap());
        assert!(Claim::of_own(&folder).unwrap().is_some());
    }

    #[test]
    fn who_makes_it_waits_for_whoever_looks_at_it_and_knows_if_it_was_removed() {
        let (_above, folder) = folder();
        let looking = await_claim(&folder);
        std::thread::scope(|both| {
            let making = both.spawn(|| Claim::of_own(&folder).unwrap().is_some());
            std::fs::remove_dir(&folder).unwrap();
            drop(looking);
            assert!(!making.join().unwrap(), "it is gone");
        });
    }

    #[test]
    fn what_is_shared_is_had_until_those_who_share_it_have_ended() {
        let (_above, folder) = folder();
        let claim = Claim::of_own(&folder).unwrap().unwrap();
        claim.share().unwrap();
        let mut sharing = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(claim);
        assert!(matches!(Claim::of_others(&folder).unwrap(), Claimed::Theirs));
        drop(sharing.stdin.take());
        sharing.wait().unwrap();
        await_claim(&folder);
    }

    #[test]
    fn what_is_not_shared_is_let_go_though_a_process_that_was_started_goes_on() {
        let (_above, folder) = folder();
        let claim = Claim::of_own(&folder).unwrap().unwrap();
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(claim);
        await_claim(&folder);
        drop(other.stdin.take());
        other.wait().unwrap();
    }
}
