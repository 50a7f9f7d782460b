//! `squall live` for real: processes, signals and sockets of loopback. Nothing here depends on how fast the machine is: a run that the
//! machine has kept from being an answer is inconclusive, and played again a few times at most.

mod cleans;
mod ends;
mod plays;
mod records;
mod refuses;
mod tells;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing takes this long unless it never happens.
const NEVER: Duration = Duration::from_secs(60);

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(1);

/// The root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

/// A folder for one test, which goes when the test does.
fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

/// `squall live` with these words, whose runs have their folders in `runs`.
fn live(runs: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command
        .arg("live")
        .args(words)
        .arg("--folder")
        .arg(runs)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a scenario file and says where it is.
fn file(folder: &Path, text: &str) -> String {
    let path = folder.join("x.ron");
    std::fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

/// The numbers of all processes that have a text in their command lines.
fn processes_of(text: &str) -> Vec<u32> {
    let own = std::process::id();
    let numbered = std::fs::read_dir("/proc").expect("there is a /proc");
    let pids = numbered.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != own && String::from_utf8_lossy(&words).contains(text)
    })
    .collect()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < NEVER, "never: {what}");
        std::thread::park_timeout(LOOK);
    }
}
