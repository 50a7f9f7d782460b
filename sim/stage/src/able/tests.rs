//! What cannot be played is what the table in the documents says cannot be.

use squall_nodes::echo::Echo;
use squall_sim::scenario::{ScenarioFile, resolve};

use super::*;

/// What each row of the table is, as an entry of a timeline, of a host or of a network.
const ROWS: &[(&str, Written)] = &[
    ("`Kill`", Written::Entry(r#"At("1s", Kill("a"))"#)),
    ("`PowerCut`", Written::Entry(r#"At("1s", PowerCut("a"))"#)),
    ("`Restart`", Written::Down(r#"Restart("a")"#)),
    ("`Restart(Wiped)`", Written::Down(r#"Wipe("a")"#)),
    ("`Restart(Stale)`", Written::Down(r#"Restart("a", Stale)"#)),
    ("`Restart(Torn)`", Written::Down(r#"Restart("a", Torn)"#)),
    ("`Restart(Corrupt)`", Written::Down(r#"Restart("a", Corrupt)"#)),
    ("`Pause`", Written::Entry(r#"At("1s", Pause("a"))"#)),
    (
        "`Resume`",
        Written::Entry(r#"At("1s", Pause("a")), At("2s", Resume("a"))"#),
    ),
    ("`Jump`", Written::Entry(r#"At("1s", Jump(who: "a", by: "1s"))"#)),
    ("`Partition`", Written::Layer(r#"Partition([["a"]])"#)),
    ("`OneWay`", Written::Layer(r#"OneWay(from: "a", to: "s")"#)),
    (
        "`Bridge`",
        Written::Layer(r#"Bridge(over: "a", sides: [["s"], ["b"]])"#),
    ),
    ("`Ring`", Written::Layer(r#"Ring(["s", "a", "b", "c"])"#)),
    (
        "`Flap`",
        Written::Layer(r#"Flap(cut: Partition([["a"]]), down: "300ms", up: "200ms")"#),
    ),
    (
        "`Link(latency: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", latency: Constant("3ms"))"#),
    ),
    (
        "`Link(loss: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", loss: 0.5)"#),
    ),
    (
        "`Link(duplicate: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", duplicate: 0.5)"#),
    ),
    (
        "`Link(reorder: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", reorder: 0.5, reorder_by: "9ms")"#),
    ),
    (
        "`Link(corrupt: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", corrupt: 0.5)"#),
    ),
    (
        "`Link(bandwidth: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", bandwidth: "1Mbit/s", queue: "9KiB")"#),
    ),
    (
        "`Link(mtu: …)`",
        Written::Layer(r#"Link(from: "a", to: "*", mtu: 576)"#),
    ),
    ("`Slow`", Written::Layer(r#"Slow(who: "a", by: "20ms")"#)),
    ("`SlowDisk`", Written::Layer(r#"SlowDisk(who: "a", by: "20ms")"#)),
    ("`FailingDisk`", Written::Layer(r#"FailingDisk(who: "a")"#)),
    ("`Drift`", Written::Layer(r#"Drift(who: "a", ppm: 500)"#)),
    (
        "`Heal`",
        Written::Entry(r#"At("1s", Partition([["a"]])), At("2s", Heal(Partition([["a"]])))"#),
    ),
    (
        "`HealAll`",
        Written::Entry(r#"At("1s", Partition([["a"]])), At("2s", HealAll)"#),
    ),
    (
        "`At`, `Every`",
        Written::Entry(r#"Every(interval: "1s", do: Kill("a"))"#),
    ),
    (
        "`When(fact: …)`",
        Written::Entry(r#"When(fact: "asked", nth: 2, after: "1s", do: Kill("@actor"))"#),
    ),
    (
        "`When(persist: …)`",
        Written::Entry(r#"When(persist: Begun, do: Kill("a"))"#),
    ),
    (
        "`When(send_to: …)`",
        Written::Entry(r#"When(send_to: "s", do: Kill("a"))"#),
    ),
    (
        "`When(open_to: …)`",
        Written::Entry(r#"When(open_to: "s", do: Kill("a"))"#),
    ),
    ("`clock: …` of a host", Written::Host("clock: (offset: \"1s\")")),
    ("`corrupt: …` of a network", Written::Network("corrupt: 0.001")),
    ("`persist: …`", Written::Field("persist: Constant(\"1ms\")")),
    (
        "what is counted of a fault",
        Written::Entry(r#"At("1s", Kill("a"))"#),
    ),
];

/// Where in a file something is written.
#[derive(Clone, Copy)]
enum Written {
    Entry(&'static str),
    /// A fault of a host that is down.
    Down(&'static str),
    /// A fault that lasts.
    Layer(&'static str),
    Host(&'static str),
    Network(&'static str),
    Field(&'static str),
}

/// Why a file with that in it cannot be played.
fn refused(written: Written) -> Vec<String> {
    let [mut timeline, mut host, mut network, mut field] = [const { String::new() }; 4];
    match written {
        Written::Entry(entries) => timeline = entries.to_owned(),
        Written::Down(fault) => timeline = format!(r#"At("1s", Kill("a")), At("2s", {fault})"#),
        Written::Layer(layer) => timeline = format!(r#"At("1s", {layer}), At("2s", Heal({layer}))"#),
        Written::Host(text) => host = text.to_owned(),
        Written::Network(text) => network = text.to_owned(),
        Written::Field(text) => field = format!("{text},"),
    }
    let text = format!(
        r#"Scenario(
            protocol: "echo",
            hosts: [(name: "s", role: Server), (name: "a", role: Asker, {host}), (name: "b", role: Asker), (name: "c", role: Asker)],
            network: ({network}),
            timeline: [{timeline}],
            {field}
        )"#
    );
    let file = ScenarioFile::parse("x.ron", text).unwrap_or_else(|wrong| panic!("{wrong}"));
    let plan = resolve::<Echo>(&file, "Standard").unwrap_or_else(|wrong| panic!("{wrong}"));
    cannot(&plan, Links::Edge)
}

/// The rows of the tables: what it is, and what is said of it live and in namespaces.
fn table() -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = include_str!("../faults.md")
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    let cells = rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
    });
    cells
        .filter(|row| !matches!(row[0], "fault" | "besides"))
        .map(|row| {
            assert_eq!(row.len(), 4, "{row:?}");
            (row[0], row[2], row[3])
        })
        .collect()
}

#[test]
fn the_table_has_a_row_for_every_kind_of_fault_and_for_all_that_is_tried_here() {
    let rows = table();
    let named: Vec<&str> = rows.iter().map(|(row, ..)| *row).collect();
    let tried: Vec<&str> = ROWS.iter().map(|(row, _)| *row).collect();
    assert_eq!(named, tried);
    for kind in Fault::KINDS {
        let words = |row: &str| {
            let name: String = row
                .trim_matches('`')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            name.to_lowercase()
        };
        let is_row = |row: &&str| words(row) == kind.replace('_', "");
        assert!(named.iter().any(is_row), "there is no row for {kind}");
    }
}

#[test]
fn what_the_table_says_no_to_is_refused_with_its_reason_and_all_else_is_not() {
    for ((row, live, netns), (_, written)) in table().into_iter().zip(ROWS) {
        let refused = refused(*written);
        let Some(why) = live.strip_prefix("no: ") else {
            assert_eq!(refused, Vec::<String>::new(), "{row}");
            assert_ne!(netns, "no", "{row}");
            continue;
        };
        assert_eq!(netns, "no", "{row}");
        let [sentence] = &refused[..] else {
            panic!("{row} is refused for {refused:?}");
        };
        let words: Vec<&str> = why.split_whitespace().collect();
        let last = words[words.len().saturating_sub(3)..].join(" ");
        let last = last.trim_end_matches("'s clock");
        assert!(
            sentence.contains(last) || sentence.contains("machine's"),
            "{row}: {sentence:?} does not say {why:?}"
        );
    }
}

#[test]
fn more_hosts_than_there_are_addresses_for_are_refused() {
    let refused = too_many(Edge::MOST_HOSTS + 1, Links::Edge);
    assert!(refused.is_some_and(|why| why.starts_with("of 60001 hosts this machine takes ")));
    assert_eq!(too_many(1, Links::Edge), None);
}
