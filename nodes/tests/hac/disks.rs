//! hac on disks that fail: what a node says, hears and does until a write has completed, and after it.

use crate::world::{Fault, HacWorld, brisk, cast};
use squall_nodes::hac::{Answer, Change, HacFact, Standing};
use squall_nodes::{HostId, Time};

/// A server that dies, and two clients, of which the disk of the one fails that is to take its place.
fn heir_without_a_disk(seed: u64, without: &[Change]) -> HacWorld {
    let mut world = brisk("Hardened", &cast(2), seed, |config| {
        config.without.extend(without);
    });
    // Without jitter both are heard as often, and the one with the lower id is promoted.
    world.latency = (world.latency.0, world.latency.0);
    world.run(1_000).fault(Fault::FailDisk(1)).fault(Fault::Crash(0));
    world
}

/// What a host has said since.
fn said(world: &HacWorld, host: usize, since: Time) -> usize {
    let by = |who: &HostId, when: &Time| who.index() == host && *when >= since;
    let sent = world.sent.iter().filter(|(at, who, ..)| by(who, at));
    let claimed = world.facts.iter().filter(|(at, who, _)| by(who, at));
    sent.count() + claimed.count()
}

fn standing(world: &mut HacWorld, host: usize) -> Standing {
    let Answer::Status { standing, .. } = world.status(host);
    standing
}

#[test]
fn a_node_whose_write_failed_says_nothing_until_one_completes() {
    let mut world = heir_without_a_disk(1, &[]);
    world.run(1_000);
    assert_eq!(standing(&mut world, 1), Standing::Failing);
    let since = world.now();
    world.run(4_000);
    assert_eq!(said(&world, 1, since), 0);
    // The others go on without it.
    assert_eq!(world.servers(), [2]);
    world.fault(Fault::MendDisk(1)).run(8_000);
    assert_eq!(standing(&mut world, 1), Standing::Following);
    assert_eq!(world.servers(), [2]);
    world.assert_held();
}

#[test]
fn a_node_whose_write_failed_tries_again_and_again_but_not_without_end_at_once() {
    let mut world = heir_without_a_disk(2, &[]);
    world.run(1_000);
    let before = world.writes_tried(1);
    world.run(3_100);
    // Eight times in a timeout of 310 ms.
    let tried = world.writes_tried(1) - before;
    assert!((78..=82).contains(&tried), "{tried} writes");
}

#[test]
fn a_server_alone_whose_disk_failed_serves_again_in_a_higher_epoch() {
    let mut world = brisk("Hardened", &cast(2), 3, |_| ());
    world.fault(Fault::Partition(vec![0, 0, 1])).run(1_000);
    let Answer::Status { epoch: before, .. } = world.status(0);
    // A newcomer's id has to be written down.
    world.fault(Fault::FailDisk(0)).fault(Fault::HealAll).run(1_000);
    assert_eq!(standing(&mut world, 0), Standing::Failing);
    world
        .fault(Fault::Crash(1))
        .fault(Fault::Crash(2))
        .fault(Fault::MendDisk(0))
        .run(8_000);
    assert_eq!(world.servers(), [0]);
    let Answer::Status { epoch, .. } = world.status(0);
    assert!(epoch.counter > before.counter, "{epoch:?} after {before:?}");
    world.assert_held();
}

#[test]
fn what_a_node_has_claimed_of_a_table_is_not_taken_back_when_it_starts_over() {
    let mut world = brisk("Hardened", &cast(3), 4, |_| ());
    world.run(2_000).fault(Fault::FailDisk(1));
    // A newcomer in the table is something to write down.
    world.fault(Fault::Crash(3)).fault(Fault::RestartWiped(3));
    world.run(500).fault(Fault::MendDisk(1)).run(8_000);
    let rounds: Vec<u32> = world
        .facts
        .iter()
        .filter_map(|(_, by, fact)| match fact {
            HacFact::Table { round, .. } if *by == HostId(1) => Some(*round),
            _ => None,
        })
        .collect();
    assert!(rounds.is_sorted(), "{rounds:?}");
    world.assert_held();
}

#[test]
fn without_its_rule_a_node_speaks_in_an_epoch_that_it_could_not_write_down() {
    let mut world = heir_without_a_disk(5, &[Change::StartOver]);
    world.run(2_000);
    let spoke = world.facts.iter().any(
        |(_, by, fact)| matches!(fact, HacFact::Table { epoch, .. } if *by == HostId(1) && epoch.counter > 1),
    );
    assert!(spoke, "{:?}", world.story(1));
    world
        .fault(Fault::Crash(1))
        .fault(Fault::MendDisk(1))
        .fault(Fault::Restart(1))
        .run(1_000);
    let broken = world.breach.as_ref().map(|(name, ..)| *name);
    assert_eq!(broken, Some("epoch_grows"));
}
