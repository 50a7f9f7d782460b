//! What the README shows of the program is what the program prints.

use std::process::{Command, Stdio};

use crate::{read, root};

/// What stands in the README where the program prints more.
const LEFT_OUT: [&str; 2] = ["…", "⋮"];

#[test]
fn lines_of_runs_are_printed_so() {
    let readme = readme();
    let lines: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    ✓ scenarios/"))
        .collect();
    assert!(lines.len() > 1, "the README shows no lines of runs");
    for line in lines {
        let line = words(&format!("✓ scenarios/{line}"));
        let file = line.split(' ').nth(1).expect("a file");
        let printed = squall(&["run", file]).0;
        assert!(
            printed.lines().any(|printed| words(printed) == line),
            "the README has\n{line}\nand the program prints\n{printed}"
        );
    }
}

#[test]
fn the_story_is_told_so() {
    let readme = readme();
    let (_, section) = readme.split_once("\n## Read a failure\n").expect("a section");
    let command = section
        .lines()
        .find_map(|line| line.strip_prefix("cargo run --release -- "))
        .expect("a command");
    let story: Vec<&str> = block(section)
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let told = |line: &&&str| !LEFT_OUT.contains(&line.trim());
    assert!(story.iter().filter(told).count() > 10, "{story:#?}");
    let (printed, _) = squall(&command.split(' ').collect::<Vec<_>>());
    let mut rest = printed.lines();
    for line in story.iter().filter(told) {
        let is_it = |printed: &str| match line.strip_suffix('…') {
            Some(beginning) => printed.starts_with(beginning),
            None => printed == *line,
        };
        assert!(
            rest.any(is_it),
            "the README has, in this order,\n{line}\nand the program prints\n{printed}"
        );
    }
}

#[test]
fn a_complaint_looks_so() {
    let readme = readme();
    let (_, ron) = readme.split_once("\n```ron\n").expect("a whole file");
    let (ron, _) = ron.split_once("```").expect("its end");
    let (_, section) = readme
        .split_once("\nWhat is wrong is shown as a compiler would show it:\n")
        .expect("a complaint");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("typo.ron"), ron.replace("Client", "Clint")).expect("a file");
    let output = program()
        .args(["check", "typo.ron"])
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(told.trim_end(), block(section).join("\n").trim_end());
    let (_, whole) = squall(&["check", "scenarios/hac/smallest.ron"]);
    assert_eq!(whole, "", "the README's whole file is in order");
    let shipped = read(&root().join("scenarios/hac/smallest.ron"));
    assert_eq!(ron, shipped, "the README's whole file is the shipped one");
}

fn readme() -> String {
    read(&root().join("README.md"))
}

/// The first indented block of a section, without its indentation.
fn block(section: &str) -> Vec<&str> {
    let indented = |line: &&str| line.starts_with("    ");
    section
        .lines()
        .skip_while(|line| !indented(line))
        .take_while(|line| indented(line) || line.is_empty())
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect()
}

/// A line without what only aligns it with others.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.stdin(Stdio::null());
    command
}

/// What the program prints at the top of the repository, and what it complains about.
fn squall(words: &[&str]) -> (String, String) {
    let output = program()
        .args(words)
        .current_dir(root())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}
