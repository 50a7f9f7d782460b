//! What is told, and left, of a stage on which hosts are booted to see how late they do.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use squall_nodes::echo::Echo;

use super::*;

const SCENARIO: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a", role: Asker)],
    limit: "1s",
)"#;

/// Measures the boots of a scenario with a program for its hosts; returns what came of it and what was told.
fn boots(
    text: &str,
    program: &str,
    runs: &Path,
    folders: Folders,
) -> (Result<Boots, StageError>, Vec<Progress>) {
    let file = ScenarioFile::parse("x.ron", text.to_owned()).unwrap();
    let told = RefCell::new(Vec::new());
    let tell = |progress: Progress| told.borrow_mut().push(progress);
    let stage = Stage {
        program: program.into(),
        folder: runs.to_owned(),
        links: Links::Edge,
        folders,
        record: None,
        stop: &AtomicBool::new(false),
        progress: &tell,
    };
    let boots = staged::<Echo>().boots(&file, "Standard", &stage);
    (boots, told.into_inner())
}

#[test]
fn what_hosts_wrote_that_did_not_boot_is_kept_and_told() {
    let above = tempfile::tempdir().unwrap();
    let runs = above.path().join("runs");
    for (folders, because) in [
        (Folders::KeepIfUnexpected, Why::Unplayed),
        (Folders::Keep, Why::Asked),
    ] {
        let (boots, told) = boots(SCENARIO, "/bin/false", &runs, folders);
        assert!(matches!(boots, Err(StageError::NotReady { .. })), "{boots:?}");
        assert_eq!(told.first(), Some(&Progress::Booting { done: 0 }));
        let Some(Progress::Kept { folder, why }) = told.last() else {
            panic!("{told:?}")
        };
        assert_eq!(*why, because);
        assert!(folder.join("s/node.ron").is_file(), "{}", folder.display());
    }
}

#[test]
fn a_scenario_in_which_nobody_boots_at_first_starts_no_process_and_leaves_nothing() {
    let above = tempfile::tempdir().unwrap();
    let runs = above.path().join("runs");
    let later = SCENARIO
        .replace("role: Server", "role: Server, starts: \"100ms\"")
        .replace("role: Asker", "role: Asker, starts: \"200ms\"");
    // No host could be started by this.
    let (boots, told) = boots(&later, "/nonexistent/squall", &runs, Folders::Keep);
    assert_eq!(boots.unwrap(), Boots::default());
    assert_eq!(told, []);
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 0);
}
