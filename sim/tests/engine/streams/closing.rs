//! How connections end: in order, by a kill, by a power cut, by silence.

use squall_nodes::{Crash, Span};
use squall_sim::plan::Fault;

use super::{dialler, listener, write};
use crate::node::{Conn, Do, On, PORT, on, place, start};
use crate::plans::{A, B, kill, ms, plan, restart, targets};

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
