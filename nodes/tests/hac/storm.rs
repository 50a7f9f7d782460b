//! hac under storms: crashes, wiped disks, pauses, partitions and one-way cuts drawn from a seed, on links that lose, repeat
//! and flip bits. Under `Hardened` every promise is kept.

use crate::world::{brisk, cast, failing_disks, storm};
use squall_nodes::Span;
use squall_nodes::hac::Role;

#[test]
fn hardened_keeps_its_promises_in_every_storm() {
    let mut judged = Vec::new();
    for seed in 0..100 {
        let hosts = cast(2 + (seed % 4) as usize);
        let mut world = brisk("Hardened", &hosts, seed, |_| ());
        // A flipped bit is a lost datagram: together they are lost within what is tolerated.
        world.loss = [0, 10, 40][(seed % 3) as usize];
        (world.duplicates, world.corrupt) = (20, 10);
        world.latency = (Span::from_millis(1), Span::from_millis(20));
        storm(&mut world, hosts.len(), seed);
        world.run(40_000);
        world.assert_held();
        judged.extend(world.judged());
    }
    judged.sort_unstable();
    judged.dedup();
    let all = [
        "epoch_grows",
        "heard_grows",
        "ids_granted_once",
        "ids_unique",
        "one_server",
        "status_true",
        "tables_agree",
    ];
    assert_eq!(judged, all);
}

#[test]
fn hardened_keeps_its_promises_while_disks_fail() {
    let mut silent = 0;
    for seed in 0..300 {
        let hosts = cast(2 + (seed % 4) as usize);
        let mut world = brisk("Hardened", &hosts, seed, |_| ());
        world.loss = [0, 10, 40][(seed % 3) as usize];
        world.latency = (Span::from_millis(1), Span::from_millis(20));
        storm(&mut world, hosts.len(), seed);
        failing_disks(&mut world, hosts.len(), seed);
        world.run(40_000);
        world.assert_held();
        silent += (0..hosts.len())
            .filter(|host| world.lives(*host).any(|started| started > 1))
            .count();
    }
    assert!(silent > 100, "{silent} hosts started over");
}

#[test]
fn hardened_peers_keep_their_promises_in_every_storm() {
    let hosts = ["p1", "p2", "p3", "p4", "p5"].map(|name| (name, Role::Peer));
    for seed in 0..50 {
        let mut world = brisk("Hardened", &hosts, seed, |_| ());
        world.loss = [0, 10, 40][(seed % 3) as usize];
        (world.duplicates, world.corrupt) = (20, 10);
        storm(&mut world, hosts.len(), seed);
        world.run(20_000);
        world.assert_held();
        assert_eq!(world.judged(), ["peers_agree"]);
    }
}
