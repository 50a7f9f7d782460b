//! What a CI reads of a command, where `--junit` asks for it: collected as it comes, written at the end.

use std::path::{Path, PathBuf};

use anyhow::bail;
use squall_reports::junit::{Junit, Notes};
use squall_reports::look::Repeats;

use crate::args::How;
use crate::outfile::{self, JUNIT};
use crate::session::Session;

/// What is collected, and for where.
pub(crate) struct Asked {
    to: Option<(PathBuf, Junit)>,
}

impl Asked {
    /// Nothing yet, of the command of this name. `named` are the paths of scenarios that were typed.
    ///
    /// # Errors
    ///
    /// When the file that is asked for could not be written.
    pub(crate) fn by(
        how: &How,
        command: &str,
        named: &[PathBuf],
        session: &Session<'_>,
    ) -> anyhow::Result<Self> {
        let Some(path) = &how.junit else {
            return Ok(Asked { to: None });
        };
        if path == Path::new("-") {
            bail!("--junit takes a path, such as junit.xml: results are written to stdout");
        }
        outfile::look_ahead(path, &JUNIT, named)?;
        let program = &session.program;
        let repeats = match command {
            "live" => Repeats::Live,
            _ => Repeats::Run,
        };
        let junit = Junit::new(&format!("{program} {command}"), program, repeats);
        Ok(Asked {
            to: Some((path.clone(), junit)),
        })
    }

    /// Adds to it, where it is asked for.
    pub(crate) fn note(&mut self, add: impl FnOnce(&mut Junit)) {
        if let Some((_, junit)) = &mut self.to {
            add(junit);
        }
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// What keeps it from being written.
    pub(crate) fn write(self) -> anyhow::Result<()> {
        match self.to {
            None => Ok(()),
            Some((path, junit)) => {
                outfile::write(&path, &JUNIT, |into| into.write_all(junit.xml().as_bytes()))
            }
        }
    }
}

/// How notes are taken: only where strictness fails a case because of them.
pub(crate) fn taken(is_too_loose: bool) -> Notes {
    if is_too_loose {
        Notes::Failing
    } else {
        Notes::Mentioned
    }
}
