//! Invariants, what is expected of them, and measures.

use super::{one, with};

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
fn what_a_rule_set_does_without_is_said_of_a_rule_set_that_there_is() {
    one(
        &with("without: { ⟦Orignal⟧: [\"ids_unique\"] },"),
        "no rule set `Orignal`",
        "did you mean `Original`?",
    );
    one(
        &with("without: { Original: [⟦\"ids_unik\"⟧] },"),
        "no invariant `ids_unik`",
        "did you mean `ids_unique`?",
    );
    one(
        &with("without: { Original: ⟦[]⟧ },"),
        "empty",
        "put something in it",
    );
    one(
        &with("without: ⟦{}⟧,"),
        "no rule set is named",
        "put something in it",
    );
    one(
        &with("invariants: [ids_unique()], without: { Original: [⟦\"ids_unique\"⟧] },"),
        "asked for and turned off",
        "take it from",
    );
    // What one rule set does without is judged, and may be expected, under the other.
    one(
        &with(
            "without: { Original: [\"ids_unique\"] }, expect: { Original: Violated(⟦\"ids_unique\"⟧), Hardened: Violated(\"ids_unique\") },",
        ),
        "is not judged",
        "expect something else",
    );
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
