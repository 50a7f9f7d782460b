//! A deployment file that was read: its text, and where everything in it stands.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::scenario::complaint::{Complaints, did_you_mean};
use crate::scenario::desk::{Desk, Fields};
use crate::scenario::file::{self as scenario, read_text, story, well_formed};
use crate::scenario::places::Item;

/// The format that is read.
pub const FORMAT: u64 = 1;

/// All fields of a deployment.
pub(super) const FIELDS: &[&str] = &[
    "format", "protocol", "rules", "profile", "name", "role", "address", "config", "data", "seed", "record",
    "http", "control", "lines", "bounds", "streams", "tls",
];

/// A deployment file, read and found to be well-formed. Whether it makes sense shows when it is resolved.
#[derive(Clone, Debug)]
pub struct DeploymentFile {
    name: String,
    text: Arc<str>,
    root: Item,
    protocol: String,
}

impl DeploymentFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, or the complaints of [`parse`](DeploymentFile::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Complaints> {
        let (name, text) = read_text(path.as_ref())?;
        DeploymentFile::parse(&name, text)
    }

    /// Takes in the text of a file; `name` is what it is called in complaints.
    ///
    /// # Errors
    ///
    /// The first thing that is not RON, with its place; or that it is no node of any protocol. What else may be wrong is for
    /// [`resolve`](super::resolve()) to find, all at once.
    pub fn parse(name: &str, text: String) -> Result<Self, Complaints> {
        // Some editors put a byte order mark ahead of all text; it says nothing.
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        let root = well_formed(name, &text)?;
        let mut desk = Desk::new(&text);
        let protocol = review(&mut desk, &root).unwrap_or_default();
        // Without a protocol nobody can resolve the file. All else is said again there, with what is wrong besides.
        if protocol.is_empty() {
            desk.close(name, &text)?;
        }
        Ok(DeploymentFile {
            name: name.to_owned(),
            root,
            protocol,
            text,
        })
    }

    /// What the file is called: its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The protocol that the file names. Whether there is such a one, the file does not know.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The complaint about a protocol that nobody knows.
    pub fn unknown_protocol<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Complaints {
        let mut desk = Desk::new(&self.text);
        let span = self
            .root
            .find(&self.text, "protocol")
            .map_or(0..0, |item| item.span.clone());
        let message = format!("there is no protocol `{}`", self.protocol);
        desk.complain(span, message.clone(), did_you_mean(&self.protocol, known));
        match desk.close(&self.name, &self.text) {
            Err(complaints) => complaints,
            Ok(()) => Complaints::about_all(&self.name, message, None),
        }
    }

    /// The comment that the file opens with, without its slashes.
    pub(super) fn story(&self) -> String {
        story(&self.text)
    }

    /// Where the file says a setting, if it does.
    pub(super) fn place_of_setting(&self, field: &str) -> Option<Range<usize>> {
        let item = self.root.field(&self.text, "config")?.find(&self.text, field)?;
        Some(item.span.clone())
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The fields, after a complaint about everything that the file has wrong about itself.
    pub(super) fn fields<'f>(&'f self, desk: &mut Desk<'f>) -> Option<Fields<'f>> {
        desk.inspect(&self.root);
        review(desk, &self.root);
        fields_of(desk, &self.root)
    }
}

/// The fields of a node. One that only scenarios have is told as that.
fn fields_of<'f>(desk: &mut Desk<'f>, root: &'f Item) -> Option<Fields<'f>> {
    let hint = |name: &str| match name {
        "hosts" => Some("a file is for one node: its `name`, `role` and `address`".to_owned()),
        name if scenario::FIELDS.contains(&name) => Some(format!(
            "`{name}` is for scenarios, which are played by `run` and `live`; a node lives with what is there"
        )),
        _ => None,
    };
    desk.fields_hinted(root, "a node", FIELDS, hint)
}

/// Complains about what no deployment of any protocol may be, and finds the protocol's name.
fn review<'f>(desk: &mut Desk<'f>, root: &'f Item) -> Option<String> {
    match desk.head(root) {
        Some("Scenario") => {
            let hint = "a scenario is played by `run`, or by `live` on live nodes; a node has a file of its own: `Node(…)`".to_owned();
            desk.complain(desk.point(root), "this is a scenario, not a node", Some(hint));
            return None;
        }
        Some(head) if head != "Node" => {
            desk.complain(desk.point(root), "a file holds a `Node(…)`", None);
            return None;
        }
        _ => {}
    }
    let fields = fields_of(desk, root)?;
    let format = fields.get("format");
    if let Some(format) = format.filter(|item| desk.slice(item) != FORMAT.to_string()) {
        let written = desk.slice(format);
        let message = format!("this is format `{written}`, and what is read here is format {FORMAT}");
        let hint =
            format!("a newer Squall may read it; a file without `format` is taken for format {FORMAT}");
        desk.complain(format.span.clone(), message, Some(hint));
    }
    let item = desk.required(&fields, "protocol", "\"hac\"")?;
    if desk.slice(item) == "\"\"" {
        desk.complain(item.span.clone(), "a protocol has a name", None);
    }
    desk.text(item, "a protocol's name")
}
