//! Files and arguments: what is wrong with them, and what they amount to.

use crate::process::{Folder, Node, address, ended};

#[test]
fn what_is_printed_of_arguments_is_a_file_that_prints_the_same() {
    let folder = Folder::new();
    let (at, own) = (address(), address());
    let members = folder.file("members", &format!("{at}:7101\n{own}:7101\n"));
    let [control, record, lines] = ["x.sock", "r", "l.jsonl"].map(|name| folder.at(name));
    for words in [
        &[
            "hac",
            "server",
            "7101",
            "--address",
            &at,
            "--seed",
            "7",
            "--data",
            "d",
            "--http",
            "127.0.0.1:0",
        ][..],
        &[
            "hac",
            "client",
            "127.0.0.1",
            "7101",
            "--rules",
            "Original",
            "--profile",
            "classic",
            "--name",
            "c",
        ],
        &[
            "hac",
            "peer",
            &own,
            "--members",
            &members,
            "--control",
            &control,
            "--record",
            &record,
        ],
        &[
            "hac",
            "server",
            "7101",
            "--config",
            "(misses: 3)",
            "--address",
            &at,
            "--lines",
            &lines,
        ],
        &["echo", "asker", "127.0.0.1", "7", "--address", "127.0.0.3"],
    ] {
        let (code, printed, stderr) = ended(&[&["node"], words, &["--print-config"]].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
        let file = folder.file("node.ron", &printed);
        let (code, again, stderr) = ended(&["node", &file, "--print-config"]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{printed}");
        // Relative paths are those of the file's folder.
        let moved = printed.replace("data: \"d\"", &format!("data: \"{}\"", folder.at("d")));
        assert_eq!(again, moved);
        let (code, checked, _) = ended(&["node", &file, "--check"]);
        assert!(code == Some(0) && checked.ends_with("is in order\n"), "{checked}");
    }
}

#[test]
fn pages_at_a_port_alone_are_for_this_machine() {
    let words = ["node", "hac", "server", "7101", "--print-config", "--http"];
    let (code, printed, stderr) = ended(&[&words[..], &["9100"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(printed.contains("http: \"127.0.0.1:9100\""), "{printed}");
    let (_, by_name, stderr) = ended(&[&words[..], &["localhost:9100"]].concat());
    assert_eq!(by_name, printed, "{stderr}");
    let (code, _, stderr) = ended(&[&words[..], &["example.org:9100"]].concat());
    assert!(
        code == Some(2) && stderr.contains("or a port of 127.0.0.1 alone: `9100`"),
        "{stderr}"
    );
}

#[test]
fn a_file_that_is_wrong_is_shown_as_a_scenario_is() {
    let folder = Folder::new();
    let text =
        "Node(\n    protocol: \"hac\",\n    name: \"s\",\n    role: Servr,\n    address: \"127.0.0.1\",\n)\n";
    let file = folder.file("typo.ron", text);
    let (code, stdout, stderr) = ended(&["node", &file]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    for part in [
        "error: there is no `Servr` here",
        "typo.ron:4:11",
        "did you mean `Server`?",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn a_file_by_the_name_of_the_machine_is_told_the_number() {
    let folder = Folder::new();
    let text =
        "Node(protocol: \"hac\", name: \"s\", role: Server, address: \"ADDRESS\", http: \"localhost:9100\")";
    let (code, _, stderr) = ended(&[
        "node",
        &folder.file("n.ron", &text.replace("ADDRESS", "localhost")),
    ]);
    assert!(
        code == Some(2) && stderr.contains("`localhost` is `\"127.0.0.1\"`"),
        "{stderr}"
    );
    let file = folder.file("s.ron", &text.replace("ADDRESS", "127.0.0.1"));
    let (code, printed, stderr) = ended(&["node", &file, "--print-config"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(printed.contains("http: \"127.0.0.1:9100\""), "{printed}");
}

#[test]
fn a_field_that_is_misspelt_is_told_once_and_not_missed_besides() {
    let folder = Folder::new();
    let text = "Node(protocol: \"hac\", name: \"s\", rol: Server, address: \"127.0.0.1\")";
    let (code, _, stderr) = ended(&["node", &folder.file("n.ron", text)]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("did you mean `role`?"), "{stderr}");
    assert_eq!(stderr.matches("error").count(), 1, "{stderr}");
}

#[test]
fn a_file_for_another_command_is_told_which_one_that_is() {
    let folder = Folder::new();
    let node = "Node(protocol: \"hac\", name: \"s\", role: Server, address: \"127.0.0.1\")";
    let file = folder.file("s.ron", node);
    for command in ["run", "check", "sweep"] {
        let (code, _, stderr) = ended(&[command, &file]);
        assert_eq!(code, Some(2), "{stderr}");
        for part in [
            "this is the file of a live node, not a scenario",
            "`squall node FILE`",
            "s.ron:1:1",
        ] {
            assert!(stderr.contains(part), "{stderr}");
        }
    }
    let file = folder.file("x.ron", "Scenario(protocol: \"hac\")");
    let (code, _, stderr) = ended(&["node", &file]);
    assert_eq!(code, Some(2));
    for part in ["this is a scenario, not a node", "played by `run`"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    // Fields that only scenarios have, and what there is of others, in a node's own words.
    for (field, says) in [
        ("timeline: []", "`timeline` is for scenarios"),
        ("network: ()", "`network` is for scenarios"),
        (
            "hosts: []",
            "a file is for one node: its `name`, `role` and `address`",
        ),
    ] {
        let file = folder.file("n.ron", &node.replace("name:", &format!("{field}, name:")));
        let (code, _, stderr) = ended(&["node", &file, "--check"]);
        assert!(code == Some(2) && stderr.contains(says), "{stderr}");
    }
    let file = folder.file("c.ron", &node.replace("Server", "Client"));
    let (_, _, stderr) = ended(&["node", &file, "--check"]);
    assert!(
        stderr.contains("has no server to join") && stderr.contains("name its address"),
        "{stderr}"
    );
}

#[test]
fn arguments_that_are_wrong_are_told_with_what_would_be_right() {
    let folder = Folder::new();
    let members = folder.file("members", "127.0.0.8\n");
    for (words, said) in [
        (&["hac"][..], "client HOST PORT"),
        (
            &["hac", "server", "many"],
            "`many` is not a port; a whole number from 1 to 65535",
        ),
        (
            &["hac", "client", "127.0.0.1"],
            "`hac client 127.0.0.1` is nothing that can be started",
        ),
        (
            &["hac", "peer", "127.0.0.9"],
            "name the file that lists them: --members FILE",
        ),
        (
            &["hac", "peer", "127.0.0.9", "--members", &members],
            "127.0.0.9 is not among the members in",
        ),
        (
            &["hca", "server", "7101"],
            "neither a file, which is called `….ron`, nor a protocol; there are\n  echo server PORT",
        ),
        (
            &["hac", "server", "7101", "--members", &members],
            "`hac server 7101` takes no list of members: `hac peer ADDRESS [PORT] --members FILE` does",
        ),
        (
            &["hac", "client", "127.0.0.1", "7101", "--members", &members],
            "`hac client 127.0.0.1 7101` takes no list of members",
        ),
        (
            &["echo", "server", "7", "--members", &members],
            "none of echo's arguments do",
        ),
        (
            &["s.ron", "--members", &members],
            "--members is for arguments of a protocol; s.ron names members",
        ),
        (&["s.ron", "extra"], "take `extra` away"),
        (&["none.ron"], "cannot be read: No such file"),
        (
            &["hac", "server", "7101", "--rules", "Soft"],
            "hac has no rule set `Soft`",
        ),
        (
            &["hac", "server", "7101", "--config", "(prot: 1)"],
            "did you mean `port`?",
        ),
        (
            &["hac", "sever", "7101"],
            "`hac sever 7101` is nothing that can be started; did you mean `server`?",
        ),
        (
            &["hac", "server", "7101", "--config", "(port: 70000)"],
            "expected a whole number from 0 to 65535",
        ),
        (
            &["hac", "server", "7101", "--address", "localhost"],
            "a node is known by a number, and `localhost` is 127.0.0.1",
        ),
        (
            &["hac", "server", "7101", "--address", "example.org"],
            "an address is four numbers up to 255, such as `127.0.0.1`",
        ),
        (&["hac", "server", "7101", "--wipe"], "no data folder"),
        (&["hac", "server", "7101", "--wait"], "--attended"),
    ] {
        let (code, stdout, stderr) = ended(&[&["node"], words].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{words:?}: {stderr}");
        assert!(stderr.contains(said), "{words:?}: {stderr}");
    }
}

#[test]
fn a_node_by_a_file_runs_and_its_log_may_be_json() {
    let folder = Folder::new();
    let at = address();
    let text = format!(
        "Node(protocol: \"hac\", name: \"s\", role: Server, address: \"{at}\", data: \"d\", lines: \"lines.jsonl\", \
         http: \"127.0.0.1:0\", control: \"control.sock\", seed: 7)"
    );
    let file = folder.file("s.ron", &text);
    let mut node = Node::start(&[&file, "--log", "json"]);
    let line = node.says(&["\"fact\":\"serving\""]);
    let line: serde_json::Value = serde_json::from_str(&line).expect("an object");
    assert_eq!(
        (line["level"].as_str(), line["message"].as_str()),
        (Some("INFO"), Some("claims"))
    );
    node.signal("TERM");
    let (status, log) = node.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{log}"
    );
    let lines = std::fs::read_to_string(folder.at("lines.jsonl")).expect("lines");
    assert!(
        lines.contains("\"serving\"") && lines.contains("\"stopped\""),
        "{lines}"
    );
    assert!(std::path::Path::new(&folder.at("d/state")).exists());
}

#[test]
fn the_log_says_as_much_as_it_is_to() {
    let at = address();
    let mut node = Node::start(&["hac", "server", "7101", "--address", &at, "--log-level", "warn"]);
    // The first thing that it says is a warning, which comes after what it would say otherwise.
    node.says(&["WARN", "without a data folder"]);
    node.signal("TERM");
    let (status, log) = node.end();
    assert!(status.success() && !log.contains("INFO"), "{log}");
}

#[test]
fn a_node_that_is_to_turn_to_itself_is_refused() {
    for words in [
        &["hac", "client", "127.0.0.1", "7162", "7162"][..],
        &["refinery", "node", "n1", "crusher", "127.0.0.1", "7571", "7571"],
        &["refinery", "standby", "7561", "127.0.0.1", "7561"],
        &["leader", "start", "s", "7581", "127.0.0.1", "7581"],
    ] {
        for check in [&[][..], &["--check"]] {
            let (code, stdout, stderr) = ended(&[&["node"], words, check].concat());
            assert_eq!(code, Some(2), "{words:?}: {stdout}{stderr}");
            let told = stdout + &stderr;
            let says = ["own address", "no master to follow"];
            assert!(says.iter().any(|says| told.contains(says)), "{told}");
        }
    }
}
