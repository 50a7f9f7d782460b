//! A small reader of RON that keeps the place of every value and the shape of every container, and gives meaning to nothing.

use std::ops::Range;

use super::{DEEPEST, Field, Item, Shape, Unreadable};

/// Reads a text that holds one value.
pub(super) fn read(text: &str) -> Result<Item, Unreadable> {
    let mut reader = Reader { text, at: 0 };
    reader.blank()?;
    let item = reader.value(0)?;
    reader.blank()?;
    if reader.peek().is_some() {
        let end = reader.at + reader.next_len();
        return Err(unreadable(
            reader.at..end,
            "there is something after the end",
            "a file holds one thing, such as one `Scenario(…)`",
        ));
    }
    Ok(item)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Item, Unreadable> {
        let start = self.at;
        let shape = match self.peek() {
            None => {
                return Err(unreadable(
                    start..start,
                    "the file ends where a value should be",
                    "",
                ));
            }
            Some('"') => self.text_value()?,
            Some('\'') => self.character()?,
            Some('[') => {
                let items = self.container(depth, ']', |reader, depth| reader.value(depth))?;
                Shape::List(items)
            }
            Some('{') => Shape::Map(self.container(depth, '}', Reader::pair)?),
            Some('(') => self.parentheses(depth)?,
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number()?,
            Some('r' | 'b') if self.is_marked_text() => self.text_value()?,
            Some(c) if is_first_of_name(c) => {
                self.name();
                let name = start..self.at;
                self.blank()?;
                let shape = match self.peek() {
                    Some('(') => self.parentheses(depth)?,
                    _ => {
                        // The blank after a lone name is not part of it.
                        self.at = name.end;
                        Shape::Word
                    }
                };
                return Ok(Item {
                    span: start..self.at,
                    name: Some(name),
                    shape,
                });
            }
            Some('“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»' | '`') => {
                let end = self.at + self.next_len();
                return Err(unreadable(
                    start..end,
                    "this is no quotation mark in RON",
                    "use double quotes: `\"…\"`",
                ));
            }
            Some('#') => {
                let end = self.at + 1;
                return Err(unreadable(
                    start..end,
                    "attributes have no place in a file",
                    "take it away",
                ));
            }
            Some(c) => {
                let end = self.at + c.len_utf8();
                let message = format!("expected a value, found `{}`", c.escape_debug());
                return Err(unreadable(start..end, &message, ""));
            }
        };
        Ok(Item {
            span: start..self.at,
            name: None,
            shape,
        })
    }

    /// What stands between an opening bracket, which is next, and its closing one, with commas between.
    fn container<T>(
        &mut self,
        depth: usize,
        close: char,
        part: impl Fn(&mut Self, usize) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let open = self.at..self.at + 1;
        if depth == DEEPEST {
            let message = format!("nested deeper than {DEEPEST} levels");
            return Err(unreadable(open, &message, "no file needs that much"));
        }
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            self.blank()?;
            match self.peek() {
                Some(c) if c == close => break,
                Some(c) if is_closing(c) => return Err(self.expected(open, close)),
                Some(_) => parts.push(part(self, depth + 1)?),
                None => return Err(unclosed(open, close)),
            }
            self.blank()?;
            match self.peek() {
                Some(',') => self.at += 1,
                Some(c) if c == close => break,
                Some(_) => return Err(self.expected(open, close)),
                None => return Err(unclosed(open, close)),
            }
        }
        self.at += 1;
        Ok(parts)
    }

    /// What is next is neither a comma nor the end of what `open` opened. Where it speaks of an end that was forgotten, the
    /// beginning is shown too: another bracket, or a `:` where nothing has a name.
    fn expected(&self, open: Range<usize>, close: char) -> Unreadable {
        let end = self.at + self.next_len();
        let wrong = unreadable(self.at..end, &format!("expected `,` or `{close}`"), "");
        let is_forgotten = self.peek().is_some_and(|c| is_closing(c) || c == ':');
        Unreadable {
            opening: is_forgotten.then_some(open),
            ..wrong
        }
    }

    fn pair(&mut self, depth: usize) -> Result<(Item, Item), Unreadable> {
        let key = self.value(depth)?;
        self.colon()?;
        Ok((key, self.value(depth)?))
    }

    fn colon(&mut self) -> Result<(), Unreadable> {
        self.blank()?;
        if self.peek() != Some(':') {
            let end = self.at + self.next_len();
            return Err(unreadable(self.at..end, "expected `:` and a value", ""));
        }
        self.at += 1;
        self.blank()
    }

    fn parentheses(&mut self, depth: usize) -> Result<Shape, Unreadable> {
        let parts = self.container(depth, ')', |reader, depth| {
            let start = reader.at;
            let name = reader.field_name()?;
            if let Some(name) = name {
                reader.colon()?;
                return Ok((Some(name), reader.value(depth)?));
            }
            reader.at = start;
            Ok((None, reader.value(depth)?))
        })?;
        let named = parts.iter().filter(|(name, _)| name.is_some()).count();
        if named > 0 && named < parts.len() {
            // RON has no such thing, and says so in words that help nobody.
            let odd = parts
                .iter()
                .find(|(name, _)| name.is_some() != parts[0].0.is_some());
            let span = odd.map_or(self.at..self.at, |(name, value)| {
                name.clone().map_or(value.span.clone(), |n| n)
            });
            let hint = "either every part has a name, or none has";
            return Err(unreadable(
                span,
                "parts with a name and parts without are mixed",
                hint,
            ));
        }
        if named == 0 {
            return Ok(Shape::Tuple(parts.into_iter().map(|(_, value)| value).collect()));
        }
        let fields = parts
            .into_iter()
            .filter_map(|(name, value)| name.map(|name| Field { name, value }));
        Ok(Shape::Struct(fields.collect()))
    }

    /// A name with a `:` behind it, if that is what is next; the reader then stands at the `:` or the blank before it.
    fn field_name(&mut self) -> Result<Option<Range<usize>>, Unreadable> {
        let start = self.at;
        match self.peek() {
            Some(c) if is_first_of_name(c) && !self.is_marked_text() => self.name(),
            _ => return Ok(None),
        }
        let name = start..self.at;
        self.blank()?;
        if self.peek() == Some('=') {
            let end = self.at + 1;
            return Err(unreadable(
                self.at..end,
                "expected `:`, found `=`",
                "write `:` in its place",
            ));
        }
        Ok((self.peek() == Some(':')).then_some(name))
    }

    fn name(&mut self) {
        let raw = self.rest().starts_with("r#");
        if raw {
            self.at += 2;
        }
        let goes_on = |c: char| c == '_' || c.is_alphanumeric() || (raw && matches!(c, '.' | '+' | '-'));
        self.skip_while(goes_on);
    }

    fn number(&mut self) -> Result<Shape, Unreadable> {
        const UNITS: [&str; 10] = ["ns", "us", "µs", "ms", "s", "sec", "m", "min", "h", "d"];
        let start = self.at;
        self.skip_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | 'µ'));
        let written = &self.text[start..self.at];
        let unit =
            written.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | '+' | '-'));
        if UNITS.contains(&unit) {
            let hint = format!("put it in quotes: `\"{written}\"`");
            return Err(unreadable(
                start..self.at,
                "a length of time stands in quotes",
                &hint,
            ));
        }
        if self.peek() == Some('%') {
            let hint = match written.parse::<f64>() {
                Ok(percent) => format!("{percent} % is `{}`", percent / 100.0),
                Err(_) => "a ratio is a number from 0 to 1".to_owned(),
            };
            return Err(unreadable(
                start..self.at + 1,
                "a ratio is written without `%`",
                &hint,
            ));
        }
        Ok(Shape::Number)
    }

    fn character(&mut self) -> Result<Shape, Unreadable> {
        let start = self.at;
        self.quoted(start, '\'')?;
        let inside = &self.text[start + 1..self.at - 1];
        // What a backslash begins may be many letters and one character: that is for the library to say.
        if inside.chars().count() != 1 && !inside.starts_with('\\') {
            let line = self.text[start..self.at].lines().next().unwrap_or_default();
            let shown = if line.len() == self.at - start {
                inside
            } else {
                "…"
            };
            let hint = format!("use double quotes: `\"{shown}\"`");
            return Err(unreadable(
                start..start + line.len(),
                "text stands in double quotes",
                &hint,
            ));
        }
        Ok(Shape::Other)
    }

    /// Whether a string or bytes with a mark ahead (`r"`, `r#"`, `b"`, `b'`, `br"`) is next, and not a name.
    fn is_marked_text(&self) -> bool {
        let rest = self.rest();
        let unmarked = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
        let raw = unmarked.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'));
        raw || rest.starts_with("b\"") || rest.starts_with("b'")
    }

    fn text_value(&mut self) -> Result<Shape, Unreadable> {
        let start = self.at;
        let bytes = self.peek() == Some('b');
        if bytes {
            self.at += 1;
        }
        let shape = if bytes { Shape::Other } else { Shape::Text };
        match self.peek() {
            Some('r') => {
                self.at += 1;
                let hashes = self.rest().len() - self.rest().trim_start_matches('#').len();
                self.at += hashes + 1;
                let end = format!("\"{}", "#".repeat(hashes));
                match self.rest().find(&end) {
                    Some(found) => self.at += found + end.len(),
                    None => return Err(unclosed(start..self.at, '"')),
                }
            }
            Some('\'') => self.quoted(start, '\'')?,
            _ => self.quoted(start, '"')?,
        }
        Ok(shape)
    }

    /// Goes past a quote, which is next, and its partner; a backslash takes the meaning from what follows it.
    fn quoted(&mut self, start: usize, quote: char) -> Result<(), Unreadable> {
        let open = start..self.at + 1;
        self.at += 1;
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if c == quote => {
                    self.at += offset + 1;
                    // A quote between quotes is a character of its own: ''' is what RON makes of it.
                    if quote == '\'' && offset == 0 && self.peek() == Some('\'') {
                        self.at += 1;
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(unclosed(open, quote))
    }

    /// Goes past blanks and comments.
    fn blank(&mut self) -> Result<(), Unreadable> {
        loop {
            self.skip_while(is_blank);
            if self.rest().starts_with("//") {
                self.skip_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Unreadable> {
        let open = self.at..self.at + 2;
        let mut depth = 0_usize;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.peek().is_some() {
                self.at += self.next_len();
            } else {
                return Err(unreadable(
                    open,
                    "this comment is never closed",
                    "close it with `*/`",
                ));
            }
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next_len(&self) -> usize {
        self.peek().map_or(0, char::len_utf8)
    }

    fn skip_while(&mut self, goes_on: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
    }
}

fn unreadable(span: Range<usize>, message: &str, hint: &str) -> Unreadable {
    let hint = if hint.is_empty() {
        None
    } else {
        Some(hint.to_owned())
    };
    Unreadable {
        span,
        message: message.to_owned(),
        hint,
        opening: None,
    }
}

fn unclosed(open: Range<usize>, close: char) -> Unreadable {
    unreadable(open, "this is never closed", &format!("close it with `{close}`"))
}

fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '}')
}

fn is_first_of_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

/// What RON takes for white space.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t'..='\r' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
    )
}
