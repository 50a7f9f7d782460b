//! Storms over leader.

use proptest::prelude::*;
use squall_nodes::leader::Leader;

use super::full::gales;
use super::plain::storms;
use super::{Cluster, Family, Speaks, Weather, assert_all_is_stood, assert_is_found, leave_at};

const fn of(hosts: &'static [(&'static str, &'static str)]) -> Cluster {
    Cluster {
        protocol: "leader",
        hosts,
        speaks: Speaks::Streams,
        workload: &[
            r#"interval: "230ms", of: "*", command: Calc("(1+2)/4")"#,
            r#"interval: "310ms", of: "*", command: Chat("hello")"#,
        ],
        calm_ms: 90_000,
    }
}

/// Clusters whose starter comes up first, or last, or has nobody but one.
const CLUSTERS: &[Cluster] = &[
    of(&[
        ("s", "Starter"),
        ("n1", "Peer"),
        ("n2", "Peer"),
        ("n3", "Peer"),
        ("n4", "Peer"),
    ]),
    of(&[("n1", "Peer"), ("n2", "Peer"), ("s", "Starter")]),
    of(&[
        ("s", "Starter"),
        ("n1", "Peer"),
        ("n2", "Peer"),
        ("n3", "Peer"),
        ("n4", "Peer"),
        ("n5", "Peer"),
        ("n6", "Peer"),
    ]),
    of(&[("n1", "Peer"), ("s", "Starter")]),
];

/// What ambushes wait for.
const CUES: &[&str] = &[
    "persist: Begun",
    "persist: Completed",
    r#"fact: "leading""#,
    r#"fact: "following""#,
    r#"fact: "chat""#,
    r#"fact: "calculated""#,
];

/// The first family.
fn plain_storms() -> Family<Leader, impl Strategy<Value = impl Weather>> {
    Family::new(storms(CLUSTERS), *b"squall storms over leader, set 1", 200)
}

/// The second.
fn full_storms() -> Family<Leader, impl Strategy<Value = impl Weather>> {
    Family::new(gales(CLUSTERS, CUES), *b"squall gales over leader: set  1", 200)
}

#[test]
fn the_hardened_rules_stand_every_storm() {
    plain_storms().assert_hardened_stands(&leave_at("leader_hardened.ron"), |_| ());
}

#[test]
fn the_hardened_rules_stand_every_storm_of_all_faults() {
    assert_all_is_stood(&full_storms(), &leave_at("leader_hardened_full.ron"));
}

#[test]
fn a_storm_that_breaks_the_original_rules_is_found_shrunk_and_left_as_a_file() {
    assert_is_found(&plain_storms(), &leave_at("leader_original.ron"));
    assert_is_found(&full_storms(), &leave_at("leader_original_full.ron"));
}
