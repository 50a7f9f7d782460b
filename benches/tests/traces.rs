//! What the trace of a run takes in memory. It has a program of its own since the counting allocator is the whole program's.

use allocation_counter::measure;
use squall_benches::workload;
use squall_nodes::Span;

#[test]
fn a_trace_takes_from_200_to_400_bytes_an_event() {
    // Its list doubles as it grows, so that an event takes more or less with the length of the run.
    let beating = [20, 60].map(|seconds| workload::w1(5, Span::from_secs(seconds)));
    for prepared in beating
        .into_iter()
        .chain(workload::failovers().into_iter().take(1))
    {
        let mut worker = prepared.worker();
        worker.run(1);
        let mut kept = None;
        let counted = measure(|| kept = Some(worker.trace(1)));
        let (_, trace) = kept.expect("it ran");
        let (bytes, events) = (counted.bytes_current, trace.events.len() as i64);
        assert!(events > 1_000);
        let each = bytes / events;
        assert!(
            (200..=400).contains(&each),
            "{}: {bytes} bytes for {events} events",
            prepared.scenario()
        );
    }
}
