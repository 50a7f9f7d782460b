//! What is done to the world, and what is asked of it.

use super::{one, plan, with};

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
        &timeline("At(\"2s\", Kill(⟦\"@actor\"⟧))"),
        "nobody here",
        "`When(…)`",
    );
    one(
        &with("timeline: [When(fact: \"promoted\", do: Kill(⟦\"@actr\"⟧))],"),
        "`@actr` is nobody",
        "did you mean `@actor`?",
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
        &timeline("At(\"2s\", ⟦Partition([[\"*\"]])⟧)"),
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
    let when = |trigger: &str| with(&format!("timeline: [When({trigger}, do: Kill(\"@actor\"))],"));
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
    one(&when("send_to: ⟦\"c7\"⟧"), "no host `c7`", "did you mean");
    one(
        &when("persist: ⟦Started⟧"),
        "no moment of a write",
        "`Begun`, `Completed`",
    );
    one(
        &when("persist: ⟦Begn⟧"),
        "no moment of a write",
        "did you mean `Begun`?",
    );
    one(&when("persist: ⟦\"Begun\"⟧"), "no moment of a write", "`Begun`");
    let several = "⟦When⟧(fact: \"promoted\", persist: Begun, do: HealAll)";
    one(
        &with(&format!(
            "timeline: [At(\"1s\", Partition([[\"s\"]])), {several}],"
        )),
        "more than one thing",
        "an entry for each",
    );
    one(
        &with("timeline: [⟦When⟧(by: \"c1\", do: Kill(\"@actor\"))],"),
        "nothing says what this waits for",
        "`persist: Begun`",
    );
    one(
        &when("fact: \"promoted\", ⟦aftr⟧: \"1s\""),
        "no field `aftr`",
        "did you mean `after`?",
    );
}

#[test]
fn an_actor_is_somebody_only_where_something_is_waited_for() {
    for fault in [
        "Kill(⟦\"@actor\"⟧)",
        "Jump(who: ⟦\"@actor\"⟧, by: \"1s\")",
        "Partition([[\"s\", ⟦\"@actor\"⟧]])",
        "Bridge(over: ⟦\"@actor\"⟧, sides: [[\"s\"]])",
        "Ring([\"s\", \"c1\", \"c2\", ⟦\"@actor\"⟧])",
        "Link(from: ⟦\"@actor\"⟧, to: \"s\", loss: 1)",
        "Slow(who: ⟦\"@actor\"⟧, by: \"1ms\")",
    ] {
        for entry in [
            format!("At(\"2s\", {fault})"),
            format!("Every(interval: \"1s\", do: {fault})"),
        ] {
            one(
                &with(&format!("timeline: [{entry}],")),
                "`@actor` is nobody here",
                "what a `When(…)` waits for",
            );
        }
    }
    for by in ["by: ⟦\"@actor\"⟧, fact: \"promoted\"", "send_to: ⟦\"@actor\"⟧"] {
        one(
            &with(&format!("timeline: [When({by}, do: Kill(\"s\"))],")),
            "`@actor` is nobody here",
            "`When(…)`",
        );
    }
    for entry in [
        "At(\"2s\", Kill(⟦\"@claimant\"⟧))",
        "When(fact: \"promoted\", do: Kill(⟦\"@claimant\"⟧))",
    ] {
        one(
            &with(&format!("timeline: [{entry}],")),
            "`@claimant` is nobody",
            "is called `@actor` now",
        );
    }
}

#[test]
fn nothing_is_undone_that_was_never_done() {
    let timeline = |entries: &str| with(&format!("timeline: [{entries}],"));
    one(&timeline("At(\"2s\", ⟦HealAll⟧)"), "never there", "`Partition`");
    one(
        &timeline("At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never there by then",
        "no `Partition` in this timeline",
    );
    one(
        &timeline("At(\"1s\", Partition([[\"c1\"]])), At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never there",
        "the same hosts",
    );
    one(
        &timeline("At(\"3s\", Partition([[\"s\"]])), At(\"2s\", ⟦Heal(Partition([[\"s\"]]))⟧)"),
        "never there",
        "the same hosts",
    );
    one(
        &timeline(
            "At(\"1s\", Ring([\"s\", \"c1\", \"c2\", \"c3\"])), At(\"2s\", ⟦Heal(Ring([\"c1\", \"c2\", \"c3\", \"s\"]))⟧)",
        ),
        "never there",
        "the order of the hosts counts, and where it begins",
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
    for (entry, hint) in [
        ("Kill(\"s\")", "`Restart(\"a\")`"),
        ("Pause(\"s\")", "`Resume(\"a\")`"),
        ("HealAll", "`Heal(Partition(…))`"),
        ("Jump(who: \"s\", by: \"1s\")", "`Heal(Partition(…))`"),
    ] {
        one(
            &timeline(&format!("At(\"2s\", Heal(⟦{entry}⟧))")),
            "not a fault that lasts",
            hint,
        );
    }
}

#[test]
fn a_heal_repeats_what_it_heals_with_its_hosts_and_figures() {
    for (laid, healed) in [
        ("Ring(\"c1..c4\")", "Ring([\"s\", \"c1..c4\"])"),
        (
            "Bridge(over: \"s\", sides: [[\"c1\"]])",
            "Bridge(over: \"c1\", sides: [[\"s\"]])",
        ),
        (
            "Flap(cut: Ring(\"c1..c4\"), down: \"1s\", up: \"2s\")",
            "Flap(cut: Ring(\"c1..c4\"), down: \"2s\", up: \"1s\")",
        ),
        (
            "Link(from: \"s\", to: \"c1\", loss: 0.5)",
            "Link(from: \"s\", to: \"c1\", corrupt: 0.5)",
        ),
        (
            "Link(from: \"s\", to: \"c1\", loss: 0.5)",
            "Link(from: \"c1\", to: \"s\", loss: 0.5)",
        ),
        ("Slow(who: \"s\", by: \"1ms\")", "Slow(who: \"s\", by: \"2ms\")"),
        (
            "SlowDisk(who: \"s\", by: \"1ms\")",
            "SlowDisk(who: \"c1\", by: \"1ms\")",
        ),
        ("FailingDisk(who: \"s\")", "FailingDisk(who: \"s\", share: 0.5)"),
        ("Drift(who: \"s\", ppm: 1)", "Drift(who: \"s\", ppm: -1)"),
    ] {
        let timeline = |laid: &str, healed: &str| {
            with(&format!(
                "timeline: [At(\"1s\", {laid}), At(\"2s\", ⟦Heal({healed})⟧)],"
            ))
        };
        one(
            &timeline(laid, healed),
            "never there by then",
            "the same hosts and figures",
        );
        let fine = timeline(laid, laid).replace(['⟦', '⟧'], "");
        if let Err(complaints) = plan(&fine) {
            panic!("{complaints}");
        }
    }
    // Layers over hosts are not among those that `HealAll` takes away.
    one(
        &with("timeline: [At(\"1s\", Slow(who: \"s\", by: \"1ms\")), At(\"2s\", ⟦HealAll⟧)],"),
        "never there",
        "over links",
    );
}

#[test]
fn nothing_is_healed_more_often_than_it_was_laid() {
    let cut = "Partition([[\"s\"]])";
    for (before, heal, healed) in [
        (
            format!("At(\"1s\", {cut}), At(\"2s\", Heal({cut}))"),
            format!("Heal({cut})"),
            "healed at 2s",
        ),
        (
            format!("At(\"1s\", {cut}), At(\"2s\", HealAll)"),
            format!("Heal({cut})"),
            "healed at 2s",
        ),
        (
            format!("At(\"1s\", {cut}), At(\"3s\", Heal({cut}))"),
            "HealAll".to_owned(),
            "healed at 3s",
        ),
        (
            // The same cut: hosts that none names are one more group.
            format!("At(\"1s\", {cut}), At(\"2s\", Heal(Partition([[\"c1..c4\"]])))"),
            format!("Heal({cut})"),
            "healed at 2s",
        ),
        (
            "Every(interval: \"1s\", until: \"4s\", do: Slow(who: \"s\", by: \"1ms\")), \
             Every(interval: \"1s\", until: \"4s\", do: Heal(Slow(who: \"s\", by: \"1ms\")))"
                .to_owned(),
            "Heal(Slow(who: \"s\", by: \"1ms\"))".to_owned(),
            "healed at 3s",
        ),
    ] {
        one(
            &with(&format!("timeline: [{before}, At(\"5s\", ⟦{heal}⟧)],")),
            "already healed by then",
            healed,
        );
    }
    for entries in [
        format!("At(\"1s\", {cut}), At(\"1s\", {cut}), At(\"2s\", Heal({cut})), At(\"3s\", Heal({cut}))"),
        format!("At(\"1s\", {cut}), At(\"2s\", Heal({cut})), At(\"3s\", {cut}), At(\"4s\", HealAll)"),
        // Only some of the times find nothing.
        format!("Every(interval: \"2s\", do: {cut}), Every(interval: \"1s\", do: Heal({cut}))"),
        // Who triggers it may lay it once more, or not heal it.
        format!(
            "At(\"1s\", {cut}), At(\"2s\", Heal({cut})), When(fact: \"promoted\", do: {cut}), At(\"9s\", Heal({cut}))"
        ),
        format!("At(\"1s\", {cut}), When(fact: \"promoted\", do: Heal({cut})), At(\"9s\", Heal({cut}))"),
        // Two equal cuts, each written in its way.
        format!(
            "At(\"1s\", {cut}), At(\"1s\", Partition([[\"c1..c4\"]])), At(\"2s\", Heal({cut})), At(\"3s\", Heal({cut}))"
        ),
        // A `HealAll` leaves what lies over hosts.
        format!(
            "At(\"1s\", {cut}), At(\"1s\", Slow(who: \"s\", by: \"1ms\")), At(\"2s\", HealAll), At(\"3s\", Heal(Slow(who: \"s\", by: \"1ms\")))"
        ),
    ] {
        if let Err(complaints) = plan(&with(&format!("timeline: [{entries}],"))) {
            panic!("{complaints}");
        }
    }
}

#[test]
fn what_may_have_been_done_may_be_undone() {
    for entries in [
        // The same cut, written in another order.
        "At(\"1s\", Partition([[\"c1\", \"c2\"], [\"s\"]])), At(\"2s\", Heal(Partition([[\"s\"], [\"c2\", \"c1\"]])))",
        // A trigger may go off at any time.
        "At(\"1s\", Kill(\"s\")), When(fact: \"promoted\", do: Restart(\"s\"))",
        "When(fact: \"promoted\", do: Kill(\"@actor\")), At(\"9s\", Restart(\"c1\"))",
        "When(fact: \"promoted\", do: OneWay(from: \"@actor\", to: \"s\")), At(\"1s\", HealAll)",
        "When(fact: \"promoted\", do: Slow(who: \"@actor\", by: \"1ms\")), At(\"9s\", Heal(Slow(who: \"c1\", by: \"1ms\")))",
        "At(\"1s\", FailingDisk(who: \"c1\")), When(send_to: \"*\", do: Heal(FailingDisk(who: \"@actor\")))",
        "At(\"1s\", Flap(cut: Partition([[\"s\"]]), down: \"1s\", up: \"1s\")), At(\"2s\", HealAll)",
        "At(\"1s\", Link(from: \"s\", to: \"*\", loss: 1)), At(\"2s\", HealAll)",
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
