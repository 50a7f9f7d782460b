//! Links with a bandwidth, and how long a datagram may be.

use super::*;

#[test]
fn a_link_with_a_bandwidth_sends_one_datagram_after_the_other_and_drops_what_it_has_no_room_for() {
    // 8 Mbit/s are a byte a microsecond. With their headers these are 100, 200 and 700 of them, then one too many, and as many as fit.
    let law = LinkLaw {
        bandwidth: Some(8_000_000),
        queue: 1_528,
        ..constant(ms(1))
    };
    let sizes = [72, 172, 672, 501, 500];
    let story = ships(&sizes, law).trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    let ends = [100, 300, 1_000, 1_528];
    assert_eq!(heard, ends.map(|end| ms(5) + us(end) + ms(1)));
    use Fate::{Congested, Underway};
    assert_eq!(fates(&story), [Underway, Underway, Underway, Congested, Underway]);
    let expected = Traffic {
        sent: 5,
        delivered: 4,
        congested: 1,
        ..Traffic::default()
    };
    assert_eq!(story.outcome.traffic, expected);
    assert_eq!(story.changes(), [(ms(5), Change::Choked { from: A, to: B })]);
}

#[test]
fn what_is_lost_has_used_the_bandwidth_and_what_is_cut_has_not() {
    let law = |loss| LinkLaw {
        loss,
        bandwidth: Some(8_000_000),
        queue: 300,
        ..constant(ms(1))
    };
    let lossy = ships(&[72; 5], law(1.0)).run(1).traffic;
    assert_eq!((lossy.lost, lossy.congested), (3, 2));
    let cut = ships(&[72; 5], law(0.0))
        .at(ms(1), lay(one_way(&[A], &[B])))
        .run(1)
        .traffic;
    assert_eq!((cut.cut, cut.congested), (5, 0));
}

#[test]
fn a_copy_takes_no_turn_of_its_own_in_the_queue() {
    let law = LinkLaw {
        duplicate: 1.0,
        bandwidth: Some(8_000_000),
        queue: 200,
        ..constant(ms(1))
    };
    let story = ships(&[72, 72], law).trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    let [first, second] = [100, 200].map(|end| ms(6) + us(end));
    assert_eq!(heard, [first, first, second, second]);
}

#[test]
fn when_the_bandwidth_changes_what_waits_keeps_its_place() {
    let law = LinkLaw {
        bandwidth: Some(8_000_000),
        ..constant(ms(1))
    };
    let faster = LinkChange {
        bandwidth: Some(80_000_000),
        ..LinkChange::default()
    };
    let ship = || Do::Ship {
        to: place(B),
        bytes: 972,
    };
    let rules = [
        start([Do::Arm(1, ms(5)), Do::Arm(2, ms(6))]),
        on(On::Timer(1), [ship(), ship()]),
        on(On::Timer(2), [ship()]),
    ];
    let story = plan()
        .host("a", rules)
        .host("b", [])
        .links(law)
        .at(us(5_500), Fault::Lay(changed(&[A], &[B], faster)))
        .trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    // Two go out in a millisecond each; the third comes after them, and takes a tenth.
    assert_eq!(heard, [us(7_000), us(8_000), us(8_100)]);
    assert_eq!(story.affected(), [1]);
}

#[test]
fn what_is_longer_than_the_mtu_is_dropped_and_those_who_watch_are_told() {
    let law = LinkLaw {
        mtu: Some(1_500),
        ..constant(ms(1))
    };
    let story = ships(&[1_472, 1_473], law).trace(1);
    assert_eq!(story.words(B), ["1472 bytes"]);
    assert_eq!(fates(&story), [Fate::Underway, Fate::TooLong]);
    assert_eq!(story.outcome.traffic.too_long, 1);
    assert_eq!(story.changes(), [(ms(5), Change::Choked { from: A, to: B })]);
}
