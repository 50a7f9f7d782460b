//! What makes a fault happen: a time, again and again, a claim.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{Cue, CutPlan, Target, Trigger};

use crate::node::{BAD, Claim, Do, On, Rule, SAID, on, say, send, start};
use crate::plans::{A, B, C, at, kill, kill_actor, lay, ms, one_way, plan, restart};

/// Says something every `interval`, the first time after it.
fn sayer(interval: Span) -> Vec<Rule> {
    vec![
        start([Do::Arm(1, interval)]),
        on(On::Timer(1), [say("this"), Do::Arm(1, interval)]),
    ]
}

fn when(by: &[HostId], nth: u32, after: Span) -> Trigger {
    Trigger::When {
        cue: Cue::Fact(SAID),
        by: by.to_vec(),
        nth,
        after,
    }
}

#[test]
fn the_nth_claim_triggers_and_no_other_does() {
    let outcome = plan()
        .host("a", sayer(ms(10)))
        .host("b", sayer(ms(10)))
        .host("c", [])
        .step(when(&[], 3, Span::ZERO), kill(&[C]))
        .run(1);
    // The third is a's second.
    assert_eq!(outcome.faults[0].at, Some(at(ms(20))));
    assert_eq!(outcome.faults[0].affected, 1);
}

#[test]
fn only_claims_by_those_who_are_named_count() {
    let outcome = plan()
        .host("a", sayer(ms(10)))
        .host("b", sayer(ms(15)))
        .host("c", [])
        .step(when(&[B, C], 2, Span::ZERO), kill(&[C]))
        .run(1);
    assert_eq!(outcome.faults[0].at, Some(at(ms(30))));
}

#[test]
fn a_claim_of_another_fact_triggers_nothing() {
    let outcome = plan()
        .host("a", sayer(ms(10)))
        .host(
            "b",
            [
                start([Do::Arm(1, ms(25))]),
                on(On::Timer(1), [Do::Claim(Claim::Bad)]),
            ],
        )
        .when(BAD, kill_actor())
        .run(1);
    assert_eq!(
        (outcome.faults[0].at, outcome.faults[0].affected),
        (Some(at(ms(25))), 1)
    );
}

#[test]
fn what_comes_after_a_claim_comes_that_much_later_and_knows_who_made_it() {
    let story = plan()
        .host("a", sayer(ms(40)))
        .host("b", sayer(ms(30)))
        .step(when(&[], 1, ms(25)), kill_actor())
        .trace(1);
    assert_eq!(story.outcome.faults[0].at, Some(at(ms(55))));
    assert_eq!(
        story.claimed(B).len(),
        1,
        "b claimed first, and is killed before it claims again"
    );
    assert_eq!(story.claimed(A).len(), 24);
}

#[test]
fn a_claim_triggers_once_however_often_it_is_made_again() {
    let outcome = plan()
        .host("a", sayer(ms(10)))
        .step(when(&[A], 2, Span::ZERO), kill(&[A]))
        .at(ms(25), restart(&[A]))
        .run(1);
    assert_eq!(outcome.faults[0].affected, 1);
}

#[test]
fn all_that_one_claim_triggers_happens_at_once_in_the_order_of_the_timeline() {
    let story = plan()
        .host("a", sayer(ms(10)))
        .when(SAID, kill_actor())
        .when(SAID, restart(&[A]))
        .limit(ms(15))
        .trace(1);
    let changes: Vec<String> = story
        .changes()
        .iter()
        .map(|(when, change)| format!("{when} {change:?}"))
        .collect();
    assert_eq!(changes.len(), 2);
    assert!(
        changes[0].starts_with("10ms Down") && changes[1].starts_with("10ms Up"),
        "{changes:?}"
    );
}

#[test]
fn the_claimant_can_be_cut_off() {
    let cut = CutPlan::OneWay {
        from: vec![Target::Actor],
        to: vec![Target::Host(C)],
    };
    let talk = |after| {
        [
            start([Do::Arm(1, after)]),
            on(
                On::Timer(1),
                [say("x"), send(A, "to a"), send(B, "to b"), send(C, "to c")],
            ),
        ]
    };
    let story = plan()
        .host("a", talk(ms(20)))
        .host("b", talk(ms(10)))
        .host("c", [])
        .when(SAID, lay(cut))
        .trace(1);
    assert_eq!(story.of(C)[1..], ["21ms hears to c from a".to_owned()]);
    assert_eq!(story.words(A), ["to a", "to a"]);
    assert_eq!(story.affected(), [1]);
}

#[test]
fn again_and_again_is_from_the_first_time_until_before_the_last() {
    let story = plan()
        .host("a", [])
        .every(ms(10), ms(20), ms(70), kill(&[A]))
        .every(ms(15), ms(20), ms(70), restart(&[A]))
        .trace(1);
    let times: Vec<Span> = story.changes().iter().map(|(when, _)| *when).collect();
    assert_eq!(times, [10, 15, 30, 35, 50, 55].map(ms));
    assert_eq!(story.affected(), [3, 3]);
    assert_eq!(story.outcome.faults[0].at, Some(at(ms(10))));
}

#[test]
fn what_ends_before_it_begins_never_happens() {
    let outcome = plan()
        .host("a", [])
        .every(ms(10), ms(1), ms(10), lay(one_way(&[A], &[A])))
        .calls(ms(10), ms(10), &[A], "hello")
        .run(1);
    assert_eq!(outcome.faults[0].at, None);
    assert_eq!(
        outcome.doubts,
        [
            "one_way #0 never happened: what triggers it did not come",
            "calls hello made no call: nobody it could ask was up"
        ]
    );
}
