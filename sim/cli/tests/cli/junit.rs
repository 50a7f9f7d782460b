//! `--junit`: what a CI reads, by a parser that is not ours.

use std::fs;
use std::path::PathBuf;

use roxmltree::{Document, Node};
use squall::Exit;

use crate::watch::{CALM, FLAW, Folder, Said, watch};

/// Runs a command that writes a report, and returns what it said beside the report.
fn reported(folder: &Folder, words: &[&str]) -> (Said, String) {
    let out = folder.at("junit.xml");
    let out = out.to_str().expect("UTF-8");
    let words = [words, &["--junit", out]].concat();
    let said = watch(&words);
    let report = fs::read_to_string(out).unwrap_or_else(|error| panic!("{error}: {}", said.stderr));
    (said, report)
}

/// What each case came to: its name, and the element in it with its type, in the order in which they stand.
fn cases(report: &str) -> Vec<(String, String)> {
    let document = Document::parse(report).expect("XML");
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    cases
        .map(|case| {
            let came_to = case
                .children()
                .find(|child| child.is_element() && !child.has_tag_name("system-out"))
                .map_or_else(
                    || "good".to_owned(),
                    |child| {
                        let kind = child
                            .attribute("type")
                            .map_or_else(String::new, |kind| format!(" {kind}"));
                        format!("{}{kind}", child.tag_name().name())
                    },
                );
            (attribute(case, "name").to_owned(), came_to)
        })
        .collect()
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_else(|| panic!("no {name}"))
}

/// The text of the only element of this name.
fn text_of(report: &str, name: &str) -> String {
    let document = Document::parse(report).expect("XML");
    let mut found = document.descendants().filter(|node| node.has_tag_name(name));
    let text = found
        .next()
        .and_then(|node| node.text())
        .expect("a text")
        .to_owned();
    assert_eq!(found.count(), 0, "more than one {name}");
    text
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, came_to)| ((*name).to_owned(), (*came_to).to_owned()))
        .collect()
}

#[test]
fn a_run_is_a_case_of_the_suite_of_its_file() {
    let folder = Folder::new();
    folder.file("a.ron", CALM);
    let surprise = folder.file("b.ron", &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"));
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    let (said, report) = reported(&folder, &["run", &path]);
    assert_eq!(said.exit, Exit::Otherwise);
    assert_eq!(
        cases(&report),
        pairs(&[
            ("Hasty", "good"),
            ("Patient", "good"),
            ("Hasty", "failure watch.true_alarm"),
            ("Patient", "good"),
        ])
    );
    let document = Document::parse(&report).expect("XML");
    assert_eq!(attribute(document.root_element(), "name"), "watch run");
    let suites: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("testsuite"))
        .map(|suite| attribute(suite, "name"))
        .collect();
    assert_eq!(suites.len(), 2);
    assert_eq!(suites[1], surprise);
    let told = text_of(&report, "failure");
    assert!(
        told.starts_with("promised  The alarm is raised only when the beacon is down.\nseen      "),
        "{told}"
    );
    // The last line repeats the run, and with it what broke.
    let command = told.lines().last().expect("a command");
    assert_eq!(command, format!("watch run {surprise} --rules Hasty --seed 7"));
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert!(watch(&words).stdout.contains("violated watch.true_alarm"));
    // Five seconds of virtual time, whatever the clock says.
    let first = document
        .descendants()
        .find(|node| node.has_tag_name("testcase"))
        .expect("a case");
    assert_eq!(attribute(first, "time"), "5.000");
}

#[test]
fn equal_runs_give_equal_bytes_with_any_number_of_jobs() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    for words in [
        &["run", &flaw][..],
        &["sweep", &flaw, "--seeds", "30"],
        &["check", &flaw],
    ] {
        let report = |jobs: &[&str]| reported(&folder, &[words, jobs].concat()).1;
        let first = report(&[]);
        assert_eq!(report(&[]), first);
        if words[0] != "check" {
            assert_eq!(report(&["--jobs", "1"]), first);
            assert_eq!(report(&["--jobs", "3"]), first);
        }
        assert_eq!(cases(&first), pairs(&[("Hasty", "good"), ("Patient", "good")]));
    }
}

#[test]
fn a_sweep_tells_the_first_seed_of_each_reason() {
    let folder = Folder::new();
    let surprise = folder.file("x.ron", &FLAW.replace(r#"Violated("watch.true_alarm")"#, "Held"));
    let (said, report) = reported(
        &folder,
        &["sweep", &surprise, "--seeds", "5..25", "--rules", "Hasty"],
    );
    assert_eq!(said.exit, Exit::Otherwise);
    let told = text_of(&report, "failure");
    assert!(
        told.contains(&format!("watch run {surprise} --rules Hasty --seed 5\n")),
        "{told}"
    );
    assert!(
        told.ends_with(&format!("watch sweep {surprise} --rules Hasty --seeds 5..25\n")),
        "{told}"
    );
}

#[test]
fn what_is_not_known_is_an_error_and_no_failure() {
    let folder = Folder::new();
    let never = r#"expect: Held, timeline: [When(fact: "alarm", do: Kill("b"))]"#;
    let file = folder.file("x.ron", &CALM.replace("expect: Held", never));
    for words in [&["run", &file][..], &["sweep", &file, "--seeds", "5"]] {
        let (said, report) = reported(&folder, words);
        assert_eq!(said.exit, Exit::Unknown);
        for (_, came_to) in cases(&report) {
            assert!(came_to.starts_with("error inconclusive"), "{came_to}");
        }
    }
}

#[test]
fn a_file_that_is_not_in_order_is_an_error_and_the_others_are_not_begun() {
    let folder = Folder::new();
    let calm = folder.file("a.ron", CALM);
    let wrong = folder.file("b.ron", &CALM.replace("Keeper", "Keepr"));
    for command in ["run", "sweep"] {
        let (said, report) = reported(&folder, &[command, &calm, &wrong]);
        assert_eq!(said.exit, Exit::Unusable);
        assert_eq!(
            cases(&report),
            pairs(&[
                ("Hasty", "skipped"),
                ("Patient", "skipped"),
                ("the file", "error not in order"),
            ]),
            "{command}"
        );
    }
    let (said, report) = reported(&folder, &["check", &calm, &wrong]);
    assert_eq!(said.exit, Exit::Unusable);
    assert_eq!(
        cases(&report),
        pairs(&[
            ("Hasty", "good"),
            ("Patient", "good"),
            ("the file", "error not in order")
        ])
    );
    let told = text_of(&report, "error");
    assert!(told.contains("did you mean `Keeper`?"), "{told}");
    assert!(told.ends_with(&format!("\nwatch check {wrong}\n")), "{told}");
}

#[test]
fn strictness_fails_what_is_too_loose() {
    let folder = Folder::new();
    let loose = r#"expect: Held, invariants: [heard(bound: "3s")]"#;
    let file = folder.file("x.ron", &CALM.replace("expect: Held", loose));
    for words in [
        &["run", &file][..],
        &["check", &file],
        &["sweep", &file, "--seeds", "3"],
    ] {
        let (said, report) = reported(&folder, words);
        assert_eq!(said.exit, Exit::AsExpected);
        assert_eq!(cases(&report), pairs(&[("Hasty", "good"), ("Patient", "good")]));
        assert!(report.contains("watch.heard is loosened"), "{report}");
        let (said, report) = reported(&folder, &[words, &["--strict"]].concat());
        assert_eq!(said.exit, Exit::Otherwise);
        let failed = "failure too loose";
        assert_eq!(cases(&report), pairs(&[("Hasty", failed), ("Patient", failed)]));
    }
    // That a sweep took fewer seeds than asked for is said, and is no failure.
    let large = CALM.replace(r#"["calm"]"#, r#"["scale"], without: ["true_alarm"]"#);
    let large = folder.file("y.ron", &large);
    let (said, report) = reported(&folder, &["sweep", &large, "--rules", "Patient", "--strict"]);
    assert_eq!(said.exit, Exit::AsExpected, "{}", said.stdout);
    assert_eq!(cases(&report), pairs(&[("Patient", "good")]));
    assert!(report.contains("tagged scale"), "{report}");
}

#[test]
fn a_bug_is_an_error_and_what_comes_behind_it_is_not_begun() {
    let folder = Folder::new();
    let fused = folder.file(
        "a.ron",
        &CALM.replace("expect: Held", "expect: Held, config: (fuse: 10)"),
    );
    let leaky = folder.file("b.ron", &FLAW.replace("seed: 7", "config: (leaks: true)"));
    let calm = folder.file("c.ron", CALM);
    for (bad, words, what) in [
        (&fused, &["run"][..], "error panicked"),
        (&fused, &["sweep", "--seeds", "3"], "error panicked"),
        (&leaky, &["run"], "error not deterministic"),
        (
            &leaky,
            &["sweep", "--seeds", "3", "--recheck", "100%"],
            "error not deterministic",
        ),
    ] {
        let rest = [bad, &calm, "--rules", "Hasty", "--jobs", "1", "--story"];
        // Only a run that is told twice is run twice; a sweep has no stories to ask for.
        let rest = if words[0] == "run" { &rest[..] } else { &rest[..6] };
        let (said, report) = reported(&folder, &[words, rest].concat());
        assert_eq!(said.exit, Exit::Bug, "{words:?}");
        assert_eq!(
            cases(&report),
            pairs(&[("Hasty", what), ("Hasty", "skipped")]),
            "{words:?}"
        );
        let told = text_of(&report, "error");
        assert!(told.contains(&format!(" {bad} --rules Hasty --seed")), "{told}");
    }
}

#[test]
fn a_report_never_takes_the_place_of_a_scenario_and_nothing_runs_when_it_has_no_place() {
    let folder = Folder::new();
    let flaw = folder.file("flaw.ron", FLAW);
    let plain = folder.file("scenario.txt", FLAW);
    let nowhere = folder.at("no/such/folder/junit.xml");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let itself = folder.path().to_str().expect("UTF-8");
    for command in ["run", "sweep", "check"] {
        for (out, why) in [
            (flaw.as_str(), "would take the place of the scenario"),
            (&plain, "would take the place of the scenario"),
            ("new.ron", "files in .ron are scenarios, and the report is XML"),
            (nowhere, "the report cannot be written to "),
            (itself, "the report cannot be written to "),
            ("-", "--junit takes a path"),
        ] {
            let said = watch(&[command, &flaw, &plain, "--junit", out]);
            assert_eq!(
                (said.exit, said.stdout.as_str()),
                (Exit::Unusable, ""),
                "{command} {out}"
            );
            assert!(said.stderr.contains(why), "{command} {out}: {}", said.stderr);
            // The file that would take its place has a name that nobody knows.
            assert!(!said.stderr.contains(".part"), "{}", said.stderr);
        }
    }
    assert_eq!(fs::read_to_string(&plain).expect("a scenario"), FLAW);
    // Looking ahead leaves nothing behind.
    let (_, report) = reported(&folder, &["check", &flaw]);
    assert!(report.starts_with("<?xml"), "{report}");
    let mut left: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    left.sort();
    let there = [
        folder.at("flaw.ron"),
        folder.at("junit.xml"),
        folder.at("scenario.txt"),
    ];
    assert_eq!(left, there);
    let both = watch(&[
        "run", &flaw, "--rules", "Hasty", "--trace", "t.out", "--junit", "t.out",
    ]);
    assert_eq!(both.exit, Exit::Unusable);
    assert!(both.stderr.contains("cannot both"), "{}", both.stderr);
}

/// A device that never takes anything, where there is one.
#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_full_is_found_out_before_anything_runs() {
    let folder = Folder::new();
    let calm = folder.file("calm.ron", CALM);
    for words in [
        &["run", &calm, "--junit", "/dev/full"][..],
        &["run", &calm, "--rules", "Hasty", "--trace", "/dev/full"],
        &["sweep", &calm, "--seeds", "1", "--junit", "/dev/full"],
    ] {
        let said = watch(words);
        assert_eq!(
            (said.exit, said.stdout.as_str()),
            (Exit::Unusable, ""),
            "{words:?}"
        );
        assert!(
            said.stderr.contains("cannot be written to /dev/full: "),
            "{}",
            said.stderr
        );
    }
    assert_eq!(
        watch(&["run", &calm, "--junit", "/dev/null"]).exit,
        Exit::AsExpected
    );
}
