//! Orders that hold, that others imply, and that a live run stands against.

use squall_nodes::HostId;

use super::super::points::{By, points};
use super::*;
use crate::outcome::Verdict;
use crate::plan::Clock;
use crate::runner::HostCast;

const FACTS: &[&str] = &["suspected", "promoted", "rejoined"];

fn cast(roles: &[&str]) -> Vec<HostCast> {
    roles
        .iter()
        .enumerate()
        .map(|(place, role)| HostCast {
            name: format!("h{place}"),
            role: (*role).to_owned(),
            zone: None,
            clock: Clock::default(),
        })
        .collect()
}

/// A run of which this fault and these facts, of (fact, host), were first seen at these milliseconds.
fn run(seed: u64, fault: Option<u64>, firsts: &[((u32, u32), u64)]) -> Observed {
    let at = |ms: u64| Time::ZERO + Span::from_millis(ms);
    let mut firsts: Vec<_> = firsts
        .iter()
        .map(|((fact, host), ms)| ((*fact, HostId(*host)), at(*ms)))
        .collect();
    firsts.sort_unstable();
    Observed {
        seed,
        verdict: Verdict::Held,
        reason: None,
        measures: Vec::new(),
        faults: vec![fault.map(at)],
        firsts,
    }
}

fn order(simulated: &[Observed], live: &[Observed], roles: &[&str], support: u64) -> Order {
    let found = points(simulated, live, FACTS, &["kill(s)".to_owned()], &cast(roles));
    Order::of(found, simulated, live, support)
}

fn told(order: &Order, relations: impl Iterator<Item = Relation>) -> Vec<String> {
    let mut told: Vec<String> = relations
        .map(|relation| {
            format!(
                "{} → {}",
                order.points[relation.first], order.points[relation.then]
            )
        })
        .collect();
    told.sort();
    told
}

#[test]
fn what_always_came_first_is_an_order_and_what_others_imply_is_not_told() {
    let simulated: Vec<Observed> = (0..50)
        .map(|n| {
            run(
                n,
                Some(100),
                &[((0, 1), 200 + n), ((1, 1), 300 + n), ((2, 0), 400)],
            )
        })
        .collect();
    let order = order(&simulated, &[], &["A", "B"], 50);
    let direct = order.direct().copied().collect::<Vec<_>>();
    assert_eq!(
        told(&order, direct.iter().copied()),
        [
            "h1: promoted → h0: rejoined",
            "h1: suspected → h1: promoted",
            "kill(s) → h1: suspected"
        ]
    );
    assert_eq!(order.relations.len(), 6);
    let gap = direct.iter().map(|relation| relation.least).min();
    assert_eq!(gap, Some(Span::from_millis(51)));
    assert_eq!((order.live, order.simulated.count), (Share::default(), 0));
}

#[test]
fn an_order_that_too_few_runs_show_or_one_does_not_is_none() {
    let mut simulated: Vec<Observed> = (0..50).map(|n| run(n, Some(100), &[((0, 1), 200)])).collect();
    assert_eq!(order(&simulated, &[], &["A", "B"], 51).relations, []);
    simulated.push(run(50, Some(300), &[((0, 1), 200)]));
    let found = order(&simulated, &[], &["A", "B"], 50);
    assert_eq!(
        (found.relations.len(), found.simulated.count),
        (0, 1),
        "the last run stands alone"
    );
    simulated.push(run(51, Some(300), &[((0, 1), 200)]));
    assert_eq!(order(&simulated, &[], &["A", "B"], 50).simulated.count, 0);
}

#[test]
fn a_tie_is_neither_order() {
    let simulated: Vec<Observed> = (0..50).map(|n| run(n, Some(100), &[((0, 1), 100)])).collect();
    assert_eq!(order(&simulated, &[], &["A", "B"], 1).relations, []);
    let simulated: Vec<Observed> = (0..50).map(|n| run(n, Some(100), &[((0, 1), 200)])).collect();
    let live = [run(0, Some(200), &[((0, 1), 200)])];
    assert_eq!(order(&simulated, &live, &["A", "B"], 1).contradictions, []);
}

#[test]
fn a_live_run_the_other_way_round_is_named_with_both_stamps() {
    let simulated: Vec<Observed> = (0..500).map(|n| run(n, Some(100), &[((0, 1), 200)])).collect();
    let mut live: Vec<Observed> = (0..10).map(|n| run(n, Some(100), &[((0, 1), 210)])).collect();
    live.push(run(10, Some(100), &[((0, 1), 99)]));
    let found = order(&simulated, &live, &["A", "B"], 100);
    let [contradiction] = found.contradictions[..] else {
        panic!("{:?}", found.contradictions)
    };
    assert_eq!(contradiction.run, 10);
    assert_eq!(
        [contradiction.first_at, contradiction.then_at].map(Time::as_nanos),
        [100_000_000, 99_000_000]
    );
    assert_eq!(found.live, Share { count: 1, of: 11 });
    assert!((found.p - 11.0 / 511.0).abs() < 1e-9, "{}", found.p);
}

#[test]
fn hosts_that_take_turns_are_told_by_role_and_others_by_name() {
    // All suspect in every run; each is promoted in a third.
    let simulated: Vec<Observed> = (0..90)
        .map(|n| {
            let promoted = 1 + (n % 3) as u32;
            run(
                n,
                Some(100),
                &[((0, 1), 200), ((0, 2), 201), ((0, 3), 202), ((1, promoted), 300)],
            )
        })
        .collect();
    let found = order(&simulated, &[], &["S", "C", "C", "C"], 90);
    let points: Vec<String> = found.points.iter().map(ToString::to_string).collect();
    assert_eq!(
        points,
        [
            "kill(s)",
            "h1: suspected",
            "h2: suspected",
            "h3: suspected",
            "a C: promoted"
        ]
    );
    assert!(matches!(&found.points[4], Point::Fact { by: By::Role { hosts, .. }, .. } if hosts.len() == 3));
    assert!(told(&found, found.direct().copied()).contains(&"h3: suspected → a C: promoted".to_owned()));
}

#[test]
fn what_goes_round_in_a_circle_is_left_as_it_is() {
    // Of three facts any two happen in one run, never all: each comes before the next, in a circle. The fault comes before all.
    let simulated: Vec<Observed> = (0..90)
        .map(|n| {
            let (first, then) = [(0, 1), (1, 2), (2, 0)][n % 3];
            run(n as u64, Some(100), &[((first, 0), 200), ((then, 0), 300)])
        })
        .collect();
    let found = order(&simulated, &[], &["A"], 30);
    let direct: Vec<Relation> = found.direct().copied().collect();
    assert_eq!(
        (found.relations.len(), direct.len()),
        (6, 6),
        "{:?}",
        told(&found, direct.iter().copied())
    );
}

/// Random orders: what is told reaches exactly what holds, and without any of it that is no longer so.
#[test]
fn the_reduction_keeps_what_can_be_reached_and_nothing_more() {
    let mut draws = super::super::draws::Draws::new(*b"a test of transitive reductions.");
    for _ in 0..50 {
        let simulated: Vec<Observed> = (0..4)
            .map(|n| {
                let mut firsts = Vec::new();
                for fact in 0..3 {
                    for host in 0..3 {
                        firsts.push(((fact, host), 100 * u64::from(fact) + draws.below(250) as u64));
                    }
                }
                run(n, None, &firsts)
            })
            .collect();
        let found = order(&simulated, &[], &["A", "A", "A"], 4);
        let count = found.points.len();
        let closure = |relations: &[Relation]| {
            let mut reaches = vec![false; count * count];
            for relation in relations {
                reaches[relation.first * count + relation.then] = true;
            }
            for via in 0..count {
                for from in 0..count {
                    for to in 0..count {
                        reaches[from * count + to] |=
                            reaches[from * count + via] && reaches[via * count + to];
                    }
                }
            }
            reaches
        };
        let direct: Vec<Relation> = found.direct().copied().collect();
        assert_eq!(closure(&direct), closure(&found.relations));
        for left_out in 0..direct.len() {
            let mut less = direct.clone();
            less.remove(left_out);
            assert_ne!(closure(&less), closure(&found.relations));
        }
    }
}
