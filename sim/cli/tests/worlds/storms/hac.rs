//! Storms over hac.

use proptest::prelude::*;
use squall_nodes::hac::Hac;

use super::full::gales;
use super::plain::storms;
use super::{Cluster, Family, Speaks, Weather, assert_all_is_stood, assert_is_found, leave_at};

const fn of(hosts: &'static [(&'static str, &'static str)]) -> Cluster {
    Cluster {
        protocol: "hac",
        hosts,
        speaks: Speaks::Datagrams,
        workload: &[],
        calm_ms: 15_000,
    }
}

/// Clusters in client-server mode, and one of peers.
const CLUSTERS: &[Cluster] = &[
    of(&[
        ("s", "Server"),
        ("c1", "Client"),
        ("c2", "Client"),
        ("c3", "Client"),
        ("c4", "Client"),
    ]),
    of(&[("s", "Server"), ("c1", "Client"), ("c2", "Client")]),
    of(&[
        ("s", "Server"),
        ("c1", "Client"),
        ("c2", "Client"),
        ("c3", "Client"),
        ("c4", "Client"),
        ("c5", "Client"),
        ("c6", "Client"),
    ]),
    of(&[("p1", "Peer"), ("p2", "Peer"), ("p3", "Peer"), ("p4", "Peer")]),
];

/// What ambushes wait for.
const CUES: &[&str] = &[
    "persist: Begun",
    "persist: Completed",
    r#"send_to: "*""#,
    r#"send_to: ["c1", "c2"]"#,
    r#"fact: "accepted""#,
    r#"fact: "serving""#,
];

/// The first family.
fn plain_storms() -> Family<Hac, impl Strategy<Value = impl Weather>> {
    Family::new(storms(CLUSTERS), *b"squall storms over hac, set no 1", 1_000)
}

/// The second.
fn full_storms() -> Family<Hac, impl Strategy<Value = impl Weather>> {
    Family::new(gales(CLUSTERS, CUES), *b"squall gales, all faults: set  1", 1_000)
}

#[test]
fn the_hardened_rules_stand_every_storm() {
    plain_storms().assert_hardened_stands(&leave_at("hac_hardened.ron"), |_| ());
}

#[test]
fn the_hardened_rules_stand_every_storm_of_all_faults() {
    assert_all_is_stood(&full_storms(), &leave_at("hac_hardened_full.ron"));
}

#[test]
fn a_storm_that_breaks_the_original_rules_is_found_shrunk_and_left_as_a_file() {
    assert_is_found(&plain_storms(), &leave_at("hac_original.ron"));
    assert_is_found(&full_storms(), &leave_at("hac_original_full.ron"));
}
