//! `--check`: everything that a node needs, looked at without starting it.

use std::path::Path;

use crate::process::{Folder, Node, address, ended};

/// All that is in a folder and below.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names.push(path.display().to_string());
        if path.is_dir() {
            names.extend(self::names(&path));
        }
    }
    names.sort();
    names
}

#[test]
fn all_that_a_node_needs_is_looked_at_and_nothing_is_made() {
    let folder = Folder::new();
    let at = address();
    let text = format!(
        "Node(protocol: \"hac\", name: \"s\", role: Server, address: \"{at}\", config: (port: 7101), data: \"d\", lines: \"l.jsonl\", \
         http: \"{at}:9100\", control: \"c.sock\", record: (folder: \"f\"))"
    );
    let file = folder.file("s.ron", &text);
    let check = || ended(&["node", &file, "--check"]);
    let (code, stdout, stderr) = check();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    let (verdict, findings) = lines.split_last().expect("lines");
    assert!(verdict.ends_with("is in order"), "{stdout}");
    for (line, what) in findings.iter().zip([
        "data ",
        "recordings ",
        "lines ",
        "address ",
        "port 7101 ",
        "pages ",
        "control ",
    ]) {
        assert!(line.starts_with(&format!("✓ {what}")), "{stdout}");
    }
    assert_eq!(findings.len(), 7, "{stdout}");
    let there = names(Path::new(&folder.at(".")));
    assert_eq!(there.len(), 1, "{there:?}");
    // While it runs, it is in the way of another, in everything that only one can have; and each time it is said who it is.
    let mut node = Node::start(&[&file]);
    node.says(&["fact=\"serving\""]);
    let (code, stdout, _) = check();
    assert_eq!(code, Some(2), "{stdout}");
    assert!(stdout.ends_with("would not start\n"), "{stdout}");
    let who = node.shown();
    for what in ["data ", "recordings ", "port 7101 ", "pages ", "control "] {
        let line = stdout
            .lines()
            .find(|line| line.contains(what))
            .unwrap_or_default();
        assert!(line.starts_with('✗') && line.contains(&who), "{stdout}");
    }
    // It is none the worse for being looked at.
    assert_eq!(ended(&["ask", &folder.at("c.sock"), "Status"]).0, Some(0));
    node.signal("TERM");
    assert_eq!(node.end().0.code(), Some(0));
    let (code, stdout, _) = check();
    assert_eq!(code, Some(0), "{stdout}");
    assert!(
        stdout.contains("its own; ") && stdout.contains("life 1 would be next"),
        "{stdout}"
    );
    assert!(stdout.contains("flight-000001.sqf would be next"), "{stdout}");
}

#[test]
fn what_is_damaged_is_told_and_what_is_done_about_it_counts() {
    let folder = Folder::new();
    let (at, data) = (address(), folder.at("d"));
    let words = ["node", "hac", "server", "7101", "--address", &at, "--data", &data];
    let mut node = Node::start(&words[1..]);
    node.says(&["fact=\"serving\""]);
    node.signal("TERM");
    assert_eq!(node.end().0.code(), Some(0));
    std::fs::write(folder.at("d/state"), "garbage").expect("it is ours");
    let (code, stdout, _) = ended(&[&words[..], &["--check"]].concat());
    assert!(code == Some(2) && stdout.contains("state is damaged"), "{stdout}");
    let (code, stdout, _) = ended(&[&words[..], &["--check", "--wipe"]].concat());
    assert!(
        code == Some(0) && stdout.contains("would be moved aside"),
        "{stdout}"
    );
    assert_eq!(
        std::fs::read(folder.at("d/state")).ok(),
        Some(b"garbage".to_vec())
    );
}
