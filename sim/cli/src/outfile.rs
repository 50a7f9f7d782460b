//! A file that a command writes: all of it, or nothing, and never in the place of a scenario. What a command leaves that is killed
//! while it writes, the next one that writes to the same file removes.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
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

/// The history of a run.
pub(crate) const HISTORY: Kind = Kind {
    what: "the history",
    form: "JSON",
    option: "--history",
    example: "history.jsonl",
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
///
/// It is locked for as long as it is written to, and the system takes the lock away from a program that is killed: so what is left
/// of an earlier one is known, and removed first.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let prefix = prefix_of(path);
    remove_abandoned(folder, &prefix);
    // Made by us, so that it is readable to whom the user's mask leaves it, as any file that is made; and so that an error is the
    // system's own and has no name of a file in it that nobody has asked for.
    tempfile::Builder::new()
        .prefix(&prefix)
        .rand_bytes(DRAWN)
        .suffix(SUFFIX)
        .make_in(folder, make_locked)
}

/// How many letters and digits of a part's name are drawn.
const DRAWN: usize = 6;
const SUFFIX: &str = ".part";

/// How the parts of a file are called before what is drawn: `.squall-trace.jsonl-`.
fn prefix_of(path: &Path) -> String {
    /// So much of the file's own name that the part's is none that a system refuses for its length.
    const MOST: usize = 128;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".squall-{}-", &name[..name.floor_char_boundary(MOST)])
}

/// Whether a file is called as a part is.
fn is_part(name: &OsStr, prefix: &str) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix(prefix));
    name.and_then(|name| name.strip_suffix(SUFFIX))
        .is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Removes parts that nobody writes to. Where that fails nothing is lost: they are as much in the way as before.
fn remove_abandoned(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        // Nothing but a plain file is opened: to open a pipe may take for ever.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && is_part(&entry.file_name(), prefix)
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // The lock is kept until it is gone: whoever has made it just now must not take it for its own.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a file and locks it.
fn make_locked(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create_new(true).open(path)?;
    match file.try_lock() {
        // Between the two steps another program may have taken it for one that is left, and removed it.
        Ok(()) if path.exists() => Ok(file),
        // It is tried again under another name.
        Ok(()) | Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AlreadyExists.into()),
        // There are file systems without locks: nobody can lock what is there, and nobody removes it.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[u8] = b"all of it";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    fn write_words(path: &Path) {
        write(path, &TRACE, |into| into.write_all(WORDS)).expect("it is written");
        assert_eq!(fs::read(path).expect("it is there"), WORDS);
    }

    #[test]
    fn a_part_that_is_written_to_stays_and_one_that_is_left_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("trace.jsonl");
        let living = beside(&target).expect("a part");
        // As a program leaves it that is killed: there, and closed.
        let (file, left) = beside(&target).expect("a part").keep().expect("it stays");
        drop(file);
        assert!(living.path().exists() && left.exists());
        write_words(&target);
        assert!(living.path().exists() && !left.exists());
        drop(living);
        assert_eq!(names(folder.path()), ["trace.jsonl"]);
    }

    #[test]
    fn parts_of_other_files_and_what_only_looks_like_a_part_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let others = [
            ".squall-AbC123.part",
            ".squall-a-AbC12.part",
            ".squall-a-AbC1234.part",
            ".squall-a-AbC12_.part",
            ".squall-a-AbC123.partly",
            ".squall-a-b-AbC123.part",
            ".squall-b-AbC123.part",
        ];
        for name in others {
            fs::write(folder.path().join(name), WORDS).expect("a file");
        }
        fs::create_dir(folder.path().join(".squall-a-AbC124.part")).expect("a folder");
        fs::write(folder.path().join(".squall-a-AbC123.part"), WORDS).expect("a file");
        write_words(&folder.path().join("a"));
        let mut left = others.to_vec();
        left.extend([".squall-a-AbC124.part", "a"]);
        left.sort_unstable();
        assert_eq!(names(folder.path()), left);
    }

    #[test]
    fn a_file_with_the_longest_name_there_is_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        // 255 bytes, of which two are a letter wherever one would cut.
        let name = format!("a{}", "é".repeat(127));
        let target = folder.path().join(&name);
        let (file, left) = beside(&target).expect("a part").keep().expect("it stays");
        drop(file);
        write_words(&target);
        assert!(!left.exists());
        assert_eq!(names(folder.path()), [name]);
    }
}
