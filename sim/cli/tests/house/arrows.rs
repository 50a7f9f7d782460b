//! Which package depends on which, and what the core must never depend on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{cargo, stdout_of};

/// Each package of the workspace, with the packages of the workspace that it may depend on, for its tests too.
const ARROWS: &[(&str, &[&str])] = &[
    ("squall-nodes", &[]),
    ("squall-live", &["squall-nodes"]),
    ("squall-sim", &["squall-nodes"]),
    ("squall-stage", &["squall-nodes", "squall-sim", "squall-live"]),
    ("squall-reports", &["squall-sim", "squall-nodes"]),
    (
        "squall",
        &[
            "squall-nodes",
            "squall-live",
            "squall-sim",
            "squall-stage",
            "squall-reports",
        ],
    ),
    ("squall-benches", &["squall-nodes", "squall-sim"]),
];

/// What has no place in the core: entropy, clocks with time zones, sockets, runtimes, loggers.
const OUTSIDE_THE_CORE: &[&str] = &[
    "getrandom",
    "fastrand",
    "chrono",
    "time",
    "mio",
    "socket2",
    "tokio",
    "async-std",
    "log",
    "tracing",
];

#[test]
fn packages_depend_only_along_the_arrows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(package, on)| (*package, on.iter().copied().collect()))
        .collect();
    let found = dependencies();
    let known: BTreeSet<&str> = allowed.keys().copied().collect();
    let members: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        members, known,
        "say in ARROWS where each package of the workspace stands"
    );
    for (package, on) in &found {
        for dependency in on.iter().filter(|name| known.contains(name.as_str())) {
            assert!(
                allowed[package.as_str()].contains(dependency.as_str()),
                "{package} depends on {dependency}, and there is no such arrow"
            );
        }
    }
    assert!(
        found["squall-sim"].contains("squall-nodes"),
        "the arrow that everything hangs on was not found: {found:?}"
    );
}

#[test]
fn the_core_draws_no_entropy_and_opens_no_sockets() {
    for package in ["squall-nodes", "squall-sim"] {
        let tree = stdout_of(cargo("tree").args(["-p", package, "-e", "normal", "--prefix", "none"]));
        let names: BTreeSet<&str> = tree
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(
            names.contains("rand"),
            "{package}'s dependencies were not found in:\n{tree}"
        );
        for outsider in OUTSIDE_THE_CORE {
            assert!(
                !names.contains(outsider),
                "{package} depends on {outsider}; `cargo tree -p {package} -e normal -i {outsider}` shows through what"
            );
        }
    }
}

/// Every package of the workspace with the names of all that it depends on: to be built, to run and to be tested.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = stdout_of(cargo("metadata").args(["--no-deps", "--format-version", "1"]));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    let names = |list: &serde_json::Value| -> BTreeSet<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|entry| Some(entry["name"].as_str()?.to_owned()))
            .collect()
    };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| {
            Some((
                package["name"].as_str()?.to_owned(),
                names(&package["dependencies"]),
            ))
        })
        .collect()
}
