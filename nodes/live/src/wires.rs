//! What an attended node speaks through: lines go out, requests come in.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

/// What an attended node speaks through.
pub struct Wires {
    pub(crate) requests: Box<dyn Read + Send>,
    pub(crate) lines: Box<dyn Write + Send>,
}

impl Wires {
    /// Requests are read from one, a line of JSON each, and [lines](crate::Line) go to the other, as many as there are at a time in one
    /// write. The end of the requests stops the node at once, and so does a line that cannot be written.
    pub fn new(requests: impl Read + Send + 'static, lines: impl Write + Send + 'static) -> Self {
        Wires {
            requests: Box::new(requests),
            lines: Box::new(lines),
        }
    }

    /// The stdin and the stdout of this process.
    ///
    /// # Errors
    ///
    /// They are not open.
    pub fn stdio() -> io::Result<Self> {
        let file = |fd: io::Result<_>| fd.map(File::from);
        Ok(Wires::new(
            file(io::stdin().as_fd().try_clone_to_owned())?,
            file(io::stdout().as_fd().try_clone_to_owned())?,
        ))
    }
}
