//! What is said of files that cannot be: the place, what is wrong, what would be right, and nothing else besides.

use squall_nodes::hac::Hac;
use squall_sim::deployment::{Deployment, DeploymentFile, Over, resolve};
use squall_sim::scenario::Complaints;

/// A file that is fine but for the fields in `lines`.
fn with(lines: &str) -> String {
    format!("Node(protocol: \"hac\", name: \"s\", role: Server, address: \"127.0.0.1\",\n    {lines}\n)")
}

fn read(text: &str, over: &Over) -> Result<Deployment<Hac>, Complaints> {
    DeploymentFile::parse("n.ron", text.to_owned()).and_then(|file| resolve(&file, over))
}

/// Expects one complaint about the text between ⟦ and ⟧, which says `message` and hints at `hint`.
#[track_caller]
fn one(marked: &str, message: &str, hint: &str) {
    let (before, rest) = marked.split_once('⟦').expect("a place that is marked");
    let (inside, after) = rest.split_once('⟧').expect("a place that is marked");
    let complaints = read(&format!("{before}{inside}{after}"), &Over::default()).expect_err(marked);
    let [complaint] = complaints.list() else {
        panic!("expected one complaint:\n{complaints}")
    };
    let place = complaint.place.as_ref().expect("a place");
    assert_eq!(
        place.span,
        before.len()..before.len() + inside.len(),
        "\n{complaints}"
    );
    assert!(
        complaint.message.contains(message),
        "expected {message:?}:\n{complaints}"
    );
    let hinted = complaint.hint.as_deref().unwrap_or_default();
    assert!(
        hinted.contains(hint) && hint.is_empty() == hinted.is_empty(),
        "expected {hint:?}:\n{complaints}"
    );
}

#[test]
fn a_file_is_one_node_of_a_known_format() {
    one(
        "⟦Scenario⟧(protocol: \"hac\", hosts: [])",
        "a scenario, not a node",
        "`Node(…)`",
    );
    one("⟦Nod⟧(protocol: \"hac\")", "holds a `Node(…)`", "");
    one("⟦Node⟧(name: \"s\")", "`protocol` is missing", "\"hac\"");
    one(
        &with("⟦rolle⟧: Server"),
        "no field `rolle`",
        "did you mean `role`?",
    );
    one(&with("format: ⟦2⟧"), "format `2`", "format 1");
    one("Node(protocol: \"hac\", name ⟦\"⟧s\")", "expected `,` or `)`", "");
    one(
        "⟦Node⟧(protocol: \"hac\", name: \"s\", role: Server)",
        "`address` is missing",
        "127.0.0.1",
    );
    one(&with("data: \"a\", ⟦data⟧: \"b\""), "written twice", "keep one");
}

#[test]
fn who_the_node_is_has_to_make_sense() {
    let node = |name: &str, role: &str, address: &str| {
        format!("Node(protocol: \"hac\", name: {name}, role: {role}, address: {address})")
    };
    one(
        &node("⟦\"1s\"⟧", "Server", "\"127.0.0.1\""),
        "not the name of a node",
        "begins with a letter",
    );
    one(
        &node("\"s\"", "⟦Servr⟧", "\"127.0.0.1\""),
        "no `Servr`",
        "did you mean `Server`?",
    );
    one(
        &node("\"s\"", "Server", "⟦\"localhost\"⟧"),
        "not an IPv4 address",
        "`localhost` is `\"127.0.0.1\"`",
    );
    one(
        &node("\"s\"", "Server", "⟦\"example.org\"⟧"),
        "not an IPv4 address",
        "four numbers",
    );
    one(
        &node("\"s\"", "Server", "⟦\"127.0.0.1:7101\"⟧"),
        "not an IPv4 address",
        "`\"127.0.0.1\"`",
    );
    one(
        &node("\"s\"", "Server", "⟦\"0.0.0.0\"⟧"),
        "nobody can be reached at 0.0.0.0",
        "this machine",
    );
    one(
        &node("⟦\"c\"⟧", "Client", "\"127.0.0.1\""),
        "c has no server to join",
        "name its address",
    );
}

#[test]
fn rules_profiles_and_settings_are_the_protocols() {
    one(
        &with("rules: ⟦\"Hardend\"⟧"),
        "hac has no rule set `Hardend`",
        "did you mean `Hardened`?",
    );
    one(
        &with("profile: ⟦\"quick\"⟧"),
        "hac has no profile `quick`",
        "`brisk`, `classic`",
    );
    one(
        &with("config: (⟦prot⟧: 7)"),
        "hac has no setting `prot`",
        "did you mean `port`?",
    );
    one(
        &with("config: (promotion_wait: ⟦\"0s\"⟧)"),
        "promotion_wait is no time at all",
        "300ms",
    );
    one(
        &with("config: (address: ⟦\"127.0.0.9:7400\"⟧)"),
        "its host is at 127.0.0.1",
        "leave it out",
    );
}

#[test]
fn what_a_node_has_around_it_is_looked_at() {
    one(&with("seed: ⟦-1⟧"), "a whole number from 0", "");
    one(
        &with("http: ⟦9100⟧"),
        "not an address and a port",
        "`\"127.0.0.1:9100\"`",
    );
    one(
        &with("http: ⟦\"example.org:9100\"⟧"),
        "not an address and a port",
        "127.0.0.1:9100",
    );
    one(
        &with("data: ⟦\"\"⟧"),
        "not the path of a folder",
        "leave the field out",
    );
    one(
        &with(&format!("control: ⟦\"{}\"⟧", "x".repeat(108))),
        "at most 107 bytes",
        "/run",
    );
    one(
        &with("record: ⟦(⟧bound: \"1MiB\")"),
        "`folder` is missing",
        "flights",
    );
    one(
        &with("record: (folder: \"f\", bound: ⟦\"1KiB\"⟧)"),
        "this size cannot be",
        "65536 bytes at least",
    );
    one(
        &with("record: (folder: \"f\", bound: ⟦64⟧)"),
        "expected a size",
        "`\"64MiB\"`",
    );
    one(
        &with("record: (folder: \"f\", when_full: ⟦Rotat⟧)"),
        "what a recorder does",
        "did you mean `Rotate`?",
    );
    one(&with("record: (folder: \"f\", keep: ⟦0⟧)"), "from 1 to 10000", "");
    one(
        &with("bounds: (inbox: ⟦\"64KiB\"⟧)"),
        "this size cannot be",
        "66304 bytes at least",
    );
    one(
        &with("bounds: (inbox: ⟦\"8192MiB\"⟧)"),
        "this size cannot be",
        "2047MiB at most",
    );
    one(
        &with("bounds: (delayed: ⟦\"1048577MiB\"⟧)"),
        "this size cannot be",
        "1048576MiB at most",
    );
    one(
        &with("bounds: (⟦waitin⟧: \"1MiB\")"),
        "no field `waitin`",
        "did you mean `waiting`?",
    );
}

#[test]
fn a_port_alone_is_one_that_only_this_machine_reaches() {
    for (written, at) in [
        ("9100", "127.0.0.1:9100"),
        ("0.0.0.0:9100", "0.0.0.0:9100"),
        ("[::1]:9100", "[::1]:9100"),
        ("0", "127.0.0.1:0"),
    ] {
        let deployment = read(&with(&format!("http: \"{written}\"")), &Over::default());
        let http = deployment.expect("it is in order").http;
        assert_eq!(http.map(|at| at.to_string()).as_deref(), Some(at), "{written}");
    }
    one(
        &with("http: ⟦\"91000\"⟧"),
        "not an address and a port",
        "`\"9100\"`",
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = with("rules: \"x\", config: (round: \"soon\"), seed: 1.5, http: \"\", bounds: (inbox: 1)");
    let complaints = read(&text, &Over::default()).expect_err("five complaints");
    assert_eq!(complaints.list().len(), 5, "{complaints}");
}

#[test]
fn what_is_said_on_the_command_line_has_the_last_word() {
    let over = Over {
        rules: Some("Original".to_owned()),
        profile: Some("classic".to_owned()),
        name: Some("other".to_owned()),
        address: "127.0.0.9".parse().ok(),
        config: Some("(port: 7999)".to_owned()),
    };
    let text = with("rules: \"Hardened\", profile: \"brisk\", config: (port: 7101, misses: 3)");
    let deployment = read(&text, &over).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!((deployment.rules, deployment.profile), ("Original", "classic"));
    let placed = &deployment.placed;
    assert_eq!((placed.name.as_str(), placed.config.misses), ("other", 3));
    assert_eq!(placed.config.address, "127.0.0.9:7999".parse().ok());
    assert_eq!(placed.config.round.to_string(), "30s");
}

#[test]
fn what_is_wrong_with_a_flag_is_said_of_the_flag() {
    let plain = with("");
    let some = |text: &str| Some(text.to_owned());
    for (over, flag, message) in [
        (
            Over {
                rules: some("Soft"),
                ..Over::default()
            },
            "--rules",
            "hac has no rule set `Soft`",
        ),
        (
            Over {
                profile: some("x"),
                ..Over::default()
            },
            "--profile",
            "hac has no profile `x`",
        ),
        (
            Over {
                name: some(""),
                ..Over::default()
            },
            "--name",
            "not the name of a node",
        ),
        (
            Over {
                address: "224.0.0.1".parse().ok(),
                ..Over::default()
            },
            "--address",
            "nobody can be reached",
        ),
        (
            Over {
                config: some("(prot: 1)"),
                ..Over::default()
            },
            "--config",
            "no setting `prot`",
        ),
        (
            Over {
                config: some("(port: 1"),
                ..Over::default()
            },
            "--config",
            "closed",
        ),
    ] {
        let complaints = read(&plain, &over).expect_err(flag);
        assert_eq!(
            (complaints.file(), complaints.list().len()),
            (flag, 1),
            "{complaints}"
        );
        assert!(complaints.list()[0].message.contains(message), "{complaints}");
    }
}

#[test]
fn a_protocol_that_nobody_knows_is_pointed_at() {
    let file = DeploymentFile::parse("n.ron", "Node(protocol: \"hca\")".to_owned()).expect("well-formed");
    let complaints = file.unknown_protocol(["hac", "echo"]);
    assert!(
        complaints.to_string().contains("did you mean `hac`?"),
        "{complaints}"
    );
}

#[test]
fn streams_and_what_secures_them_have_to_make_sense() {
    one(
        &with("streams: (⟦connection⟧: 3)"),
        "no field `connection`",
        "did you mean `connections`?",
    );
    one(
        &with("streams: (of_peer: ⟦0⟧)"),
        "a whole number from 1 to 1000000",
        "",
    );
    one(
        &with("streams: (send_buffer: ⟦\"1KiB\"⟧)"),
        "this size cannot be",
        "4096 bytes at least",
    );
    one(
        &with("streams: (user_timeout: ⟦\"0s\"⟧)"),
        "this timeout cannot be",
        "from 1ms to",
    );
    one(
        &with("tls: ⟦(⟧certificate: \"a.pem\", authority: \"b.pem\")"),
        "`key` is missing",
        "\"a.key\"",
    );
    one(
        &with("tls: (certificate: ⟦\"\"⟧, key: \"a.key\", authority: \"b.pem\")"),
        "not the path of a file",
        "leave the field out",
    );
}
