//! Hosts that have all the connections that they may have: who is refused, who is reset, who is not heard, and when there is room again.

use squall_nodes::Span;
use squall_sim::plan::StreamLaw;

use crate::conns::{Do, Happens};
use crate::cut_streams::{HASTY, hasty};
use crate::node::Act::{Arm, Conn};
use crate::node::Rule;
use crate::node::When::{Conn as On, Phase, Timer};
use crate::story::{Fault, Story};
use crate::streams::{dial, say, teller};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Three that listen, tell, and follow a script each.
fn three(a: Vec<Rule>, b: Vec<Rule>, c: Vec<Rule>) -> Story {
    Story::default()
        .listener("a", 9, [teller(), a].concat())
        .listener("b", 7, [teller(), b].concat())
        .listener("c", 8, [teller(), c].concat())
}

/// Dials `b` in these phases.
fn dials(phases: &[u32]) -> Vec<Rule> {
    phases
        .iter()
        .map(|phase| Rule(Phase(*phase), vec![dial()]))
        .collect()
}

fn closes(phase: u32, place: usize) -> Rule {
    Rule(Phase(phase), vec![Conn(Do::Close(place)), say("closes")])
}

#[test]
fn a_full_host_refuses_until_a_connection_has_ended() {
    let law = StreamLaw {
        connections: 2,
        ..StreamLaw::default()
    };
    let c = [dials(&[2]), vec![closes(4, 0)]].concat();
    three(dials(&[1, 3, 5]), Vec::new(), c)
        .streams(law)
        .phase(&[], &[A], &[(A, "0: opened"), (B, "0: accepted from a")])
        .phase(&[], &[C], &[(C, "0: opened"), (B, "1: accepted from c")])
        .phase(&[], &[A], &[(A, "1: closed Refused")])
        .phase(&[], &[C], &[(B, "1: closed Orderly")])
        .phase(&[], &[A], &[(A, "2: opened"), (B, "2: accepted from a")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "1: closed Refused", "2: opened"]);
            assert_eq!(
                seen.said(B),
                [
                    "0: accepted from a",
                    "1: accepted from c",
                    "1: closed Orderly",
                    "2: accepted from a"
                ]
            );
            assert_eq!(seen.said(C), ["0: opened", "closes"]);
        });
}

#[test]
fn whoever_has_opened_all_that_it_may_open_is_refused_by_its_own_host() {
    let law = StreamLaw {
        connections: 2,
        ..StreamLaw::default()
    };
    let a = vec![
        Rule(Phase(1), vec![dial(), Conn(Do::Dial((C, 8)))]),
        Rule(Phase(2), vec![dial()]),
        closes(3, 1),
        // What its peer has said by then has come in.
        Rule(Phase(4), vec![Arm(1, Span::from_millis(200))]),
        Rule(Timer(1), vec![dial()]),
    ];
    three(a, Vec::new(), Vec::new())
        .streams(law)
        .phase(
            &[],
            &[A],
            &[
                (B, "0: accepted from a"),
                (C, "0: accepted from a"),
                (A, "0: opened"),
                (A, "1: opened"),
            ],
        )
        .phase(&[], &[A], &[(A, "2: closed Refused")])
        .phase(&[], &[A], &[(C, "0: closed Orderly")])
        .phase(&[], &[A], &[(A, "3: opened"), (B, "1: accepted from a")])
        .phases_of(Span::from_secs(1))
        .holds(|seen| {
            let mut said = seen.said(A);
            said[..2].sort_unstable();
            assert_eq!(
                said,
                [
                    "0: opened",
                    "1: opened",
                    "2: closed Refused",
                    "closes",
                    "3: opened"
                ]
            );
            assert_eq!(seen.said(B), ["0: accepted from a", "1: accepted from a"]);
        });
}

#[test]
fn what_a_peer_opens_beyond_its_share_is_reset_and_others_are_let_in() {
    let law = StreamLaw {
        of_peer: 1,
        ..StreamLaw::default()
    };
    let a = [dials(&[1, 2, 5]), vec![closes(4, 0)]].concat();
    three(a, Vec::new(), dials(&[3]))
        .streams(law)
        .phase(&[], &[A], &[(A, "0: opened"), (B, "0: accepted from a")])
        .phase(&[], &[A], &[(A, "1: closed Reset")])
        .phase(&[], &[C], &[(C, "0: opened"), (B, "1: accepted from c")])
        .phase(&[], &[A], &[(B, "0: closed Orderly")])
        .phase(&[], &[A], &[(A, "2: opened"), (B, "2: accepted from a")])
        .holds(|seen| {
            assert_eq!(
                seen.said(A),
                ["0: opened", "1: opened", "1: closed Reset", "closes", "2: opened"]
            );
            assert_eq!(
                seen.said(B),
                [
                    "0: accepted from a",
                    "1: accepted from c",
                    "0: closed Orderly",
                    "2: accepted from a"
                ]
            );
            assert_eq!(seen.turned_away, 1);
        });
}

#[test]
fn what_the_kernel_of_a_paused_host_has_opened_beyond_what_it_may_have_is_reset_when_it_goes_on() {
    let law = StreamLaw {
        connections: 1,
        ..StreamLaw::default()
    };
    three(dials(&[1]), Vec::new(), dials(&[2]))
        .streams(law)
        .phase(&[Fault::Pause(B)], &[A], &[(A, "0: opened")])
        .phase(&[], &[C], &[(C, "0: opened")])
        .phase(
            &[Fault::Resume(B)],
            &[],
            &[(B, "0: accepted from a"), (C, "0: closed Reset")],
        )
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened"]);
            assert_eq!(seen.said(B), ["0: accepted from a"]);
            assert_eq!(seen.said(C), ["0: opened", "0: closed Reset"]);
        });
}

#[test]
fn a_kernel_opens_one_connection_more_than_it_is_told_that_may_wait_and_hears_no_more() {
    let law = StreamLaw {
        listen_backlog: 1,
        ..HASTY
    };
    three(vec![Rule(Phase(1), vec![dial(); 4])], Vec::new(), Vec::new())
        .phases_of(Span::from_secs(4))
        .streams(law)
        .phase(
            &[Fault::Pause(B)],
            &[A],
            &[(A, "2: closed TimedOut"), (A, "3: closed TimedOut")],
        )
        .phase(&[Fault::Resume(B)], &[], &[(B, "1: accepted from a")])
        .holds(|seen| {
            let mut said = seen.said(A);
            said.sort_unstable();
            assert_eq!(
                said,
                [
                    "0: opened",
                    "1: opened",
                    "2: closed TimedOut",
                    "3: closed TimedOut"
                ]
            );
            assert_eq!(seen.said(B), ["0: accepted from a", "1: accepted from a"]);
        });
}

#[test]
fn a_connection_that_is_being_closed_counts_until_its_peer_has_closed_it_too() {
    let law = StreamLaw {
        connections: 1,
        ..StreamLaw::default()
    };
    // What the peer has said by then has come in, and there is room again.
    let b = vec![
        closes(2, 0),
        Rule(Phase(5), vec![Arm(1, Span::from_millis(200))]),
        Rule(Timer(1), vec![say("later")]),
    ];
    three(dials(&[1]), b, dials(&[3, 6]))
        .phases_of(Span::from_secs(1))
        .streams(law)
        .phase(&[], &[A], &[(B, "0: accepted from a"), (A, "0: opened")])
        .phase(&[Fault::Pause(A)], &[B], &[(B, "closes")])
        .phase(&[], &[C], &[(C, "0: closed Refused")])
        .phase(&[Fault::Resume(A)], &[], &[(A, "0: closed Orderly")])
        .phase(&[], &[B], &[(B, "later")])
        .phase(&[], &[C], &[(C, "1: opened"), (B, "1: accepted from c")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "0: closed Orderly"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "closes", "later", "1: accepted from c"]
            );
            assert_eq!(seen.said(C), ["0: closed Refused", "1: opened"]);
        });
}

#[test]
fn a_connection_that_takes_too_long_to_be_closed_counts_no_more() {
    let law = StreamLaw {
        connections: 1,
        ..HASTY
    };
    let b = vec![
        Rule(
            Phase(2),
            vec![
                Conn(Do::Close(0)),
                say("closes"),
                // Longer than the user timeout.
                Arm(1, Span::from_millis(1_600)),
            ],
        ),
        Rule(Timer(1), vec![say("later")]),
    ];
    hasty(three(dials(&[1]), b, dials(&[3])))
        .streams(law)
        .phase(&[], &[A], &[(B, "0: accepted from a"), (A, "0: opened")])
        .phase(&[Fault::Pause(A)], &[B], &[(B, "later")])
        .phase(&[], &[C], &[(C, "0: opened"), (B, "1: accepted from c")])
        .phase(&[Fault::Resume(A)], &[], &[(A, "0: closed Orderly")])
        .holds(|seen| {
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "closes", "later", "1: accepted from c"]
            );
        });
}

#[test]
fn what_is_beyond_its_share_is_reset_though_its_host_was_paused_when_it_was_opened() {
    let law = StreamLaw {
        of_peer: 1,
        ..StreamLaw::default()
    };
    let a = vec![Rule(Phase(1), vec![dial(), dial()])];
    let tells = Rule(On(1, Happens::Accepted), vec![say("a second one")]);
    three(a, vec![tells], Vec::new())
        .streams(law)
        .phase(&[Fault::Pause(B)], &[A], &[(A, "0: opened"), (A, "1: opened")])
        .phase(
            &[Fault::Resume(B)],
            &[],
            &[(B, "0: accepted from a"), (A, "1: closed Reset")],
        )
        .holds(|seen| {
            assert_eq!(seen.said(B), ["0: accepted from a"]);
            assert_eq!(seen.said(A).last(), Some(&"1: closed Reset"));
        });
}
