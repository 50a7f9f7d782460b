//! A write that fails takes along what was answered since it began, and every call is answered all the same, once.

use squall_nodes::leader::calc::LONGEST;
use squall_nodes::leader::{Answer, Change, Command, Standing};
use squall_nodes::{CallId, Span};

use crate::world::{Fault, LeaderWorld, brisk};

/// A peer whose writes fail and take a second until it is told so; one has just begun, of what the starter said.
fn a_write_is_about_to_fail(without: Option<Change>) -> LeaderWorld {
    let mut world = brisk("Hardened", 2, 1, |config| config.without.extend(without));
    world.judge_only("answered_once");
    world.run(1_000).fault(Fault::FailDisk(0));
    world.write = Span::from_secs(1);
    world.ask_in(0, 2, Command::Chat("hello".to_owned()));
    world.run(100);
    world
}

fn standing(world: &LeaderWorld, call: CallId) -> Standing {
    match world.answers_to(call)[..] {
        [Answer::Status { standing, .. }] => *standing,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn who_asks_for_the_status_while_a_write_fails_is_answered_when_it_has() {
    for without in [None, Some(Change::StartOver)] {
        let mut world = a_write_is_about_to_fail(without);
        let early = world.ask_in(0, 0, Command::Status);
        world.run(100);
        assert_eq!(world.answers_to(early).len(), 0, "it waits behind the write");
        world.run(900);
        assert_eq!(
            standing(&world, early),
            Standing::Following,
            "without {without:?}"
        );
        if without.is_none() {
            // No write is under way until the disk is tried again.
            let late = world.ask_in(0, 0, Command::Status);
            world.run(0);
            assert_eq!(standing(&world, late), Standing::Failing);
        }
        world.fault(Fault::MendDisk(0)).run(5_000).assert_held();
        assert_eq!(world.answers_to(early).len(), 1);
    }
}

#[test]
fn who_is_refused_for_all_that_waits_behind_a_write_that_fails_is_told_so() {
    let mut world = a_write_is_about_to_fail(None);
    let too_long = || Command::Calc("1".repeat(LONGEST + 1));
    let waiting: Vec<CallId> = (0..1_024).map(|_| world.ask_in(0, 0, too_long())).collect();
    let refused = world.ask_in(10, 0, too_long());
    world.run(100);
    assert_eq!(world.answers_to(refused).len(), 0, "it waits behind the write");
    world.run(1_000);
    assert_eq!(world.answers_to(refused), [&Answer::Busy]);
    world.fault(Fault::MendDisk(0)).run(5_000).assert_held();
    assert_eq!(world.answers_to(refused), [&Answer::Busy]);
    for call in waiting {
        assert!(matches!(
            world.answers_to(call)[..],
            [Answer::Calculated { .. } | Answer::Busy]
        ));
    }
}
