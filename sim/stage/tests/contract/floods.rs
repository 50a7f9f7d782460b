//! More comes in than a host can take: it is bounded, counted, and keeps no timer waiting.

use squall_nodes::Span;

use crate::node::Act::{Arm, Say, SayInput, Send, SendMany};
use crate::node::Rule;
use crate::node::When::{Got, Phase, Timer};
use crate::story::{Fault, Story};

const A: usize = 0;
const B: usize = 1;

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

#[test]
fn what_finds_no_room_while_a_host_does_not_run_is_dropped_and_counted() {
    let flood = Rule(
        Phase(1),
        vec![SendMany(5, (B, 5), 2_000, 100), Say("sent".to_owned())],
    );
    let fence = Rule(Phase(3), vec![Send(5, (B, 6), "after it".to_owned())]);
    let wakes = vec![
        Rule(Phase(2), vec![Say("awake".to_owned()), Arm(1, ms(1))]),
        Rule(Timer(1), vec![SayInput]),
        Rule(Got("after it".to_owned()), vec![SayInput]),
    ];
    Story::default()
        .host("a", &[5], vec![flood, fence])
        .host("b", &[5, 6], wakes)
        .phase(&[Fault::Pause(B)], &[A], &[(A, "sent")])
        .phase(&[Fault::Resume(B)], &[B], &[(B, "timer 1 in time")])
        .phase(&[], &[A], &[(B, "a:5 > b:6: after it")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["awake", "timer 1 in time", "a:5 > b:6: after it"]);
            assert_eq!(seen.sent, 2_001);
            // Linux counts at least 768 bytes for each of them, and keeps 212 992.
            assert!((1..=278).contains(&seen.delivered), "{}", seen.delivered);
            assert!(
                (2_001 - 278..2_001).contains(&seen.overflowed),
                "{}",
                seen.overflowed
            );
        });
}

#[test]
fn a_flood_keeps_no_timer_and_no_call_waiting() {
    // From now on, so many datagrams in each millisecond.
    let again = vec![SendMany(5, (B, 5), 20, 100), Arm(1, ms(1))];
    let floods = vec![Rule(Phase(1), again.clone()), Rule(Timer(1), again)];
    // One timer after another.
    let mut chain = vec![
        Rule(Phase(1), vec![Arm(10, ms(1))]),
        Rule(Timer(40), vec![SayInput]),
        Rule(Phase(2), vec![Say("called".to_owned())]),
    ];
    chain.extend((10..40).map(|timer| Rule(Timer(timer), vec![Arm(timer + 1, ms(1))])));
    Story::default()
        .host("a", &[5], floods)
        .host("b", &[5], chain)
        .phase(&[], &[A, B], &[(B, "timer 40 in time")])
        .phase(&[], &[B], &[(B, "called")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["timer 40 in time", "called"]);
            assert!(seen.delivered > 0);
        });
}
