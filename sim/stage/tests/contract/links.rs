//! What links do to datagrams, and what cuts do.

use squall_nodes::Span;
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;

use crate::node::Act::{Say, SayIfLate, SayInput, Send, SendLong, SendMany, SendNow};
use crate::node::When::{Got, GotOther, Phase};
use crate::node::{Act, Rule};
use crate::story::{Fault, Story, World};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

fn say(text: &str) -> Act {
    Say(text.to_owned())
}

fn law() -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(ms(1)))
}

/// `a` sends to `b` in each phase, which tells it; both tell `c` so, whom nothing is done to.
fn questions() -> Story {
    let ask = |phase| {
        let question = format!("question {phase}");
        let acts = vec![Send(5, (B, 5), question.clone()), Send(5, (C, 5), question)];
        Rule(Phase(phase), acts)
    };
    let answer = |phase| {
        let question = format!("question {phase}");
        let answer = format!("answer {phase}");
        Rule(
            Got(question),
            vec![SayInput, Send(5, (A, 5), answer.clone()), Send(5, (C, 5), answer)],
        )
    };
    let listens = Rule(GotOther, vec![SayInput]);
    Story::default()
        .host(
            "a",
            &[5],
            [vec![listens.clone()], (1..=4).map(ask).collect()].concat(),
        )
        .host("b", &[5], (1..=4).map(answer).collect())
        .host("c", &[5], vec![listens])
}

#[test]
fn a_cut_drops_what_goes_one_way_or_both_and_is_healed() {
    questions()
        // The question passes, and the answer does not.
        .phase(
            &[Fault::Cut(B, A)],
            &[A],
            &[(C, "a:5 > c:5: question 1"), (C, "b:5 > c:5: answer 1")],
        )
        // Nothing passes.
        .phase(&[Fault::Cut(A, B)], &[A], &[(C, "a:5 > c:5: question 2")])
        .phase(&[Fault::Heal], &[A], &[(A, "b:5 > a:5: answer 3")])
        // The question does not pass, though an answer would.
        .phase(&[Fault::Cut(A, B)], &[A], &[(C, "a:5 > c:5: question 4")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["b:5 > a:5: answer 3"]);
            assert_eq!(seen.said(B), ["a:5 > b:5: question 1", "a:5 > b:5: question 3"]);
            assert_eq!(seen.said(C).len(), 6);
            assert_eq!(seen.cut, 3);
        });
}

#[test]
fn a_link_that_loses_everything_delivers_nothing() {
    let sends = Rule(Phase(1), vec![SendMany(5, (B, 5), 50, 10), say("sent")]);
    Story::default()
        .host("a", &[5], vec![sends])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(LinkLaw { loss: 1.0, ..law() })
        .phase(&[], &[A], &[(A, "sent")])
        // Whoever is told of its links has dealt with all that came in before.
        .phase(&[Fault::Heal], &[], &[])
        .holds(|seen| {
            assert_eq!(seen.said(B), [] as [&str; 0]);
            assert_eq!((seen.sent, seen.lost, seen.delivered), (50, 50, 0));
        });
}

#[test]
fn a_datagram_takes_at_least_as_long_as_the_law_of_its_link_says() {
    let sends = Rule(Phase(1), vec![SendNow(5, (B, 5)), SendNow(5, (A, 5))]);
    let judges = Rule(GotOther, vec![SayIfLate(ms(30))]);
    Story::default()
        .host("a", &[5], vec![sends, judges.clone()])
        .host("b", &[5], vec![judges])
        .law(LinkLaw::delaying(Latency::Constant(ms(30))))
        .phase(&[], &[A], &[(A, "late enough"), (B, "late enough")])
        .holds(|seen| {
            // So it is on the way to oneself.
            assert_eq!(seen.said(A), ["late enough"]);
            assert_eq!(seen.said(B), ["late enough"]);
        });
}

#[test]
fn a_link_that_doubles_everything_delivers_all_of_it_twice() {
    let sends = Rule(Phase(1), vec![Send(5, (B, 5), "twin".to_owned())]);
    let ends = Rule(Phase(2), vec![Send(5, (B, 5), "the last".to_owned())]);
    let law = LinkLaw {
        duplicate: 1.0,
        ..law()
    };
    Story::default()
        .host("a", &[5], vec![sends, ends])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(law)
        .phase(&[], &[A], &[(B, "a:5 > b:5: twin")])
        .phase(&[], &[A], &[(B, "a:5 > b:5: the last")])
        .holds(|seen| {
            let twins = seen.said(B).into_iter().filter(|text| text.ends_with("twin"));
            assert_eq!((twins.count(), seen.duplicated), (2, 2));
        });
}

#[test]
fn what_is_longer_than_the_mtu_is_dropped_and_what_is_as_long_passes() {
    let sends = vec![
        SendLong(5, (B, 5), 473),
        SendLong(5, (B, 5), 472),
        SendLong(5, (B, 5), 5_000),
        Send(5, (B, 5), "the last".to_owned()),
    ];
    Story::default()
        .host("a", &[5], vec![Rule(Phase(1), sends)])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(LinkLaw {
            mtu: Some(500),
            ..law()
        })
        .phase(&[], &[A], &[(B, "a:5 > b:5: the last")])
        .holds(|seen| {
            assert_eq!(
                seen.said(B),
                ["a:5 > b:5: 472 whole bytes", "a:5 > b:5: the last"]
            );
            assert_eq!(seen.refused, 2);
            assert_eq!(seen.choked, [(A, B)].into());
        });
}

#[test]
fn a_queue_keeps_the_order_and_drops_what_finds_no_room() {
    // 30 bytes on the wire take 300 ms, and three such datagrams fill the queue.
    let law = LinkLaw {
        bandwidth: Some(800),
        queue: 90,
        ..LinkLaw::delaying(Latency::Constant(Span::ZERO))
    };
    let burst = ["q1", "q2", "q3", "q4", "q5", "q6"];
    let burst = burst.map(|text| Send(5, (B, 5), text.to_owned()));
    let again = Rule(Phase(2), vec![Send(5, (B, 5), "again".to_owned())]);
    Story::default()
        .host("a", &[5], vec![Rule(Phase(1), burst.to_vec()), again])
        .host("b", &[5], vec![Rule(GotOther, vec![SayInput])])
        .law(law)
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(B, "a:5 > b:5: q3")])
        // There is room again.
        .phase(&[], &[A], &[(B, "a:5 > b:5: again")])
        .holds(|seen| {
            let said = seen.said(B);
            let all = ["q1", "q2", "q3", "again"].map(|text| format!("a:5 > b:5: {text}"));
            // A host that is kept from running for 300 ms while it sends finds room for one more.
            match seen.world {
                World::Simulated => assert_eq!(said, all),
                World::Live | World::Namespaces => {
                    assert!(said.is_sorted_by_key(|text| text.contains("again")) && said[..3] == all[..3])
                }
            }
            assert_eq!(seen.sent, seen.delivered + seen.congested);
            assert!(seen.congested > 0);
            assert_eq!(seen.choked, [(A, B)].into());
        });
}
