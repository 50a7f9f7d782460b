//! One workload, once, for a comparison with another program in one sitting.
//!
//!     cargo build --release -p squall-benches --example w
//!     time target/release/examples/w w1 25 300     # nodes, virtual seconds
//!     time target/release/examples/w w3 10000      # whole simulations
//!     time target/release/examples/w w4 1000 10 30 # nodes, peers of each, virtual seconds
//!
//! It prints what was done and not how long it took: the shell's `time` says that, of this program and of the other one
//! alike.

use std::process::ExitCode;

use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::runner::Prepared;

const USAGE: &str = "usage: w w1 NODES SECONDS | w w3 SIMULATIONS | w w4 NODES FAN SECONDS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((prepared, runs)) = asked_for(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut worker = prepared.worker();
    let (mut sent, mut delivered, mut events, mut digests) = (0, 0, 0, 0_u128);
    for seed in 0..runs {
        let outcome = worker.run(seed);
        if let Err(against) = workload::sound(&outcome) {
            eprintln!("{against}");
            return ExitCode::FAILURE;
        }
        sent += outcome.traffic.sent;
        delivered += outcome.traffic.delivered;
        events += outcome.events;
        digests ^= outcome.digest.0;
    }
    println!(
        "{}: {runs} runs, {sent} messages sent, {delivered} delivered, {events} events",
        prepared.scenario()
    );
    println!("digests {digests:032x}");
    ExitCode::SUCCESS
}

/// The workload and how many runs of it; `None` when the words do not say.
fn asked_for(words: &[&str]) -> Option<(Box<dyn Prepared>, u64)> {
    let count = |word: &str| word.parse::<u32>().ok().filter(|count| *count > 0);
    match words {
        ["w1", nodes, seconds] => Some((workload::w1(count(nodes)?, span(seconds)?), 1)),
        ["w3", runs] => Some((workload::w1(5, Span::from_secs(10)), count(runs)?.into())),
        ["w4", nodes, fan, seconds] => Some((workload::w4(count(nodes)?, count(fan)?, span(seconds)?), 1)),
        _ => None,
    }
}

fn span(seconds: &str) -> Option<Span> {
    let seconds = seconds
        .parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))?;
    Some(Span::from_secs(seconds))
}
