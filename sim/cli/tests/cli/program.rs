//! The program itself: exit codes as a shell sees them, pipes, signals, equal output of separate processes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use crate::watch::Folder;

const CALM: &str = r#"Scenario(
    protocol: "hac",
    hosts: [(name: "s", role: Server), (name: "c1..c3", role: Client)],
    limit: "2s",
    expect: Held,
)
"#;

fn squall(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(words).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn output(words: &[&str]) -> Output {
    squall(words).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn exit_codes_reach_the_shell() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let wrong = folder.file(
        "wrong.ron",
        &CALM.replace("expect: Held", r#"expect: Violated("hac.one_server")"#),
    );
    let malformed = folder.file("malformed.ron", "Scenario(");
    let never = r#"expect: Held, timeline: [When(fact: "promoted", do: Kill("c1"))]"#;
    let unknown = folder.file("unknown.ron", &CALM.replace("expect: Held", never));
    for (words, code) in [
        (&["run", &calm][..], 0),
        (&["check", &calm], 0),
        (&["sweep", &calm, "--seeds", "3"], 0),
        (&["run", &wrong], 1),
        (&["sweep", &wrong, "--seeds", "3"], 1),
        (&["run", &malformed], 2),
        (&["run", "no/such/file.ron"], 2),
        (&["fly"], 2),
        (&["run", &unknown], 3),
        (&["sweep", &unknown, "--seeds", "3"], 3),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let output = output(words);
        let said = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said:?}");
    }
}

#[test]
fn an_unreadable_file_is_named() {
    let output = output(&["run", "no/such/file.ron"]);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "squall: no/such/file.ron cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn what_is_wrong_under_each_rule_set_by_another_figure_is_told_once() {
    let folder = Folder::new();
    // The hardened rules take their time: their bound is another one, and both are longer than the run.
    let short = folder.file(
        "x.ron",
        &CALM.replace("expect: Held", "expect: Held, invariants: [status_true()]"),
    );
    let alone = |rules: &str| {
        let output = output(&["run", &short, "--rules", rules]);
        assert_eq!(output.status.code(), Some(2), "{rules}");
        let told = text(&output.stderr).lines().next().expect("a complaint");
        told.to_owned()
    };
    let (original, hardened) = (alone("Original"), alone("Hardened"));
    assert!(
        original.starts_with("error: hac.status_true is never judged: it takes "),
        "{original}"
    );
    assert_ne!(original, hardened);
    let both = output(&["check", &short]);
    assert_eq!(both.status.code(), Some(2));
    let told = text(&both.stderr);
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors, [original]);
    let both = output(&["check", &short, "--format", "json"]);
    let file: serde_json::Value = serde_json::from_str(text(&both.stdout)).expect("JSON");
    assert_eq!(file["complaints"].as_array().map(Vec::len), Some(1), "{file}");
}

#[test]
fn separate_processes_print_the_same_bytes() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let words = ["run", &calm, "--seed", "5", "--format", "json"];
    let (one, other) = (output(&words), output(&words));
    assert!(one.status.success());
    assert_eq!(text(&one.stdout).lines().count(), 2);
    assert_eq!(one, other);
    let words = ["run", &calm, "--rules", "Hardened", "--trace", "-"];
    let (one, other) = (output(&words), output(&words));
    assert!(text(&one.stdout).lines().count() > 10);
    assert_eq!(one, other);
}

#[test]
fn a_pipe_has_neither_colours_nor_progress() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let output = output(&["sweep", &calm, "--seeds", "20"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_is_no_reason_for_a_word() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    // A trace is larger than any pipe's buffer, so that the program is still writing when the reader goes away.
    let long = folder.file("long.ron", &CALM.replace("2s", "600s"));
    for words in [
        &["run", &long, "--rules", "Hardened", "--trace", "-"][..],
        &["sweep", &calm, &long, "--seeds", "2"],
    ] {
        let mut child = squall(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut first = [0; 1];
        let mut stdout = child.stdout.take().expect("a pipe");
        stdout.read_exact(&mut first).expect("a byte");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(text(&output.stderr), "", "{words:?}");
        assert_eq!(output.status.code(), Some(141), "{words:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_sweep_which_tells_what_it_has() {
    let folder = Folder::new();
    // The first sweep is short, and its line says that the second, which has no end, has begun.
    folder.file(
        "a.ron",
        &CALM.replace("expect: Held", r#"expect: Held, tags: ["scale"]"#),
    );
    folder.file("b.ron", CALM);
    let path = folder.path().to_str().expect("UTF-8");
    let endless = "0..10_000_000_000";
    let words = [
        "sweep", path, "--rules", "Hardened", "--seeds", endless, "--format", "json", "--jobs", "2",
    ];
    // The signal may come before the second sweep has begun; then there is nothing to tell of it, and the next try shows more.
    let second = (0..100).find_map(|_| interrupted_after_a_line(&words));
    let second = second.expect("a second sweep that has begun");
    assert_eq!(second["asked"], serde_json::json!([0, 10_000_000_000_u64]));
    assert_eq!(second["seeds"][1], second["held"]);
    assert_eq!(second["violated"], 0);
}

/// Starts a sweep of two files, sends it a Ctrl-C after its first line, and returns the second line if there is one.
#[cfg(unix)]
fn interrupted_after_a_line(words: &[&str]) -> Option<serde_json::Value> {
    let mut child = squall(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    assert!(first.contains(r#""seeds":[0,20]"#), "{first}");
    let signalled = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(signalled.success());
    let second = lines.next().map(|line| line.expect("UTF-8"));
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(
        text(&output.stderr).contains("stopping, without the runs under way"),
        "{}",
        text(&output.stderr)
    );
    second.map(|second| serde_json::from_str(&second).expect("JSON"))
}

#[test]
fn a_history_is_a_header_and_a_call_a_line_with_its_answers() {
    let folder = Folder::new();
    let cut_off = folder.file(
        "cut_off.ron",
        r#"Scenario(
            protocol: "counter",
            hosts: [(name: "n1..n3", role: Replica)],
            network: (latency: Constant("2ms")),
            timeline: [At("2s", Kill("n1"))],
            workload: [
                Every(interval: "100ms", from: "1s", until: "3s", of: "n2", command: Add(1)),
                At(time: "1999ms", of: "n1", command: Read),
            ],
            limit: "4s",
        )"#,
    );
    let out = folder.at("history.jsonl").to_str().expect("UTF-8").to_owned();
    let run = ["run", &cut_off, "--rules", "Quorum", "--history", &out];
    assert_eq!(output(&run).status.code(), Some(0));
    let history = std::fs::read_to_string(&out).expect("a history");
    let mut lines = history
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let head = lines.next().expect("a header");
    assert_eq!((&head["rules"], &head["seed"]), (&"Quorum".into(), &0.into()));
    let calls: Vec<_> = lines.collect();
    assert_eq!(calls.len(), 21);
    let (of_n1, of_n2): (Vec<_>, Vec<_>) = calls.iter().partition(|call| call["host"] == "n1");
    let [read] = of_n1[..] else { panic!("{history}") };
    assert_eq!(
        (&read["command"], &read["called_ns"]),
        (&"Read".into(), &1_999_000_000_u64.into())
    );
    assert_eq!(
        (&read["answers"], &read["lost_ns"]),
        (&serde_json::json!([]), &2_000_000_000_u64.into())
    );
    let (first, last) = (of_n2[0], of_n2[of_n2.len() - 1]);
    assert_eq!(first["command"], "Add(1)");
    assert_eq!(first["answers"][0]["by"], "n2");
    assert_eq!(
        (&first["answers"][0]["says"], &last["answers"][0]["says"]),
        (&"Value(1)".into(), &"Value(20)".into())
    );
    // The same beside a trace, and on stdout; but never two things in one place.
    let words = ["run", &cut_off, "--rules", "Quorum", "--history", "-"];
    assert_eq!(text(&output(&words).stdout), history);
    let both = [
        "run",
        &cut_off,
        "--rules",
        "Quorum",
        "--history",
        &out,
        "--trace",
        &out,
    ];
    let refused = output(&both);
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("the trace and the history cannot both be written to one file"),
        "{told}"
    );
    let several = output(&["run", &cut_off, "--history", &out]);
    let told = text(&several.stderr);
    assert!(
        told.contains("--history is of one run, and these are 3"),
        "{told}"
    );
}

#[cfg(unix)]
#[test]
fn what_a_command_leaves_that_is_killed_while_it_writes_goes_with_the_next() {
    use std::os::unix::process::ExitStatusExt as _;

    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    let out = folder.at("trace.jsonl").to_str().expect("UTF-8").to_owned();
    let words = ["run", &calm, "--rules", "Hardened", "--trace", &out];
    let names = || {
        let entries = std::fs::read_dir(folder.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().expect("UTF-8")).collect();
        names.sort();
        names
    };
    // A file that grows beyond what the shell allows is the end of whoever writes it, by a signal that nobody expects.
    let killed = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -f 1; exec "$0" "$@""#,
            env!("CARGO_BIN_EXE_squall"),
        ])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("a shell starts");
    assert!(killed.status.signal().is_some(), "{killed:?}");
    let left = names();
    assert!(
        matches!(&left[..], [part, _] if part.starts_with(".squall-trace.jsonl-") && part.ends_with(".part")),
        "{left:?}"
    );
    assert_eq!(output(&words).status.code(), Some(0));
    assert_eq!(names(), ["calm.ron", "trace.jsonl"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_runs_and_says_how_many_were_stopped_and_how_many_not_begun() {
    let folder = Folder::new();
    // Together they take far longer than a signal takes.
    let files = 400;
    for nth in 0..files {
        folder.file(&format!("{nth:03}.ron"), &CALM.replace("2s", "600s"));
    }
    let path = folder.path().to_str().expect("UTF-8");
    let junit = folder.at("junit.xml");
    let junit_named = junit.to_str().expect("UTF-8");
    let words = [
        "run",
        path,
        "--rules",
        "Hardened",
        "--jobs",
        "2",
        "--junit",
        junit_named,
    ];
    let mut child = squall(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    let signalled = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(signalled.success());
    let rest: Vec<String> = lines.map(|line| line.expect("UTF-8")).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let (summary, told) = rest.split_last().expect("a summary");
    let told: Vec<&String> = std::iter::once(&first)
        .chain(told)
        .filter(|line| !line.is_empty())
        .collect();
    for (nth, line) in told.iter().enumerate() {
        assert!(line.contains(&format!("{nth:03}.ron")), "line {nth} is {line}");
    }
    let done = told.len();
    assert!(done < files, "all were done");
    let runs = if done == 1 { "run" } else { "runs" };
    let counts = summary.strip_prefix(&format!("{done} {runs}, one seed each: all as expected, "));
    let counts = counts.expect("a summary of those that are done");
    let count_of = |what: &str| -> usize {
        let count = counts.split(", ").find_map(|part| part.strip_suffix(what));
        count.map_or(0, |count| count.parse().expect("a number"))
    };
    let (stopped, not_begun) = (count_of(" stopped"), count_of(" not begun"));
    assert_eq!(done + stopped + not_begun, files, "{summary}");
    assert!(stopped <= 2, "{summary}: more than were under way");
    let told = text(&output.stderr).matches(" was stopped at ").count();
    assert_eq!(told, stopped, "{}", text(&output.stderr));
    let report = std::fs::read_to_string(junit).expect("a report");
    let report = roxmltree::Document::parse(&report).expect("XML");
    let counts = ["tests", "skipped", "failures", "errors"].map(|name| report.root_element().attribute(name));
    let (all, skipped) = (files.to_string(), (files - done).to_string());
    assert_eq!(counts, [Some(all.as_str()), Some(&skipped), Some("0"), Some("0")]);
}

/// A run that takes far longer than any test.
const LONG: &str = r#"Scenario(
    protocol: "hac",
    hosts: [(name: "s", role: Server), (name: "c1..c200", role: Client)],
    limit: "24h",
    max_events: 10_000_000_000,
    expect: Held,
)
"#;

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_run_in_the_middle_which_has_no_verdict_then() {
    let folder = Folder::new();
    // Both are begun at once, and the line of the first says that they were.
    let (short, long) = (folder.file("a.ron", CALM), folder.file("b.ron", LONG));
    let path = folder.path().to_str().expect("UTF-8");
    let junit = folder.at("junit.xml");
    let junit_named = junit.to_str().expect("UTF-8");
    let rules = ["--rules", "Hardened", "--jobs", "2"];
    let words = [&["run", path][..], &rules, &["--junit", junit_named]].concat();
    // The second thread may be so late that its run is not begun when the signal comes; then the next try shows more.
    let stopped_at = (0..100).find_map(|_| {
        let (first, rest, stderr) = interrupted(&words);
        assert!(first.contains(&short), "{first}");
        let told = format!("{long} under Hardened was stopped at ");
        let at = stderr.lines().find_map(|line| line.strip_prefix(&told));
        let came_to = at.map_or("not begun", |_| "stopped");
        let summary = format!("\n1 run, one seed each: all as expected, 1 {came_to}\n");
        assert!(rest.ends_with(&summary) && !rest.contains("b.ron"), "{rest}");
        let report = std::fs::read_to_string(&junit).expect("a report");
        let report = roxmltree::Document::parse(&report).expect("XML");
        let skipped = report.descendants().find(|node| node.has_tag_name("skipped"));
        assert_eq!(skipped.and_then(|node| node.attribute("message")), Some(came_to));
        let at = at?.strip_suffix(", without a verdict").expect("when");
        (at != "0s").then(|| at.to_owned())
    });
    assert!(stopped_at.is_some(), "it was never stopped in the middle");
    // A sweep that has not come through its first run has none.
    let words = [
        "sweep", path, "--seeds", "1", "--rules", "Hardened", "--format", "json",
    ];
    let (first, rest, _) = interrupted(&words);
    assert!(first.contains(r#""held":1"#), "{first}");
    assert!(rest.is_empty() || rest.contains(r#""seeds":[0,0]"#), "{rest}");
}

/// Starts the program, sends it a Ctrl-C after its first line, and returns that line, what it said after it, and stderr.
#[cfg(unix)]
fn interrupted(words: &[&str]) -> (String, String, String) {
    let mut child = squall(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (mut first, mut rest) = (String::new(), String::new());
    stdout.read_line(&mut first).expect("a line");
    let signalled = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(signalled.success());
    stdout.read_to_string(&mut rest).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    let stderr = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    (first, rest, stderr)
}

#[test]
fn a_written_promise_that_is_of_other_hosts_is_told_before_a_run_cannot_judge_it() {
    let folder = Folder::new();
    let scenario = |hosts: &str, promised: &str| {
        format!(
            "Scenario(protocol: \"hac\", hosts: [{hosts}], limit: \"9s\", invariants: [{promised}], expect: Held)"
        )
    };
    let clients = "(name: \"s\", role: Server), (name: \"c1\", role: Client)";
    let peers = "(name: \"p1..p3\", role: Peer)";
    for (hosts, promised, other) in [
        (
            peers,
            "peers_agree, ids_granted_once",
            Some("hac.ids_granted_once"),
        ),
        (clients, "ids_granted_once, peers_agree", Some("hac.peers_agree")),
        (clients, "ids_granted_once, one_server", None),
        (peers, "peers_agree", None),
    ] {
        let file = folder.file("x.ron", &scenario(hosts, promised));
        let checked = output(&["check", &file]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        let said = text(&checked.stdout);
        let told: Vec<&str> = said.lines().filter(|line| line.contains("note: ")).collect();
        let note = "is written, and is nothing that hac promises of a cluster of such hosts";
        match other {
            Some(name) => {
                let line = format!("note: Original, Hardened: {name} {note}");
                assert!(
                    told.len() == 1 && told[0].trim_start().starts_with(&line),
                    "{said}"
                );
            }
            None => assert_eq!(told, [""; 0], "{said}"),
        }
        let strict = output(&["check", &file, "--strict"]).status.code();
        assert_eq!(strict, Some(i32::from(other.is_some())));
    }
    // One of these a run does not judge at all, as it says when it is over.
    let file = folder.file("x.ron", &scenario(peers, "ids_granted_once"));
    assert_eq!(
        output(&["run", &file, "--rules", "Hardened"]).status.code(),
        Some(3)
    );
}
