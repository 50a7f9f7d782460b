//! What is wrong with a file, with the place, in the words and the look of a compiler.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

/// How many complaints are shown; what is beyond is counted.
const MOST_SHOWN: usize = 50;
/// The longest line that is shown, in bytes: scenario files are written by people.
const LONGEST_LINE: usize = 2_000;
/// How wide a line may be drawn, in columns.
const WIDTH: usize = 140;

/// Everything that is wrong with a file. Never empty.
#[derive(Clone, Debug)]
pub struct Complaints {
    name: String,
    text: Arc<str>,
    list: Vec<Complaint>,
    untold: usize,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where; `None` when it is about the file as a whole.
    pub place: Option<Place>,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The bracket inside which it is, where that is part of the matter.
    pub opening: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bytes.
    pub span: Range<usize>,
    /// The line of the first, counted from 1.
    pub line: usize,
    /// Its column in characters, counted from 1.
    pub column: usize,
}

/// How complaints are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With the colours of a terminal.
    Coloured,
}

impl Complaints {
    /// Complaints about the file called `name` with this text, in the order of their places, each once; `untold` more
    /// were not kept.
    pub(crate) fn new(name: &str, text: Arc<str>, mut list: Vec<Complaint>, untold: usize) -> Self {
        list.sort_by_key(|complaint| {
            complaint
                .place
                .as_ref()
                .map(|place| (place.span.start, place.span.end))
        });
        list.dedup();
        Complaints {
            name: name.to_owned(),
            text,
            list,
            untold,
        }
    }

    /// Those about one file from several points of view, such as its protocol's rule sets, as one: of complaints that are
    /// [alike](Complaint::is_like), the one that came first. `None` when there are none.
    pub fn merged(all: impl IntoIterator<Item = Complaints>) -> Option<Complaints> {
        let mut all = all.into_iter();
        let mut merged = all.next()?;
        for other in all {
            let is_new = |one: &Complaint| !merged.list.iter().any(|earlier| earlier.is_like(one));
            let new: Vec<Complaint> = other.list.into_iter().filter(is_new).collect();
            merged.list.extend(new);
            merged.untold = merged.untold.max(other.untold);
        }
        let Complaints {
            name,
            text,
            list,
            untold,
        } = merged;
        Some(Complaints::new(&name, text, list, untold))
    }

    /// One complaint about a file as a whole.
    pub(crate) fn about_all(name: &str, message: String, hint: Option<String>) -> Self {
        Complaints::new(
            name,
            "".into(),
            vec![Complaint {
                place: None,
                message,
                hint,
                opening: None,
            }],
            0,
        )
    }

    /// The file's name, as it was given.
    pub fn file(&self) -> &str {
        &self.name
    }

    /// The complaints: those about the file as a whole, then the others in the order of their places. Of a file with
    /// hundreds of them, the first hundreds.
    pub fn list(&self) -> &[Complaint] {
        &self.list
    }

    /// Draws the complaints as a compiler would. At most fifty are drawn; the others are counted.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
        let mut drawn: Vec<String> = self
            .list
            .iter()
            .take(MOST_SHOWN)
            .map(|complaint| self.draw(&renderer, complaint))
            .collect();
        let hidden = self.list.len().saturating_sub(MOST_SHOWN) + self.untold;
        if hidden > 0 {
            drawn.push(format!(
                "… and {hidden} more in {}",
                normalize_untrusted_str(&self.name)
            ));
        }
        drawn.join("\n\n")
    }

    fn draw(&self, renderer: &Renderer, complaint: &Complaint) -> String {
        let title = |message: String| Level::ERROR.primary_title(message);
        let hint = complaint
            .hint
            .as_deref()
            .map(|hint| Level::HELP.message(normalize_untrusted_str(hint)));
        let group = match &complaint.place {
            Some(place) => match self.lines_of(place) {
                Some((lines, span)) => {
                    let snippet = |lines, first| {
                        Snippet::source(lines)
                            .line_start(first)
                            .path(normalize_untrusted_str(&self.name))
                    };
                    let snippet = match complaint
                        .opening
                        .as_ref()
                        .and_then(|opening| self.lines_between(opening, place))
                    {
                        Some((lines, open, span)) => {
                            let first = complaint.opening.as_ref().map_or(1, |opening| opening.line);
                            snippet(lines, first)
                                .annotation(AnnotationKind::Context.span(open).label("opened here"))
                                .annotation(AnnotationKind::Primary.span(span))
                        }
                        None => snippet(lines, place.line).annotation(AnnotationKind::Primary.span(span)),
                    };
                    title(complaint.message.clone()).element(snippet)
                }
                None => title(format!(
                    "{}:{}:{}: {}",
                    self.name, place.line, place.column, complaint.message
                ))
                .elements(Vec::<annotate_snippets::Element<'_>>::new()),
            },
            None => title(format!("{}: {}", self.name, complaint.message))
                .elements(Vec::<annotate_snippets::Element<'_>>::new()),
        };
        renderer.render(&[group.elements(hint)])
    }

    /// The lines from one place to a later one with both places in them, unless one of the lines is too long to show.
    fn lines_between(&self, opening: &Place, place: &Place) -> Option<(&str, Range<usize>, Range<usize>)> {
        let start = self
            .text
            .get(..opening.span.start)?
            .rfind('\n')
            .map_or(0, |found| found + 1);
        let end = self.text[place.span.start..]
            .find('\n')
            .map_or(self.text.len(), |found| place.span.start + found);
        let lines = self.text.get(start..end)?;
        let within = |at: usize| at.saturating_sub(start).min(lines.len());
        let span = |place: &Place| within(place.span.start)..within(place.span.end);
        lines
            .lines()
            .all(|line| line.len() <= LONGEST_LINE)
            .then(|| (lines, span(opening), span(place)))
    }

    /// The first line of a place with what of the place is in it, unless the line is too long to show.
    fn lines_of(&self, place: &Place) -> Option<(&str, Range<usize>)> {
        let start = self.text[..place.span.start]
            .rfind('\n')
            .map_or(0, |found| found + 1);
        let end = self.text[place.span.start..]
            .find('\n')
            .map_or(self.text.len(), |found| place.span.start + found);
        let line = self.text[start..end].trim_end_matches('\r');
        let within = |at: usize| (at - start).min(line.len());
        (line.len() <= LONGEST_LINE).then(|| (line, within(place.span.start)..within(place.span.end)))
    }
}

impl Complaint {
    /// Whether both say the same of the same place, whatever the numbers in it: a bound that is too long under one rule set
    /// is too long by another figure under the next.
    pub fn is_like(&self, other: &Complaint) -> bool {
        let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
        let (mine, theirs) = (self.message.split_whitespace(), other.message.split_whitespace());
        let are_alike = |(one, other): (&str, &str)| one == other || (is_number(one) && is_number(other));
        self.place == other.place
            && mine.clone().count() == theirs.clone().count()
            && mine.zip(theirs).all(are_alike)
    }
}

impl fmt::Display for Complaints {
    /// The plain form of [`render`](Complaints::render).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Complaints {}

impl Place {
    /// The place of these bytes of a text. Bytes that are not there are brought inside.
    pub(crate) fn of(text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |found| found + 1);
        Place {
            span: start..end,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The name nearest to what was written, as a question; or all that there are, when none is near.
pub(crate) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Comparing costs the product of the lengths, for each name.
    const MOST_COMPARED: usize = 2_000;
    let known: Vec<&str> = known.into_iter().take(MOST_COMPARED).collect();
    let nearest = known
        .iter()
        .map(|name| (distance(written, name), *name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(_, name)| is_near(written, name));
    match nearest {
        Some((_, name)) => Some(did_you_mean_it(name)),
        None if known.is_empty() => None,
        None => Some(one_of(&known)),
    }
}

/// The question about one name.
pub(crate) fn did_you_mean_it(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Whether one name may be a slip of the other.
pub(crate) fn is_near(written: &str, name: &str) -> bool {
    distance(written, name) <= 1 + name.len().min(written.len()) / 4
}

/// How many letters are to be changed; many, where the lengths say as much.
fn distance(written: &str, name: &str) -> usize {
    match name.len().abs_diff(written.len()) {
        0..=8 => strsim::damerau_levenshtein(&fold(written), &fold(name)),
        far => far,
    }
}

fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_' && *c != '-')
        .flat_map(char::to_lowercase)
        .collect()
}

fn one_of(known: &[&str]) -> String {
    const MOST_NAMED: usize = 20;
    // A single one is named rather than counted: that is no longer.
    let most = if known.len() == MOST_NAMED + 1 {
        known.len()
    } else {
        MOST_NAMED
    };
    let named: Vec<String> = known.iter().take(most).map(|name| format!("`{name}`")).collect();
    let more = known.len() - named.len();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    match named.as_slice() {
        [only] => format!("there is only {only}"),
        _ => format!("there are {}{rest}", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "first second";

    fn complaint(span: Range<usize>, message: &str) -> Complaint {
        Complaint {
            place: Some(Place::of(TEXT, span)),
            message: message.to_owned(),
            hint: None,
            opening: None,
        }
    }

    fn complaints(list: Vec<Complaint>, untold: usize) -> Complaints {
        Complaints::new("x.ron", TEXT.into(), list, untold)
    }

    #[test]
    fn of_many_names_the_rest_is_counted_and_a_single_one_never_is() {
        let names: Vec<String> = (1..=22).map(|number| format!("name{number}")).collect();
        let of = |count: usize| {
            let known = names.iter().take(count).map(String::as_str);
            did_you_mean("something else", known).expect("there are some")
        };
        assert!(of(20).ends_with("`name19`, `name20`"), "{}", of(20));
        assert!(of(21).ends_with("`name20`, `name21`"), "{}", of(21));
        assert!(of(22).ends_with("`name20` and 2 more"), "{}", of(22));
    }

    #[test]
    fn complaints_are_alike_that_differ_in_nothing_but_figures() {
        let one = complaint(0..5, "it takes 5.33s of quiet");
        assert!(one.is_like(&one));
        assert!(one.is_like(&complaint(0..5, "it takes 850ms of quiet")));
        for other in [
            complaint(6..12, "it takes 5.33s of quiet"),
            complaint(0..5, "it takes ages of quiet"),
            complaint(0..5, "it takes 5.33s of quiet more"),
            complaint(0..5, "it wants 5.33s of quiet"),
        ] {
            assert!(!one.is_like(&other) && !other.is_like(&one), "{other:?}");
        }
        assert!(!complaint(0..5, "`c1` is up").is_like(&complaint(0..5, "`c2` is up")));
    }

    #[test]
    fn merged_complaints_are_in_the_order_of_their_places_and_alike_ones_are_the_first() {
        let (late, early) = (complaint(6..12, "takes 3s"), complaint(0..5, "no such name"));
        // Alike in one list is as the list has it: two figures may be two complaints.
        let twin = complaint(6..12, "takes 4s");
        let first = complaints(vec![late.clone(), twin.clone()], 1);
        let second = complaints(vec![complaint(6..12, "takes 9s"), early.clone()], 3);
        let merged = Complaints::merged([first, second]).expect("there are some");
        assert_eq!(merged.list(), [early, late, twin]);
        assert_eq!((merged.file(), merged.untold), ("x.ron", 3));
        assert!(Complaints::merged([]).is_none());
    }
}
