//! What is said about files that cannot be: the place, what is wrong, what would be right, and nothing else besides. One subject
//! a module; here are what they share, and what complaints look like.

mod any_text;
mod faults;
mod form;
mod hosts;
mod network;
mod promises;
mod quiet;
mod timeline;

use squall_sim::plan::Plan;
use squall_sim::scenario::{Complaints, ScenarioFile, Style, resolve};

use crate::stand::Stand;

/// A file that is fine but for the fields in `lines`, which begin at line 4, column 5.
fn with(lines: &str) -> String {
    format!(
        "Scenario(\n    protocol: \"hac\",\n    hosts: [(name: \"s\", role: Server), (name: \"c1..c4\", role: Client)],\n    \
         {lines}\n)\n"
    )
}

fn plan(text: &str) -> Result<Plan<Stand>, Complaints> {
    ScenarioFile::parse("test.ron", text.to_owned()).and_then(|file| resolve::<Stand>(&file, "Original"))
}

fn complaints(text: &str) -> Complaints {
    match plan(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(complaints) => complaints,
    }
}

/// Expects one complaint about the text between ⟦ and ⟧, which says `message` and hints at `hint`.
#[track_caller]
fn one(marked: &str, message: &str, hint: &str) {
    let (before, rest) = marked.split_once('⟦').expect("a place that is marked");
    let (inside, after) = rest.split_once('⟧').expect("a place that is marked");
    let complaints = complaints(&format!("{before}{inside}{after}"));
    let drawn = complaints.to_string();
    let [complaint] = complaints.list() else {
        panic!("expected one complaint:\n{drawn}")
    };
    let place = complaint.place.as_ref().expect("a place");
    assert_eq!(
        place.span,
        before.len()..before.len() + inside.len(),
        "another place is marked:\n{drawn}"
    );
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!((place.line, place.column), (line, column));
    assert!(
        complaint.message.contains(message),
        "expected {message:?}:\n{drawn}"
    );
    let hinted = complaint.hint.as_deref().unwrap_or_default();
    assert!(
        hinted.contains(hint) && hint.is_empty() == hinted.is_empty(),
        "expected {hint:?}:\n{drawn}"
    );
    assert!(
        drawn.contains(&format!("test.ron:{line}:{column}")),
        "no place:\n{drawn}"
    );
}

#[test]
fn a_complaint_looks_like_a_compilers() {
    let drawn = complaints(&with("timeline: [At(\"2s\", Kill(\"c44\"))],")).to_string();
    let expected = [
        "error: there is no host `c44`",
        " --> test.ron:4:30",
        "  |",
        "4 |     timeline: [At(\"2s\", Kill(\"c44\"))],",
        "  |                              ^^^^^",
        "  |",
        "  = help: did you mean `c4`?",
    ];
    assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn colours_change_nothing_of_what_is_said() {
    let complaints = complaints(&with("limit: 5,"));
    let coloured = complaints.render(Style::Coloured);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    assert_eq!(plain, complaints.render(Style::Plain));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = with(
        "profile: \"brisc\",
    network: (loss: 5, latency: Uniform(\"9ms\", \"1ms\")),
    timeline: [At(\"40s\", Kill(\"s\")), At(\"2s\", HealAl), At(\"3s\", Kill(\"z\"))],
    expect: { Original: Violated(\"one_servr\") },
    tags: [\"Scale\"],
    sed: 7,",
    );
    let complaints = complaints(&text);
    let said: Vec<(usize, &str)> = complaints
        .list()
        .iter()
        .map(|complaint| {
            (
                complaint.place.as_ref().map_or(0, |place| place.line),
                complaint.message.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (4, "hac has no profile `brisc`"),
            (5, "`5` is not a ratio"),
            (5, "the range of latency runs backwards"),
            (6, "40s is not before the end of the run"),
            (6, "there is no fault `HealAl`"),
            (6, "there is no host `z`"),
            (7, "nothing is said of the rule set `Hardened`"),
            (7, "hac has no invariant `one_servr`"),
            (8, "this is not a tag"),
            (9, "a scenario has no field `sed`"),
        ]
    );
}
