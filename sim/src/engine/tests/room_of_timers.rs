//! The places of timers, and how they are found.

use squall_nodes::{Outbox, Unwitnessed, drive};

use super::wear::{Code, NO_PART_OF_THE_CODE, TIMES, Way, Worn, plan};
use crate::engine::Engine;
use crate::engine::bounds::STALE_AT_LEAST;
use crate::engine::timers::{Due, NEVER, Timers, Upkeep};

#[test]
fn timers_of_which_each_is_named_once_take_no_more_room_than_live_at_a_time() {
    for way in [Way::AnotherAndDisarm, Way::AnotherAndBack] {
        let plan = plan(way, TIMES);
        let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
        let mut engine = Engine::new(&plan, &placed);
        engine.reset(1, None);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
        let places = engine.hosts[0].timers.places();
        assert!(places <= 4 * STALE_AT_LEAST, "{way:?}: room for {places} timers");
    }
}

#[test]
fn codes_that_differ_only_in_high_bits_are_found_at_once() {
    for shift in [0, 16, 32, 48] {
        let mut timers = Timers::<Worn>::new();
        for id in 0..10_000 {
            timers.arm(Code(id << shift | 3), 1, 1);
        }
        let longest = timers.longest_search();
        assert!(longest <= 8, "{longest} buckets to look at, shifted by {shift}");
    }
}

#[test]
#[should_panic(expected = "two timers have the code 5")]
fn two_timers_with_one_code_are_an_error_of_their_author() {
    let mut timers = Timers::<Worn>::new();
    timers.arm(Code(5), 1, 1);
    timers.arm(Code(5 | NO_PART_OF_THE_CODE), 2, 2);
}

#[test]
fn an_entry_that_was_taken_back_counts_again_when_its_timer_is_armed_again() {
    let mut timers = Timers::<Worn>::new();
    let timer = Code(1);
    assert_eq!(timers.arm(timer, 10, 10), Upkeep::Push(0));
    timers.enter(0, 10, 77);
    assert_eq!(timers.arm(timer, 12, 12), Upkeep::Nothing);
    assert_eq!(timers.disarm(timer), Upkeep::Forget);
    assert_eq!(timers.disarm(timer), Upkeep::Nothing);
    assert_eq!(timers.arm(timer, 11, 11), Upkeep::Recall);
    assert!(timers.keeps(0, 77));
    assert_eq!(timers.arm(timer, NEVER, NEVER), Upkeep::Forget);
    // The entry is stale and counted already: another takes its place, and nothing more is stale.
    assert_eq!(timers.arm(timer, 9, 9), Upkeep::Push(0));
    timers.enter(0, 9, 78);
    assert_eq!(timers.due(0, 77, 9), Due::Stale);
    assert_eq!(timers.disarm(timer), Upkeep::Forget);
    // Once it is swept, there is no entry to count on.
    assert!(!timers.keeps(0, 78));
    assert_eq!(timers.arm(timer, 9, 9), Upkeep::Push(0));
    timers.enter(0, 9, 79);
    assert_eq!(timers.due(0, 79, 9), Due::Fire(timer));
}
