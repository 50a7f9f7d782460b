//! What is said about files that cannot be: the place, what is wrong, what would be right, and nothing else besides.

mod stand;

use proptest::prelude::*;
use squall_nodes::{HostId, Time};
use squall_sim::plan::{Latency, Plan, Trigger, address_of};
use squall_sim::scenario::{Complaints, LARGEST, SHORTEST_INTERVAL, ScenarioFile, Style, resolve};
use stand::Stand;

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

#[test]
fn what_is_not_ron_is_complained_about_alone() {
    one(
        "Scenario(\n    protocol: ⟦\"⟧hac,\n)",
        "never closed",
        "close it with `\"`",
    );
    one(
        "Scenario(\n    hosts: ⟦[⟧(name: \"a\")",
        "never closed",
        "close it with `]`",
    );
    one(
        "Scenario(\n    protocol: \"hac\" ⟦h⟧osts: [])",
        "expected `,` or `)`",
        "",
    );
    one("Scenario(protocol ⟦\"⟧hac\")", "expected `,` or `)`", "");
    one(
        "Scenario(protocol: \"hac\") ⟦)⟧",
        "after the end",
        "one `Scenario(…)`",
    );
    one(
        "⟦#⟧![enable(implicit_some)] Scenario()",
        "attributes",
        "take it away",
    );
    one(
        &with("measures: [Fact(\"rejoined\", ⟦each⟧: Client)],"),
        "mixed",
        "either every part has a name",
    );
    one(
        &with("timeline: [At(\"2s\", Kill(⟦;⟧))],"),
        "expected a value, found `;`",
        "",
    );
    one("⟦⟧", "the file ends where a value should be", "");
    one(
        "// nothing but a story⟦⟧",
        "the file ends where a value should be",
        "",
    );
    one("⟦/*⟧ Scenario()", "never closed", "`*/`");
}

#[test]
fn a_file_without_a_protocol_or_hosts_is_no_scenario() {
    one(
        "⟦Scenario⟧(hosts: [(name: \"s\", role: Server)])",
        "`protocol` is missing",
        "such as `protocol: \"hac\"`",
    );
    one(
        "⟦Scenario⟧(protocol: \"hac\")",
        "`hosts` is missing",
        "such as `hosts: [(name: \"a\"",
    );
    one(
        "Scenario(protocol: \"hac\", hosts: ⟦[]⟧)",
        "this list of hosts is empty",
        "put something in it",
    );
    one("⟦Scenary⟧(protocol: \"hac\")", "a file holds a `Scenario(…)`", "");
    one("⟦[1]⟧", "this is not a scenario", "named fields");
    one(
        "Scenario(protocol: ⟦hac⟧, hosts: [])",
        "expected a protocol's name in quotes",
        "put it in quotes: `\"hac\"`",
    );
}

#[test]
fn a_protocol_that_nobody_knows_is_compared_with_those_that_are_known() {
    let file = ScenarioFile::parse("test.ron", "Scenario(protocol: \"hack\", hosts: [])".to_owned()).unwrap();
    let drawn = file.unknown_protocol(["echo", "hac"]).to_string();
    assert!(
        drawn.contains("there is no protocol `hack`") && drawn.contains("test.ron:1:20"),
        "{drawn}"
    );
    assert!(drawn.contains("did you mean `hac`?"), "{drawn}");
}

#[test]
fn another_format_is_not_guessed_at() {
    one(
        &with("format: ⟦2⟧,"),
        "this is format `2`",
        "a newer Squall may read it",
    );
    assert!(plan(&with("format: 1,")).is_ok());
}

#[test]
fn nothing_is_written_twice() {
    one(
        &with("seed: 1, ⟦seed⟧: 2,"),
        "`seed` is written twice",
        "keep one",
    );
    one(
        &with("expect: { Original: Held, Hardened: Held, ⟦Original⟧: Held },"),
        "`Original` is written twice",
        "keep one",
    );
    one(
        &with("config: (retries: 2, ⟦retries⟧: 3),"),
        "`retries` is written twice",
        "keep one",
    );
    one(
        &with("invariants: [tables_agree(), ⟦tables_agree⟧()],"),
        "written twice",
        "keep one",
    );
    one(
        &with("tags: [\"a\", ⟦\"a\"⟧],"),
        "the tag `a` is written twice",
        "",
    );
}

#[test]
fn settings_are_checked_field_by_field() {
    one(
        &with("config: (⟦client_timout⟧: \"3s\"),"),
        "hac has no setting `client_timout`",
        "did you mean `client_timeout`?",
    );
    one(
        &with("config: (log: (⟦dept⟧: 3)),"),
        "no setting `dept`",
        "did you mean `depth`?",
    );
    one(
        &with("config: (client_timeout: ⟦\"3 parsecs\"⟧),"),
        "'3 parsecs' is not a length of time",
        "",
    );
    one(
        &with("config: (log: (depth: 1, flush: ⟦7⟧)),"),
        "expected string",
        "",
    );
    one(&with("config: (retries: ⟦-1⟧),"), "integer is out of bounds", "");
    one(
        &with("config: (election: ⟦Vote⟧),"),
        "there is no `Vote` here",
        "did you mean `Votes`?",
    );
    one(
        &with("config: (election: Votes(quorum: ⟦\"two\"⟧)),"),
        "expected integer",
        "",
    );
    one(&with("config: (sample: ⟦1e400⟧),"), "not a finite number", "");
    one(&with("config: (sample: ⟦NaN⟧),"), "not a finite number", "");
    one(
        &with("config: (client_timeout: ⟦\"99999999999999999999s\"⟧),"),
        "not a length of time",
        "",
    );
    one(
        &with("config: (client_timeout: ⟦\"11years\"⟧),"),
        "longer than ten years",
        "",
    );
    one(&with("config: ⟦[]⟧,"), "these are not settings", "named fields");
}

#[test]
fn what_the_protocol_refuses_is_placed_at_the_setting_or_at_the_hosts() {
    one(
        &with("config: (retries: ⟦0⟧),"),
        "s would never ask",
        "at least 1",
    );
    one(
        "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server), (name: \"a\", role: Client, config: (retries: ⟦0⟧))])",
        "a would never ask",
        "at least 1",
    );
    one(
        "Scenario(protocol: \"hac\", hosts: ⟦[⟧(name: \"a\", role: Client)])",
        "a cluster has one server, and this one has 0",
        "",
    );
}

#[test]
fn hosts_are_named_by_the_rules_and_once() {
    let hosts =
        |hosts: &str| format!("Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server), {hosts}])");
    one(
        &hosts("(name: ⟦\"s\"⟧, role: Client)"),
        "two hosts called `s`",
        "unique",
    );
    one(
        &hosts("(name: ⟦\"1c\"⟧, role: Client)"),
        "`1c` is not the name of a host",
        "begins with a letter",
    );
    one(
        &hosts("(name: ⟦\"c1..4\"⟧, role: Client)"),
        "not a range of hosts",
        "`\"c1..c4\"`",
    );
    one(
        &hosts("(name: ⟦\"c01..c04\"⟧, role: Client)"),
        "not a range of hosts",
        "without zeros ahead",
    );
    one(
        &hosts("(name: ⟦\"c4..c1\"⟧, role: Client)"),
        "runs backwards",
        "write `\"c1..c4\"`",
    );
    one(
        &hosts("(name: \"a\", role: ⟦Clent⟧)"),
        "there is no `Clent` here",
        "did you mean `Client`?",
    );
    one(
        &hosts("(name: \"a\", role: Witness(⟦zon⟧: 1))"),
        "`zone` is missing",
        "did you mean `zone`?",
    );
    one(&hosts("⟦(⟧name: \"a\")"), "`role` is missing", "such as");
    one(
        &hosts("(name: \"a\", role: Client, ⟦start⟧: \"1s\")"),
        "a host has no field `start`",
        "did you mean `starts`?",
    );
    one(
        &hosts("(name: \"a\", role: Client, starts: ⟦\"30s\"⟧)"),
        "start when the run is over",
        "ends at 30s",
    );
    one(&hosts("⟦\"a\"⟧"), "this is not a host", "named fields");
}

#[test]
fn links_lead_from_hosts_to_others_and_differ_in_something() {
    let links = |links: &str| with(&format!("network: (links: [{links}]),"));
    one(
        &links("(from: \"s\", to: ⟦\"c9\"⟧, loss: 0.5)"),
        "there is no host `c9`",
        "did you mean",
    );
    one(
        &links("⟦(⟧from: \"s\", to: \"s\", loss: 0.5)"),
        "from a host to another",
        "crosses no link",
    );
    one(
        &links("⟦(⟧from: \"s\", to: \"c1\")"),
        "says nothing of the link",
        "`latency`",
    );
    one(
        &links("(from: \"s\", to: ⟦[]⟧, loss: 0.5)"),
        "names no host",
        "at least one",
    );
    one(
        &links("(from: ⟦[\"c1..c3\", \"c2\"]⟧, to: \"s\", loss: 0.5)"),
        "`c2` is named twice",
        "",
    );
    one(
        &links("(from: ⟦\"@claimant\"⟧, to: \"s\", loss: 0.5)"),
        "nobody here",
        "`When(…)`",
    );
    one(
        &links("(from: \"s\", to: \"*\", loss: ⟦-0.5⟧)"),
        "not a ratio",
        "from 0 to 1",
    );
}

#[test]
fn ratios_and_latencies_stay_within_their_bounds() {
    for wrong in ["-0.1", "\"half\"", "true", "101"] {
        one(
            &with(&format!("network: (loss: ⟦{wrong}⟧),")),
            "is not a ratio",
            "from 0 to 1",
        );
    }
    one(
        &with("network: (duplicate: ⟦5⟧),"),
        "`5` is not a ratio",
        "5 % is `0.05`",
    );
    for wrong in ["inf", "NaN", "-inf", "1e999"] {
        one(
            &with(&format!("network: (reorder: ⟦{wrong}⟧),")),
            "not a finite number",
            "",
        );
    }
    one(
        &with("network: (latency: ⟦Uniform(\"9ms\", \"1ms\")⟧),"),
        "runs backwards",
        "`Uniform(\"1ms\", \"9ms\")`",
    );
    one(
        &with("network: (latency: Constant(⟦\"30s\"⟧)),"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &with("network: (latency: ⟦Unifrom⟧(\"1ms\", \"2ms\")),"),
        "not a law of latency",
        "did you mean `Uniform`?",
    );
    one(
        &with("network: (latency: ⟦Uniform(\"1ms\")⟧),"),
        "does not look like this",
        "`Uniform(\"1ms\", \"10ms\")`",
    );
    one(
        &with("persist: ⟦\"1ms\"⟧,"),
        "not a law of latency",
        "`Constant(\"3ms\")`",
    );
    one(&with("tolerated: (loss: ⟦1.0⟧),"), "below 1", "promises nothing");
    one(
        &with("network: (reorder_by: ⟦\"-5ms\"⟧),"),
        "'-5ms' is not a length of time",
        "",
    );
}

#[test]
fn faults_happen_before_the_end_to_hosts_that_there_are() {
    let timeline = |entry: &str| with(&format!("timeline: [{entry}],"));
    one(
        &timeline("At(⟦\"30s\"⟧, Kill(\"s\"))"),
        "30s is not before the end of the run",
        "ends at 30s",
    );
    one(
        &timeline("At(⟦2⟧, Kill(\"s\"))"),
        "expected a length of time",
        "`\"2s\"`",
    );
    one(
        &timeline("At(\"2s\", ⟦Kil⟧(\"s\"))"),
        "there is no fault `Kil`",
        "did you mean `Kill`?",
    );
    one(
        &timeline("At(\"2s\", ⟦Kill(\"s\", \"c1\")⟧)"),
        "does not look like this",
        "`Kill([\"a\", \"b\"])`",
    );
    one(
        &timeline("At(\"2s\", Kill(⟦s⟧))"),
        "expected the names of hosts",
        "`\"c1..c4\"`",
    );
    one(
        &timeline("At(\"2s\", Kill(⟦\"c1..c9\"⟧))"),
        "there is no host `c5`",
        "did you mean",
    );
    one(
        &timeline("⟦Att⟧(\"2s\", Kill(\"s\"))"),
        "says when something is done",
        "did you mean `At`?",
    );
    one(
        &timeline("⟦Kill⟧(\"s\")"),
        "says when something is done",
        "say when: `At(\"2s\", Kill…)`",
    );
    one(
        &timeline("⟦At(\"2s\")⟧"),
        "does not look like this",
        "`At(\"2s\", Kill(\"a\"))`",
    );
    one(
        &timeline("At(\"2s\", Kill(⟦\"@claimant\"⟧))"),
        "nobody here",
        "`When(…)`",
    );
    one(
        &timeline("At(\"2s\", Partition(⟦[]⟧))"),
        "empty",
        "put something in it",
    );
    one(
        &timeline("At(\"2s\", Partition([[\"s\"], ⟦[]⟧]))"),
        "names no host",
        "at least one",
    );
    one(
        &timeline("At(\"2s\", Partition(⟦[[\"s\", \"c1\"], [\"c1\"]]⟧))"),
        "`c1` is named twice",
        "",
    );
    one(
        &timeline("At(\"2s\", ⟦Partition([\"*\"])⟧)"),
        "this cuts nothing",
        "none is left",
    );
    one(
        &timeline("At(\"2s\", ⟦OneWay(from: \"s\", to: \"s\")⟧)"),
        "this cuts nothing",
        "reaches itself",
    );
    one(
        &timeline("At(\"2s\", OneWay(from: \"s\", ⟦too⟧: \"c1\", to: \"c2\"))"),
        "no field `too`",
        "did you mean `to`?",
    );
}

#[test]
fn what_happens_again_and_again_does_so_within_bounds() {
    let every = |times: &str| with(&format!("timeline: [Every({times}, do: Kill(\"s\"))],"));
    one(
        &every("interval: ⟦\"1ns\"⟧"),
        "every 1ns is too often",
        "the shortest interval is 1us",
    );
    one(
        &every("interval: ⟦\"0s\"⟧"),
        "every 0ns is too often",
        "the shortest interval is 1us",
    );
    one(
        &every("interval: ⟦\"1us\"⟧, from: \"1s\""),
        "this happens 29000000 times",
        "at most 1000000",
    );
    one(
        &every("interval: \"1s\", from: \"5s\", until: ⟦\"5s\"⟧"),
        "this never happens",
        "the first time is 5s",
    );
    one(
        &every("interval: \"1s\", until: ⟦\"31s\"⟧"),
        "after the end of the run",
        "left out",
    );
    one(
        &with("timeline: [⟦Every⟧(do: Kill(\"s\"))],"),
        "`interval` is missing",
        "such as",
    );
    one(
        &with("workload: [Every(interval: ⟦\"10ns\"⟧, of: \"*\", command: Status)],"),
        "too often",
        "1us",
    );
}

#[test]
fn triggers_wait_for_facts_that_there_are() {
    let when = |trigger: &str| with(&format!("timeline: [When({trigger}, do: Kill(\"@claimant\"))],"));
    one(
        &when("fact: ⟦\"promotd\"⟧"),
        "hac has no fact `promotd`",
        "did you mean `promoted`?",
    );
    one(&when("fact: \"promoted\", nth: ⟦0⟧"), "from 1 to 4294967295", "");
    one(
        &when("fact: \"promoted\", by: ⟦\"c7\"⟧"),
        "no host `c7`",
        "did you mean",
    );
    one(
        &when("fact: \"promoted\", after: ⟦\"1h\"⟧"),
        "never reached",
        "ends at 30s",
    );
    one(
        &when("fact: \"promoted\", ⟦aftr⟧: \"1s\""),
        "no field `aftr`",
        "did you mean `after`?",
    );
}

#[test]
fn nothing_is_undone_that_was_never_done() {
    let timeline = |entries: &str| with(&format!("timeline: [{entries}],"));
    one(&timeline("At(\"2s\", ⟦HealAll⟧)"), "never cut", "`Partition`");
    one(
        &timeline("At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never cut",
        "nothing is cut",
    );
    one(
        &timeline("At(\"1s\", Partition([[\"c1\"]])), At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never cut",
        "the same hosts",
    );
    one(
        &timeline("At(\"3s\", Partition([[\"s\"]])), At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never cut",
        "the same hosts",
    );
    one(
        &timeline("At(\"2s\", ⟦Restart(\"s\")⟧)"),
        "`s` can never be down",
        "`Kill` or a `PowerCut`",
    );
    one(
        &timeline("At(\"2s\", Kill(\"c1\")), At(\"3s\", ⟦Wipe([\"c1\", \"c2\"])⟧)"),
        "`c2` can never be down",
        "first",
    );
    one(
        &timeline("At(\"2s\", Pause(\"c1\")), At(\"1s\", ⟦Resume(\"c1\")⟧)"),
        "never be paused",
        "`Pause`",
    );
    one(
        &timeline("At(\"2s\", Heal(⟦Kill(\"s\")⟧))"),
        "never a cut",
        "`Heal(Partition(…))`",
    );
}

#[test]
fn what_may_have_been_done_may_be_undone() {
    for entries in [
        // The same cut, written in another order.
        "At(\"1s\", Partition([[\"c1\", \"c2\"], [\"s\"]])), At(\"2s\", Heal(Partition([[\"s\"], [\"c2\", \"c1\"]])))",
        // A trigger may go off at any time.
        "At(\"1s\", Kill(\"s\")), When(fact: \"promoted\", do: Restart(\"s\"))",
        "When(fact: \"promoted\", do: Kill(\"@claimant\")), At(\"9s\", Restart(\"c1\"))",
        "When(fact: \"promoted\", do: OneWay(from: \"@claimant\", to: \"s\")), At(\"1s\", HealAll)",
        "Every(interval: \"2s\", do: Pause(\"s\")), Every(interval: \"2s\", from: \"1s\", do: Resume(\"s\"))",
        "At(\"1s\", Kill(\"s\")), At(\"1s\", Restart(\"s\"))",
    ] {
        if let Err(complaints) = plan(&with(&format!("timeline: [{entries}],"))) {
            panic!("{complaints}");
        }
    }
    let late = "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server, starts: \"5s\")], \
                timeline: [At(\"1s\", Restart(\"s\"))])";
    assert!(plan(late).is_ok());
}

#[test]
fn commands_are_the_protocols() {
    let workload = |entry: &str| with(&format!("workload: [{entry}],"));
    one(
        &workload("At(time: \"1s\", of: \"c1\", command: ⟦Statuss⟧)"),
        "there is no `Statuss` here",
        "did you mean `Status`?",
    );
    one(
        &workload("At(time: \"1s\", of: \"c1\", command: Put(key: \"a\", value: ⟦\"b\"⟧))"),
        "expected integer",
        "",
    );
    one(
        &workload("At(time: \"1s\", of: \"c1\", command: ⟦Put⟧(key: \"a\"))"),
        "`value` is missing",
        "",
    );
    one(
        &workload("At(time: \"1s\", of: ⟦\"c5\"⟧, command: Status)"),
        "no host `c5`",
        "did you mean",
    );
    one(
        &workload("At(time: ⟦\"1h\"⟧, of: \"c1\", command: Status)"),
        "not before the end",
        "raise `limit`",
    );
    one(
        &workload("⟦At⟧(time: \"1s\", command: Status)"),
        "`of` is missing",
        "such as `of: \"*\"`",
    );
    one(
        &workload("⟦When⟧(fact: \"promoted\")"),
        "says when something is asked",
        "`At`, `Every`",
    );
}

#[test]
fn invariants_are_the_protocols_and_so_are_their_parameters() {
    one(
        &with("invariants: [⟦one_serve⟧()],"),
        "hac has no invariant `one_serve`",
        "did you mean `one_server`?",
    );
    one(
        &with("invariants: [tables_agree(⟦bond⟧: \"1s\")],"),
        "no field `bond`",
        "did you mean `bound`?",
    );
    one(
        &with("invariants: [tables_agree(bound: ⟦\"soon\"⟧)],"),
        "'soon' is not a length of time",
        "",
    );
    one(
        &with("invariants: [ids_unique(⟦bound⟧: \"1s\")],"),
        "no field `bound`",
        "",
    );
    one(&with("invariants: [⟦served⟧()],"), "`at_least` is missing", "");
    one(
        &with("without: [⟦\"ids_unik\"⟧],"),
        "no invariant `ids_unik`",
        "did you mean `ids_unique`?",
    );
    one(
        &with("invariants: [ids_unique()], without: [⟦\"hac.ids_unique\"⟧],"),
        "asked for and turned off",
        "take it from",
    );
}

#[test]
fn a_written_promise_of_quiet_is_left_time_for() {
    one(
        &with("config: (client_timeout: \"300ms\"), invariants: [⟦tables_agree⟧(bound: \"31s\")],"),
        "hac.tables_agree is never judged: it takes 31s of quiet",
        "the longest quiet is 30s",
    );
    one(
        &with(
            "timeline: [Every(interval: \"2s\", do: Partition([[\"s\"]])), Every(interval: \"2s\", from: \"3s\", do: HealAll)],
    invariants: [⟦tables_agree⟧(bound: \"3s\")],",
        ),
        "it takes 3s of quiet",
        "the longest quiet is 2s",
    );
    one(
        &with("timeline: [Every(interval: \"2s\", do: Kill(\"c1\")), Every(interval: \"2s\", from: \"3s\", do: Restart(\"c1\"))],
    invariants: [⟦tables_agree⟧(bound: \"2500ms\")],"),
        "it takes 2500ms of quiet",
        "the longest quiet is 2s",
    );
    one(
        &with("network: (loss: 0.2), invariants: [⟦tables_agree⟧()],"),
        "the links are never quiet",
        "0.2",
    );
    // A second kill of the same host changes nothing, so that nobody is disturbed.
    let killed =
        "timeline: [Every(interval: \"2s\", do: Kill(\"c1\"))], invariants: [tables_agree(bound: \"25s\")],";
    assert!(plan(&with(killed)).is_ok());
    // What is not written is not asked for.
    assert!(plan(&with("network: (loss: 0.2),")).is_ok());
}

#[test]
fn expectations_name_rule_sets_and_invariants_that_are_judged() {
    one(
        &with("expect: { Original: Held, ⟦Hardned⟧: Held, Hardened: Held },"),
        "no rule set `Hardned`",
        "did you mean `Hardened`?",
    );
    one(
        &with("expect: ⟦{⟧ Original: Held },"),
        "nothing is said of the rule set `Hardened`",
        "add `Hardened: Held`",
    );
    one(
        &with("expect: Violated(⟦\"one_servr\"⟧),"),
        "no invariant `one_servr`",
        "did you mean `one_server`?",
    );
    one(
        &with("expect: Violated(⟦\"hac.served\"⟧),"),
        "hac.served is not judged",
        "`invariants: [served()]`",
    );
    one(
        &with("without: [\"ids_unique\"], expect: Violated(⟦\"ids_unique\"⟧),"),
        "is not judged",
        "expect something else",
    );
    one(&with("expect: ⟦Hold⟧,"), "not a verdict", "did you mean `Held`?");
    one(&with("expect: Violated(⟦[]⟧),"), "empty", "put something in it");
}

#[test]
fn measures_begin_and_end_with_what_can_happen() {
    let measure = |from: &str, to: &str| {
        with(&format!(
            "timeline: [At(\"2s\", PowerCut(\"s\"))], measures: [Latency(name: \"m\", from: {from}, to: {to})],"
        ))
    };
    one(
        &measure("Fault(⟦PowrCut⟧)", "Fact(\"promoted\")"),
        "no kind of fault `PowrCut`",
        "did you mean `PowerCut`?",
    );
    one(
        &measure("Fault(⟦Kill⟧)", "Fact(\"promoted\")"),
        "nothing in the timeline is a `Kill`",
        "something that happens",
    );
    one(
        &measure("Fault(⟦Wipe⟧)", "Fact(\"promoted\")"),
        "no kind of fault `Wipe`",
        "`Restart`",
    );
    one(
        &measure("Fact(name: ⟦\"suspect\"⟧)", "Fact(\"promoted\")"),
        "no fact `suspect`",
        "did you mean `suspected`?",
    );
    one(
        &measure("Fact(\"suspected\")", "Fact(name: \"rejoined\", each: ⟦Clients⟧)"),
        "no host has the role `Clients`",
        "did you mean `Client`?",
    );
    one(
        &measure("Fact(name: \"suspected\", ⟦each⟧: Client)", "Fact(\"promoted\")"),
        "no field `each`",
        "there is only `name`",
    );
    one(
        &with("measures: [⟦Count⟧(name: \"m\")],"),
        "this is not a measure",
        "there is only `Latency`",
    );
}

#[test]
fn a_file_says_of_itself_only_what_makes_sense() {
    one(
        &with("tags: [⟦\"Scale\"⟧],"),
        "this is not a tag",
        "small letters",
    );
    one(&with("seed: ⟦-1⟧,"), "from 0 to 18446744073709551615", "");
    one(
        &with("limit: ⟦\"0s\"⟧,"),
        "a run cannot last 0ns",
        "more than nothing",
    );
    one(&with("limit: ⟦\"25h\"⟧,"), "a run cannot last 25h", "at most 24h");
    one(&with("max_events: ⟦0⟧,"), "from 1 to 10000000000", "");
    one(
        &with("tags: [\"flaw\"], timeline: [At(\"1s\", Kill(\"s\"))], scenery: [⟦1⟧],"),
        "no entry 1",
        "the last one is 0",
    );
    one(&with("tags: [\"flaw\"], scenery: [⟦0⟧],"), "no entry 0", "empty");
    one(
        &with("timeline: [At(\"1s\", Kill(\"s\"))], scenery: ⟦[0]⟧,"),
        "not tagged so",
        "`tags: [\"flaw\"]`",
    );
    one(
        &with("flaw: ⟦NeedsNoFault⟧,"),
        "not tagged so",
        "`tags: [\"flaw\"]`",
    );
    one(
        &with("tags: [\"flaw\"], flaw: ⟦NeedsNothing⟧,"),
        "what the flaw needs",
        "`NeedsNoFault`",
    );
}

#[test]
fn an_unreadable_file_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.ron");
    let drawn = ScenarioFile::read(&missing).unwrap_err().to_string();
    assert!(
        drawn.contains("missing.ron") && drawn.contains("cannot be read"),
        "{drawn}"
    );
    assert!(
        ScenarioFile::read(folder.path())
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    let binary = folder.path().join("binary.ron");
    std::fs::write(&binary, b"Scenario(\n\xff)").unwrap();
    let drawn = ScenarioFile::read(&binary).unwrap_err().to_string();
    assert!(
        drawn.contains("binary.ron") && drawn.contains("line 2 is not UTF-8"),
        "{drawn}"
    );
    let good = folder.path().join("good.ron");
    std::fs::write(&good, with("")).unwrap();
    let file = ScenarioFile::read(&good).unwrap();
    assert_eq!(file.name(), good.display().to_string());
}

/// Refused before anything grows with what the file asks for. A bound that is missing shows as a test that does not end.
#[track_caller]
fn refused_at_once(text: String, message: &str) {
    let drawn = complaints(&text).to_string();
    assert!(
        drawn.contains(message),
        "expected {message:?}:\n{}",
        drawn.chars().take(2_000).collect::<String>()
    );
}

#[test]
fn a_huge_file_is_refused_at_once() {
    let hosts = |hosts: &str| format!("Scenario(protocol: \"hac\", hosts: [{hosts}])");
    refused_at_once(
        hosts("(name: \"c1..c1000000\", role: Client)"),
        "more than 20000 hosts",
    );
    refused_at_once(
        hosts("(name: \"c0..c18446744073709551615\", role: Client)"),
        "more than 20000 hosts",
    );
    refused_at_once(
        with("timeline: [Every(interval: \"1ns\", do: Kill(\"s\"))],"),
        "too often",
    );
    refused_at_once("[".repeat(10_000_000), "larger than 1 MiB");
    refused_at_once("[".repeat(LARGEST), "nested deeper than 64 levels");
    refused_at_once("(a:".repeat(LARGEST / 3), "nested deeper than 64 levels");
    refused_at_once(
        with(&format!("tags: [{}],", "\"a\",".repeat(200_000))),
        "at most 64 tags",
    );
    refused_at_once(
        with(&format!("timeline: [{}],", "1,".repeat(500_000))),
        "500000 entries",
    );
    refused_at_once(
        with(&format!("timeline: [{}],", "1,".repeat(100_000))),
        "more in test.ron",
    );
    refused_at_once(
        with(&format!("config: ({}),", "retries:1,".repeat(100_000))),
        "`retries` is written twice",
    );
    refused_at_once(
        with(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"z\")),".repeat(50_000)
        )),
        "no host `z`",
    );
    refused_at_once(
        with(&format!("seed: \"{}\",", "x".repeat(1_000_000))),
        "expected a whole number",
    );
    refused_at_once(
        with(&format!("seed: {},", "9".repeat(1_000_000))),
        "expected a whole number",
    );
    let many = "hosts: [(name: \"s\", role: Server), (name: \"c1..c10000\", role: Client)]";
    let all = |lines: &str| {
        with(lines).replace(
            "hosts: [(name: \"s\", role: Server), (name: \"c1..c4\", role: Client)]",
            many,
        )
    };
    refused_at_once(
        all("network: (links: [(from: \"*\", to: \"*\", loss: 0.5)]),"),
        "more than 1000000 links",
    );
    refused_at_once(
        all(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"*\")),".repeat(50_000)
        )),
        "more than 2000000 hosts",
    );
    refused_at_once(
        all(&format!(
            "timeline: [{}],",
            "At(\"1s\",Kill(\"d1\")),".repeat(45_000)
        )),
        "there is no host `d1`",
    );
}

const WHOLE: &str = include_str!("../src/scenario/mod.rs");

/// The file with every field that the format's description has.
fn whole() -> String {
    let lines = WHOLE.lines().map(|line| {
        line.strip_prefix("//! ")
            .or(line.strip_prefix("//!"))
            .unwrap_or(line)
    });
    let block = lines
        .skip_while(|line| !line.starts_with("# let text"))
        .skip(1)
        .take_while(|line| !line.starts_with("# "));
    block.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_described_file_is_fine_under_both_rule_sets() {
    let file = ScenarioFile::parse("example.ron", whole()).unwrap();
    for rules in ["Original", "Hardened"] {
        if let Err(complaints) = resolve::<Stand>(&file, rules) {
            panic!("{complaints}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        if let Err(complaints) = plan(&text) {
            prop_assert!(!complaints.render(Style::Coloured).is_empty());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes.ron");
        std::fs::write(&path, bytes).unwrap();
        let read = ScenarioFile::read(&path).and_then(|file| resolve::<Stand>(&file, "Original"));
        prop_assert!(read.is_err());
    }

    /// A good file with pieces of itself and others put in its place is refused with places inside it, or is fine.
    #[test]
    fn no_mutated_file_makes_it_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,2}"), 1..6)
    ) {
        let whole = whole();
        let mut text: Vec<char> = whole.chars().collect();
        let source = text.clone();
        for (at, cut, from, copy, between) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            let from = from.index(source.len());
            let copied = &source[from..(from + copy).min(source.len())];
            let put: Vec<char> = copied.iter().copied().chain(between.chars()).collect();
            text.splice(at..end, put);
        }
        let text: String = text.into_iter().collect();
        match plan(&text) {
            Ok(plan) => prop_assert!(is_within_bounds(&plan), "{text}"),
            Err(complaints) => {
                prop_assert!(!complaints.list().is_empty());
                for complaint in complaints.list() {
                    let place = complaint.place.as_ref().map_or(0..0, |place| place.span.clone());
                    prop_assert!(text.get(place).is_some());
                }
                prop_assert!(!complaints.to_string().is_empty());
            }
        }
    }
}

/// Whether a plan is one that the engine can run: what it relies on without looking again.
fn is_within_bounds(plan: &Plan<Stand>) -> bool {
    let end = Time::ZERO + plan.limit;
    let ratio = |ratio: f64| (0.0..=1.0).contains(&ratio);
    let in_order = |latency: &Latency| match latency {
        Latency::Constant(_) => true,
        Latency::Uniform(low, high) => low <= high,
    };
    let laws = std::iter::once(&plan.network.default).chain(plan.network.links.iter().map(|(_, law)| law));
    let laws = laws
        .into_iter()
        .all(|law| ratio(law.loss) && ratio(law.duplicate) && ratio(law.reorder) && in_order(&law.latency));
    let on_time = plan.timeline.iter().all(|step| match &step.trigger {
        Trigger::At(at) => *at < end,
        Trigger::Every {
            first,
            interval,
            until,
        } => first < until && *until <= end && *interval >= SHORTEST_INTERVAL,
        Trigger::When { nth, .. } => *nth >= 1,
    });
    let asked = plan.workload.iter().all(|work| {
        work.first < work.until
            && !work.of.is_empty()
            && work.of.iter().all(|host| host.index() < plan.hosts.len())
    });
    let placed = plan
        .hosts
        .iter()
        .zip(0..)
        .all(|(host, id)| host.placed.ip == address_of(HostId(id)));
    laws && in_order(&plan.persist) && on_time && asked && placed && !plan.limit.is_zero()
}
