//! `check`, with the protocol of [`watch`](mod@crate::watch).

use squall::Exit;

use crate::run::objects;
use crate::watch::{CALM, FLAW, Folder, watch};

#[test]
fn a_file_in_order_shows_its_hosts_promises_and_bounds() {
    let folder = Folder::new();
    let file = folder.file("x.ron", FLAW);
    let said = watch(&["check", &file]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
    let expected = format!(
        "\
✓ ok {file}  watch  [flaw]
    hosts      b Beacon; k1, k2 Keeper
    links      1ms to 10ms
    disks      500us to 2ms
    tolerated  5 % lost, 316ms of latency
    timeline   2s  partition(b | k1 k2)
               4s  heal_all
    Hasty      is expected to violate watch.true_alarm
    Patient    is expected to hold
      watch.true_alarm  always: The alarm is raised only when the beacon is down.
      watch.heard       in quiet for 2.85s: Every keeper that is left in peace with the beacon hears it.
    limit 8s, seed 7
"
    );
    assert_eq!(said.stdout, expected);
    assert_eq!(watch(&["check", &file, "-q"]).stdout, "");
}

#[test]
fn a_loosened_bound_is_shown_and_fails_under_strict() {
    let folder = Folder::new();
    let loose = folder.file(
        "x.ron",
        &CALM.replace(
            "expect: Held",
            r#"expect: Held, invariants: [heard(bound: "3s")]"#,
        ),
    );
    let said = watch(&["check", &loose]);
    assert_eq!(said.exit, Exit::AsExpected);
    assert!(
        said.stdout
            .contains("watch.heard       in quiet for 3s (by default 2.85s), written: "),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout
            .contains("note: Hasty, Patient: watch.heard is loosened"),
        "{}",
        said.stdout
    );
    assert_eq!(watch(&["check", &loose, "--strict"]).exit, Exit::Otherwise);
    let tight = folder.file(
        "y.ron",
        &CALM.replace(
            "expect: Held",
            r#"expect: Held, invariants: [heard(bound: "2s")]"#,
        ),
    );
    assert_eq!(watch(&["check", &tight, "--strict"]).exit, Exit::AsExpected);
}

#[test]
fn a_promise_of_quiet_that_no_run_can_judge_is_told_and_fails_under_strict() {
    let folder = Folder::new();
    let slow = CALM.replace("expect: Held", r#"expect: Held, network: (bandwidth: "1Mbit/s")"#);
    let slow = folder.file("slow.ron", &slow);
    let short = folder.file("short.ron", &CALM.replace("5s", "1s"));
    for (file, why) in [
        (
            &slow,
            "the links are never quiet; a link has a loss of 0 and a latency of up to 2108ms (2098ms of it is what a full \
             queue of 256 KiB takes)",
        ),
        (
            &short,
            "it takes 2850ms of quiet; raise `limit`, or leave more time between the faults: the longest quiet is 1s",
        ),
    ] {
        let said = watch(&["check", file]);
        assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
        let note = format!("Hasty, Patient: watch.heard is never judged here: {why}");
        assert!(said.stdout.contains(&note), "{}", said.stdout);
        let told = objects(&watch(&["check", file, "--format", "json"]).stdout);
        assert!(
            told[0]["notes"][0]
                .as_str()
                .is_some_and(|told| told.starts_with(&note)),
            "{told:?}"
        );
        assert_eq!(watch(&["check", file, "--strict", "-q"]).exit, Exit::Otherwise);
        // A run says so in a line, and is none the worse for it but under `--strict`.
        for words in [&["run", file][..], &["sweep", file, "--seeds", "3"]] {
            let said = watch(words);
            assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
            let note = "promised in quiet and never judged: watch.heard\n";
            assert_eq!(said.stdout.matches(note).count(), 2, "{}", said.stdout);
            assert_eq!(watch(&[words, &["-q"]].concat()).stdout, "");
            let told = objects(&watch(&[words, &["--format", "json"]].concat()).stdout);
            assert_eq!(told[0]["notes"][0], note.trim_end());
            assert_eq!(watch(&[words, &["--strict"]].concat()).exit, Exit::Otherwise);
        }
    }
    let calm = folder.file("calm.ron", CALM);
    for verb in ["check", "run"] {
        let said = watch(&[verb, &calm]);
        assert!(!said.stdout.contains("never judged"), "{}", said.stdout);
    }
}

#[test]
fn all_complaints_of_all_files_are_made_each_once_with_their_places() {
    let folder = Folder::new();
    folder.file(
        "a.ron",
        &CALM
            .replace("role: Keeper", "role: Keeper, startz: 1")
            .replace("5s", "0s"),
    );
    folder.file("b.ron", &CALM.replace(r#""watch""#, r#""wotch""#));
    folder.file("c.ron", "Scenario(");
    folder.file("d.ron", CALM);
    let path = folder.path().to_str().expect("UTF-8");
    let said = watch(&["check", path]);
    assert_eq!(said.exit, Exit::Unusable);
    for part in [
        "a.ron:3:",
        "a.ron:4:",
        "did you mean `watch`?",
        "b.ron:2:",
        "c.ron:1:",
    ] {
        assert_eq!(said.stderr.matches(part).count(), 1, "{part} in\n{}", said.stderr);
    }
    assert!(
        said.stdout.contains("✓ ok ") && said.stdout.contains("d.ron"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.ends_with("\n4 files: 3 not in order\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn json_tells_complaints_with_their_places() {
    let folder = Folder::new();
    folder.file("a.ron", &CALM.replace(r#""watch""#, r#""wotch""#));
    folder.file("b.ron", FLAW);
    let said = watch(&[
        "check",
        folder.path().to_str().expect("UTF-8"),
        "--format",
        "json",
    ]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::Unusable, ""));
    let files = objects(&said.stdout);
    assert_eq!((&files[0]["ok"], &files[1]["ok"]), (&false.into(), &true.into()));
    let complaint = &files[0]["complaints"][0];
    assert_eq!(
        (&complaint["line"], &complaint["column"]),
        (&2.into(), &15.into())
    );
    assert_eq!(
        files[1]["hosts"][0],
        serde_json::json!({ "name": "b", "role": "Beacon" })
    );
    assert_eq!(
        files[1]["rules"][0]["promises"][1]["default_bound_ns"],
        2_850_000_000_u64
    );
}

#[test]
fn the_resolved_form_is_all_that_goes_to_stdout_and_runs_as_the_file_does() {
    let folder = Folder::new();
    let file = folder.file("x.ron", FLAW);
    let said = watch(&["check", &file, "--resolved"]);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::AsExpected, ""));
    assert!(
        said.stdout
            .starts_with("// The beacon is cut off from its keepers.\n"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("\nScenario(\n    format: 1,\n"),
        "{}",
        said.stdout
    );
    // What the rule sets have in common is written out; what each has by itself stays with it.
    assert!(
        said.stdout.contains("        patience: \"950ms\",\n"),
        "{}",
        said.stdout
    );
    let apart = "    // Hasty by itself: alarms: true\n    // Patient by itself: alarms: false\n";
    assert!(said.stdout.contains(apart), "{}", said.stdout);
    let form = folder.file("form.ron", &said.stdout);
    let run = |file: &str| {
        let run = |run: serde_json::Value| {
            (
                run["rules"].clone(),
                run["digest"].clone(),
                run["verdict"].clone(),
            )
        };
        let said = watch(&["run", file, "--format", "json"]);
        assert_eq!(said.exit, Exit::AsExpected, "{}", said.stderr);
        objects(&said.stdout).into_iter().map(run).collect::<Vec<_>>()
    };
    assert_eq!(run(&form), run(&file));
    assert_eq!(watch(&["check", &form, "--resolved"]).stdout, said.stdout);
}

#[test]
fn several_files_are_resolved_as_json_and_complaints_go_to_stderr() {
    let folder = Folder::new();
    let loose = CALM.replace(
        "expect: Held",
        r#"expect: Held, invariants: [heard(bound: "3s")]"#,
    );
    let (one, other) = (folder.file("a.ron", &loose), folder.file("b.ron", FLAW));
    let both = watch(&["check", &one, &other, "--resolved"]);
    assert_eq!((both.exit, both.stdout.as_str()), (Exit::Unusable, ""));
    assert!(
        both.stderr
            .contains("--resolved prints one file, and these are 2: name one, or take --format json"),
        "{}",
        both.stderr
    );
    let both = watch(&["check", &one, &other, "--resolved", "--format", "json"]);
    assert_eq!(both.exit, Exit::AsExpected, "{}", both.stderr);
    let forms: Vec<String> = objects(&both.stdout)
        .iter()
        .map(|file| file["resolved"].as_str().expect("a form").to_owned())
        .collect();
    let alone = watch(&["check", &one, "--resolved"]);
    assert_eq!(
        forms,
        [alone.stdout, watch(&["check", &other, "--resolved"]).stdout]
    );
    assert!(
        alone
            .stderr
            .starts_with("note: Hasty, Patient: watch.heard is loosened"),
        "{}",
        alone.stderr
    );
    assert_eq!(
        watch(&["check", &one, "--resolved", "--strict"]).exit,
        Exit::Otherwise
    );
    let plain = watch(&["check", &one, "--format", "json"]);
    assert!(objects(&plain.stdout)[0]["resolved"].is_null());
    let wrong = folder.file("c.ron", &CALM.replace("Keeper", "Keepr"));
    let said = watch(&["check", &wrong, "--resolved"]);
    assert_eq!(said.exit, Exit::Unusable);
    assert!(said.stderr.contains("did you mean `Keeper`?"), "{}", said.stderr);
    assert_eq!(
        watch(&["check", &one, "--resolved", "--quiet"]).exit,
        Exit::Unusable
    );
}
