//! What is said of worlds that are made up.

use squall_sim::compare::{Observed, Setting, Worlds};
use squall_sim::machine::{Boots, Calibrated, Machine, Waking};
use squall_sim::outcome::{Measured, Verdict};
use squall_sim::plan::{Clock, Expect};
use squall_sim::runner::HostCast;
use squall_sim::trace::{HostId, Span, Time};

use super::*;
use crate::compare::csv;
use crate::json;

const FACTS: &[&str] = &["suspected", "promoted"];

/// Runs in which the server is killed at 100 ms and suspected some time later by its client, which is promoted then.
fn runs(count: u64, suspected_us: impl Fn(u64) -> u64) -> Vec<Observed> {
    let at = |us: u64| Time::ZERO + Span::from_micros(us);
    let run = |seed: u64| {
        let suspected = suspected_us(seed);
        Observed {
            seed,
            verdict: Verdict::Held,
            reason: None,
            measures: vec![Measured {
                name: "detection".to_owned(),
                samples: vec![Span::from_micros(suspected.saturating_sub(100_000))],
                unfinished: 0,
            }],
            faults: vec![Some(at(100_000))],
            firsts: vec![
                ((0, HostId(1)), at(suspected)),
                ((1, HostId(1)), at(suspected + 50_000)),
            ],
        }
    };
    (0..count).map(run).collect()
}

fn compared(simulated: Vec<Observed>, live: Vec<Observed>) -> Comparison {
    compared_in(&[("s", "Server"), ("c", "Client")], simulated, live)
}

fn compared_in(cast: &[(&str, &str)], simulated: Vec<Observed>, live: Vec<Observed>) -> Comparison {
    let host = |(name, role): &(&str, &str)| HostCast {
        name: (*name).to_owned(),
        role: (*role).to_owned(),
        zone: None,
        clock: Clock::default(),
    };
    let setting = Setting {
        scenario: "x.ron",
        rules: "Hardened",
        expect: &Expect::Held,
        asked: Worlds {
            simulated: 1_000,
            live: 30,
        },
        support: 100,
        facts: FACTS,
        faults: &["kill(s)".to_owned()],
        cast: &cast.iter().map(host).collect::<Vec<_>>(),
    };
    Comparison::of(&setting, Worlds { simulated, live })
}

#[track_caller]
fn has(told: &str, lines: &[&str]) {
    let mut rest = told.lines();
    for line in lines {
        assert!(
            rest.any(|told| told.trim_end() == *line),
            "no line is\n{line}\nthere, or in its place:\n{told}"
        );
    }
}

#[test]
fn a_world_that_lies_within_is_told_with_all_its_numbers() {
    let comparison = compared(
        runs(1_000, |seed| 400_000 + seed * 10),
        runs(30, |seed| 400_000 + seed * 330),
    );
    let told = compare(&comparison, &Made::default(), &Look::plain("squall"));
    has(
        &told,
        &[
            "✓ x.ron  Hardened  1 000 simulated runs and 30 live ones: live lies within what was simulated",
            "    simulated  1 000 of 1 000 (99.6 to 100 %) held, as the file expects",
            "    live       30 of 30 (88.6 to 100 %) held, as the file expects",
            "    9 tests at a level of 1 % for all of them together, by Holm's procedure: none finds live otherwise, and the least has p = 1.000, 1.000 by Holm",
            "    detection      n  open      min      p50      p90      p95          p99      max  ms",
            "    simulated  1 000     0  300.000  304.990  308.990  309.490      309.890  309.990",
            "    live          30     0  300.000  304.620  308.580  309.240  n too small  309.570",
            "    live lies within what was simulated",
            "    order      3 pairs of things always came in one order, in 100 simulated runs at least, and no live run stands against it",
            "    facts      all 2, by role, are claimed in like shares of the runs of both worlds",
        ],
    );
}

#[test]
fn a_world_that_falls_outside_is_told_in_plain_sentences() {
    let comparison = compared(
        runs(1_000, |seed| 400_000 + seed * 10),
        runs(30, |seed| if seed < 4 { 90_000 } else { 402_000 + seed * 330 }),
    );
    let told = compare(&comparison, &Made::default(), &Look::plain("squall"));
    has(
        &told,
        &[
            "✗ x.ron  Hardened  1 000 simulated runs and 30 live ones: live falls outside what was simulated",
            "    live falls outside: 5 of 30 live runs are above the greatest of 1 000 simulated ones (p = 1.5e-8, 1.3e-7 by Holm)",
            "    live falls outside: 4 of 30 live runs are below the least of 1 000 simulated ones (p = 5.9e-7, 4.7e-6 by Holm)",
            "    order      3 pairs of things always came in one order, in 100 simulated runs at least; not implied by others are:",
            "      kill(s) → c: suspected",
            "      c: suspected → c: promoted",
            "      live falls outside: 4 of 30 live runs stand against it, and of the simulated runs 0 of 1 000 stand so against all others (p = 5.9e-7, 4.7e-6 by Holm)",
            "      live run with seed 0: c: suspected at 90.000 ms, before kill(s) at 100.000 ms",
        ],
    );
}

/// One live run beyond all simulated ones is no wonder, and how likely it is stands beside it.
#[test]
fn what_is_no_proof_is_told_with_how_likely_it_is() {
    let comparison = compared(
        runs(1_000, |seed| 400_000 + seed * 10),
        runs(30, |seed| if seed == 7 { 415_000 } else { 400_000 + seed * 330 }),
    );
    assert_eq!(comparison.agreement(), Agreement::Within);
    assert_eq!(
        sentences(&comparison, 0),
        [
            "live lies within what was simulated, though 1 of 30 live runs is above the greatest simulated one (p = 0.029, 0.262 by Holm)"
        ]
    );
    let told = compare(&comparison, &Made::default(), &Look::plain("squall"));
    assert!(!told.contains("as chance has it"), "{told}");
    let junit = |comparison: &Comparison| {
        let mut junit = crate::junit::Junit::new("squall compare", "squall", crate::look::Repeats::Run);
        junit.compared(comparison, &Made::default());
        junit.xml()
    };
    assert!(
        junit(&comparison).contains("failures=\"0\" errors=\"0\""),
        "{}",
        junit(&comparison)
    );
    let other = compared(runs(1_000, |_| 400_000), runs(30, |_| 500_000));
    let xml = junit(&other);
    assert!(
        xml.contains("failures=\"1\"") && xml.contains("type=\"outside\""),
        "{xml}"
    );
}

#[test]
fn who_is_first_of_a_role_is_explained_where_one_is_told() {
    let explained = "`a ROLE` is the first of that role";
    let others = |seed| if seed < 4 { 90_000 } else { 402_000 + seed * 330 };
    // Where there are two clients, they take turns.
    let taking_turns = |mut runs: Vec<Observed>, clients: usize| {
        for run in runs
            .iter_mut()
            .filter(|run| clients == 2 && run.seed.is_multiple_of(2))
        {
            for ((_, host), _) in &mut run.firsts {
                *host = HostId(2);
            }
        }
        runs
    };
    let told = |cast: &[(&str, &str)]| {
        let simulated = runs(1_000, |seed| 400_000 + seed * 10);
        let [simulated, live] = [simulated, runs(30, others)].map(|runs| taking_turns(runs, cast.len() - 1));
        let comparison = compared_in(cast, simulated, live);
        compare(&comparison, &Made::default(), &Look::plain("squall"))
    };
    let alone = told(&[("s", "Server"), ("c", "Client")]);
    assert!(
        alone.contains("stand against it") && !alone.contains(explained),
        "{alone}"
    );
    let two = told(&[("s", "Server"), ("c", "Client"), ("d", "Client")]);
    assert!(two.contains(explained), "{two}");
}

#[test]
fn a_slower_world_is_told_by_how_much() {
    let comparison = compared(
        runs(1_000, |seed| 400_000 + seed * 10),
        runs(30, |seed| 405_000 + seed * 160),
    );
    let told = sentences(&comparison, 0);
    let [sentence] = &told[..] else { panic!("{told:?}") };
    assert!(sentence.starts_with("live is slower by 2.2"), "{sentence}");
    assert!(
        sentence.ends_with(" ms), which the simulated latency does not explain"),
        "{sentence}"
    );
    assert!(sentence.contains(" ms at the median (95 %: "), "{sentence}");
}

#[test]
fn how_it_was_made_is_told_in_notes() {
    let comparison = compared(runs(150, |_| 400_000), runs(3, |_| 400_000));
    let ms = Span::from_millis;
    let machine = Machine {
        delay: vec![Span::from_micros(40), Span::from_micros(90)],
        lateness: vec![Waking {
            idle: ms(9),
            late: Span::from_micros(7),
        }],
        write: vec![ms(3)],
        boots: Boots {
            first: vec![ms(2)],
            again: Vec::new(),
        },
    };
    let made = Made {
        machine: Some((
            machine,
            Calibrated {
                tolerated: Some((ms(10), ms(12))),
            },
        )),
        joined: Joined::Bridge,
        stalled: 2,
        longest_stall: ms(250),
        failed: vec![(1_002, "c1 did not start: \u{1b}[2J".to_owned())],
        ..Made::default()
    };
    let told = compare(&comparison, &made, &Look::plain("squall"));
    has(
        &told,
        &[
            "? x.ron  Hardened  150 simulated runs and 3 live ones: too few runs to say, which takes 20 simulated ones and 5 live ones at least",
            "    this machine, of two nodes that were idle before, and of hosts that boot",
            "      a datagram                   p50 0.040 ms, p99 0.090 ms, max 0.090 ms (2 samples)",
            "      a timer after 0 ms or more   p50 0.007 ms, p99 0.007 ms, max 0.007 ms (1 sample)",
            "      a durable write              p50 3.000 ms, p99 3.000 ms, max 3.000 ms (1 sample)",
            "      a first boot, all at once    p50 2.000 ms, p99 2.000 ms, max 2.000 ms (1 sample)",
            "    note: 150 of 1 000 simulated runs were done",
            "    note: 3 of 30 live runs were done",
            "    note: the live run with seed 1002 was not played to its end: c1 did not start: \\u{1b}[2J",
            "    note: in 2 live runs hosts were kept from running for longer than the file tolerates, for 250.000 ms at most",
            "    note: with the machine's own, a latency of 12ms is tolerated in place of 10ms",
            "    note: the machine was measured over loopback: what the bridge between the namespaces of live hosts adds to a datagram is not \
             simulated, so that live may be the slower for it",
        ],
    );
    let told = compare(
        &comparison,
        &Made {
            joined: Joined::Loopback,
            ..made
        },
        &Look::plain("squall"),
    );
    assert!(
        told.contains("note: calibrated") && !told.contains("bridge"),
        "{told}"
    );
}

#[test]
fn for_programs_it_is_one_object_and_for_plots_a_table() {
    let comparison = compared(
        runs(150, |seed| 400_000 + seed),
        runs(6, |seed| 400_000 + 20 * seed),
    );
    let said: serde_json::Value =
        serde_json::from_str(&json::compare(&comparison, &Made::default())).unwrap();
    assert_eq!(said["agreement"], "within");
    assert_eq!(said["measures"][0]["live"]["max_ns"], 300_100_000);
    assert_eq!(said["measures"][0]["live"]["p95_ns"], serde_json::Value::Null);
    assert_eq!(said["order"]["relations"][0]["first"]["fault"], "kill(s)");
    assert_eq!(said["order"]["relations"][0]["then"]["host"], "c");
    assert_eq!(said["order"]["relations"][0]["runs"], 150);
    let table = csv(&comparison);
    assert_eq!(table.lines().count(), 1 + 150 + 6);
    assert_eq!(
        table.lines().nth(2),
        Some("Hardened,detection,simulated,1,0,300001000")
    );
    assert_eq!(
        table.lines().last(),
        Some("Hardened,detection,live,5,0,300100000")
    );
}

#[test]
fn a_distance_is_told_with_its_confidence() {
    let (same, apart) = (runs(150, |seed| 400_000 + seed), runs(30, |seed| 500_000 + seed));
    let comparison = compared(same.clone(), apart);
    let told = compare(&comparison, &Made::default(), &Look::plain("squall"));
    let (low, high) = comparison.measures[0].distance_between.unwrap();
    assert!(0.5 < low && low < 1.0, "{low}");
    let line = format!("    D = 1.000 (95 %: {low:.3} to 1.000), p = ");
    assert!(told.contains(&line), "{told}");
    let said: serde_json::Value =
        serde_json::from_str(&json::compare(&comparison, &Made::default())).unwrap();
    let measure = &said["measures"][0];
    assert_eq!(
        (&measure["distance_low"], &measure["distance_high"]),
        (&low.into(), &high.into())
    );
    // Without samples in one of the worlds there is neither.
    let none = compared(same, Vec::new());
    let said: serde_json::Value = serde_json::from_str(&json::compare(&none, &Made::default())).unwrap();
    assert!(said["measures"][0]["distance_low"].is_null(), "{said}");
}

#[test]
fn that_the_machine_was_busy_is_told_beside_what_it_may_explain() {
    let simulated = || runs(150, |seed| 400_000 + seed);
    let (within, outside) = (
        compared(simulated(), runs(30, |seed| 400_000 + 5 * seed)),
        compared(simulated(), runs(30, |seed| 500_000 + seed)),
    );
    let made = |others| Made {
        others,
        ..Made::default()
    };
    let text = |comparison: &Comparison, others| compare(comparison, &made(others), &Look::plain("squall"));
    let busy = "    the machine was busy: others took 62.5 % of its processors while live runs were played, so that live may be late, and \
                other than simulated, for want of them; compare again when it has nothing else to do";
    has(
        &text(&outside, Some(0.625)),
        &[
            busy,
            "    live falls outside: 30 of 30 live runs are above the greatest of 150 simulated ones (p = 7.5e-35, 6.8e-34 by Holm)",
        ],
    );
    for (comparison, others) in [(&within, Some(0.625)), (&outside, Some(0.049)), (&outside, None)] {
        let told = text(comparison, others);
        assert!(!told.contains("busy"), "{others:?}: {told}");
    }
    let json = |comparison: &Comparison, others| -> serde_json::Value {
        serde_json::from_str(&json::compare(comparison, &made(others))).unwrap()
    };
    let said = json(&outside, Some(0.625));
    assert_eq!(
        (&said["others_share"], &said["busy"]),
        (&0.625.into(), &true.into())
    );
    assert_eq!(said["notes"][0], busy.trim_start());
    let said = json(&within, Some(0.625));
    assert_eq!(
        (&said["others_share"], &said["busy"]),
        (&0.625.into(), &true.into())
    );
    assert!(!said["notes"].to_string().contains("busy"), "{said}");
    assert!(json(&within, None)["others_share"].is_null());
}
