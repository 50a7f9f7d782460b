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
                World::Live => &["a:5 > b:5: anew"],
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
