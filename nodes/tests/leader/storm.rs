//! leader under storms: crashes, wiped disks, pauses and partitions drawn from a seed, while people chat and calculate. Under
//! `Hardened` every promise is kept.

use crate::world::{brisk, failing_disks, storm};
use squall_nodes::Span;

#[test]
fn hardened_keeps_its_promises_in_every_storm() {
    let mut judged = Vec::new();
    for seed in 0..40 {
        let mut world = brisk("Hardened", 2 + (seed % 4) as usize, seed, |_| ());
        world.loss = [0, 10, 40][(seed % 3) as usize];
        world.latency = (Span::from_millis(1), Span::from_millis(20));
        storm(&mut world, seed);
        world.chatter(70, 45_000);
        world.run(60_000);
        world.assert_held();
        judged.extend(world.judged());
    }
    judged.sort_unstable();
    judged.dedup();
    let all = [
        "answered_once",
        "calls_answered",
        "chat_in_order",
        "chat_reaches_all",
        "one_leader",
        "terms_grow",
    ];
    assert_eq!(judged, all);
}

#[test]
fn hardened_keeps_its_promises_while_disks_fail() {
    let mut started = 0;
    for seed in 0..40 {
        let mut world = brisk("Hardened", 2 + (seed % 4) as usize, seed, |_| ());
        world.loss = [0, 10, 40][(seed % 3) as usize];
        world.latency = (Span::from_millis(1), Span::from_millis(20));
        storm(&mut world, seed);
        failing_disks(&mut world, seed);
        world.chatter(70, 45_000);
        world.run(60_000);
        world.assert_held();
        started += world.count("started");
    }
    assert!(started > 200, "{started} starts");
}
