//! The walk-through of the README: what it says is what happens.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::pages::page;
use crate::process::{Folder, Node, address, squall};

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
        Node::spawn(command)
    };
    let mut server = start(server);
    let (of_server, ()) = (server.pages(), ());
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
    c1.says(&["fact=\"promoted\""]);
    c2.says(&["fact=\"suspected\""]);
    c2.says(&["fact=\"rejoined\""]);
    let asked = program(ask).output().expect("it starts");
    let asked = String::from_utf8(asked.stdout).expect("UTF-8");
    assert!(asked.contains("standing: Following"), "{asked}");
    let path = |line: &str| {
        line.rsplit_once("9101")
            .map(|(_, path)| path.to_owned())
            .expect("a page of c1")
    };
    let (_, _, status) = page(&of_c1, &path(json), "*/*");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["answer"]["Status"]["standing"], "Serving");
    let (_, _, metrics) = page(&of_c1, &path(metrics), "*/*");
    let promoted = "squall_facts_total{fact=\"promoted\"} 1";
    assert!(
        section.contains(promoted) && metrics.contains(promoted),
        "{metrics}"
    );
    c1.signal("TERM");
    c2.signal("INT");
    assert_eq!((c1.end().0.code(), c2.end().0.code()), (Some(0), Some(0)));
    let mut again = start(first);
    again.says(&["fact=\"started\"", "id: Some(2)"]);
}
