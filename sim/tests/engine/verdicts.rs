//! The answer of a run: held, violated, or not known, and why.

use squall_nodes::{CallId, Promise, Span};
use squall_sim::outcome::InvariantDone;
use squall_sim::plan::{Cue, DiskOnRestart, Expect, Fault, Latency, Layer, LinkChange, Origin, Trigger};
use squall_sim::trace::Happening;
use squall_sim::{Outcome, Verdict};

use crate::node::{BAD, Claim, Do, On, SAID, beat, on, persist, say, send, start};
use crate::plans::{
    A, B, Draft, at, changed, drift, failing_disk, heal, kill, lay, lay_over, link, ms, one_way, partition,
    pause, plan, restart, restart_with, slow, slow_disk, us,
};
use crate::promises::{FAR, FIDGETY, NOT_BAD, RESTLESS, SPOKEN, UNSURE};

fn two() -> Draft {
    plan()
        .host("a", [start([say("hello")])])
        .host("b", [start([say("hello")])])
}

/// a claims to be bad at 20 ms, and goes on with `then`.
fn bad(then: impl IntoIterator<Item = Do>) -> Draft {
    let claim = std::iter::once(Do::Claim(Claim::Bad))
        .chain(then)
        .collect::<Vec<_>>();
    plan()
        .host("a", [start([Do::Arm(1, ms(20))]), on(On::Timer(1), claim)])
        .host("b", beat(&[A], ms(3), ms(3)))
        .invariant(NOT_BAD, "not_bad", "()", Origin::Written)
}

fn assert_inconclusive(outcome: &Outcome, doubt: &str) {
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert_eq!(outcome.doubts, [doubt]);
    assert!(!outcome.as_expected);
    assert_eq!(outcome.violation, None);
}

#[test]
fn a_run_in_which_all_that_was_judged_held_is_held() {
    let outcome = two()
        .invariant(NOT_BAD, "not_bad", "()", Origin::Written)
        .invariant(SPOKEN, "spoken", "(bound: \"400ms\")", Origin::Written)
        .run(1);
    assert_eq!((outcome.verdict, outcome.as_expected), (Verdict::Held, true));
    assert_eq!(outcome.doubts, [] as [&str; 0]);
    assert_eq!(
        outcome.virtual_time,
        ms(1_000),
        "time goes on to the end though nothing happens"
    );
    let judged: Vec<u64> = outcome.invariants.iter().map(|done| done.judged).collect();
    // Each claim; and the one group at 400, 500, … 900 ms, and at the end.
    assert_eq!(judged, [2, 7]);
}

#[test]
fn the_first_broken_promise_ends_the_run_at_once() {
    let story = bad([send(B, "more"), say("more"), persist("more")]).trace(1);
    let outcome = &story.outcome;
    assert_eq!((outcome.verdict, outcome.as_expected), (Verdict::Violated, false));
    let violation = outcome.violation.as_ref().unwrap();
    assert_eq!(violation.invariant, "puppets.not_bad");
    assert_eq!(violation.promised, "No node claims to be bad.");
    assert_eq!(violation.detail, "a is bad");
    assert_eq!(
        (violation.at, &violation.hosts),
        (at(ms(20)), &vec!["a".to_owned()])
    );
    assert_eq!((outcome.virtual_time, outcome.traffic.sent), (ms(20), 6));
    assert_eq!(
        outcome.invariants,
        [InvariantDone {
            name: "puppets.not_bad".to_owned(),
            judged: 1,
            undecided: None,
            origin: Origin::Written,
            promise: Promise::Always,
        }]
    );
    let last: Vec<_> = story
        .trace
        .events
        .iter()
        .rev()
        .take(2)
        .map(|event| &event.what)
        .collect();
    assert!(matches!(last[0], Happening::Violated { invariant } if invariant == "puppets.not_bad"));
    assert!(matches!(last[1], Happening::Fact { name, .. } if name == "bad"));
}

#[test]
fn what_a_claim_would_have_triggered_does_not_happen_once_it_has_broken_a_promise() {
    let story = bad([]).when(BAD, kill(&[B])).trace(1);
    assert_eq!(story.changes(), []);
    assert_eq!(story.outcome.faults[0].at, None);
}

#[test]
fn a_violation_is_as_expected_where_it_is_the_one_that_the_file_expects() {
    let expect = |name: &str| Expect::Violated(vec!["puppets.other".into(), name.to_owned()]);
    let run = |name| bad([]).expect(expect(name)).run(1);
    assert!(run("puppets.not_bad").as_expected);
    assert!(!run("puppets.spoken").as_expected);
    let held = two().expect(expect("puppets.not_bad")).run(1);
    assert_eq!((held.verdict, held.as_expected), (Verdict::Held, false));
}

#[test]
fn a_promise_in_quiet_is_judged_when_the_bound_is_over_and_not_while_it_is_disturbed() {
    let silent = || plan().host("a", []).host("b", [start([say("hello")])]);
    let promise = |draft: Draft| draft.invariant(SPOKEN, "spoken", "(bound: \"200ms\")", Origin::Written);
    let violation = promise(silent()).run(1).violation.unwrap();
    assert_eq!(
        (violation.at, violation.detail.as_str()),
        (at(ms(200)), "a said nothing")
    );
    // A crash of its only peer disturbs it; so its time comes later.
    let later = promise(silent())
        .at(ms(150), kill(&[B]))
        .run(1)
        .violation
        .unwrap();
    assert_eq!(later.at, at(ms(350)));
    // Disturbed again and again, it is never judged.
    let flapping = promise(silent())
        .every(ms(100), ms(100), ms(1_000), lay(partition(&[&[A], &[B]])))
        .every(ms(150), ms(100), ms(1_000), Fault::HealAll)
        .host("c", beat(&[A, B], ms(1), ms(10)));
    let outcome = flapping.run(1);
    assert_eq!(outcome.invariants[0].judged, 0);
    assert!(
        outcome
            .doubts
            .contains(&"puppets.spoken is written in the file and was never judged: it takes 200ms of quiet, and then something that it speaks of".to_owned())
    );
}

#[test]
fn a_fault_that_never_happened_or_touched_nothing_leaves_the_answer_open() {
    let never = Trigger::When {
        cue: Cue::Fact(BAD),
        by: vec![],
        nth: 1,
        after: Span::ZERO,
    };
    assert_inconclusive(
        &two().step(never, kill(&[A])).run(1),
        "kill #0 never happened: what triggers it did not come",
    );
    assert_inconclusive(
        &two().step(Trigger::At(at(ms(1_000))), kill(&[A])).run(1),
        "kill #0 never happened: what triggers it did not come",
    );
    let silent: [(&str, Fault); 7] = [
        ("restart", restart(&[A])),
        ("resume", crate::plans::resume(&[A])),
        ("partition", lay(partition(&[&[A], &[B]]))),
        ("one_way", lay(one_way(&[A], &[B]))),
        ("heal", heal(one_way(&[A], &[B]))),
        ("heal_all", Fault::HealAll),
        ("pause", pause(&[])),
    ];
    for (kind, fault) in silent {
        assert_eq!(fault.kind(), kind);
        assert_inconclusive(
            &two().at(ms(5), fault).run(1),
            &format!("{kind} #0 touched nothing when it happened at 0.005s"),
        );
    }
    let down = two().at(ms(5), kill(&[A])).at(ms(6), kill(&[A])).run(1);
    assert_inconclusive(&down, "kill #1 touched nothing when it happened at 0.006s");
}

#[test]
fn a_fault_that_touched_nothing_is_told_by_what_there_was_not() {
    let loss = LinkChange {
        loss: Some(1.0),
        ..LinkChange::default()
    };
    let laid = "touched nothing, laid at 0.005s:";
    let silent: [(Layer, &str); 5] = [
        (slow_disk(&[A], ms(1)), "no write began while it was there"),
        (
            failing_disk(&[A], 1.0),
            "no write was due while it was there, or none that it made fail",
        ),
        (slow(&[A], ms(1)), "nothing came in while it was there"),
        (
            drift(&[A], 100),
            "nothing came in while it was there, or the clock went as fast without it",
        ),
        (
            changed(&[A], &[B], loss),
            "no datagram crossed the links while it was there, or it changed nothing",
        ),
    ];
    for (layer, missed) in silent {
        let kind = layer.kind();
        assert_inconclusive(
            &two().at(ms(5), lay_over(layer)).run(1),
            &format!("{kind} #0 {laid} {missed}"),
        );
    }
    for disk in [DiskOnRestart::Stale, DiskOnRestart::Torn, DiskOnRestart::Corrupt] {
        let up = two().at(ms(5), kill(&[A])).at(ms(6), restart_with(&[A], disk));
        assert_inconclusive(
            &up.run(1),
            "restart #1 damaged nothing when it happened at 0.006s: whoever came up again had no write on its disk to \
             damage",
        );
    }
}

#[test]
fn an_invariant_that_the_file_names_has_to_be_judged_and_one_that_it_does_not_need_not() {
    let quiet = |origin| {
        plan()
            .host("a", [])
            .invariant(NOT_BAD, "not_bad", "()", origin)
            .run(1)
    };
    assert_inconclusive(
        &quiet(Origin::Written),
        "puppets.not_bad is written in the file and was never judged: nothing happened that it speaks of",
    );
    assert_eq!(quiet(Origin::Default).verdict, Verdict::Held);
}

#[test]
fn links_beyond_what_is_tolerated_leave_promises_in_quiet_unjudged() {
    let slow = two()
        .links(link(Latency::Constant(ms(101))))
        .invariant(SPOKEN, "spoken", "(bound: \"200ms\")", Origin::Written)
        .run(1);
    assert_inconclusive(
        &slow,
        "puppets.spoken is written in the file and was never judged: it takes 200ms of quiet, and then something that it speaks of",
    );
}

#[test]
fn a_workload_that_found_nobody_to_ask_leaves_the_answer_open() {
    let outcome = two().at(ms(1), kill(&[A])).call(ms(5), A, "well?").run(1);
    assert_inconclusive(&outcome, "call well? made no call: nobody it could ask was up");
}

#[test]
fn a_run_with_more_events_than_it_may_have_is_stopped() {
    let outcome = plan().host("a", beat(&[A], ms(1), ms(1))).max_events(100).run(1);
    assert_eq!(outcome.events, 100);
    let doubt = &outcome.doubts[0];
    assert_inconclusive(&outcome, doubt);
    assert!(
        doubt.starts_with("the run was stopped after 100 events, at 0.05"),
        "{doubt}"
    );
    assert!(outcome.virtual_time < ms(60));
}

#[test]
fn a_timeline_a_workload_and_an_invariant_without_end_are_stopped_as_well() {
    let year = Span::from_secs(365 * 24 * 3600);
    let empty = || {
        plan()
            .late_host("a", year, [])
            .host("b", [])
            .limit(year)
            .max_events(5_000)
    };
    let endless = [
        ("faults", empty().every(us(1), us(1), year, kill(&[A]))),
        ("calls", empty().calls(us(1), year, &[A], "well?")),
        (
            "looks",
            empty()
                .invariant(SPOKEN, "spoken", "(bound: \"1ms\")", Origin::Default)
                .at(us(1), kill(&[B]))
                .host("c", [start([say("hello")])]),
        ),
    ];
    for (name, draft) in endless {
        let outcome = draft.run(1);
        assert_eq!(
            (outcome.verdict, outcome.events),
            (Verdict::Inconclusive, 5_000),
            "{name}"
        );
        assert!(
            outcome.virtual_time < Span::from_secs(10),
            "{name}: {}",
            outcome.virtual_time
        );
    }
}

fn assert_standstill(outcome: &Outcome, when: Span, hosts: &[&str], last: &str) {
    assert_eq!(outcome.verdict, Verdict::Violated);
    let violation = outcome.violation.as_ref().unwrap();
    assert_eq!(violation.invariant, "squall.time_passes");
    assert_eq!(
        (violation.at, &violation.hosts[..]),
        (
            at(when),
            &hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()[..]
        )
    );
    assert!(violation.detail.contains(last), "{}", violation.detail);
    assert!(outcome.events < 200_000);
}

#[test]
fn a_node_that_arms_a_timer_for_the_present_instant_again_and_again_is_stopped() {
    let outcome = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(7))]),
                on(On::Timer(1), [Do::Arm(1, Span::ZERO)]),
            ],
        )
        .run(1);
    assert_standstill(&outcome, ms(7), &["a"], "the last was for a;");
    let past = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(7))]),
                on(On::Timer(1), [Do::ArmAt(1, at(ms(3)))]),
            ],
        )
        .run(1);
    assert_standstill(&past, ms(7), &["a"], "the last was for a;");
}

#[test]
fn two_nodes_that_answer_each_other_without_latency_are_stopped() {
    let outcome = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(3))]),
                on(On::Timer(1), [send(B, "ping")]),
                on(On::Datagram, [Do::Reply("ping".into())]),
            ],
        )
        .host("b", [on(On::Datagram, [Do::Reply("pong".into())])])
        .links(link(Latency::Constant(Span::ZERO)))
        .run(1);
    let last = outcome.violation.as_ref().unwrap().hosts[0].clone();
    assert_standstill(&outcome, ms(3), &[&last], "answer each other without latency");
}

#[test]
fn writes_that_take_no_time_and_call_for_the_next_are_stopped() {
    let outcome = plan()
        .host("a", [start([persist("x")]), on(On::Persisted, [persist("x")])])
        .persist_takes(Latency::Constant(Span::ZERO))
        .run(1);
    assert_standstill(&outcome, Span::ZERO, &["a"], "the last was for a;");
}

#[test]
fn an_invariant_that_is_due_at_once_for_ever_is_stopped() {
    let outcome = two()
        .invariant(RESTLESS, "restless", "()", Origin::Default)
        .run(1);
    assert_standstill(
        &outcome,
        Span::ZERO,
        &[],
        "an invariant is due at the present instant",
    );
}

#[test]
fn many_hosts_that_all_hear_all_at_one_instant_are_no_standstill() {
    let hosts: Vec<squall_nodes::HostId> = (0..400).map(squall_nodes::HostId).collect();
    let draft = hosts.iter().fold(plan(), |draft, host| {
        draft.host(
            &format!("h{}", host.0),
            [start(hosts.iter().map(|to| send(*to, "x")).collect::<Vec<_>>())],
        )
    });
    let outcome = draft.run(1);
    assert_eq!(
        (outcome.verdict, outcome.traffic.delivered),
        (Verdict::Held, 160_000)
    );
}

#[test]
fn an_invariant_whose_time_comes_earlier_again_and_again_looks_once_at_each() {
    let claims = 1_000;
    let outcome = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(1))]),
                on(On::Timer(1), [say("x"), Do::Arm(1, ms(1))]),
            ],
        )
        .invariant(FIDGETY, "fidgety", "()", Origin::Written)
        .limit(FAR + FAR + ms(1))
        .step(
            Trigger::When {
                cue: Cue::Fact(SAID),
                by: vec![A],
                nth: claims,
                after: Span::ZERO,
            },
            kill(&[A]),
        )
        .run(1);
    assert_eq!(outcome.verdict, Verdict::Held);
    // One look soon after each claim and at its crash none, one at each multiple of the far time, one at the end.
    assert_eq!(outcome.invariants[0].judged, u64::from(claims) + 2 + 1);
    // A boot, the timers, the fault, and the looks but for the last.
    assert_eq!(outcome.events, 1 + u64::from(claims) + u64::from(claims) + 2);
}

#[test]
fn a_node_that_asks_for_what_is_not_simulated_leaves_the_answer_open_and_is_named() {
    let group = "239.1.1.1:7000".parse().unwrap();
    let outcome = plan()
        .host("a", beat(&[B], ms(1), ms(1)))
        .host(
            "b",
            [start([Do::Arm(1, ms(5))]), on(On::Timer(1), [Do::Join(group)])],
        )
        .run(1);
    assert_inconclusive(
        &outcome,
        "the run was stopped at 0.005s: b asked for multicast, which this version does not simulate",
    );
    assert_eq!(outcome.virtual_time, ms(5));
}

#[test]
fn a_plan_without_hosts_runs_to_its_end() {
    let outcome = plan().run(1);
    assert_eq!(
        (outcome.verdict, outcome.events, outcome.virtual_time),
        (Verdict::Held, 0, ms(1_000))
    );
}

#[test]
fn a_call_is_seen_with_its_number_and_only_made_of_hosts_that_are_up() {
    let story = plan()
        .host("a", [on(On::Command, [Do::Answer("from a".into())])])
        .host(
            "b",
            [on(
                On::Command,
                [Do::Answer("from b".into()), Do::Answer("twice".into())],
            )],
        )
        .calls(ms(10), ms(500), &[A, B], "who?")
        .at(ms(305), kill(&[A]))
        .trace(3);
    let mut asked = Vec::new();
    let mut answers = [0, 0];
    for event in &story.trace.events {
        match &event.what {
            Happening::Call { call, .. } => asked.push((CallId(*call), event.host.unwrap(), event.at)),
            Happening::Answer { call, .. } => {
                assert_eq!(
                    asked.last().map(|(id, host, _)| (*id, Some(*host))),
                    Some((CallId(*call), event.host))
                );
                answers[event.host.unwrap().index()] += 1;
            }
            _ => {}
        }
    }
    assert!(asked.iter().map(|(call, _, _)| call.0).eq(0..asked.len() as u64));
    let of = |host| asked.iter().filter(|(_, of, _)| *of == host).count();
    let early = asked.iter().filter(|(_, _, when)| *when < at(ms(305))).count();
    assert_eq!(early, 30, "while both are up, every call is made");
    assert!(
        of(A) >= 8 && of(B) >= 8,
        "each is asked its share: {} and {}",
        of(A),
        of(B)
    );
    assert!(asked.len() < 49 && asked.iter().all(|(_, of, when)| *of == B || *when < at(ms(305))));
    assert_eq!(answers, [of(A), 2 * of(B)]);
}

#[test]
fn a_promise_that_could_not_be_decided_makes_a_run_inconclusive_and_hides_no_violation() {
    let unsure = |draft: Draft, origin| draft.invariant(UNSURE, "unsure", "()", origin);
    for origin in [Origin::Written, Origin::Default] {
        let outcome = unsure(two(), origin).run(1);
        let doubt = "puppets.unsure could not be decided: it takes more than it has";
        assert_inconclusive(&outcome, doubt);
        assert_eq!(outcome.invariants[0].judged, 2);
    }
    let outcome = unsure(bad([]), Origin::Written).run(1);
    assert_eq!(outcome.verdict, Verdict::Violated);
    assert_eq!(outcome.doubts, [] as [&str; 0]);
}
