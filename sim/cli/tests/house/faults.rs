//! The table of faults and triggers in the documents has a row for every fault, a column for every trigger, and a test in every
//! cell; and no test of the table is left out.

use std::collections::BTreeSet;

use squall_sim::plan::Fault;

use crate::{read, root};

const DOCUMENT: &str = "sim/src/faults.md";
const TESTS: &str = "sim/tests/engine/table/mod.rs";
const PLAN: &str = "sim/src/plan.rs";

/// Where it is written what a change of links is.
const LINK: &str = "nodes/src/link.rs";

/// How the table heads the column of each trigger: the variant of `Trigger`, or of `Cue` for a `When`, and what a file says.
const COLUMNS: &[(&str, &str)] = &[
    ("At", "`At`"),
    ("Every", "`Every`"),
    ("Fact", "`When(fact: …)`"),
    ("PersistBegun", "`When(persist: Begun)`"),
    ("PersistCompleted", "`When(persist: Completed)`"),
    ("Send", "`When(send_to: …)`"),
    ("Open", "`When(open_to: …)`"),
];

/// The table, a list of cells a row. The first row is its head.
fn table() -> Vec<Vec<String>> {
    let text = read(&root().join(DOCUMENT));
    let rows = text
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.map(cells).collect()
}

#[test]
fn the_table_of_faults_has_a_column_for_every_trigger() {
    let plan = read(&root().join(PLAN));
    let mut triggers = names_in(&plan, "pub enum Trigger {");
    triggers.retain(|trigger| trigger != "When");
    triggers.extend(names_in(&plan, "pub enum Cue {"));
    let known: Vec<&str> = COLUMNS.iter().map(|(trigger, _)| *trigger).collect();
    assert_eq!(triggers, known, "a trigger of {PLAN} is none of the columns");
    let headed: Vec<&str> = COLUMNS.iter().map(|(_, head)| *head).collect();
    assert_eq!(table()[0][2..], headed, "the columns of {DOCUMENT}");
}

#[test]
fn the_table_of_faults_has_a_row_for_every_fault() {
    let plan = read(&root().join(PLAN));
    let table = table();
    let faults: Vec<&str> = table[1..].iter().map(|row| row[0].as_str()).collect();
    for kind in Fault::KINDS {
        let is_row = |fault: &&&str| snake(name_of(fault)) == *kind;
        assert!(
            faults.iter().any(|fault| is_row(&fault)),
            "{DOCUMENT} has no row for {kind}"
        );
    }
    for fault in &faults {
        let kind = snake(name_of(fault));
        assert!(
            Fault::KINDS.contains(&kind.as_str()),
            "{fault} in {DOCUMENT} is no fault"
        );
    }
    for disk in names_in(&plan, "pub enum DiskOnRestart {") {
        let row = match disk.as_str() {
            "Kept" => "`Restart(\"a\")`".to_owned(),
            other => format!("`Restart(\"a\", {other})`"),
        };
        assert!(faults.contains(&row.as_str()), "{DOCUMENT} has no row for {row}");
    }
    let links: String = faults
        .iter()
        .filter(|fault| name_of(fault) == "Link")
        .copied()
        .collect();
    for part in names_in(&read(&root().join(LINK)), "pub struct LinkChange {") {
        let named = [format!("({part}: "), format!(" {part}: ")]
            .iter()
            .any(|named| links.contains(named));
        assert!(named, "{DOCUMENT} has no row for a Link with another {part}");
    }
}

#[test]
fn every_cell_of_the_table_of_faults_is_a_test_and_every_test_of_it_a_cell() {
    let source = read(&root().join(TESTS));
    let (_, tests) = source
        .split_once("\ntable! {\n")
        .expect("the tests are made from a table");
    let (tests, _) = tests.split_once("\n}\n").expect("the table ends");
    let names = |text: &str| -> Vec<String> {
        // The names of tests, without the paths of what they call.
        text.split([' ', '\n', ';'])
            .filter(|word| !word.is_empty() && !word.contains(':'))
            .map(str::to_owned)
            .collect()
    };
    let mut cells = Vec::new();
    for row in &table()[1..] {
        assert_eq!(row.len(), 2 + COLUMNS.len(), "{row:?}");
        assert!(!row[1].is_empty(), "{row:?} does not say what is seen");
        let fault = row[2].trim_matches('`').strip_suffix("_at_a_time");
        let fault = fault.unwrap_or_else(|| panic!("{row:?}: its first test is no `…_at_a_time`"));
        let tests = [
            "at_a_time",
            "again_and_again",
            "when_a_fact_is_claimed",
            "when_a_persist_begins",
            "when_a_persist_completes",
            "when_a_datagram_is_sent",
            "when_a_connection_opens",
        ];
        let expected = tests.map(|trigger| format!("`{fault}_{trigger}`"));
        assert_eq!(row[2..], expected);
        cells.extend(expected.map(|name| name.trim_matches('`').to_owned()));
    }
    let distinct: BTreeSet<&String> = cells.iter().collect();
    assert_eq!(distinct.len(), cells.len(), "a test is in two cells");
    assert_eq!(
        names(tests),
        cells,
        "the tests in {TESTS}, and the cells in {DOCUMENT}"
    );
}

/// The variants of an enum, or the fields of a struct, that opens with a line.
fn names_in(source: &str, opening: &str) -> Vec<String> {
    let (_, body) = source
        .split_once(opening)
        .unwrap_or_else(|| panic!("there is no `{opening}`"));
    let (body, _) = body.split_once("\n}").expect("what is opened is closed");
    let name = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let end = line
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(line.len());
        (end > 0).then(|| line[..end].to_owned())
    };
    body.lines().filter_map(name).collect()
}

/// A fault's name as a file has it: what it begins with.
fn name_of(fault: &str) -> &str {
    let fault = fault.trim_start_matches('`');
    let end = fault
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(fault.len());
    &fault[..end]
}

/// `PowerCut` in snake case.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (place, c) in name.char_indices() {
        if c.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
