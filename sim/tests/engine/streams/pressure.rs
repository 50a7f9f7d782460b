//! Buffers of a bounded size: what a reader does not read, its writer feels.

use squall_nodes::Span;
use squall_sim::plan::StreamLaw;

use super::dialler;
use crate::node::{Conn, Do, On, PORT, Rule, on, start};
use crate::plans::{A, B, ms, plan};

/// Reads nothing at first, and then, from half a second on, everything.
fn reluctant() -> Vec<Rule> {
    vec![
        start([Do::Listen(PORT), Do::Arm(1, ms(500))]),
        on(On::Accepted, [Do::PauseReading(Conn::This)]),
        on(On::Timer(1), [Do::ResumeReading(Conn::Nth(0))]),
    ]
}

fn small() -> StreamLaw {
    StreamLaw {
        send_buffer: 1_000,
        receive_buffer: 2_000,
        backlog: 5_000,
        ..StreamLaw::default()
    }
}

#[test]
fn a_writer_is_blocked_when_both_buffers_are_full_and_may_write_when_what_waited_has_gone() {
    let rules = [Do::Pour(Conn::This, 900), Do::Pour(Conn::This, 4_000)];
    let story = plan()
        .streams(small())
        .host("a", dialler(rules))
        .host("b", reluctant())
        .limit(Span::from_secs(5))
        .trace(1);
    let told = story.told(A);
    assert_eq!(told[..2], ["2ms has opened 1 to b", "2ms is blocked on 1"]);
    assert!(told.len() == 3 && told[2].ends_with("may write to 1"), "{told:?}");
    assert_eq!(story.read(B, 1), story.wrote(A, 1));
    assert!(story.pieces(B, 1).iter().all(|(when, _)| *when >= ms(500)));
}

#[test]
fn whoever_writes_beyond_what_may_wait_loses_the_connection_and_so_does_the_other() {
    let rules = [Do::Pour(Conn::This, 6_000), Do::Pour(Conn::This, 1)];
    let story = plan()
        .streams(small())
        .host("a", dialler(rules))
        .host("b", reluctant())
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "2ms loses 1: Reset"]);
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms loses 1: Reset"]);
}

#[test]
fn a_reader_without_end_gets_any_amount_through_the_smallest_of_buffers() {
    for (send_buffer, receive_buffer) in [(1, 1), (1, 100), (100, 1), (3_000, 1_000)] {
        let law = StreamLaw {
            send_buffer,
            receive_buffer,
            ..StreamLaw::default()
        };
        let story = plan()
            .streams(law)
            .host("a", dialler([Do::Pour(Conn::This, 5_000)]))
            .host("b", super::listener())
            .limit(Span::from_secs(60))
            .trace(1);
        assert!(
            story.read(B, 1) == story.wrote(A, 1),
            "{send_buffer}, {receive_buffer}: {} bytes",
            story.read(B, 1).len()
        );
    }
}
