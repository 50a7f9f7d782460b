//! Paused hosts: what comes in meanwhile, and what they find when they are resumed.

use squall_sim::plan::{Fault, Latency, Target};

use crate::node::{Do, On, SAID, beat, on, place, say, send, start};
use crate::plans::{A, B, kill, lay, link, ms, one_way, pause, plan, restart, resume};

#[test]
fn what_comes_in_meanwhile_is_found_in_order_and_before_what_comes_in_then() {
    let story = plan()
        .host("a", [])
        .host("b", beat(&[A], ms(5), ms(5)))
        .links(link(Latency::Constant(ms(5))))
        .at(ms(12), pause(&[A]))
        // A beat reaches it at the very instant at which it is resumed.
        .at(ms(30), resume(&[A]))
        .limit(ms(38))
        .trace(1);
    assert_eq!(
        story.of(A)[1..],
        [
            "10ms hears 0 from b",
            "30ms hears 1 from b",
            "30ms hears 2 from b",
            "30ms hears 3 from b",
            "30ms hears 4 from b",
            "35ms hears 5 from b",
        ]
        .map(String::from)
    );
}

#[test]
fn timers_that_are_due_meanwhile_go_off_then_each_once() {
    let story = plan()
        .host(
            "a",
            [
                start([
                    Do::Arm(1, ms(20)),
                    Do::Arm(2, ms(15)),
                    Do::Arm(3, ms(60)),
                    Do::Arm(4, ms(8)),
                ]),
                // Moved later before the pause: its entry comes up during the pause, and it is not due.
                on(On::Timer(4), [Do::Arm(2, ms(60)), Do::Disarm(5)]),
            ],
        )
        .host(
            "b",
            [start([Do::Arm(1, ms(17))]), on(On::Timer(1), [send(A, "hello")])],
        )
        .at(ms(10), pause(&[A]))
        .at(ms(50), resume(&[A]))
        .trace(1);
    assert_eq!(
        story.of(A)[1..],
        [
            "8ms wakes by Alarm(4)",
            "50ms hears hello from b",
            "50ms wakes by Alarm(1)",
            "60ms wakes by Alarm(3)",
            "68ms wakes by Alarm(2)",
        ]
        .map(String::from)
    );
}

#[test]
fn a_cut_laid_meanwhile_does_not_reach_into_the_buffer_of_a_paused_host() {
    let story = plan()
        .host("a", [])
        .host("b", beat(&[A], ms(5), ms(10)))
        .at(ms(1), pause(&[A]))
        .at(ms(10), lay(one_way(&[B], &[A])))
        .at(ms(30), resume(&[A]))
        .limit(ms(40))
        .trace(1);
    assert_eq!(story.of(A)[1..], ["30ms hears 0 from b"].map(String::from));
    assert_eq!(story.affected(), [1, 3, 1]);
    assert_eq!(
        (story.outcome.traffic.delivered, story.outcome.traffic.cut),
        (1, 3)
    );
}

#[test]
fn the_buffer_of_a_paused_host_holds_212992_bytes_and_what_overflows_is_counted() {
    let ship = |bytes| Do::Ship { to: place(A), bytes };
    let mut cargo = vec![ship(1000); 121];
    // With 768 bytes of overhead each, 120 of them fit, and 64 bytes more: not one more after that.
    cargo.extend([ship(64), ship(1), ship(0)]);
    let story = plan()
        .host("a", [])
        .host("b", [start([Do::Arm(1, ms(5))]), on(On::Timer(1), cargo)])
        .at(ms(1), pause(&[A]))
        .at(ms(10), resume(&[A]))
        .trace(1);
    let heard = story.heard(A);
    assert_eq!(heard.len(), 121);
    assert!(heard.iter().all(|(when, _)| *when == ms(10)));
    assert_eq!(heard[120].1, ".".repeat(64));
    assert_eq!(story.outcome.traffic.overflowed, 3);
    let missed: Vec<_> = story
        .of(A)
        .into_iter()
        .filter(|line| line.contains("misses"))
        .collect();
    assert_eq!(missed, vec!["6ms misses BufferFull from b"; 3]);
}

#[test]
fn the_buffer_of_a_paused_host_is_full_after_277_datagrams_however_short() {
    let ship = Do::Ship {
        to: place(A),
        bytes: 0,
    };
    let outcome = plan()
        .host("a", [])
        .host(
            "b",
            [start([Do::Arm(1, ms(5))]), on(On::Timer(1), vec![ship; 300])],
        )
        .at(ms(1), pause(&[A]))
        .at(ms(10), resume(&[A]))
        .run(1);
    assert_eq!((outcome.traffic.delivered, outcome.traffic.overflowed), (277, 23));
}

#[test]
fn a_buffer_that_was_emptied_is_empty() {
    let fill = [start([Do::Arm(1, ms(5)), Do::Arm(2, ms(15))])]
        .into_iter()
        .chain([1, 2].map(|timer| {
            let ship = Do::Ship {
                to: place(A),
                bytes: 50_000,
            };
            on(On::Timer(timer), vec![ship; 5])
        }))
        .collect::<Vec<_>>();
    let outcome = plan()
        .host("a", [])
        .host("b", fill)
        .at(ms(1), pause(&[A]))
        .at(ms(10), resume(&[A]))
        .at(ms(11), pause(&[A]))
        .at(ms(20), resume(&[A]))
        .run(1);
    assert_eq!((outcome.traffic.delivered, outcome.traffic.overflowed), (8, 2));
}

#[test]
fn a_host_that_is_killed_while_paused_finds_nothing_of_it_in_its_next_life() {
    let story = plan()
        .host("a", [start([Do::Arm(1, ms(6))])])
        .host("b", beat(&[A], ms(5), ms(5)))
        .at(ms(3), pause(&[A]))
        .at(ms(17), kill(&[A]))
        .at(ms(18), restart(&[A]))
        .at(ms(19), resume(&[A]))
        .limit(ms(23))
        .trace(1);
    assert_eq!(story.words(A), ["3"]);
    assert_eq!(story.timers(A), []);
    assert_eq!(story.affected(), [1, 1, 1, 0], "a new life is not paused");
    assert_eq!(story.outcome.traffic.to_nobody, 3);
}

#[test]
fn a_call_of_a_paused_host_is_answered_when_it_is_resumed() {
    let story = plan()
        .host("a", [on(On::Command, [Do::Answer("here".into())])])
        .at(ms(3), pause(&[A]))
        .call(ms(5), A, "where?")
        .at(ms(17), resume(&[A]))
        .trace(1);
    assert_eq!(
        story.of(A)[1..],
        ["5ms is asked \"where?\"", "17ms answers \"here\""].map(String::from)
    );
}

#[test]
fn a_host_that_is_paused_again_before_it_has_found_all_finds_the_rest_the_next_time() {
    let claimant = || vec![Target::Actor];
    let story = plan()
        .host("a", [on(On::Datagram, [say("heard")])])
        .host("b", beat(&[A], ms(5), ms(5)))
        .at(ms(2), pause(&[A]))
        .at(ms(22), resume(&[A]))
        // At the first that it finds.
        .when(SAID, Fault::Pause(claimant()))
        .at(ms(30), resume(&[A]))
        .limit(ms(35))
        .trace(1);
    assert_eq!(
        story
            .heard(A)
            .into_iter()
            .map(|(when, says)| format!("{when} {says}"))
            .collect::<Vec<_>>(),
        ["22ms 0", "30ms 1", "30ms 2", "30ms 3", "30ms 4", "31ms 5"]
    );
}

#[test]
fn a_host_that_is_killed_before_it_has_found_all_drops_the_rest() {
    let story = plan()
        .host("a", [on(On::Datagram, [say("heard")])])
        .host("b", beat(&[A], ms(5), ms(5)))
        .host("c", beat(&[A], ms(6), ms(5)))
        .at(ms(2), pause(&[A]))
        .at(ms(22), resume(&[A]))
        .when(SAID, kill(&[A]))
        .when(SAID, restart(&[A]))
        .limit(ms(25))
        .trace(1);
    assert_eq!(story.heard(A), [(ms(22), "0".to_owned())]);
    assert_eq!(
        story
            .of(A)
            .iter()
            .filter(|line| line.contains("misses Down"))
            .count(),
        6,
        "{:#?}",
        story.of(A)
    );
    // And one more, which reaches the next life before it has opened its port.
    assert_eq!(story.outcome.traffic.to_nobody, 7);
}
