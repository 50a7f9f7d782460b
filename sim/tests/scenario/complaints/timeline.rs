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
        "When(fact: \"promoted\", do: Kill(\"@actor\")), At(\"9s\", Restart(\"c1\"))",
        "When(fact: \"promoted\", do: OneWay(from: \"@actor\", to: \"s\")), At(\"1s\", HealAll)",
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
