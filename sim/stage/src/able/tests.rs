//! What cannot be played is what the table in the documents says cannot be.

use squall_nodes::Crash;
use squall_nodes::echo::Echo;
use squall_sim::plan::{CutPlan, LinkChange};
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

/// With what the rows begin that are of something else than faults.
const NO_FAULTS: &[&str] = &["`At`", "`When(", "what is counted"];

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
    cannot(&plan(written), Links::Edge)
}

/// A file with that in it.
fn plan(written: Written) -> Plan<Echo> {
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
    resolve::<Echo>(&file, "Standard").unwrap_or_else(|wrong| panic!("{wrong}"))
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

/// The row of a cue. Whoever adds one names its row here, and gives it one in the table.
fn row_of(cue: &Cue) -> &'static str {
    match cue {
        Cue::Fact(_) => "`When(fact: …)`",
        Cue::PersistBegun | Cue::PersistCompleted => "`When(persist: …)`",
        Cue::Send(_) => "`When(send_to: …)`",
        Cue::Open(_) => "`When(open_to: …)`",
    }
}

/// One of each kind of cue, one after the other. Whoever adds one puts it in between two.
fn after(cue: &Cue) -> Option<Cue> {
    match cue {
        Cue::Fact(_) => Some(Cue::PersistBegun),
        Cue::PersistBegun => Some(Cue::PersistCompleted),
        Cue::PersistCompleted => Some(Cue::Send(Vec::new())),
        Cue::Send(_) => Some(Cue::Open(Vec::new())),
        Cue::Open(_) => None,
    }
}

#[test]
fn every_cue_has_a_row_and_is_refused_as_that_says() {
    let rows = table();
    let mut tried = Vec::new();
    for cue in std::iter::successors(Some(Cue::Fact(0)), after) {
        let row = row_of(&cue);
        let found = rows.iter().find(|(named, ..)| *named == row);
        let (_, live, _) = found.unwrap_or_else(|| panic!("there is no row {row} for {cue:?}"));
        let step = Step {
            trigger: Trigger::When {
                cue,
                by: Vec::new(),
                nth: 1,
                after: squall_nodes::Span::ZERO,
            },
            fault: Fault::HealAll,
            label: "heal_all".to_owned(),
        };
        let refused = trigger(&step);
        match live.strip_prefix("no: ") {
            None => assert_eq!(refused, None, "{row}"),
            Some(why) => {
                assert!(
                    refused.as_ref().is_some_and(|said| said.ends_with(why)),
                    "{row}: {refused:?}"
                );
            }
        }
        tried.push(row);
    }
    tried.dedup();
    let named: Vec<&str> = rows.iter().map(|(row, ..)| *row).collect();
    let cues: Vec<&str> = named
        .into_iter()
        .filter(|row| row.starts_with("`When("))
        .collect();
    assert_eq!(tried, cues, "the rows of cues");
}

/// The row of a fault, or those of all that a change of links changes. Whoever adds one names its row here, and gives it one in the table.
fn rows_of(fault: &Fault) -> Vec<&'static str> {
    let row = match fault {
        Fault::Crash(Crash::Kill, _) => "`Kill`",
        Fault::Crash(Crash::PowerCut, _) => "`PowerCut`",
        Fault::Restart { disk, .. } => match disk {
            DiskOnRestart::Kept => "`Restart`",
            DiskOnRestart::Wiped => "`Restart(Wiped)`",
            DiskOnRestart::Stale => "`Restart(Stale)`",
            DiskOnRestart::Torn => "`Restart(Torn)`",
            DiskOnRestart::Corrupt => "`Restart(Corrupt)`",
        },
        Fault::Pause(_) => "`Pause`",
        Fault::Resume(_) => "`Resume`",
        Fault::Jump { .. } => "`Jump`",
        Fault::Heal(_) => "`Heal`",
        Fault::HealAll => "`HealAll`",
        Fault::Lay(layer) => match layer {
            Layer::Cut(CutPlan::Partition(_)) => "`Partition`",
            Layer::Cut(CutPlan::OneWay { .. }) => "`OneWay`",
            Layer::Cut(CutPlan::Bridge { .. }) => "`Bridge`",
            Layer::Cut(CutPlan::Ring { .. }) => "`Ring`",
            Layer::Flap { .. } => "`Flap`",
            Layer::Links { change, .. } => return rows_of_links(change),
            Layer::Slow { .. } => "`Slow`",
            Layer::SlowDisk { .. } => "`SlowDisk`",
            Layer::FailingDisk { .. } => "`FailingDisk`",
            Layer::Drift { .. } => "`Drift`",
        },
    };
    vec![row]
}

fn rows_of_links(change: &LinkChange) -> Vec<&'static str> {
    // Without a `..`: a part that is added is missed here.
    let LinkChange {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    } = change;
    let parts = [
        ("`Link(latency: …)`", latency.is_some()),
        ("`Link(loss: …)`", loss.is_some()),
        ("`Link(duplicate: …)`", duplicate.is_some()),
        ("`Link(reorder: …)`", reorder.is_some() || reorder_by.is_some()),
        ("`Link(corrupt: …)`", corrupt.is_some()),
        ("`Link(bandwidth: …)`", bandwidth.is_some() || queue.is_some()),
        ("`Link(mtu: …)`", mtu.is_some()),
    ];
    let changed = parts.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(row, _)| row).collect()
}

#[test]
fn every_fault_of_the_table_is_the_one_that_its_row_is_tried_with() {
    for (row, written) in ROWS {
        let plan = plan(*written);
        let last = match written {
            Written::Entry(_) | Written::Down(_) => plan.timeline.last(),
            // It is healed behind it.
            Written::Layer(_) => plan.timeline.first(),
            Written::Host(_) | Written::Network(_) | Written::Field(_) => continue,
        };
        let fault = &last.unwrap_or_else(|| panic!("{row} has no entry")).fault;
        // What is no fault is tried with any.
        if !NO_FAULTS.iter().any(|no_fault| row.starts_with(no_fault)) {
            assert_eq!(rows_of(fault), [*row]);
        }
    }
}

#[test]
fn more_hosts_than_there_are_addresses_for_are_refused() {
    let refused = too_many(Edge::MOST_HOSTS + 1, Links::Edge);
    assert!(refused.is_some_and(|why| why.starts_with("of 60001 hosts this machine takes ")));
    assert_eq!(too_many(1, Links::Edge), None);
}
