//! Writes lines to whoever attends a node, and to a file of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use squall_nodes::Node;

use crate::error::LiveError;
use crate::line::Line;
use crate::private;

/// Where lines are told to. They are kept until they are [flushed](Teller::flush), which costs one write for all of them.
pub(crate) struct Teller {
    lines: Vec<u8>,
    attendant: Option<Box<dyn Write + Send>>,
    file: Option<File>,
}

/// Nobody reads the lines any more.
#[derive(Debug)]
pub(crate) struct Unheard(pub(crate) io::Error);

impl Teller {
    pub(crate) fn new(
        attendant: Option<Box<dyn Write + Send>>,
        file: Option<&Path>,
    ) -> Result<Self, LiveError> {
        let open = |path: &Path| {
            let file = private::options().append(true).open(path);
            file.map_err(|why| LiveError::Lines {
                file: path.to_owned(),
                why,
            })
        };
        Ok(Teller {
            lines: Vec::new(),
            attendant,
            file: file.map(open).transpose()?,
        })
    }

    /// Whether anybody is told anything.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.attendant.is_some() || self.file.is_some()
    }

    /// Keeps a line for the next flush.
    pub(crate) fn tell<N: Node>(&mut self, line: &Line<N>) {
        if !self.is_heard() {
            return;
        }
        let start = self.lines.len();
        match serde_json::to_writer(&mut self.lines, line) {
            Ok(()) => self.lines.push(b'\n'),
            Err(why) => {
                self.lines.truncate(start);
                tracing::error!(%why, "a line cannot be written as JSON");
            }
        }
    }

    /// Writes out what was told.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<(), Unheard> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.write_out()
    }

    fn write_out(&mut self) -> Result<(), Unheard> {
        if let Some(file) = &mut self.file
            && let Err(why) = file.write_all(&self.lines)
        {
            tracing::error!(%why, "the file for lines cannot be written any more, and is given up");
            self.file = None;
        }
        let heard = match &mut self.attendant {
            Some(attendant) => attendant
                .write_all(&self.lines)
                .and_then(|()| attendant.flush())
                .map_err(Unheard),
            None => Ok(()),
        };
        self.lines.clear();
        heard
    }
}
