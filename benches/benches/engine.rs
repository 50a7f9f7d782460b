//! The engine: how many messages, and how many whole simulations, it gets through in a second.
//!
//! Everything that a user's run has is in it: scenario, links with loss, keyed draws, digest, invariants that judge, `drive`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::runner::Prepared;

criterion_group!(engine, w1, w3, w4, pour);
criterion_main!(engine);

/// One long run of nodes that all beat to each other.
fn w1(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("w1");
    for (nodes, seconds) in [(5, 100), (25, 10), (100, 1)] {
        let prepared = workload::w1(nodes, Span::from_secs(seconds));
        group.throughput(Throughput::Elements(messages(&*prepared)));
        group.bench_function(nodes.to_string(), |bencher| runs(bencher, &*prepared));
    }
    group.finish();
}

/// Whole simulations, as a sweep makes them: set-up and tear-down count as much as events.
fn w3(criterion: &mut Criterion) {
    let prepared = workload::w1(5, Span::from_secs(10));
    let mut group = criterion.benchmark_group("w3");
    group.throughput(Throughput::Elements(1));
    group.bench_function("simulations", |bencher| runs(bencher, &*prepared));
    group.finish();
}

/// Many nodes, each with a few peers.
fn w4(criterion: &mut Criterion) {
    let prepared = workload::w4(1_000, 10, Span::from_secs(1));
    let mut group = criterion.benchmark_group("w4");
    group.throughput(Throughput::Elements(messages(&*prepared)));
    group.bench_function("1000", |bencher| runs(bencher, &*prepared));
    group.finish();
}

/// Streams that carry as much as they can.
fn pour(criterion: &mut Criterion) {
    const BYTES: u64 = 4 << 20;
    let mut group = criterion.benchmark_group("pour");
    for nodes in [2, 10] {
        let prepared = workload::pour(nodes, BYTES);
        group.throughput(Throughput::Bytes(u64::from(nodes) * BYTES));
        group.bench_function(nodes.to_string(), |bencher| runs(bencher, &*prepared));
    }
    group.finish();
}

/// Each iteration is a run under the next seed, by one worker.
fn runs(bencher: &mut criterion::Bencher<'_>, prepared: &dyn Prepared) {
    let mut worker = prepared.worker();
    let mut seed = 0;
    bencher.iter(|| {
        seed += 1;
        let outcome = worker.run(seed);
        assert_eq!(workload::sound(&outcome), Ok(()));
        outcome.digest
    });
}

/// How many datagrams a run sends; the seed makes next to no difference.
fn messages(prepared: &dyn Prepared) -> u64 {
    prepared.worker().run(0).traffic.sent
}
