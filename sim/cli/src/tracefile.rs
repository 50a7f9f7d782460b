//! The form of a trace in a file: a line that says what it is of, and a line an event.

use std::io::{self, Write};

use squall_reports::json;
use squall_sim::outcome::Outcome;
use squall_sim::trace::Trace;

/// Writes a trace.
pub(crate) fn write_to(mut into: impl Write, outcome: &Outcome, trace: &Trace) -> io::Result<()> {
    writeln!(into, "{}", json::trace_header(outcome, trace))?;
    for event in &trace.events {
        writeln!(into, "{}", json::trace_event(event))?;
    }
    into.flush()
}
