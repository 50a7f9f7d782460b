//! Every change of `Hardened` has a twin without it, and every promise is seen broken by one of them: a change that nothing
//! misses would be a change too many, and a promise that was never broken proves nothing.

use crate::world::{Fault, LeaderWorld, brisk, storm};
use squall_nodes::leader::{Change, Command, Config, Leader};
use squall_nodes::{Protocol, Span};

/// A scene that shows what changes are for.
struct Scene {
    /// The changes, each with a promise that is broken in the scene without it.
    missed: &'static [(Change, &'static str)],
    play: fn(Option<Change>, u64) -> LeaderWorld,
}

/// In how many worlds at most a breach is looked for.
const SEEDS: u64 = 100;

const SCENES: &[Scene] = &[
    Scene {
        missed: &[
            (Change::Accept, "one_leader"),
            (Change::Watch, "one_leader"),
            (Change::Retry, "calls_answered"),
        ],
        play: leader_dies,
    },
    Scene {
        missed: &[(Change::Redial, "one_leader")],
        play: peer_loses_its_disk,
    },
    Scene {
        missed: &[(Change::Able, "one_leader")],
        play: leader_loses_its_disk,
    },
    Scene {
        missed: &[(Change::GiveWay, "one_leader")],
        play: partition_and_rejoin,
    },
    Scene {
        missed: &[(Change::Ratchet, "terms_grow")],
        play: in_a_storm,
    },
    Scene {
        missed: &[
            (Change::Resend, "chat_reaches_all"),
            (Change::Number, "chat_in_order"),
        ],
        play: chat_with_loss,
    },
    Scene {
        missed: &[(Change::Once, "answered_once")],
        play: answers_are_slow,
    },
    Scene {
        missed: &[(Change::WriteDown, "chat_in_order")],
        play: receiver_dies,
    },
    Scene {
        missed: &[(Change::StartOver, "terms_grow")],
        play: disk_fails_when_a_term_is_seen,
    },
    Scene {
        missed: &[(Change::BackOff, "one_leader")],
        play: most_are_cut_off,
    },
];

#[test]
fn each_change_is_missed_by_a_promise() {
    for Scene { missed, play } in SCENES {
        for (change, promise) in *missed {
            let is_broken = |seed: &u64| {
                let mut world = play(Some(*change), *seed);
                world.judge_only(promise).run(45_000);
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
        for seed in 0..5 {
            let mut world = play(None, seed);
            world.run(45_000);
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
    for kind in Leader::invariants() {
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

fn leader_dies(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 3, seed, without(change));
    world.chatter(40, 1_100);
    world.fault_in(1_000, Fault::Kill(3));
    world
}

fn peer_loses_its_disk(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 3, seed, without(change));
    world
        .run(1_000)
        .fault(Fault::Kill(1))
        .fault(Fault::RestartWiped(1));
    world
}

/// Two are left, and the one that is to lead knows nobody.
fn leader_loses_its_disk(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 2, seed, without(change));
    world.run(1_000).fault(Fault::Kill(2)).run(8_000);
    world.fault(Fault::Kill(1)).fault(Fault::RestartWiped(1));
    world
}

fn partition_and_rejoin(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 3, seed, without(change));
    world.run(1_000).fault(Fault::Partition(vec![0, 0, 1, 1]));
    world.fault_in(8_000, Fault::HealAll);
    world
}

/// Hosts have room for a few connections to each of the others, of which most are cut off from those that stay with the leader.
fn most_are_cut_off(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 10, seed, without(change));
    world.places = 100;
    let sides = (0..11).map(|host| u32::from(host >= 8)).collect();
    world.run(1_000).fault(Fault::Partition(sides));
    world
}

fn in_a_storm(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 2 + (seed % 4) as usize, seed, without(change));
    world.loss = [0, 10, 50][(seed % 3) as usize];
    world.latency = (Span::from_millis(1), Span::from_millis(20));
    storm(&mut world, seed);
    world.chatter(30, 12_000);
    world
}

/// One piece of three takes longer than a connection has time.
fn chat_with_loss(change: Option<Change>, seed: u64) -> LeaderWorld {
    let short = |config: &mut Config| {
        config.deadline = Span::from_millis(150);
        config.without.extend(change);
    };
    let mut world = brisk("Hardened", 3, seed, short);
    world.loss = 50;
    world.chatter(100, 15_000);
    world
}

/// A request is made again before the first answer is there.
fn answers_are_slow(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 2, seed, without(change));
    world.latency = (Span::from_millis(60), Span::from_millis(90));
    world.run(2_000).chatter(200, 3_000);
    world
}

/// It has shown what was said, and is gone before its acknowledgement comes through.
fn receiver_dies(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 3, seed, without(change));
    world.latency = (Span::from_millis(20), Span::from_millis(25));
    world.run(1_000);
    world.ask_in(0, 0, Command::Chat("hello".to_owned()));
    world.fault_in(60 + seed % 40, Fault::Partition(vec![0, 1, 0, 0]));
    world.fault_in(150, Fault::Kill(1));
    world.fault_in(500, Fault::HealAll);
    world.fault_in(600, Fault::Restart(1));
    world
}

/// A peer follows a leader of whom it could write nothing down, and is back on the other side, where the one before still leads.
fn disk_fails_when_a_term_is_seen(change: Option<Change>, seed: u64) -> LeaderWorld {
    let mut world = brisk("Hardened", 3, seed, without(change));
    world
        .run(1_000)
        .fault(Fault::FailDisk(0))
        .fault(Fault::Partition(vec![0, 0, 0, 1]));
    for at in (5_000..9_000).step_by(200) {
        world.ask_in(at, 0, Command::Calc("1+1".to_owned()));
    }
    let turn = [
        Fault::Kill(0),
        Fault::MendDisk(0),
        Fault::HealAll,
        Fault::Partition(vec![0, 1, 1, 0]),
        Fault::Restart(0),
    ];
    for fault in turn {
        world.fault_in(7_000, fault);
    }
    world
}
