//! hac's story, told by clients and servers: joining, failing over, coming back; and each flaw of `Original` beside what
//! mends it.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::world::{Fault, HacWorld, brisk, cast};
use squall_nodes::HostId;
use squall_nodes::hac::wire::{Checksum, Code, Packet, Part, Status};
use squall_nodes::hac::{Answer, Change, HacFact, Role, Rules, Standing};

const BOTH: [&str; 2] = ["Original", "Hardened"];

/// The id that a host goes by, and its server.
fn place(world: &mut HacWorld, host: usize) -> (Option<u32>, Option<SocketAddrV4>) {
    let Answer::Status { id, server, .. } = world.status(host);
    (id, server)
}

fn alive_in_table_of(world: &mut HacWorld, host: usize) -> Vec<SocketAddrV4> {
    let Answer::Status { rows, .. } = world.status(host);
    rows.iter()
        .filter(|row| row.status == Some(Status::Alive))
        .map(|row| row.addr)
        .collect()
}

fn count(world: &HacWorld, host: usize, name: &str) -> usize {
    world
        .story(host)
        .iter()
        .filter(|claimed| **claimed == name)
        .count()
}

#[test]
fn a_client_joins_and_everyone_learns_of_everyone() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(3), 1, |_| ());
        // Without jitter an AC a round is certain, which is all that `Original` allows for.
        world.latency = (world.latency.0, world.latency.0);
        world.run(3_000);
        for host in 0..4 {
            let alive = alive_in_table_of(&mut world, host);
            assert_eq!(alive.len(), 4, "{rules}: {host}");
            assert_eq!(place(&mut world, host).1, Some(world.addr(0)), "{rules}: {host}");
        }
        let mut ids: Vec<_> = (0..4).map(|host| place(&mut world, host).0).collect();
        ids.sort_unstable();
        assert_eq!(ids, [Some(1), Some(2), Some(3), Some(4)], "{rules}");
        world.assert_held();
    }
}

#[test]
fn the_client_heard_most_is_promoted_and_the_others_rejoin() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(2), 1, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world.run(1_000);
        // A newcomer has been heard less, so its low address does not help it.
        world.fault(Fault::Crash(1)).run(2_500);
        world.fault(Fault::Restart(1)).run(1_000);
        world.fault(Fault::Crash(0)).run(3_000);
        assert_eq!(world.servers(), [2], "{rules}");
        assert!(
            world.story(2).contains(&"promoted"),
            "{rules}: {:?}",
            world.story(2)
        );
        assert_eq!(
            world.story(1).last(),
            Some(&"rejoined"),
            "{rules}: {:?}",
            world.story(1)
        );
        assert_eq!(place(&mut world, 1).1, Some(world.addr(2)), "{rules}");
    }
}

#[test]
fn a_server_that_comes_back_joins_the_present_one_as_a_client() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(3), 2, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world.run(2_000).fault(Fault::Crash(0)).run(3_000);
        let present = world.servers();
        world.fault(Fault::Restart(0)).run(5_000);
        assert_eq!(world.servers(), present, "{rules}");
        assert_eq!(count(&world, 0, "joined"), 1, "{rules}: {:?}", world.story(0));
        match rules {
            // The promoted server counted from 1 again, and gave the id of the old one away in the meantime.
            "Original" => assert_eq!(
                world.breach.as_ref().map(|(name, ..)| *name),
                Some("ids_granted_once")
            ),
            _ => world.assert_held(),
        }
    }
}

#[test]
fn a_server_that_comes_back_to_nobody_serves_again_and_its_clients_return() {
    let mut world = brisk("Hardened", &cast(2), 2, |_| ());
    world.run(2_000);
    let ids: Vec<_> = (0..3).map(|host| place(&mut world, host).0).collect();
    for host in 0..3 {
        world.fault(Fault::Crash(host));
    }
    world.run(1_000).fault(Fault::Restart(0)).run(1_000);
    assert_eq!(world.servers(), [0]);
    world.fault(Fault::Restart(1)).fault(Fault::Restart(2)).run(6_000);
    assert_eq!(
        (0..3).map(|host| place(&mut world, host).0).collect::<Vec<_>>(),
        ids
    );
    world.assert_held();
}

#[test]
fn a_returning_client_gets_its_old_id_back() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(3), 3, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world.run(1_000);
        let before = place(&mut world, 2).0;
        world
            .fault(Fault::Crash(2))
            .run(4_000)
            .fault(Fault::Restart(2))
            .run(1_000);
        assert_eq!(place(&mut world, 2).0, before, "{rules}");
        assert!(
            alive_in_table_of(&mut world, 0).contains(&world.addr(2)),
            "{rules}"
        );
    }
}

#[test]
fn a_wiped_client_is_known_by_its_address_under_hardened_and_forgotten_under_original() {
    let ids = BOTH.map(|rules| {
        let mut world = brisk(rules, &cast(2), 3, |_| ());
        world.run(1_000);
        let before = place(&mut world, 1).0;
        world
            .fault(Fault::Crash(1))
            .fault(Fault::RestartWiped(1))
            .run(2_000);
        (before, place(&mut world, 1).0)
    });
    assert_ne!(ids[0].0, ids[0].1);
    assert_eq!(ids[1].0, ids[1].1);
}

#[test]
fn a_dead_client_that_speaks_again_is_alive_again() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(2), 4, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world.run(1_000).fault(Fault::Pause(1)).run(4_000);
        let paused = world.addr(1);
        assert!(!alive_in_table_of(&mut world, 0).contains(&paused), "{rules}");
        world.fault(Fault::Resume(1)).run(2_000);
        assert!(alive_in_table_of(&mut world, 0).contains(&paused), "{rules}");
    }
}

#[test]
fn after_a_partition_original_keeps_two_servers_and_hardened_one() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(4), 5, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world
            .run(2_000)
            .fault(Fault::Partition(vec![0, 0, 0, 1, 1]))
            .run(4_000);
        assert_eq!(world.servers().len(), 2, "{rules}");
        world.fault(Fault::HealAll).run(15_000);
        match rules {
            "Original" => {
                assert_eq!(world.servers().len(), 2);
                assert_eq!(world.breach.as_ref().map(|(name, ..)| *name), Some("one_server"));
            }
            _ => {
                assert_eq!(world.servers().len(), 1);
                assert_eq!(
                    (0..5)
                        .map(|host| count(&world, host, "stepped_down"))
                        .sum::<usize>(),
                    1
                );
                world.assert_held();
            }
        }
    }
}

#[test]
fn a_promoted_server_forgets_ids_under_original_and_knows_them_under_hardened() {
    let changed = BOTH.map(|rules| {
        let mut world = brisk(rules, &cast(4), 6, |_| ());
        world.latency = (world.latency.0, world.latency.0);
        world.run(2_000);
        let before: Vec<_> = (1..5).map(|host| place(&mut world, host).0).collect();
        world.fault(Fault::Crash(0)).run(4_000);
        let after: Vec<_> = (1..5).map(|host| place(&mut world, host).0).collect();
        before != after
    });
    assert_eq!(changed, [true, false]);
}

#[test]
fn a_wiped_server_takes_the_cluster_back_in_a_higher_epoch() {
    let mut world = brisk("Hardened", &cast(3), 7, |_| ());
    world.run(2_000);
    let Answer::Status { epoch: before, .. } = world.status(0);
    world
        .fault(Fault::Crash(0))
        .fault(Fault::RestartWiped(0))
        .run(8_000);
    assert_eq!(world.servers(), [0]);
    let Answer::Status { epoch, rows, .. } = world.status(0);
    assert!(epoch > before, "epoch {epoch:?} after {before:?}");
    assert_eq!(rows.len(), 4);
    world.assert_held();
}

#[test]
fn a_client_hands_an_hc_on_to_its_server() {
    let mut world = brisk("Hardened", &cast(2), 8, |_| ());
    world.run(1_000);
    // A host that nobody knows asks a client.
    let stranger = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 7400);
    let hc = asking(stranger);
    world.inject(stranger, 1, &hc).run(50);
    assert_eq!(answers_to(&world, stranger), 1);
    // One hop only: what speaks for another is not handed on.
    world
        .inject(
            world.addr(2),
            1,
            &asking(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 10), 7400)),
        )
        .run(50);
    let forwarded = world
        .sent
        .iter()
        .filter(|(_, from, _, bytes)| from.index() == 1 && bytes[2] == Code::Hc as u8);
    assert_eq!(forwarded.filter(|(_, _, _, bytes)| *bytes == hc).count(), 1);
}

fn asking(addr: SocketAddrV4) -> Vec<u8> {
    use squall_nodes::hac::wire::{Entry, Epoch, Head, Mode, NO_ID};
    let head = Head {
        rules: Rules::Hardened,
        mode: Mode::ClientServer,
        code: Code::Hc,
        epoch: Epoch::NONE,
    };
    let mut bytes = Vec::new();
    head.encode_one(
        &Entry {
            id: NO_ID,
            addr,
            status: Status::Alive,
            heard: 0,
            round: 0,
        },
        &mut bytes,
    );
    bytes
}

/// How many HS went to an address.
fn answers_to(world: &HacWorld, addr: SocketAddrV4) -> usize {
    let hs = |bytes: &[u8]| bytes[2] == Code::Hs as u8;
    world
        .sent
        .iter()
        .filter(|(_, _, to, bytes)| *to == addr && hs(bytes))
        .count()
}

#[test]
fn a_list_that_does_not_fit_is_split_and_put_together_again() {
    for rules in BOTH {
        // Three entries at most.
        let mtu = if rules == "Original" {
            4 + 3 * 19
        } else {
            26 + 3 * 19
        };
        let mut world = brisk(rules, &cast(7), 9, |config| config.mtu = mtu);
        world.latency = (world.latency.0, world.latency.0);
        world.run(5_000);
        let version = if rules == "Original" {
            Rules::Original
        } else {
            Rules::Hardened
        };
        let parts = world.sent.iter().filter_map(|(_, _, to, bytes)| {
            let packet = Packet::decode(version, Checksum::Verified, bytes).ok()?;
            (packet.code == Code::As && *to == world.addr(7)).then_some(packet.part)
        });
        let parts: Vec<Part> = parts.collect();
        assert_eq!(
            parts[parts.len() - 3..],
            [Part::More, Part::More, Part::Last],
            "{rules}"
        );
        assert!(
            world
                .sent
                .iter()
                .all(|(_, _, _, bytes)| bytes.len() <= usize::from(mtu)),
            "{rules}"
        );
        let Answer::Status { rows, .. } = world.status(7);
        assert_eq!(rows.len(), 8, "{rules}");
        world.assert_held();
    }
}

#[test]
fn a_rubbish_disk_is_claimed_and_the_node_starts_as_if_wiped() {
    for host in [0, 1] {
        let mut world = brisk("Hardened", &cast(2), 10, |_| ());
        world.run(1_000).fault(Fault::Crash(host));
        *world.disk(host) = Some(b"not a disk of hac".to_vec());
        world.fault(Fault::Restart(host)).run(8_000);
        assert_eq!(count(&world, host, "disk_unreadable"), 1);
        assert_eq!(world.servers().len(), 1);
        world.assert_held();
    }
}

#[test]
fn a_client_without_a_table_elects_nobody() {
    for rules in BOTH {
        let mut world = brisk(rules, &cast(2), 11, |_| ());
        world.fault(Fault::Crash(0)).run(5_000);
        for host in [1, 2] {
            assert_eq!(world.story(host), ["started"], "{rules}");
            let Answer::Status { standing, .. } = world.status(host);
            assert_eq!(standing, Standing::Seeking, "{rules}");
        }
        world.fault(Fault::Restart(0)).run(3_000);
        assert_eq!(world.story(1).last(), Some(&"joined"), "{rules}");
    }
}

#[test]
fn a_server_that_dies_in_its_first_round_leaves_clients_that_know_each_other() {
    for seed in 0..40 {
        let mut world = brisk("Hardened", &cast(4), seed, |_| ());
        world.run(20 + seed).fault(Fault::Crash(0)).run(20_000);
        world.assert_held();
    }
}

#[test]
fn a_suspicion_is_taken_back_when_the_server_is_heard_again() {
    let mut world = brisk("Hardened", &cast(2), 12, |_| ());
    world
        .run(1_000)
        .fault(Fault::Pause(0))
        .run(450)
        .fault(Fault::Resume(0))
        .run(8_000);
    assert!(count(&world, 1, "suspected") >= 1);
    assert_eq!(world.servers(), [0]);
    assert_eq!(count(&world, 1, "rejoined"), 0);
    world.assert_held();
}

#[test]
fn a_lost_as_costs_a_suspicion_and_no_promotion_under_hardened() {
    for seed in 0..10 {
        let mut world = brisk("Hardened", &cast(3), seed, |_| ());
        world.loss = 50;
        world.run(30_000);
        assert!((1..4).map(|host| count(&world, host, "suspected")).sum::<usize>() > 0);
        assert_eq!(
            (1..4).map(|host| count(&world, host, "promoted")).sum::<usize>(),
            0,
            "seed {seed}"
        );
        world.assert_held();
    }
}

#[test]
fn a_node_that_cannot_run_says_why_and_does_nothing() {
    let mut world = HacWorld::strangers(&[("c", Role::Client), ("p", Role::Peer)]);
    world.run(5_000);
    assert_eq!(world.story(0), ["refused_to_start"]);
    assert_eq!(world.story(1), ["refused_to_start"]);
    assert!(world.sent.is_empty());
    let Answer::Status { standing, .. } = world.status(1);
    assert_eq!(standing, Standing::Refused);
}

#[test]
fn an_id_is_claimed_for_the_same_address_again_and_again_by_repeated_hc() {
    let mut world = brisk("Hardened", &cast(1), 13, |_| ());
    world.duplicates = 1000;
    world.run(5_000);
    let granted = world.facts.iter().filter(|(_, by, fact)| {
        *by == HostId(0) && matches!(fact, HacFact::Granted { addr, .. } if *addr != world.addr(0))
    });
    assert_eq!(granted.count(), 1);
    world.assert_held();
}

#[test]
fn without_the_ratchet_an_old_server_takes_its_clients_back_to_an_old_epoch() {
    let mut world = brisk("Hardened", &cast(2), 14, |config| {
        config.without = vec![Change::Ratchet, Change::StepDown];
    });
    world
        .run(2_000)
        .fault(Fault::Partition(vec![0, 1, 1]))
        .run(3_000)
        .fault(Fault::HealAll)
        .run(3_000);
    assert_eq!(world.breach.as_ref().map(|(name, ..)| *name), Some("epoch_grows"));
}

/// Seed 12189 of the storm: the HS to a restarted client was lost, the table came, and the client, which remembered its id,
/// had nothing left to ask for and never sent an AC.
#[test]
fn seed_12189_a_restarted_client_without_an_hs_is_available() {
    let mut world = brisk("Hardened", &cast(2), 15, |_| ());
    world
        .run(1_000)
        .fault(Fault::Crash(1))
        .run(100)
        .fault(Fault::OneWay(1, 0))
        .fault(Fault::Restart(1))
        .run(600);
    assert_eq!(world.story(1).last(), Some(&"joined"));
    world.fault(Fault::HealAll).run(10_000);
    assert!(alive_in_table_of(&mut world, 0).contains(&world.addr(1)));
    world.assert_held();
}
