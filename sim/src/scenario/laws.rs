//! What a link does to datagrams, as files write it part by part.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use squall_nodes::Span;

use super::desk::{Desk, Fields};
use super::latencies::{latency, within_run};
use super::places::{Item, Shape};
use crate::plan::{HEADERS, LinkChange, LinkLaw};

/// How many links may have laws of their own, each entry of the network and each `Link` of the timeline counted in full.
pub const MOST_LINKS: usize = 1_000_000;

/// The parts of a law.
pub(super) const PARTS: [&str; 9] = [
    "latency",
    "loss",
    "duplicate",
    "reorder",
    "reorder_by",
    "corrupt",
    "bandwidth",
    "queue",
    "mtu",
];

/// The least packet that carries anything, and the greatest that there can be, in bytes.
const PACKETS: std::ops::RangeInclusive<u64> = HEADERS + 1..=65_535;

/// The units of a bandwidth, and how many bits a second each is; the least comes first.
pub(super) const BANDWIDTHS: [(&str, u64); 4] = [
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
];

/// The units of a size, and how many bytes each is; the least comes first.
pub(crate) const SIZES: [(&str, u64); 5] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
];

/// What is to be known of all laws of a file together while they are read.
pub(super) struct Laws {
    limit: Span,
    /// How many links may still get a law.
    room: usize,
    /// Where the file names queues.
    queues: Vec<Range<usize>>,
    /// How often it names a bandwidth.
    bandwidths: usize,
}

impl Laws {
    /// For a run of this length.
    pub(super) fn new(limit: Span) -> Self {
        Laws {
            limit,
            room: MOST_LINKS,
            queues: Vec::new(),
            bandwidths: 0,
        }
    }

    /// Reads what an entry has in place of a law.
    pub(super) fn change<'f>(&mut self, desk: &mut Desk<'f>, fields: &Fields<'f>) -> LinkChange {
        let limit = self.limit;
        let mut ratio = |name| fields.get(name).and_then(|item| desk.ratio(item));
        let (loss, duplicate, reorder, corrupt) = (
            ratio("loss"),
            ratio("duplicate"),
            ratio("reorder"),
            ratio("corrupt"),
        );
        self.bandwidths += usize::from(fields.get("bandwidth").is_some());
        self.queues
            .extend(fields.get("queue").map(|item| item.span.clone()));
        LinkChange {
            latency: fields.get("latency").and_then(|item| latency(desk, item, limit)),
            loss,
            duplicate,
            reorder,
            reorder_by: fields.get("reorder_by").and_then(|item| {
                let by = desk.span(item)?;
                within_run(desk, item, by, limit).then_some(by)
            }),
            corrupt,
            bandwidth: fields.get("bandwidth").and_then(|item| bandwidth(desk, item)),
            queue: fields.get("queue").and_then(|item| queue(desk, item)),
            mtu: fields.get("mtu").and_then(|item| mtu(desk, item)),
        }
    }

    /// Complains when an entry has no part of a law.
    pub(super) fn says_something<'f>(&self, desk: &mut Desk<'f>, fields: &Fields<'f>) {
        if PARTS.iter().all(|name| fields.get(name).is_none()) {
            let hint = format!("say one of {}", PARTS.map(|name| format!("`{name}`")).join(", "));
            let span = desk.point(fields.item);
            desk.complain(span, "this says nothing of the link", Some(hint));
        }
    }

    /// Counts links that get a law, from each of so many to each of so many others, and says whether there may be so many.
    pub(super) fn spend(&mut self, desk: &mut Desk<'_>, span: Range<usize>, from: usize, to: usize) -> bool {
        match from
            .checked_mul(to)
            .and_then(|count| self.room.checked_sub(count))
        {
            Some(rest) => {
                self.room = rest;
                true
            }
            None => {
                let hint = "what holds for all links stands in `network` itself".to_owned();
                let message = format!("more than {MOST_LINKS} links with a law of their own");
                desk.complain(span, message, Some(hint));
                false
            }
        }
    }

    /// The end of the reading: a queue is one of datagrams that wait for a bandwidth.
    pub(super) fn close(self, desk: &mut Desk<'_>) {
        if self.bandwidths > 0 {
            return;
        }
        for span in self.queues {
            let hint = "no link in this file has a `bandwidth`: add one, or take this away".to_owned();
            desk.complain(span, "nothing ever waits in this queue", Some(hint));
        }
    }
}

/// The laws of a network by number, so that a thousand links with the same law share one.
pub(super) struct LawBook {
    laws: Vec<LinkLaw>,
}

/// A change that is being laid over laws.
pub(super) struct Over<'b> {
    book: &'b mut LawBook,
    change: LinkChange,
    /// What has become of each law that it was laid over.
    laid: BTreeMap<usize, usize>,
}

impl LawBook {
    /// The law of links of which nothing else is said.
    pub(super) const DEFAULT: usize = 0;

    pub(super) fn new(default: LinkLaw) -> Self {
        LawBook { laws: vec![default] }
    }

    /// Begins to lay a change over laws.
    pub(super) fn over(&mut self, change: LinkChange) -> Over<'_> {
        Over {
            book: self,
            change,
            laid: BTreeMap::new(),
        }
    }

    /// The laws, by their numbers.
    pub(super) fn into_shared(self) -> Vec<Arc<LinkLaw>> {
        self.laws.into_iter().map(Arc::new).collect()
    }
}

impl Over<'_> {
    /// The number of the law that another one becomes.
    pub(super) fn law(&mut self, below: usize) -> usize {
        let laws = &mut self.book.laws;
        *self.laid.entry(below).or_insert_with(|| {
            let law = self.change.over(&laws[below]);
            laws.push(law);
            laws.len() - 1
        })
    }
}

fn bandwidth(desk: &mut Desk<'_>, item: &Item) -> Option<u64> {
    let bits = amount(desk, item, "a bandwidth", "10Mbit/s", &BANDWIDTHS)?;
    if bits == 0 {
        let hint = "`loss: 1.0`, or a cut, is what lets nothing through".to_owned();
        desk.complain(item.span.clone(), "a bandwidth is more than nothing", Some(hint));
    }
    (bits > 0).then_some(bits)
}

fn queue(desk: &mut Desk<'_>, item: &Item) -> Option<u64> {
    let bytes = amount(desk, item, "a size", "64KiB", &SIZES)?;
    if bytes < *PACKETS.start() {
        let hint = format!("a datagram has {HEADERS} bytes of headers besides what it carries");
        desk.complain(
            item.span.clone(),
            "no datagram finds room in this queue",
            Some(hint),
        );
    }
    (bytes >= *PACKETS.start()).then_some(bytes)
}

fn mtu(desk: &mut Desk<'_>, item: &Item) -> Option<u32> {
    let read = (item.shape == Shape::Number).then(|| desk.slice(item).parse::<u64>().ok());
    if read.flatten().is_some_and(|bytes| bytes < *PACKETS.start()) {
        let hint = format!(
            "the whole packet is counted, and {HEADERS} bytes of it are headers: at least {}",
            PACKETS.start()
        );
        desk.complain(item.span.clone(), "no datagram is as short as this", Some(hint));
        return None;
    }
    let bytes = desk.whole(item, PACKETS)?;
    u32::try_from(bytes).ok()
}

/// A whole number with a unit, in quotes, in the least of the units.
pub(crate) fn amount(
    desk: &mut Desk<'_>,
    item: &Item,
    what: &str,
    example: &str,
    units: &[(&str, u64)],
) -> Option<u64> {
    let names: Vec<String> = units.iter().map(|(name, _)| format!("`{name}`")).collect();
    let hint = format!(
        "a whole number and one of {}, such as `\"{example}\"`",
        names.join(", ")
    );
    if item.shape != Shape::Text {
        let message = format!("expected {what}: a number and a unit, in quotes");
        desk.complain(item.span.clone(), message, Some(hint));
        return None;
    }
    let written: String = desk.typed(item)?;
    let text = written.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let size = units.iter().find(|(name, _)| *name == unit.trim_start());
    let count = digits.parse::<u64>().ok();
    let amount = size
        .zip(count)
        .and_then(|((_, size), count)| count.checked_mul(*size));
    if amount.is_none() {
        let shown: String = written.chars().take(64).collect();
        desk.complain(item.span.clone(), format!("`{shown}` is not {what}"), Some(hint));
    }
    amount
}
