//! Packets that somebody has made up, in the name of a replica. What the counter stands at after them is promised by nobody; but no replica
//! fails over them or goes back to a term that was there, and they go on counting together when it stops.

use squall_nodes::counter::{Answer, Command, CounterFact, Doing, Term};
use squall_nodes::{HostKey, NodeRng};

use crate::world::CounterWorld;

/// Something with the seal of a packet: a format byte ahead, and a checksum behind.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// A packet that has nothing but a term: a heartbeat, the wish to be followed, or that a higher one is followed already.
fn of_a_term(kind: u8, round: u64, leader: u8) -> Vec<u8> {
    sealed(&postcard::to_extend(&(kind, round, leader), Vec::new()).expect("plain data"))
}

const HEARTBEAT: u8 = 0;
const STAND: u8 = 1;
const TOO_LOW: u8 = 5;

fn standing(world: &mut CounterWorld, host: usize) -> (Doing, Term) {
    let call = world.ask(host, Command::Status);
    world.run(0);
    match world.answer_to(call) {
        Some(Answer::Status { doing, term, .. }) => (*doing, *term),
        other => panic!("{other:?}"),
    }
}

/// One leads, all others follow it in its term, and it counts.
#[track_caller]
fn assert_counts(world: &mut CounterWorld) {
    world.run(10_000);
    let all: Vec<(Doing, Term)> = (0..5).map(|host| standing(world, host)).collect();
    let leads = all.iter().filter(|(doing, _)| *doing == Doing::Leading);
    assert_eq!(leads.count(), 1, "{all:?}");
    assert!(all.iter().all(|(_, term)| *term == all[0].1), "{all:?}");
    let call = world.ask(0, Command::Add(1));
    world.run(2_000);
    let answer = world.answer_to(call);
    assert!(matches!(answer, Some(Answer::Value(_))), "{answer:?}");
}

#[test]
fn a_term_beyond_all_that_can_be_is_no_packet() {
    let mut world = CounterWorld::new(5, 1);
    world.run(2_000);
    let before = standing(&mut world, 0);
    for kind in [HEARTBEAT, STAND, TOO_LOW] {
        for (round, leader) in [(u64::MAX, 4), ((u64::MAX >> 1) + 1, 4), (before.1.round + 1, 9)] {
            world.forge(4, 0, of_a_term(kind, round, leader));
        }
    }
    world.run(0);
    assert_eq!(standing(&mut world, 0), before);
    let told = world.facts.iter().rev().find_map(|(by, fact)| match fact {
        CounterFact::Unreadable { count } if by.index() == 0 => Some(*count),
        _ => None,
    });
    assert_eq!(told, Some(8));
    assert_counts(&mut world);
}

#[test]
fn of_a_term_that_is_far_ahead_no_more_is_believed_than_may_be_and_everyone_gets_there() {
    for kind in [HEARTBEAT, STAND, TOO_LOW] {
        let mut world = CounterWorld::new(5, 1);
        world.run(2_000);
        let before = standing(&mut world, 0).1;
        for nth in 1..=3 {
            world.forge(4, 0, of_a_term(kind, u64::MAX >> 1, 4));
            world.run(0);
            let expected = before.round + (nth << 32);
            assert_eq!(standing(&mut world, 0).1.round, expected, "{kind}");
        }
        assert_counts(&mut world);
    }
}

#[test]
fn packets_that_were_changed_and_sealed_anew_make_nobody_fail_or_go_back() {
    for seed in 0..20 {
        let mut world = CounterWorld::new(5, seed);
        let mut rng = NodeRng::new(seed, HostKey(1), 0);
        world.run(1_000);
        let mut forged = 0;
        for _ in 0..1_000 {
            world.ask(rng.below(5) as usize, Command::Add(1));
            let last = world.sent.len() as u64;
            let (from, to, bytes) = world.sent[rng.below(last) as usize].clone();
            let mut body = bytes[1..bytes.len() - 4].to_vec();
            for _ in 0..=rng.below(3) {
                let at = rng.below(body.len() as u64) as usize;
                match rng.below(4) {
                    0 => body[at] ^= 1 << rng.below(8),
                    1 => body[at] = rng.below(256) as u8,
                    2 => body.insert(at, 0xff),
                    _ => body.truncate(at.max(1)),
                }
            }
            world.forge(from.index(), to.index(), sealed(&body));
            forged += 1;
            world.run(1 + rng.below(10));
        }
        assert_eq!(forged, 1_000);
        // What it came to is nobody's counter any more, but those who are there agree on who leads.
        world.run(10_000);
        let all: Vec<(Doing, Term)> = (0..5).map(|host| standing(&mut world, host)).collect();
        let leads = all.iter().filter(|(doing, _)| *doing == Doing::Leading);
        assert_eq!(leads.count(), 1, "seed {seed}: {all:?}");
    }
}

#[test]
fn any_bytes_with_a_seal_or_without_make_nobody_fail_or_go_back() {
    let mut world = CounterWorld::new(5, 1);
    let mut rng = NodeRng::new(1, HostKey(2), 0);
    world.run(1_000);
    for nth in 0..20_000 {
        let length = rng.below(24);
        let mut body: Vec<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
        if let Some(kind) = body.first_mut() {
            // Most of them are of a kind that there is.
            *kind %= 10;
        }
        let bytes = if nth % 4 == 0 { body } else { sealed(&body) };
        let (from, to) = (rng.below(5) as usize, rng.below(5) as usize);
        world.forge(from, to, bytes);
        if nth % 8 == 0 {
            world.run(1);
        }
    }
    assert_counts(&mut world);
}
