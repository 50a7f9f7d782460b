//! `replay` from end to end: live nodes record their flights, are killed at any moment, and are lived again by the program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::objects;
use crate::watch::Folder;

/// No machine that runs tests is so slow; without a bound a test that fails would hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Addresses of loopback that no other test has, `127.x.y.1` to `127.x.y.254`: the process has a number of its own, and each call too.
fn network() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(16) + NEXT.fetch_add(1, Ordering::Relaxed) % 16;
    format!("127.{}.{}", 16 + (number >> 8) % 224, number & 0xff)
}

/// A live node that is attended by the test, and killed with it.
struct Flying {
    child: Child,
    lines: Receiver<Value>,
    /// Where it records.
    flights: PathBuf,
}

impl Flying {
    fn start(folder: &Folder, name: &str, rest: &str) -> Flying {
        let file = folder.file(
            &format!("{name}.ron"),
            &format!(
                "Node(name: \"{name}\", data: \"{name}\", record: (folder: \"{name}/flights\"), {rest})"
            ),
        );
        Flying::start_again(folder, name, &file)
    }

    fn start_again(folder: &Folder, name: &str, file: &str) -> Flying {
        let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(["node", file, "--attended"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // The last one may be cut off by a kill.
                let Ok(value) = serde_json::from_str(&line.unwrap_or_default()) else {
                    return;
                };
                if told.send(value).is_err() {
                    return;
                }
            }
        });
        Flying {
            child,
            lines,
            flights: folder.path().join(name).join("flights"),
        }
    }

    /// Waits until it has claimed this so many times.
    fn until(&self, fact: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..times {
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let line = self.lines.recv_timeout(left).expect("it claims it in the end");
                if line["fact"]["name"] == fact {
                    break;
                }
            }
        }
    }

    /// SIGKILL; what it had told and nobody has looked at yet.
    fn kill(mut self) -> (PathBuf, Vec<Value>) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        (self.flights.clone(), self.lines.iter().collect())
    }

    /// The end of its stdin, upon which it stops.
    fn stop(mut self) -> PathBuf {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends");
        self.flights.clone()
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until one of the two is promoted, and says which.
fn promoted_of(one: &Flying, other: &Flying) -> usize {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for (place, node) in [one, other].into_iter().enumerate() {
            // A line of the other one may come first.
            if let Ok(line) = node.lines.recv_timeout(Duration::from_millis(10))
                && line["fact"]["name"] == "promoted"
            {
                return place;
            }
        }
    }
    panic!("neither is promoted");
}

fn flight(flights: &Path, number: u32) -> String {
    let path = flights.join(format!("flight-{number:06}.sqf"));
    path.to_str().expect("UTF-8").to_owned()
}

fn replay(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("replay")
        .args(words)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A replay that is to be identical, as JSON.
fn identical(path: &str) -> Value {
    let output = replay(&[path, "--format", "json"]);
    let said = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said:?}");
    let told = objects(said.0).pop().expect("there is a line");
    assert_eq!(
        (&told["identical"], &told["notes"]),
        (&true.into(), &Value::Array(vec![]))
    );
    told
}

/// A recording of a hac server that was alone for some rounds.
fn lonely(folder: &Folder) -> String {
    let node = Flying::start(
        folder,
        "s",
        &format!(
            "protocol: \"hac\", role: Server, address: \"{}.1\", seed: 7",
            network()
        ),
    );
    node.until("table", 3);
    flight(&node.stop(), 0)
}

#[test]
fn a_live_failover_is_lived_again_by_each_of_its_nodes() {
    let folder = Folder::new();
    let network = network();
    let start = |name: &str, place: u8, role: &str| {
        let config = match role {
            "Server" => String::new(),
            _ => format!("config: (server: \"{network}.1:7400\")"),
        };
        let rest = format!("protocol: \"hac\", role: {role}, address: \"{network}.{place}\", {config}");
        Flying::start(&folder, name, &rest)
    };
    let server = start("s", 1, "Server");
    server.until("serving", 1);
    let [one, other] = [("c1", 2), ("c2", 3)].map(|(name, place)| start(name, place, "Client"));
    for client in [&one, &other] {
        client.until("joined", 1);
    }
    let (server, _) = server.kill();
    // Whichever is promoted, the other follows it.
    let (promoted, follower) = if promoted_of(&one, &other) == 0 {
        (one, other)
    } else {
        (other, one)
    };
    follower.until("table", 1);
    let (promoted, _) = promoted.kill();
    let follower = follower.stop();
    for (flights, end) in [(&server, "open"), (&promoted, "open"), (&follower, "stopped")] {
        let told = identical(&flight(flights, 0));
        assert_eq!(told["ended"], end, "{told}");
        assert!(told["inputs"].as_u64() > Some(5), "{told}");
    }
}

#[test]
fn killed_at_any_moment_a_node_leaves_all_that_it_has_told() {
    let folder = Folder::new();
    let network = network();
    let server = Flying::start(
        &folder,
        "s",
        &format!("protocol: \"echo\", role: Server, address: \"{network}.1\", config: (port: 7400)"),
    );
    let rest = format!(
        "protocol: \"echo\", role: Asker, address: \"{network}.2\", config: (port: 7400, server: \"{network}.1:7400\", ask_every: \"1ms\")"
    );
    let mut asker = Flying::start(&folder, "a", &rest);
    let file = folder.at("a.ron");
    let file = file.to_str().expect("UTF-8");
    for (life, asked) in [1, 2, 3, 5, 8, 13, 40, 100].into_iter().enumerate() {
        asker.until("asked", asked);
        let (flights, after) = asker.kill();
        let more = after
            .iter()
            .filter(|line| line["fact"]["name"] == "asked")
            .count();
        let path = flight(&flights, life as u32);
        let output = replay(&[&path, "--story", "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = objects(text(&output.stdout));
        let whole = told.last().expect("there is a line");
        assert_eq!(whole["identical"], true);
        let recorded = told
            .iter()
            .filter_map(|step| step["effects"].as_array())
            .flatten()
            .filter(|effect| {
                effect["replayed"]
                    .as_str()
                    .is_some_and(|said| said.starts_with("claim asked"))
            })
            .count();
        assert!(recorded >= asked + more, "{recorded} of {asked} and {more}");
        asker = Flying::start_again(&folder, "a", file);
    }
    asker.until("asked", 1);
    let told = identical(&flight(&asker.stop(), 8));
    assert_eq!(
        (&told["ended"], &told["recorded"]["incarnation"]),
        (&"stopped".into(), &8.into())
    );
    // The eight that are kept, the last one among them.
    assert!(!Path::new(&flight(&folder.path().join("a/flights"), 0)).exists());
    identical(&flight(&server.stop(), 0));
}

#[test]
fn of_a_folder_all_recordings_are_replayed_in_the_order_of_lives() {
    let folder = Folder::new();
    let rest = format!(
        "protocol: \"hac\", role: Server, address: \"{}.1\", seed: 7",
        network()
    );
    let node = Flying::start(&folder, "s", &rest);
    node.until("serving", 1);
    let flights = node.stop();
    let file = folder.at("s.ron");
    for _ in 0..2 {
        let node = Flying::start_again(&folder, "s", file.to_str().expect("UTF-8"));
        node.until("started", 1);
        node.stop();
    }
    let lives: Vec<String> = (0..3).map(|life| flight(&flights, life)).collect();
    // The folder of the recordings, and one above it, beside which there may be anything.
    for named in [flights.clone(), folder.at("s")] {
        let output = replay(&[named.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told: Vec<&str> = text(&output.stdout).lines().collect();
        assert_eq!(told.len(), 3, "{told:?}");
        for (line, life) in told.iter().zip(&lives) {
            assert!(line.starts_with(&format!("✓ {life}  ")), "{told:?}");
        }
    }
    let none = folder.at("none");
    std::fs::create_dir(&none).expect("a folder");
    let none = none.to_str().expect("UTF-8");
    let output = replay(&[none, &lives[0]]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        format!("squall: {none} holds no .sqf file\n")
    );
    assert!(text(&output.stdout).starts_with(&format!("✓ {}  ", lives[0])));
}

#[test]
fn what_is_not_as_recorded_is_named_and_fails() {
    let folder = Folder::new();
    let path = lonely(&folder);
    let output = replay(&[&path]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.starts_with(&format!(
            "✓ {path}  s, Server of hac under Hardened, life 0  identical  ("
        )),
        "{said}"
    );
    let output = replay(&[&path, "--quiet"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    for (words, seen) in [
        (
            &["--rules", "Original"][..],
            "(recorded under Hardened), life 0  differs at input ",
        ),
        (&["--set", "round=200ms"], "recorded  arm Round for "),
        (
            &["--set", "without=[\"WriteDown\"]", "--quiet"],
            " bytes to the disk\n      replayed  ",
        ),
    ] {
        let output = replay(&[&[path.as_str()], words].concat());
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(seen), "{words:?}: {said}");
    }
}

#[test]
fn a_story_is_told_in_part_or_whole() {
    let folder = Folder::new();
    let path = lonely(&folder);
    let inputs = |words: &[&str]| -> Vec<u64> {
        let output = replay(&[&[path.as_str(), "--format", "json"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = objects(text(&output.stdout));
        told.iter().filter_map(|step| step["input"].as_u64()).collect()
    };
    let all = inputs(&["--story"]);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    assert!(all.len() >= 4, "{all:?}");
    assert_eq!(inputs(&["--from", "2", "--to", "3"]), [2, 3]);
    assert_eq!(inputs(&["--to", "2"]), [1, 2]);
    assert_eq!(inputs(&[]), [0; 0]);
    let output = replay(&[&path, "--to", "1"]);
    let said = text(&output.stdout);
    let first: Vec<_> = said
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert!(
        matches!(first[..], ["1", at, "start"] if at.starts_with('+')),
        "{said}"
    );
    assert!(said.contains("bind port 7400\n"), "{said}");
}

#[test]
fn inputs_that_are_not_there_are_told_with_those_that_are() {
    let folder = Folder::new();
    let path = lonely(&folder);
    let count = identical(&path)["inputs"].as_u64().expect("a number");
    let holds = format!("it holds the inputs 1 to {count}");
    let (beyond, last) = ((count + 1).to_string(), count.to_string());
    for (words, says) in [
        (&["--from", &beyond][..], Some("none of them is there")),
        (&["--from", "900", "--to", "901"], Some("none of them is there")),
        (&["--to", &beyond], Some("not all of them are there")),
        (&["--from", "1", "--to", &last], None),
        (&["--from", &last], None),
    ] {
        let output = replay(&[&[path.as_str()], words].concat());
        assert_eq!(output.status.code(), Some(0));
        let said = text(&output.stdout);
        match says {
            Some(says) => assert!(said.contains(says) && said.contains(&holds), "{said}"),
            None => assert!(!said.contains("note:"), "{said}"),
        }
    }
    let output = replay(&[&path, "--from", "3", "--to", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--from 3 comes after --to 2"));
}

#[test]
fn a_recording_without_an_input_is_neither_identical_nor_not() {
    let folder = Folder::new();
    let path = lonely(&folder);
    let whole = std::fs::read(&path).expect("it is there");
    // Twelve bytes of a magic and a format, and the head: its length, its checksum, and so many bytes.
    let len = u32::from_le_bytes(*whole[12..].first_chunk().expect("a head")) as usize;
    std::fs::write(&path, &whole[..24 + len]).expect("it is ours");
    let output = replay(&[&path]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("holds no input") && !said.contains("identical"),
        "{said}"
    );
    let output = replay(&[&path, "--format", "json", "--quiet"]);
    let told = objects(text(&output.stdout))
        .pop()
        .expect("it is told, quiet or not");
    assert_eq!((&told["identical"], &told["inputs"]), (&Value::Null, &0.into()));
}

#[test]
fn what_is_no_recording_is_refused_and_the_others_are_replayed() {
    let folder = Folder::new();
    let path = lonely(&folder);
    let other = folder.file("x.ron", "Scenario()");
    let missing = folder.at("none.sqf");
    let missing = missing.to_str().expect("UTF-8");
    let output = replay(&[&other, missing, &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).starts_with(&format!("✓ {path}  ")));
    let said = text(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("squall: {other} is no recording of a flight"));
    assert!(
        lines[1].starts_with(&format!("squall: {missing} cannot be read: ")),
        "{said}"
    );
    for (words, complaint) in [
        (
            &["--rules", "Brave"][..],
            "hac has no rule set \"Brave\": it has Original, Hardened",
        ),
        (
            &["--set", "mises=3"],
            "cannot be changed: there is no \"mises\"; there are ",
        ),
        (&["--set", "misses"], "it is written as FIELD=VALUE"),
        (&["--from", "0"], "`0` is not a whole number from 1 on"),
        (&["--from", "x"], "`x` is not a whole number from 1 on"),
    ] {
        let output = replay(&[&[path.as_str()], words].concat());
        let said = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(2), ""),
            "{said}"
        );
        assert!(said.contains(complaint), "{said}");
    }
}
