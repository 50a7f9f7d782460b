//! Logs that nobody reads: they hold nobody up, and whoever reads on is told what he missed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::process::{Folder, Node, PATIENCE, address, squall};

/// A process that is killed whatever becomes of its test.
struct Killed(Child);

impl Killed {
    fn code(mut self) -> Option<i32> {
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody_and_says_what_is_lost() {
    let folder = Folder::new();
    let (at, socket) = (address(), folder.at("c.sock"));
    let mut child = squall(&[
        "node",
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--control",
        &socket,
        "--log-level",
        "debug",
    ])
    .stderr(Stdio::piped())
    .spawn()
    .map(Killed)
    .expect("the program starts");
    let mut stderr = BufReader::new(child.0.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("fact=\"serving\"") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("UTF-8") > 0, "it has ended");
    }
    // From here on nobody reads. Each request is a line of the log: more than a pipe holds, and all that may wait besides.
    let stream = UnixStream::connect(&socket).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let mut asked = BufReader::new(stream);
    let mut ask = |request: Value| -> Value {
        asked
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())
            .expect("it reads");
        let mut line = String::new();
        asked.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("JSON")
    };
    let mut lost = 0;
    for number in 0..50_000_u64 {
        let policy = json!({ "ask": "policy", "policy": { "number": number, "law": null, "by": [], "peers": {}, "tolerated": null } });
        let reply = ask(policy);
        assert_eq!(reply["reply"], "done", "{reply}");
        if number % 1_000 == 999 {
            lost = ask(json!({ "ask": "status" }))["status"]["log_lines_lost"]
                .as_u64()
                .expect("a number");
            if lost > 0 {
                break;
            }
        }
    }
    assert!(lost > 0, "nothing was lost, so it was read");
    // Whoever reads on is told what he missed, and then it is a log as ever.
    let mut until = |says: &str| loop {
        line.clear();
        assert!(
            stderr.read_line(&mut line).expect("UTF-8") > 0,
            "it never says {says:?}"
        );
        if line.contains(says) {
            return;
        }
    };
    until("lines of this log are lost");
    ask(json!({ "ask": "stop" }));
    until("stopped how=InOrder");
    assert_eq!(child.code(), Some(0));
}

#[test]
fn a_node_that_nobody_answers_says_so_and_when_somebody_does() {
    let (at, of_server) = (address(), address());
    let mut client = Node::start(&["hac", "client", &of_server, "7101", "--address", &at]);
    client.says(&["WARN", "nothing comes in"]);
    let _server = Node::start(&["hac", "server", "7101", "--address", &of_server]);
    client.says(&["something comes in"]);
}

#[test]
fn a_node_whose_log_nobody_reads_ends_when_it_is_told_to() {
    let folder = Folder::new();
    let (at, socket) = (address(), folder.at("c.sock"));
    let child = squall(&[
        "node",
        "hac",
        "server",
        "7101",
        "--address",
        &at,
        "--control",
        &socket,
    ])
    .stderr(full())
    .spawn()
    .map(Killed)
    .expect("the program starts");
    let begun = std::time::Instant::now();
    let mut stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(_) => assert!(begun.elapsed() < PATIENCE, "it does not listen"),
        }
    };
    stream.write_all(b"{\"ask\":\"stop\"}\n").expect("it reads");
    assert_eq!(child.code(), Some(0));
}

/// A pipe that has no room, and that nobody reads as long as the test lasts.
fn full() -> Stdio {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // Linux gives a pipe 64 KiB unless it is asked for more or less.
    writer.write_all(&vec![b'x'; 64 << 10]).expect("there is room");
    std::mem::forget(reader);
    Stdio::from(writer)
}
