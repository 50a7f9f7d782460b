//! hac's failover: how long a cluster is without a server, in *virtual* time, and how long the whole run takes, in the
//! machine's.
//!
//! The virtual latency depends on the seeds and on nothing else: it is the same on every machine, and changes only when
//! the protocol, its settings or the draws do.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::{Outcome, Verdict};

/// How many seeds the percentiles are taken over.
const SEEDS: u64 = 1_000;

criterion_group!(failover, latency, whole_run);

fn main() {
    failover();
    percentiles();
    Criterion::default().configure_from_args().final_summary();
}

/// The mean virtual time from the power cut until the next server is promoted.
fn latency(criterion: &mut Criterion) {
    let prepared = workload::failover();
    let mut worker = prepared.worker();
    let mut seed = 0;
    criterion.bench_function("failover/virtual_latency", |bencher| {
        bencher.iter_custom(|runs| {
            let mut sum = Duration::ZERO;
            for _ in 0..runs {
                seed += 1;
                let latency = sample(&worker.run(seed), "failover");
                sum += Duration::from_nanos(latency.as_nanos());
            }
            sum
        });
    });
}

/// The machine's time for the whole run: five hosts, ten virtual seconds, all codecs and all invariants.
fn whole_run(criterion: &mut Criterion) {
    let prepared = workload::failover();
    let mut worker = prepared.worker();
    let mut seed = 0;
    let mut group = criterion.benchmark_group("failover");
    group.throughput(Throughput::Elements(1));
    group.bench_function("whole_run", |bencher| {
        bencher.iter(|| {
            seed += 1;
            worker.run(seed).digest
        });
    });
    group.finish();
}

/// Prints the percentiles of every measure of the scenario.
fn percentiles() {
    let prepared = workload::failover();
    let mut worker = prepared.worker();
    let outcomes: Vec<Outcome> = (0..SEEDS).map(|seed| worker.run(seed)).collect();
    println!("virtual latency over {SEEDS} seeds of {}:", prepared.scenario());
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

/// The one sample of a measure. Every run has one: a run without is worth a stop.
fn sample(outcome: &Outcome, name: &str) -> Span {
    assert_eq!(outcome.verdict, Verdict::Held, "seed {}: {:?}", outcome.seed, outcome.violation);
    let measure = outcome.measures.iter().find(|measure| measure.name == name);
    match measure.map(|measure| &measure.samples[..]) {
        Some([sample]) => *sample,
        other => panic!("seed {}: one sample of {name} is wanted, not {other:?}", outcome.seed),
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
