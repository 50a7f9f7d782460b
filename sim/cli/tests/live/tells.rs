//! What `squall live` tells whoever has no terminal, and of the folders that it leaves.

use crate::{file, folder, live, output, text};

const KILLS: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a", role: Asker)],
    timeline: [At("300ms", Kill("a")), At("400ms", Restart("a"))],
    limit: "1s",
    live: (tolerance: "10s"),
)"#;

#[test]
fn without_a_terminal_the_start_each_fault_and_the_verdict_are_lines_and_none_when_it_is_quiet() {
    let folder = folder();
    let scenario = file(folder.path(), KILLS);
    let runs = folder.path().join("runs");
    let done = output(&mut live(&runs, &[&scenario]));
    let told = text(&done.stderr);
    let lines: Vec<&str> = told
        .lines()
        .filter_map(|line| line.split_once(": under ").map(|(_, rest)| rest))
        .collect();
    let [start, kill, verdict] = lines[..] else {
        panic!("{told}")
    };
    assert_eq!(start, "Standard, 2 hosts, for 1s");
    assert!(
        kill.starts_with("Standard, at 0.") && kill.ends_with(" s: kill(a)"),
        "{kill}"
    );
    assert!(
        verdict.starts_with("Standard, held") || verdict.contains("inconclusive"),
        "{verdict}"
    );
    let done = output(live(&runs, &[&scenario]).arg("--quiet"));
    let told = text(&done.stderr);
    assert!(
        !told.contains("under Standard, 2 hosts") && !told.contains("kill(a)"),
        "{told}"
    );
}

#[test]
fn a_cleaning_names_its_folder_and_what_is_kept_there_and_a_mistyped_folder_is_an_error() {
    let folder = folder();
    let scenario = file(folder.path(), KILLS);
    let runs = folder.path().join("runs");
    let kept = output(live(&runs, &[&scenario]).arg("--keep"));
    let told = text(&kept.stderr);
    assert!(told.contains(", as --keep asks"), "{told}");
    let done = output(&mut live(&runs, &["--clean"]));
    let (said, told) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{told}");
    let begins = format!("in {}, 0 runs had left something behind: ", runs.display());
    assert!(said.starts_with(&begins), "{said}");
    assert!(
        said.contains("1 folder of a run is kept there") && said.contains("/runs/run-"),
        "{said}"
    );
    let mistyped = folder.path().join("rnus");
    let done = output(&mut live(&mistyped, &["--clean"]));
    assert_eq!(done.status.code(), Some(2));
    let told = text(&done.stderr);
    assert!(
        told.contains("there is no such folder") && told.contains("rnus"),
        "{told}"
    );
}

#[test]
fn a_cleaning_where_nothing_was_ever_played_says_so_and_where() {
    let folder = folder();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_squall"));
    let done = output(command.args(["live", "--clean"]).env("TMPDIR", folder.path()));
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let place = format!("nothing to clean up in {}/squall-live-", folder.path().display());
    assert!(
        said.starts_with(&place) && said.contains("name it with --folder"),
        "{said}"
    );
}
