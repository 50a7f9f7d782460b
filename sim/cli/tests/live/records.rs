//! The flights of a live run's hosts, replayed.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{file, folder, live, output, text};

/// A failover with a host that comes back, by rules that hold.
const FAILOVER: &str = r#"Scenario(
    protocol: "hac",
    hosts: [(name: "s", role: Server), (name: "c1..c2", role: Client)],
    config: (client_timeout: "600ms", availability_interval: "75ms"),
    timeline: [At("500ms", Kill("s")), At("2s", Restart("s"))],
    limit: "3s",
    live: (tolerance: "10s"),
)"#;

/// All recordings of a run, by host, each with what its replay came to.
fn replayed(flights: &Path) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    let entries = |folder: &Path| {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").path())
            .collect();
        paths.sort();
        paths
    };
    for host in entries(flights) {
        for path in entries(&host)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|form| form == "sqf"))
        {
            let mut replay = Command::new(env!("CARGO_BIN_EXE_squall"));
            let done = output(replay.arg("replay").arg(&path).args(["--format", "json"]));
            let said: Value = serde_json::from_slice(&done.stdout)
                .unwrap_or_else(|why| panic!("{why}: {} {}", path.display(), text(&done.stderr)));
            let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
            all.push((name(&host), name(&path), said));
        }
    }
    all
}

#[test]
fn every_flight_of_a_failover_replays_and_that_of_the_killed_one_up_to_its_last_whole_entry() {
    let folder = folder();
    let (scenario, flights) = (file(folder.path(), FAILOVER), folder.path().join("new/flights"));
    let mut command = live(
        &folder.path().join("runs"),
        &[&scenario, "--rules", "Hardened", "--seed", "3"],
    );
    let done = output(command.arg("--record").arg(&flights));
    let told = text(&done.stderr);
    // The machine may have had too much other work for an answer.
    assert!(matches!(done.status.code(), Some(0 | 3)), "{told}");
    let run = flights.join("x-Hardened-3");
    assert!(
        told.contains("4 flights are recorded in") && told.contains("new/flights/x-Hardened-3"),
        "{told}"
    );
    let all = replayed(&run);
    let lives: Vec<(&str, &str)> = all
        .iter()
        .map(|(host, file, _)| (host.as_str(), file.as_str()))
        .collect();
    assert_eq!(
        lives,
        [
            ("c1", "flight-000000.sqf"),
            ("c2", "flight-000000.sqf"),
            ("s", "flight-000000.sqf"),
            ("s", "flight-000001.sqf")
        ]
    );
    for (host, file, said) in &all {
        assert_eq!(said["difference"], Value::Null, "{host} {file}: {said:#}");
        assert!(said["inputs"].as_u64() > Some(3), "{host} {file}: {said:#}");
    }
}
