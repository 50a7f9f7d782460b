//! What links and disks are like, and how bad links may be.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::{HostId, Span, Tolerance};

use super::cast::Cast;
use super::desk::{Desk, Fields};
use super::latencies::latency;
use super::laws::{LawBook, Laws, PARTS};
use super::places::Item;
use super::streams::streams;
use crate::plan::{Latency, LinkLaw, Network};

/// How much later things may come in a live run whose file does not say.
const LIVE_TOLERANCE: Span = Span::from_millis(100);

/// The law of links in a file that says nothing of them.
pub(super) fn plain_law() -> LinkLaw {
    LinkLaw {
        latency: Latency::Uniform(Span::from_millis(1), Span::from_millis(10)),
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        reorder_by: Span::from_millis(20),
        corrupt: 0.0,
        bandwidth: None,
        queue: LinkLaw::QUEUE,
        mtu: None,
    }
}

/// Reads `network`.
pub(super) fn network<'f>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &mut Cast,
    laws: &mut Laws,
) -> Network {
    let known: Vec<&str> = PARTS.into_iter().chain(["zones", "links", "streams"]).collect();
    let fields = scenario
        .get("network")
        .and_then(|item| desk.fields(item, "the network", &known));
    let default = match &fields {
        Some(fields) => laws.change(desk, fields).over(&plain_law()),
        None => plain_law(),
    };
    let part = |name| fields.and_then(|fields| fields.get(name));
    let mut book = LawBook::new(default);
    let hosts = cast.hosts_known();
    let by_zones = cast.zones.laws(desk, part("zones"), hosts, laws, &mut book);
    let by_link = part("links").map_or(BTreeMap::new(), |item| {
        own_links(desk, item, cast, laws, &mut book, &by_zones)
    });
    let streams = streams(desk, part("streams"));
    let book = book.into_shared();
    let law = |number: usize| Arc::clone(&book[number]);
    let by_zones = by_zones.into_iter().map(|(zones, number)| (zones, law(number)));
    Network {
        default: law(LawBook::DEFAULT),
        zones: cast.zones.planned(by_zones.collect()),
        links: by_link
            .into_iter()
            .map(|(link, number)| (link, law(number)))
            .collect(),
        streams,
    }
}

/// Reads `persist`: how long a write to a disk takes.
pub(super) fn persist<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>, limit: Span) -> Latency {
    let written = scenario
        .get("persist")
        .and_then(|item| latency(desk, item, limit));
    written.unwrap_or(Latency::Uniform(Span::from_micros(500), Span::from_millis(2)))
}

/// Reads `tolerated`; where the file does not say, a third of the shortest timeout and a loss of 5 %.
pub(super) fn tolerated<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>, shortest: Span) -> Tolerance {
    let mut tolerated = Tolerance {
        loss: 0.05,
        latency: shortest / 3,
    };
    let fields = scenario
        .get("tolerated")
        .and_then(|item| desk.fields(item, "what is tolerated", &["loss", "latency"]));
    let Some(fields) = fields else { return tolerated };
    if let Some(item) = fields.get("loss")
        && let Some(loss) = desk.ratio(item)
    {
        if loss >= 1.0 {
            let hint = "a network that loses everything promises nothing".to_owned();
            desk.complain(
                item.span.clone(),
                "the loss that is tolerated is below 1",
                Some(hint),
            );
        } else {
            tolerated.loss = loss;
        }
    }
    if let Some(item) = fields.get("latency")
        && let Some(latency) = desk.span(item)
    {
        tolerated.latency = latency;
    }
    tolerated
}

/// Reads `live`: how a live run is judged.
pub(super) fn live_tolerance<'f>(desk: &mut Desk<'f>, scenario: &Fields<'f>) -> Span {
    let fields = scenario
        .get("live")
        .and_then(|item| desk.fields(item, "how it is played live", &["tolerance"]));
    let written = fields.and_then(|fields| fields.get("tolerance").and_then(|item| desk.span(item)));
    written.unwrap_or(LIVE_TOLERANCE)
}

/// Reads `links`: each entry is laid over what zones say and over the entries before it.
fn own_links<'f>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    cast: &mut Cast,
    laws: &mut Laws,
    book: &mut LawBook,
    by_zones: &BTreeMap<(u32, u32), usize>,
) -> BTreeMap<(HostId, HostId), usize> {
    let mut by_link: BTreeMap<(HostId, HostId), usize> = BTreeMap::new();
    let known: Vec<&str> = ["from", "to"].into_iter().chain(PARTS).collect();
    for item in desk.filled_list(item, "links") {
        let Some(fields) = desk.fields(item, "a link", &known) else {
            continue;
        };
        let change = laws.change(desk, &fields);
        laws.says_something(desk, &fields);
        let from = desk
            .required(&fields, "from", "\"a\"")
            .map(|item| cast.hosts(desk, item));
        let to = desk
            .required(&fields, "to", "\"*\"")
            .map(|item| cast.hosts(desk, item));
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let span = desk.point(item);
        if !laws.spend(desk, span.clone(), from.len(), to.len()) {
            continue;
        }
        if !from.is_empty() && !to.is_empty() && from.iter().all(|a| to.iter().all(|b| a == b)) {
            let hint = "for what a host sends to itself, `network` and `zones` speak".to_owned();
            desk.complain(span, "a link leads from a host to another", Some(hint));
            continue;
        }
        let mut over = book.over(change);
        for (a, b) in from
            .iter()
            .flat_map(|a| to.iter().map(move |b| (*a, *b)))
            .filter(|(a, b)| a != b)
        {
            let of_zones = || {
                let zones = (cast.zones.of(a)?, cast.zones.of(b)?);
                by_zones.get(&zones).copied()
            };
            let own = by_link.get(&(a, b)).copied();
            let below = own.or_else(of_zones).unwrap_or(LawBook::DEFAULT);
            by_link.insert((a, b), over.law(below));
        }
    }
    by_link
}
