//! Logs and lines that cannot be written: a node has other things to do than to be read.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let gone = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer
    };
    let full = || File::options().write(true).open("/dev/full").expect("Linux");
    for stderr in [Stdio::from(full()), Stdio::from(gone())] {
        let mut cluster = Cluster::new();
        cluster.stderr = Some(stderr);
        let server = cluster.start("s", "");
        cluster.until_whole("it serves");
        cluster.start("c1", "");
        cluster.until_whole("it claims more");
        assert!(cluster.stop(server).success());
    }
}

#[test]
fn lines_that_cannot_be_written_are_given_up() {
    let mut cluster = Cluster::new();
    let server = cluster.start("s", "lines: \"/dev/full\"");
    cluster.until_whole("it serves");
    assert!(cluster.stop(server).success());
    let log = std::fs::read_to_string(cluster.log("s")).expect("a log");
    assert_eq!(
        log.matches("the file for lines cannot be written any more")
            .count(),
        1,
        "{log}"
    );
}

#[test]
fn an_attended_node_ends_with_whoever_attends_it() {
    let cluster = Cluster::new();
    let file = cluster.deploy("s", "");
    let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("node")
        .arg(file)
        .args(["--attended", "--mark-every", "20ms"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Its stdin goes on; nobody reads what it says.
    let stdin = child.stdin.take();
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(stdin);
}
