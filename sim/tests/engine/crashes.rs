//! Crashes and restarts: what is lost with a life, what the next one finds.

use squall_nodes::{Change, Crash, DiskAtBoot};
use squall_sim::Verdict;
use squall_sim::plan::{Fault, Latency};

use crate::node::{Do, On, SAID, beat, on, persist, say, send, start};
use crate::plans::{
    A, B, kill, kill_actor, link, ms, pause, plan, restart, restart_wiped, resume, targets, us,
};

#[test]
fn a_kill_in_the_middle_of_what_a_node_asks_for_drops_the_rest() {
    let story = plan()
        .host(
            "a",
            [start([
                send(B, "first"),
                say("go"),
                send(B, "second"),
                persist("third"),
                Do::Arm(1, ms(1)),
            ])],
        )
        .host("b", [])
        .when(SAID, kill_actor())
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns sends first to b",
            "0ns claims Said { what: \"go\" }",
        ]
    );
    assert_eq!(story.words(B), ["first"], "what was sent before is on its way");
    assert_eq!(story.outcome.verdict, Verdict::Held);
    assert_eq!(story.affected(), [1]);
}

#[test]
fn a_host_killed_and_restarted_at_one_claim_does_nothing_more_of_what_its_earlier_life_asked_for() {
    let story = plan()
        .host("a", [start([say("go"), send(B, "late"), say("gone")])])
        .host("b", [])
        .when(SAID, kill_actor())
        .when(SAID, restart(&[A]))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns claims Said { what: \"go\" }",
            "0ns boots for life 1",
            "0ns claims Said { what: \"go\" }",
            "0ns sends late to b",
            "0ns claims Said { what: \"gone\" }",
        ]
    );
}

#[test]
fn a_restart_keeps_the_disk_or_wipes_it_and_the_world_is_told_which() {
    let story = plan()
        .host("a", [start([Do::Recall, persist("x")])])
        .at(ms(20), kill(&[A]))
        .at(ms(30), restart(&[A]))
        .at(ms(50), Fault::Crash(Crash::PowerCut, targets(&[A])))
        .at(ms(60), restart_wiped(&[A]))
        .trace(1);
    let found: Vec<String> = story.claimed(A).into_iter().map(|(_, says)| says).collect();
    // A claim ahead of a write does not wait for it.
    assert_eq!(
        found,
        [
            "Found { disk: None }",
            r#"Found { disk: Some("x") }"#,
            "Found { disk: None }"
        ]
    );
    let up = |incarnation, disk| Change::Up {
        host: A,
        incarnation,
        disk,
    };
    let down = |how| Change::Down { host: A, how };
    assert_eq!(
        story.changes(),
        [
            (ms(20), down(Crash::Kill)),
            (ms(30), up(1, DiskAtBoot::Kept)),
            (ms(50), down(Crash::PowerCut)),
            (ms(60), up(2, DiskAtBoot::Wiped)),
        ]
    );
}

#[test]
fn a_timer_of_an_earlier_life_never_goes_off_in_a_later_one() {
    let story = plan()
        .host("a", [start([Do::Arm(1, ms(50)), Do::Arm(2, ms(5))])])
        .at(ms(10), kill(&[A]))
        .at(ms(20), restart(&[A]))
        .at(ms(22), kill(&[A]))
        .at(ms(40), restart(&[A]))
        .trace(1);
    let timers: Vec<_> = story.timers(A);
    assert_eq!(
        timers,
        [
            (ms(5), "Alarm(2)".to_owned()),
            (ms(45), "Alarm(2)".to_owned()),
            (ms(90), "Alarm(1)".to_owned()),
        ]
    );
}

#[test]
fn a_write_a_call_and_a_buffer_of_an_earlier_life_never_reach_a_later_one() {
    let story = plan()
        .host(
            "a",
            [
                start([persist("x"), send(B, "written")]),
                on(On::Command, [Do::Answer("yes".into())]),
            ],
        )
        .host("b", beat(&[A], us(2_500), ms(1)))
        .at(ms(2), pause(&[A]))
        .call(ms(4), A, "well?")
        .at(ms(8), kill(&[A]))
        .at(ms(8), restart(&[A]))
        .limit(ms(10))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "4ms is asked \"well?\"",
            // What its kernel held goes with it: the beats of 2.5 to 6.5 ms, in the order in which they came.
            "8ms misses Down from b",
            "8ms misses Down from b",
            "8ms misses Down from b",
            "8ms misses Down from b",
            "8ms misses Down from b",
            "8ms boots for life 1",
            "8ms writes 1",
            // What was on its way is for whoever has the port open when it comes.
            "8500us hears 5 from b",
            "9500us hears 6 from b",
        ]
    );
    assert_eq!(story.outcome.traffic.to_nobody, 5);
}

#[test]
fn a_datagram_to_a_host_that_is_down_or_has_not_opened_its_port_is_dropped_and_counted() {
    let story = plan()
        .host("a", [])
        .host("b", beat(&[A], ms(5), ms(10)))
        .links(link(Latency::Constant(ms(10))))
        .at(ms(20), kill(&[A]))
        // Its first input comes after the datagram that reaches it as it boots.
        .at(ms(35), restart(&[A]))
        .limit(ms(50))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "15ms hears 0 from b",
            "25ms misses Down from b",
            "35ms misses PortClosed from b",
            "35ms boots for life 1",
            "45ms hears 3 from b",
        ]
    );
    let traffic = story.outcome.traffic;
    assert_eq!(
        (traffic.delivered, traffic.to_nobody, traffic.in_flight),
        (2, 2, 1)
    );
}

#[test]
fn a_host_that_starts_late_is_down_until_then() {
    let story = plan()
        .late_host("a", ms(20), [start([Do::Recall])])
        .host("b", beat(&[A], ms(4), ms(10)))
        .at(ms(10), kill(&[A]))
        .at(ms(11), restart(&[A]))
        .at(ms(12), pause(&[A]))
        .limit(ms(30))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "5ms misses Down from b",
            "15ms misses Down from b",
            "20ms boots for life 0",
            "20ms claims Found { disk: None }",
            "25ms hears 2 from b",
        ]
    );
    assert_eq!(
        story.changes(),
        [(
            ms(20),
            Change::Up {
                host: A,
                incarnation: 0,
                disk: DiskAtBoot::Fresh
            }
        )]
    );
    assert_eq!(
        story.affected(),
        [0, 0, 0],
        "a host that was never on has no life to take"
    );
}

#[test]
fn a_fault_counts_the_hosts_that_it_made_a_difference_to() {
    let story = plan()
        .host("a", [])
        .host("b", [])
        .at(ms(1), kill(&[A]))
        .at(ms(2), kill(&[A, B]))
        .at(ms(3), restart(&[A]))
        .at(ms(4), restart(&[A, B, A]))
        .at(ms(5), pause(&[A, A]))
        .at(ms(6), resume(&[B, A]))
        .at(ms(7), resume(&[A]))
        .trace(1);
    assert_eq!(story.affected(), [1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(story.outcome.verdict, Verdict::Inconclusive);
}
