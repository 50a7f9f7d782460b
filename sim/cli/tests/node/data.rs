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
        assert!(
            stderr.contains(&format!("is in use by {}", first.shown())),
            "{stderr}"
        );
    }
}

#[test]
fn a_folder_of_another_node_is_refused_and_taken_on_purpose_only() {
    let folder = Folder::new();
    let at = address();
    let data = served(&folder, &at);
    let words = ["hac", "server", "7101", "--address", &at, "--data", &data];
    let other = [&words[..], &["--name", "other"]].concat();
    let before = fs::read(folder.at("data/incarnation")).expect("it was written");
    for more in [&[][..], &["--wipe"], &["--check"]] {
        let (code, stdout, stderr) = ended(&[&["node"], &other[..], more].concat());
        assert_eq!(code, Some(2), "{stderr}");
        let said = stdout + &stderr;
        for part in [
            "is the data folder of server-7101 (hac Server), and this is other (hac Server)",
            "--adopt",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(fs::read(folder.at("data/incarnation")).ok(), Some(before));
    let (code, stdout, stderr) = ended(&[&["node"], &other[..], &["--adopt", "--check"]].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let mut node = Node::start(&[&other[..], &["--adopt"]].concat());
    node.says(&[
        &data,
        "was the data folder of server-7101 (hac Server), and is of other (hac Server) now",
    ]);
    node.says(&["incarnation=1", "disk=Kept"]);
    node.signal("TERM");
    assert_eq!(node.end().0.code(), Some(0));
    // It is its own now.
    let (code, _, stderr) = ended(&[&["node"], &words[..]].concat());
    assert!(
        code == Some(2) && stderr.contains("is the data folder of other"),
        "{stderr}"
    );
}

#[test]
fn a_client_with_any_port_comes_back_to_its_folder() {
    let folder = Folder::new();
    let (at, data) = (address(), folder.at("data"));
    // It has another port each time, and is the same client.
    for life in ["incarnation=0", "incarnation=1"] {
        let mut node = Node::start(&["hac", "client", &at, "7101", "--data", &data]);
        node.says(&["starting", "name=client "]);
        node.says(&[life]);
        node.signal("TERM");
        assert_eq!(node.end().0.code(), Some(0));
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
fn a_start_that_is_refused_leaves_no_folder_behind() {
    let folder = Folder::new();
    let (at, data) = (address(), folder.at("made/for/nothing"));
    let mut first = Node::start(&["hac", "server", "7101", "--address", &at]);
    first.says(&["fact=\"serving\""]);
    let (code, _, stderr) = ended(&["node", "hac", "server", "7101", "--address", &at, "--data", &data]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("7101"), "{stderr}");
    assert!(
        !fs::exists(folder.at("made")).expect("it can be looked for"),
        "{stderr}"
    );
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
    let aside = folder.at("data/state.aside-1");
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
