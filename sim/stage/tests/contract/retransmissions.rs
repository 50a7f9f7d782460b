//! When streams try again: what is lost is sent again after a timeout, each time after twice as long (RFC 6298), until the connection is
//! given up (RFC 5482). The virtual network and the edge of a live host go by the RFC. Linux differs where [`tries`], [`dials`] and
//! [`given_up`] say so, and is held to that.

use std::path::Path;

use squall_nodes::{Span, Time};

use crate::conns::{Do, Happens};
use crate::cut_streams::{HASTY, hasty};
use crate::node::Act::{Arm, Conn};
use crate::node::Rule;
use crate::node::When::{Conn as On, Phase, Timer};
use crate::story::{Fault, Seen, World};
use crate::streams::{both, dial, read, say, write};

const A: usize = 0;
const B: usize = 1;

/// How much longer than its least a first timeout is at most, with the round trip in it and the kernel's ticks.
const TRIP: Span = ms(30);
/// How late something may be seen, after it was.
const SEEN_WITHIN: Span = ms(150);

const fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

/// How long after it was sent in vain something is sent again, if the first timeout is this long.
fn tries(world: World, first: Span) -> Vec<Span> {
    let doubled = (0..5).map(|times| 1 << times);
    match world {
        World::Simulated | World::Live => doubled.map(|times: u64| first * (2 * times - 1)).collect(),
        // When the first timeout would be over, Linux sends a probe, for the case that nothing but the end was lost, and the first timeout
        // begins then (RFC 8985, 7): whatever comes after that comes one first timeout later.
        World::Namespaces => doubled.map(|times| first * times).collect(),
    }
}

/// The same of a dial.
fn dials(world: World) -> Vec<Span> {
    let seconds: &[u64] = match world {
        World::Simulated | World::Live => &[1, 3, 7],
        // Linux has become impatient: since 6.5 it asks four times more before it doubles anything.
        World::Namespaces if Path::new("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").exists() => {
            &[1, 2, 3, 4, 5, 7]
        }
        World::Namespaces => &[1, 3, 7],
    };
    seconds.iter().map(|seconds| Span::from_secs(*seconds)).collect()
}

/// After how long a connection is given up on which something was written in vain.
fn given_up(world: World) -> Span {
    match world {
        World::Simulated | World::Live => HASTY.user_timeout,
        // Linux counts from its first retransmission, which the probe before it is none of.
        World::Namespaces => HASTY.user_timeout + tries(world, HASTY.min_rto)[1],
    }
}

/// That something happened when it was due, or only a little later.
fn in_time(what: &str, took: Span, due: Span, late: Span) -> Result<(), String> {
    let is_in_time = due <= took && took <= due + late;
    is_in_time
        .then_some(())
        .ok_or_else(|| format!("{what} after {took}, and was due after {due}, and {late} later at most"))
}

/// The first try that gets through, by when the cut was healed; `more` is how much later than said a try may be.
fn first_after(
    tries: &[Span],
    more: impl Fn(Span) -> Span,
    seen: &Seen,
    since: Time,
) -> Result<Span, String> {
    let (begun, done) = seen.healed[0];
    let (begun, done) = (begun.since(since), done.since(since));
    let first = tries.iter().find(|at| **at >= done);
    let first = *first.expect("nobody waits for so long");
    let is_between = tries.iter().all(|at| more(*at) < begun || *at >= done);
    is_between
        .then_some(first)
        .ok_or_else(|| format!("the cut was healed from {begun} to {done}, about when it was tried"))
}

/// What is written into a cut that lasts so long.
fn arrives_after_a_cut_of(cut: Span) {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "before ")]),
        Rule(Phase(2), vec![say("written"), write(0, "meanwhile"), Arm(1, cut)]),
        Rule(Timer(1), vec![say("later")]),
    ];
    let b = vec![
        read(0, "before ", vec![Conn(Do::SayRead(0))]),
        read(0, "before meanwhile", vec![Conn(Do::SayRead(0))]),
    ];
    both(a, b)
        .phases_of(cut * 2)
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "later")])
        .phase(&[Fault::Heal], &[], &[(B, "read before meanwhile")])
        .holds_of_linux_in_time(|seen| {
            let least = HASTY.min_rto;
            let written = seen.when(A, "written");
            // A first timeout is never shorter, and the longer all of it the more it is doubled.
            let longest =
                |at: Span| Span::from_nanos(at.as_nanos() / least.as_nanos() * (least + TRIP).as_nanos());
            let due = first_after(&tries(seen.world, least), longest, seen, written)?;
            let took = seen.when(B, "read before meanwhile").since(written);
            in_time("it arrived", took, due, longest(due) - due + SEEN_WITHIN)
        });
}

#[test]
fn what_is_lost_is_sent_again_after_a_timeout() {
    arrives_after_a_cut_of(ms(300));
}

#[test]
fn what_is_lost_again_is_sent_again_after_twice_as_long() {
    arrives_after_a_cut_of(ms(1_000));
}

#[test]
fn what_is_lost_for_the_third_time_is_sent_again_after_four_times_as_long() {
    arrives_after_a_cut_of(ms(2_000));
}

#[test]
fn a_dial_that_is_lost_is_tried_again_after_a_second() {
    let cut = ms(1_500);
    let a = vec![
        Rule(Phase(1), vec![say("dialled"), dial(), Arm(1, cut)]),
        Rule(Timer(1), vec![say("later")]),
    ];
    both(a, Vec::new())
        .phases_of(cut * 2)
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "later")])
        .phase(&[Fault::Heal], &[], &[(A, "0: opened")])
        .holds_of_linux_in_time(|seen| {
            let dialled = seen.when(A, "dialled");
            let due = first_after(&dials(seen.world), |at| at + TRIP * 2, seen, dialled)?;
            let took = seen.when(A, "0: opened").since(dialled);
            in_time("it was open", took, due, SEEN_WITHIN)
        });
}

#[test]
fn a_connection_is_given_up_when_nothing_was_acknowledged_for_the_user_timeout() {
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "before ")]),
        Rule(Phase(2), vec![say("written"), write(0, "meanwhile")]),
    ];
    let b = vec![read(0, "before ", vec![Conn(Do::SayRead(0))])];
    hasty(both(a, b))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "0: closed TimedOut")])
        .holds_of_linux_in_time(|seen| {
            let took = seen.when(A, "0: closed TimedOut").since(seen.when(A, "written"));
            in_time(
                "it was given up",
                took,
                given_up(seen.world),
                TRIP * 2 + SEEN_WITHIN,
            )
        });
}

#[test]
fn a_dial_is_given_up_after_the_connect_timeout_though_the_user_timeout_is_shorter() {
    let a = vec![Rule(Phase(1), vec![say("dialled"), dial()])];
    hasty(both(a, Vec::new()))
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "0: closed TimedOut")])
        .holds_of_linux_in_time(|seen| {
            let took = seen.when(A, "0: closed TimedOut").since(seen.when(A, "dialled"));
            in_time(
                "it was given up",
                took,
                HASTY.connect_timeout,
                TRIP * 2 + SEEN_WITHIN,
            )
        });
}
