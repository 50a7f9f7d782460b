//! What of a stream is held up by what is not tolerated, and how those who watch for quiet know.

use squall_nodes::{Change, Crash, Span};
use squall_sim::plan::Fault;

use super::listener;
use crate::node::{Conn, Do, On, Rule, on, place, start};
use crate::plans::{A, B, heal, lay, ms, one_way, partition, pause, plan, restart, resume, targets};
use crate::stories::Story;

/// Dials, and writes a byte at 450 ms.
fn writes_once() -> Vec<Rule> {
    vec![
        start([Do::Dial(place(B)), Do::Arm(1, ms(450))]),
        on(On::Timer(1), [Do::Write(Conn::Nth(0), "x".into())]),
    ]
}

/// When streams were stuck and flowed again, by who sends.
fn stuck(story: &Story) -> Vec<(Span, &'static str, u32)> {
    let stuck = |(at, change): (Span, Change)| match change {
        Change::StreamStuck { from, .. } => Some((at, "stuck", from.0)),
        Change::StreamFlows { from, .. } => Some((at, "flows", from.0)),
        _ => None,
    };
    story.changes().into_iter().filter_map(stuck).collect()
}

#[test]
fn what_a_cut_dropped_is_stuck_until_it_came_however_long_after_the_healing() {
    let apart = partition(&[&[A], &[B]]);
    let story = plan()
        .host("a", writes_once())
        .host("b", listener())
        .at(ms(400), lay(apart.clone()))
        .at(ms(2_000), heal(apart))
        .limit(Span::from_secs(10))
        .trace(1);
    // Written at 450 ms, and sent again 202, 606 and 1 414 ms later in vain, and 3 030 ms later.
    assert_eq!(story.pieces(B, 1)[0].0, ms(450 + 3_030 + 1));
    assert_eq!(stuck(&story), [(ms(450), "stuck", 0), (ms(3_482), "flows", 0)]);
}

#[test]
fn where_acknowledgements_are_cut_the_writer_is_stuck() {
    let cut = one_way(&[B], &[A]);
    let story = plan()
        .host("a", writes_once())
        .host("b", listener())
        .at(ms(400), lay(cut.clone()))
        .at(ms(500), heal(cut))
        .limit(Span::from_secs(10))
        .trace(1);
    assert_eq!(story.pieces(B, 1)[0].0, ms(451));
    assert_eq!(stuck(&story), [(ms(451), "stuck", 0), (ms(654), "flows", 0)]);
}

#[test]
fn a_stream_to_a_machine_that_was_off_is_stuck_until_its_sender_knows() {
    let story = plan()
        .host("a", writes_once())
        .host("b", listener())
        .at(ms(100), Fault::Crash(Crash::PowerCut, targets(&[B])))
        .at(ms(2_000), restart(&[B]))
        .limit(Span::from_secs(10))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "3482ms loses 1: Reset"]);
    assert_eq!(stuck(&story), [(ms(451), "stuck", 0), (ms(3_482), "flows", 0)]);
}

#[test]
fn a_stream_without_anything_to_bring_is_never_stuck() {
    let apart = partition(&[&[A], &[B]]);
    let story = plan()
        .host("a", writes_once())
        .host("b", listener())
        .at(ms(100), lay(apart.clone()))
        .at(ms(400), heal(apart))
        .trace(1);
    assert_eq!(stuck(&story), []);
    assert_eq!(story.read(B, 1), "x");
}

#[test]
fn what_a_paused_host_has_no_room_for_is_stuck_until_it_reads() {
    let rules = vec![
        start([Do::Dial(place(B)), Do::Arm(1, ms(450))]),
        on(On::Timer(1), [Do::Pour(Conn::Nth(0), 200_000)]),
    ];
    let story = plan()
        .host("a", rules)
        .host("b", listener())
        .at(ms(400), pause(&[B]))
        .at(ms(3_000), resume(&[B]))
        .limit(Span::from_secs(10))
        .trace(1);
    assert!(story.read(B, 1) == story.wrote(A, 1));
    let stuck = stuck(&story);
    assert_eq!(
        stuck.iter().map(|(_, what, _)| *what).collect::<Vec<_>>(),
        ["stuck", "flows"]
    );
    assert!(
        stuck[0].0 < ms(1_000) && stuck[1].0 >= ms(3_000) && stuck[1].0 < ms(3_010),
        "{stuck:?}"
    );
    // A paused host is in no group, and a host whose node alone reads nothing holds up nobody's quiet.
}
