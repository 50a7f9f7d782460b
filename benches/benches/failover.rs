//! hac's failover: how long a cluster is without a server, in *virtual* time, and how long the whole run takes, in the
//! machine's.
//!
//! The virtual latency depends on the seeds and on nothing else: it is the same on every machine, and changes only when
//! the protocol, its settings or the draws do.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::Outcome;
use squall_sim::runner::Prepared;

/// How many runs the percentiles are taken over.
const RUNS: usize = 2_000;

criterion_group!(failover, latency, whole_run);

fn main() {
    failover();
    percentiles();
    Criterion::default().configure_from_args().final_summary();
}

/// The mean virtual time from the power cut until the next server is promoted.
fn latency(criterion: &mut Criterion) {
    let prepared = workload::failovers();
    let mut outcomes = outcomes(&prepared);
    criterion.bench_function("failover/virtual_latency", |bencher| {
        bencher.iter_custom(|runs| {
            let latencies = outcomes
                .by_ref()
                .take(runs as usize)
                .map(|outcome| sample(&outcome, "failover"));
            latencies
                .map(|latency| Duration::from_nanos(latency.as_nanos()))
                .sum()
        });
    });
}

/// The machine's time for the whole run: five hosts, ten virtual seconds, all codecs and all invariants.
fn whole_run(criterion: &mut Criterion) {
    let prepared = workload::failovers();
    let mut outcomes = outcomes(&prepared);
    let mut group = criterion.benchmark_group("failover");
    group.throughput(Throughput::Elements(1));
    group.bench_function("whole_run", |bencher| bencher.iter(|| outcomes.next()));
    group.finish();
}

/// Prints the percentiles of every measure of the scenario.
fn percentiles() {
    let prepared = workload::failovers();
    let outcomes: Vec<Outcome> = outcomes(&prepared).take(RUNS).collect();
    println!("virtual latency over {RUNS} runs of {}:", prepared[0].scenario());
    for (index, measure) in outcomes[0].measures.iter().enumerate() {
        let mut samples: Vec<Span> = outcomes
            .iter()
            .flat_map(|outcome| outcome.measures[index].samples.iter().copied())
            .collect();
        samples.sort_unstable();
        let shown = [500, 900, 990, 1000].map(|permille| milliseconds(nearest_rank(&samples, permille)));
        let [p50, p90, p99, max] = shown;
        let (name, count) = (&measure.name, samples.len());
        println!("  {name:<12} p50 {p50}  p90 {p90}  p99 {p99}  max {max}  ({count} samples)");
    }
}

/// Runs without end: each scenario in turn, and each run under a seed of its own.
fn outcomes(prepared: &[Box<dyn Prepared>]) -> impl Iterator<Item = Outcome> {
    let mut workers: Vec<_> = prepared.iter().map(|prepared| prepared.worker()).collect();
    (0..).map(move |seed| {
        let turn = seed as usize % workers.len();
        workers[turn].run(seed)
    })
}

/// The one sample of a measure. Every run has one: a run without is worth a stop.
fn sample(outcome: &Outcome, name: &str) -> Span {
    assert_eq!(workload::sound(outcome), Ok(()));
    let measure = outcome.measures.iter().find(|measure| measure.name == name);
    match measure.map(|measure| &measure.samples[..]) {
        Some([sample]) => *sample,
        other => panic!(
            "seed {}: one sample of {name} is wanted, not {other:?}",
            outcome.seed
        ),
    }
}

/// The smallest sample that is not exceeded by the given share of them.
fn nearest_rank(sorted: &[Span], permille: usize) -> Span {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn milliseconds(span: Span) -> String {
    format!("{:>8.3} ms", span.as_secs_f64() * 1e3)
}
