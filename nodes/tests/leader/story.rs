//! leader's story, by both rule sets: what the nodes claim and answer, one after the other.

use crate::world::{Fault, brisk};
use squall_nodes::leader::calc::CalcError;
use squall_nodes::leader::{Answer, Command};

#[test]
fn the_starter_tells_everyone_and_leads_and_calculates_for_all() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, 3, 1, |_| ());
        let calc = |text: &str| Command::Calc(text.to_owned());
        let chat = world.ask_in(500, 1, Command::Chat("hello".to_owned()));
        let from_peer = world.ask_in(500, 0, calc("(1+2)/4"));
        let from_leader = world.ask_in(500, 3, calc("1/0"));
        world.run(2_000);
        world.assert_held();
        assert_eq!(world.answers_to(chat), [&Answer::Said { number: 1 }], "{rules}");
        assert_eq!(world.count("chat"), 3, "{rules}");
        let outcome = |call| match world.answers_to(call)[..] {
            [Answer::Calculated { outcome, .. }] => outcome.clone(),
            ref other => panic!("{rules}: {other:?}"),
        };
        assert_eq!(outcome(from_peer), Ok("0.75".to_owned()));
        assert_eq!(outcome(from_leader), Err(CalcError::DivisionByZero));
        let told = ["started", "connected", "leading", "told", "told", "told"];
        assert_eq!(world.story(3)[..6], told, "{rules}");
        assert_eq!(
            world.story(0)[..3],
            ["started", "connected", "following"],
            "{rules}"
        );
    }
}

#[test]
fn by_the_source_somebody_has_to_ask_and_somebody_to_accept_before_there_is_another_leader() {
    let mut world = brisk("Original", 3, 1, |_| ());
    world.fault_in(1_000, Fault::Kill(3));
    world.run(10_000);
    assert_eq!(world.count("offered"), 0);
    let early = world.ask_in(0, 0, Command::Calc("1+1".to_owned()));
    world.run(1_000);
    assert_eq!(world.answers_to(early), [&Answer::NoLeader]);
    assert_eq!(world.count("offered"), 1);
    assert_eq!(world.story(2).last(), Some(&"offered"));
    let (wrong, right) = (
        world.ask_in(0, 1, Command::Accept),
        world.ask_in(10, 2, Command::Accept),
    );
    world.run(1_000);
    assert_eq!(world.answers_to(wrong), [&Answer::NothingToAccept]);
    assert_eq!(world.answers_to(right), [&Answer::Accepted]);
    let late = world.ask_in(0, 0, Command::Calc("1+1".to_owned()));
    world.run(1_000);
    assert!(matches!(world.answers_to(late)[..], [Answer::Calculated { .. }]));
}

#[test]
fn hardened_goes_on_by_itself_and_answers_what_was_in_flight() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.fault_in(1_000, Fault::Kill(3));
    let in_flight = world.ask_in(998, 0, Command::Calc("2*3".to_owned()));
    world.run(10_000);
    world.assert_held();
    assert!(matches!(
        world.answers_to(in_flight)[..],
        [Answer::Calculated { .. }]
    ));
    assert_eq!(world.count("offered"), 0);
    assert_eq!(world.count("leading"), 2);
    world.fault(Fault::Restart(3)).run(25_000);
    world.assert_held();
    assert_eq!(world.story(2).last(), Some(&"following"));
}

#[test]
fn what_was_answered_is_open_no_more() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, 2, 1, |_| ());
        world.run(2_000);
        let calls: Vec<_> = (0..100)
            .map(|nth| world.ask_in(50 * nth, 0, Command::Calc(format!("{nth}+1"))))
            .collect();
        world.run(10_000);
        for call in calls {
            let answers = world.answers_to(call);
            assert!(
                matches!(answers[..], [Answer::Calculated { .. }]),
                "{rules}: {answers:?}"
            );
        }
        world.assert_held();
    }
}
