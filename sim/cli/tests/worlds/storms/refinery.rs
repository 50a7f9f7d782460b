//! Storms over refinery.

use proptest::prelude::*;
use squall_nodes::refinery::Refinery;

use super::full::gales;
use super::plain::storms;
use super::{Cluster, Family, Speaks, Weather, assert_all_is_stood, assert_is_found, leave_at};

const fn of(hosts: &'static [(&'static str, &'static str)]) -> Cluster {
    Cluster {
        protocol: "refinery",
        hosts,
        speaks: Speaks::Streams,
        workload: &[],
        calm_ms: 130_000,
    }
}

/// Clusters with and without a standby, a tree of two levels, and one with somebody at its gates.
const CLUSTERS: &[Cluster] = &[
    of(&[
        ("m", "Master"),
        ("s", "Standby"),
        ("n1", "Node(\"crusher\")"),
        ("n2", "Node(\"crusher\")"),
        ("n3", "Node(\"mixer\")"),
    ]),
    of(&[
        ("m", "Master"),
        ("n1", "Node(\"crusher\")"),
        ("n2", "Node(\"mixer\")"),
    ]),
    of(&[
        ("m", "Master"),
        ("s", "Standby"),
        ("n1", "Node(\"crusher\")"),
        ("n2", "Node(\"crusher\")"),
        ("n3", "Node(\"mixer\")"),
        ("n4", "Node(\"mixer\")"),
        ("n5", "Node(\"mixer\")"),
    ]),
    of(&[
        ("s", "Standby"),
        ("m", "Master"),
        ("n1", "Node(\"crusher\")"),
        ("n2", "Node(\"crusher\")"),
        ("x", "Adversary(StolenId)"),
        ("y", "Adversary(OutOfTurn)"),
    ]),
];

/// What ambushes wait for.
const CUES: &[&str] = &[
    "persist: Begun",
    "persist: Completed",
    r#"open_to: "*""#,
    r#"fact: "serving""#,
    r#"fact: "granted""#,
    r#"fact: "accepted""#,
    r#"fact: "detached""#,
];

/// The first family.
fn plain_storms() -> Family<Refinery, impl Strategy<Value = impl Weather>> {
    Family::new(storms(CLUSTERS), *b"squall storms over refinery set1", 200)
}

/// The second.
fn full_storms() -> Family<Refinery, impl Strategy<Value = impl Weather>> {
    Family::new(gales(CLUSTERS, CUES), *b"squall gales over refinery, set1", 200)
}

#[test]
fn the_hardened_rules_stand_every_storm() {
    plain_storms().assert_hardened_stands(&leave_at("refinery_hardened.ron"), |_| ());
}

#[test]
fn the_hardened_rules_stand_every_storm_of_all_faults() {
    assert_all_is_stood(&full_storms(), &leave_at("refinery_hardened_full.ron"));
}

#[test]
fn a_storm_that_breaks_the_original_rules_is_found_shrunk_and_left_as_a_file() {
    assert_is_found(&plain_storms(), &leave_at("refinery_original.ron"));
    assert_is_found(&full_storms(), &leave_at("refinery_original_full.ron"));
}
