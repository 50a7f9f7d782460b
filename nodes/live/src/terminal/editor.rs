//! The line that is being typed at a terminal: keys in, the line out, and how much of it fits on the screen.

/// The most characters that are taken into a line.
const LONGEST: usize = 4096;
/// How many of the last lines can be had again.
const REMEMBERED: usize = 100;
/// What stands ahead of what is typed.
const PROMPT: &str = "> ";

/// The line, and those before it.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: String,
    /// Bytes of a character that is not whole yet.
    partial: Vec<u8>,
    escape: Escape,
    /// The lines before, the last one at the end.
    before: Vec<String>,
    /// How far back among them the person has gone.
    back: usize,
}

/// How much of an escape sequence has come, by which arrows and the like are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Inside,
}

impl Editor {
    /// Takes a byte that was typed; gives the line when it is entered.
    pub(super) fn feed(&mut self, byte: u8) -> Option<String> {
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => self.escape = Escape::Inside,
            (Escape::Inside, 0x40..=0x7e) => {
                self.escape = Escape::None;
                match byte {
                    b'A' => self.go(self.back + 1),
                    b'B' => self.go(self.back.saturating_sub(1)),
                    _ => {}
                }
            }
            (Escape::Inside, _) => {}
            (_, 0x1b) => self.escape = Escape::Begun,
            (_, b'\r' | b'\n') => {
                self.escape = Escape::None;
                return Some(self.enter());
            }
            (_, byte) => {
                self.escape = Escape::None;
                self.key(byte);
            }
        }
        None
    }

    /// The prompt and as much of the line's end as fits in so many columns.
    pub(super) fn shown(&self, columns: usize) -> String {
        // What is not ASCII may take two columns; one is for the cursor.
        let mut room = columns.saturating_sub(PROMPT.len() + 2).max(1);
        let mut from = self.line.len();
        for (at, c) in self.line.char_indices().rev() {
            let width = if c.is_ascii() { 1 } else { 2 };
            if width > room {
                return format!("{PROMPT}…{}", &self.line[from..]);
            }
            room -= width;
            from = at;
        }
        format!("{PROMPT}{}", self.line)
    }

    fn enter(&mut self) -> String {
        self.partial.clear();
        self.back = 0;
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() && self.before.last() != Some(&line) {
            self.before.push(line.clone());
            if self.before.len() > REMEMBERED {
                self.before.remove(0);
            }
        }
        line
    }

    fn key(&mut self, byte: u8) {
        match byte {
            0x08 | 0x7f => {
                self.partial.clear();
                self.line.pop();
            }
            // Ctrl-U, Ctrl-W.
            0x15 => self.line.clear(),
            0x17 => {
                let kept = self.line.trim_end();
                let kept = kept
                    .rfind(char::is_whitespace)
                    .map_or(0, |at| at + kept[at..].chars().next().map_or(0, char::len_utf8));
                self.line.truncate(kept);
            }
            b'\t' => self.push(' '),
            // Other keys of control mean nothing here.
            0..0x20 => {}
            0x20..0x7f => self.push(char::from(byte)),
            _ => self.part(byte),
        }
    }

    /// Takes a byte of a character that has several.
    fn part(&mut self, byte: u8) {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Ok(whole) => {
                if let Some(c) = whole.chars().next().filter(|c| !c.is_control()) {
                    self.push(c);
                }
                self.partial.clear();
            }
            Err(why) if why.error_len().is_some() => self.partial.clear(),
            // More of it is to come.
            Err(_) => {}
        }
    }

    fn push(&mut self, c: char) {
        if self.line.len() + c.len_utf8() <= LONGEST {
            self.line.push(c);
        }
    }

    /// Goes back to an earlier line, or on to a later one.
    fn go(&mut self, back: usize) {
        if back > self.before.len() {
            return;
        }
        self.back = back;
        self.line = match back {
            0 => String::new(),
            back => self.before[self.before.len() - back].clone(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, keys: &str) -> Vec<String> {
        keys.bytes().filter_map(|byte| editor.feed(byte)).collect()
    }

    #[test]
    fn a_line_is_what_was_typed_and_not_taken_back() {
        let mut editor = Editor::default();
        assert_eq!(
            typed(&mut editor, "calx\x7fc 1+1\rchat grüße\x08 you\n"),
            ["calc 1+1", "chat grüß you"]
        );
        assert_eq!(typed(&mut editor, "all of it\x15status\r"), ["status"]);
        assert_eq!(
            typed(&mut editor, "chat one two  \x17three\r\x17\r"),
            ["chat one three", ""]
        );
    }

    #[test]
    fn arrows_bring_earlier_lines_back_and_other_sequences_nothing() {
        let mut editor = Editor::default();
        typed(&mut editor, "first\rsecond\rsecond\r");
        assert_eq!(typed(&mut editor, "\x1b[A\x1b[A\r"), ["first"]);
        assert_eq!(typed(&mut editor, "\x1b[A\x1b[B\x1b[3~\x1b[1;5Cx\x1bOD\r"), ["x"]);
        assert_eq!(
            typed(&mut editor, "\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r"),
            ["first"]
        );
    }

    #[test]
    fn the_end_of_a_line_is_shown_where_there_is_no_room_for_all() {
        let mut editor = Editor::default();
        typed(&mut editor, "calc 1+1");
        assert_eq!(editor.shown(80), "> calc 1+1");
        assert_eq!(editor.shown(10), "> …lc 1+1");
        typed(&mut editor, "\x15üü");
        assert_eq!(editor.shown(7), "> …ü");
        assert_eq!(editor.shown(0), "> …");
    }

    #[test]
    fn any_bytes_make_a_line_of_bounded_length_without_control_characters() {
        let mut editor = Editor::default();
        let bytes = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        for byte in bytes.filter(|byte| !matches!(byte, b'\r' | b'\n' | 0x15 | 0x17)) {
            assert_eq!(editor.feed(byte), None);
        }
        let line = editor.feed(b'\r').unwrap_or_default();
        assert!(!line.is_empty() && line.len() <= LONGEST && !line.contains(char::is_control));
    }
}
