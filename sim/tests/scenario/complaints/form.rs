//! What is no scenario at all, and what a file says of itself.

use squall_sim::scenario::ScenarioFile;

use super::{one, plan, with};

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
