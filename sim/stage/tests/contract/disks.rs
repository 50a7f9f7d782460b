//! A persist is a barrier: nothing is seen that rests on what is not on the disk; and what is on it is found by the next life.

use squall_nodes::Span;

use crate::node::Act::{Answer, Arm, Persist, Say, SayDisk, SayInput, Send};
use crate::node::When::{GotOther, PersistFailed, Persisted, Phase, Start, Timer};
use crate::node::{Act, Rule};
use crate::story::{Fault, Story};

const A: usize = 0;
const B: usize = 1;

fn say(text: &str) -> Act {
    Say(text.to_owned())
}

fn persist(text: &str) -> Act {
    Persist(text.to_owned())
}

/// Says what it finds, and listens.
fn keeper() -> Vec<Rule> {
    vec![Rule(Start, vec![SayDisk]), Rule(GotOther, vec![SayInput])]
}

#[test]
fn what_comes_after_a_persist_is_seen_when_it_is_on_the_disk_and_in_order() {
    let acts = vec![
        say("before"),
        persist("one"),
        say("after one"),
        Send(5, (B, 6), "after one".to_owned()),
        persist("two"),
        Answer("after two".to_owned()),
        say("after two"),
    ];
    let rules = vec![
        Rule(Phase(1), acts),
        Rule(Persisted(1), vec![say("told of one")]),
        Rule(Persisted(2), vec![say("told of two")]),
    ];
    Story::default()
        .host("a", &[5], rules)
        .host("b", &[6], keeper())
        .phase(
            &[],
            &[A],
            &[
                (A, "told of two"),
                (A, "told of one"),
                (B, "a:5 > b:6: after one"),
            ],
        )
        .holds(|seen| {
            let said = seen.said(A);
            let place = |text: &str| said.iter().position(|said| *said == text);
            let order = ["before", "after one", "answers \"after two\"", "after two"];
            for pair in order.windows(2) {
                assert!(place(pair[0]) < place(pair[1]), "{pair:?} in {said:?}");
            }
            // What the node says when it is told of the first waits behind the second, which is being written by then.
            assert!(place("after two") < place("told of one"), "{said:?}");
            assert!(place("told of one") < place("told of two"), "{said:?}");
            assert_eq!(said.len(), 6);
        });
}

#[test]
fn timers_do_not_wait_for_the_disk_and_what_they_say_does() {
    let acts = vec![Arm(1, Span::ZERO), persist("one")];
    let rules = vec![
        Rule(Phase(1), acts),
        // It goes off before the node is told, or after: a write that follows is complete in either case.
        Rule(Timer(1), vec![persist("two"), SayInput]),
        Rule(Persisted(2), vec![say("told of two")]),
    ];
    Story::default()
        .host("a", &[5], rules)
        .phase(&[], &[A], &[(A, "told of two")])
        .holds(|seen| assert_eq!(seen.said(A), ["timer 1 in time", "told of two"]));
}

#[test]
fn persists_with_nothing_between_are_all_completed_and_the_last_is_found_after_a_restart() {
    let acts = vec![persist("one"), persist("two"), persist("three"), say("all three")];
    let rules = vec![
        Rule(Phase(1), acts),
        Rule(Persisted(1), vec![say("told of one")]),
        Rule(Persisted(2), vec![say("told of two")]),
        Rule(Persisted(3), vec![say("told of three")]),
        Rule(Phase(2), vec![say("goes on")]),
    ];
    Story::default()
        .host("a", &[5], [keeper(), rules].concat())
        .phase(&[], &[A], &[(A, "told of three")])
        .phase(&[Fault::Kill(A), Fault::Start(A)], &[A], &[(A, "goes on")])
        .holds(|seen| {
            let said = seen.said(A);
            let mut told: Vec<&str> = said[1..5].to_vec();
            told.retain(|text| *text != "all three");
            assert_eq!(told, ["told of one", "told of two", "told of three"]);
            assert_eq!(said[0], "found None");
            assert_eq!(said[5..], ["found Some(\"three\")", "goes on"]);
            assert_eq!(seen.lives[A], [0, 1]);
        });
}

#[test]
fn a_failed_write_takes_what_rests_on_it_and_the_old_contents_stay() {
    let acts = vec![
        persist("lost"),
        say("never seen"),
        Send(5, (B, 6), "never sent".to_owned()),
        persist("lost too"),
        Answer("never given".to_owned()),
    ];
    let rules = vec![
        Rule(Phase(1), vec![persist("kept"), say("kept")]),
        Rule(Phase(2), acts),
        Rule(PersistFailed(1), vec![say("told of one")]),
        Rule(
            PersistFailed(2),
            vec![say("told of both"), Send(5, (B, 6), "told".to_owned())],
        ),
        Rule(Phase(3), vec![say("goes on")]),
        Rule(Phase(4), vec![persist("anew"), say("anew")]),
        Rule(Phase(5), vec![say("the end")]),
    ];
    Story::default()
        .host("a", &[5], [keeper(), rules].concat())
        .host("b", &[6], keeper())
        .phase(&[], &[A], &[(A, "kept")])
        .phase(
            &[Fault::FailWrite(A)],
            &[A],
            &[(A, "told of both"), (B, "a:5 > b:6: told")],
        )
        .phase(
            &[Fault::Mend(A), Fault::Kill(A), Fault::Start(A)],
            &[A],
            &[(A, "goes on")],
        )
        .phase(&[], &[A], &[(A, "anew")])
        .phase(&[Fault::Kill(A), Fault::Start(A)], &[A], &[(A, "the end")])
        .holds(|seen| {
            let expected = [
                "found None",
                "kept",
                "told of one",
                "told of both",
                "found Some(\"kept\")",
                "goes on",
                "anew",
                "found Some(\"anew\")",
                "the end",
            ];
            assert_eq!(seen.said(A), expected);
            assert_eq!(seen.said(B), ["found None", "a:5 > b:6: told"]);
            assert_eq!(seen.lives, [vec![0, 1, 2], vec![0]]);
        });
}
