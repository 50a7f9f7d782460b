//! Streams whose links are cut: they wait, go on, or are given up, and whoever cannot know of it does not.

use squall_nodes::Span;
use squall_sim::plan::StreamLaw;

use crate::conns::{Do, Happens};
use crate::node::Act::{Arm, Conn};
use crate::node::Rule;
use crate::node::When::{Conn as On, Phase, Timer};
use crate::story::{Fault, Story};
use crate::streams::{both, dial, read, say, write};

const A: usize = 0;
const B: usize = 1;

/// Kernels that give up soon.
pub(crate) const HASTY: StreamLaw = StreamLaw {
    user_timeout: Span::from_secs(1),
    connect_timeout: Span::from_millis(1_500),
    ..StreamLaw::DEFAULT
};

/// Those that give up soon, in phases that are longer.
pub(crate) fn hasty(story: Story) -> Story {
    story.phases_of(Span::from_secs(4)).streams(HASTY)
}

/// What `b` does: it says what it has read when it is asked to in a phase, and writes when it is asked to in another.
fn listener() -> Vec<Rule> {
    vec![
        read(0, "before ", vec![Conn(Do::SayRead(0))]),
        read(0, "before meanwhile", vec![Conn(Do::SayRead(0))]),
        Rule(Phase(3), vec![Conn(Do::SayRead(0)), write(0, "are you there?")]),
    ]
}

/// What `a` does: it opens a connection, and writes to it in the first phase and in the second.
fn writer() -> Vec<Rule> {
    vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "before ")]),
        Rule(
            Phase(2),
            vec![write(0, "meanwhile"), Arm(1, Span::from_millis(200))],
        ),
        Rule(Timer(1), vec![say("later")]),
    ]
}

fn cuts() -> [Vec<Fault>; 3] {
    [
        vec![Fault::Cut(A, B)],
        vec![Fault::Cut(B, A)],
        vec![Fault::Cut(A, B), Fault::Cut(B, A)],
    ]
}

#[test]
fn what_is_written_into_a_cut_arrives_when_it_is_healed_in_time() {
    both(writer(), listener())
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::Cut(A, B), Fault::Cut(B, A)], &[A], &[(A, "later")])
        .phase(&[Fault::Heal], &[], &[(B, "read before meanwhile")])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "later"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read before ", "read before meanwhile"]
            );
        });
}

#[test]
fn a_writer_that_hears_nothing_gives_up_and_its_peer_learns_of_it_when_it_writes() {
    for cut in cuts() {
        let arrives = cut == [Fault::Cut(B, A)];
        hasty(both(writer(), listener()))
            .phase(&[], &[A], &[(B, "read before ")])
            .phase(&cut, &[A], &[(A, "later"), (A, "0: closed TimedOut")])
            .phase(&[Fault::Heal], &[B], &[(B, "0: closed Reset")])
            .holds_of_linux(|seen| {
                assert_eq!(seen.said(A), ["0: opened", "later", "0: closed TimedOut"]);
                let mut expected = vec!["0: accepted from a", "read before "];
                expected.extend(match arrives {
                    true => ["read before meanwhile"; 2].as_slice(),
                    false => &["read before "],
                });
                expected.push("0: closed Reset");
                assert_eq!(seen.said(B), expected);
            });
    }
}

#[test]
fn a_reader_that_writes_nothing_never_learns_that_it_was_given_up() {
    for cut in cuts() {
        let reader = vec![
            read(0, "before ", vec![Conn(Do::SayRead(0))]),
            // Longer than anybody waits, after the healing.
            Rule(Phase(3), vec![Arm(2, Span::from_millis(1_600))]),
            Rule(Timer(2), vec![say("nothing")]),
        ];
        hasty(both(writer(), reader))
            .phase(&[], &[A], &[(B, "read before ")])
            .phase(&cut, &[A], &[(A, "later"), (A, "0: closed TimedOut")])
            .phase(&[Fault::Heal], &[B], &[(B, "nothing")])
            .holds_of_linux(|seen| {
                assert_eq!(seen.said(A), ["0: opened", "later", "0: closed TimedOut"]);
                assert_eq!(seen.said(B), ["0: accepted from a", "read before ", "nothing"]);
            });
    }
}

#[test]
fn both_may_close_at_once_with_a_cut_between_them_and_neither_hears_of_it() {
    let script = |own: &str| {
        let closes = vec![write(0, own), Conn(Do::Close(0)), say("closed")];
        let waits = vec![Arm(2, Span::from_millis(500))];
        vec![
            Rule(Phase(2), closes),
            Rule(Phase(3), waits),
            Rule(Timer(2), vec![say("nothing")]),
        ]
    };
    let dials = [1, 4].map(|phase| Rule(Phase(phase), vec![dial()]));
    // One at a time: the second is let in when the first is gone from both of them.
    let one = StreamLaw {
        connections: 1,
        ..StreamLaw::DEFAULT
    };
    both([script("from a"), dials.to_vec()].concat(), script("from b"))
        .phases_of(Span::from_secs(3))
        .streams(one)
        .phase(&[], &[A], &[(A, "0: opened"), (B, "0: accepted from a")])
        .phase(
            &[Fault::Cut(A, B), Fault::Cut(B, A)],
            &[A, B],
            &[(A, "closed"), (B, "closed")],
        )
        .phase(&[Fault::Heal], &[A, B], &[(A, "nothing"), (B, "nothing")])
        .phase(&[], &[A], &[(A, "1: opened"), (B, "1: accepted from a")])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "closed", "nothing", "1: opened"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "closed", "nothing", "1: accepted from a"]
            );
        });
}

#[test]
fn whoever_dials_through_a_cut_is_not_answered() {
    for cut in cuts() {
        let a = vec![Rule(Phase(1), vec![dial()])];
        hasty(both(a, Vec::new()))
            .phase(&cut, &[A], &[(A, "0: closed TimedOut")])
            .holds_of_linux(|seen| {
                assert_eq!(seen.said(A), ["0: closed TimedOut"]);
                assert_eq!(seen.said(B), [] as [&str; 0]);
            });
    }
}

#[test]
fn a_dial_goes_through_that_is_tried_again_after_the_healing() {
    // In the virtual world, it is dialled half a second before the phase is over.
    let a = vec![Rule(Phase(1), vec![dial(), say("dialled")])];
    both(a, Vec::new())
        .phases_of(Span::from_secs(1))
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "dialled")])
        .phase(
            &[Fault::Heal],
            &[],
            &[(A, "0: opened"), (B, "0: accepted from a")],
        )
        .phase(&[], &[], &[])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["dialled", "0: opened"]);
            assert_eq!(seen.said(B), ["0: accepted from a"]);
        });
}

#[test]
fn a_reset_does_not_cross_a_cut() {
    for writes in [false, true] {
        let mut b = vec![read(0, "before ", vec![Conn(Do::SayRead(0))])];
        if writes {
            b.push(Rule(Phase(3), vec![write(0, "are you there?"), say("written")]));
        } else {
            b.push(Rule(Phase(3), vec![say("silent"), Conn(Do::SayRead(0))]));
        }
        let last = if writes { "0: closed Reset" } else { "read before " };
        hasty(both(writer(), b))
            .phase(&[], &[A], &[(B, "read before ")])
            .phase(&[Fault::Cut(A, B), Fault::Kill(A)], &[], &[])
            // Its kernel is there, and knows nothing of the connection.
            .phase(&[Fault::Heal], &[B], &[(B, last)])
            .holds_of_linux(|seen| {
                let expected: &[&str] = match writes {
                    true => &["0: accepted from a", "read before ", "written", "0: closed Reset"],
                    false => &["0: accepted from a", "read before ", "silent", "read before "],
                };
                assert_eq!(seen.said(B), expected);
            });
    }
}
