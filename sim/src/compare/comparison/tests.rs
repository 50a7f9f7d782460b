//! Worlds that are alike, shifted, longer in the tail, other in what they claim; and how often a world differs from itself.

use squall_nodes::{HostId, Span, Time};

use super::super::draws::Draws;
use super::super::smirnov::Method;
use super::*;
use crate::outcome::Measured;
use crate::plan::Clock;

const FACTS: &[&str] = &["suspected", "promoted", "rejoined"];

fn setting<'a>(
    expect: &'a Expect,
    cast: &'a [HostCast],
    faults: &'a [String],
    asked: Worlds<u64>,
) -> Setting<'a> {
    Setting {
        scenario: "x.ron",
        rules: "Hardened",
        expect,
        asked,
        support: 50,
        facts: FACTS,
        faults,
        cast,
    }
}

fn cast() -> Vec<HostCast> {
    let host = |(name, role): (&str, &str)| HostCast {
        name: name.to_owned(),
        role: role.to_owned(),
        zone: None,
        clock: Clock::default(),
    };
    [("s", "Server"), ("c1", "Client"), ("c2", "Client")]
        .map(host)
        .into()
}

/// A run of a failover: the server dies at 100 ms, its clients suspect it, one is promoted, the other joins it; all with randomness.
fn failover(seed: u64, draws: &mut Draws, shift_us: u64) -> Observed {
    let mut us = |least: usize, more: usize| least as u64 + draws.below(more) as u64;
    let suspected = [us(400_000, 20_000), us(400_000, 20_000)];
    let promoted = suspected[0].max(suspected[1]) + us(50_000, 5_000);
    let rejoined = promoted + us(1_000, 9_000) + shift_us;
    let who = (us(0, 2) + 1) as u32;
    let at = |us: u64| Time::ZERO + Span::from_micros(us);
    let mut firsts = vec![
        ((0, HostId(1)), at(suspected[0])),
        ((0, HostId(2)), at(suspected[1])),
        ((1, HostId(who)), at(promoted)),
        ((2, HostId(3 - who)), at(rejoined)),
    ];
    firsts.sort_unstable();
    Observed {
        seed,
        verdict: Verdict::Held,
        reason: None,
        measures: vec![Measured {
            name: "failover".to_owned(),
            samples: vec![Span::from_micros(rejoined - 100_000)],
            unfinished: 0,
        }],
        faults: vec![Some(at(100_000))],
        firsts,
    }
}

fn compared(simulated: Vec<Observed>, live: Vec<Observed>, expect: &Expect) -> Comparison {
    let (cast, faults) = (cast(), ["kill(s)".to_owned()]);
    let asked = Worlds {
        simulated: simulated.len() as u64,
        live: live.len() as u64,
    };
    Comparison::of(
        &setting(expect, &cast, &faults, asked),
        Worlds { simulated, live },
    )
}

fn failovers(count: u64, draws: &mut Draws, shift_us: u64) -> Vec<Observed> {
    (0..count).map(|seed| failover(seed, draws, shift_us)).collect()
}

#[test]
fn a_comparison_of_fewer_runs_than_were_asked_for_is_no_answer() {
    let mut draws = Draws::new(*b"a test of runs that are missing!");
    let (simulated, live) = (failovers(100, &mut draws, 0), failovers(29, &mut draws, 0));
    let mut comparison = compared(simulated, live, &Expect::Held);
    assert_eq!(comparison.standing(), Standing::AsExpected);
    comparison.asked.live = 30;
    assert_eq!(
        (comparison.agreement(), comparison.standing()),
        (Agreement::Within, Standing::Unknown)
    );
}

/// A share of 1 % at most comes to more than 6 of 100 with a probability below 10⁻⁴, and the draws are fixed: what is seen here is what
/// will always be seen.
#[test]
fn a_world_lies_within_itself_as_often_as_is_said() {
    let mut draws = Draws::new(*b"a test of a world and itself 001");
    let outside = (0..100)
        .filter(|_| {
            let simulated = failovers(100, &mut draws, 0);
            let live = failovers(20, &mut draws, 0);
            let comparison = compared(simulated, live, &Expect::Held);
            assert_ne!(comparison.agreement(), Agreement::TooFew);
            comparison.agreement() == Agreement::Outside
        })
        .count();
    assert!(outside <= 6, "{outside} of 100");
}

#[test]
fn a_shifted_world_is_outside_and_by_how_much_is_said() {
    let mut draws = Draws::new(*b"a test of a world that is slower");
    let comparison = compared(
        failovers(1_000, &mut draws, 0),
        failovers(30, &mut draws, 20_000),
        &Expect::Held,
    );
    assert_eq!(
        (comparison.agreement(), comparison.standing()),
        (Agreement::Outside, Standing::Otherwise)
    );
    let measure = &comparison.measures[0];
    assert!(measure.outside.contains(&How::Distance), "{measure:?}");
    let later = measure.later.expect("there are samples");
    let (low, high) = later.between.expect("there are enough runs");
    assert!(low < 20_000_000 && 20_000_000 < high, "{later:?}");
    assert!(low > 10_000_000, "{later:?}");
    assert_eq!(measure.distance.map(|distance| distance.by), Some(Method::Exact));
    // What the shift does not touch lies within.
    assert_eq!(comparison.of_test(What::Order), Agreement::Within);
    assert!(
        comparison
            .facts
            .iter()
            .all(|fact| fact.agreement == Agreement::Within)
    );
}

#[test]
fn a_long_tail_is_outside_though_the_middle_is_the_same() {
    let mut draws = Draws::new(*b"a test of a world with long tail");
    let mut live = failovers(27, &mut draws, 0);
    live.extend(failovers(3, &mut draws, 500_000));
    let comparison = compared(failovers(1_000, &mut draws, 0), live, &Expect::Held);
    let measure = &comparison.measures[0];
    assert_eq!(
        (measure.above, measure.outside.as_slice()),
        (Share { count: 3, of: 30 }, &[How::Above][..])
    );
}

#[test]
fn what_only_one_world_claims_is_outside() {
    let mut draws = Draws::new(*b"a test of what is claimed by one");
    let mut live = failovers(30, &mut draws, 0);
    for run in &mut live {
        run.firsts.retain(|((fact, _), _)| *fact != 2);
    }
    let comparison = compared(failovers(1_000, &mut draws, 0), live, &Expect::Held);
    let outside: Vec<&str> = comparison
        .facts
        .iter()
        .filter(|fact| fact.agreement == Agreement::Outside)
        .map(|fact| fact.name)
        .collect();
    assert_eq!(outside, ["rejoined"]);
}

#[test]
fn an_order_that_live_runs_turn_round_is_outside() {
    let mut draws = Draws::new(*b"a test of an order turned round.");
    let mut live = failovers(30, &mut draws, 0);
    for run in &mut live[..4] {
        // The promotion is before the death of the server.
        for ((fact, _), at) in &mut run.firsts {
            if *fact == 1 {
                *at = Time::ZERO + Span::from_millis(50);
            }
        }
    }
    let comparison = compared(failovers(1_000, &mut draws, 0), live, &Expect::Held);
    assert_eq!(comparison.of_test(What::Order), Agreement::Outside);
    assert_eq!(comparison.order.live, Share { count: 4, of: 30 });
}

#[test]
fn few_runs_say_nothing_and_none_is_no_reason_to_panic() {
    let mut draws = Draws::new(*b"a test of worlds with few runs..");
    let simulated = failovers(200, &mut draws, 0);
    for live in 0..FEWEST_LIVE {
        let comparison = compared(simulated.clone(), failovers(live, &mut draws, 0), &Expect::Held);
        assert_eq!(
            (comparison.agreement(), comparison.standing()),
            (Agreement::TooFew, Standing::Unknown),
            "{live}"
        );
    }
    let comparison = compared(Vec::new(), Vec::new(), &Expect::Held);
    assert_eq!(
        (comparison.agreement(), comparison.standing()),
        (Agreement::TooFew, Standing::Unknown)
    );
    let comparison = compared(Vec::new(), failovers(9, &mut draws, 0), &Expect::Held);
    assert_eq!(comparison.agreement(), Agreement::TooFew);
}

#[test]
fn verdicts_are_held_against_the_file() {
    let mut draws = Draws::new(*b"a test of verdicts and of files.");
    let violated = |mut runs: Vec<Observed>, count: usize, name: &str| {
        for run in runs.iter_mut().take(count) {
            run.verdict = Verdict::Violated;
            run.reason = Some(name.to_owned());
        }
        runs
    };
    let expect = Expect::Violated(vec!["hac.one_server".to_owned()]);
    // One in a hundred simulated runs shows it, and no live one: nothing speaks against the file, and nothing for it.
    let rare = compared(
        violated(failovers(1_000, &mut draws, 0), 10, "hac.one_server"),
        failovers(30, &mut draws, 0),
        &expect,
    );
    assert_eq!(rare.verdicts.simulated.standing, Standing::AsExpected);
    assert_eq!(
        (rare.verdicts.live.standing, rare.standing()),
        (Standing::Unknown, Standing::Unknown)
    );
    // All simulated runs show it, and no live one.
    let all = compared(
        violated(failovers(1_000, &mut draws, 0), 1_000, "hac.one_server"),
        failovers(30, &mut draws, 0),
        &expect,
    );
    assert_eq!(
        (all.of_test(What::Violated), all.standing()),
        (Agreement::Outside, Standing::Otherwise)
    );
    // Live breaks something else.
    let other = compared(
        violated(failovers(1_000, &mut draws, 0), 10, "hac.one_server"),
        violated(failovers(30, &mut draws, 0), 1, "hac.other"),
        &expect,
    );
    assert_eq!(other.verdicts.live.standing, Standing::Otherwise);
    let held = compared(
        failovers(100, &mut draws, 0),
        violated(failovers(30, &mut draws, 0), 1, "x"),
        &Expect::Held,
    );
    assert_eq!(
        (held.agreement(), held.standing()),
        (Agreement::Within, Standing::Otherwise)
    );
    assert_eq!(held.verdicts.live.reasons[0].count, 1);
}

#[test]
fn holms_procedure_rejects_from_the_least_probability_up() {
    let tests = |p: &[f64]| {
        holm(p.iter().map(|p| (What::Order, *p)).collect())
            .iter()
            .map(|test| test.agreement == Agreement::Outside)
            .collect::<Vec<_>>()
    };
    assert_eq!(tests(&[0.004, 0.3, 0.003]), [true, false, true]);
    assert_eq!(tests(&[0.004, 0.004, 0.3]), [false, false, false]);
    assert_eq!(tests(&[0.009]), [true]);
    let adjusted: Vec<f64> = holm([0.02, 0.9, 0.004].map(|p| (What::Order, p)).into())
        .iter()
        .map(|test| test.adjusted)
        .collect();
    assert_eq!(adjusted, [0.04, 0.9, 0.012]);
    assert_eq!(tests(&[]), [] as [bool; 0]);
}
