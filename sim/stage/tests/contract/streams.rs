//! Streams between hosts whose links are open: they open, carry bytes in order, press back, and end as they were ended.

use squall_nodes::Span;

use crate::conns::{Do, Happens};
use crate::node::Act::{Conn, Persist, Say, SayInput};
use crate::node::When::{Conn as On, Phase};
use crate::node::{Act, Rule};
use crate::story::{Fault, Story};

const A: usize = 0;
const B: usize = 1;

pub(crate) fn say(text: &str) -> Act {
    Say(text.to_owned())
}

pub(crate) fn write(place: usize, text: &str) -> Act {
    Conn(Do::Write(place, text.to_owned()))
}

pub(crate) fn read(place: usize, text: &str, acts: Vec<Act>) -> Rule {
    Rule(On(place, Happens::Read(text.to_owned())), acts)
}

/// Says everything that happens to its first connections but bytes.
pub(crate) fn teller() -> Vec<Rule> {
    let happens = [
        Happens::Opened,
        Happens::Accepted,
        Happens::Blocked,
        Happens::Writable,
        Happens::Closed,
    ];
    let says = |place| {
        happens
            .clone()
            .map(|happens| Rule(On(place, happens), vec![SayInput]))
    };
    (0..5).flat_map(says).collect()
}

/// Both listen, tell, and follow a script each.
pub(crate) fn both(a: Vec<Rule>, b: Vec<Rule>) -> Story {
    Story::default()
        .listener("a", 9, [teller(), a].concat())
        .listener("b", 7, [teller(), b].concat())
}

pub(crate) fn dial() -> Act {
    Conn(Do::Dial((B, 7)))
}

#[test]
fn a_connection_opens_and_carries_a_question_and_its_answer() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "question")]),
        read(0, "answer", vec![Conn(Do::SayRead(0)), Conn(Do::Close(0))]),
    ];
    let b = vec![read(
        0,
        "question",
        vec![Conn(Do::SayRead(0)), write(0, "answer")],
    )];
    both(a, b)
        .phase(&[], &[A], &[(B, "0: closed Orderly")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "read answer"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read question", "0: closed Orderly"]
            );
        });
}

#[test]
fn whoever_dials_where_nobody_listens_is_refused_whether_the_node_is_up_or_killed() {
    let a = vec![
        Rule(Phase(1), vec![Conn(Do::Dial((B, 8)))]),
        Rule(Phase(2), vec![dial()]),
    ];
    both(a, Vec::new())
        .phase(&[], &[A], &[(A, "0: closed Refused")])
        .phase(&[Fault::Kill(B)], &[A], &[(A, "1: closed Refused")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: closed Refused", "1: closed Refused"]);
            assert_eq!(seen.said(B), [] as [&str; 0]);
        });
}

#[test]
fn however_bytes_split_and_join_on_their_way_they_come_whole_and_in_order() {
    // All of it is one pattern.
    let lens = [1, 99, 1_400, 1_460, 40, 60_000, 137_000];
    let total: usize = lens.iter().sum();
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![Conn(Do::WriteLong(0, total)), Conn(Do::Close(0))],
        ),
    ];
    let b = vec![Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))])];
    let whole = format!("read {total} whole bytes");
    both(a, b)
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(B, &whole)])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["0: accepted from a", "0: closed Orderly", &whole]);
            assert!(
                !seen.said(A).contains(&"0: closed Orderly"),
                "whoever closes hears nothing more"
            );
        });
}

#[test]
fn what_is_dialled_written_and_closed_at_once_arrives() {
    let a = vec![Rule(
        Phase(1),
        vec![dial(), write(0, "all of it"), Conn(Do::Close(0))],
    )];
    let b = vec![Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))])];
    both(a, b)
        .phase(&[], &[A], &[(B, "read all of it")])
        .holds(|seen| {
            assert_eq!(seen.said(A), [] as [&str; 0]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "0: closed Orderly", "read all of it"]
            );
        });
}

#[test]
fn a_reader_that_pauses_blocks_the_writer_and_loses_nothing() {
    const MUCH: usize = 4_000_000;
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![Conn(Do::WriteLong(0, MUCH))]),
    ];
    let b = vec![
        Rule(On(0, Happens::Accepted), vec![Conn(Do::Pause(0))]),
        Rule(Phase(2), vec![Conn(Do::SayRead(0)), Conn(Do::Resume(0))]),
        Rule(On(0, Happens::ReadLong(MUCH)), vec![Conn(Do::SayRead(0))]),
    ];
    let whole = format!("read {MUCH} whole bytes");
    both(a, b)
        .phases_of(Span::from_secs(3))
        .phase(&[], &[A], &[(A, "0: blocked"), (B, "0: accepted from a")])
        .phase(&[], &[B], &[(B, &whole), (A, "0: writable")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "0: blocked", "0: writable"]);
            assert_eq!(seen.said(B), ["0: accepted from a", "read nothing", &whole]);
        });
}

#[test]
fn the_end_lies_behind_what_is_not_read() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![write(0, "unread"), Conn(Do::Close(0)), say("closed")],
        ),
    ];
    let b = vec![
        Rule(On(0, Happens::Accepted), vec![Conn(Do::Pause(0))]),
        Rule(Phase(2), vec![say("resumes"), Conn(Do::Resume(0))]),
        Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phase(&[], &[A], &[(A, "closed"), (B, "0: accepted from a")])
        .phase(&[], &[B], &[(B, "read unread")])
        .holds(|seen| {
            assert_eq!(
                seen.said(B),
                [
                    "0: accepted from a",
                    "resumes",
                    "0: closed Orderly",
                    "read unread"
                ]
            );
        });
}

#[test]
fn a_killed_node_resets_its_connections_on_both_sides_of_them() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "hello")]),
    ];
    // One that it has accepted, and one that it has dialled.
    let b = vec![read(0, "hello", vec![Conn(Do::Dial((A, 9))), say("heard")])];
    both(a, b)
        .phase(&[], &[A], &[(B, "1: opened"), (A, "1: accepted from b")])
        .phase(
            &[Fault::Kill(B)],
            &[],
            &[(A, "0: closed Reset"), (A, "1: closed Reset")],
        )
        .holds(|seen| {
            let mut said = seen.said(A);
            said[2..].sort_unstable();
            assert_eq!(
                said,
                [
                    "0: opened",
                    "1: accepted from b",
                    "0: closed Reset",
                    "1: closed Reset"
                ]
            );
        });
}

#[test]
fn a_kill_does_not_take_what_was_closed_before_it() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![write(0, "farewell"), Conn(Do::Close(0)), say("closed")],
        ),
    ];
    let b = vec![
        Rule(On(0, Happens::Accepted), vec![Conn(Do::Pause(0))]),
        Rule(Phase(3), vec![Conn(Do::Resume(0))]),
        Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phase(&[], &[A], &[(A, "closed"), (B, "0: accepted from a")])
        .phase(&[Fault::Kill(A)], &[], &[])
        .phase(&[], &[B], &[(B, "read farewell")])
        .holds(|seen| {
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "0: closed Orderly", "read farewell"]
            );
        });
}

#[test]
fn a_paused_node_finds_all_of_it_in_order_when_it_goes_on() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![
                write(0, "one "),
                write(0, "two "),
                Conn(Do::Close(0)),
                say("sent"),
            ],
        ),
    ];
    let b = vec![Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))])];
    both(a, b)
        .phase(&[Fault::Pause(B)], &[A], &[(A, "0: opened"), (A, "sent")])
        .phase(&[Fault::Resume(B)], &[], &[(B, "read one two ")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "sent"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "0: closed Orderly", "read one two "]
            );
        });
}

#[test]
fn what_is_asked_of_connections_waits_behind_a_write_and_is_dropped_when_that_fails() {
    let asks = |text: &str| vec![Persist("x".to_owned()), write(0, text)];
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), asks("kept ")),
        Rule(Phase(2), [asks("dropped "), vec![dial()]].concat()),
        Rule(crate::node::When::PersistFailed(1), vec![say("failed")]),
        Rule(Phase(3), asks("again")),
    ];
    let b = vec![
        read(0, "kept ", vec![Conn(Do::SayRead(0))]),
        read(0, "kept again", vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phase(&[], &[A], &[(B, "read kept ")])
        .phase(&[Fault::FailWrite(A)], &[A], &[(A, "failed")])
        .phase(&[Fault::Mend(A)], &[A], &[(B, "read kept again")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "failed"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read kept ", "read kept again"]
            );
        });
}

#[test]
fn what_is_closed_behind_a_write_that_fails_is_reset_and_its_peer_does_not_take_it_for_whole() {
    let asks = |text: &str| vec![Persist("x".to_owned()), write(0, text)];
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), asks("kept ")),
        Rule(
            Phase(2),
            [asks("dropped "), vec![Conn(Do::Close(0)), say("never said")]].concat(),
        ),
        Rule(crate::node::When::PersistFailed(1), vec![say("failed")]),
        // It has closed it: there is nothing to be written to.
        Rule(Phase(3), [asks("again"), vec![dial()]].concat()),
    ];
    let b = vec![
        read(0, "kept ", vec![Conn(Do::SayRead(0))]),
        Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phase(&[], &[A], &[(B, "read kept ")])
        .phase(
            &[Fault::FailWrite(A)],
            &[A],
            &[(A, "failed"), (B, "0: closed Reset")],
        )
        .phase(
            &[Fault::Mend(A)],
            &[A],
            &[(A, "1: opened"), (B, "1: accepted from a")],
        )
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "failed", "1: opened"]);
            assert_eq!(
                seen.said(B),
                [
                    "0: accepted from a",
                    "read kept ",
                    "0: closed Reset",
                    "read kept ",
                    "1: accepted from a"
                ]
            );
        });
}

#[test]
fn how_a_node_reads_waits_for_no_write_and_is_not_undone_by_one_that_fails() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "unread"), say("written")]),
    ];
    let b = vec![
        Rule(
            On(0, Happens::Accepted),
            vec![Persist("x".to_owned()), Conn(Do::Pause(0))],
        ),
        Rule(Phase(2), vec![Conn(Do::SayRead(0))]),
        Rule(Phase(3), vec![Persist("y".to_owned()), Conn(Do::Resume(0))]),
        // What it said before that of what it reads would be dropped.
        Rule(
            crate::node::When::PersistFailed(1),
            vec![say("failed"), crate::node::Act::Arm(1, Span::from_millis(100))],
        ),
        Rule(crate::node::When::Timer(1), vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phase(&[], &[A], &[(A, "written"), (B, "0: accepted from a")])
        .phase(&[], &[B], &[(B, "read nothing")])
        .phase(&[Fault::FailWrite(B)], &[B], &[(B, "failed"), (B, "read unread")])
        .phase(&[Fault::Mend(B)], &[], &[])
        .holds(|seen| {
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read nothing", "failed", "read unread"]
            );
        });
}

#[test]
fn all_that_was_written_comes_before_the_end_however_much_waits_when_it_is_closed() {
    const MUCH: usize = 4_000_000;
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![Conn(Do::WriteLong(0, MUCH)), Conn(Do::Close(0)), say("closed")],
        ),
    ];
    let b = vec![
        Rule(On(0, Happens::Accepted), vec![Conn(Do::Pause(0))]),
        Rule(Phase(2), vec![Conn(Do::SayRead(0)), Conn(Do::Resume(0))]),
        Rule(On(0, Happens::Closed), vec![Conn(Do::SayRead(0))]),
    ];
    let whole = format!("read {MUCH} whole bytes");
    both(a, b)
        .phases_of(Span::from_secs(3))
        .phase(&[], &[A], &[(A, "closed"), (B, "0: accepted from a")])
        .phase(&[], &[B], &[(B, &whole)])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "closed"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read nothing", "0: closed Orderly", &whole]
            );
        });
}

#[test]
fn a_kill_takes_what_waited_to_be_written_when_it_was_closed_and_the_end_with_it() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![
                Conn(Do::WriteLong(0, 4_000_000)),
                Conn(Do::Close(0)),
                say("closed"),
            ],
        ),
    ];
    let b = vec![Rule(On(0, Happens::Accepted), vec![Conn(Do::Pause(0))])];
    both(a, b)
        .phases_of(Span::from_secs(1))
        .phase(&[], &[A], &[(A, "closed"), (B, "0: accepted from a")])
        .phase(&[Fault::Kill(A)], &[], &[(B, "0: closed Reset")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["0: accepted from a", "0: closed Reset"]);
        });
}

#[test]
fn a_node_may_dial_itself() {
    let a = vec![
        Rule(Phase(1), vec![Conn(Do::Dial((A, 9)))]),
        Rule(
            On(0, Happens::Opened),
            vec![write(0, "to myself"), Conn(Do::Close(0))],
        ),
        Rule(On(1, Happens::Closed), vec![Conn(Do::SayRead(1))]),
    ];
    both(a, Vec::new())
        .phase(&[], &[A], &[(A, "read to myself")])
        .holds(|seen| {
            let mut said = seen.said(A);
            // Which of its ends hears first is nobody's promise.
            said[..2].sort_unstable();
            assert_eq!(
                said,
                [
                    "0: opened",
                    "1: accepted from a",
                    "1: closed Orderly",
                    "read to myself"
                ]
            );
        });
}
