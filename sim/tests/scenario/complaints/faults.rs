//! Faults by their shapes and figures.

use super::{one, plan, with};

fn at(fault: &str) -> String {
    with(&format!("timeline: [At(\"2s\", {fault})],"))
}

#[test]
fn a_fault_that_does_not_look_like_one_shows_how_it_looks() {
    for (wrong, hint) in [
        ("Jump(\"s\")", "`Jump(who: \"a\", by: \"2s\")`"),
        (
            "Bridge([[\"s\"]])",
            "`Bridge(over: \"c\", sides: [[\"a\"], [\"b\"]])`",
        ),
        ("Ring(\"s\", 1)", "`Ring([\"a\", \"b\", \"c\", \"d\"])`"),
        (
            "Flap(Partition([[\"s\"]]))",
            "`Flap(cut: Partition([[\"a\"]]), down:",
        ),
        ("Link(\"s\", \"c1\")", "`Link(from: \"a\", to: \"*\", loss: 0.5)`"),
        ("Slow(\"s\", \"1ms\")", "`Slow(who: \"a\", by: \"20ms\")`"),
        ("SlowDisk(\"s\")", "`SlowDisk(who: \"a\", by: \"50ms\")`"),
        ("FailingDisk(\"s\")", "`FailingDisk(who: \"a\", share: 0.5)`"),
        ("Drift(\"s\", 500)", "`Drift(who: \"a\", ppm: 500)`"),
        ("Drift", "`Drift(who: \"a\", ppm: 500)`"),
        ("Restart(\"s\", \"c1\")", "`Restart([\"a\", \"b\"])`"),
        ("Partition()", "`Partition([[\"a\", \"b\"], [\"c\"]])`"),
        ("OneWay(\"s\", \"c1\")", "`OneWay(from: \"a\", to: \"b\")`"),
    ] {
        one(&at(&format!("⟦{wrong}⟧")), "does not look like this", hint);
        // In a heal it is said of the layer itself.
        if !wrong.starts_with("Jump") && !wrong.starts_with("Restart") {
            one(&at(&format!("Heal(⟦{wrong}⟧)")), "does not look like this", hint);
        }
    }
    one(
        &at("⟦SlowDsk⟧(who: \"s\", by: \"1ms\")"),
        "there is no fault `SlowDsk`",
        "did you mean `SlowDisk`?",
    );
    one(&at("⟦Slow⟧(by: \"1ms\")"), "`who` is missing", "`who: \"a\"`");
    one(&at("⟦Slow⟧(who: \"s\")"), "`by` is missing", "`by: \"20ms\"`");
    one(
        &at("Drift(who: \"s\", ⟦pmm⟧: 5, ppm: 5)"),
        "no field `pmm`",
        "did you mean `ppm`?",
    );
    one(&at("⟦Bridge⟧(over: \"s\")"), "`sides` is missing", "such as");
}

#[test]
fn a_disk_at_a_restart_is_one_of_those_that_there_are() {
    let restart = |disk: &str| {
        with(&format!(
            "timeline: [At(\"1s\", Kill(\"s\")), At(\"2s\", Restart(\"s\", {disk}))],"
        ))
    };
    one(&restart("⟦Stael⟧"), "no disk is `Stael`", "did you mean `Stale`?");
    one(
        &restart("⟦Frozen⟧"),
        "no disk is `Frozen`",
        "`Kept`, `Wiped`, `Stale`, `Torn`, `Corrupt`",
    );
}

#[test]
fn rings_and_bridges_cut_something_and_name_nobody_twice() {
    one(
        &at("⟦Ring([\"s\", \"c1\", \"c2\"])⟧"),
        "everyone reaches everyone",
        "at least 4 hosts",
    );
    one(
        &at("⟦Ring(hosts: \"*\", reach: 2)⟧"),
        "everyone reaches everyone",
        "at least 6 hosts",
    );
    one(
        &at("⟦Ring(hosts: \"*\", reach: 4294967295)⟧"),
        "everyone reaches everyone",
        "at least 8589934592 hosts",
    );
    one(&at("Ring(hosts: \"*\", reach: ⟦0⟧)"), "from 1 to 4294967295", "");
    one(
        &at("Ring(⟦[\"s\", \"c1\", \"c2\", \"s\", \"c3\"]⟧)"),
        "`s` is named twice",
        "",
    );
    one(
        &at("Bridge(over: \"s\", sides: ⟦[[\"c1\"], [\"c2\", \"c1\"]]⟧)"),
        "`c1` is named twice",
        "",
    );
    one(
        &at("Bridge(over: [\"s\", \"c1\"], sides: ⟦[[\"c1\"]]⟧)"),
        "`c1` is named twice",
        "",
    );
    one(
        &at("⟦Bridge(over: \"s\", sides: [[\"c1..c4\"]])⟧"),
        "this cuts nothing",
        "one more side",
    );
    one(
        &at("Bridge(over: \"s\", sides: ⟦[]⟧)"),
        "empty",
        "put something in it",
    );
    one(
        &at("Bridge(over: ⟦[]⟧, sides: [[\"s\"]])"),
        "names no host",
        "at least one",
    );
    for fine in [
        "Ring(\"c1..c4\")",
        "Bridge(over: \"s\", sides: [[\"c1\"]])",
        "Bridge(over: \"s\", sides: [[\"c1\"], [\"c2..c4\"]])",
    ] {
        assert!(plan(&at(fine)).is_ok(), "{fine}");
    }
}

#[test]
fn sides_are_lists_of_hosts() {
    one(
        &at("Partition(⟦[\"s\", \"c1\"]⟧)"),
        "expected groups, each a list of hosts",
        "`[[\"s\", \"c1\"]]` if they are on one side, `[[\"s\"], [\"c1\"]]` if each is on its own",
    );
    one(
        &at("Heal(Partition(⟦[\"c1..c4\"]⟧))"),
        "expected groups, each a list of hosts",
        "such as `[[\"c1..c4\"]]`",
    );
    one(
        &at("Bridge(over: \"s\", sides: ⟦[[\"c1\"], \"c2\"]⟧)"),
        "expected sides, each a list of hosts",
        "a host alone is a list too: `[\"c2\"]`",
    );
    one(
        &at("Partition(⟦[\"s\", \"c1\", \"c2\", \"c3\", \"c4\"]⟧)"),
        "expected groups",
        "`[[\"s\", \"c1\", \"c2\", \"c3\", …]]`",
    );
}

#[test]
fn what_flaps_is_a_cut_and_takes_its_time() {
    let flap = |cut: &str, down: &str, up: &str| at(&format!("Flap(cut: {cut}, down: {down}, up: {up})"));
    let cut = "Partition([[\"s\"]])";
    one(&flap(cut, "⟦\"0s\"⟧", "\"1s\""), "`down` is too short", "1us");
    one(&flap(cut, "\"1s\"", "⟦\"999ns\"⟧"), "`up` is too short", "1us");
    one(
        &flap(cut, "\"1s\"", "⟦\"30s\"⟧"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &flap("⟦Kill⟧(\"s\")", "\"1s\"", "\"1s\""),
        "only a cut can flap",
        "`Partition`",
    );
    one(
        &flap("⟦Slow⟧(who: \"s\", by: \"1ms\")", "\"1s\"", "\"1s\""),
        "only a cut can flap",
        "`OneWay`",
    );
    one(
        &flap("⟦Link⟧(from: \"s\", to: \"*\", loss: 1)", "\"1s\"", "\"1s\""),
        "only a cut can flap",
        "a `Link` comes and goes by an `Every` that lays it",
    );
    one(
        &flap("⟦Partition(\"s\", \"c1\")⟧", "\"1s\"", "\"1s\""),
        "does not look like this",
        "`Partition(",
    );
    one(
        &at("⟦Flap(cut: Partition([[\"s\"]]), down: \"1us\", up: \"1us\")⟧"),
        "cut up to 14000000 times",
        "at most 1000000",
    );
    one(
        &at("⟦Flap⟧(cut: Partition([[\"s\"]]), down: \"1s\")"),
        "`up` is missing",
        "such as",
    );
    let late = "timeline: [At(\"29s\", Flap(cut: Partition([[\"s\"]]), down: \"1us\", up: \"1us\"))],";
    assert!(plan(&with(late)).is_ok());
}

#[test]
fn the_figures_of_a_fault_are_more_than_nothing_and_within_bounds() {
    one(
        &at("Jump(who: \"s\", by: ⟦\"0s\"⟧)"),
        "jumps by nothing",
        "more than nothing",
    );
    one(&at("Jump(who: \"s\", by: ⟦\"-1s\"⟧)"), "is negative", "");
    one(
        &at("Slow(who: \"s\", by: ⟦\"0s\"⟧)"),
        "slower by nothing",
        "more than nothing",
    );
    one(
        &at("Slow(who: \"s\", by: ⟦\"31s\"⟧)"),
        "longer than the whole run",
        "ends at 30s",
    );
    one(
        &at("SlowDisk(who: \"s\", by: ⟦\"0s\"⟧)"),
        "slower by nothing",
        "more than nothing",
    );
    one(
        &at("FailingDisk(who: \"s\", share: ⟦0⟧)"),
        "never fails",
        "all of them",
    );
    one(
        &at("FailingDisk(who: \"s\", share: ⟦1.5⟧)"),
        "not a ratio",
        "1.5 % is `0.015`",
    );
    one(
        &at("Drift(who: \"s\", ppm: ⟦0⟧)"),
        "drifts by nothing",
        "slow where it is negative",
    );
    one(
        &at("Drift(who: \"s\", ppm: ⟦\"-5\"⟧)"),
        "from -500000 to 1000000",
        "without quotes: `-5`",
    );
    one(
        &at("Ring(hosts: \"*\", reach: ⟦\"2\"⟧)"),
        "from 1 to 4294967295",
        "without quotes: `2`",
    );
    one(
        &at("Slow(who: \"s\", by: ⟦20⟧)"),
        "expected a length of time",
        "`\"20ms\"` for 20 milliseconds",
    );
    for wrong in ["-500001", "1000001", "0.5", "99999999999999999999"] {
        one(
            &at(&format!("Drift(who: \"s\", ppm: ⟦{wrong}⟧)")),
            "from -500000 to 1000000",
            "",
        );
    }
    // A clock may jump beyond the end of the run.
    assert!(plan(&at("Jump(who: \"s\", by: \"1h\")")).is_ok());
}

#[test]
fn a_change_of_links_is_one_of_links_and_says_something() {
    one(
        &at("⟦Link⟧(from: \"s\", to: \"c1\")"),
        "says nothing of the link",
        "`mtu`",
    );
    one(
        &at("⟦Link⟧(from: \"s\", to: \"s\", loss: 1)"),
        "from a host to another",
        "sends to itself",
    );
    one(&at("⟦Link⟧(from: \"s\", loss: 1)"), "`to` is missing", "such as");
    one(
        &at("Link(from: \"s\", to: \"*\", loss: ⟦2⟧)"),
        "not a ratio",
        "2 % is `0.02`",
    );
    one(
        &at("Link(from: \"s\", to: \"*\", loss: 1, ⟦links⟧: [])"),
        "no field `links`",
        "there are `from`, `to`, `latency`",
    );
}
