//! Every change of refinery's `Hardened` has a twin without it, and every promise is seen broken by one of them: a change that nothing
//! misses would be a change too many, and a promise that was never broken proves nothing. And what random storms have found stays mended, by
//! what is said to mend it.

use std::fmt::Write;

use squall_nodes::Protocol;
use squall_nodes::refinery::{Change, Refinery};
use squall_sim::registered;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, Verdict};

use crate::finds;

/// A scene that shows what changes are for.
struct Scene {
    /// The changes, each with a promise that is broken in the scene without it.
    missed: &'static [(Change, &'static str)],
    /// Besides `m`, `s` and `n1` to `n4`.
    hosts: &'static str,
    config: &'static str,
    timeline: &'static str,
}

/// With how many seeds at most a breach is looked for.
const SEEDS: u64 = 200;
/// With how many seeds a scene has to hold.
const HELD: u64 = 20;

/// Settings by which no promise of quiet takes longer than the transport to find out by itself who is gone.
const QUICK: &str = "alive: \"100ms\", silence: \"500ms\", patience: \"1s\", handshake: \"300ms\", backoff_most: \"200ms\", \
                     takeover: \"500ms\"";
const QUICK_AND_PATIENT: &str = "alive: \"100ms\", silence: \"500ms\", patience: \"5m\", handshake: \"300ms\", \
                                 backoff_most: \"200ms\", takeover: \"500ms\"";

const SCENES: &[Scene] = &[
    Scene {
        missed: &[(Change::Prove, "strangers_stay_out")],
        hosts: r#"(name: "x", role: Adversary(Replay)),"#,
        config: "",
        timeline: "",
    },
    Scene {
        missed: &[(Change::Earn, "honest_stay")],
        hosts: r#"(name: "x", role: Adversary(StolenId)),"#,
        config: "",
        timeline: "",
    },
    Scene {
        missed: &[(Change::Turn, "authenticated_first")],
        hosts: r#"(name: "x", role: Adversary(OutOfTurn)),"#,
        config: "",
        timeline: "",
    },
    Scene {
        missed: &[(Change::Slots, "honest_stay")],
        hosts: r#"(name: "x", role: Adversary(Flood), config: (adversary: (connections: 200, pace: "1s"))),"#,
        config: "connections: 50, connections_per_peer: 10",
        timeline: r#"At("4s", Kill("n1")), At("6s", Restart("n1")), At("8s", Kill("n1")), At("11s", Restart("n1"))"#,
    },
    // A node loses power when it has dialled and not said who it is.
    Scene {
        missed: &[(Change::Deadline, "live_upstream")],
        hosts: "",
        config: "connections_per_peer: 1",
        timeline: r#"When(open_to: "m", by: "n1", do: PowerCut("@actor")), At("1s", Restart("n1"))"#,
    },
    Scene {
        missed: &[(Change::Watch, "registry_true")],
        hosts: "",
        config: QUICK,
        timeline: r#"At("3s", PowerCut("n1"))"#,
    },
    Scene {
        missed: &[(Change::Detect, "live_upstream")],
        hosts: "",
        config: QUICK_AND_PATIENT,
        timeline: r#"At("3s", PowerCut("n1"))"#,
    },
    Scene {
        missed: &[(Change::Standby, "one_master")],
        hosts: "",
        config: "",
        timeline: r#"At("3s", Kill("m"))"#,
    },
    // A node that has accepted the standby's epoch comes back where nobody but the master is left.
    Scene {
        missed: &[(Change::Ratchet, "epoch_grows")],
        hosts: "",
        config: "",
        timeline: r#"
            At("3s", Partition([["m", "n1", "n2"], ["s", "n3", "n4"]])),
            At("10s", Kill("n4")), At("10s", Kill("s")), At("11s", HealAll), At("12s", Restart("n4")),
        "#,
    },
    Scene {
        missed: &[(Change::GiveWay, "one_master")],
        hosts: "",
        config: "",
        timeline: r#"At("3s", Partition([["m", "n1", "n2"], ["s", "n3", "n4"]])), At("10s", HealAll)"#,
    },
    Scene {
        missed: &[(Change::StartOver, "one_master")],
        hosts: "",
        config: "",
        timeline: r#"
            At("2s", FailingDisk(who: "s", share: 1.0)), At("3s", Kill("m")),
            At("10s", Heal(FailingDisk(who: "s", share: 1.0))),
        "#,
    },
    // The address that it was given for its master's is that of n1.
    Scene {
        missed: &[(Change::Whom, "registry_true")],
        hosts: r#"(name: "x", role: Node("crusher"), config: (masters: ["10.0.0.3:7500"])),"#,
        config: "",
        timeline: "",
    },
    // The first write of a master that has lost its disk fails, and what waits behind it is dropped. Later nobody else is left.
    Scene {
        missed: &[(Change::ListenFirst, "live_upstream")],
        hosts: "",
        config: "",
        timeline: r#"
            At("2s", FailingDisk(who: "m", share: 1.0)), At("3s", Kill("m")), At("4s", Wipe("m")),
            At("6s", Heal(FailingDisk(who: "m", share: 1.0))), At("12s", Kill("s")),
        "#,
    },
    // One below another: whoever loses its upstream finds those below itself.
    Scene {
        missed: &[(Change::Downward, "tree")],
        hosts: "",
        config: "fan_out: 1",
        timeline: r#"At("3s", Kill("n1")), At("4s", Kill("n2")), At("5s", Restart("n1")), At("6s", Restart("n2"))"#,
    },
];

/// What random storms have found: a file, and the change that mends it, with a promise that is broken without.
const FOUND: &[(&str, Change, &str)] = &[(
    "found_deaf_since_its_first_write.ron",
    Change::ListenFirst,
    "refinery.live_upstream",
)];

/// Files of the library whose flaw is that of one change: with the promise that is broken without it, and under `Original`.
const SHOWN: &[(&str, Change, &str)] = &[
    ("wrong_address.ron", Change::Whom, "refinery.registry_true"),
    ("first_write_fails.ron", Change::StartOver, "refinery.one_master"),
];

/// The scene as a scenario file, without a change.
fn text(scene: &Scene, without: Option<Change>) -> String {
    let without: Vec<Change> = without.into_iter().collect();
    let mut config = format!("without: {without:?}");
    if !scene.config.is_empty() {
        let _ = write!(config, ", {}", scene.config);
    }
    format!(
        r#"Scenario(
    protocol: "refinery",
    config: ({config}),
    hosts: [
        (name: "m", role: Master), (name: "s", role: Standby), (name: "n1..n4", role: Node("crusher")), {}
    ],
    network: (latency: Uniform("1ms", "5ms")),
    tolerated: (loss: 0.0, latency: "10ms"),
    timeline: [{}],
    limit: "60s",
)"#,
        scene.hosts, scene.timeline
    )
}

/// What comes of a scene under `Hardened` with a seed.
fn runs(scene: &Scene, without: Option<Change>) -> impl Fn(u64) -> Outcome {
    let text = text(scene, without);
    let file = ScenarioFile::parse("scene.ron", text.clone()).unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    let prepared = registered::<Refinery>()
        .prepare(&file, "Hardened")
        .unwrap_or_else(|c| panic!("{c:?}\n{text}"));
    move |seed| prepared.worker().run(seed)
}

#[test]
fn each_change_is_missed_by_a_promise() {
    for scene in SCENES {
        for (change, promise) in scene.missed {
            let run = runs(scene, Some(*change));
            let name = format!("refinery.{promise}");
            let is_broken = |seed| {
                run(seed)
                    .violation
                    .is_some_and(|violation| violation.invariant == name)
            };
            assert!((0..SEEDS).any(is_broken), "{promise} holds without {change:?}");
        }
    }
}

#[test]
fn every_scene_holds_with_every_change_in_force() {
    for scene in SCENES {
        let run = runs(scene, None);
        for seed in 0..HELD {
            let outcome = run(seed);
            assert_eq!(
                outcome.verdict,
                Verdict::Held,
                "a scene of {:?}, seed {seed}: {:?}",
                scene.missed,
                outcome.violation
            );
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
    for kind in Refinery::invariants() {
        assert!(
            missed().any(|(_, promise)| *promise == kind.name()),
            "nothing breaks {}",
            kind.name()
        );
    }
}

#[test]
fn every_find_of_the_library_is_accounted_for_here_and_on_the_page_of_refinery() {
    let row = |(file, change, _): &(&'static str, Change, &str)| (*file, format!("[`{change:?}`]"));
    finds::assert_accounted_for::<Refinery>(FOUND.iter().map(row));
}

#[test]
fn what_a_storm_found_is_mended_and_breaks_again_without_its_mend() {
    for (file, change, promise) in FOUND {
        for outcome in finds::run::<Refinery>(finds::text::<Refinery>(file), finds::SEEDS) {
            let (seed, verdict, violation) = (outcome.seed, outcome.verdict, outcome.violation);
            assert_eq!(verdict, Verdict::Held, "{file}, seed {seed}: {violation:?}");
        }
        for outcome in finds::run::<Refinery>(finds::without::<Refinery>(file, change), 0) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(violated.as_deref(), Some(*promise), "{file} without its mend");
        }
    }
}

#[test]
fn what_a_file_shows_of_a_change_breaks_without_it() {
    for (file, change, promise) in SHOWN {
        for outcome in finds::run::<Refinery>(finds::without::<Refinery>(file, change), 5) {
            let violated = outcome.violation.map(|violation| violation.invariant);
            assert_eq!(
                violated.as_deref(),
                Some(*promise),
                "{file}, seed {}",
                outcome.seed
            );
        }
    }
}

#[test]
fn a_file_whose_hosts_may_not_have_the_connections_that_it_takes_is_refused() {
    let complaints = |streams: &str| {
        let text = format!(
            r#"Scenario(
    protocol: "refinery",
    config: (connections: 600),
    hosts: [(name: "m", role: Master), (name: "n1..n600", role: Node("crusher"))],
    network: (latency: Constant("2ms"){streams}),
)"#
        );
        let file = ScenarioFile::parse("many.ron", text).expect("the file is a scenario");
        let prepared = registered::<Refinery>().prepare(&file, "Hardened");
        prepared.err().map(|complaints| format!("{complaints:?}"))
    };
    let refused = complaints("").expect("600 nodes and as many strangers do not fit into 1 024");
    assert!(
        refused.contains("connections of 600 who belong here"),
        "{refused}"
    );
    assert_eq!(complaints(", streams: (connections: 2000)"), None);
}
