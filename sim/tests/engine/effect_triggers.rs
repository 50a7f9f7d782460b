//! Faults that strike when a node begins to persist, has persisted, or sends: before anything else of what it asked for.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{Cue, Fault, Latency, Target, Trigger};

use crate::node::{Do, On, Rule, beat, on, persist, say, send, start};
use crate::plans::{
    A, B, C, Draft, at, failing_disk, kill, kill_actor, lay_over, ms, pause, plan, restart, resume,
};

/// At the nth time, by these, at once.
fn when(cue: Cue, by: &[HostId], nth: u32) -> Trigger {
    Trigger::When {
        cue,
        by: by.to_vec(),
        nth,
        after: Span::ZERO,
    }
}

/// Persists, and sends before and behind it; what its next life finds it claims.
fn writer() -> Vec<Rule> {
    vec![
        start([
            Do::Recall,
            send(B, "before"),
            persist("new"),
            send(B, "behind"),
            say("behind"),
        ]),
        on(On::Persisted, [send(B, "told")]),
    ]
}

fn story_of(trigger: Trigger, seed: u64) -> crate::stories::Story {
    plan()
        .host("a", writer())
        .host("b", [])
        .step(trigger, kill_actor())
        .limit(ms(30))
        .trace(seed)
}

#[test]
fn a_kill_when_a_write_begins_drops_all_that_is_behind_it() {
    let story = story_of(when(Cue::PersistBegun, &[], 1), 1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns claims Found { disk: None }",
            "0ns sends before to b",
            "0ns writes 1",
        ]
    );
    assert_eq!(story.affected(), [1]);
}

#[test]
fn a_kill_when_a_write_begins_leaves_the_old_or_the_new() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..60 {
        let story = plan()
            .host("a", writer())
            .host("b", [])
            .step(when(Cue::PersistBegun, &[], 1), kill_actor())
            .at(ms(1), restart(&[A]))
            .limit(ms(2))
            .trace(seed);
        match story.claimed(A)[1].1.as_str() {
            "Found { disk: None }" => old += 1,
            "Found { disk: Some(\"new\") }" => new += 1,
            other => panic!("seed {seed}: {other}"),
        }
    }
    assert!(old >= 15 && new >= 15, "old {old}, new {new}");
}

#[test]
fn a_kill_between_persist_and_send_leaves_the_new_and_nothing_was_sent() {
    for seed in 0..20 {
        let story = plan()
            .host("a", writer())
            .host("b", [])
            .step(when(Cue::PersistCompleted, &[A], 1), kill_actor())
            .at(ms(15), restart(&[A]))
            .limit(ms(16))
            .trace(seed);
        assert_eq!(
            story.of(A),
            [
                "0ns boots for life 0",
                "0ns claims Found { disk: None }",
                "0ns sends before to b",
                "0ns writes 1",
                "15ms boots for life 1",
                "15ms claims Found { disk: Some(\"new\") }",
                "15ms sends before to b",
                "15ms writes 1",
            ],
            "seed {seed}"
        );
        assert_eq!(story.outcome.faults[0].at, Some(at(ms(10))));
    }
}

#[test]
fn a_kill_at_a_send_drops_the_rest_of_a_broadcast_and_what_was_sent_is_on_its_way() {
    let story = plan()
        .host(
            "a",
            [start([send(B, "x"), send(C, "x"), send(B, "y"), say("never")])],
        )
        .host("b", [])
        .host("c", [])
        .step(when(Cue::Send(vec![C]), &[], 1), kill_actor())
        .trace(1);
    assert_eq!(
        story.of(A),
        ["0ns boots for life 0", "0ns sends x to b", "0ns sends x to c"]
    );
    assert_eq!(
        (story.words(B), story.words(C)),
        (vec!["x".to_owned()], vec!["x".to_owned()])
    );
    assert_eq!(story.affected(), [1]);
}

#[test]
fn a_datagram_that_waited_behind_a_write_triggers_when_it_goes_out() {
    let story = plan()
        .host(
            "a",
            [start([
                persist("x"),
                send(B, "1"),
                send(B, "2"),
                send(B, "3"),
                persist("y"),
            ])],
        )
        .host("b", [])
        .step(when(Cue::Send(vec![B]), &[], 2), kill_actor())
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "10ms sends 1 to b",
            "10ms sends 2 to b"
        ]
    );
    assert_eq!(story.outcome.faults[0].at, Some(at(ms(10))));
}

#[test]
fn a_datagram_triggers_whatever_becomes_of_it() {
    let mut lossy = crate::plans::link(Latency::Constant(ms(1)));
    lossy.loss = 1.0;
    let story = plan()
        .host(
            "a",
            [
                start([send(B, "lost"), send(A, "to itself"), Do::Arm(1, ms(5))]),
                on(On::Timer(1), [send(HostId(77), "to nobody")]),
            ],
        )
        .host("b", [])
        .link(A, B, lossy)
        .step(when(Cue::Send(vec![B]), &[], 1), kill(&[B]))
        .step(when(Cue::Send(vec![A]), &[A], 1), restart(&[B]))
        // Anyone, so that those two count too.
        .step(when(Cue::Send(vec![]), &[], 3), pause(&[A]))
        .trace(1);
    let times: Vec<_> = story.outcome.faults.iter().map(|fault| fault.at).collect();
    assert_eq!(times, [Some(at(ms(0))), Some(at(ms(0))), Some(at(ms(5)))]);
    assert_eq!(story.affected(), [1, 1, 1]);
}

#[test]
fn the_nth_of_all_that_match_triggers() {
    let story = plan()
        .host("a", beat(&[B, C], ms(10), ms(10)))
        .host("b", beat(&[C], ms(12), ms(10)))
        .host("c", [])
        // To c: a at 10, b at 12, a at 20, b at 22, …
        .step(when(Cue::Send(vec![C]), &[], 4), kill(&[C]))
        // Of a, to anyone: two each time.
        .step(when(Cue::Send(vec![]), &[A], 5), pause(&[B]))
        .step(when(Cue::Send(vec![B, C]), &[B], 4), resume(&[B]))
        .trace(1);
    let times: Vec<_> = story.outcome.faults.iter().map(|fault| fault.at).collect();
    // b is paused when it would send its third.
    assert_eq!(times, [Some(at(ms(22))), Some(at(ms(30))), None]);
}

#[test]
fn writes_are_counted_and_not_the_persists_that_they_complete() {
    let persists = [start([persist("1"), persist("2"), persist("3")])];
    let times = |cue: Cue| -> Vec<Option<Span>> {
        (1..=3)
            .map(|nth| {
                let outcome = plan()
                    .host("a", persists.clone())
                    .step(when(cue.clone(), &[A], nth), kill_actor())
                    .run(1);
                outcome.faults[0].at.map(|at| at.since(squall_nodes::Time::ZERO))
            })
            .collect()
    };
    // The second and the third are one write.
    assert_eq!(times(Cue::PersistBegun), [Some(ms(0)), Some(ms(10)), None]);
    assert_eq!(times(Cue::PersistCompleted), [Some(ms(10)), Some(ms(20)), None]);
}

#[test]
fn a_write_that_fails_has_begun_and_never_completes() {
    let draft = |cue| {
        plan()
            .host("a", writer())
            .host("b", [])
            .at(ms(0), lay_over(failing_disk(&[A], 1.0)))
            .step(when(cue, &[A], 1), kill_actor())
            .run(1)
    };
    assert_eq!(draft(Cue::PersistBegun).faults[1].at, Some(at(ms(0))));
    assert_eq!(draft(Cue::PersistCompleted).faults[1].at, None);
}

#[test]
fn a_write_that_begins_when_another_is_done_triggers_too() {
    let story = plan()
        .host(
            "a",
            [start([persist("1"), send(B, "x"), persist("2"), send(B, "y")])],
        )
        .host("b", [])
        .step(when(Cue::PersistBegun, &[], 2), kill_actor())
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "10ms sends x to b",
            "10ms writes 2"
        ]
    );
}

#[test]
fn what_comes_after_a_deed_comes_that_much_later_and_knows_who_did_it() {
    let draft = |cue| -> Draft {
        plan()
            .host("a", [])
            .host(
                "b",
                [
                    start([Do::Arm(1, ms(3))]),
                    on(On::Timer(1), [persist("x"), send(A, "x")]),
                ],
            )
            .step(
                Trigger::When {
                    cue,
                    by: vec![],
                    nth: 1,
                    after: ms(7),
                },
                Fault::Pause(vec![Target::Actor]),
            )
    };
    for (cue, when) in [
        (Cue::PersistBegun, ms(10)),
        (Cue::PersistCompleted, ms(20)),
        (Cue::Send(vec![A]), ms(20)),
    ] {
        let story = draft(cue).trace(1);
        assert_eq!(
            story.changes(),
            [(when, squall_nodes::Change::Paused { host: B })]
        );
    }
}

#[test]
fn a_kill_and_a_restart_at_one_deed_leave_nothing_of_the_earlier_life() {
    for cue in [Cue::PersistCompleted, Cue::Send(vec![])] {
        let rules = [start([persist("x"), send(B, "1"), send(B, "2")])];
        let story = plan()
            .host("a", rules)
            .host("b", [])
            .step(when(cue.clone(), &[A], 1), kill_actor())
            .step(when(cue.clone(), &[A], 1), restart(&[A]))
            .limit(ms(15))
            .trace(1);
        let sent = usize::from(cue == Cue::Send(vec![]));
        let lines = story.of(A);
        assert_eq!(lines.len(), 4 + sent, "{lines:#?}");
        assert_eq!(
            lines[2 + sent..],
            ["10ms boots for life 1", "10ms writes 1"].map(String::from)
        );
    }
}
