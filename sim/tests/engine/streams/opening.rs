//! How connections come to be, and how they do not.

use squall_nodes::{HostId, Span};
use squall_sim::plan::{Cue, Latency, Trigger};
use squall_sim::trace::Happening;

use super::{dialler, listener, write};
use crate::node::{Conn, Do, On, PORT, on, persist, place, start};
use crate::plans::{A, B, heal, kill_actor, lay, link, ms, partition, plan};

#[test]
fn a_connection_is_open_after_a_round_trip_and_carries_bytes_a_latency_later() {
    let story = plan()
        .host("a", dialler([write("hello")]))
        .host("b", listener())
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns dials b as 1",
            "2ms has opened 1 to b",
            "2ms writes hello to 1"
        ]
    );
    assert_eq!(story.told(B), ["3ms accepts 1 from a"]);
    assert_eq!(story.read(B, 1), "hello");
    assert!(story.pieces(B, 1).iter().all(|(when, _)| *when == ms(3)));
    let counts = story.outcome.traffic.streams;
    assert_eq!((counts.opened, counts.written, counts.delivered), (1, 5, 5));
}

#[test]
fn a_host_on_which_nobody_listens_refuses() {
    let story = plan().host("a", dialler([])).host("b", []).trace(1);
    assert_eq!(story.told(A), ["2ms loses 1: Refused"]);
    let counts = story.outcome.traffic.streams;
    assert_eq!((counts.refused, counts.opened), (1, 0));
}

#[test]
fn a_host_whose_node_was_killed_refuses() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(20))]),
                on(On::Timer(1), [Do::Dial(place(B))]),
            ],
        )
        .host("b", listener())
        .at(ms(10), crate::plans::kill(&[B]))
        .trace(1);
    assert_eq!(story.told(A), ["22ms loses 1: Refused"]);
}

#[test]
fn a_node_that_has_not_listened_yet_behind_its_write_refuses() {
    let story = plan()
        .host("a", dialler([]))
        .host("b", [start([persist("x"), Do::Listen(PORT)])])
        .trace(1);
    assert_eq!(story.told(A), ["2ms loses 1: Refused"]);
}

#[test]
fn an_opening_that_is_lost_is_sent_again_after_one_two_and_four_seconds() {
    let apart = partition(&[&[A], &[B]]);
    let story = plan()
        .host("a", dialler([write("hello")]))
        .host("b", listener())
        .at(ms(0), lay(apart.clone()))
        .at(ms(3_500), heal(apart))
        .limit(Span::from_secs(30))
        .trace(1);
    // Sent at 0, 1 s and 3 s in vain, and at 7 s. What is sent at 0 is so before the cut, which drops it when it comes.
    assert_eq!(story.told(A), ["7002ms has opened 1 to b"]);
    assert_eq!(story.read(B, 1), "hello");
    assert_eq!(story.outcome.traffic.streams.sent_again, 3);
}

#[test]
fn a_host_may_dial_itself() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Listen(PORT), Do::Dial(place(A))]),
                on(On::Opened, [write("to myself"), Do::Close(Conn::This)]),
            ],
        )
        .trace(1);
    assert_eq!(
        story.told(A),
        [
            "2ms has opened 1 to a",
            "3ms accepts 2 from a",
            "3ms loses 2: Orderly"
        ]
    );
    assert_eq!(story.read(A, 2), "to myself");
}

#[test]
fn each_connection_comes_from_a_port_of_its_own() {
    let story = plan()
        .host("a", [start(vec![Do::Dial(place(B)); 20])])
        .host("b", listener())
        .trace(1);
    let mut from: Vec<String> = story
        .trace
        .events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::Accepted { from, .. } => Some(from.to_string()),
            _ => None,
        })
        .collect();
    from.sort();
    from.dedup();
    assert_eq!(from.len(), 20);
}

#[test]
fn whoever_is_killed_when_a_connection_opens_has_not_been_told_and_the_other_hears_of_both() {
    let when = |to: Vec<HostId>, nth| Trigger::When {
        cue: Cue::Open(to),
        by: vec![A],
        nth,
        after: Span::ZERO,
    };
    let story = plan()
        .host("a", dialler([write("never")]))
        .host("b", listener())
        .host("c", [])
        .step(when(vec![B], 1), kill_actor())
        .step(when(vec![HostId(2)], 1), kill_actor())
        .trace(1);
    assert_eq!(story.of(A), ["0ns boots for life 0", "0ns dials b as 1"]);
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms loses 1: Reset"]);
    assert_eq!(story.affected(), [1, 0]);
    assert_eq!(story.outcome.faults[0].at, Some(crate::plans::at(ms(2))));
}

#[test]
fn a_slow_link_opens_no_connection_twice() {
    // The answer takes longer than the opening waits, which goes out again and again.
    let story = plan()
        .links(link(Latency::Constant(ms(1_400))))
        .host("a", dialler([write("hello")]))
        .host("b", listener())
        .limit(Span::from_secs(20))
        .trace(1);
    assert_eq!(story.told(A), ["2800ms has opened 1 to b"]);
    assert_eq!(story.told(B), ["4200ms accepts 1 from a"]);
    assert_eq!(story.read(B, 1), "hello");
}
