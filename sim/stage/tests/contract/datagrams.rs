//! What is sent arrives whole, from where it came to where it was sent; or nowhere.

use crate::node::Act::{Answer, Bind, Say, SayInput, Send, SendLong};
use crate::node::Rule;
use crate::node::When::{Got, GotOther, Phase, Start};
use crate::story::Story;

const A: usize = 0;
const B: usize = 1;

/// Says everything that it is sent.
fn listener() -> Vec<Rule> {
    vec![Rule(GotOther, vec![SayInput])]
}

#[test]
fn bytes_arrive_whole_and_unchanged_with_the_addresses_of_both_ends() {
    let sends = vec![
        Send(5, (B, 6), "hello".to_owned()),
        Send(5, (B, 6), String::new()),
        SendLong(5, (B, 7), 1_000),
        SendLong(4, (B, 6), 65_507),
        Send(4, (B, 7), "the last".to_owned()),
    ];
    Story::default()
        .host("a", &[4, 5], vec![Rule(Phase(1), sends)])
        .host("b", &[6, 7], listener())
        .phase(
            &[],
            &[A],
            &[
                (B, "a:5 > b:6: nothing"),
                (B, "a:5 > b:7: 1000 whole bytes"),
                (B, "a:4 > b:6: 65507 whole bytes"),
                (B, "a:4 > b:7: the last"),
            ],
        )
        .holds(|seen| {
            // Ports have queues of their own: the order is kept on each.
            let on = |port: &str| -> Vec<&str> {
                let said = seen.said(B).into_iter();
                said.filter(|text| text.contains(port)).collect()
            };
            assert_eq!(
                on("> b:6"),
                [
                    "a:5 > b:6: hello",
                    "a:5 > b:6: nothing",
                    "a:4 > b:6: 65507 whole bytes"
                ]
            );
            assert_eq!(
                on("> b:7"),
                ["a:5 > b:7: 1000 whole bytes", "a:4 > b:7: the last"]
            );
            assert_eq!((seen.sent, seen.delivered), (5, 5));
        });
}

#[test]
fn nothing_comes_to_a_port_that_is_not_open_and_nobody_is_told() {
    let sends = vec![
        Send(5, (B, 7), "to nobody".to_owned()),
        Send(5, (B, 6), "to somebody".to_owned()),
    ];
    let answered = Rule(
        Got("to somebody".to_owned()),
        vec![SayInput, Send(6, (A, 5), "yes".to_owned())],
    );
    // It is opened too late, and then it is open.
    let opens = Rule(Phase(2), vec![Bind(7), Answer("open".to_owned())]);
    Story::default()
        .host(
            "a",
            &[5],
            [
                listener(),
                vec![Rule(Phase(1), sends.clone()), Rule(Phase(3), sends)],
            ]
            .concat(),
        )
        .host("b", &[6], [listener(), vec![answered, opens]].concat())
        .phase(&[], &[A], &[(A, "b:6 > a:5: yes")])
        .phase(&[], &[B], &[(B, "answers \"open\"")])
        .phase(&[], &[A], &[(B, "a:5 > b:7: to nobody"), (A, "b:6 > a:5: yes")])
        .holds(|seen| {
            assert_eq!(seen.said(A), ["b:6 > a:5: yes"; 2]);
            let to_nobody = seen.said(B).into_iter().filter(|text| text.contains("to nobody"));
            assert_eq!(to_nobody.count(), 1);
        });
}

#[test]
fn a_host_can_send_to_itself() {
    let to_itself = vec![
        Send(5, (A, 5), "same port".to_owned()),
        Send(5, (A, 6), "other port".to_owned()),
    ];
    Story::default()
        .host(
            "a",
            &[5, 6],
            [listener(), vec![Rule(Phase(1), to_itself)]].concat(),
        )
        .phase(
            &[],
            &[A],
            &[(A, "a:5 > a:5: same port"), (A, "a:5 > a:6: other port")],
        )
        .holds(|seen| assert_eq!(seen.said(A).len(), 2));
}

#[test]
fn what_cannot_be_sent_is_dropped_and_the_rest_goes_out() {
    let sends = vec![
        SendLong(5, (B, 6), 65_508),
        // The port is not open.
        Send(9, (B, 6), "from nowhere".to_owned()),
        Send(5, (B, 6), "from somewhere".to_owned()),
    ];
    Story::default()
        .host("a", &[5], vec![Rule(Phase(1), sends)])
        .host("b", &[6], listener())
        .phase(&[], &[A], &[(B, "a:5 > b:6: from somewhere")])
        .holds(|seen| {
            assert_eq!(seen.said(B), ["a:5 > b:6: from somewhere"]);
            assert_eq!((seen.sent, seen.refused, seen.delivered), (3, 2, 1));
        });
}

#[test]
fn facts_and_answers_are_seen_in_the_order_in_which_they_are_given() {
    let say = |text: &str| Say(text.to_owned());
    let acts = vec![
        say("one"),
        Answer("two".to_owned()),
        say("three"),
        Send(5, (A, 5), "ping".to_owned()),
        // A call may be answered more than once.
        Answer("four".to_owned()),
    ];
    let last = Rule(
        Got("ping".to_owned()),
        vec![say("five"), Answer("six".to_owned())],
    );
    Story::default()
        .host(
            "a",
            &[5],
            vec![Rule(Start, vec![say("first")]), Rule(Phase(1), acts), last],
        )
        .phase(&[], &[A], &[(A, "answers \"six\"")])
        .holds(|seen| {
            let expected = [
                "first",
                "one",
                "answers \"two\"",
                "three",
                "answers \"four\"",
                "five",
                "answers \"six\"",
            ];
            assert_eq!(seen.said(A), expected);
        });
}
