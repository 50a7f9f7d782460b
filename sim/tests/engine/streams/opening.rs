//! How connections come to be, and how they do not.

use super::{dialler, listener, write};
use crate::plans::{A, B, plan};

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
    assert!(
        story
            .pieces(B, 1)
            .iter()
            .all(|(when, _)| *when == crate::plans::ms(3))
    );
}

#[test]
fn a_host_on_which_nobody_listens_refuses() {
    let story = plan().host("a", dialler([])).host("b", []).trace(1);
    assert_eq!(story.told(A), ["2ms loses 1: Refused"]);
    let counts = story.outcome.traffic.streams;
    assert_eq!((counts.refused, counts.opened), (1, 0));
}
