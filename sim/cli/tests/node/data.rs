//! The data folder: missing, locked, read-only, damaged, wiped.

use std::fs;

use crate::process::{Folder, Node, address, ended};

/// A server that has written down who it is, and was stopped in order.
fn served(folder: &Folder, at: &str) -> String {
    let data = folder.at("data");
    let mut node = Node::start(&["hac", "server", "7101", "--address", at, "--data", &data]);
    node.says(&["disk=Fresh"]);
    node.says(&["fact=\"serving\""]);
    node.signal("TERM");
    assert_eq!(node.end().0.code(), Some(0));
    data
}

#[test]
fn a_missing_folder_is_made_and_the_next_life_finds_what_was_persisted() {
    let folder = Folder::new();
    let at = address();
    let data = served(&folder, &at);
    let words = ["hac", "server", "7101", "--address", &at, "--data", &data];
    let mut node = Node::start(&[&words[..], &["--log-level", "debug"]].concat());
    node.says(&["incarnation=1", "disk=Kept"]);
    node.says(&["fact=\"started\"", "id: Some(1)"]);
}

#[test]
fn a_folder_that_another_node_uses_is_refused() {
    let folder = Folder::new();
    let (one, other, data) = (address(), address(), folder.at("data"));
    let mut first = Node::start(&["hac", "server", "7101", "--address", &one, "--data", &data]);
    first.says(&["fact=\"serving\""]);
    for wipe in [&[][..], &["--wipe"]] {
        let words = [
            &[
                "node",
                "hac",
                "server",
                "7101",
                "--address",
                &other,
                "--data",
                &data,
            ],
            wipe,
        ]
        .concat();
        let (code, _, stderr) = ended(&words);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("is in use by another process"), "{stderr}");
    }
}

#[test]
fn a_folder_that_cannot_be_one_is_told() {
    let folder = Folder::new();
    let (at, file) = (address(), folder.file("file", ""));
    for data in [file.as_str(), "/proc/none"] {
        let (code, _, stderr) = ended(&["node", "hac", "server", "7101", "--address", &at, "--data", data]);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(
            stderr.contains(&format!("{data} cannot hold what the node persists")),
            "{stderr}"
        );
    }
}

#[test]
fn damaged_data_is_refused_until_it_is_wiped_and_kept_aside_then() {
    let folder = Folder::new();
    let at = address();
    let data = served(&folder, &at);
    let state = folder.at("data/state");
    let mut bytes = fs::read(&state).expect("it was written");
    *bytes.last_mut().expect("it has bytes") ^= 1;
    fs::write(&state, &bytes).expect("it is damaged");
    let words = ["hac", "server", "7101", "--address", &at, "--data", &data];
    let (code, _, stderr) = ended(&[&["node"], &words[..]].concat());
    assert_eq!(code, Some(2), "{stderr}");
    for part in [state.as_str(), "is damaged", "--wipe"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert_eq!(fs::read(&state).expect("it is there"), bytes, "it was changed");
    let mut node = Node::start(&[&words[..], &["--wipe", "--log-level", "debug"]].concat());
    let aside = folder.at("data/state.damaged-1");
    node.says(&["what was persisted is kept as", &aside]);
    node.says(&["fact=\"started\"", "id: None"]);
    assert_eq!(fs::read(&aside).expect("it is kept"), bytes);
}

#[test]
fn without_a_folder_there_is_a_warning() {
    let at = address();
    let mut node = Node::start(&["hac", "server", "7101", "--address", &at]);
    node.says(&["WARN", "without a data folder"]);
}
