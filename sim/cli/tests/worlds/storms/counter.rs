//! Storms over the counter. Its disks keep what was written: of others it promises nothing.

use proptest::prelude::*;
use squall_nodes::counter::Counter;

use super::plain::{Storm, storms};
use super::{Cluster, Family, Speaks, Weather, assert_is_found, leave_at};

const fn of(hosts: &'static [(&'static str, &'static str)]) -> Cluster {
    Cluster {
        protocol: "counter",
        hosts,
        speaks: Speaks::Datagrams,
        workload: &[
            r#"interval: "110ms", of: "*", command: Add(1)"#,
            r#"interval: "170ms", of: "*", command: Read"#,
        ],
        calm_ms: 15_000,
    }
}

/// Clusters that can lose one, two and three.
const CLUSTERS: &[Cluster] = &[
    of(&[
        ("n1", "Replica"),
        ("n2", "Replica"),
        ("n3", "Replica"),
        ("n4", "Replica"),
        ("n5", "Replica"),
    ]),
    of(&[("n1", "Replica"), ("n2", "Replica"), ("n3", "Replica")]),
    of(&[
        ("n1", "Replica"),
        ("n2", "Replica"),
        ("n3", "Replica"),
        ("n4", "Replica"),
        ("n5", "Replica"),
        ("n6", "Replica"),
        ("n7", "Replica"),
    ]),
];

fn plain_storms() -> Family<Counter, impl Strategy<Value = impl Weather>> {
    let storms = storms(CLUSTERS).prop_map(Storm::with_disks_that_keep);
    Family::new(storms, *b"squall storms over counter set 1", 100)
}

#[test]
fn a_majority_behind_every_answer_stands_every_storm() {
    plain_storms().assert_hardened_stands(&leave_at("counter_quorum.ron"), |_| ());
}

#[test]
fn a_storm_that_breaks_the_hasty_rules_is_found_shrunk_and_left_as_a_file() {
    assert_is_found(&plain_storms(), &leave_at("counter_hasty.ron"));
}
