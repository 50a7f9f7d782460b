//! What a machine was measured to take.

use std::fmt::Write as _;

use squall_sim::machine::Machine;
use squall_sim::trace::Span;

use crate::look::{Ink, Look, counted, millis, padded};
use crate::text::Ranks;

/// What a machine was measured to take, a line each.
pub(super) fn of_machine(text: &mut String, machine: &Machine, look: &Look) {
    let title = "this machine, of two nodes that were idle before, and of hosts that boot";
    let _ = writeln!(text, "    {}", look.paint(Ink::Strong, title));
    let mut line = |what: &str, samples: &[Span]| {
        if !samples.is_empty() {
            let _ = writeln!(text, "      {}  {}", padded(what, 27), of_samples(samples));
        }
    };
    line("a datagram", &machine.delay);
    for (from, late) in machine.lateness_by_idle() {
        let idle = format!("{} ms", from.as_nanos() / 1_000_000);
        line(&format!("a timer after {idle} or more"), &late);
    }
    line("a durable write", &machine.write);
    line("a first boot, all at once", &machine.boots.first);
    line("another boot, and a process", &machine.boots.again);
}

/// `p50 0.041 ms, p99 0.213 ms, max 1.020 ms (4 000 samples)`.
fn of_samples(samples: &[Span]) -> String {
    let ranks = Ranks::of(samples);
    let at = |percent| {
        ranks
            .percentile(percent)
            .map_or("–".to_owned(), |ns| format!("{} ms", millis(ns)))
    };
    format!(
        "p50 {}, p99 {}, max {} ({})",
        at(50),
        at(99),
        at(100),
        counted(samples.len() as u64, "sample", "samples")
    )
}
