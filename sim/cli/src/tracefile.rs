//! The trace of a run in a file or on stdout: a line that says what it is of, and a line an event.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use squall_reports::json;
use squall_sim::outcome::Outcome;
use squall_sim::trace::Trace;

use crate::outfile::{self, TRACE};
use crate::session::Session;

/// Where results go: out of the way of a trace on stdout.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Where they go beside a trace that is written there, if any is.
    pub(crate) fn beside(trace: Option<&Path>) -> Stream {
        if trace.is_some_and(is_stdout) {
            Stream::Stderr
        } else {
            Stream::Stdout
        }
    }

    /// Says a part of the results, whole lines.
    ///
    /// # Errors
    ///
    /// That it cannot be written.
    pub(crate) fn say(self, text: &str, session: &mut Session<'_>) -> anyhow::Result<()> {
        match self {
            Stream::Stdout => session.say(text)?,
            Stream::Stderr => session.tell(text.trim_end_matches('\n')),
        }
        Ok(())
    }
}

/// Writes a trace to where `--trace` says.
///
/// # Errors
///
/// What keeps it from being written, with the name of the file.
pub(crate) fn write(
    path: &Path,
    outcome: &Outcome,
    trace: &Trace,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    if is_stdout(path) {
        write_to(BufWriter::new(&mut *session.stdout), outcome, trace)?;
        Ok(())
    } else {
        outfile::write(path, &TRACE, |into| write_to(into, outcome, trace))
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write_to(mut into: impl Write, outcome: &Outcome, trace: &Trace) -> io::Result<()> {
    writeln!(into, "{}", json::trace_header(outcome, trace))?;
    for event in &trace.events {
        writeln!(into, "{}", json::trace_event(event))?;
    }
    into.flush()
}
