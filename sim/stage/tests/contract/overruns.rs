//! Writers that are quicker than their readers: what a node may write beyond what its peer takes, and for how long.

use squall_nodes::Span;
use squall_sim::plan::StreamLaw;

use crate::conns::{Do, Happens};
use crate::cut_streams::hasty;
use crate::node::Act::Conn;
use crate::node::Rule;
use crate::node::When::{Conn as On, Phase};
use crate::streams::{both, dial};

const A: usize = 0;
const B: usize = 1;
/// More than the kernels of both sides take.
const MUCH: usize = 3_000_000;

/// Reads nothing of its first connections.
fn pauses() -> Vec<Rule> {
    let pauses = |place| Rule(On(place, Happens::Accepted), vec![Conn(Do::Pause(place))]);
    (0..2).map(pauses).collect()
}

#[test]
fn whoever_writes_beyond_what_may_wait_loses_the_connection_and_so_does_a_peer_that_does_not_read() {
    let law = StreamLaw {
        backlog: 100_000,
        ..StreamLaw::DEFAULT
    };
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![Conn(Do::WriteLong(0, MUCH))]),
    ];
    both(a, pauses())
        .streams(law)
        .phase(&[], &[A], &[(A, "0: closed Reset"), (B, "0: closed Reset")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "0: closed Reset"]);
            assert_eq!(seen.said(B), ["0: accepted from a", "0: closed Reset"]);
        });
}

#[test]
fn what_waits_of_all_connections_has_a_bound_and_only_the_one_that_goes_beyond_it_is_lost() {
    let law = StreamLaw {
        backlog: 10_000_000,
        backlogs: 4_000_000,
        ..StreamLaw::DEFAULT
    };
    let a = vec![
        Rule(Phase(1), vec![dial(), dial()]),
        Rule(Phase(2), vec![Conn(Do::WriteLong(0, MUCH))]),
        Rule(Phase(3), vec![Conn(Do::WriteLong(1, MUCH))]),
    ];
    let mut b = pauses();
    b.push(Rule(Phase(4), vec![Conn(Do::Resume(0))]));
    b.push(Rule(On(0, Happens::ReadLong(MUCH)), vec![Conn(Do::SayRead(0))]));
    let whole = format!("read {MUCH} whole bytes");
    both(a, b)
        .streams(law)
        .phases_of(Span::from_secs(3))
        .phase(
            &[],
            &[A],
            &[(A, "0: opened"), (A, "1: opened"), (B, "1: accepted from a")],
        )
        .phase(&[], &[A], &[(A, "0: blocked")])
        .phase(&[], &[A], &[(A, "1: closed Reset"), (B, "1: closed Reset")])
        .phase(&[], &[B], &[(B, &whole), (A, "0: writable")])
        .holds(|seen| {
            assert_eq!(
                seen.said(A)[2..],
                ["0: blocked", "1: closed Reset", "0: writable"]
            );
            assert_eq!(
                seen.said(B),
                [
                    "0: accepted from a",
                    "1: accepted from a",
                    "1: closed Reset",
                    &whole
                ]
            );
        });
}

#[test]
fn whoever_is_blocked_for_longer_than_the_user_timeout_gives_up_and_the_reader_learns_of_it_when_it_reads() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![Conn(Do::WriteLong(0, MUCH))]),
    ];
    let mut b = pauses();
    b.push(Rule(Phase(2), vec![Conn(Do::SayRead(0)), Conn(Do::Resume(0))]));
    hasty(both(a, b))
        .phase(&[], &[A], &[(A, "0: closed TimedOut")])
        .phase(&[], &[B], &[(B, "0: closed Reset")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "0: blocked", "0: closed TimedOut"]);
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read nothing", "0: closed Reset"]
            );
        });
}
