//! A scenario file that was read: its text, where everything in it stands, and what it says about itself. What it
//! says about the protocol is [`resolve`](super::resolve())d when the protocol is known.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use squall_nodes::ron_options;

use super::complaint::{Complaints, Place, did_you_mean};
use super::desk::{Desk, Fields, fragment, offset_of};
use super::places::{Item, Shape};

/// The largest file that is read, in bytes: 1 MiB.
pub const LARGEST: usize = 1 << 20;

/// How many tags a file may have.
const MOST_TAGS: usize = 64;

/// The format that is read.
pub const FORMAT: u64 = 1;

/// All fields of a scenario.
pub(crate) const FIELDS: &[&str] = &[
    "format",
    "protocol",
    "profile",
    "config",
    "hosts",
    "network",
    "persist",
    "tolerated",
    "live",
    "timeline",
    "workload",
    "limit",
    "max_events",
    "invariants",
    "without",
    "measures",
    "expect",
    "tags",
    "seed",
    "scenery",
    "flaw",
];

/// A scenario file, read and found to be well-formed. Whether it makes sense shows when it is resolved.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    name: String,
    text: Arc<str>,
    root: Item,
    story: String,
    protocol: String,
    tags: Vec<String>,
    seed: u64,
    scenery: Vec<usize>,
    flaw: Flaw,
}

/// What the flaw that a file tagged `flaw` tells of needs in order to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Without the timeline, every rule set holds.
    #[default]
    NeedsFaults,
    /// It shows without a timeline too.
    NeedsNoFault,
}

impl ScenarioFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, or the complaints of [`parse`](ScenarioFile::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Complaints> {
        let (name, text) = read_text(path.as_ref())?;
        ScenarioFile::parse(&name, text)
    }

    /// Takes in the text of a file; `name` is what it is called in complaints and results.
    ///
    /// # Errors
    ///
    /// The first thing that is not RON, with its place; or that it is no scenario of any protocol. What else may be wrong
    /// is for [`resolve`](super::resolve()) to find, all at once.
    pub fn parse(name: &str, text: String) -> Result<Self, Complaints> {
        if text.len() > LARGEST {
            return Err(too_large(name));
        }
        // Some editors put a byte order mark ahead of all text; it says nothing.
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        let root = well_formed(name, &text)?;
        let mut desk = Desk::new(&text);
        let About {
            protocol,
            tags,
            seed,
            scenery,
            flaw,
        } = About::read(&mut desk, &root);
        // Without a protocol nobody can resolve the file. All else is said again there, with what is wrong besides.
        if protocol.is_empty() {
            desk.close(name, &text)?;
        }
        let story = story(&text);
        Ok(ScenarioFile {
            name: name.to_owned(),
            story,
            protocol,
            tags,
            seed,
            scenery,
            flaw,
            root,
            text,
        })
    }

    /// What the file is called: its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, byte for byte but for a byte order mark ahead of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The comment that the file opens with, without its slashes; empty when there is none.
    pub fn story(&self) -> &str {
        &self.story
    }

    /// The protocol that the file names. Whether there is such a one, the file does not know.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// What the file is for.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Whether the file has a tag.
    pub fn is_tagged(&self, tag: &str) -> bool {
        self.tags.iter().any(|has| has == tag)
    }

    /// The seed that a single run takes when none is given; 0 unless the file says otherwise.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The entries of the timeline, counted from 0, that can be taken away without a change of the verdict.
    pub fn scenery(&self) -> &[usize] {
        &self.scenery
    }

    /// What the flaw that the file tells of needs in order to show.
    pub fn flaw(&self) -> Flaw {
        self.flaw
    }

    /// Where the value at a path such as `hosts[1].role` or `timeline[0]` stands in the text.
    pub fn place(&self, path: &str) -> Option<Place> {
        self.root
            .find(&self.text, path)
            .map(|item| Place::of(&self.text, item.span.clone()))
    }

    /// The complaint about a protocol that nobody knows.
    pub fn unknown_protocol<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Complaints {
        let mut desk = Desk::new(&self.text);
        let span = self
            .root
            .find(&self.text, "protocol")
            .map_or(0..0, |item| item.span.clone());
        desk.complain(
            span,
            format!("there is no protocol `{}`", self.protocol),
            did_you_mean(&self.protocol, known),
        );
        match desk.close(&self.name, &self.text) {
            Err(complaints) => complaints,
            Ok(()) => Complaints::about_all(&self.name, "unknown protocol".to_owned(), None),
        }
    }

    /// Leaves a complaint about everything that the file has wrong about itself.
    pub(super) fn review<'f>(&'f self, desk: &mut Desk<'f>) {
        desk.inspect(&self.root);
        About::read(desk, &self.root);
    }

    pub(super) fn root(&self) -> &Item {
        &self.root
    }

    pub(super) fn shared_text(&self) -> &Arc<str> {
        &self.text
    }
}

/// The text of a file, and what the file is called.
pub(crate) fn read_text(path: &Path) -> Result<(String, String), Complaints> {
    let name = path.display().to_string();
    // Who opens a pipe waits for somebody at its other end. One that is named otherwise was meant to be read from.
    let is_named_so = path.extension().is_some_and(|extension| extension == "ron");
    if is_named_so && fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let hint =
            "it has to be a plain file; a pipe can be read from under a name without `.ron`".to_owned();
        let message = "is a pipe, a socket or a device, and no file".to_owned();
        return Err(Complaints::about_all(&name, message, Some(hint)));
    }
    let mut bytes = Vec::new();
    // One byte beyond the bound is enough to know; a device that never ends is not read to its end.
    File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(|why| Complaints::about_all(&name, format!("cannot be read: {why}"), None))?;
    if bytes.len() > LARGEST {
        return Err(too_large(&name));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("line {line} is not UTF-8");
            let hint = "save it as UTF-8".to_owned();
            Err(Complaints::about_all(&name, message, Some(hint)))
        }
    }
}

pub(crate) fn too_large(name: &str) -> Complaints {
    let hint =
        "a file fits in 1 MiB; in a scenario, ranges such as `\"c1..c100\"` and `Every(…)` keep it short"
            .to_owned();
    Complaints::about_all(name, "larger than 1 MiB".to_owned(), Some(hint))
}

/// Reads the text by our own reader, which finds the places and bounds the nesting, then by the library, whose word is law.
pub(crate) fn well_formed(name: &str, text: &Arc<str>) -> Result<Item, Complaints> {
    let complaint = |span, message: String, hint, opening| {
        let mut desk = Desk::new(text);
        desk.complain_within(span, message.clone(), hint, opening);
        match desk.close(name, text) {
            Err(complaints) => complaints,
            Ok(()) => Complaints::about_all(name, message, None),
        }
    };
    let root =
        Item::read(text).map_err(|wrong| complaint(wrong.span, wrong.message, wrong.hint, wrong.opening))?;
    // Each of our levels is at most two of the library's.
    let options = ron_options().with_recursion_limit(2 * super::places::DEEPEST + 2);
    if let Err(error) = options.from_str::<serde::de::IgnoredAny>(text) {
        let from = offset_of(text, error.span.start.line, error.span.start.col);
        let to = offset_of(text, error.span.end.line, error.span.end.col);
        return Err(complaint(from..to, fragment(&error.code.to_string()), None, None));
    }
    Ok(root)
}

/// What a file says about itself.
#[derive(Default)]
struct About {
    protocol: String,
    tags: Vec<String>,
    seed: u64,
    scenery: Vec<usize>,
    flaw: Flaw,
}

impl About {
    fn read<'f>(desk: &mut Desk<'f>, root: &'f Item) -> Self {
        let mut about = About::default();
        match desk.head(root) {
            Some("Node") => {
                let hint =
                    "a live node is run by `node`: `squall node FILE`; a scenario has a file of its own: `Scenario(…)`".to_owned();
                let message = "this is the file of a live node, not a scenario";
                desk.complain(desk.point(root), message, Some(hint));
                return about;
            }
            Some(head) if head != "Scenario" => {
                desk.complain(desk.point(root), "a file holds a `Scenario(…)`", None);
                return about;
            }
            _ => {}
        }
        let Some(fields) = desk.fields(root, "a scenario", FIELDS) else {
            return about;
        };
        if let Some(format) = fields
            .get("format")
            .filter(|item| desk.slice(item) != FORMAT.to_string())
        {
            let message = format!(
                "this is format `{}`, and what is read here is format {FORMAT}",
                desk.slice(format)
            );
            let hint =
                format!("a newer Squall may read it; a file without `format` is taken for format {FORMAT}");
            desk.complain(format.span.clone(), message, Some(hint));
        }
        if let Some(item) = desk.required(&fields, "protocol", "\"hac\"") {
            about.protocol = desk.text(item, "a protocol's name").unwrap_or_default();
            if desk.slice(item) == "\"\"" {
                desk.complain(item.span.clone(), "a protocol has a name", None);
            }
        }
        desk.required(&fields, "hosts", "[(name: \"a\", role: …)]");
        if let Some(item) = fields.get("seed") {
            about.seed = desk.whole(item, 0..=u64::MAX).unwrap_or_default();
        }
        about.tags(desk, &fields);
        about.account(desk, &fields);
        about
    }

    fn tags<'f>(&mut self, desk: &mut Desk<'f>, fields: &Fields<'f>) {
        let Some(item) = fields.get("tags") else { return };
        let items = desk.list(item, "tags");
        if items.len() > MOST_TAGS {
            let span = item.span.start..item.span.start + 1;
            return desk.complain(span, format!("a file has at most {MOST_TAGS} tags"), None);
        }
        for item in items {
            let Some(tag) = desk.text(item, "a tag") else {
                continue;
            };
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            if tag.is_empty() || tag.len() > 64 || !tag.chars().all(word) {
                let hint =
                    "a tag is a word of small letters, digits, `-` and `_`, such as `\"scale\"`".to_owned();
                desk.complain(item.span.clone(), "this is not a tag", Some(hint));
            } else if self.tags.contains(&tag) {
                desk.complain(
                    item.span.clone(),
                    format!("the tag `{tag}` is written twice"),
                    None,
                );
            } else {
                self.tags.push(tag);
            }
        }
    }

    /// What a file that tells of a flaw says about its own timeline.
    fn account<'f>(&mut self, desk: &mut Desk<'f>, fields: &Fields<'f>) {
        let entries = fields.get("timeline").map_or(0, |item| item.items().len());
        if let Some(item) = fields.get("scenery") {
            let mut named = BTreeSet::new();
            for item in desk.filled_list(item, "entries of the timeline") {
                let Some(entry) = desk.whole(item, 0..=u64::MAX) else {
                    continue;
                };
                let index = entry as usize;
                if index >= entries {
                    let hint = match entries {
                        0 => "the timeline is empty".to_owned(),
                        _ => format!("entries are counted from 0, and the last one is {}", entries - 1),
                    };
                    desk.complain(
                        item.span.clone(),
                        format!("the timeline has no entry {entry}"),
                        Some(hint),
                    );
                } else if !named.insert(index) {
                    desk.complain(item.span.clone(), format!("entry {entry} is named twice"), None);
                } else {
                    self.scenery.push(index);
                }
            }
        }
        if let Some(item) = fields.get("flaw") {
            match (&item.shape, desk.head(item)) {
                (Shape::Word, Some("NeedsFaults")) => self.flaw = Flaw::NeedsFaults,
                (Shape::Word, Some("NeedsNoFault")) => self.flaw = Flaw::NeedsNoFault,
                (_, head) => {
                    let hint = did_you_mean(head.unwrap_or_default(), ["NeedsFaults", "NeedsNoFault"]);
                    desk.complain(item.span.clone(), "this does not say what the flaw needs", hint);
                }
            }
        }
        for name in ["scenery", "flaw"] {
            if let Some(item) = fields
                .get(name)
                .filter(|_| !self.tags.iter().any(|tag| tag == "flaw"))
            {
                let hint = "add `tags: [\"flaw\"]`, or take this away".to_owned();
                let message =
                    format!("`{name}` is for files that tell of a flaw, and this one is not tagged so");
                desk.complain(item.span.clone(), message, Some(hint));
            }
        }
    }
}

/// The comments ahead of everything else, as one text.
pub(crate) fn story(text: &str) -> String {
    let mut lines = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("//") {
            let end = comment.find('\n').unwrap_or(comment.len());
            lines.push(comment[..end].trim_start_matches(['/', '!']).trim());
            // An empty line ends the story: what follows it is about the file's first lines.
            rest = comment[end..]
                .strip_prefix('\n')
                .unwrap_or("")
                .trim_start_matches([' ', '\t']);
        } else if let Some((comment, after)) = rest.strip_prefix("/*").and_then(|rest| rest.split_once("*/"))
        {
            lines.extend(
                comment
                    .lines()
                    .map(|line| line.trim().trim_start_matches('*').trim()),
            );
            rest = after.trim_start();
        } else {
            break;
        }
    }
    lines.join("\n").trim().to_owned()
}
