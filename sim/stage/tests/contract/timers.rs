//! A timer goes off once, never before its deadline, and in the order of deadlines.

use squall_nodes::Span;

use crate::node::Act::{Arm, ArmPast, Disarm, Say, SayInput};
use crate::node::Rule;
use crate::node::When::{Phase, Timer};
use crate::story::Story;

const A: usize = 0;

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

/// Says each of these timers when it goes off.
fn said(timers: &[u64]) -> Vec<Rule> {
    timers
        .iter()
        .map(|timer| Rule(Timer(*timer), vec![SayInput]))
        .collect()
}

#[test]
fn timers_go_off_by_their_deadlines_and_never_before() {
    let arms = vec![
        Arm(3, ms(30)),
        Arm(1, ms(10)),
        Arm(2, ms(20)),
        Arm(70_000, ms(25)),
    ];
    Story::default()
        .host(
            "a",
            &[],
            [said(&[1, 2, 3, 70_000]), vec![Rule(Phase(1), arms)]].concat(),
        )
        .phase(&[], &[A], &[(A, "timer 3 in time")])
        .holds(|seen| {
            let order = [1, 2, 70_000, 3].map(|timer| format!("timer {timer} in time"));
            assert_eq!(seen.said(A), order);
        });
}

#[test]
fn a_timer_has_one_deadline_and_goes_off_once() {
    let arms = vec![
        // Later, earlier, and taken back.
        Arm(1, ms(5)),
        Arm(1, ms(40)),
        Arm(2, Span::from_secs(3600)),
        Arm(2, ms(20)),
        Arm(3, ms(1)),
        Disarm(3),
        // That was not armed.
        Disarm(4),
        Arm(5, ms(60)),
    ];
    let rules = vec![
        Rule(Phase(1), arms),
        // Armed again by itself, and by another.
        Rule(Timer(1), vec![Arm(6, ms(5))]),
        Rule(Timer(6), vec![Arm(4, ms(1))]),
    ];
    Story::default()
        .host("a", &[], [said(&[1, 2, 3, 4, 5, 6]), rules].concat())
        .phase(&[], &[A], &[(A, "timer 5 in time"), (A, "timer 4 in time")])
        .holds(|seen| {
            let order = |timer: u64| {
                let text = format!("timer {timer} in time");
                let said = seen.said(A);
                assert!(said.iter().filter(|said| **said == text).count() <= 1, "{said:?}");
                said.iter().position(|said| *said == text)
            };
            assert_eq!(order(3), None);
            assert!(order(2) < order(1) && order(1) < order(6) && order(6) < order(4));
            assert_eq!(seen.said(A).len(), 5);
        });
}

#[test]
fn a_deadline_that_is_past_goes_off_at_once_as_an_input_of_its_own() {
    let acts = vec![ArmPast(1), Arm(2, Span::ZERO), Say("armed".to_owned())];
    Story::default()
        .host("a", &[], [said(&[1, 2]), vec![Rule(Phase(1), acts)]].concat())
        .phase(&[], &[A], &[(A, "timer 2 in time")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["armed", "timer 1 in time", "timer 2 in time"]);
        });
}
