//! The layout of a file: a field a line, lists and structs that are long open, with their parts a line each.

use std::fmt::{Display, Write};

/// A file that is being written.
pub(crate) struct Page {
    text: String,
    depth: usize,
}

impl Page {
    pub(crate) fn new() -> Self {
        Page {
            text: String::new(),
            depth: 0,
        }
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn comment(&mut self, comment: &str) {
        self.line(format!("// {comment}").trim_end());
    }

    /// A field on one line.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{name}: {value},");
        self.line(&line);
    }

    /// Something whose parts follow, a line each.
    pub(crate) fn open(&mut self, line: &str) {
        self.line(line);
        self.depth += 1;
    }

    pub(crate) fn close(&mut self, line: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(line);
    }

    /// A field that is a list, an entry a line, each with its comma; nothing when it is empty, which is what leaving it out says.
    pub(crate) fn list(&mut self, name: &str, entries: impl Iterator<Item = String>) {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return;
        }
        self.open(&format!("{name}: ["));
        for entry in entries {
            self.line(&entry);
        }
        self.close("],");
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}
