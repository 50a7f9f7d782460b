//! Every change of `Hardened` has a twin without it, and every promise is seen broken by one of them: a change that nothing
//! misses would be a change too many, and a promise that was never broken proves nothing.

use crate::world::{Fault, HacWorld, brisk, cast, storm};
use squall_nodes::hac::{Change, Config, Hac, Role};
use squall_nodes::{Protocol, Span};

/// A scene that shows what changes are for.
struct Scene {
    /// The changes, each with a promise that is broken in the scene without it.
    missed: &'static [(Change, &'static str)],
    play: fn(Option<Change>, u64) -> HacWorld,
}

/// In how many worlds at most a breach is looked for.
const SEEDS: u64 = 2_000;

const SCENES: &[Scene] = &[
    Scene {
        missed: &[
            (Change::Ratchet, "epoch_grows"),
            (Change::StepDown, "one_server"),
            (Change::Probe, "one_server"),
            (Change::Correct, "one_server"),
            (Change::HandOn, "one_server"),
            (Change::Merge, "heard_grows"),
        ],
        play: in_a_storm,
    },
    Scene {
        missed: &[(Change::Remember, "one_server")],
        play: server_dies_in_its_first_round,
    },
    Scene {
        missed: &[
            (Change::Addresses, "ids_granted_once"),
            (Change::Addresses, "ids_unique"),
        ],
        play: two_lose_their_disks,
    },
    Scene {
        missed: &[(Change::WriteDown, "epoch_grows")],
        play: server_restarts,
    },
    Scene {
        missed: &[(Change::StartOver, "epoch_grows")],
        play: disk_fails_when_an_epoch_is_accepted,
    },
    Scene {
        missed: &[(Change::Return, "one_server")],
        play: server_is_left_alone,
    },
    Scene {
        missed: &[(Change::Forward, "one_server")],
        play: newcomer_asks_the_old_server,
    },
    Scene {
        missed: &[(Change::Retry, "one_server"), (Change::Patience, "status_true")],
        play: calm_with_loss,
    },
    Scene {
        missed: &[(Change::Patience, "peers_agree")],
        play: calm_peers_with_loss,
    },
    Scene {
        missed: &[(Change::Count, "tables_agree")],
        play: split_lists_with_loss,
    },
    Scene {
        missed: &[(Change::Crc, "tables_agree")],
        play: flipped_bits,
    },
    Scene {
        missed: &[(Change::Nonce, "tables_agree")],
        play: server_loses_its_disk,
    },
    Scene {
        missed: &[(Change::TakeBack, "one_server")],
        play: server_loses_its_disk_in_its_first_round,
    },
    Scene {
        missed: &[(Change::Introduce, "one_server")],
        play: each_half_joins_a_wiped_server,
    },
];

#[test]
fn each_change_is_missed_by_a_promise() {
    for Scene { missed, play } in SCENES {
        for (change, promise) in *missed {
            let is_broken = |seed: &u64| {
                let mut world = play(Some(*change), *seed);
                world.judge_only(promise).run(30_000);
                world.breach.is_some()
            };
            assert!(
                (0..SEEDS).any(|seed| is_broken(&seed)),
                "{promise} holds without {change:?}"
            );
        }
    }
}

#[test]
fn every_scene_holds_with_every_change_in_force() {
    for Scene { missed, play } in SCENES {
        for seed in 0..30 {
            let mut world = play(None, seed);
            world.run(30_000);
            if let Some((promise, at, breach)) = &world.breach {
                panic!(
                    "a scene of {missed:?}, seed {seed}: {promise} at {at}: {}",
                    breach.detail
                );
            }
        }
    }
}

#[test]
fn every_change_and_every_promise_has_a_scene() {
    let missed = || SCENES.iter().flat_map(|scene| scene.missed);
    for change in Change::ALL {
        assert!(
            missed().any(|(own, _)| *own == change),
            "nothing misses {change:?}"
        );
    }
    for kind in Hac::invariants() {
        assert!(
            missed().any(|(_, promise)| *promise == kind.name()),
            "nothing breaks {}",
            kind.name()
        );
    }
}

fn without(change: Option<Change>) -> impl Fn(&mut Config) {
    move |config| config.without.extend(change)
}

fn in_a_storm(change: Option<Change>, seed: u64) -> HacWorld {
    let hosts = cast(2 + (seed % 4) as usize);
    let mut world = brisk("Hardened", &hosts, seed, without(change));
    world.loss = [0, 10, 50][(seed % 3) as usize];
    world.duplicates = 20;
    world.latency = (Span::from_millis(1), Span::from_millis(20));
    storm(&mut world, hosts.len(), seed);
    world
}

/// Some have just been given an id, and the AS that goes with it may be lost.
fn server_dies_in_its_first_round(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.loss = 50;
    world.fault_in(4 + seed % 40, Fault::Crash(0));
    world
}

fn server_restarts(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.run(1_000).fault(Fault::Crash(0)).fault(Fault::Restart(0));
    world
}

/// A client whose disk fails is promoted or follows another, and loses power.
fn disk_fails_when_an_epoch_is_accepted(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(2), seed, without(change));
    world.run(1_000).fault(Fault::FailDisk(1)).fault(Fault::Crash(0));
    for fault in [Fault::Crash(1), Fault::MendDisk(1), Fault::Restart(1)] {
        world.fault_in(3_000, fault);
    }
    world
}

/// The server comes back and everybody whom it knows is gone.
fn server_is_left_alone(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(2), seed, without(change));
    world.run(1_000);
    for host in 0..3 {
        world.fault(Fault::Crash(host));
    }
    world.fault(Fault::Restart(0));
    world
}

/// The server forgets whom it gave which id, and so does the first client to ask it again.
fn two_lose_their_disks(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.run(1_000);
    for host in [0, 1 + (seed % 3) as usize] {
        world.fault(Fault::Crash(host)).fault(Fault::RestartWiped(host));
    }
    world
}

/// A client that was cut off from the beginning knows only the first server, which is a client by now.
fn newcomer_asks_the_old_server(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.fault(Fault::Partition(vec![0, 0, 0, 1]));
    world.fault_in(1_000, Fault::Crash(0));
    world.fault_in(3_000, Fault::Restart(0));
    world.fault_in(5_000, Fault::HealAll);
    world
}

fn calm_with_loss(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.loss = 50;
    world
}

fn calm_peers_with_loss(change: Option<Change>, seed: u64) -> HacWorld {
    let peers = ["p1", "p2", "p3", "p4"].map(|name| (name, Role::Peer));
    let mut world = brisk("Hardened", &peers, seed, without(change));
    world.loss = 50;
    world
}

/// Two entries a packet.
fn split_lists_with_loss(change: Option<Change>, seed: u64) -> HacWorld {
    let small = |config: &mut Config| {
        config.mtu = 26 + 2 * 19;
        config.without.extend(change);
    };
    let mut world = brisk("Hardened", &cast(6), seed, small);
    world.loss = 30;
    world
}

fn flipped_bits(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.corrupt = 20;
    world
}

fn server_loses_its_disk(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world
        .run(15_000)
        .fault(Fault::Crash(0))
        .fault(Fault::RestartWiped(0));
    world
}

/// Some have just accepted its epoch and hold no table yet by which they could elect another.
fn server_loses_its_disk_in_its_first_round(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(3), seed, without(change));
    world.loss = 50;
    let crash_in = 4 + seed % 40;
    world.fault_in(crash_in, Fault::Crash(0));
    world.fault_in(crash_in + 1, Fault::RestartWiped(0));
    world
}

/// First the one half of the clients and then the other follows a server that knows nobody else, and loses it.
fn each_half_joins_a_wiped_server(change: Option<Change>, seed: u64) -> HacWorld {
    let mut world = brisk("Hardened", &cast(4), seed, without(change));
    world.run(1_000);
    for host in [3, 4, 0] {
        world.fault(Fault::Crash(host));
    }
    world.fault(Fault::RestartWiped(0)).run(700);
    world
        .fault(Fault::Partition(vec![0, 1, 1, 0, 0]))
        .fault(Fault::Crash(0))
        .fault(Fault::RestartWiped(0));
    for host in [3, 4] {
        world.fault(Fault::Restart(host));
    }
    world.fault_in(300, Fault::Crash(0));
    world.fault_in(2_000, Fault::HealAll);
    world
}
