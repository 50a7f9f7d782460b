//! What becomes of datagrams that are under way when something is done to their sender, their receiver or the link between.

use squall_nodes::Span;
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;

use crate::node::Act::{Arm, Say, SayInput, Send};
use crate::node::When::{GotOther, Phase, Timer};
use crate::node::{Act, Rule};
use crate::story::{Fault, Story, World};

const A: usize = 0;
const B: usize = 1;

/// How long they are under way. What a story does meanwhile takes no time in the virtual world, and live a small part of this.
const UNDER_WAY: Span = Span::from_millis(1_500);

fn say(text: &str) -> Act {
    Say(text.to_owned())
}

fn send(text: &str) -> Act {
    Send(5, (B, 5), text.to_owned())
}

/// In the first phase `a` sends `b` something, which is under way when the phase is over; `b` says what it gets.
fn under_way(rest: Vec<Rule>) -> Story {
    let sends = Rule(Phase(1), vec![send("one"), send("two"), say("sent")]);
    Story::default()
        .host("a", &[5], [vec![sends], rest].concat())
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(LinkLaw::delaying(Latency::Constant(UNDER_WAY)))
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(A, "sent")])
}

#[test]
fn it_arrives_though_its_sender_is_killed() {
    under_way(Vec::new())
        .phase(&[Fault::Kill(A)], &[], &[(B, "a:5 > b:5: two")])
        .holds(|seen| assert_eq!(seen.said(B), ["a:5 > b:5: one", "a:5 > b:5: two"]));
}

#[test]
fn it_arrives_while_its_sender_is_paused() {
    under_way(vec![Rule(Phase(3), vec![say("goes on")])])
        .phase(&[Fault::Pause(A)], &[], &[(B, "a:5 > b:5: two")])
        .phase(&[Fault::Resume(A)], &[A], &[(A, "goes on")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["sent", "goes on"]);
            assert_eq!(seen.said(B), ["a:5 > b:5: one", "a:5 > b:5: two"]);
        });
}

#[test]
fn its_receiver_takes_it_along_live_and_has_it_in_its_next_life_simulated() {
    under_way(vec![Rule(Phase(2), vec![send("anew")])])
        .phase(
            &[Fault::Kill(B), Fault::Start(B)],
            &[A],
            &[(B, "a:5 > b:5: anew")],
        )
        .holds(|seen| {
            assert_eq!(seen.lives[B], [0, 1]);
            let in_its_second_life = seen.said[B].rsplit(|text| text == "up").next();
            let expected: &[&str] = match seen.world {
                World::Simulated => &["a:5 > b:5: one", "a:5 > b:5: two", "a:5 > b:5: anew"],
                World::Live | World::Namespaces => &["a:5 > b:5: anew"],
            };
            assert_eq!(in_its_second_life.unwrap_or_default(), expected);
        });
}

#[test]
fn it_arrives_while_its_receiver_is_paused_and_no_later_cut_stops_it() {
    // It has arrived when `a` says that it is later, and waits until `b` goes on. Were it under way for as long once more from then on, the
    // cut would drop it.
    let sends = vec![send("in the pause"), Arm(1, Span::from_millis(600))];
    let rules = vec![
        Rule(Phase(1), sends),
        Rule(Timer(1), vec![say("later")]),
        Rule(Phase(2), vec![send("behind the cut"), say("sent")]),
    ];
    Story::default()
        .host("a", &[5], rules)
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(LinkLaw::delaying(Latency::Constant(Span::from_millis(500))))
        .phases_of(Span::from_secs(2))
        .phase(&[Fault::Pause(B)], &[A], &[(A, "later")])
        .phase(
            &[Fault::Resume(B), Fault::Cut(A, B)],
            &[A],
            &[(B, "a:5 > b:5: in the pause"), (A, "sent")],
        )
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: in the pause"]);
            assert_eq!(seen.cut, 1);
        });
}

#[test]
fn it_does_not_cross_a_cut_that_is_there_when_it_would_arrive() {
    let rules = vec![
        // It would have arrived by then.
        Rule(Phase(2), vec![Arm(1, Span::from_millis(1_600))]),
        Rule(Timer(1), vec![say("later")]),
        Rule(Phase(3), vec![send("anew")]),
    ];
    under_way(rules)
        .phase(&[Fault::Cut(A, B)], &[A], &[(A, "later")])
        .phase(&[Fault::Heal], &[A], &[(B, "a:5 > b:5: anew")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: anew"]);
            assert_eq!(seen.cut, 2);
        });
}

#[test]
fn it_arrives_over_a_cut_that_is_healed_by_then() {
    under_way(Vec::new())
        .phase(
            &[Fault::Cut(A, B), Fault::Heal],
            &[],
            &[(B, "a:5 > b:5: one"), (B, "a:5 > b:5: two")],
        )
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: one", "a:5 > b:5: two"]);
            assert_eq!(seen.cut, 0);
        });
}

#[test]
fn it_arrives_though_its_sender_loses_power() {
    under_way(Vec::new())
        .phase(&[Fault::PowerCut(A)], &[], &[(B, "a:5 > b:5: two")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: one", "a:5 > b:5: two"]);
            assert_eq!(seen.cut, 0);
        });
}

/// `a` sends `b` something in the first two phases, under a law by which it takes half a second; `b` says what it gets.
fn in_a_pause() -> Story {
    let sends = |phase, text: &str| Rule(Phase(phase), vec![send(text), say("sent")]);
    Story::default()
        .host("a", &[5], vec![sends(1, "one"), sends(2, "two")])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(LinkLaw::delaying(Latency::Constant(Span::from_millis(500))))
        .phases_of(Span::from_secs(2))
}

#[test]
fn what_is_done_to_a_link_while_its_receiver_is_paused_is_done_though_it_is_over_by_then() {
    in_a_pause()
        .phase(&[Fault::Pause(B), Fault::Lose(A, B)], &[A], &[(A, "sent")])
        .phase(&[Fault::Heal], &[A], &[(A, "sent")])
        .phase(&[Fault::Resume(B)], &[], &[(B, "a:5 > b:5: two")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: two"]);
            assert_eq!((seen.lost, seen.cut), (1, 0));
        });
}

#[test]
fn what_was_sent_after_a_cut_was_healed_arrives_at_who_was_paused_before() {
    in_a_pause()
        .phase(
            &[Fault::Cut(A, B), Fault::Pause(B), Fault::Heal],
            &[A],
            &[(A, "sent")],
        )
        .phase(&[], &[A], &[(A, "sent")])
        .phase(&[Fault::Resume(B)], &[], &[(B, "a:5 > b:5: two")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:5: one", "a:5 > b:5: two"]);
            assert_eq!(seen.cut, 0);
        });
}

#[test]
fn who_was_paused_finds_what_arrived_in_its_order_whichever_was_sent_first() {
    const C: usize = 2;
    let slow = Rule(Phase(1), vec![send("slow"), say("sent")]);
    let quick = vec![
        Rule(Phase(2), vec![send("quick"), Arm(1, Span::from_millis(1_200))]),
        Rule(Timer(1), vec![say("later")]),
    ];
    let both_have_arrived = [(C, "later")];
    Story::default()
        .host("a", &[5], vec![slow])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .host("c", &[5], quick)
        .law(LinkLaw::delaying(Latency::Constant(Span::from_millis(100))))
        .phases_of(Span::from_millis(600))
        .phase(
            &[Fault::Delay(A, B, Span::from_millis(800))],
            &[A],
            &[(A, "sent")],
        )
        .phase(&[Fault::Pause(B)], &[C], &both_have_arrived)
        .phase(&[Fault::Resume(B)], &[], &[(B, "a:5 > b:5: slow")])
        .holds(|seen| assert_eq!(seen.said(B), ["c:5 > b:5: quick", "a:5 > b:5: slow"]));
}

#[test]
fn who_was_paused_finds_timers_and_datagrams_in_order_of_time() {
    let ms = Span::from_millis;
    let sends = vec![
        Rule(Phase(2), vec![send("one"), Arm(1, ms(1_300)), Arm(2, ms(1_450))]),
        Rule(Timer(1), vec![send("two")]),
        Rule(Timer(2), vec![say("later")]),
    ];
    let receives = vec![
        Rule(Phase(1), vec![Arm(1, ms(1_200)), say("armed")]),
        Rule(Timer(1), vec![SayInput]),
        Rule(GotOther, vec![SayInput]),
    ];
    Story::default()
        .host("a", &[5], sends)
        .host("b", &[5], receives)
        .law(LinkLaw::delaying(Latency::Constant(ms(100))))
        .phases_of(Span::from_secs(1))
        .phase(&[], &[B], &[(B, "armed")])
        .phase(&[Fault::Pause(B)], &[A], &[(A, "later")])
        // In the virtual world `a` says so in this one.
        .phase(&[], &[], &[])
        .phase(&[Fault::Resume(B)], &[], &[(B, "a:5 > b:5: two")])
        .holds(|seen| {
            let order = ["armed", "a:5 > b:5: one", "timer 1 in time", "a:5 > b:5: two"];
            assert_eq!(seen.said(B), order);
        });
}
