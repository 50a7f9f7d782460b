//! How a node ends: by signals, and by what it cannot have.

use crate::process::{Folder, Node, address, ended};

#[test]
fn each_of_the_signals_stops_a_node_in_order() {
    for signal in ["TERM", "INT", "HUP"] {
        let folder = Folder::new();
        let (at, socket) = (address(), folder.at("control.sock"));
        let mut node = Node::start(&["hac", "server", "7101", "--address", &at, "--control", &socket]);
        node.says(&["fact=\"serving\""]);
        node.signal(signal);
        let (status, log) = node.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(
            log.contains(&format!("signal=\"SIG{signal}\"")) && log.contains("stopped how=InOrder"),
            "{log}"
        );
        assert!(
            !std::path::Path::new(&socket).exists(),
            "the socket is left behind"
        );
    }
}

#[test]
fn a_port_that_another_node_has_is_told_and_nothing_is_left_behind() {
    let folder = Folder::new();
    let (at, socket) = (address(), folder.at("control.sock"));
    let mut first = Node::start(&["hac", "server", "7101", "--address", &at]);
    first.says(&["fact=\"serving\""]);
    let (code, stdout, stderr) = ended(&[
        "node",
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--control",
        &socket,
    ]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(
        stderr.contains(&format!("{at}:7101 cannot be bound: {} has it", first.shown())),
        "{stderr}"
    );
    assert!(
        !std::path::Path::new(&socket).exists(),
        "the socket is left behind"
    );
    first.signal("TERM");
    assert_eq!(first.end().0.code(), Some(0));
}

#[test]
fn what_cannot_be_had_around_a_node_is_told() {
    let folder = Folder::new();
    let (at, file) = (address(), folder.file("file", "mine"));
    let mut first = Node::start(&["hac", "server", "7101", "--address", &at, "--http", "127.0.0.1:0"]);
    let pages = first.pages();
    let taken = format!("{} has it", first.shown());
    let none = folder.at("none/control.sock");
    let long = folder.at(&"x".repeat(110));
    for (flag, value, said) in [
        ("--http", pages.as_str(), taken.as_str()),
        (
            "--http",
            "192.0.2.1:9100",
            "this machine does not have that address",
        ),
        ("--control", &file, "something that is no socket is there already"),
        ("--control", &none, "its folder is not there"),
        ("--control", &long, "longer than 107 bytes"),
        (
            "--address",
            "192.0.2.1",
            "this machine does not have that address",
        ),
        ("--lines", &folder.at("none/lines"), "lines cannot be written to"),
    ] {
        let other = address();
        let mut words = vec!["node", "hac", "server", "7102", flag, value];
        if flag != "--address" {
            words.extend(["--address", &other]);
        }
        let (code, stdout, stderr) = ended(&words);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{flag} {value}: {stderr}");
        assert!(stderr.contains(said), "{flag} {value}: {stderr}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
}
