//! The tree and its masters: who is below whom, and what becomes of it when somebody dies.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use crate::world::{Fault, RefineryWorld, brisk, cast};
use squall_nodes::refinery::wire::Epoch;
use squall_nodes::refinery::{Answer, RefineryFact, Standing};

/// Where each host has its upstream, by its last word.
fn upstreams(world: &RefineryWorld) -> BTreeMap<String, SocketAddrV4> {
    let mut upstreams = BTreeMap::new();
    for (_, host, fact) in &world.facts {
        let name = world.world.name(*host).to_owned();
        match fact {
            RefineryFact::Attached { upstream } => {
                upstreams.insert(name, *upstream);
            }
            RefineryFact::Detached { .. } | RefineryFact::Started { .. } => {
                upstreams.remove(&name);
            }
            _ => {}
        }
    }
    upstreams
}

fn standing(world: &mut RefineryWorld, host: usize) -> (Standing, Epoch) {
    let Answer::Status { standing, epoch, .. } = world.status(host);
    (standing, epoch)
}

#[test]
fn nodes_form_a_tree_below_the_master() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, &cast(true, 9), 5, |_, _| ());
        world.run(60_000).assert_held();
        let upstreams = upstreams(&world);
        assert_eq!(upstreams.len(), 9, "{rules}: {}", world.last_facts(40));
        let master = world.addr(0);
        assert_eq!(
            upstreams.values().filter(|upstream| **upstream == master).count(),
            3
        );
        let Answer::Status { below, .. } = world.status(0);
        assert_eq!(below.len(), 9);
    }
}

#[test]
fn those_below_a_node_that_dies_are_given_another() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, &cast(true, 7), 5, |_, _| ());
        world.run(3_000);
        // Somebody who has somebody below it.
        let upstreams_before = upstreams(&world);
        let dies = (2..9)
            .find(|host| {
                upstreams_before
                    .values()
                    .any(|upstream| *upstream == world.addr(*host))
            })
            .expect("seven do not fit below one");
        world.fault(Fault::Kill(dies)).run(60_000).assert_held();
        let gone = world.addr(dies);
        let upstreams = upstreams(&world);
        let name = format!("n{}", dies - 1);
        assert!(
            upstreams
                .iter()
                .all(|(node, upstream)| *upstream != gone || *node == name)
        );
    }
}

#[test]
fn the_standby_reigns_when_the_master_is_gone_and_keeps_the_tree() {
    let mut world = brisk("Hardened", &cast(true, 9), 5, |_, _| ());
    world.run(3_000);
    assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(2)));
    assert_eq!(standing(&mut world, 1), (Standing::Following, Epoch(2)));
    let before = upstreams(&world);
    world.fault(Fault::Kill(0)).run(40_000).assert_held();
    assert_eq!(standing(&mut world, 1), (Standing::Reigning, Epoch(3)));
    let (old, new) = (world.addr(0), world.addr(1));
    let expected: BTreeMap<String, SocketAddrV4> = before
        .into_iter()
        .map(|(node, upstream)| (node, if upstream == old { new } else { upstream }))
        .collect();
    assert_eq!(upstreams(&world), expected);
    // It comes back, and does not reign beside the other.
    world.fault(Fault::Restart(0)).run(40_000).assert_held();
    assert_eq!(standing(&mut world, 0), (Standing::Following, Epoch(3)));
    world.fault(Fault::PowerCut(1)).run(60_000).assert_held();
    assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(4)));
}

#[test]
fn two_masters_on_two_sides_of_a_partition_become_one_when_it_heals() {
    let mut world = brisk("Hardened", &cast(true, 4), 5, |_, _| ());
    world
        .run(3_000)
        .fault(Fault::Partition(vec![0, 1, 0, 0, 1, 1]))
        .run(60_000);
    world.assert_held();
    assert_eq!(standing(&mut world, 0).0, Standing::Reigning);
    assert_eq!(standing(&mut world, 1).0, Standing::Reigning);
    world.fault(Fault::HealAll).run(60_000).assert_held();
    assert_eq!(standing(&mut world, 0), (Standing::Following, Epoch(3)));
    assert_eq!(upstreams(&world).len(), 4);
}

#[test]
fn a_master_that_has_lost_its_disk_opens_an_epoch_above_all_that_its_nodes_know() {
    let mut world = brisk("Hardened", &cast(true, 3), 5, |_, _| ());
    world.run(3_000).fault(Fault::Kill(0)).run(20_000);
    world
        .fault(Fault::Restart(0))
        .run(10_000)
        .fault(Fault::PowerCut(1))
        .run(20_000);
    assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(4)));
    world
        .fault(Fault::Kill(0))
        .fault(Fault::RestartWiped(0))
        .run(60_000)
        .assert_held();
    assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(6)));
    assert_eq!(upstreams(&world).len(), 3);
}

#[test]
fn by_the_original_rules_nobody_reigns_when_the_master_is_gone() {
    let mut world = brisk("Original", &cast(true, 3), 5, |_, _| ());
    world.run(3_000).fault(Fault::Kill(0)).run(60_000);
    let breach = world.breach.as_ref().map(|(name, ..)| *name);
    assert_eq!(breach, Some("one_master"));
}
