//! Promises of quiet that are asked for in writing where there can be none, and where there can.

use proptest::prelude::*;
use squall_sim::prepare;
use squall_sim::runner::Prepared;

use super::{one, plan, with};

/// Of a file with this timeline and this bound, by the longest quiet that there is said to be.
#[track_caller]
fn too_little(timeline: &str, bound: &str, longest: &str) {
    one(
        &with(&format!(
            "timeline: [{timeline}],\n    invariants: [⟦tables_agree⟧(bound: \"{bound}\")],"
        )),
        &format!("it takes {bound} of quiet"),
        &format!("the longest quiet is {longest}"),
    );
}

#[track_caller]
fn enough(timeline: &str, bound: &str) {
    let text = with(&format!(
        "timeline: [{timeline}],\n    invariants: [tables_agree(bound: \"{bound}\")],"
    ));
    if let Err(complaints) = plan(&text) {
        panic!("{complaints}");
    }
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
        &with("persist: Constant(\"2s\"), invariants: [⟦tables_agree⟧()],"),
        "the disks are never quiet",
        "what a node says waits up to 2s for its disk",
    );
    one(
        &with("network: (reorder: 0.01, reorder_by: \"2s\"), invariants: [⟦tables_agree⟧()],"),
        "the links are never quiet",
        "a latency of up to 2",
    );
    one(
        &with("network: (loss: 0.2), invariants: [⟦tables_agree⟧()],"),
        "the links are never quiet",
        "0.2",
    );
    one(
        &with("network: (bandwidth: \"1Mbit/s\"), invariants: [⟦tables_agree⟧()],"),
        "the links are never quiet",
        "a latency of up to 2108ms (2098ms of it is what a full queue of 256 KiB takes)",
    );
    for (layer, end) in [
        ("Slow(who: \"s\", by: \"1ms\")", "HealAll"),
        (
            "Link(from: \"s\", to: \"*\", loss: 0.5)",
            "At(\"9s\", Kill(\"c4\"))",
        ),
    ] {
        let end = end.replace("HealAll", "At(\"9s\", HealAll)");
        let laid = format!("At(\"1s\", Partition([[\"c1\"]])), At(\"2s\", {layer}), {end}");
        let kind = if layer.starts_with("Slow") {
            "slow("
        } else {
            "link("
        };
        let text = with(&format!(
            "timeline: [{laid}], invariants: [⟦tables_agree⟧(bound: \"29s\")],"
        ));
        one(&text, "it takes 29s of quiet", &format!("; `{kind}"));
        one(&text, "it takes 29s of quiet", "` is never healed");
    }
    // A second kill of the same host changes nothing, so that nobody is disturbed.
    let killed =
        "timeline: [Every(interval: \"2s\", do: Kill(\"c1\"))], invariants: [tables_agree(bound: \"25s\")],";
    assert!(plan(&with(killed)).is_ok());
    // What is not written is not asked for.
    assert!(plan(&with("network: (loss: 0.2),")).is_ok());
}

#[test]
fn other_laws_of_links_disturb_and_those_beyond_what_is_tolerated_last() {
    let worse = "Link(from: \"s\", to: \"c1\", loss: 0.5)";
    let better = "Link(from: \"s\", to: \"c1\", loss: 0.01)";
    too_little(&format!("At(\"10s\", {better})"), "21s", "20s");
    enough(&format!("At(\"10s\", {better})"), "20s");
    too_little(&format!("At(\"10s\", {worse})"), "11s", "10s");
    too_little(
        &format!("At(\"5s\", {worse}), At(\"12s\", HealAll)"),
        "19s",
        "18s",
    );
    // What is laid last has the last word, and what lay below it comes back.
    too_little(
        &format!("At(\"5s\", {worse}), At(\"6s\", {better}), At(\"26s\", Heal({better}))"),
        "21s",
        "20s",
    );
    // Those whom a cut keeps apart may be as far from each other as they like.
    enough(
        &format!("At(\"1s\", {worse}), At(\"2s\", Partition([[\"c1\"]]))"),
        "28s",
    );
    too_little(
        "At(\"0s\", Link(from: \"*\", to: \"*\", corrupt: 0.5))",
        "1s",
        "0ns",
    );
}

#[test]
fn nobody_is_quiet_for_longer_than_what_flaps_stays_as_it_is() {
    let flap = "Flap(cut: Partition([[\"c1\"]]), down: \"300ms\", up: \"2s\")";
    too_little(&format!("At(\"1s\", {flap})"), "2500ms", "2s");
    too_little(
        &format!("At(\"1s\", {flap}), At(\"11s\", HealAll)"),
        "20s",
        "19500ms",
    );
    enough(
        &format!("At(\"1s\", {flap}), At(\"11s\", Heal({flap}))"),
        "19500ms",
    );
    // While it is open, its healing is not seen: it has been quiet since it opened.
    enough(&format!("At(\"10s\", {flap}), At(\"12300ms\", HealAll)"), "19s");
    // A healing that waits for something may come at once.
    enough(
        &format!("At(\"1s\", {flap}), When(fact: \"promoted\", do: HealAll)"),
        "29s",
    );
    too_little(
        &format!("At(\"1s\", {flap}), When(fact: \"promoted\", do: Kill(\"@actor\"))"),
        "2500ms",
        "2s",
    );
}

#[test]
fn nobody_is_quiet_with_a_host_that_is_ill() {
    for ill in [
        "Slow(who: \"c1\", by: \"1ms\")",
        "SlowDisk(who: \"c1\", by: \"1ms\")",
        "FailingDisk(who: \"c1\", share: 0.001)",
        "Drift(who: \"c1\", ppm: 1001)",
        "Drift(who: \"c1\", ppm: -1001)",
    ] {
        too_little(
            &format!("At(\"10s\", {ill})"),
            "11s",
            "10s; no group is quiet while",
        );
        too_little(
            &format!(
                "At(\"1s\", {ill}), At(\"10s\", {ill}), At(\"15s\", Heal({ill})), At(\"16s\", Heal({ill}))"
            ),
            "15s",
            "14s",
        );
        // Without it, the others are.
        enough(&format!("At(\"0s\", {ill}), At(\"1s\", Kill(\"c1\"))"), "29s");
        enough(
            &format!("At(\"0s\", {ill}), At(\"1s\", Partition([[\"c1\"]]))"),
            "29s",
        );
        enough(
            &format!("At(\"0s\", {ill}), When(fact: \"promoted\", do: Kill(\"@actor\"))"),
            "30s",
        );
        let everyone = ill.replace("\"c1\"", "\"*\"");
        let waits = "When(fact: \"promoted\", do: Kill(\"@actor\"))";
        match ill.starts_with("Drift") {
            // What waits may change the rate again.
            true => enough(&format!("At(\"10s\", {everyone}), {waits}"), "30s"),
            false => {
                too_little(&format!("At(\"10s\", {everyone}), {waits}"), "11s", "10s");
                enough(
                    &format!(
                        "At(\"10s\", {everyone}), {waits}, When(fact: \"promoted\", do: Heal({everyone}))"
                    ),
                    "30s",
                );
            }
        }
    }
    // What is tolerated disturbs only when it comes and goes.
    too_little("At(\"10s\", Drift(who: \"c1\", ppm: 1000))", "21s", "20s");
    too_little(
        "At(\"5s\", Drift(who: \"c1\", ppm: 900)), At(\"6s\", Drift(who: \"c1\", ppm: 900)), At(\"12s\", Drift(who: \"c1\", ppm: -900))",
        "19s",
        "18s",
    );
}

#[test]
fn a_clock_that_is_wrong_from_the_beginning_leaves_no_quiet() {
    let text = |hosts: &str, rest: &str| {
        format!(
            "Scenario(protocol: \"hac\", hosts: [(name: \"s\", role: Server), {hosts}], {rest}\n\
                 invariants: [⟦tables_agree⟧(bound: \"5s\")])"
        )
    };
    let wrong = "(name: \"a\", role: Client, clock: (drift_ppm: -1001))";
    one(
        &text(wrong, ""),
        "it takes 5s of quiet",
        "the longest quiet is 0ns; no group is quiet while",
    );
    for (hosts, rest) in [
        (
            "(name: \"a\", role: Client, clock: (drift_ppm: -1000, offset: \"1h\"))",
            "",
        ),
        (wrong, "timeline: [At(\"1s\", PowerCut(\"a\"))],"),
        (wrong, "timeline: [At(\"1s\", Drift(who: \"a\", ppm: 100))],"),
        (
            "(name: \"a\", role: Client, starts: \"20s\", clock: (drift_ppm: 9999))",
            "",
        ),
    ] {
        let text = text(hosts, rest).replace(['⟦', '⟧'], "");
        if let Err(complaints) = plan(&text) {
            panic!("{complaints}");
        }
    }
}

#[test]
fn a_clock_that_jumps_disturbs_whom_it_belongs_to() {
    too_little(
        "Every(interval: \"4s\", do: Jump(who: \"c1\", by: \"1s\"))",
        "5s",
        "4s",
    );
    enough(
        "Every(interval: \"4s\", do: Jump(who: \"c1\", by: \"1s\")), At(\"5s\", Kill(\"c1\"))",
        "25s",
    );
    enough(
        "Every(interval: \"4s\", do: Jump(who: \"c1\", by: \"1s\")), When(fact: \"promoted\", do: Kill(\"@actor\"))",
        "30s",
    );
    too_little(
        "Every(interval: \"4s\", do: Jump(who: \"*\", by: \"1s\")), When(fact: \"promoted\", do: Kill(\"@actor\"))",
        "5s",
        "4s",
    );
}

#[test]
fn a_story_that_is_long_to_follow_is_left_to_the_run() {
    let many = "Every(interval: \"1ms\", do: Pause(\"c1..c4\")), Every(interval: \"1ms\", from: \"1500us\", do: Resume(\"c1..c4\"))";
    too_little(many, "1s", "1ms");
    let too_many = "Every(interval: \"40us\", do: Pause(\"*\")), Every(interval: \"40us\", from: \"60us\", do: Resume(\"*\"))";
    enough(too_many, "30s");
    let cuts = format!("{too_many}, Every(interval: \"1s\", do: Partition([[\"s\"]]))");
    too_little(&cuts, "2s", "1s");
}

/// Faults, each with what ends it.
const STORIES: [(&str, &str); 16] = [
    ("Kill(\"c1\")", "Restart(\"c1\")"),
    ("PowerCut([\"s\", \"late\"])", "Wipe([\"s\", \"late\"])"),
    ("Kill(\"c1..c3\")", "Restart(\"c2\")"),
    ("Pause(\"c2\")", "Resume(\"c2\")"),
    ("Jump(who: \"c1\", by: \"1h\")", "Jump(who: \"*\", by: \"1s\")"),
    (
        "Partition([[\"s\", \"c1\"], [\"c2\"]])",
        "Heal(Partition([[\"c2\"], [\"c1\", \"s\"]]))",
    ),
    ("OneWay(from: \"c1\", to: \"c2\")", "HealAll"),
    (
        "Bridge(over: \"s\", sides: [[\"c1\"], [\"c2\"]])",
        "Heal(Bridge(over: \"s\", sides: [[\"c1\"], [\"c2\"]]))",
    ),
    ("Ring([\"s\", \"c1\", \"c2\", \"c3\"])", "HealAll"),
    (
        "Flap(cut: Partition([[\"c3\"]]), down: \"500ms\", up: \"1500ms\")",
        "Heal(Flap(cut: Partition([[\"c3\"]]), down: \"500ms\", up: \"1500ms\"))",
    ),
    (
        "Link(from: \"c1\", to: \"*\", loss: 0.5)",
        "Heal(Link(from: \"c1\", to: \"*\", loss: 0.5))",
    ),
    ("Link(from: \"*\", to: \"c2\", loss: 0.01)", "HealAll"),
    (
        "Slow(who: [\"c1\", \"late\"], by: \"1ms\")",
        "Heal(Slow(who: [\"late\", \"c1\"], by: \"1ms\"))",
    ),
    (
        "SlowDisk(who: \"c2\", by: \"1ms\")",
        "Heal(SlowDisk(who: \"c2\", by: \"1ms\"))",
    ),
    ("FailingDisk(who: \"c2\")", "Heal(FailingDisk(who: \"c2\"))"),
    ("Drift(who: \"s\", ppm: 800)", "Drift(who: \"s\", ppm: -300)"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is refused is what no run ever judges, and nothing else: the story is told to a run, and to the reader.
    #[test]
    fn a_promise_of_quiet_is_refused_if_and_only_if_no_run_of_the_story_judges_it(
        told in prop::collection::vec((0..STORIES.len(), 0..24_u64, 1..12_u64), 0..7),
        drift_ppm in prop::sample::select(vec![0, 900, -1_500]),
        bound in 0..24_u64,
    ) {
        let at = |half_seconds: u64, fault: &str| format!("At(\"{}ms\", {fault}),", half_seconds.min(23) * 500);
        let timeline: String = told
            .iter()
            .filter(|(_, from, _)| *from < 23)
            .map(|(story, from, lasts)| {
                let (fault, end) = STORIES[*story];
                at(*from, fault) + &at(from + lasts, end)
            })
            .collect();
        // Between two happenings, so that none of them is at the very end of the bound.
        let bound = format!("(bound: \"{}ms\")", bound * 500 + 250);
        let text = |invariants: &str| format!(
            "Scenario(protocol: \"hac\", limit: \"12s\", hosts: [(name: \"s\", role: Server), (name: \"c1..c2\", role: Client),
                (name: \"c3\", role: Client, clock: (drift_ppm: {drift_ppm})), (name: \"late\", role: Client, starts: \"3s\")],
             {invariants} timeline: [{timeline}])"
        );
        let mut free = match plan(&text("")) {
            Ok(free) => free,
            // One story's `HealAll` leaves another nothing to heal.
            Err(complaints) if complaints.to_string().contains("already healed by then") => {
                return Err(TestCaseError::reject("heals what is healed"));
            }
            Err(complaints) => panic!("{complaints}"),
        };
        let judged = free.invariants.iter_mut().find(|planned| planned.name == "hac.tables_agree");
        judged.expect("it applies by itself").params.clone_from(&bound);
        let outcome = prepare(free, 0).worker().run(0);
        let done = outcome.invariants.iter().find(|done| done.name == "hac.tables_agree");
        let is_judged = done.is_some_and(|done| done.judged > 0);
        let asked = plan(&text(&format!("invariants: [tables_agree{bound}],")));
        let complaints = asked.map_err(|complaints| complaints.to_string()).err();
        prop_assert_eq!(complaints.is_none(), is_judged, "{:?} {}", complaints, timeline);
    }
}
