//! What of one run is written besides its result, to files or on stdout: its trace, a line an event, and its history, a line a call; each
//! after a line that says which run it is of.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use squall_reports::json;
use squall_sim::outcome::Outcome;
use squall_sim::trace::Trace;

use crate::outfile::{self, HISTORY, Kind, TRACE};
use crate::session::Session;

/// Where the records of one run are to be written, as far as they are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    pub(crate) trace: Option<&'a Path>,
    pub(crate) history: Option<&'a Path>,
}

impl<'a> Records<'a> {
    fn each(self) -> impl Iterator<Item = (&'a Path, &'static Kind)> {
        let trace = self.trace.map(|path| (path, &TRACE));
        trace.into_iter().chain(self.history.map(|path| (path, &HISTORY)))
    }

    /// Whether any is asked for.
    pub(crate) fn is_any(self) -> bool {
        self.each().next().is_some()
    }

    /// Finds out whether they could be written, before the run: `-` is stdout, `named` are the paths of scenarios that were typed, and
    /// `junit` is where the report goes.
    ///
    /// # Errors
    ///
    /// What speaks against a path.
    pub(crate) fn look_ahead(self, named: &[PathBuf], junit: Option<&Path>) -> anyhow::Result<()> {
        for (path, kind) in self.each() {
            if !is_stdout(path) {
                outfile::look_ahead(path, kind, named)?;
            }
            if Some(path) == junit {
                bail!("{} and the report cannot both be written to one file", kind.what);
            }
        }
        if self.trace.is_some() && self.trace == self.history {
            bail!("the trace and the history cannot both be written to one file");
        }
        Ok(())
    }

    /// That they are of one run.
    ///
    /// # Errors
    ///
    /// That there are so many, and how to name one.
    pub(crate) fn are_of_one(self, count: u64, how: &str) -> anyhow::Result<()> {
        match self.each().next() {
            Some((_, kind)) if count != 1 => {
                bail!("{} is of one run, and these are {count}: {how}", kind.option)
            }
            _ => Ok(()),
        }
    }

    /// Where results go: out of the way of what is written on stdout.
    pub(crate) fn beside(self) -> Stream {
        match self.each().any(|(path, _)| is_stdout(path)) {
            true => Stream::Stderr,
            false => Stream::Stdout,
        }
    }

    /// Writes those that are asked for.
    ///
    /// # Errors
    ///
    /// What keeps one from being written, with the name of the file.
    pub(crate) fn write(
        self,
        outcome: &Outcome,
        trace: &Trace,
        session: &mut Session<'_>,
    ) -> anyhow::Result<()> {
        let head = json::trace_header(outcome, trace);
        if let Some(path) = self.trace {
            let events = || trace.events.iter().map(json::trace_event);
            write(path, &TRACE, &head, events, session)?;
        }
        if let Some(path) = self.history {
            let calls = || json::history(trace).into_iter();
            write(path, &HISTORY, &head, calls, session)?;
        }
        Ok(())
    }
}

/// Where results go.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
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

fn write<L: Iterator<Item = String>>(
    path: &Path,
    kind: &Kind,
    head: &str,
    lines: impl Fn() -> L,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let write_to = |into: &mut dyn Write| -> io::Result<()> {
        writeln!(into, "{head}")?;
        for line in lines() {
            writeln!(into, "{line}")?;
        }
        into.flush()
    };
    if is_stdout(path) {
        write_to(&mut BufWriter::new(&mut *session.stdout))?;
        Ok(())
    } else {
        outfile::write(path, kind, write_to)
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
