//! Slow hosts: each input takes its time, one after the other, and what comes in meanwhile waits.

use squall_nodes::{Change, HostId, Span};
use squall_sim::plan::{Fault, Latency, Layer, Target, Trigger};

use crate::node::{Do, On, Rule, SAID, beat, on, persist, place, say, send, start};
use crate::plans::{
    A, B, Draft, at, heal_layer, kill, lay_over, link, ms, pause, plan, restart, resume, slow, us,
};
use crate::stories::Story;

/// What a host's node heard and when: `16ms 0`.
fn heard(story: &Story, host: HostId) -> Vec<String> {
    let line = |(when, says)| format!("{when} {says}");
    story.heard(host).into_iter().map(line).collect()
}

/// `a` only listens; a datagram of `b` reaches it at 6, 10, 14, … ms.
fn listener() -> Draft {
    plan().host("a", []).host("b", beat(&[A], ms(5), ms(4)))
}

#[test]
fn an_input_is_handled_when_the_host_has_worked_on_it_and_the_next_takes_its_turn() {
    let story = listener()
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .limit(ms(40))
        .trace(1);
    // The first waits for nobody, the second until the first is done with.
    assert_eq!(heard(&story, A), ["16ms 0", "26ms 1", "36ms 2"]);
    // Those of 6 to 38 ms had to wait, and six of them still do.
    assert_eq!(story.affected(), [9]);
    assert_eq!(
        (story.outcome.traffic.delivered, story.outcome.traffic.in_flight),
        (3, 6)
    );
}

#[test]
fn a_host_that_is_done_with_all_begins_anew_with_what_comes_then() {
    let story = plan()
        .host("a", [])
        .host("b", beat(&[A], ms(9), ms(20)))
        .at(ms(1), lay_over(slow(&[A], ms(15))))
        .limit(ms(70))
        .trace(1);
    assert_eq!(heard(&story, A), ["25ms 0", "45ms 1", "65ms 2"]);
    assert_eq!(story.affected(), [3]);
}

#[test]
fn layers_add_up_and_each_counts_what_waited_under_it() {
    let story = listener()
        .at(ms(1), lay_over(slow(&[A], ms(3))))
        // One is worked on and none waits behind it.
        .at(ms(7), lay_over(slow(&[A, B], ms(8))))
        .at(ms(15), heal_layer(slow(&[B, A], ms(8))))
        .limit(ms(22))
        .trace(1);
    // The first takes 3 ms and 8 ms more from the second layer on, but that is healed before: it is done with what is left of 3 ms,
    // which was over long before. The next of b, whose tick of 9 ms waited until then too, takes 3 ms.
    assert_eq!(heard(&story, A), ["15ms 0", "19ms 1"]);
    let slowed = |host, by| Change::Slowed { host, by };
    assert_eq!(
        story.changes(),
        [
            (ms(1), slowed(A, ms(3))),
            (ms(7), slowed(A, ms(11))),
            (ms(7), slowed(B, ms(8))),
            (ms(15), slowed(A, ms(3))),
            (ms(15), slowed(B, ms(0))),
        ]
    );
    // What came to a at 6, 16 and 20 ms; the first of them and b's tick.
    assert_eq!(story.affected(), [3, 2, 1]);
}

#[test]
fn equal_layers_count_twice_and_are_healed_one_by_one() {
    let story = listener()
        .at(ms(1), lay_over(slow(&[A], ms(2))))
        .at(ms(2), lay_over(slow(&[A], ms(2))))
        .at(ms(12), heal_layer(slow(&[A], ms(2))))
        .at(ms(16), heal_layer(slow(&[A], ms(2))))
        .at(ms(17), heal_layer(slow(&[A], ms(2))))
        .at(ms(18), heal_layer(slow(&[A], ms(3))))
        .limit(ms(20))
        .trace(1);
    // The second has been worked on for 2 ms when it takes 2 ms.
    assert_eq!(heard(&story, A), ["10ms 0", "12ms 1", "16ms 2", "18ms 3"]);
    assert_eq!(story.affected(), [3, 2, 1, 1, 0, 0]);
}

#[test]
fn what_waits_when_the_last_layer_is_healed_is_found_in_order_and_before_what_comes_in_then() {
    let story = listener()
        .links(link(Latency::Constant(ms(5))))
        .at(ms(1), lay_over(slow(&[A], ms(100))))
        // A beat reaches it at the very instant at which it is healed.
        .at(ms(30), heal_layer(slow(&[A], ms(100))))
        .limit(ms(36))
        .trace(1);
    let all = [
        "30ms 0", "30ms 1", "30ms 2", "30ms 3", "30ms 4", "30ms 5", "34ms 6",
    ];
    assert_eq!(heard(&story, A), all);
    assert_eq!(story.affected(), [5, 1]);
}

#[test]
fn a_paused_host_works_on_nothing_and_goes_on_where_it_was() {
    let story = plan()
        .host("a", [])
        .host("b", beat(&[A], ms(5), ms(3)))
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        // At 6 ms a datagram comes in, and 7 ms of the work on it are still to be done.
        .at(ms(9), pause(&[A]))
        .at(ms(50), resume(&[A]))
        .limit(ms(70))
        .trace(1);
    assert_eq!(heard(&story, A), ["57ms 0", "67ms 1"]);
}

#[test]
fn a_layer_laid_or_healed_during_a_pause_counts_from_the_end_of_it() {
    let beats = || plan().host("a", []).host("b", beat(&[A], ms(5), ms(30)));
    let laid = beats()
        .at(ms(1), pause(&[A]))
        .at(ms(10), lay_over(slow(&[A], ms(10))))
        .at(ms(20), resume(&[A]))
        .limit(ms(35))
        .trace(1);
    assert_eq!(heard(&laid, A), ["30ms 0"]);
    assert_eq!(laid.affected(), [1, 1, 1]);
    let healed = beats()
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .at(ms(2), pause(&[A]))
        .at(ms(10), heal_layer(slow(&[A], ms(10))))
        .at(ms(20), resume(&[A]))
        .limit(ms(35))
        .trace(1);
    assert_eq!(heard(&healed, A), ["20ms 0"]);
}

#[test]
fn timers_calls_completed_writes_and_the_start_take_their_turn_with_the_rest() {
    let story = plan()
        .late_host(
            "a",
            ms(5),
            [
                start([Do::Arm(1, ms(1)), persist("x"), send(B, "behind")]),
                on(On::Command, [Do::Answer("yes".into())]),
            ],
        )
        .host("b", beat(&[A], ms(8), ms(50)))
        .persist_takes(Latency::Constant(ms(3)))
        .at(ms(1), lay_over(slow(&[A], ms(2))))
        .call(ms(7), A, "well?")
        .limit(ms(25))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "7ms is asked \"well?\"",
            "7ms boots for life 0",
            "7ms writes 1",
            // The call, made as its node started, is done with; its answer waits for the disk.
            // The timer of 8 ms, the datagram of 9 ms, and the write of 10 ms.
            "11ms wakes by Alarm(1)",
            "13ms hears 0 from b",
            "15ms sends behind to b",
            "15ms answers \"yes\"",
            "17ms has written 1",
        ]
    );
    assert_eq!(story.affected(), [6]);
}

#[test]
fn a_timer_that_was_taken_back_or_moved_while_it_waited_takes_no_time() {
    let rules = [
        start([Do::Arm(1, ms(20)), Do::Arm(2, ms(21))]),
        on(On::Datagram, [Do::Disarm(1), Do::Arm(2, ms(30))]),
    ];
    let story = plan()
        .host("a", rules)
        .host("b", beat(&[A], us(18_500), us(3_000)))
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .limit(ms(65))
        .trace(1);
    // Both timers come up while the host works on the first datagram, of 19.5 ms. The second came in behind them, at 22.5 ms.
    assert_eq!(heard(&story, A)[..3], ["29500us 0", "39500us 1", "49500us 2"]);
    assert_eq!(story.timers(A), []);
}

#[test]
fn the_buffer_of_a_slow_host_is_that_of_a_paused_one_and_empties_as_it_works() {
    let ship = Do::Ship {
        to: place(A),
        bytes: 50_000,
    };
    let rules = [
        start([Do::Arm(1, ms(5)), Do::Arm(2, ms(18))]),
        on(On::Timer(1), vec![ship.clone(); 5]),
        on(On::Timer(2), vec![ship; 2]),
    ];
    let story = plan()
        .host("a", [])
        .host("b", rules)
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .limit(ms(100))
        .trace(1);
    // Four of 50 768 bytes fit into 212 992. One was taken out before the last two came.
    let times: Vec<Span> = story.heard(A).into_iter().map(|(when, _)| when).collect();
    assert_eq!(times, [16, 26, 36, 46, 56].map(ms));
    assert_eq!(story.outcome.traffic.overflowed, 2);
    assert_eq!(story.affected(), [5], "what did not fit did not wait");
}

#[test]
fn a_crash_drops_what_waits_and_the_next_life_is_as_slow() {
    let story = listener()
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .at(ms(15), kill(&[A]))
        .at(ms(16), restart(&[A]))
        .limit(ms(41))
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            // Those of 6, 10 and 14 ms.
            "15ms misses Down from b",
            "15ms misses Down from b",
            "15ms misses Down from b",
            // Its port is not open before it has started.
            "18ms misses PortClosed from b",
            "22ms misses PortClosed from b",
            "26ms boots for life 1",
            "36ms hears 5 from b",
        ]
    );
    assert_eq!(story.outcome.traffic.to_nobody, 5);
}

#[test]
fn a_layer_over_a_host_that_is_down_is_there_when_it_comes_up() {
    let story = plan()
        .late_host("a", ms(20), [])
        .at(ms(1), lay_over(slow(&[A], ms(10))))
        .at(ms(2), lay_over(slow(&[A], ms(7))))
        .at(ms(3), heal_layer(slow(&[A], ms(10))))
        .trace(1);
    assert_eq!(story.of(A), ["27ms boots for life 0"]);
    assert_eq!(story.affected(), [0, 1, 1]);
}

#[test]
fn a_host_that_becomes_slow_before_it_has_found_all_works_on_the_rest() {
    let story = plan()
        .host("a", [on(On::Datagram, [say("heard")])])
        .host("b", beat(&[A], ms(5), ms(5)))
        .at(ms(2), pause(&[A]))
        .at(ms(22), resume(&[A]))
        // At the first that it finds.
        .when(
            SAID,
            Fault::Lay(Layer::Slow {
                who: vec![Target::Actor],
                by: ms(10),
            }),
        )
        .limit(ms(45))
        .trace(1);
    assert_eq!(heard(&story, A), ["22ms 0", "32ms 1", "42ms 2"]);
    // The three that it had not found, and those of 26, 31, 36 and 41 ms.
    assert_eq!(story.affected(), [1, 1, 7]);
}

#[test]
fn a_host_that_heals_itself_finds_the_rest_at_once() {
    let story = plan()
        .host("a", [on(On::Datagram, [say("heard")])])
        .host("b", beat(&[A], ms(5), ms(1)))
        .at(ms(1), lay_over(slow(&[A], ms(3))))
        .when(
            SAID,
            Fault::Heal(Layer::Slow {
                who: vec![Target::Actor],
                by: ms(3),
            }),
        )
        .limit(ms(12))
        .trace(1);
    assert_eq!(
        heard(&story, A),
        ["9ms 0", "9ms 1", "9ms 2", "9ms 3", "10ms 4", "11ms 5"]
    );
}

#[test]
fn a_slow_host_heals_again_and_again_and_loses_nothing() {
    let rules: Vec<Rule> = beat(&[A], us(300), us(700));
    let layer = || slow(&[A], ms(3));
    let every = |first| Trigger::Every {
        first: at(first),
        interval: us(1_900),
        until: at(Span::from_secs(1)),
    };
    let story = plan()
        .host("a", [])
        .host("b", rules)
        .step(every(us(500)), lay_over(layer()))
        .step(every(us(1_500)), heal_layer(layer()))
        .limit(Span::from_secs(1))
        .trace(1);
    let words: Vec<u64> = story.words(A).iter().map(|says| says.parse().unwrap()).collect();
    let expected: Vec<u64> = (0..words.len() as u64).collect();
    assert_eq!(words, expected, "in order, each once");
    let traffic = story.outcome.traffic;
    assert_eq!(traffic.sent, traffic.delivered + traffic.in_flight);
    assert!(traffic.in_flight <= 4, "{traffic:?}");
}
