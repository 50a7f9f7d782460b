//! Slow and failing disks: how long writes take, which fail, and what a failure takes with it.

use squall_nodes::{Change, DiskState};
use squall_sim::plan::Latency;

use crate::node::{Conn, Do, On, PORT, Rule, on, persist, place, say, send, start};
use crate::plans::{
    A, B, failing_disk, heal_layer, kill, lay_over, ms, pause, plan, restart, resume, slow, slow_disk,
};

#[test]
fn what_waits_behind_a_write_that_fails_is_dropped_and_every_persist_among_it_fails() {
    let story = plan()
        .host(
            "a",
            [
                start([
                    send(B, "before"),
                    persist("1"),
                    send(B, "behind"),
                    say("behind"),
                    persist("2"),
                    persist("3"),
                    send(B, "far behind"),
                    Do::Arm(1, ms(4)),
                ]),
                on(On::Timer(1), [persist("4"), Do::Recall]),
                on(On::Command, [Do::Answer("yes".into())]),
                on(On::PersistFailed, [send(B, "failed")]),
            ],
        )
        .host("b", [])
        .call(ms(5), A, "well?")
        .at(ms(1), lay_over(failing_disk(&[A], 1.0)))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns sends before to b",
            "0ns writes 1",
            "4ms wakes by Alarm(1)",
            "5ms is asked \"well?\"",
            "10ms has failed to write 1",
            "10ms sends failed to b",
            "10ms has failed to write 2",
            "10ms sends failed to b",
            "10ms has failed to write 3",
            "10ms sends failed to b",
            "10ms has failed to write 4",
            "10ms sends failed to b",
        ]
    );
    assert_eq!(story.words(B), ["before", "failed", "failed", "failed", "failed"]);
    // One write was begun, and failed.
    assert_eq!(story.affected(), [1]);
}

#[test]
fn a_write_that_fails_leaves_the_disk_as_it_was_and_the_next_has_its_own_fate() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Recall, persist("old"), Do::Arm(1, ms(15)), Do::Arm(2, ms(45))]),
                on(On::Timer(1), [persist("new")]),
                on(On::Timer(2), [persist("newest")]),
            ],
        )
        .at(ms(11), lay_over(failing_disk(&[A], 1.0)))
        .at(ms(26), kill(&[A]))
        .at(ms(27), restart(&[A]))
        // A write that is under way when the layer is healed completes.
        .at(ms(36), heal_layer(failing_disk(&[A], 1.0)))
        .at(ms(60), kill(&[A]))
        .at(ms(61), restart(&[A]))
        .limit(ms(62))
        .trace(1);
    let found: Vec<String> = story.claimed(A).into_iter().map(|(_, says)| says).collect();
    assert_eq!(
        found,
        [
            "Found { disk: None }",
            "Found { disk: Some(\"old\") }",
            // That of 27 ms, which was due at 37 ms; and then another at 42 ms, due at 52 ms.
            "Found { disk: Some(\"new\") }",
        ]
    );
    assert_eq!(story.affected(), [1, 1, 1, 1, 1, 1]);
}

/// Persists again whenever the last persist is done with, one way or the other, and says which.
fn writer() -> Vec<Rule> {
    vec![
        start([persist("x")]),
        on(On::Persisted, [say("done"), persist("x")]),
        on(On::PersistFailed, [say("failed"), persist("x")]),
    ]
}

#[test]
fn a_share_of_writes_fails_each_by_a_draw_of_its_own() {
    let writes = 2_000u64;
    let story = plan()
        .host("a", writer())
        .persist_takes(Latency::Constant(ms(1)))
        .at(ms(0), lay_over(failing_disk(&[A], 0.25)))
        .limit(ms(writes + 1))
        .trace(5);
    let says = story.claimed(A);
    let failed = says.iter().filter(|(_, says)| says.contains("failed")).count() as u64;
    // The last two are behind the writes that are done with; a claim waits for no write.
    assert!(says.len() as u64 >= writes - 1, "{}", says.len());
    // Binomial: a mean of 500 and a standard deviation of 19.4; five of them (p < 10⁻⁶), for a fixed seed.
    assert!((403..=597).contains(&failed), "{failed}");
    assert_eq!(story.affected(), [failed]);
}

#[test]
fn of_several_shares_the_greatest_counts() {
    let failed = |shares: &[f64]| {
        let draft = plan()
            .host("a", writer())
            .persist_takes(Latency::Constant(ms(1)))
            .limit(ms(1_000));
        let draft = shares.iter().fold(draft, |draft, share| {
            draft.at(ms(0), lay_over(failing_disk(&[A], *share)))
        });
        let story = draft.trace(3);
        let lines: Vec<String> = story
            .of(A)
            .into_iter()
            .filter(|line| line.contains("failed to write"))
            .collect();
        (lines, story.affected())
    };
    let (half, _) = failed(&[0.5]);
    let (both, counts) = failed(&[0.25, 0.5]);
    assert_eq!(both, half, "the same writes fail");
    // Each counts those that it would have failed by itself.
    let (_, quarter) = failed(&[0.25]);
    assert_eq!(counts, [quarter[0], half.len() as u64]);
    assert!(quarter[0] < counts[1], "{counts:?}");
}

#[test]
fn writes_that_begin_while_a_disk_is_slow_take_longer_and_layers_add_up() {
    let story = plan()
        .host(
            "a",
            [
                start([
                    persist("1"),
                    Do::Arm(1, ms(20)),
                    Do::Arm(2, ms(50)),
                    Do::Arm(3, ms(95)),
                ]),
                on(On::Timer(1), [persist("2")]),
                on(On::Timer(2), [persist("3")]),
                on(On::Timer(3), [persist("4")]),
            ],
        )
        // The first has begun.
        .at(ms(1), lay_over(slow_disk(&[A], ms(5))))
        .at(ms(40), lay_over(slow_disk(&[A], ms(20))))
        // The third has begun.
        .at(ms(55), heal_layer(slow_disk(&[A], ms(5))))
        .at(ms(90), heal_layer(slow_disk(&[A], ms(20))))
        .trace(1);
    let written: Vec<String> = story
        .of(A)
        .into_iter()
        .filter(|line| line.contains("has written"))
        .collect();
    assert_eq!(
        written,
        [
            "10ms has written 1",
            "35ms has written 2",
            "85ms has written 3",
            "105ms has written 4",
        ]
    );
    assert_eq!(story.affected(), [2, 1, 1, 1]);
}

#[test]
fn a_disk_ails_while_any_layer_is_over_it() {
    let story = plan()
        .host("a", [])
        .host("b", [])
        .at(ms(1), lay_over(slow_disk(&[A, B], ms(5))))
        .at(ms(2), lay_over(failing_disk(&[A], 0.5)))
        .at(ms(3), heal_layer(slow_disk(&[B, A], ms(5))))
        .at(ms(4), heal_layer(failing_disk(&[A], 0.25)))
        .at(ms(5), heal_layer(failing_disk(&[A], 0.5)))
        .trace(1);
    let disk = |host, state| Change::Disk { host, state };
    assert_eq!(
        story.changes(),
        [
            (ms(1), disk(A, DiskState::Ailing)),
            (ms(1), disk(B, DiskState::Ailing)),
            (ms(3), disk(B, DiskState::Sound)),
            (ms(5), disk(A, DiskState::Sound)),
        ]
    );
    // There is no layer with a share of a quarter.
    assert_eq!(story.affected(), [0, 0, 1, 0, 1]);
}

#[test]
fn a_paused_node_is_told_of_its_failure_when_it_is_resumed() {
    let story = plan()
        .host(
            "a",
            [
                start([persist("x"), send(B, "behind")]),
                on(On::PersistFailed, [say("failed")]),
            ],
        )
        .host("b", [])
        .at(ms(1), lay_over(failing_disk(&[A], 1.0)))
        .at(ms(5), pause(&[A]))
        .at(ms(50), resume(&[A]))
        .trace(1);
    assert_eq!(
        story.of(A)[2..],
        [
            "50ms has failed to write 1",
            "50ms claims Said { what: \"failed\" }"
        ]
        .map(String::from)
    );
    assert_eq!(story.outcome.traffic.sent, 0);
}

#[test]
fn a_disk_ails_until_the_write_is_done_that_it_was_slow_over() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(5))]),
                on(On::Timer(1), [persist("1"), say("done"), persist("2")]),
            ],
        )
        .at(ms(1), lay_over(slow_disk(&[A], ms(100))))
        .at(ms(10), heal_layer(slow_disk(&[A], ms(100))))
        .trace(1);
    // The second write begins when the first is done, and takes as long as writes take.
    let disk = |state| Change::Disk { host: A, state };
    assert_eq!(
        story.changes(),
        [
            (ms(1), disk(DiskState::Ailing)),
            (ms(115), disk(DiskState::Sound))
        ]
    );
}

#[test]
fn what_a_slow_node_asks_for_before_it_is_told_of_a_failure_is_dropped() {
    let story = plan()
        .host(
            "a",
            [
                start([persist("x")]),
                on(On::Command, [send(B, "unaware"), say("unaware"), persist("y")]),
                on(On::PersistFailed, [say("failed")]),
            ],
        )
        .host("b", [])
        .at(ms(1), lay_over(failing_disk(&[A], 1.0)))
        .at(ms(1), lay_over(slow(&[A], ms(20))))
        .call(ms(12), A, "well?")
        .trace(1);
    assert_eq!(
        story.of(A)[2..],
        [
            "12ms is asked \"well?\"",
            "70ms has failed to write 1",
            "70ms claims Said { what: \"failed\" }",
            "90ms has failed to write 2",
            "90ms claims Said { what: \"failed\" }",
        ]
        .map(String::from)
    );
    assert_eq!(story.outcome.traffic.sent, 0);
}

#[test]
fn what_is_closed_behind_a_write_that_fails_is_reset_and_so_is_what_is_closed_before_the_node_knows() {
    // The first is closed behind the write, the second, of a slow node, when it has failed.
    for slow_by in [ms(0), ms(20)] {
        let rules = [
            start([Do::Dial(place(B))]),
            on(
                On::Opened,
                [
                    persist("x"),
                    Do::Arm(1, ms(9)),
                    Do::Write(Conn::This, "lost".into()),
                ],
            ),
            on(On::Timer(1), [Do::Close(Conn::Nth(0))]),
            on(
                On::PersistFailed,
                [Do::Write(Conn::Nth(0), "of a connection that is over".into())],
            ),
        ];
        let mut draft = plan()
            .host("a", rules)
            .host("b", [start([Do::Listen(PORT)])])
            .at(ms(1), lay_over(failing_disk(&[A], 1.0)));
        if !slow_by.is_zero() {
            draft = draft.at(ms(5), lay_over(slow(&[A], slow_by)));
        }
        let story = draft.limit(squall_nodes::Span::from_secs(1)).trace(1);
        let told = story.told(B);
        assert!(told.len() == 2 && told[1].ends_with("loses 1: Reset"), "{told:?}");
        assert_eq!(story.read(B, 1), "");
        // What it was told then, it did not know of before.
        let of = story.of(A);
        let line = |part: &str| {
            of.iter()
                .position(|said| said.contains(part))
                .expect("it is there")
        };
        let closes_first = line("wakes by Alarm(1)") < line("has failed to write");
        assert!(closes_first, "{of:?}");
    }
}

#[test]
fn a_crash_in_the_middle_of_a_write_of_a_failing_disk_is_as_that_of_any_other() {
    let left = |layer: bool, seed| {
        let draft = plan()
            .host("a", [start([Do::Recall, persist("x")])])
            .at(ms(5), kill(&[A]))
            .at(ms(6), restart(&[A]))
            .limit(ms(7));
        let draft = if layer {
            draft.at(ms(1), lay_over(failing_disk(&[A], 1.0)))
        } else {
            draft
        };
        draft.trace(seed).claimed(A)
    };
    for seed in 0..20 {
        assert_eq!(left(true, seed), left(false, seed), "seed {seed}");
    }
}
