//! How bytes flow: in order and whole, in any pieces, over links as they are.

use squall_nodes::{Change, Span};
use squall_sim::plan::Latency;

use super::{dialler, listener, write};
use crate::node::{Conn, Do, On, PORT, on, place, send, start};
use crate::plans::{A, B, link, ms, plan};

#[test]
fn bytes_come_in_order_and_whole_over_a_link_that_loses_doubles_and_reorders() {
    for seed in 0..20 {
        let mut law = link(Latency::Uniform(ms(1), ms(20)));
        (law.loss, law.duplicate, law.reorder, law.reorder_by, law.corrupt) = (0.1, 0.1, 0.2, ms(30), 0.05);
        let pours: Vec<Do> = (0..30).map(|nth| Do::Pour(Conn::This, 1 + 300 * nth)).collect();
        let story = plan()
            .links(law)
            .host("a", dialler(pours))
            .host("b", listener())
            .limit(Span::from_secs(60))
            .trace(seed);
        let wrote = story.wrote(A, 1);
        assert!(wrote.len() > 100_000);
        let counts = story.outcome.traffic.streams;
        assert!(story.read(B, 1) == wrote, "seed {seed}: {counts:?}");
        assert!(counts.lost > 10 && counts.sent_again > 10, "{counts:?}");
        // What was lost by the way held nobody's quiet up.
        let stuck = |(_, change): &(Span, Change)| matches!(change, Change::StreamStuck { .. });
        assert!(!story.changes().iter().any(stuck));
    }
}

#[test]
fn what_was_written_at_once_comes_in_pieces_and_what_was_written_apart_as_one() {
    let (mut split, mut joined, mut alone) = (0, 0, 0);
    for seed in 0..200 {
        let story = plan()
            .host("a", dialler([write("one"), write("two")]))
            .host("b", listener())
            .trace(seed);
        let pieces: Vec<String> = story.pieces(B, 1).into_iter().map(|(_, piece)| piece).collect();
        assert_eq!(pieces.concat(), "onetwo");
        split += usize::from(pieces.len() > 1);
        joined += usize::from(pieces.contains(&"onetwo".to_owned()));
        alone += usize::from(pieces.first().is_some_and(|piece| piece.len() == 1));
    }
    assert!(
        split > 20 && joined > 20 && alone > 20,
        "{split} {joined} {alone}"
    );
}

#[test]
fn packets_are_no_longer_than_the_mtu_and_count_with_forty_bytes_of_headers() {
    let mut law = link(Latency::Constant(ms(1)));
    law.mtu = Some(140);
    let story = plan()
        .links(law.clone())
        .host("a", dialler([Do::Pour(Conn::This, 1_000)]))
        .host("b", listener())
        .trace(1);
    let counts = story.outcome.traffic.streams;
    // An opening, a grant and what says that it came; ten packets, and what says of each that it came.
    assert_eq!((counts.packets, counts.lost), (3 + 10 + 10, 0));
    assert_eq!(story.read(B, 1), story.wrote(A, 1));
    // 140 bytes take a millisecond each, and wait for each other.
    law.bandwidth = Some(140 * 8 * 1_000);
    let story = plan()
        .link(A, B, law)
        .host("a", dialler([Do::Pour(Conn::This, 1_000)]))
        .host("b", listener())
        .trace(1);
    let last = story.pieces(B, 1).last().map(|(when, _)| *when);
    // The opening and what says that the grant came take 40 bytes each.
    let opened = Span::from_nanos(2 * 285_715);
    assert_eq!(last, Some(ms(3) + opened + ms(10)));
}

#[test]
fn streams_and_datagrams_wait_for_the_same_bandwidth() {
    let mut law = link(Latency::Constant(ms(1)));
    // 1 500 bytes a millisecond.
    law.bandwidth = Some(12_000_000);
    let says = |then: Vec<Do>| {
        let story = plan()
            .link(A, B, law.clone())
            .host("a", dialler(then))
            .host("b", listener())
            .trace(1);
        story.heard(B)[0].0
    };
    let alone = says(vec![send(B, "x")]);
    let behind = says(vec![Do::Pour(Conn::This, 14_600), send(B, "x")]);
    assert_eq!(behind, alone + ms(10));
}

#[test]
fn what_a_full_queue_drops_is_sent_again_and_disturbs_nobody() {
    let mut law = link(Latency::Constant(ms(1)));
    (law.bandwidth, law.queue) = (Some(12_000_000), 4_000);
    let story = plan()
        .link(A, B, law)
        .host("a", dialler([Do::Pour(Conn::This, 50_000)]))
        .host("b", listener())
        .limit(Span::from_secs(60))
        .trace(1);
    assert!(story.read(B, 1) == story.wrote(A, 1));
    assert!(story.outcome.traffic.streams.lost > 10);
    assert_eq!(story.changes(), []);
}

#[test]
fn both_ways_are_open_and_each_has_its_order() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Dial(place(B))]),
                on(On::Opened, [Do::Pour(Conn::This, 10_000)]),
            ],
        )
        .host(
            "b",
            [
                start([Do::Listen(PORT)]),
                on(On::Accepted, [Do::Pour(Conn::This, 20_000)]),
            ],
        )
        .trace(1);
    assert!(story.read(B, 1) == story.wrote(A, 1) && story.read(A, 1) == story.wrote(B, 1));
    assert_eq!((story.read(B, 1).len(), story.read(A, 1).len()), (10_000, 20_000));
}
