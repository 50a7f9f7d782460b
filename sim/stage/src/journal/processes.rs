//! The processes of a run whose stage is gone: its hosts, which are killed, and the programs that the stage had set to work, which end by
//! themselves.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use squall_nodes::Span;

use crate::claim::{Claim, Claimed};
use crate::clock;
use crate::door::StageError;

/// How long a process that was killed has to be gone. It takes no time unless the system is out of it, or stuck in a read of a disk.
const TO_BE_GONE: Span = Span::from_secs(10);
/// How long a program that nobody kills has for what it was set to: to make the namespaces of a thousand hosts, at worst.
const TO_BE_DONE: Span = Span::from_secs(60);
/// How long to wait between two looks at what is still there.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// The flag that every host of a run is started with.
pub const ATTENDED: &str = "--attended";

/// Waits until no process of a run is there, and kills its hosts. Says how many there were, and returns the claim on the run's folder, if
/// that is there and can be claimed: nothing is made any more of what the run makes.
///
/// # Errors
///
/// Which of its processes are still there.
pub(super) fn end_all_of(folder: &Path) -> Result<(usize, Option<Claim>), StageError> {
    let cannot = |why: String| {
        let what = format!("wait for what the run in {} had set to work", folder.display());
        StageError::system(what, why)
    };
    let until = clock::now() + TO_BE_DONE;
    let mut killed = 0;
    loop {
        killed += end_hosts_of(folder)?;
        match Claim::of_others(folder).map_err(|why| cannot(why.to_string()))? {
            Claimed::Ours(claim) => return Ok((killed, Some(claim))),
            Claimed::Gone | Claimed::Unknown => return Ok((killed, None)),
            Claimed::Theirs if clock::now() >= until => return Err(cannot(at_work(folder))),
            Claimed::Theirs => pass_time(),
        }
    }
}

/// Kills the hosts of a run until none is there, and says how many there were.
///
/// # Errors
///
/// Which of them are still there after [`TO_BE_GONE`].
pub(super) fn end_hosts_of(folder: &Path) -> Result<usize, StageError> {
    let until = clock::now() + TO_BE_GONE;
    let mut killed = BTreeSet::new();
    loop {
        let is_host = |pid: Pid| is_host_of(folder, pid);
        let hosts = processes(is_host)
            .map_err(|why| StageError::system("look for the processes of a run in /proc", why))?;
        if hosts.is_empty() {
            return Ok(killed.len());
        }
        let mut refused = None;
        for &pid in &hosts {
            match kill(pid, is_host) {
                Ok(Kill::Done) => drop(killed.insert(pid.as_raw_nonzero())),
                Ok(Kill::NotIt) => {}
                Err(why) => refused = Some(why),
            }
        }
        if clock::now() >= until {
            let pids: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            let what = format!("end the processes {} of {}", pids.join(", "), folder.display());
            let why = refused.map_or("they do not end".to_owned(), |why| why.to_string());
            return Err(StageError::system(what, why));
        }
        pass_time();
    }
}

/// What became of a process that was to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    Done,
    /// It has ended, and its number may be another's.
    NotIt,
}

/// Kills the process of a number, if it is one of those that are meant: it is looked at once more when nobody else can get its number
/// without that being noticed.
fn kill(pid: Pid, is_meant: impl Fn(Pid) -> bool) -> Result<Kill, Errno> {
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(Kill::NotIt),
        Err(why) => return Err(why),
    };
    if !is_meant(pid) {
        return Ok(Kill::NotIt);
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) => Ok(Kill::Done),
        Err(Errno::SRCH) => Ok(Kill::NotIt),
        Err(why) => Err(why),
    }
}

/// Whether a process is a host: one that was told that it is attended, with something of the folder among its words. An editor that has a
/// file of it open is none.
fn is_host_of(folder: &Path, pid: Pid) -> bool {
    // One that is gone, or another user's, has nothing to say.
    let words = fs::read(of(pid).join("cmdline")).unwrap_or_default();
    let mut words = words.split(|byte| *byte == 0).map(OsStr::from_bytes);
    words.clone().any(|word| word == ATTENDED) && words.any(|word| Path::new(word).starts_with(folder))
}

/// The processes other than this one that are meant.
fn processes(is_meant: impl Fn(Pid) -> bool) -> io::Result<Vec<Pid>> {
    let own = rustix::process::getpid();
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && pid != own
            && is_meant(pid)
        {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// Who is still at work for a run, by who has its folder open.
fn at_work(folder: &Path) -> String {
    let has_it = |pid: Pid| {
        let open = fs::read_dir(of(pid).join("fd")).into_iter().flatten().flatten();
        open.into_iter()
            .any(|open| fs::read_link(open.path()).is_ok_and(|path| path == folder))
    };
    let called = |pid: Pid| {
        let name = fs::read_to_string(of(pid).join("comm")).unwrap_or_default();
        format!("process {pid} ({})", name.trim_end().escape_debug())
    };
    let found: Vec<String> = processes(has_it)
        .unwrap_or_default()
        .into_iter()
        .map(called)
        .collect();
    match &found[..] {
        [] => "somebody is still at it".to_owned(),
        found => format!("still at it: {}", found.join(", ")),
    }
}

fn of(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn pass_time() {
    // Nothing comes of it but that time passes.
    let _ = poll(&mut [], Some(&LOOK));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that lives for as long as its stdin, with these words.
    fn start(words: &[&OsStr]) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line", "sh"]).args(words);
        shell.stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn who_has_the_number_of_a_host_by_now_is_not_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = start(&["elsewhere".as_ref()]);
        let pid = Pid::from_child(&other);
        // It is looked at again, whoever was taken for a host before.
        let killed = kill(pid, |pid| is_host_of(folder.path(), pid));
        assert_eq!(killed, Ok(Kill::NotIt));
        assert_eq!(other.try_wait().unwrap(), None);
        drop(other.stdin.take());
        other.wait().unwrap();
        // Its number is nobody's now, or another's.
        let killed = kill(pid, |pid| is_host_of(folder.path(), pid));
        assert_eq!(killed, Ok(Kill::NotIt));
    }

    #[test]
    fn hosts_are_killed_and_then_nobody_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let claim = Claim::of_own(&path).unwrap().unwrap();
        claim.share().unwrap();
        let mut host = start(&[ATTENDED.as_ref(), path.join("node.ron").as_ref()]);
        drop(claim);
        assert!(at_work(&path).contains(&format!("process {} (", host.id())));
        let (killed, claim) = end_all_of(&path).unwrap();
        assert_eq!(killed, 1);
        assert!(claim.is_some());
        assert_eq!(host.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn what_a_stage_had_set_to_work_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let claim = Claim::of_own(&path).unwrap().unwrap();
        claim.share().unwrap();
        let mut helper = start(&[]);
        drop(claim);
        std::thread::scope(|both| {
            let ending = both.spawn(|| end_all_of(&path));
            for _ in 0..20 {
                pass_time();
                assert!(!ending.is_finished(), "it is still at work");
            }
            drop(helper.stdin.take());
            helper.wait().unwrap();
            let (killed, claim) = ending.join().unwrap().unwrap();
            assert_eq!((killed, claim.is_some()), (0, true));
        });
    }
}
