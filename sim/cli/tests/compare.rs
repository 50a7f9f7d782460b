//! `compare` as a program: real processes beside simulated runs.

use std::process::Command;

/// Short, so that two live runs take some seconds, and without a promise that they would be too short for.
const SCENARIO: &str = r#"// The server dies.
Scenario(
    protocol: "hac",
    profile: "brisk",
    hosts: [(name: "s", role: Server), (name: "c1..c2", role: Client)],
    network: (latency: Uniform("1ms", "9ms")),
    timeline: [At("1s", Kill("s"))],
    limit: "2500ms",
    measures: [Latency(name: "failover", from: Fault(Kill), to: Fact("promoted"))],
    live: (tolerance: "5s"),
)
"#;

/// How the machine is loaded must not matter: two runs are too few to say that live lies within, and whatever they show, both worlds are
/// told.
#[test]
fn live_runs_are_held_against_simulated_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (file, samples) = (folder.path().join("x.ron"), folder.path().join("x.csv"));
    std::fs::write(&file, SCENARIO).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("compare")
        .arg(&file)
        .args([
            "--rules",
            "Hardened",
            "--seeds",
            "100",
            "--live-runs",
            "2",
            "--format",
            "json",
            "--samples",
        ])
        .arg(&samples)
        .arg("--folder")
        .arg(folder.path().join("live"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {stderr}"));
    assert!(
        matches!(output.status.code(), Some(1 | 3)),
        "{:?}: {stderr}",
        output.status
    );
    assert_eq!(said["simulated"]["runs"], 100);
    assert_eq!(said["live"]["runs"], 2, "{said}");
    assert_eq!(said["live"]["seeds"], serde_json::json!([100, 101]));
    // How busy the machine is with others is measured, whatever it is.
    let others = said["others_share"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&others), "{others}");
    let facts = said["facts"].as_array().unwrap();
    assert!(
        facts
            .iter()
            .any(|fact| fact["name"] == "started" && fact["live"]["count"] == 2),
        "{said}"
    );
    let table = std::fs::read_to_string(&samples).unwrap();
    assert!(table.lines().count() > 100, "{table}");
}

#[test]
fn what_cannot_be_played_live_is_named_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.ron");
    std::fs::write(
        &file,
        SCENARIO.replace(
            "At(\"1s\", Kill(\"s\"))",
            "At(\"1s\", Kill(\"s\")), At(\"2s\", Jump(who: \"c1\", by: \"1s\"))",
        ),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("compare")
        .arg(&file)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{stderr}"
    );
    assert!(stderr.contains("cannot be played live"), "{stderr}");
}
