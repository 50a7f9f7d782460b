//! The control socket: commands and what they get, garbage, crowds, and sockets that others have.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::{Value, json};

use crate::process::{Folder, Node, PATIENCE, address, ended};

/// A server with a control socket, which serves already.
fn server(folder: &Folder) -> (Node, String) {
    let (at, socket) = (address(), folder.at("control.sock"));
    let mut node = Node::start(&["hac", "server", "7101", "--address", &at, "--control", &socket]);
    node.says(&["fact=\"serving\""]);
    (node, socket)
}

fn connected(socket: &str) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a patience");
    BufReader::new(stream)
}

fn send(to: &mut BufReader<UnixStream>, bytes: &[u8]) {
    to.get_mut().write_all(bytes).expect("it reads");
}

fn reply(from: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?} is no reply"))
}

/// That the connection is over. It may be so in the middle of what was sent.
fn is_over(mut from: BufReader<UnixStream>) -> bool {
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).is_err() || rest.is_empty()
}

#[test]
fn a_command_is_answered_in_the_words_of_files_or_as_json() {
    let folder = Folder::new();
    let (_node, socket) = server(&folder);
    let (code, stdout, stderr) = ended(&["ask", &socket, "Status"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("Status(\n") && stdout.contains("standing: Serving,"),
        "{stdout}"
    );
    let (_, stdout, _) = ended(&["ask", &socket, "Status", "--format", "json"]);
    let answer: Value = serde_json::from_str(&stdout).expect("an object");
    assert_eq!(answer["Status"]["standing"], "Serving");
    let (_, stdout, _) = ended(&["ask", &socket]);
    let status: Value = serde_json::from_str(&stdout).expect("an object");
    assert_eq!(
        (status["protocol"].as_str(), status["role"].as_str()),
        (Some("hac"), Some("Server"))
    );
    assert_eq!(status["answer"]["Status"]["id"], 1);
    // As people type it.
    let (code, stdout, stderr) = ended(&["ask", &socket, "status"]);
    assert!(code == Some(0) && stdout.contains("standing"), "{stdout}{stderr}");
    let (code, _, stderr) = ended(&["ask", &socket, "status", "now"]);
    assert!(
        code == Some(2) && stderr.contains("`status` is all there is to it"),
        "{stderr}"
    );
    let (code, stdout, _) = ended(&["ask", &socket, "Status", "--all", "--timeout", "300ms"]);
    assert_eq!(
        (code, stdout.matches("standing").count()),
        (Some(0), 1),
        "{stdout}"
    );
}

#[test]
fn nobody_and_no_command_are_told() {
    let folder = Folder::new();
    let (_node, socket) = server(&folder);
    let (code, _, stderr) = ended(&["ask", &socket, "Statsu"]);
    assert!(
        code == Some(2) && stderr.contains("`Statsu` is no command of hac; `status` is"),
        "{stderr}"
    );
    let (code, _, stderr) = ended(&["ask", &folder.at("none.sock"), "Status"]);
    assert!(
        code == Some(2) && stderr.contains("nobody listens there"),
        "{stderr}"
    );
    // What is there is told for what it is.
    let file = folder.file("file", "");
    for (path, says) in [
        (file.as_str(), "this is a file, and no control socket"),
        (&folder.at("."), "this is a folder, and no control socket"),
    ] {
        let (code, _, stderr) = ended(&["ask", path, "Status"]);
        assert!(
            code == Some(2) && stderr.contains(says) && !stderr.contains("nobody listens"),
            "{stderr}"
        );
    }
    // One that is left behind is a socket, and there is nobody.
    let left = folder.at("left.sock");
    drop(UnixListener::bind(&left).expect("a socket"));
    let (code, _, stderr) = ended(&["ask", &left, "Status"]);
    assert!(
        code == Some(2) && stderr.contains("nobody listens there any more"),
        "{stderr}"
    );
    // Somebody who never says a word.
    let path = folder.at("mute.sock");
    let _mute = UnixListener::bind(&path).expect("a socket");
    let (code, _, stderr) = ended(&["ask", &path, "Status", "--timeout", "50ms"]);
    assert!(
        code == Some(3) && stderr.contains("did not answer in time"),
        "{stderr}"
    );
}

#[test]
fn garbage_is_refused_and_ends_the_connection_and_nothing_else() {
    let folder = Folder::new();
    let (_node, socket) = server(&folder);
    let mut honest = connected(&socket);
    let huge = [vec![b'x'; (1 << 20) + 1], b"\n".to_vec()].concat();
    for (garbage, why) in [
        (&b"hello\n"[..], "no request"),
        (b"{\"ask\":\"fly\"}\n", "no request"),
        (
            b"{\"ask\":\"call\",\"call\":1,\"command\":\"Fly\"}\n",
            "no request",
        ),
        (b"\xff\xfe\0\n", "no request"),
        (&huge, "1048576 bytes"),
    ] {
        let mut client = connected(&socket);
        // It may hang up before all of it is written.
        let _ = client.get_mut().write_all(garbage);
        if garbage.len() < 100 {
            let refused = reply(&mut client);
            assert_eq!(refused["reply"], "refused");
            assert!(
                refused["why"].as_str().is_some_and(|said| said.contains(why)),
                "{refused}"
            );
        }
        let mut rest = Vec::new();
        // Bytes that it never read make the end a reset.
        let _ = client.read_to_end(&mut rest);
    }
    send(
        &mut honest,
        b"\n{\"ask\":\"call\",\"call\":77,\"command\":\"Status\"}\n",
    );
    let answer = reply(&mut honest);
    assert_eq!(
        (answer["reply"].as_str(), answer["call"].as_u64()),
        (Some("answer"), Some(77))
    );
}

#[test]
fn more_clients_than_there_is_room_for_are_told_so() {
    let folder = Folder::new();
    let (_node, socket) = server(&folder);
    let asked = |client: &mut BufReader<UnixStream>| {
        send(client, b"{\"ask\":\"call\",\"call\":1,\"command\":\"Status\"}\n");
        reply(client)["reply"].as_str() == Some("answer")
    };
    let mut clients: Vec<_> = (0..16).map(|_| connected(&socket)).collect();
    assert!(clients.iter_mut().all(asked));
    let mut beyond = connected(&socket);
    let refused = reply(&mut beyond);
    assert!(
        refused["why"]
            .as_str()
            .is_some_and(|why| why.contains("16 clients are connected")),
        "{refused}"
    );
    assert!(is_over(beyond));
    // So is whoever asks by the program, though the connection may be over before it has asked.
    for _ in 0..10 {
        let (code, _, stderr) = ended(&["ask", &socket, "status"]);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(
            stderr.contains("it refuses: 16 clients are connected"),
            "{stderr}"
        );
    }
    assert!(clients.iter_mut().all(asked));
    // Whoever goes makes room; it is seen a moment later.
    drop(clients.pop());
    let found = (0..10_000).any(|_| {
        let mut again = connected(&socket);
        let sent = again
            .get_mut()
            .write_all(b"{\"ask\":\"call\",\"call\":1,\"command\":\"Status\"}\n");
        sent.is_ok() && reply(&mut again)["reply"] == "answer"
    });
    assert!(found, "there is no room though somebody went");
}

#[test]
fn thousands_of_calls_on_one_connection_are_answered_one_by_one() {
    let folder = Folder::new();
    let (_node, socket) = server(&folder);
    let mut client = connected(&socket);
    for call in 0..2_000_u64 {
        let request = json!({ "ask": "call", "call": call, "command": "Status" });
        send(&mut client, format!("{request}\n").as_bytes());
        assert_eq!(reply(&mut client)["call"], call);
    }
}

#[test]
fn a_node_can_be_stopped_through_its_socket_which_is_its_owners_and_goes_with_it() {
    let folder = Folder::new();
    let (node, socket) = server(&folder);
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let at = address();
    let (code, _, stderr) = ended(&[
        "node",
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--control",
        &socket,
    ]);
    assert!(
        code == Some(2) && stderr.contains(&format!("{} listens there", node.shown())),
        "{stderr}"
    );
    let mut client = connected(&socket);
    send(&mut client, b"{\"ask\":\"stop\"}\n");
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!std::path::Path::new(&socket).exists());
}

#[test]
fn the_socket_of_a_node_that_was_killed_is_replaced() {
    let folder = Folder::new();
    let (node, socket) = server(&folder);
    node.signal("KILL");
    assert_eq!(node.end().0.code(), None);
    assert!(std::path::Path::new(&socket).exists());
    let (_node, socket) = server(&folder);
    assert_eq!(ended(&["ask", &socket, "Status"]).0, Some(0));
}
