//! What a message costs in allocations: none. It has a program of its own since the counting allocator is the whole program's.

use allocation_counter::measure;
use squall_benches::workload;
use squall_nodes::Span;
use squall_sim::runner::Prepared;

/// How often a run of a worker that has run before asks for memory.
fn allocations(prepared: &dyn Prepared) -> u64 {
    let mut worker = prepared.worker();
    // The first run takes what room the run needs, and a worker keeps it.
    assert_eq!(workload::sound(&worker.run(1)), Ok(()));
    let mut outcome = None;
    let counted = measure(|| outcome = Some(worker.run(1)));
    assert_eq!(outcome.as_ref().map(workload::sound), Some(Ok(())));
    counted.count_total
}

#[test]
fn a_run_of_twice_as_many_messages_takes_no_more_allocations() {
    let (short, long) = (Span::from_secs(2), Span::from_secs(4));
    for nodes in [5, 25] {
        let runs = [short, long].map(|limit| allocations(&*workload::w1(nodes, limit)));
        assert_eq!(runs[0], runs[1], "{nodes} nodes that all beat to each other");
    }
    let runs = [short, long].map(|limit| allocations(&*workload::w4(200, 10, limit)));
    assert_eq!(runs[0], runs[1], "200 nodes that beat to ten others each");
}

#[test]
fn what_is_allocated_is_counted() {
    // Each node takes memory when it boots: were nothing counted, the other test could not fail.
    let few = allocations(&*workload::w1(5, Span::from_secs(2)));
    let many = allocations(&*workload::w1(25, Span::from_secs(2)));
    assert!(0 < few && few < many, "{few}, {many}");
}
