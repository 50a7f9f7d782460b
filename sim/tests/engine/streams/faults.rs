//! What a cut and a pause do to a connection, and what waits behind a write.

use squall_nodes::Span;
use squall_sim::plan::Latency;

use super::{dialler, listener, write};
use crate::node::{Conn, Do, On, PORT, Rule, on, persist, place, start};
use crate::plans::{A, B, heal, lay, lay_over, link, ms, one_way, partition, pause, plan, resume, slow};

/// Dials, and writes a word each 100 ms.
fn talks() -> Vec<Rule> {
    vec![
        start([Do::Dial(place(B)), Do::Arm(1, ms(100))]),
        on(On::Timer(1), [Do::Pour(Conn::Nth(0), 10), Do::Arm(1, ms(100))]),
    ]
}

#[test]
fn a_stream_goes_on_after_a_cut_where_it_was() {
    let apart = partition(&[&[A], &[B]]);
    let story = plan()
        .host("a", talks())
        .host("b", listener())
        .at(ms(450), lay(apart.clone()))
        .at(ms(2_450), heal(apart))
        .limit(Span::from_secs(10))
        .trace(1);
    let (wrote, read) = (story.wrote(A, 1), story.read(B, 1));
    assert!(wrote.starts_with(&read) && read.len() + 10 >= wrote.len());
    let silent = |when: &Span| *when > ms(450) && *when < ms(2_450);
    assert!(story.pieces(B, 1).iter().all(|(when, _)| !silent(when)));
    assert_eq!(story.told(A).len(), 1);
}

#[test]
fn a_cut_that_lasts_is_the_end_for_whoever_writes_and_for_nobody_else() {
    let story = plan()
        .host("a", talks())
        .host("b", listener())
        .at(ms(450), lay(partition(&[&[A], &[B]])))
        .limit(Span::from_secs(60))
        .trace(1);
    // What was written first and not acknowledged was written at 500 ms.
    assert_eq!(
        story.told(A),
        ["2ms has opened 1 to b", "20500ms loses 1: TimedOut"]
    );
    assert_eq!(story.told(B), ["3ms accepts 1 from a"]);
}

#[test]
fn where_only_acknowledgements_are_cut_bytes_come_and_the_writer_gives_up_all_the_same() {
    let story = plan()
        .host("a", talks())
        .host("b", listener())
        .at(ms(450), lay(one_way(&[B], &[A])))
        .limit(Span::from_secs(60))
        .trace(1);
    assert_eq!(story.read(B, 1).len(), 70);
    assert_eq!(
        story.told(A),
        ["2ms has opened 1 to b", "20500ms loses 1: TimedOut"]
    );
}

#[test]
fn a_paused_host_finds_all_of_it_in_order_when_it_is_resumed() {
    let story = plan()
        .host(
            "a",
            dialler([write("one "), write("two "), Do::Close(Conn::This)]),
        )
        .host("b", listener())
        .at(ms(1), pause(&[B]))
        .at(ms(500), resume(&[B]))
        .trace(1);
    assert_eq!(story.read(B, 1), "one two ");
    assert_eq!(
        story.told(B),
        ["500ms accepts 1 from a", "500ms loses 1: Orderly"]
    );
    // Its kernel has answered all the time.
    assert_eq!(story.told(A), ["2ms has opened 1 to b"]);
    assert_eq!(story.outcome.traffic.streams.sent_again, 0);
}

#[test]
fn what_is_visible_waits_behind_a_write() {
    let story = plan()
        .host(
            "a",
            [
                start([persist("x"), Do::Dial(place(B))]),
                on(On::Opened, [persist("y"), write("hello"), Do::Close(Conn::This)]),
            ],
        )
        .host("b", [start([persist("z"), Do::Listen(PORT)])])
        .trace(1);
    assert_eq!(
        story.of(A),
        [
            "0ns boots for life 0",
            "0ns writes 1",
            "10ms dials b as 2",
            "10ms has written 1",
            "12ms has opened 2 to b",
            "12ms writes 3",
            "22ms writes hello to 2",
            "22ms closes 2",
            "22ms has written 3",
        ]
    );
    assert_eq!(story.told(B), ["13ms accepts 2 from a", "23ms loses 2: Orderly"]);
}

#[test]
fn a_slow_host_hears_one_thing_after_the_other_and_its_kernel_answers_at_once() {
    let story = plan()
        .host("a", dialler([write("x")]))
        .host("b", listener())
        .at(ms(1), lay_over(slow(&[B], ms(50))))
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b"]);
    assert_eq!(story.told(B), ["53ms accepts 1 from a"]);
    assert_eq!(story.pieces(B, 1), [(ms(103), "x".to_owned())]);
    assert_eq!(story.outcome.traffic.streams.sent_again, 0);
}

#[test]
fn nodes_that_answer_each_other_without_latency_again_and_again_are_reported() {
    let answers = || on(On::Bytes, [write("x")]);
    let mut rules = dialler([write("x")]);
    rules.push(answers());
    let outcome = plan()
        .links(link(Latency::Constant(Span::ZERO)))
        .host("a", rules)
        .host("b", [start([Do::Listen(PORT)]), answers()])
        .run(1);
    let violation = outcome.violation.expect("time stands still");
    assert_eq!(violation.invariant, "squall.time_passes");
}

#[test]
fn any_number_of_bytes_may_pass_at_one_instant() {
    let story = plan()
        .links(link(Latency::Constant(Span::ZERO)))
        .host("a", dialler([Do::Pour(Conn::This, 10_000_000)]))
        .host("b", listener())
        .trace(1);
    assert!(
        story.read(B, 1) == story.wrote(A, 1),
        "{:?}",
        story.outcome.violation
    );
}
