//! The walk-through of the README: what it says is what happens.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::pages::page;
use crate::process::{Folder, Node, PATIENCE, address, squall};

#[test]
fn the_readmes_three_terminals_do_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("a README");
    let (_, section) = readme.split_once("\n## Run it live\n").expect("a section");
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let commands = |nth: usize| -> Vec<&str> {
        let block = section.split("```sh\n").nth(nth).expect("a block");
        block.split("```").next().unwrap_or_default().lines().collect()
    };
    let [server, first, second] = commands(1)[..] else {
        panic!("three terminals")
    };
    let [ask, json, metrics] = commands(2)[..] else {
        panic!("three questions")
    };
    // The same words, at an address that nobody else has, with a port that the system has free for the pages.
    let folder = Folder::new();
    let at = address();
    let program = |line: &str| -> Command {
        let mut words = line.split(' ').map(|word| match word {
            "127.0.0.1" => at.clone(),
            "127.0.0.1:9100" | "127.0.0.1:9101" => format!("{at}:0"),
            other => other.to_owned(),
        });
        assert_eq!(words.next().as_deref(), Some("squall"), "{line}");
        let words: Vec<String> = words.collect();
        let mut command = squall(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.current_dir(folder.at("."));
        command
    };
    let start = |line: &str| {
        let mut command = program(line);
        if line.contains(" server ") {
            command.args(["--address", &at]);
        }
        // What it claims by name is there at any level, and here what it claims is asked for too.
        command.args(["--log-level", "debug"]);
        Node::spawn(command)
    };
    let mut server = start(server);
    let of_server = server.pages();
    server.says(&["fact=\"serving\""]);
    let mut c1 = start(first);
    let of_c1 = c1.pages();
    c1.says(&["fact=\"joined\""]);
    let mut c2 = start(second);
    c2.says(&["fact=\"joined\""]);
    // Both have the same table: until then each may hold itself for the only one.
    c1.says(&["fact=\"table\"", "id: 3"]);
    let (_, _, html) = page(&of_server, "/status", "text/html");
    assert!(
        html.contains("Serving") && html.contains("What it claimed last") && html.contains("Timers"),
        "{html}"
    );
    server.signal("INT");
    assert_eq!(server.end().0.code(), Some(0));
    c1.says(&["fact=\"suspected\""]);
    c2.says(&["fact=\"suspected\""]);
    // As a rule it is c1, which was heard for longer; a busy machine may have it otherwise, and once more.
    let path = |line: &str| {
        line.rsplit_once("9101")
            .map(|(_, path)| path.to_owned())
            .expect("a page of c1")
    };
    let standings = || {
        let asked = program(ask).output().expect("it starts");
        let asked = String::from_utf8(asked.stdout).expect("UTF-8");
        let (_, _, status) = page(&of_c1, &path(json), "*/*");
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let of_c1 = status["answer"]["Status"]["standing"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (of_c1, asked)
    };
    let until = Instant::now() + PATIENCE;
    let is_c1 = loop {
        let (of_c1, asked) = standings();
        match of_c1.as_str() {
            "Serving" if asked.contains("standing: Following") => break true,
            "Following" if asked.contains("standing: Serving") => break false,
            _ => assert!(Instant::now() < until, "{of_c1}\n{asked}"),
        }
    };
    let (promoted, other) = if is_c1 {
        (&mut c1, &mut c2)
    } else {
        (&mut c2, &mut c1)
    };
    promoted.says(&["fact=\"promoted\""]);
    other.says(&["fact=\"rejoined\""]);
    let (_, _, metrics) = page(&of_c1, &path(metrics), "*/*");
    let sample = "squall_facts_total{fact=\"promoted\"} ";
    assert!(section.contains(&format!("{sample}1")));
    let count = metrics.lines().find_map(|line| line.strip_prefix(sample));
    let count: u64 = count.and_then(|count| count.parse().ok()).expect("a count");
    assert!(count >= u64::from(is_c1), "{metrics}");
    c2.signal("INT");
    c1.signal("TERM");
    assert_eq!((c1.end().0.code(), c2.end().0.code()), (Some(0), Some(0)));
    let mut again = start(first);
    again.says(&["incarnation=1", "disk=Kept"]);
    again.says(&["fact=\"started\"", "id: Some(2)"]);
}

#[test]
fn peers_by_their_list_find_each_other() {
    let folder = Folder::new();
    let (one, other) = (address(), address());
    let members = folder.file("members", &format!("{one} # one\n{other}:7401\n"));
    let peer = |own: &str| Node::start(&["hac", "peer", own, "--members", &members, "--log-level", "debug"]);
    let (mut first, mut second) = (peer(&one), peer(&other));
    first.says(&["fact=\"peer_alive\"", &format!("{other}:7401")]);
    second.says(&["fact=\"peer_alive\"", &format!("{one}:7400")]);
}
