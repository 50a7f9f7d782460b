//! The flights of a live run's hosts, replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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

/// An asker that asks all the time, and is killed over and over again.
const KILLED: &str = r#"Scenario(
    protocol: "echo",
    hosts: [(name: "s", role: Server), (name: "a", role: Asker)],
    config: (ask_every: "1ms"),
    network: (latency: Constant("1ms")),
    timeline: [
        Every(interval: "250ms", from: "200ms", until: "1200ms", do: Kill("a")),
        Every(interval: "250ms", from: "250ms", until: "1200ms", do: Restart("a")),
    ],
    limit: "1500ms",
    live: (tolerance: "10s"),
)"#;

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    paths
}

/// The recordings of a host.
fn flights_of(host: &Path) -> Vec<PathBuf> {
    let mut paths = entries(host);
    paths.retain(|path| path.extension().is_some_and(|form| form == "sqf"));
    paths
}

/// What is told of a recording when it is replayed, line by line.
fn replay(path: &Path, flags: &[&str]) -> Vec<Value> {
    let mut replay = Command::new(env!("CARGO_BIN_EXE_squall"));
    let done = output(
        replay
            .arg("replay")
            .arg(path)
            .args(["--format", "json"])
            .args(flags),
    );
    let said = text(&done.stdout);
    let lines = said.lines().map(|line| {
        serde_json::from_str(line)
            .unwrap_or_else(|why| panic!("{why}: {} {}", path.display(), text(&done.stderr)))
    });
    lines.collect()
}

/// All recordings of a run, by host, each with what its replay came to.
fn replayed(flights: &Path) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for host in entries(flights) {
        for path in flights_of(&host) {
            let said = replay(&path, &[]).pop().expect("something is said of it");
            let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
            all.push((name(&host), name(&path), said));
        }
    }
    all
}

/// How often each question was told or asked for, by the words in which a replay has that.
fn questions<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<u64, usize> {
    let mut count = BTreeMap::new();
    for words in words {
        if let Some((_, question)) = words.split_once(": question ") {
            *count.entry(question.parse().expect("a number")).or_default() += 1;
        }
    }
    count
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
    // Of a machine that is late by less than ten seconds nothing is a doubt.
    assert_eq!(done.status.code(), Some(0), "{}{told}", text(&done.stdout));
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

#[test]
fn what_has_left_a_node_is_in_its_recording_though_it_is_killed_with_no_warning() {
    let folder = folder();
    let (scenario, flights) = (file(folder.path(), KILLED), folder.path().join("flights"));
    let mut command = live(&folder.path().join("runs"), &[&scenario]);
    let done = output(command.arg("--record").arg(&flights));
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{}{told}", text(&done.stdout));
    let of = |host: &str| -> Vec<Value> {
        let paths = flights_of(&flights.join("x-Standard-0").join(host));
        let all = paths.iter().map(|path| replay(path, &["--story"]));
        all.flatten().collect()
    };
    let (asker, server) = (of("a"), of("s"));
    let ends: Vec<&str> = asker.iter().filter_map(|line| line["ended"].as_str()).collect();
    // Nobody stopped it in order but at the end. On a busy machine it may be killed before it is there.
    let [killed @ .., _] = &ends[..] else {
        panic!("it has not lived")
    };
    assert!(
        !killed.is_empty() && killed.iter().all(|end| *end != "stopped"),
        "{ends:?}"
    );
    let effects = asker
        .iter()
        .filter_map(|line| line["effects"].as_array())
        .flatten();
    let asked = questions(effects.filter_map(|effect| effect["replayed"].as_str()));
    let heard = questions(server.iter().filter_map(|line| line["told"].as_str()));
    assert!(heard.values().sum::<usize>() > 20, "{heard:?}");
    // A link that duplicates nothing: what is heard once was sent once.
    for (question, heard) in heard {
        let asked = asked.get(&question).copied().unwrap_or_default();
        assert!(
            heard <= asked,
            "question {question} was heard {heard} times, and asked {asked} times"
        );
    }
}
