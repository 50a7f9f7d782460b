//! The line that is being typed at a terminal: keys in, the line out, and how much of it fits on the screen.

use std::ops::Range;

/// The longest line that is taken, in bytes.
const LONGEST: usize = 4096;
/// How many of the last lines can be had again.
const REMEMBERED: usize = 100;
/// What stands ahead of what is typed.
const PROMPT: &str = "> ";
/// What stands for what does not fit on the screen.
const MORE: char = '…';

/// The line, and those before it.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: String,
    /// Where in the line it is typed: a number of bytes, between two characters.
    cursor: usize,
    /// Bytes of a character that is not whole yet.
    partial: Vec<u8>,
    escape: Escape,
    /// The lines before, the last one at the end.
    before: Vec<String>,
    /// How far back among them the person has gone.
    back: usize,
    /// What was typed before the person went back.
    draft: String,
}

/// How much of an escape sequence has come, by which arrows and the like are told (ECMA-48, 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    /// Its first number, as far as it has come.
    Number(u16),
    /// What comes after its first number: which other keys are held down.
    Beyond(u16),
    /// A second bracket, after which Linux's console has one letter for each of its function keys.
    Console,
}

impl Editor {
    /// Takes a byte that was typed; gives the line when it is entered.
    pub(super) fn feed(&mut self, byte: u8) -> Option<String> {
        if byte.is_ascii() {
            // The rest of a character never comes.
            self.partial.clear();
        }
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => self.escape = Escape::Number(0),
            (Escape::Number(number), b'0'..=b'9') => {
                let number = number.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                self.escape = Escape::Number(number);
            }
            (Escape::Number(_), b'[') => self.escape = Escape::Console,
            (Escape::Console, 0x20..=0x7e) => self.escape = Escape::None,
            (Escape::Number(number) | Escape::Beyond(number), 0x40..=0x7e) => {
                self.escape = Escape::None;
                self.function(number, byte);
            }
            (Escape::Number(number), 0x20..0x40) => self.escape = Escape::Beyond(number),
            (Escape::Beyond(_), 0x20..0x40) => {}
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

    /// The prompt and as much of the line around the cursor as fits in so many columns, with the cursor in its place.
    pub(super) fn shown(&self, columns: usize) -> String {
        // One is for the cursor.
        let room = columns.saturating_sub(PROMPT.len() + 2).max(1);
        let (before, after) = self.line.split_at(self.cursor);
        // What comes after the cursor gets half of it at most, unless there is more than half left.
        let (ahead, behind) = (width(before), width(after));
        let for_after = behind.min((room / 2).max(room.saturating_sub(ahead)));
        let for_before = room - for_after;
        let from = fitting(before.char_indices().rev(), for_before).unwrap_or(before.len());
        let ends = after.char_indices().map(|(at, c)| (at + c.len_utf8(), c));
        let to = fitting(ends, for_after).unwrap_or(0);
        let mut shown = PROMPT.to_owned();
        if from > 0 {
            shown.push(MORE);
        }
        shown.push_str(&before[from..]);
        if !after.is_empty() {
            // Whatever widths a terminal gives to characters, it goes back to where it was.
            shown.push_str("\x1b7");
            shown.push_str(&after[..to]);
            if to < after.len() {
                shown.push(MORE);
            }
            shown.push_str("\x1b8");
        }
        shown
    }

    fn enter(&mut self) -> String {
        self.back = 0;
        self.draft.clear();
        self.cursor = 0;
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() && self.before.last() != Some(&line) {
            self.before.push(line.clone());
            if self.before.len() > REMEMBERED {
                self.before.remove(0);
            }
        }
        line
    }

    /// A key that has a sequence for a name: by the last byte of it, and its number.
    fn function(&mut self, number: u16, last: u8) {
        match (last, number) {
            (b'A', _) => self.go(self.back + 1),
            (b'B', _) => self.go(self.back.saturating_sub(1)),
            (b'C', _) => self.cursor = self.right(),
            (b'D', _) => self.cursor = self.left(),
            (b'H', _) | (b'~', 1 | 7) => self.cursor = 0,
            (b'F', _) | (b'~', 4 | 8) => self.cursor = self.line.len(),
            (b'~', 3) => self.delete(self.cursor..self.right()),
            // Other keys mean nothing here.
            _ => {}
        }
    }

    fn key(&mut self, byte: u8) {
        match byte {
            0x08 | 0x7f => self.delete(self.left()..self.cursor),
            // Ctrl-A, Ctrl-E.
            0x01 => self.cursor = 0,
            0x05 => self.cursor = self.line.len(),
            // Ctrl-U, Ctrl-W.
            0x15 => self.delete(0..self.line.len()),
            0x17 => {
                let kept = self.line[..self.cursor].trim_end();
                let kept = kept
                    .rfind(char::is_whitespace)
                    .map_or(0, |at| at + kept[at..].chars().next().map_or(0, char::len_utf8));
                self.delete(kept..self.cursor);
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
            self.line.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Takes a part of the line away; the cursor is where it was.
    fn delete(&mut self, part: Range<usize>) {
        self.cursor = part.start;
        self.line.drain(part);
    }

    /// Where the cursor is when it goes one character to the left.
    fn left(&self) -> usize {
        let before = self.line[..self.cursor].chars().next_back();
        self.cursor - before.map_or(0, char::len_utf8)
    }

    /// The same to the right.
    fn right(&self) -> usize {
        let after = self.line[self.cursor..].chars().next();
        self.cursor + after.map_or(0, char::len_utf8)
    }

    /// Goes back to an earlier line, or on to a later one: at the end to what was typed before.
    fn go(&mut self, back: usize) {
        if back > self.before.len() || back == self.back {
            return;
        }
        if self.back == 0 {
            self.draft = std::mem::take(&mut self.line);
        }
        self.back = back;
        self.line = match back {
            0 => std::mem::take(&mut self.draft),
            back => self.before[self.before.len() - back].clone(),
        };
        self.cursor = self.line.len();
    }
}

/// How many columns a text takes at most: what is not ASCII may take two each.
fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

/// The place of the last of the characters that fit into a room, one after the other; `None` when none does.
fn fitting(chars: impl Iterator<Item = (usize, char)>, mut room: usize) -> Option<usize> {
    let fits = chars.take_while(|(_, c)| {
        let fits = columns_of(*c) <= room;
        room = room.saturating_sub(columns_of(*c));
        fits
    });
    fits.last().map(|(at, _)| at)
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
    fn a_line_is_edited_where_the_cursor_is() {
        let mut editor = Editor::default();
        // Left and right, as cursor keys and as keypads tell them; past either end there is nothing.
        assert_eq!(
            typed(&mut editor, "cac\x1b[D\x1b[Dl\x1bOC\x1b[C\x1b[C 1\r"),
            ["clac 1"]
        );
        // Home and end, by all the names that terminals have for them.
        for (home, end) in [
            ("\x1b[H", "\x1b[F"),
            ("\x1bOH", "\x1bOF"),
            ("\x1b[1~", "\x1b[4~"),
            ("\x1b[7~", "\x1b[8~"),
            ("\x1b[1;5H", "\x1b[1;5F"),
            ("\x01", "\x05"),
        ] {
            assert_eq!(
                typed(&mut editor, &format!("alc 1{home}c{end}+1\r")),
                ["calc 1+1"],
                "{home:?} {end:?}"
            );
        }
        // What is deleted stands after the cursor, what is taken back before it.
        assert_eq!(
            typed(&mut editor, "abcd\x1b[D\x1b[D\x1b[3~\x1b[3~\x1b[3~\x7fx\r"),
            ["ax"]
        );
        assert_eq!(
            typed(&mut editor, "grün\x1b[D\x1b[D\x1b[3~ue\x1b[H\x7f\r"),
            ["gruen"]
        );
        assert_eq!(
            typed(&mut editor, "chat one two\x1b[D\x1b[D\x17\x1b[Fx\r"),
            ["chat one wox"]
        );
        // The function keys of Linux's console.
        assert_eq!(typed(&mut editor, "a\x1b[[Ab\r"), ["ab"]);
    }

    #[test]
    fn what_was_begun_is_there_again_after_going_back_and_forth() {
        let mut editor = Editor::default();
        typed(&mut editor, "first\rsecond\r");
        assert_eq!(
            typed(&mut editor, "begun\x1b[D\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B!\r"),
            ["begun!"]
        );
        assert_eq!(typed(&mut editor, "\x1b[A\x1b[A\x1b[H\x1b[3~S\r"), ["Second"]);
    }

    #[test]
    fn a_character_that_is_never_finished_is_not_finished_by_a_later_key() {
        let mut editor = Editor::default();
        for byte in *b"\xc3a\xbc\xc3\x1b[D\xbc" {
            assert_eq!(editor.feed(byte), None);
        }
        assert_eq!(editor.feed(b'\r').as_deref(), Some("a"));
    }

    #[test]
    fn what_is_around_the_cursor_is_shown_where_there_is_no_room_for_all() {
        let mut editor = Editor::default();
        typed(&mut editor, "calc 1+1\x1b[D\x1b[D");
        assert_eq!(editor.shown(80), "> calc 1\x1b7+1\x1b8");
        assert_eq!(editor.shown(10), "> …lc 1\x1b7+1\x1b8");
        typed(&mut editor, "\x1b[H");
        assert_eq!(editor.shown(10), "> \x1b7calc 1…\x1b8");
        typed(&mut editor, "\x1b[C\x1b[C\x1b[C\x1b[C");
        assert_eq!(editor.shown(8), "> …lc\x1b7 1…\x1b8");
        assert_eq!(editor.shown(0), "> …c\x1b7…\x1b8");
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
            assert!(editor.line.is_char_boundary(editor.cursor));
            assert!(editor.line.len() <= LONGEST);
        }
        for key in [
            "\x1b[D", "\x1b[C", "\x1b[3~", "\x1b[A", "\x1b[B", "ü", "\x7f", "\x17", "x",
        ]
        .repeat(50)
        {
            typed(&mut editor, key);
            for columns in 0..12 {
                // What only moves the cursor takes no room, and what stands for more takes one column.
                let shown = editor.shown(columns).replace("\x1b7", "").replace("\x1b8", "");
                assert!(
                    width(&shown.replace(MORE, ".")) <= columns.max(5),
                    "{columns}: {shown:?}"
                );
            }
        }
        let line = editor.feed(b'\r').unwrap_or_default();
        assert!(!line.is_empty() && line.len() <= LONGEST && !line.contains(char::is_control));
    }
}
