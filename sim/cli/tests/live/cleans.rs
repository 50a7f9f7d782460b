//! Whenever a stage is killed, the next cleaning leaves nothing of its run but what its hosts wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{LOOK, file, folder, live, output, processes_of, text, wait_until};

/// How many hosts the runs have that are killed.
const HOSTS: usize = 12;
const LONG: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a1..a11", role: Asker)],
    limit: "10m",
)"#;

/// Where the system has the namespaces that have names.
const NAMESPACES: &str = "/var/run/netns";

/// For how long nothing happens that does not happen at all.
const A_WHILE: Duration = Duration::from_millis(300);

/// A moment in the making of a run: what is there by then, and whether it is.
type Moment = (&'static str, fn(&Stage) -> bool);

/// Whether namespaces can be had. With `SQUALL_NETNS=must` they are to be had.
fn are_namespaces_possible() -> bool {
    let must = std::env::var_os("SQUALL_NETNS").is_some_and(|value| value == "must");
    let unavailable = squall_stage::netns::unavailable();
    assert!(!must || unavailable.is_none(), "{unavailable:?}");
    unavailable.is_none()
}

/// A stage that is to be killed, and the folder of its runs.
struct Stage {
    process: Child,
    runs: PathBuf,
}

impl Stage {
    /// Begins to play in namespaces. The programs of the folder `before`, if there is one, stand in for those of the system.
    fn begin(folder: &Path, before: Option<&Path>) -> Self {
        let runs = folder.join("runs");
        let mut command = live(&runs, &[&file(folder, LONG), "--netns"]);
        if let Some(before) = before {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", before.display()));
        }
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        Stage { process, runs }
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is there");
        self.process.wait().expect("it has ended");
    }

    /// The name of the run, once it has a folder.
    fn run(&self) -> Option<String> {
        names_in(&self.runs)
            .into_iter()
            .find(|name| name.starts_with("run-"))
    }

    /// Whether the run has a namespace of this name, after its own.
    fn has_namespace(&self, name: &str) -> bool {
        let path = |run| Path::new(NAMESPACES).join(format!("squall-{run}-{name}"));
        self.run().is_some_and(|run| path(run).exists())
    }

    /// How many hosts have a process.
    fn hosts(&self) -> usize {
        processes_of(&format!("{}/run-", self.runs.display())).len()
    }

    /// That of a run nothing is left after a cleaning but a folder with what its hosts wrote.
    fn assert_nothing_is_left(&self, run: Option<&str>, when: &str) {
        if let Some(run) = run {
            let mut namespaces = names_in(Path::new(NAMESPACES));
            namespaces.retain(|name| name.starts_with(&format!("squall-{run}-")));
            assert_eq!(namespaces, Vec::<String>::new(), "{when}");
        }
        assert_eq!(self.hosts(), 0, "{when}");
        for name in names_in(&self.runs) {
            let is_empty = names_in(&self.runs.join(&name)).is_empty();
            assert!(name.starts_with("run-") && !is_empty, "{when}: {name} is there");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn clean(runs: &Path) -> String {
    let done = output(&mut live(runs, &["--clean"]));
    let (said, told) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{said}{told}");
    said
}

#[test]
fn at_whatever_moment_a_stage_with_namespaces_is_killed_a_cleaning_leaves_nothing() {
    if !are_namespaces_possible() {
        return;
    }
    let moments: [Moment; 8] = [
        ("its folder is there", |stage| stage.run().is_some()),
        ("its journal is there", |stage| {
            names_in(&stage.runs)
                .iter()
                .any(|name| name.starts_with("journal-"))
        }),
        ("its switch is there", |stage| stage.has_namespace("switch")),
        ("its first namespace is there", |stage| stage.has_namespace("0")),
        ("half of its namespaces are there", |stage| {
            stage.has_namespace("5")
        }),
        ("its last namespace is there", |stage| {
            stage.has_namespace(&(HOSTS - 1).to_string())
        }),
        ("its first host is there", |stage| stage.hosts() > 0),
        ("its last host is there", |stage| stage.hosts() >= HOSTS),
    ];
    for (when, is_so) in moments {
        let folder = folder();
        let mut stage = Stage::begin(folder.path(), None);
        wait_until(when, || is_so(&stage));
        stage.kill();
        let run = stage.run();
        clean(&stage.runs);
        stage.assert_nothing_is_left(run.as_deref(), when);
        let said = clean(&stage.runs);
        assert!(
            said.contains(", 0 runs had left something behind: "),
            "{when}: {said}"
        );
        stage.assert_nothing_is_left(run.as_deref(), when);
    }
}

/// A program called `ip`, which makes namespaces only once there is a file `go` beside it, and makes a file `held` when it has been told
/// which.
fn held_up(folder: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path)
        .map(|path| path.join("ip"))
        .find(|path| path.is_file())
        .expect("it is there");
    let (real, beside) = (real.display(), folder.display());
    let script = format!(
        "#!/bin/sh\n\
         [ \"$*\" = '-batch -' ] || exec {real} \"$@\"\n\
         told=$(cat)\n\
         : > '{beside}/held'\n\
         until [ -e '{beside}/go' ]; do sleep 0.01; done\n\
         printf '%s\\n' \"$told\" | {real} -batch -\n"
    );
    let program = folder.join("ip");
    fs::write(&program, script).expect("a file can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn a_cleaning_waits_for_what_a_killed_stage_had_set_to_work_and_removes_what_comes_of_it() {
    if !are_namespaces_possible() {
        return;
    }
    let (folder, programs) = (folder(), folder());
    held_up(programs.path());
    let mut stage = Stage::begin(folder.path(), Some(programs.path()));
    wait_until("the namespaces are about to be made", || {
        programs.path().join("held").exists()
    });
    stage.kill();
    let run = stage.run().expect("it has a folder");
    let mut cleaning = live(&stage.runs, &["--clean"]);
    let mut cleaning = cleaning
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let begun = Instant::now();
    let mut ended = None;
    while begun.elapsed() < A_WHILE && ended.is_none() {
        ended = cleaning.try_wait().expect("it is ours");
        std::thread::park_timeout(LOOK);
    }
    // Whatever became of it: nobody is to be left who waits for that.
    fs::write(programs.path().join("go"), "").expect("a file can be written");
    let done = cleaning.wait_with_output().expect("it ends");
    let (said, told) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(ended, None, "it did not wait: {said}{told}");
    assert_eq!(done.status.code(), Some(0), "{said}{told}");
    let removed = format!(
        "1 run had left something behind: 0 processes ended, {} namespaces removed",
        HOSTS + 1
    );
    assert!(said.contains(&removed), "{said}");
    stage.assert_nothing_is_left(Some(&run), "it was held up");
}

#[test]
fn a_folder_and_a_journal_that_a_killed_stage_had_only_begun_are_removed_and_told() {
    use std::os::unix::fs::DirBuilderExt as _;

    let folder = folder();
    let runs = folder.path().join("runs");
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&runs)
        .expect("a folder can be made");
    fs::create_dir(runs.join("run-aB3dE6")).expect("a folder can be made");
    fs::write(runs.join(".tmpx7Yz01"), "{\"format\":1,\"ru").expect("a file can be written");
    let said = clean(&runs);
    assert!(
        said.contains("of runs that had not begun, 1 empty folder and 1 unfinished journal are removed"),
        "{said}"
    );
    assert_eq!(names_in(&runs), Vec::<String>::new());
    assert!(!clean(&runs).contains("had not begun"));
}

#[test]
fn a_run_of_another_container_is_named_as_one_and_goes_on() {
    // Whoever may have processes of its own numbers here has what a container has.
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child", "true"]);
    if !unshare.output().is_ok_and(|tried| tried.status.success()) {
        return;
    }
    let folder = folder();
    let runs = folder.path().join("runs");
    let program = live(&runs, &[&file(folder.path(), LONG)]);
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(program.get_program())
        .args(program.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = command.spawn().expect("the program starts");
    let mut stage = Stage { process, runs };
    wait_until("its hosts are there", || stage.hosts() >= HOSTS);
    let run = stage.run().expect("it has a folder");
    let done = output(&mut live(&stage.runs, &["--clean"]));
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(
        told.contains(&format!(
            "run {run} is another container's; nothing of it was touched"
        )),
        "{told}"
    );
    assert_eq!(stage.hosts(), HOSTS);
    assert!(stage.runs.join(format!("journal-{run}.json")).exists());
    stage.kill();
    wait_until("nobody is there", || stage.hosts() == 0);
}
