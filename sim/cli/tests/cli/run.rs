//! `run`, with the protocol of [`watch`](mod@crate::watch).

use serde_json::Value;
use squall::Exit;

use crate::watch::{CALM, FLAW, Folder, watch};

/// The keys of an object, in the order in which they stand. Objects inside are skipped.
pub(crate) fn keys(line: &str) -> Vec<String> {
    let (mut keys, mut depth, mut text, mut in_text, mut escaped) =
        (Vec::new(), 0, String::new(), false, false);
    for c in line.chars() {
        match (in_text, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (true, '"') => in_text = false,
            (true, c) => text.push(c),
            (false, '"') => {
                in_text = true;
                text.clear();
            }
            (false, '{' | '[') => depth += 1,
            (false, '}' | ']') => depth -= 1,
            (false, ':') if depth == 1 => keys.push(text.clone()),
            (false, _) => {}
        }
    }
    keys
}

pub(crate) fn objects(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect()
}

#[test]
fn every_file_of_a_folder_is_run_under_every_rule_set_in_order() {
    let folder = Folder::new();
    folder.file("b/flaw.ron", FLAW);
    folder.file("a.ron", CALM);
    folder.file("notes.txt", "not a scenario");
    let said = watch(&["run", folder.path().to_str().expect("UTF-8"), "--format", "json"]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    let told: Vec<(bool, String, u64)> = objects(&said.stdout)
        .iter()
        .map(|run| {
            let is_calm = run["scenario"].as_str().expect("a name").ends_with("a.ron");
            (
                is_calm,
                run["rules"].as_str().expect("a name").to_owned(),
                run["seed"].as_u64().expect("a seed"),
            )
        })
        .collect();
    let run = |is_calm, rules: &str, seed| (is_calm, rules.to_owned(), seed);
    let expected = [
        run(true, "Hasty", 0),
        run(true, "Patient", 0),
        run(false, "Hasty", 7),
        run(false, "Patient", 7),
    ];
    assert_eq!(told, expected);
    assert_eq!(said.stderr, "");
}

#[test]
fn any_number_of_jobs_tells_the_same() {
    let folder = Folder::new();
    for nth in 0..6 {
        // Those that come first take longest, so that they are done last when there are threads for all.
        let limit = format!(r#"limit: "{}s""#, 60 - 10 * nth);
        folder.file(
            &format!("calm_{nth}.ron"),
            &CALM.replace(r#"limit: "5s""#, &limit),
        );
        folder.file(&format!("flaw_{nth}.ron"), FLAW);
        folder.file(
            &format!("surprise_{nth}.ron"),
            &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"),
        );
    }
    let path = folder.path().to_str().expect("UTF-8");
    for how in [
        &["--format", "json"][..],
        &["--format", "text"],
        &["--quiet"],
        &["--story"],
    ] {
        let run = |jobs: &str| {
            let words = [&["run", path, "--jobs", jobs], how].concat();
            let said = watch(&words);
            assert_eq!(said.exit, Exit::Otherwise, "{words:?}: {}", said.stderr);
            (said.stdout, said.stderr)
        };
        let one = run("1");
        assert!(one.0.lines().count() >= 6, "{how:?}: {}", one.0);
        assert_eq!(run("2"), one, "{how:?}");
        assert_eq!(run("16"), one, "{how:?}");
    }
}

#[test]
fn json_has_the_keys_that_are_promised_in_the_order_that_is_promised() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let said = watch(&["run", &flaw, "--rules", "Hasty", "--format", "json"]);
    let line = said.stdout.lines().next().expect("a line");
    let promised = [
        "scenario",
        "rules",
        "seed",
        "verdict",
        "as_expected",
        "violation",
        "digest",
        "events",
        "virtual_ns",
        "measures",
        "faults",
        "invariants",
    ];
    assert_eq!(keys(line)[..promised.len()], promised);
    let run = &objects(&said.stdout)[0];
    assert_eq!(run["verdict"], "violated");
    assert_eq!(run["as_expected"], true);
    assert_eq!(run["violation"]["invariant"], "watch.true_alarm");
    assert!(run["violation"]["at_ns"].as_u64().expect("a time") > 2_000_000_000);
    assert_eq!(run["digest"].as_str().expect("a digest").len(), 32);
    assert_eq!(run["faults"][0]["fault"], "partition(b | k1 k2)");
    assert_eq!(run["faults"][0]["at_ns"], 2_000_000_000_u64);
    assert_eq!(run["invariants"][0]["name"], "watch.true_alarm");
}

#[test]
fn an_expected_violation_of_a_single_file_is_told_with_its_story() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let said = watch(&["run", &flaw]);
    assert_eq!(said.exit, Exit::AsExpected);
    for part in [
        "  | The beacon is cut off from its keepers.\n",
        "  promised  The alarm is raised only when the beacon is down.\n",
        " raised the alarm while b was up.\n",
        "links are cut: partition(b | k1 k2)",
        "sends     → k1:7  BEAT ",
        "(a cut drops it)",
        "claims    alarm { beats: ",
        "as the file expects",
    ] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
    let command = format!("watch run {flaw} --rules Hasty --seed 7");
    assert_eq!(said.stdout.lines().last(), Some(command.as_str()));
}

#[test]
fn a_promise_in_quiet_is_told_with_the_quiet_in_which_it_broke() {
    let folder = Folder::new();
    let deaf = CALM.replace(
        "expect: Held",
        r#"timeline: [At("2s", Kill("b")), At("2500ms", Restart("b"))], invariants: [heard(bound: "1us")],
           expect: { Hasty: Violated("watch.heard"), Patient: Violated("watch.heard") }"#,
    );
    let file = folder.file("deaf.ron", &deaf);
    let said = watch(&["run", &file, "--rules", "Patient", "--story"]);
    let json = objects(&watch(&["run", &file, "--rules", "Patient", "--format", "json"]).stdout);
    assert_eq!(json[0]["quiet"]["bound_ns"], 1_000, "{}", json[0]);
    let since = json[0]["quiet"]["since_ns"].as_u64().expect("a time");
    let at = json[0]["violation"]["at_ns"].as_u64().expect("a time");
    assert_eq!(at, since + 1_000);
    assert!(
        said.stdout.contains("\n  quiet     since ")
            && said.stdout.contains("; promised after 1us of quiet\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn the_command_that_a_story_ends_with_repeats_the_run() {
    let folder = Folder::new();
    let flaw = folder.file("with space.ron", FLAW);
    let said = watch(&["run", &flaw, "--seed", "12", "--rules", "Hasty"]);
    let command = said.stdout.lines().last().expect("a command").to_owned();
    assert_eq!(command, format!("watch run '{flaw}' --rules Hasty --seed 12"));
    assert_eq!(
        watch(&["run", &flaw, "--rules", "Hasty", "--seed", "12"]).stdout,
        said.stdout
    );
}

#[test]
fn a_folder_is_told_a_line_a_run_unless_stories_are_asked_for() {
    let folder = Folder::new();
    folder.file("flaw.ron", FLAW);
    folder.file("calm.ron", CALM);
    let path = folder.path().to_str().expect("UTF-8");
    let said = watch(&["run", path]);
    assert!(!said.stdout.contains("promised"), "{}", said.stdout);
    assert!(
        said.stdout
            .ends_with("\n4 runs, one seed each: all as expected\n"),
        "{}",
        said.stdout
    );
    assert!(watch(&["run", path, "--story"]).stdout.contains("  promised  "));
    assert_eq!(watch(&["run", path, "--quiet"]).stdout, "");
}

#[test]
fn what_is_not_as_expected_has_its_story_and_exit_code_1_however_quiet() {
    let folder = Folder::new();
    folder.file("calm.ron", CALM);
    folder.file(
        "flaw.ron",
        &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"),
    );
    let path = folder.path().to_str().expect("UTF-8");
    for words in [vec!["run", path], vec!["run", path, "-q"]] {
        let said = watch(&words);
        assert_eq!(said.exit, Exit::Otherwise);
        assert!(
            said.stdout.contains("; the file expects it to hold"),
            "{}",
            said.stdout
        );
        assert!(
            said.stdout
                .contains("4 runs, one seed each: 3 as expected, 1 not as expected\n"),
            "{}",
            said.stdout
        );
        assert!(
            said.stdout.contains("which the file does not expect"),
            "{}",
            said.stdout
        );
        assert!(
            said.stdout
                .lines()
                .last()
                .expect("a line")
                .ends_with("--rules Hasty --seed 7"),
            "{}",
            said.stdout
        );
    }
    let json = watch(&["run", path, "-q", "--format", "json"]);
    assert_eq!((json.exit, json.stdout.lines().count()), (Exit::Otherwise, 1));
}

#[test]
fn a_violation_that_never_comes_is_not_as_expected() {
    let folder = Folder::new();
    let file = folder.file(
        "x.ron",
        &CALM.replace("expect: Held", r#"expect: Violated("watch.true_alarm")"#),
    );
    let said = watch(&["run", &file, "--rules", "Patient"]);
    assert_eq!(said.exit, Exit::Otherwise);
    assert!(
        said.stdout
            .contains("held; the file expects a violation of watch.true_alarm"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_fault_that_never_happens_leaves_the_answer_unknown() {
    let folder = Folder::new();
    let never = r#"limit: "5s", timeline: [When(fact: "unsure", do: Kill("b"))]"#;
    let file = folder.file("x.ron", &CALM.replace(r#"limit: "5s""#, never));
    let said = watch(&["run", &file]);
    assert_eq!(said.exit, Exit::Unknown, "{}{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains("? ") && said.stdout.contains("    doubt: kill(b) never happened"),
        "{}",
        said.stdout
    );
    let json = objects(&watch(&["run", &file, "--format", "json"]).stdout);
    assert_eq!(json[0]["verdict"], "inconclusive");
    assert_eq!(json[0]["as_expected"], false);
}

#[test]
fn a_trace_is_a_header_and_an_event_a_line_and_is_the_same_every_time() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let out = folder.at("trace.jsonl");
    std::fs::write(&out, "an older trace").expect("a file");
    let words = [
        "run",
        &flaw,
        "--rules",
        "Hasty",
        "--trace",
        out.to_str().expect("UTF-8"),
    ];
    let said = watch(&words);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    let first = std::fs::read_to_string(&out).expect("a trace");
    let lines = objects(&first);
    assert_eq!(lines[0]["hosts"], serde_json::json!(["b", "k1", "k2"]));
    assert_eq!(lines[0]["seed"], 7);
    let last = lines.last().expect("an event");
    assert_eq!(
        (&last["event"], &last["invariant"]),
        (&"violated".into(), &"watch.true_alarm".into())
    );
    assert!(
        lines[1..]
            .iter()
            .all(|event| event["at_ns"].is_u64() && event["event"].is_string())
    );
    watch(&words);
    assert_eq!(std::fs::read_to_string(&out).expect("a trace"), first);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 2, "nothing half-written is left: {left:?}");
    let on_stdout = watch(&["run", &flaw, "--rules", "Hasty", "--trace", "-"]);
    assert_eq!(on_stdout.stdout, first);
    assert!(
        on_stdout.stderr.contains("violated watch.true_alarm"),
        "{}",
        on_stdout.stderr
    );
}

#[test]
fn a_violation_ahead_of_a_fault_is_noted_and_fails_under_strict() {
    let folder = Folder::new();
    let late = FLAW.replace("timeline: [", r#"timeline: [At("4900ms", Kill("b")), "#);
    let file = folder.file("late.ron", &late);
    let words = ["run", &file, "--rules", "Hasty"];
    let said = watch(&words);
    assert_eq!(said.exit, Exit::AsExpected, "{}{}", said.stdout, said.stderr);
    let note = "\n    note: violated before kill(b) happened\n";
    assert!(said.stdout.contains(note), "{}", said.stdout);
    let strict = [&words[..], &["--strict"]].concat();
    assert_eq!(watch(&strict).exit, Exit::Otherwise);
    let json = objects(&watch(&[&words[..], &["--format", "json"]].concat()).stdout);
    assert_eq!(json[0]["undone"], serde_json::json!(["kill(b)", "heal_all"]));
    folder.file("late.ron", &late.replace("limit:", "scenery: [0, 2], limit:"));
    let said = watch(&strict);
    assert_eq!(said.exit, Exit::AsExpected, "{}{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("note"), "{}", said.stdout);
}

#[test]
fn a_trace_never_takes_the_place_of_a_scenario() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let plain = folder.file("scenario.txt", FLAW);
    let other = folder.file("other.ron", CALM);
    let (fresh, link) = (folder.at("fresh.RON"), folder.at("link"));
    let utf8 = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let roundabout = utf8(&folder.at("./scenario.txt"));
    let mut cases = vec![
        (&flaw, flaw.clone(), "would take the place of the scenario"),
        (&plain, plain.clone(), "would take the place of the scenario"),
        (&plain, roundabout, "would take the place of the scenario"),
        (&flaw, other.clone(), "files in .ron are scenarios"),
        (&flaw, utf8(&fresh), "files in .ron are scenarios"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&other, &link).expect("a link");
        cases.push((&flaw, utf8(&link), "files in .ron are scenarios"));
    }
    for (file, out, why) in cases {
        let said = watch(&["run", file, "--rules", "Hasty", "--trace", &out]);
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Unusable, ""), "{out}");
        assert!(said.stderr.contains(why), "{out}: {}", said.stderr);
    }
    for (file, text) in [(&flaw, FLAW), (&plain, FLAW), (&other, CALM)] {
        assert_eq!(std::fs::read_to_string(file).expect("a scenario"), text);
    }
    assert!(!fresh.exists());
}

#[test]
fn a_trace_of_several_runs_or_to_nowhere_is_refused() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let out = folder.at("trace.jsonl");
    let said = watch(&["run", &flaw, "--trace", out.to_str().expect("UTF-8")]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(
        said.stderr.contains("--trace is of one run, and these are 2"),
        "{}",
        said.stderr
    );
    assert!(!out.exists());
    for nowhere in [folder.at("no/such/folder/t"), folder.path().to_owned()] {
        let said = watch(&[
            "run",
            &flaw,
            "--rules",
            "Hasty",
            "--trace",
            nowhere.to_str().expect("UTF-8"),
        ]);
        assert_eq!(said.exit, Exit::Unusable);
        let named = format!("the trace cannot be written to {}", nowhere.display());
        assert!(said.stderr.contains(&named), "{}", said.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_trace_through_a_link_leaves_the_link() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    folder.file("real.jsonl", "old");
    let link = folder.at("link.jsonl");
    std::os::unix::fs::symlink(folder.at("real.jsonl"), &link).expect("a link");
    watch(&[
        "run",
        &flaw,
        "--rules",
        "Hasty",
        "--trace",
        link.to_str().expect("UTF-8"),
    ]);
    assert!(std::fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert!(
        std::fs::read_to_string(folder.at("real.jsonl"))
            .expect("a trace")
            .starts_with("{\"scenario\"")
    );
}

#[test]
fn loosened_and_unjudged_promises_fail_only_under_strict() {
    let folder = Folder::new();
    let loose = folder.file(
        "x.ron",
        &CALM.replace(
            "expect: Held",
            r#"expect: Held, invariants: [heard(bound: "3s")]"#,
        ),
    );
    let said = watch(&["run", &loose, "--rules", "Patient"]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    assert!(
        said.stdout
            .contains("note: watch.heard is loosened: it is asked for in quiet for 3s, by default"),
        "{}",
        said.stdout
    );
    let strict = watch(&["run", &loose, "--rules", "Patient", "--strict"]);
    assert_eq!(strict.exit, Exit::Otherwise);
    assert!(
        strict
            .stdout
            .contains("note: watch.true_alarm never had anything to judge"),
        "{}",
        strict.stdout
    );
    let calm = folder.file("y.ron", CALM);
    let json = objects(&watch(&["run", &calm, "--rules", "Patient", "--strict", "--format", "json"]).stdout);
    assert_eq!(
        json[0]["notes"],
        serde_json::json!(["watch.true_alarm never had anything to judge"])
    );
}

#[test]
fn a_node_that_panics_is_a_bug_with_the_command_that_repeats_it() {
    let folder = Folder::new();
    let file = folder.file(
        "x.ron",
        &CALM.replace("expect: Held", "expect: Held, config: (fuse: 10)"),
    );
    let said = watch(&["run", &file, "--rules", "Patient", "--seed", "3"]);
    assert_eq!(said.exit, Exit::Bug);
    assert!(said.stderr.contains("the fuse blew"), "{}", said.stderr);
    assert!(
        said.stderr
            .contains(&format!("watch run {file} --rules Patient --seed 3")),
        "{}",
        said.stderr
    );
    assert_eq!(said.stdout, "");
}

#[test]
fn a_node_that_is_not_deterministic_is_a_bug_with_the_first_event_that_differs() {
    let folder = Folder::new();
    let leaky = folder.file(
        "a.ron",
        &FLAW.replace("seed: 7", "seed: 7, config: (leaks: true)"),
    );
    folder.file("b.ron", CALM);
    let said = watch(&["run", &leaky, "--rules", "Hasty"]);
    assert_eq!(said.exit, Exit::Bug);
    assert_eq!(said.exit.code(), 101);
    let lines: Vec<&str> = said.stderr.lines().collect();
    let [what, one, other, command] = lines[..] else {
        panic!("{}", said.stderr);
    };
    assert_eq!(
        what,
        "watch: the run is not deterministic, which is a bug of the simulator or of a node"
    );
    let (place, one) = one.split_once("; one has: ").expect("an event of the one run");
    assert!(
        place.starts_with(&format!("{leaky}: two runs of seed 7 differ from event ")),
        "{place}"
    );
    let other = other
        .strip_prefix("and the other has: ")
        .expect("an event of the other run");
    assert_ne!(one, other);
    for event in [one, other] {
        assert!(event.contains("k2 claims Alarm { beats: "), "{event}");
    }
    assert_eq!(command, format!("watch run {leaky} --rules Hasty --seed 7"));
    // Whoever cannot tell one run from another tells no story of either, and goes no further.
    assert!(!said.stdout.contains("The last events"), "{}", said.stdout);
    let path = folder.path().to_str().expect("UTF-8");
    let all = watch(&["run", path, "--rules", "Hasty", "--story", "--jobs", "1"]);
    assert_eq!(all.exit, Exit::Bug);
    assert!(!all.stdout.contains("b.ron"), "{}", all.stdout);
}

#[test]
fn the_same_node_without_its_leak_is_told_as_a_story() {
    let folder = Folder::new();
    let sound = folder.file(
        "x.ron",
        &FLAW.replace("seed: 7", "seed: 7, config: (leaks: false)"),
    );
    let said = watch(&["run", &sound, "--rules", "Hasty"]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
    assert!(
        said.stdout.contains("The last events of b and k2"),
        "{}",
        said.stdout
    );
}

#[test]
fn colours_come_when_asked_for() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    assert!(!watch(&["run", &calm]).stdout.contains('\x1b'));
    for word in ["--colour", "--color"] {
        assert!(
            watch(&["run", &calm, word, "always"])
                .stdout
                .contains("\x1b[32m✓\x1b[0m")
        );
        assert!(!watch(&["run", &calm, word, "never"]).stdout.contains('\x1b'));
    }
}
