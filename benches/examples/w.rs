//! One workload, once, for a comparison with another program in one sitting.
//!
//!     cargo build --release -p squall-benches --example w
//!     time target/release/examples/w w1 25 300       # nodes, virtual seconds
//!     time target/release/examples/w table 25 300    # the same, with a table of deadlines in each node
//!     time target/release/examples/w w3 10000        # whole simulations
//!     time target/release/examples/w traced 10000    # the same, each with its trace
//!     time target/release/examples/w w4 1000 10 30   # nodes, peers of each, virtual seconds
//!     time target/release/examples/w pour 5 100      # streams: nodes, MiB that each writes
//!     time target/release/examples/w hac 1000        # whole runs of hac
//!     time target/release/examples/w sweep 5 10 10000 2 # nodes, virtual seconds, seeds, threads
//!
//! It prints what was done, and how much memory it took where the system says so, and not how long it took: the shell's
//! `time` says that, of this program and of the other one alike.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::Outcome;
use squall_sim::runner::Prepared;
use squall_sim::sweep::{Share, SweepOptions, sweep};

const USAGE: &str = "usage: w w1 NODES SECONDS | w table NODES SECONDS | w w3 RUNS | w traced RUNS | w w4 NODES FAN SECONDS | \
                     w pour NODES MIB | w hac RUNS | w sweep NODES SECONDS SEEDS THREADS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(asked) = asked_for(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = match asked.how {
        How::Runs => runs(&asked, |worker, seed| worker.run(seed)),
        How::Traced => runs(&asked, |worker, seed| worker.trace(seed).0),
        How::Sweep { threads } => swept(&asked, threads),
    };
    match done {
        Ok(done) => println!("{}: {} runs, {done}", asked.prepared.scenario(), asked.runs),
        Err(against) => {
            eprintln!("{against}");
            return ExitCode::FAILURE;
        }
    }
    if let Some(peak) = peak_memory() {
        println!("peak memory {peak} KiB");
    }
    ExitCode::SUCCESS
}

/// A workload, how many runs of it, and how.
struct Asked {
    prepared: Box<dyn Prepared>,
    runs: u64,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// One after the other, by one worker.
    Runs,
    /// The same, and each gives its trace, which is dropped.
    Traced,
    /// As the command line sweeps.
    Sweep { threads: usize },
}

/// What the words ask for; `None` when they do not say.
fn asked_for(words: &[&str]) -> Option<Asked> {
    let (prepared, runs, how) = match words {
        ["w1", nodes, seconds] => (workload::w1(count(nodes)?, span(seconds)?), 1, How::Runs),
        ["table", nodes, seconds] => (workload::table(count(nodes)?, span(seconds)?), 1, How::Runs),
        ["w3", runs] => (workload::w1(5, Span::from_secs(10)), count(runs)?, How::Runs),
        ["traced", runs] => (workload::w1(5, Span::from_secs(10)), count(runs)?, How::Traced),
        ["w4", nodes, fan, seconds] => {
            let prepared = workload::w4(count(nodes)?, count(fan)?, span(seconds)?);
            (prepared, 1, How::Runs)
        }
        ["pour", nodes, mib] => {
            let prepared = workload::pour(count(nodes)?, u64::from(count(mib)?) << 20);
            (prepared, 1, How::Runs)
        }
        ["hac", runs] => (workload::failovers().swap_remove(0), count(runs)?, How::Runs),
        ["sweep", nodes, seconds, seeds, threads] => {
            let threads = count(threads)? as usize;
            let prepared = workload::w1(count(nodes)?, span(seconds)?);
            (prepared, count(seeds)?, How::Sweep { threads })
        }
        _ => return None,
    };
    let runs = runs.into();
    Some(Asked { prepared, runs, how })
}

fn count(word: &str) -> Option<u32> {
    word.parse().ok().filter(|count| *count > 0)
}

fn span(seconds: &str) -> Option<Span> {
    let seconds = seconds.parse().ok();
    seconds
        .filter(|seconds| (1..=86_400).contains(seconds))
        .map(Span::from_secs)
}

/// Runs the seeds from 0 on one worker, and says what came of it, or what there is to say against it.
fn runs(
    asked: &Asked,
    mut run: impl FnMut(&mut dyn squall_sim::Worker, u64) -> Outcome,
) -> Result<String, String> {
    let mut worker = asked.prepared.worker();
    let (mut sent, mut delivered, mut events, mut digests) = (0, 0, 0, 0_u128);
    let (mut bytes, mut packets) = (0, 0);
    for seed in 0..asked.runs {
        let outcome = run(&mut *worker, seed);
        workload::sound(&outcome)?;
        sent += outcome.traffic.sent;
        delivered += outcome.traffic.delivered;
        events += outcome.events;
        bytes += outcome.traffic.streams.delivered;
        packets += outcome.traffic.streams.packets;
        digests ^= outcome.digest.0;
    }
    let streams = match packets {
        0 => String::new(),
        _ => format!("{bytes} bytes over streams in {packets} packets, "),
    };
    Ok(format!(
        "{sent} messages sent, {delivered} delivered, {streams}{events} events\ndigests {digests:032x}"
    ))
}

/// Sweeps over the seeds from 0, and says what came of it, or what there is to say against it.
fn swept(asked: &Asked, threads: usize) -> Result<String, String> {
    let stop = AtomicBool::new(false);
    let options = SweepOptions {
        jobs: threads,
        stop: &stop,
        recheck: Share::NONE,
        progress: &|_| {},
    };
    let outcome =
        sweep(&*asked.prepared, 0..asked.runs, &options).map_err(|difference| difference.to_string())?;
    if outcome.held < asked.runs {
        return Err(format!("only {} of {} runs held", outcome.held, asked.runs));
    }
    Ok(format!("{threads} threads\ndigest {}", outcome.digest))
}

/// The most memory that this process had at a time, in KiB; `None` where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
