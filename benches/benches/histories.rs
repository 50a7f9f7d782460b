//! The checkers of histories: how many calls a second they get through, told all at once or one after the other.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use squall_benches::histories::{linearizable, tell};
use squall_nodes::history::{Bounds, Counter, Finding, Online, check};

criterion_group!(histories, whole, online);
criterion_main!(histories);

/// How many calls a history has, and how many of them are open at once.
const CALLS: u64 = 10_000;
const OPEN: [usize; 3] = [1, 5, 20];

/// A history that is over.
fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("histories/whole");
    group.throughput(Throughput::Elements(CALLS));
    for open in OPEN {
        let history = linearizable(CALLS, open);
        group.bench_function(BenchmarkId::from_parameter(open), |bencher| {
            bencher.iter(|| {
                let found = check(&Counter::default(), &history, &Bounds::default());
                assert_eq!(found, Finding::Linearizable);
            });
        });
    }
    group.finish();
}

/// The same as a run tells it.
fn online(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("histories/online");
    group.throughput(Throughput::Elements(CALLS));
    for open in OPEN {
        let history = linearizable(CALLS, open);
        group.bench_function(BenchmarkId::from_parameter(open), |bencher| {
            bencher.iter(|| {
                let mut judge = Online::new(Counter::default(), Bounds::default());
                assert!(tell(&mut judge, &history));
            });
        });
    }
    group.finish();
}
