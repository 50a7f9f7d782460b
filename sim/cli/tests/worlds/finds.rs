//! What the tests share of finds: the files of `scenarios/` whose names begin with `found_`, each of which tells of a flaw that random
//! storms have found, and has a row on the page of its protocol.

use std::collections::BTreeSet;
use std::fmt::Debug;

use squall_nodes::Protocol;
use squall_sim::runner::Runner;
use squall_sim::scenario::ScenarioFile;
use squall_sim::{Outcome, registered};

use crate::library::root;

/// How many seeds each file is run with, beside its own.
pub(crate) const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 500 };

/// A find as it is in the library.
pub(crate) fn text<P: Protocol>(file: &str) -> String {
    let path = root().join("scenarios").join(P::NAME).join(file);
    std::fs::read_to_string(path).expect("the file is in the library")
}

/// The same without a change of the rules.
pub(crate) fn without<P: Protocol>(file: &str, change: impl Debug) -> String {
    let protocol = format!("    protocol: \"{}\",\n", P::NAME);
    let without = format!("{protocol}    config: (without: [{change:?}]),\n");
    let text = text::<P>(file);
    assert!(text.contains(&protocol), "{file} has no line for its protocol");
    text.replace(&protocol, &without)
}

/// What comes of a scenario under `Hardened`: with its own seed, and with as many others.
pub(crate) fn run_by(runner: &dyn Runner, text: String, others: u64) -> Vec<Outcome> {
    let file = ScenarioFile::parse("found.ron", text).expect("the file is a scenario");
    let prepared = runner.prepare(&file, "Hardened");
    let prepared = prepared.unwrap_or_else(|complaints| panic!("{complaints:?}"));
    let mut worker = prepared.worker();
    let seeds = [file.seed()].into_iter().chain(0..others);
    seeds.map(|seed| worker.run(seed)).collect()
}

/// The same, by the protocol as it is.
pub(crate) fn run<P: Protocol>(text: String, others: u64) -> Vec<Outcome> {
    run_by(&*registered::<P>(), text, others)
}

/// Holds that the finds of a protocol are these, and that the row of each on the protocol's page says this of it.
pub(crate) fn assert_accounted_for<P: Protocol>(finds: impl IntoIterator<Item = (&'static str, String)>) {
    let folder = root().join("scenarios").join(P::NAME);
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("the folder can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("found_"))
        .collect();
    let page = root().join("nodes/src").join(P::NAME).join("mod.rs");
    let page = std::fs::read_to_string(page).expect("the page can be read");
    let mut named = BTreeSet::new();
    for (file, says) in finds {
        let row = format!("//! | `{}` |", file.trim_end_matches(".ron"));
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{file} is not told of on the page of {}", P::NAME));
        assert!(row.contains(&says), "{file}: {row}");
        named.insert(file.to_owned());
    }
    assert_eq!(files, named);
}
