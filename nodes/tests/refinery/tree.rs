//! The tree and its masters: who is below whom, and what becomes of it when somebody dies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use crate::world::{Fault, RefineryWorld, brisk, cast};
use squall_nodes::Time;
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

/// The nodes that a host has given an upstream since a time, by their ids.
fn moved(world: &RefineryWorld, host: usize, since: Time) -> BTreeSet<String> {
    let (mut ids, mut moved) = (BTreeMap::new(), BTreeSet::new());
    for (at, by, fact) in &world.facts {
        match fact {
            _ if by.index() != host => {}
            RefineryFact::Authenticated { conn, id, .. } => {
                ids.insert(*conn, id.clone());
            }
            RefineryFact::Granted { conn, .. } if *at > since => {
                moved.extend(ids.get(conn).cloned());
            }
            _ => {}
        }
    }
    moved
}

#[test]
fn one_who_is_not_heard_any_more_moves_only_those_below_it() {
    for seed in 0..10 {
        let mut world = brisk("Hardened", &cast(false, 9), seed, |_, config| config.fan_out = 2);
        world.run(4_000);
        let before = upstreams(&world);
        let below = |host: usize| {
            let own = before
                .iter()
                .filter(|(_, upstream)| **upstream == world.addr(host));
            own.map(|(node, _)| node.clone()).collect::<BTreeSet<String>>()
        };
        // One with two below it that have others below them.
        let top = (1..=9).find(|host| below(0).contains(&format!("n{host}")) && below(*host).len() == 2);
        let top = top.expect("seven of nine are below the first two");
        let orphans = below(top);
        let since = world.now();
        world.fault(Fault::OneWay(vec![top], (0..10).collect()));
        world.run(20_000);
        let moved = moved(&world, 0, since);
        assert_eq!(moved, orphans, "seed {seed}: {}", world.last_facts(60));
        world.fault(Fault::HealAll).run(60_000).assert_held();
        assert_eq!(upstreams(&world).len(), 9);
    }
}

#[test]
fn a_master_that_hears_nobody_any_more_moves_nobody() {
    for seed in 0..10 {
        let mut world = brisk("Hardened", &cast(false, 9), seed, |_, config| config.fan_out = 2);
        world.run(4_000);
        let since = world.now();
        world.fault(Fault::OneWay((1..10).collect(), vec![0]));
        world.run(20_000);
        let moved = moved(&world, 0, since);
        assert!(moved.is_empty(), "seed {seed}: {moved:?}");
        let gone = world
            .facts_of(0)
            .filter(|fact| matches!(fact, RefineryFact::StruckOff { .. }));
        assert_eq!(gone.count(), 9);
        world.fault(Fault::HealAll).run(60_000).assert_held();
        assert_eq!(upstreams(&world).len(), 9);
    }
}

#[test]
fn what_one_who_is_dialled_says_of_an_epoch_is_not_believed() {
    let ends = "conn:close;;{\"why\":\"not reigning\",\"epoch\":\"1000000\"}<EOF>";
    let asks = format!("conn:startAuth;;{{\"nonce\":\"{}\"}}<EOF>{ends}", "0".repeat(32));
    for says in [ends, &asks] {
        let mut world = brisk("Hardened", &cast(true, 1), 1, |_, _| ());
        world.fault(Fault::Kill(1)).impersonate(1).run(15);
        // The master has dialled its standby, and somebody else is there.
        let impostor = world.strangers.len() - 1;
        assert!(world.heard(impostor).starts_with("conn:establish"));
        world.say(impostor, says.as_bytes()).run(15);
        assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(2)), "{says}");
        world.run(5_000);
        assert_eq!(standing(&mut world, 0), (Standing::Reigning, Epoch(2)), "{says}");
    }
}

#[test]
fn a_master_that_knows_of_the_last_epoch_opens_none() {
    let last = Epoch::LAST.0 - 1;
    let mut disk = vec![1];
    disk.extend_from_slice(&last.to_le_bytes());
    disk.extend_from_slice(&crc32c::crc32c(&disk).to_le_bytes());
    let mut world = brisk("Hardened", &cast(false, 1), 1, |_, _| ());
    world.run(1_000).fault(Fault::Kill(0)).put_on_disk(0, disk);
    world.fault(Fault::Restart(0)).run(5_000);
    assert_eq!(standing(&mut world, 0), (Standing::Seeking, Epoch(last)));
    let opened = world.facts_of(0).filter_map(|fact| match fact {
        RefineryFact::Serving { epoch } => Some(*epoch),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<Epoch>>(), [Epoch(2)]);
    assert!(world.story(0).contains(&"no_epoch_left"));
}
