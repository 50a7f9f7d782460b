//! Writes to disk: what waits for them, what they leave behind.

use squall_sim::plan::Latency;

use crate::node::{Do, SAID};
use crate::node::{FOUND, On, on, persist, say, send, start};
use crate::plans::{A, B, at, kill, kill_actor, ms, pause, plan, restart, resume};
use squall_nodes::Span;
use squall_sim::plan::{Cue, Moment, Trigger};

#[test]
fn what_others_can_see_waits_for_the_disk_and_timers_do_not() {
    let story = plan()
        .host(
            "a",
            [
                start([
                    send(B, "before"),
                    Do::Arm(1, ms(2)),
                    persist("x"),
                    send(B, "after"),
                    say("after"),
                    Do::Arm(2, ms(4)),
                ]),
                on(On::Timer(1), [send(B, "from the timer"), Do::Arm(3, ms(1))]),
                on(On::Command, [Do::Answer("yes".into())]),
                on(On::Persisted, [send(B, "persisted")]),
            ],
        )
        .host("b", [])
        .call(ms(5), A, "well?")
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns sends before to b",
            "0ns writes 1",
            "2ms wakes by Alarm(1)",
            "3ms wakes by Alarm(3)",
            "4ms wakes by Alarm(2)",
            "5ms is asked \"well?\"",
            "10ms sends after to b",
            "10ms claims Said { what: \"after\" }",
            "10ms sends from the timer to b",
            "10ms answers \"yes\"",
            "10ms has written 1",
            "10ms sends persisted to b",
        ]
    );
    assert_eq!(story.outcome.traffic.delivered, 4);
}

#[test]
fn writes_with_nothing_visible_between_them_are_one_and_all_of_them_complete() {
    let story = plan()
        .host(
            "a",
            [start([
                persist("1"),
                persist("2"),
                Do::Arm(1, ms(1)),
                persist("3"),
                send(B, "x"),
                persist("4"),
            ])],
        )
        .host("b", [])
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "1ms wakes by Alarm(1)",
            // The second and the third are one write.
            "10ms writes 2",
            "10ms has written 1",
            "20ms sends x to b",
            "20ms writes 4",
            "20ms has written 2",
            "20ms has written 3",
            "30ms has written 4",
        ]
    );
}

#[test]
fn what_is_on_the_disk_is_the_last_write_that_completed() {
    let recall = [
        start([Do::Recall, Do::Arm(1, ms(1))]),
        on(On::Timer(1), [persist("1"), persist("2"), persist("3")]),
    ];
    let story = plan()
        .host("a", recall)
        .at(ms(15), kill(&[A]))
        .at(ms(20), restart(&[A]))
        .at(ms(50), kill(&[A]))
        .at(ms(60), restart(&[A]))
        .limit(ms(61))
        .trace(7);
    let found: Vec<String> = story.claimed(A).into_iter().map(|(_, says)| says).collect();
    // At 15 ms the first write was on the disk, and the one that the other two had become was under way.
    assert!(
        [r#"Found { disk: Some("1") }"#, r#"Found { disk: Some("3") }"#].contains(&found[1].as_str()),
        "{found:?}"
    );
    assert_eq!(found[2], r#"Found { disk: Some("3") }"#);
}

#[test]
fn a_crash_in_the_middle_of_a_write_leaves_the_old_or_the_new_and_drops_what_waits() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..60 {
        let story = plan()
            .host(
                "a",
                [
                    start([Do::Recall, persist("old"), Do::Arm(1, ms(15))]),
                    on(
                        On::Timer(1),
                        [
                            persist("new"),
                            send(B, "promise"),
                            say("promise"),
                            persist("newer"),
                        ],
                    ),
                ],
            )
            .host("b", [])
            .at(ms(20), kill(&[A]))
            .at(ms(30), restart(&[A]))
            .limit(ms(40))
            .trace(seed);
        let claimed: Vec<String> = story.claimed(A).into_iter().map(|(_, says)| says).collect();
        assert_eq!(claimed[0], "Found { disk: None }");
        match claimed[1].as_str() {
            r#"Found { disk: Some("old") }"# => old += 1,
            r#"Found { disk: Some("new") }"# => new += 1,
            other => panic!("seed {seed}: {other}"),
        }
        assert_eq!(claimed.len(), 2, "seed {seed}");
        assert_eq!(story.outcome.traffic.sent, 0, "seed {seed}");
    }
    assert!(old >= 15 && new >= 15, "old {old}, new {new}");
}

#[test]
fn a_crash_that_a_claim_behind_a_write_triggers_drops_what_is_behind_the_claim() {
    let story = plan()
        .host(
            "a",
            [start([
                persist("x"),
                send(B, "ahead"),
                say("go"),
                send(B, "behind"),
                persist("y"),
            ])],
        )
        .host("b", [])
        .when(SAID, kill_actor())
        .trace(1);
    assert_eq!(story.words(B), ["ahead"]);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "10ms sends ahead to b",
            "10ms claims Said { what: \"go\" }",
        ]
    );
}

#[test]
fn a_paused_node_is_told_of_its_write_when_it_is_resumed_and_what_waited_goes_out_then() {
    let story = plan()
        .host("a", [start([persist("x"), send(B, "after")])])
        .host("b", [])
        .at(ms(5), pause(&[A]))
        .at(ms(50), resume(&[A]))
        .trace(1);
    assert_eq!(
        story.of(A)[2..],
        ["50ms sends after to b", "50ms has written 1"].map(String::from)
    );
}

#[test]
fn a_write_takes_what_its_law_says_and_each_draws_its_own() {
    let writes = 50;
    let law = Latency::Uniform(ms(2), ms(8));
    let story = plan()
        .host(
            "a",
            [
                start([persist("x")]),
                on(On::Persisted, [say("written"), persist("x")]),
            ],
        )
        .persist_takes(law)
        .step(
            Trigger::When {
                cue: Cue::Fact(SAID),
                by: vec![A],
                nth: writes,
                after: Span::ZERO,
            },
            kill(&[A]),
        )
        .limit(Span::from_secs(5))
        .trace(3);
    let mut before = Span::ZERO;
    let mut took = Vec::new();
    for (when, _) in story.claimed(A) {
        took.push(at(when).since(at(before)));
        before = when;
    }
    assert_eq!(took.len(), writes as usize);
    assert!(took.iter().all(|span| (ms(2)..ms(8)).contains(span)), "{took:?}");
    let (least, most) = (took.iter().min().unwrap(), took.iter().max().unwrap());
    assert!(*least < ms(3) && *most > ms(7), "{took:?}");
}

#[test]
fn a_disk_is_measured_by_what_comes_after_it() {
    let outcome = plan()
        .host("a", [start([persist("x"), Do::Recall])])
        .host("b", [start([say("hello")])])
        .measure(squall_sim::plan::Measure {
            name: "write".to_owned(),
            from: Moment::Fact(SAID),
            to: Moment::Fact(FOUND),
            each: None,
        })
        .run(1);
    assert_eq!(outcome.measures[0].samples, [ms(10)]);
}
