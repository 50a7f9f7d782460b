//! Strangers at a node's door: whatever comes in on their connections, these are closed with a fact, and nobody else is worse off.

use std::net::Ipv4Addr;

use crate::world::{LeaderWorld, brisk};
use squall_nodes::leader::wire::{Ack, Message, WireError};
use squall_nodes::leader::{Answer, Command, LeaderFact};

const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// How often a node has closed a connection for a reason, as it has claimed last.
fn closed(world: &LeaderWorld, reason: WireError) -> u64 {
    let counts = world.facts.iter().filter_map(|(_, _, fact)| match fact {
        LeaderFact::Unreadable { kind, count, .. } if *kind == reason => Some(*count),
        _ => None,
    });
    counts.max().unwrap_or(0)
}

fn is_served(world: &mut LeaderWorld) -> bool {
    let call = world.ask_in(0, 0, Command::Calc("1+1".to_owned()));
    world.run(500);
    matches!(world.answers_to(call)[..], [Answer::Calculated { .. }])
}

#[test]
fn what_is_no_message_closes_its_connection_with_a_fact() {
    let mut ack = Vec::new();
    Message::Ack(Ack::default()).encode(&mut ack);
    let deep = br#"{"messagetype":"chat","data":[[[[[[[[[["#.to_vec();
    let mut long = br#"{"messagetype":""#.to_vec();
    long.resize(70_000, b'x');
    for (bytes, reason) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), WireError::NoObject),
        (b"{\"messagetype\":1}".to_vec(), WireError::NoMessage),
        (deep, WireError::TooDeep),
        (long, WireError::TooLong),
        (ack, WireError::OutOfPlace),
    ] {
        let mut world = brisk("Hardened", 2, 1, |_| ());
        world.run(1_000);
        let conn = world.intrude(2, STRANGER);
        for piece in bytes.chunks(1_000) {
            world.feed_in(1, 2, conn, piece);
        }
        world.run(10);
        assert!(!world.is_open(2, conn), "{reason:?}");
        assert_eq!(closed(&world, reason), 1, "{reason:?}");
        assert!(is_served(&mut world), "{reason:?}");
        world.assert_held();
    }
}

#[test]
fn a_byte_a_second_comes_to_nothing() {
    let mut world = brisk("Hardened", 2, 1, |_| ());
    world.run(1_000);
    let conn = world.intrude(2, STRANGER);
    for (second, byte) in br#"{"messagetype":"ack""#.iter().enumerate() {
        world.feed_in(1_000 * second as u64, 2, conn, &[*byte]);
    }
    world.run(900);
    assert!(world.is_open(2, conn));
    world.run(200);
    assert!(!world.is_open(2, conn));
    assert_eq!(closed(&world, WireError::TooSlow), 1);
}

#[test]
fn ten_thousand_connections_of_one_peer_take_no_room_from_the_others() {
    let mut world = brisk("Hardened", 2, 1, |_| ());
    world.run(1_000);
    let conns: Vec<_> = (0..10_000).map(|_| world.intrude(2, STRANGER)).collect();
    world.run(0);
    let open = conns.iter().filter(|conn| world.is_open(2, **conn)).count();
    assert_eq!(open, 128);
    assert_eq!(closed(&world, WireError::Crowded), 8_192);
    assert!(is_served(&mut world));
    // Those that bring nothing go by their deadline.
    world.run(1_500);
    assert_eq!(conns.iter().filter(|conn| world.is_open(2, **conn)).count(), 0);
    world.assert_held();
}

#[test]
fn however_many_peers_there_are_no_more_connections_are_kept_than_the_settings_say() {
    let mut world = brisk("Hardened", 2, 1, |config| config.most_connections = 300);
    world.run(1_000);
    let from = |i: u32| Ipv4Addr::from(u32::from(STRANGER) + i / 100);
    let conns: Vec<_> = (0..1_000).map(|i| world.intrude(2, from(i))).collect();
    world.run(0);
    let open = conns.iter().filter(|conn| world.is_open(2, **conn)).count();
    assert!((250..=300).contains(&open), "{open}");
    // They have all the places, and nobody else is served until the deadline has come; then everybody is.
    assert!(!is_served(&mut world));
    world.run(1_000);
    let open = conns.iter().filter(|conn| world.is_open(2, **conn)).count();
    assert_eq!(open, 0);
    assert!(is_served(&mut world));
    world.assert_held();
}

#[test]
fn peers_that_leave_room_within_what_the_settings_say_take_it_from_nobody() {
    let mut world = brisk("Hardened", 2, 1, |config| config.most_connections = 300);
    world.run(1_000);
    // Two addresses have as many as one may have, and bring nothing, again and again.
    for _ in 0..5 {
        let from = |i: u32| Ipv4Addr::from(u32::from(STRANGER) + i % 2);
        let conns: Vec<_> = (0..1_000).map(|i| world.intrude(2, from(i))).collect();
        world.run(0);
        let open = conns.iter().filter(|conn| world.is_open(2, **conn)).count();
        assert_eq!(open, 2 * 128);
        assert!(is_served(&mut world));
        world.run(1_100);
    }
    world.assert_held();
}
