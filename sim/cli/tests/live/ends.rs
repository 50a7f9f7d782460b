//! However a run ends, no process of it stays.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{file, folder, live, processes_of, text, wait_until};

const LONG: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a1..a3", role: Asker)],
    timeline: [At("10ms", Pause("a3"))],
    limit: "10m",
)"#;

/// A run that is under way, and the text that the command lines of its hosts have.
struct Begun {
    stage: Child,
    runs: String,
}

impl Begun {
    /// Plays a long scenario until all its hosts are there.
    fn of(folder: &Path) -> Self {
        let runs = folder.join("runs");
        let mut command = live(&runs, &[&file(folder, LONG)]);
        let stage = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let begun = Begun {
            stage,
            // Its own command line has the folder too, and nothing after it.
            runs: format!("{}/run-", runs.display()),
        };
        wait_until("the hosts are there", || processes_of(&begun.runs).len() == 4);
        // They have read their files by now, or will: what comes next may come at any moment.
        begun
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.stage), signal).expect("it is there");
    }

    fn end(&mut self) -> (Option<i32>, String) {
        wait_until("the stage has ended", || {
            matches!(self.stage.try_wait(), Ok(Some(_)))
        });
        let status = self.stage.wait().expect("it has ended");
        let mut said = Vec::new();
        if let Some(stderr) = &mut self.stage.stderr {
            stderr.read_to_end(&mut said).expect("it can be read");
        }
        (status.code(), text(&said))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.stage.kill();
        let _ = self.stage.wait();
    }
}

#[test]
fn ctrl_c_and_sigterm_end_every_process_paused_or_not_and_nothing_is_left() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = folder();
        let mut begun = Begun::of(folder.path());
        begun.signal(signal);
        let (code, said) = begun.end();
        assert_eq!(code, Some(130), "{said}");
        assert_eq!(processes_of(&begun.runs), Vec::<u32>::new(), "{said}");
        let left: Vec<_> = std::fs::read_dir(folder.path().join("runs"))
            .expect("the folder of all runs is there")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_stage_that_is_killed_takes_its_hosts_with_it_and_the_next_cleaning_forgets_it() {
    let folder = folder();
    let mut begun = Begun::of(folder.path());
    begun.signal(Signal::KILL);
    begun.end();
    // A stopped process hears of no closed stdin: the kernel ends it as its parent has ended.
    wait_until("the hosts are gone", || processes_of(&begun.runs).is_empty());
    let runs = folder.path().join("runs");
    let clean = |words: &[&str]| {
        let done = live(&runs, words).output().expect("the program starts");
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let said = clean(&["--clean"]);
    let place = format!("in {}, ", runs.display());
    let left = "1 run had left something behind: 0 processes ended, 0 namespaces removed\n";
    assert!(said.starts_with(&format!("{place}{left}")), "{said}");
    // Its folder stays: what is in it may be wanted.
    assert!(said.contains("1 folder of a run is kept there"), "{said}");
    let said = clean(&["--clean"]);
    assert!(
        said.starts_with(&format!("{place}0 runs had left something behind")),
        "{said}"
    );
}

#[test]
fn a_host_that_goes_down_by_itself_is_told_with_its_last_words() {
    let folder = folder();
    let mut begun = Begun::of(folder.path());
    let pids = processes_of(&begun.runs);
    let server = pids.into_iter().find(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("/s/node.ron")
    });
    let server = server.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    kill_process(server.expect("the server is there"), Signal::KILL).expect("it is there");
    let (code, said) = begun.end();
    // Before the run has begun, it is no run; after that, it is no answer.
    assert!(matches!(code, Some(2 | 3)), "{code:?}: {said}");
    assert!(
        said.contains("s went down by itself") || said.contains("s did not start"),
        "{said}"
    );
    assert_eq!(processes_of(&begun.runs), Vec::<u32>::new());
}
