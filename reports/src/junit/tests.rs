//! JUnit XML as a parser reads it back.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};
use squall_sim::outcome::{Outcome, SweepOutcome};
use squall_sim::scenario::Complaint;

use super::{Junit, Notes};
use crate::look::Repeats;
use crate::sample;

fn junit() -> Junit {
    Junit::new("squall run", "squall", Repeats::Run)
}

/// The elements of a name below a node.
fn all<'a>(node: Node<'a, 'a>, name: &'a str) -> Vec<Node<'a, 'a>> {
    node.descendants()
        .filter(|node| node.has_tag_name(name))
        .collect()
}

fn attributes<'a>(node: Node<'a, 'a>) -> BTreeMap<&'a str, &'a str> {
    node.attributes()
        .map(|attribute| (attribute.name(), attribute.value()))
        .collect()
}

#[test]
fn a_suite_is_a_file_and_a_case_a_rule_set() {
    let mut junit = junit();
    junit.run(&sample::held(), &[], Notes::Mentioned);
    let hardened = Outcome {
        rules: "Hardened",
        ..sample::violated(false)
    };
    junit.run(&hardened, &[], Notes::Mentioned);
    let other = Outcome {
        scenario: "other.ron".to_owned(),
        ..sample::inconclusive()
    };
    junit.run(&other, &[], Notes::Mentioned);
    junit.not_begun("other.ron", "Hardened");
    let xml = junit.xml();
    let document = Document::parse(&xml).expect("XML");
    let root = attributes(document.root_element());
    assert_eq!(document.root_element().tag_name().name(), "testsuites");
    for (name, value) in [
        ("name", "squall run"),
        ("tests", "4"),
        ("failures", "1"),
        ("errors", "1"),
        ("skipped", "1"),
    ] {
        assert_eq!(root[name], value, "{name}");
    }
    let suites = all(document.root(), "testsuite");
    let names: Vec<&str> = suites.iter().map(|suite| attributes(*suite)["name"]).collect();
    assert_eq!(names, ["scenarios/hac/calm.ron", "other.ron"]);
    let cases = all(suites[0], "testcase");
    let names: Vec<&str> = cases.iter().map(|case| attributes(*case)["name"]).collect();
    assert_eq!(names, ["Original", "Hardened"]);
    let first = attributes(cases[0]);
    assert_eq!(
        (first["classname"], first["file"], first["time"]),
        ("scenarios/hac/calm.ron", "scenarios/hac/calm.ron", "20.000")
    );
    assert!(!cases[0].has_children());
    let failure = all(cases[1], "failure")[0];
    assert_eq!(
        (attributes(failure)["type"], attributes(failure)["message"]),
        (
            "hac.one_server",
            "violated hac.one_server at 2310.000 ms; the file expects it to hold"
        )
    );
    let told = failure.text().expect("a text");
    for part in ["promised  ", "\nseen      "] {
        assert!(told.contains(part), "{told}");
    }
    assert!(
        told.ends_with("\nsquall run scenarios/hac/calm.ron --rules Hardened --seed 7\n"),
        "{told}"
    );
    // Whether it holds is not known: that is no failure.
    let error = all(suites[1], "error")[0];
    assert_eq!(attributes(error)["type"], "inconclusive");
    assert!(
        error
            .text()
            .is_some_and(|told| told.contains("doubt     heal_all never happened")),
        "{xml}"
    );
    assert_eq!(all(suites[1], "skipped").len(), 1);
}

#[test]
fn equal_results_give_equal_bytes_and_there_is_no_date() {
    let told = || {
        let mut junit = junit();
        junit.run(&sample::violated(false), &["a note".to_owned()], Notes::Mentioned);
        junit.sweep(&sample::swept(), &[], Notes::Mentioned);
        junit.xml()
    };
    assert_eq!(told(), told());
    assert!(
        !told().contains("timestamp") && !told().contains("uuid"),
        "{}",
        told()
    );
}

#[test]
fn a_sweep_tells_its_shares_its_reasons_and_how_to_repeat_them() {
    let mut junit = junit();
    junit.sweep(&sample::swept(), &[], Notes::Mentioned);
    let mut stopped = sample::swept();
    stopped.seeds.1 += 1_000;
    junit.sweep(&stopped, &[], Notes::Mentioned);
    let xml = junit.xml();
    let document = Document::parse(&xml).expect("XML");
    let failure = all(document.root(), "failure")[0];
    assert_eq!(attributes(failure)["type"], "hac.one_server");
    assert_eq!(
        attributes(failure)["message"],
        "960 held (96 %), 40 violated (4 %); the file expects every run to hold"
    );
    let command = "squall run scenarios/hac/calm.ron --rules Original --seed 17";
    assert_eq!(
        failure.text(),
        Some(
            format!(
                "hac.one_server: 40 runs (4 %), the first: {command}\n\n\
                 squall sweep scenarios/hac/calm.ron --rules Original --seeds 5..1005\n"
            )
            .as_str()
        )
    );
    let out = all(document.root(), "system-out");
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].text(), Some("stopped after 1 000 of 2 000 seeds\n"));
}

#[test]
fn a_sweep_that_was_stopped_is_no_success() {
    let mut stopped = sample::swept();
    (stopped.held, stopped.violated) = (1_000, 0);
    (stopped.as_expected, stopped.failures) = (true, Vec::new());
    let told = |outcome: &SweepOutcome| {
        let mut junit = junit();
        junit.sweep(outcome, &[], Notes::Mentioned);
        junit.xml()
    };
    assert!(!told(&stopped).contains("<error"), "{}", told(&stopped));
    stopped.seeds.1 += 1_000;
    let xml = told(&stopped);
    let document = Document::parse(&xml).expect("XML");
    let error = all(document.root(), "error")[0];
    assert_eq!(
        (attributes(error)["type"], attributes(error)["message"]),
        ("stopped", "stopped after 1 000 of 2 000 seeds")
    );
    assert!(
        error
            .text()
            .is_some_and(|told| told
                .ends_with("\nsquall sweep scenarios/hac/calm.ron --rules Original --seeds 5..2005\n")),
        "{xml}"
    );
}

#[test]
fn notes_are_told_and_fail_only_where_they_are_taken_so() {
    for (taken, failures) in [(Notes::Mentioned, 0), (Notes::Failing, 1)] {
        let mut junit = junit();
        let notes = ["it is loose".to_owned(), "so is that".to_owned()];
        junit.run(&sample::held(), &notes, taken);
        junit.checked("x.ron", "Original", &[], taken);
        let xml = junit.xml();
        let document = Document::parse(&xml).expect("XML");
        assert_eq!(
            all(document.root(), "system-out")[0].text(),
            Some("it is loose\nso is that\n")
        );
        let failed = all(document.root(), "failure");
        assert_eq!(failed.len(), failures, "{xml}");
        for failure in failed {
            assert_eq!(attributes(failure)["type"], "too loose");
            assert!(
                failure
                    .text()
                    .is_some_and(|told| told.ends_with(" --seed 7 --strict\n")),
                "{xml}"
            );
        }
    }
}

#[test]
fn a_bad_file_and_a_bug_are_errors() {
    let complaint = |message: &str, hint: Option<&str>| Complaint {
        place: None,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        opening: None,
    };
    let mut junit = junit();
    junit.not_in_order(
        "x.ron",
        &[
            complaint("there is no host `d`", Some("did you mean `c`?")),
            complaint("no", None),
        ],
    );
    junit.bug("y.ron", "Original", "panicked", "a run panicked\nboom");
    let xml = junit.xml();
    let document = Document::parse(&xml).expect("XML");
    let errors = all(document.root(), "error");
    assert_eq!(attributes(errors[0])["message"], "2 complaints");
    assert_eq!(
        errors[0].text(),
        Some("there is no host `d`\n    did you mean `c`?\nno\n\nsquall check x.ron\n")
    );
    assert_eq!(
        (attributes(errors[1])["type"], attributes(errors[1])["message"]),
        ("panicked", "a run panicked")
    );
}

#[test]
fn whatever_a_node_says_it_is_xml() {
    let mut outcome = sample::violated(false);
    let said = "a < b && \"c\" ]]> \u{0}\u{1b}[31m\u{fffe}\u{ffff}\u{9b}ä\r\nb";
    outcome.scenario = said.to_owned();
    if let Some(violation) = &mut outcome.violation {
        violation.detail = said.to_owned();
        violation.invariant = said.to_owned();
    }
    let mut junit = junit();
    junit.run(&outcome, &[said.to_owned()], Notes::Mentioned);
    let xml = junit.xml();
    let document = Document::parse(&xml).expect("XML");
    let failure = all(document.root(), "failure")[0];
    assert!(
        failure
            .text()
            .is_some_and(|told| told.contains("a < b && \"c\" ]]> ")),
        "{xml}"
    );
    assert!(!xml.contains('\u{1b}'));
}
