//! Hosts and their settings.

use super::{one, with};

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
    one(
        &with("config: (retries: ⟦-1⟧),"),
        "expected a whole number from 0 to 4294967295",
        "",
    );
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
        "longer than ten years",
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
fn a_clock_says_how_it_stands_or_how_it_goes() {
    let clock = |clock: &str| {
        format!("Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server, clock: {clock})])")
    };
    one(&clock("⟦()⟧"), "says nothing of the clock", "`(offset: \"3s\")`");
    one(&clock("⟦\"3s\"⟧"), "this is not a clock", "named fields");
    one(&clock("(offset: ⟦\"-3s\"⟧)"), "is negative", "");
    one(
        &clock("(⟦ofset⟧: \"3s\", drift_ppm: 1)"),
        "no field `ofset`",
        "did you mean `offset`?",
    );
    one(
        &clock("(drift_ppm: ⟦\"200\"⟧)"),
        "from -500000 to 1000000",
        "without quotes: `200`",
    );
    for wrong in ["-500001", "1000001", "1.5"] {
        one(
            &clock(&format!("(drift_ppm: ⟦{wrong}⟧)")),
            "from -500000 to 1000000",
            "",
        );
    }
}
