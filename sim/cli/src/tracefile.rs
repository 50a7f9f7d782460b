//! Where a trace is written: all of it, or nothing.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use squall_reports::json;
use squall_sim::outcome::Outcome;
use squall_sim::trace::Trace;

/// Refuses a path at which a scenario stands or is likely to: a trace would take its place. `named` are the paths that were
/// typed; of what is found in folders, the ending tells.
///
/// # Errors
///
/// What speaks against the path.
pub(crate) fn is_no_scenario(path: &Path, named: &[PathBuf]) -> anyhow::Result<()> {
    // A link is followed, as it is when the trace is written.
    let found = fs::canonicalize(path).ok();
    if found.is_some() && named.iter().any(|named| fs::canonicalize(named).ok() == found) {
        bail!(
            "the trace would take the place of the scenario {}: give --trace a path of its own, such as trace.jsonl",
            path.display()
        );
    }
    let is_ron = |path: &Path| {
        path.extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("ron"))
    };
    if is_ron(path) || found.as_deref().is_some_and(is_ron) {
        bail!(
            "the trace is not written to {}: files in .ron are scenarios, and a trace is JSON, such as trace.jsonl",
            path.display()
        );
    }
    Ok(())
}

/// Writes a trace to a file: into a new one beside it, which then takes its place. What is not a plain file, a pipe or a
/// device, is written to as it is.
///
/// # Errors
///
/// What keeps the file from being written, with its name.
pub(crate) fn write(path: &Path, outcome: &Outcome, trace: &Trace) -> anyhow::Result<()> {
    let named = || format!("the trace cannot be written to {}", path.display());
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(io::Error::from(io::ErrorKind::IsADirectory)).with_context(named)
        }
        Ok(metadata) if !metadata.is_file() => {
            let file = File::options().write(true).open(path).with_context(named)?;
            write_to(&mut BufWriter::new(file), outcome, trace).with_context(named)
        }
        // A link stays a link: what it leads to is replaced.
        Ok(_) => replace(&fs::canonicalize(path).with_context(named)?, outcome, trace).with_context(named),
        Err(_) => replace(path, outcome, trace).with_context(named),
    }
}

/// Writes a trace, a line an event, after a line that says what it is of.
pub(crate) fn write_to(mut into: impl Write, outcome: &Outcome, trace: &Trace) -> io::Result<()> {
    writeln!(into, "{}", json::trace_header(outcome, trace))?;
    for event in &trace.events {
        writeln!(into, "{}", json::trace_event(event))?;
    }
    into.flush()
}

fn replace(path: &Path, outcome: &Outcome, trace: &Trace) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".trace-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any file that is made: readable to whom the user's mask leaves it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    write_to(BufWriter::new(file.as_file_mut()), outcome, trace)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
