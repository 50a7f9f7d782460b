//! A file that a command writes: all of it, or nothing, and never in the place of a scenario.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

/// What is written to a file that was named by an option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What it is, in a sentence: `the trace`.
    pub(crate) what: &'static str,
    /// What it is written in.
    pub(crate) form: &'static str,
    /// The option that names it.
    pub(crate) option: &'static str,
    /// What such a file may be called.
    pub(crate) example: &'static str,
}

/// The trace of a run.
pub(crate) const TRACE: Kind = Kind {
    what: "the trace",
    form: "JSON",
    option: "--trace",
    example: "trace.jsonl",
};

/// The results for a CI.
pub(crate) const JUNIT: Kind = Kind {
    what: "the report",
    form: "XML",
    option: "--junit",
    example: "junit.xml",
};

/// A page of the manual.
pub(crate) const PAGE: Kind = Kind {
    what: "the page",
    form: "roff",
    option: "--dir",
    example: "man1",
};

/// Finds out whether a file could be written, before there is anything to write: not where a scenario stands or is likely to,
/// and nowhere where it would fail. `named` are the paths that were typed; of what is found in folders, the ending tells.
///
/// # Errors
///
/// What speaks against the path.
pub(crate) fn look_ahead(path: &Path, kind: &Kind, named: &[PathBuf]) -> anyhow::Result<()> {
    is_no_scenario(path, kind, named)?;
    let cannot = || cannot(path, kind);
    match Place::of(path).with_context(cannot)? {
        Place::Device => probe(path).with_context(cannot),
        Place::File(path) => beside(&path).map(drop).with_context(cannot),
    }
}

/// Writes a file: into a new one beside it, which then takes its place. What is not a plain file, a pipe or a device, is
/// written to as it is.
///
/// # Errors
///
/// What keeps the file from being written, with its name.
pub(crate) fn write(
    path: &Path,
    kind: &Kind,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    let cannot = || cannot(path, kind);
    let done = Place::of(path).and_then(|place| match place {
        Place::Device => {
            let mut into = BufWriter::new(File::options().write(true).open(path)?);
            content(&mut into)?;
            into.flush()
        }
        Place::File(path) => {
            let mut file = beside(&path)?;
            let mut into = BufWriter::new(file.as_file_mut());
            content(&mut into)?;
            into.flush()?;
            drop(into);
            file.persist(path).map(drop).map_err(|error| error.error)
        }
    });
    done.with_context(cannot)
}

fn is_no_scenario(path: &Path, kind: &Kind, named: &[PathBuf]) -> anyhow::Result<()> {
    let Kind {
        what,
        form,
        option,
        example,
    } = kind;
    // A link is followed, as it is when the file is written.
    let found = fs::canonicalize(path).ok();
    if found.is_some() && named.iter().any(|named| fs::canonicalize(named).ok() == found) {
        // A folder of scenarios is no scenario, and cannot be written to either.
        if !path.is_dir() {
            bail!(
                "{what} would take the place of the scenario {}: give {option} a path of its own, such as {example}",
                path.display()
            );
        }
    }
    let is_ron = |path: &Path| {
        path.extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("ron"))
    };
    if is_ron(path) || found.as_deref().is_some_and(is_ron) {
        bail!(
            "{what} is not written to {}: files in .ron are scenarios, and {what} is {form}, such as {example}",
            path.display()
        );
    }
    Ok(())
}

fn cannot(path: &Path, kind: &Kind) -> String {
    format!("{} cannot be written to {}", kind.what, path.display())
}

/// Finds out whether something that is no plain file takes anything: a device that is full says so only when it is written to, by a
/// line end, which is nothing to a reader of lines.
///
/// To open a pipe and to close it again would be the end of the file to whoever reads it, and a terminal is seen by people: these are
/// left alone.
#[cfg(unix)]
fn probe(path: &Path) -> io::Result<()> {
    use std::io::IsTerminal as _;
    use std::os::unix::fs::FileTypeExt as _;

    if !fs::metadata(path)?.file_type().is_char_device() {
        return Ok(());
    }
    let mut device = File::options().write(true).open(path)?;
    if device.is_terminal() {
        return Ok(());
    }
    device.write_all(b"\n")?;
    device.flush()
}

#[cfg(not(unix))]
fn probe(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Where a path leads.
enum Place {
    /// To a plain file, or to none yet: here, when links have been followed.
    File(PathBuf),
    /// To something that is written to and not replaced.
    Device,
}

impl Place {
    fn of(path: &Path) -> io::Result<Place> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => Ok(Place::Device),
            // A link stays a link: what it leads to is replaced.
            Ok(_) => Ok(Place::File(fs::canonicalize(path)?)),
            Err(_) => Ok(Place::File(path.to_owned())),
        }
    }
}

/// A new file in the same folder, which is gone again unless it takes the place of the other.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Made by us, so that it is readable to whom the user's mask leaves it, as any file that is made; and so that an error is the
    // system's own and has no name of a file in it that nobody has asked for.
    tempfile::Builder::new()
        .prefix(".squall-")
        .suffix(".part")
        .make_in(folder, |path| {
            File::options().write(true).create_new(true).open(path)
        })
}
