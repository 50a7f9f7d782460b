//! How connections end: in order, by a kill, by a power cut, by silence.

use squall_nodes::{Crash, Span};
use squall_sim::plan::{Fault, Latency, StreamLaw};

use super::{dialler, listener, write};
use crate::node::{Conn, Do, On, PORT, SAID, on, place, say, start};
use crate::plans::{A, B, kill, lay, link, ms, partition, plan, restart, targets};

/// Dials, and writes at 10 ms and at 100 ms.
fn writes_twice() -> Vec<crate::node::Rule> {
    vec![
        start([Do::Dial(place(B)), Do::Arm(1, ms(10)), Do::Arm(2, ms(100))]),
        on(On::Timer(1), [Do::Write(Conn::Nth(0), "one".into())]),
        on(On::Timer(2), [Do::Write(Conn::Nth(0), "two".into())]),
    ]
}

fn power_cut() -> Fault {
    Fault::Crash(Crash::PowerCut, targets(&[B]))
}

#[test]
fn what_was_written_before_a_close_is_delivered_and_then_the_end() {
    let story = plan()
        .host(
            "a",
            dialler([write("last words"), Do::Close(Conn::This), write("never")]),
        )
        .host("b", listener())
        .trace(1);
    assert_eq!(story.read(B, 1), "last words");
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms loses 1: Orderly"]);
    // Whoever closes hears nothing of it.
    assert_eq!(story.told(A), ["2ms has opened 1 to b"]);
    let counts = story.outcome.traffic.streams;
    assert_eq!((counts.closed, counts.reset, counts.written), (1, 0, 10));
}

#[test]
fn what_is_dialled_written_and_closed_at_once_is_delivered() {
    let rules = [
        Do::Dial(place(B)),
        Do::Write(Conn::Nth(0), "hello".into()),
        Do::Close(Conn::Nth(0)),
    ];
    let story = plan().host("a", [start(rules)]).host("b", listener()).trace(1);
    assert_eq!(story.read(B, 1), "hello");
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms loses 1: Orderly"]);
    assert_eq!(story.told(A), Vec::<String>::new());
}

#[test]
fn both_may_close_at_once_and_neither_hears_of_it() {
    let closes = |then: Vec<Do>| vec![start(then), on(On::Timer(1), [Do::Close(Conn::Nth(0))])];
    let story = plan()
        .host("a", closes(vec![Do::Dial(place(B)), Do::Arm(1, ms(10))]))
        .host(
            "b",
            closes(vec![Do::Listen(PORT), Do::Arm(1, ms(10))])
                .into_iter()
                .chain([on(On::Accepted, [])])
                .collect::<Vec<_>>(),
        )
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b"]);
    assert_eq!(story.told(B), ["3ms accepts 1 from a"]);
}

#[test]
fn what_a_peer_wrote_before_it_heard_of_the_end_is_dropped() {
    let story = plan()
        .host("a", dialler([Do::Close(Conn::This)]))
        .host(
            "b",
            [
                start([Do::Listen(PORT)]),
                on(On::Accepted, [write("into the void")]),
            ],
        )
        .trace(1);
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms loses 1: Orderly"]);
    assert_eq!(story.read(A, 1), "");
}

#[test]
fn the_peers_of_a_killed_node_hear_of_it_a_latency_later() {
    let story = plan()
        .host("a", dialler([]))
        .host("b", listener())
        .at(ms(50), kill(&[B]))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "51ms loses 1: Reset"]);
}

#[test]
fn a_power_cut_is_silent_and_a_peer_that_writes_gives_up_in_the_end() {
    let story = plan()
        .host("a", writes_twice())
        .host("b", listener())
        .at(ms(50), power_cut())
        .limit(Span::from_secs(60))
        .trace(1);
    assert_eq!(story.read(B, 1), "one");
    assert_eq!(
        story.told(A),
        ["2ms has opened 1 to b", "20100ms loses 1: TimedOut"]
    );
}

#[test]
fn a_peer_that_writes_nothing_never_hears_of_a_power_cut() {
    let story = plan()
        .host("a", dialler([]))
        .host("b", listener())
        .at(ms(50), power_cut())
        .at(ms(60), restart(&[B]))
        .limit(Span::from_secs(600))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b"]);
}

#[test]
fn a_peer_that_writes_to_a_machine_that_was_off_is_reset() {
    let story = plan()
        .host("a", writes_twice())
        .host("b", listener())
        .at(ms(50), power_cut())
        .at(ms(60), restart(&[B]))
        .limit(Span::from_secs(60))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "102ms loses 1: Reset"]);
}

#[test]
fn nobody_answers_at_a_host_that_is_off_or_at_an_address_of_no_host() {
    let nowhere = "192.0.2.1:7".parse().unwrap();
    let story = plan()
        .host("a", [start([Do::Dial(place(B)), Do::Dial(nowhere)])])
        .late_host("b", Span::from_secs(50), listener())
        .limit(Span::from_secs(60))
        .trace(1);
    assert_eq!(story.told(A), ["10s loses 1: TimedOut", "10s loses 2: TimedOut"]);
}

#[test]
fn what_a_killed_node_had_not_got_through_is_gone() {
    let law = StreamLaw {
        receive_buffer: 1_000,
        ..StreamLaw::default()
    };
    // The reader takes nothing until the writer is dead.
    let reader = [
        start([Do::Listen(PORT), Do::Arm(1, ms(500))]),
        on(On::Accepted, [Do::PauseReading(Conn::This)]),
        on(On::Timer(1), [Do::ResumeReading(Conn::Nth(0))]),
    ];
    let story = plan()
        .streams(law)
        .host("a", dialler([Do::Pour(Conn::This, 5_000)]))
        .host("b", reader)
        .at(ms(100), kill(&[A]))
        .trace(1);
    assert_eq!(story.read(B, 1), "");
    // Who does not read hears of a reset at once, and what he has not read is gone.
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "101ms loses 1: Reset"]);
}

#[test]
fn what_a_node_closed_before_it_was_killed_is_delivered_by_its_kernel() {
    let mut law = link(Latency::Constant(ms(1)));
    law.loss = 0.3;
    let patient = StreamLaw {
        connect_timeout: Span::from_secs(1_000),
        ..StreamLaw::default()
    };
    for seed in 0..20 {
        let story = plan()
            .streams(patient)
            .link(A, B, law.clone())
            .host(
                "a",
                dialler([Do::Pour(Conn::This, 10_000), Do::Close(Conn::This), say("closed")]),
            )
            .host("b", listener())
            .when(SAID, kill(&[A]))
            .limit(Span::from_secs(1_000))
            .trace(seed);
        assert_eq!(story.affected(), [1]);
        assert!(story.read(B, 1) == story.wrote(A, 1), "seed {seed}");
        assert!(story.told(B)[1].ends_with("loses 1: Orderly"), "seed {seed}");
    }
}

#[test]
fn a_peer_that_a_reset_does_not_reach_hears_of_it_when_it_writes() {
    let story = plan()
        .host("a", writes_twice())
        .host("b", listener())
        .at(ms(49), lay(partition(&[&[A], &[B]])))
        .at(ms(50), kill(&[B]))
        .at(ms(60), Fault::HealAll)
        .trace(1);
    // Written at 100 ms.
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "102ms loses 1: Reset"]);
}

#[test]
fn a_node_that_is_restarted_knows_none_of_its_connections() {
    let story = plan()
        .host("a", writes_twice())
        .host("b", listener())
        .at(ms(50), kill(&[B]))
        .at(ms(50), restart(&[B]))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "51ms loses 1: Reset"]);
    assert_eq!(story.read(B, 1), "one");
}

#[test]
fn the_end_lies_behind_the_bytes_and_waits_with_them_to_be_read() {
    let reader = [
        start([Do::Listen(PORT), Do::Arm(1, ms(500))]),
        on(On::Accepted, [Do::PauseReading(Conn::This)]),
        on(On::Timer(1), [Do::ResumeReading(Conn::Nth(0))]),
    ];
    let story = plan()
        .host("a", dialler([write("last words"), Do::Close(Conn::This)]))
        .host("b", reader)
        .trace(1);
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "500ms loses 1: Orderly"]);
    assert_eq!(story.read(B, 1), "last words");
}

#[test]
fn a_peer_that_never_reads_is_reset_a_minute_after_the_close() {
    let reader = [
        start([Do::Listen(PORT), Do::Arm(1, Span::from_secs(100))]),
        on(On::Accepted, [Do::PauseReading(Conn::This)]),
        on(On::Timer(1), [Do::Write(Conn::Nth(0), "are you there".into())]),
    ];
    let story = plan()
        .host("a", dialler([Do::Close(Conn::This)]))
        .host("b", reader)
        .limit(Span::from_secs(200))
        .trace(1);
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "100002ms loses 1: Reset"]);
}
