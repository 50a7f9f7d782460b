//! A node that is attended: lines on stdout, requests on stdin, and no life of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Folder, Node, address, squall};

/// Starts an attended node, and gives it with what is written to it.
fn attended(words: &[&str]) -> Node {
    let mut command = squall(&[&["node"], words, &["--attended"]].concat());
    command.stdin(Stdio::piped());
    Node::spawn(command)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

#[test]
fn the_end_of_its_requests_is_its_end() {
    let folder = Folder::new();
    let (at, socket) = (address(), folder.at("control.sock"));
    let mut node = attended(&["hac", "server", "7101", "--address", &at, "--control", &socket]);
    node.says(&["fact=\"serving\""]);
    // A terminal's signal is for whoever attends it.
    node.signal("INT");
    drop(node.child().stdin.take());
    let told = lines(&node.stdout());
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(130), "{log}");
    let of = |name: &str| told.iter().filter(|line| line[name].is_object()).count();
    assert_eq!((of("booted"), of("ready")), (1, 0), "{told:?}");
    assert!(
        told.iter().any(|line| line["fact"]["name"] == "serving"),
        "{told:?}"
    );
    assert!(
        !std::path::Path::new(&socket).exists(),
        "the socket is left behind"
    );
}

#[test]
fn one_that_waits_boots_when_it_is_told_to_and_stops_in_order_when_it_is_told_to() {
    let at = address();
    let mut node = attended(&[
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--wait",
        "--mark-every",
        "20ms",
    ]);
    let mut stdin = node.child().stdin.take().expect("a pipe");
    let mut told = BufReader::new(node.child().stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        serde_json::from_str(&told.next().expect("a line").expect("UTF-8")).expect("an object")
    };
    assert!(next()["ready"].is_object());
    writeln!(stdin, "{}", serde_json::json!({ "ask": "go", "at": 0 })).expect("it reads");
    assert!(next()["booted"].is_object());
    while next()["fact"]["name"] != "serving" {}
    while !next()["mark"].is_object() {}
    writeln!(
        stdin,
        "{}",
        serde_json::json!({ "ask": "call", "call": 5, "command": "Status" })
    )
    .expect("it reads");
    let answer = loop {
        let line = next();
        if line["answer"].is_object() {
            break line;
        }
    };
    assert_eq!(answer["answer"]["call"], 5);
    writeln!(stdin, "{}", serde_json::json!({ "ask": "stop" })).expect("it reads");
    while !next()["stopped"].is_object() {}
    assert_eq!(node.end().0.code(), Some(0));
}
