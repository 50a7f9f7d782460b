//! What cannot be played is named before anything is started.

use crate::{file, folder, live, output, processes_of, text};

/// A scenario of a second.
const ECHO: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a", role: Asker)],
    limit: "1s",
)"#;

#[test]
fn what_cannot_be_done_live_is_named_at_once_and_nothing_is_started() {
    let folder = folder();
    let runs = folder.path().join("runs");
    let scenario = r#"Scenario(
        protocol: "hac",
        hosts: [(name: "p1..p3", role: Peer)],
        timeline: [
            At("1s", Slow(who: "p1", by: "20ms")),
            When(persist: Begun, do: Kill("p2")),
        ],
        limit: "5s",
    )"#;
    let done = output(&mut live(&runs, &[&file(folder.path(), scenario)]));
    let (said, complained) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(2), "{complained}");
    assert_eq!(said, "");
    for named in [
        "slow(p1",
        "as quick as it is",
        "kill(p2) waits for a write",
        "squall run",
    ] {
        assert!(complained.contains(named), "{named} is not in: {complained}");
    }
    assert!(!runs.exists());
    assert!(processes_of(&runs.display().to_string()).is_empty());
}

#[test]
fn a_file_that_is_not_in_order_is_complained_about_with_its_place() {
    let folder = folder();
    let scenario = file(folder.path(), "Scenario(protocol: \"hac\", hosts: 7)");
    let done = output(&mut live(folder.path(), &[&scenario]));
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("x.ron:1:"), "{}", text(&done.stderr));
}

#[test]
fn a_folder_where_nothing_can_be_written_is_told() {
    let folder = folder();
    let blocked = folder.path().join("blocked");
    std::fs::write(&blocked, "a file, not a folder").expect("a file can be written");
    let scenario = file(folder.path(), ECHO);
    let done = output(&mut live(&blocked.join("runs"), &[&scenario]));
    assert_eq!(done.status.code(), Some(2));
    let complained = text(&done.stderr);
    assert!(complained.contains("could not make a folder"), "{complained}");
}

#[test]
fn a_folder_that_is_not_the_user_s_own_alone_is_neither_played_in_nor_cleaned() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    let folder = folder();
    let scenario = file(folder.path(), ECHO);
    let (open, link) = (folder.path().join("open"), folder.path().join("link"));
    std::fs::create_dir(&open).expect("a folder can be made");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    symlink(folder.path(), &link).expect("a link can be made");
    for (runs, why) in [
        (&open, "others may write to it"),
        (&link, "it is a symbolic link"),
    ] {
        for words in [[scenario.as_str()], ["--clean"]] {
            let done = output(&mut live(runs, &words));
            let complained = text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{complained}");
            assert!(complained.contains(why), "{complained}");
        }
    }
    assert_eq!(std::fs::read_dir(&open).expect("it is there").count(), 0);
    // One that is not there yet is made as it should be.
    let runs = folder.path().join("runs");
    let done = output(&mut live(&runs, &[&scenario]));
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let mode = std::fs::metadata(&runs).expect("it was made").mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn a_trace_is_of_one_run_and_takes_the_place_of_no_scenario() {
    let folder = folder();
    let runs = folder.path().join("runs");
    let scenario = file(folder.path(), ECHO);
    let (trace, nowhere) = (folder.path().join("t.jsonl"), folder.path().join("no/t.jsonl"));
    let (trace, nowhere) = (trace.display().to_string(), nowhere.display().to_string());
    for (words, why) in [
        (
            &["--runs", "2", "--trace", &trace][..],
            "--trace is of one run, and these are 2",
        ),
        (&["--trace", &scenario], "would take the place of the scenario"),
        (&["--trace", &nowhere], "the trace cannot be written to"),
        (
            &["--trace", &trace, "--junit", &trace],
            "cannot both be written to one file",
        ),
    ] {
        let done = output(live(&runs, &[&scenario]).args(words));
        let complained = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{complained}");
        assert!(complained.contains(why), "{complained}");
    }
    assert!(!runs.exists());
    assert!(!std::path::Path::new(&trace).exists());
}
