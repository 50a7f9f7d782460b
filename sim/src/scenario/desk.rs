//! Where a file is read value by value: each reading either gives what was asked for or leaves a complaint, and goes on.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use ron::error::{Error, SpannedError};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use squall_nodes::{Span, ron_options};

use super::complaint::{Complaint, Complaints, Place, did_you_mean, did_you_mean_it, is_near};
use super::places::{Field, Item, Shape, plain_name};

/// How many complaints are kept; a file with more has told its author enough.
const MOST_KEPT: usize = 300;

/// A text under reading, and what is wrong with it so far.
pub(crate) struct Desk<'f> {
    text: &'f str,
    complaints: Vec<Complaint>,
    untold: usize,
}

/// The named fields of a value.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'f> {
    /// The value that they are of.
    pub(crate) item: &'f Item,
    text: &'f str,
    list: &'f [Field],
}

impl<'f> Fields<'f> {
    /// A field's value, when it is written.
    pub(crate) fn get(&self, name: &str) -> Option<&'f Item> {
        self.list
            .iter()
            .find(|field| plain_name(&self.text[field.name.clone()]) == name)
            .map(|field| &field.value)
    }
}

impl<'f> Desk<'f> {
    pub(crate) fn new(text: &'f str) -> Self {
        Desk {
            text,
            complaints: Vec::new(),
            untold: 0,
        }
    }

    /// How many complaints there are.
    pub(crate) fn count(&self) -> usize {
        self.complaints.len() + self.untold
    }

    /// Whether further complaints are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.complaints.len() == MOST_KEPT
    }

    /// The whole text.
    pub(crate) fn whole_text(&self) -> &'f str {
        self.text
    }

    /// The end of the reading: fine, or all that is wrong.
    pub(crate) fn close(self, name: &str, text: &Arc<str>) -> Result<(), Complaints> {
        if self.complaints.is_empty() {
            return Ok(());
        }
        Err(Complaints::new(
            name,
            Arc::clone(text),
            self.complaints,
            self.untold,
        ))
    }

    pub(crate) fn complain(&mut self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.complain_within(span, message, hint, None);
    }

    /// Complains about something inside a bracket that is part of the matter.
    pub(crate) fn complain_within(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: Option<String>,
        opening: Option<Range<usize>>,
    ) {
        if self.complaints.len() == MOST_KEPT {
            self.untold += 1;
            return;
        }
        let complaint = Complaint {
            place: Some(Place::of(self.text, span)),
            message: message.into(),
            hint,
            opening: opening.map(|span| Place::of(self.text, span)),
        };
        if !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    /// The text of a value.
    pub(crate) fn slice(&self, item: &Item) -> &'f str {
        &self.text[item.span.clone()]
    }

    /// The name ahead of a value, or that it is: `Kill` of `Kill("c1")`.
    pub(crate) fn head(&self, item: &Item) -> Option<&'f str> {
        item.name.clone().map(|name| plain_name(&self.text[name]))
    }

    /// The bytes by which a value is pointed at: its name, if it has one and is more than a word.
    pub(crate) fn point(&self, item: &Item) -> Range<usize> {
        match (&item.shape, &item.name) {
            (Shape::List(_) | Shape::Map(_) | Shape::Tuple(_) | Shape::Struct(_), Some(name)) => name.clone(),
            (Shape::Struct(_), None) => item.span.start..item.span.start + 1,
            _ => item.span.clone(),
        }
    }

    /// The fields of `what`, all of them among the known ones. A field that is not is complained about and passed over.
    pub(crate) fn fields(&mut self, item: &'f Item, what: &str, known: &[&str]) -> Option<Fields<'f>> {
        self.fields_called(item, what, known, &[])
    }

    /// The same of something whose fields others call otherwise: `called` has what they say, and what it is here.
    pub(super) fn fields_called(
        &mut self,
        item: &'f Item,
        what: &str,
        known: &[&str],
        called: &[(&str, &str)],
    ) -> Option<Fields<'f>> {
        let here = |name: &str| {
            let (_, here) = called.iter().find(|(other, _)| *other == name)?;
            Some(format!("it is `{here}` here"))
        };
        self.fields_hinted(item, what, known, here)
    }

    /// The same of something of whose wrong fields there may be more to say than which there are.
    pub(crate) fn fields_hinted(
        &mut self,
        item: &'f Item,
        what: &str,
        known: &[&str],
        hint: impl Fn(&str) -> Option<String>,
    ) -> Option<Fields<'f>> {
        let list = match &item.shape {
            Shape::Struct(fields) => fields.as_slice(),
            Shape::Tuple(items) if items.is_empty() => &[],
            _ => {
                let hint = format!(
                    "named fields in parentheses: `({}: …)`",
                    known.first().unwrap_or(&"name")
                );
                self.complain(item.span.clone(), format!("this is not {what}"), Some(hint));
                return None;
            }
        };
        for field in list {
            let name = plain_name(&self.text[field.name.clone()]);
            if !known.contains(&name) {
                let message = format!("{what} has no field `{name}`");
                let hint = hint(name).or_else(|| did_you_mean(name, known.iter().copied()));
                self.complain(field.name.clone(), message, hint);
            }
        }
        Some(Fields {
            item,
            text: self.text,
            list,
        })
    }

    /// A field that has to be there.
    pub(crate) fn required(&mut self, fields: &Fields<'f>, name: &str, example: &str) -> Option<&'f Item> {
        let found = fields.get(name);
        if found.is_none() && !self.is_misspelt(fields, name) {
            let span = self.point(fields.item);
            self.complain(
                span,
                format!("`{name}` is missing"),
                Some(format!("such as `{name}: {example}`")),
            );
        }
        found
    }

    /// Whether a field is there by another name, about which it was asked whether it is this one: then it is not missed besides.
    fn is_misspelt(&self, fields: &Fields<'f>, name: &str) -> bool {
        let asked = did_you_mean_it(name);
        let is_written = |place: &Place| fields.list.iter().any(|field| field.name == place.span);
        self.complaints.iter().any(|complaint| {
            complaint.hint.as_ref() == Some(&asked) && complaint.place.as_ref().is_some_and(is_written)
        })
    }

    /// The parts of a list.
    pub(crate) fn list(&mut self, item: &'f Item, what: &str) -> &'f [Item] {
        match &item.shape {
            Shape::List(items) => items,
            _ => {
                let hint = "a list stands in brackets: `[…]`".to_owned();
                self.complain(
                    item.span.clone(),
                    format!("expected a list of {what}"),
                    Some(hint),
                );
                &[]
            }
        }
    }

    /// The parts of a list, of which there is at least one.
    pub(crate) fn filled_list(&mut self, item: &'f Item, what: &str) -> &'f [Item] {
        let before = self.count();
        let items = self.list(item, what);
        if items.is_empty() && self.count() == before {
            let hint = "take it away, or put something in it".to_owned();
            self.complain(
                item.span.clone(),
                format!("this list of {what} is empty"),
                Some(hint),
            );
        }
        items
    }

    /// A string.
    pub(crate) fn text(&mut self, item: &Item, what: &str) -> Option<String> {
        if item.shape != Shape::Text {
            let hint = match item.shape {
                Shape::Word => Some(format!("put it in quotes: `\"{}\"`", self.slice(item))),
                _ => None,
            };
            self.complain(item.span.clone(), format!("expected {what} in quotes"), hint);
            return None;
        }
        self.typed(item)
    }

    /// A string, or a bare word.
    pub(crate) fn name(&mut self, item: &Item, what: &str) -> Option<String> {
        match item.shape {
            Shape::Word => self.head(item).map(str::to_owned),
            _ => self.text(item, what),
        }
    }

    /// A length of time.
    pub(crate) fn span(&mut self, item: &Item) -> Option<Span> {
        if item.shape != Shape::Text {
            let message = "expected a length of time: a number and a unit, in quotes";
            let hint = match item.shape {
                Shape::Number if self.slice(item).parse::<u64>().is_ok() => format!(
                    "write `\"{0}s\"` for {0} seconds, `\"{0}ms\"` for {0} milliseconds",
                    self.slice(item)
                ),
                _ => "such as `\"310ms\"` or `\"2s\"`".to_owned(),
            };
            self.complain(item.span.clone(), message, Some(hint));
            return None;
        }
        self.typed(item)
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&mut self, item: &Item, within: RangeInclusive<u64>) -> Option<u64> {
        let read =
            (item.shape == Shape::Number).then(|| ron_options().from_str::<u64>(self.slice(item)).ok());
        match read.flatten().filter(|number| within.contains(number)) {
            Some(number) => Some(number),
            None => {
                let message = format!(
                    "expected a whole number from {} to {}",
                    within.start(),
                    within.end()
                );
                let hint = self.unquoted::<u64>(item);
                self.complain(item.span.clone(), message, hint);
                None
            }
        }
    }

    /// The hint about a whole number that stands in quotes.
    fn unquoted<T: FromStr>(&self, item: &Item) -> Option<String> {
        let inside = self.slice(item).trim_matches('"').trim();
        let is_number = item.shape == Shape::Text && inside.parse::<T>().is_ok();
        is_number.then(|| format!("without quotes: `{inside}`"))
    }

    /// A whole number within bounds, which may be less than nothing.
    pub(crate) fn signed(&mut self, item: &Item, within: RangeInclusive<i64>) -> Option<i64> {
        let read =
            (item.shape == Shape::Number).then(|| ron_options().from_str::<i64>(self.slice(item)).ok());
        let read = read.flatten().filter(|number| within.contains(number));
        if read.is_none() {
            let message = format!(
                "expected a whole number from {} to {}",
                within.start(),
                within.end()
            );
            let hint = self.unquoted::<i64>(item);
            self.complain(item.span.clone(), message, hint);
        }
        read
    }

    /// A number, of any size that is finite.
    pub(crate) fn number(&mut self, item: &Item) -> Option<f64> {
        if !is_finite(self.slice(item)) {
            // Complained about by [`inspect`](Desk::inspect).
            return None;
        }
        let read =
            (item.shape == Shape::Number).then(|| ron_options().from_str::<f64>(self.slice(item)).ok());
        let read = read.flatten().filter(|number| number.is_finite());
        if read.is_none() {
            let hint = match item.shape {
                Shape::Text => Some("without quotes, such as `1.5`".to_owned()),
                _ => None,
            };
            self.complain(item.span.clone(), "expected a number", hint);
        }
        read
    }

    /// A ratio, from 0 to 1.
    pub(crate) fn ratio(&mut self, item: &Item) -> Option<f64> {
        if !is_finite(self.slice(item)) {
            // Complained about by [`inspect`](Desk::inspect).
            return None;
        }
        let read =
            (item.shape == Shape::Number).then(|| ron_options().from_str::<f64>(self.slice(item)).ok());
        let read = read.flatten();
        // NaN is in no range.
        if let Some(ratio) = read.filter(|ratio| (0.0..=1.0).contains(ratio)) {
            return Some(ratio);
        }
        let text = self.slice(item).trim_matches('"').trim();
        let percent = text
            .strip_suffix('%')
            .and_then(|text| text.trim().parse::<f64>().ok());
        let hint = match read.or(percent) {
            Some(percent) if percent > 1.0 && percent <= 100.0 => {
                format!("{percent} % is `{}`", percent / 100.0)
            }
            _ if item.shape == Shape::Text && text.parse::<f64>().is_ok() => {
                format!("without quotes: `{text}`")
            }
            _ => "a ratio is a number from 0 to 1".to_owned(),
        };
        self.complain(
            item.span.clone(),
            format!("`{}` is not a ratio", self.slice(item)),
            Some(hint),
        );
        None
    }

    /// A value of a type that only the protocol knows.
    pub(crate) fn typed<T: DeserializeOwned>(&mut self, item: &Item) -> Option<T> {
        match parse_typed(self.slice(item)) {
            Ok(value) => Some(value),
            Err(Mistyped { path, error }) => {
                let at = follow(self.text, item, &path);
                let bounds = match error.code {
                    Error::IntegerOutOfBounds => bounds_at::<T>(self.slice(item), &path),
                    _ => None,
                };
                match bounds {
                    Some(message) => self.complain(at.span.clone(), message, None),
                    None => self.mistyped(at, item.span.start, &error),
                }
                None
            }
        }
    }

    /// Complains about `item`, or a place inside it, in which `error` was found. The error's positions count from the
    /// byte `base` of the file.
    pub(crate) fn mistyped(&mut self, item: &Item, base: usize, error: &SpannedError) {
        let reading = &self.text[base..];
        let from = base + offset_of(reading, error.span.start.line, error.span.start.col);
        let to = base + offset_of(reading, error.span.end.line, error.span.end.col);
        let inside = |span: &Range<usize>| item.span.start <= span.start && span.end <= item.span.end;
        let named = |found: &str| {
            let start = from + self.text.get(from..item.span.end)?.find(found)?;
            Some(start..start + found.len()).filter(inside)
        };
        let nearest = || item.nearest(to.saturating_sub(1).max(from));
        let (span, message, hint) = match &error.code {
            Error::NoSuchStructField { expected, found, .. } => (
                named(found),
                format!("there is no field `{found}` here"),
                did_you_mean(found, expected.iter().copied()),
            ),
            Error::NoSuchEnumVariant { expected, found, .. } => (
                named(found),
                format!("there is no `{found}` here"),
                did_you_mean(found, expected.iter().copied()),
            ),
            Error::MissingStructField { field, .. } => {
                // Most often it is there, and misspelt.
                let near = self.nearest_field(item, field);
                let hint = near.as_ref().map(|_| did_you_mean_it(field));
                (
                    near.or_else(|| Some(self.point(item))),
                    format!("`{field}` is missing"),
                    hint,
                )
            }
            Error::ExpectedIdentifier if nearest().shape == Shape::Text => {
                let name = self.slice(nearest()).trim_matches('"');
                let is_name = name.starts_with(|c: char| c == '_' || c.is_alphabetic())
                    && name.chars().all(|c| c == '_' || c.is_alphanumeric());
                (
                    None,
                    "expected a name, found text in quotes".to_owned(),
                    is_name.then(|| format!("without quotes: `{name}`")),
                )
            }
            other => (None, fragment(&other.to_string()), None),
        };
        let span = span.unwrap_or_else(|| nearest().span.clone());
        self.complain(span, message, hint);
    }

    /// The name of the field that could be `wanted`, misspelt.
    fn nearest_field(&self, item: &Item, wanted: &str) -> Option<Range<usize>> {
        let Shape::Struct(fields) = &item.shape else {
            return None;
        };
        let written = |field: &Field| plain_name(&self.text[field.name.clone()]);
        let near = fields.iter().find(|field| is_near(written(field), wanted))?;
        Some(near.name.clone())
    }

    /// Complains about everything that no file may have, wherever it stands: a name twice, a number without end.
    pub(crate) fn inspect(&mut self, item: &Item) {
        match &item.shape {
            Shape::Number if !is_finite(self.slice(item)) => {
                self.complain(
                    item.span.clone(),
                    format!("`{}` is not a finite number", self.slice(item)),
                    None,
                );
            }
            Shape::Word if !is_finite(self.slice(item)) => {
                self.complain(
                    item.span.clone(),
                    format!("`{}` is not a finite number", self.slice(item)),
                    None,
                );
            }
            Shape::Number | Shape::Word | Shape::Text | Shape::Other => {}
            Shape::List(items) | Shape::Tuple(items) => items.iter().for_each(|item| self.inspect(item)),
            Shape::Map(pairs) => {
                let mut names = BTreeSet::new();
                for (key, value) in pairs {
                    self.once(&mut names, &key.span);
                    self.inspect(key);
                    self.inspect(value);
                }
            }
            Shape::Struct(fields) => {
                let mut names = BTreeSet::new();
                for field in fields {
                    self.once(&mut names, &field.name);
                    self.inspect(&field.value);
                }
            }
        }
    }

    fn once(&mut self, names: &mut BTreeSet<&'f str>, span: &Range<usize>) {
        let name = plain_name(&self.text[span.clone()]).trim_matches('"');
        if !names.insert(name) {
            let hint = "keep one of them".to_owned();
            self.complain(span.clone(), format!("`{name}` is written twice"), Some(hint));
        }
    }
}

/// Why a text is not of a type: where in the value, and what.
pub(crate) struct Mistyped {
    pub(crate) path: Path,
    pub(crate) error: Box<SpannedError>,
}

/// Reads one value of a type, to the end of the text.
pub(crate) fn parse_typed<T: DeserializeOwned>(text: &str) -> Result<T, Mistyped> {
    let nowhere = |error| Mistyped {
        path: serde_path_to_error::Track::new().path(),
        error: Box::new(error),
    };
    let mut reader = ron::Deserializer::from_str_with_options(text, &ron_options()).map_err(nowhere)?;
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| Mistyped {
        path: error.path().clone(),
        error: Box::new(reader.span_error(error.into_inner())),
    })?;
    reader.end().map_err(|error| nowhere(reader.span_error(error)))?;
    Ok(value)
}

/// Which whole numbers a type takes in a place of a text, in a sentence: its kind shows by the ends that it takes. `None` where it takes
/// none by that alone.
pub(crate) fn bounds_at<T: DeserializeOwned>(text: &str, path: &Path) -> Option<String> {
    let root = Item::read(text).ok()?;
    let span = follow(text, &root, path).span.clone();
    let takes = |number: i128| {
        let tried = format!("{}{number}{}", &text[..span.start], &text[span.end..]);
        parse_typed::<T>(&tried).is_ok()
    };
    let kinds = [8, 16, 32, 64].map(|bits| 1_i128 << bits);
    let mut bounds = kinds
        .into_iter()
        .flat_map(|kind| [(0, kind - 1), (-kind / 2, kind / 2 - 1)]);
    let (least, most) = bounds
        .find(|(least, most)| takes(*least) && takes(*most) && !takes(*least - 1) && !takes(*most + 1))?;
    Some(format!("expected a whole number from {least} to {most}"))
}

/// The part of a value that a path leads to, as far as it can be followed.
pub(crate) fn follow<'i>(text: &str, item: &'i Item, path: &Path) -> &'i Item {
    let mut at = item;
    for segment in path.iter() {
        let next = match segment {
            Segment::Seq { index } => at.items().get(*index),
            Segment::Map { key } => at.field(text, key),
            // A variant's content stands in its own parentheses.
            Segment::Enum { .. } => Some(at),
            Segment::Unknown => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// The byte at a line and a column, both counted from 1, the column in characters.
pub(crate) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => text
            .match_indices('\n')
            .nth(line - 2)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let rest = &text[start..];
    rest.char_indices()
        .nth(column.saturating_sub(1))
        .map_or(text.len(), |(at, _)| start + at)
}

/// The library's sentence as a fragment in lower case, unless it begins with a quotation or a name.
pub(crate) fn fragment(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => sentence.to_owned(),
    }
}

fn is_finite(number: &str) -> bool {
    let bare = number.trim_start_matches(['+', '-']).replace('_', "");
    let bare = bare
        .strip_suffix("f32")
        .or_else(|| bare.strip_suffix("f64"))
        .unwrap_or(&bare);
    match bare {
        "inf" | "NaN" => false,
        // Names such as `Infinity` are no numbers in RON, and what begins otherwise is not a float.
        _ if bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            bare.parse::<f64>().map_or(true, f64::is_finite)
        }
        _ => true,
    }
}
