//! What links and disks are like, and how bad links may be.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use squall_nodes::{HostId, Span, Tolerance};

use super::cast::Cast;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use crate::plan::{Latency, LinkChange, LinkLaw, Network, Zones};

/// How many links may have a law of their own, each entry counted by itself.
pub const MOST_LINKS: usize = 1_000_000;

const LAW: [&str; 5] = ["latency", "loss", "duplicate", "reorder", "reorder_by"];

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
    limit: Span,
) -> Network {
    let mut default = plain_law();
    let mut links = Vec::new();
    if let Some(item) = scenario.get("network") {
        let known: Vec<&str> = LAW.into_iter().chain(["links"]).collect();
        if let Some(fields) = desk.fields(item, "the network", &known) {
            default = read_change(desk, &fields, limit).over(&default);
            if let Some(item) = fields.get("links") {
                links = own_links(desk, item, cast, limit, &default);
            }
        }
    }
    Network {
        default: Arc::new(default),
        zones: Zones::default(),
        links,
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

/// Reads a law of latency.
fn latency(desk: &mut Desk<'_>, item: &Item, limit: Span) -> Option<Latency> {
    let (law, parts) = match (desk.head(item), &item.shape) {
        (Some("Constant"), Shape::Tuple(parts)) if parts.len() == 1 => {
            (Latency::Constant as fn(Span) -> Latency, parts)
        }
        (Some("Uniform"), Shape::Tuple(parts)) if parts.len() == 2 => {
            let low = desk.span(&parts[0]);
            let high = desk.span(&parts[1]);
            let (low, high) = (low?, high?);
            if low > high {
                let hint = format!("write `Uniform(\"{high}\", \"{low}\")`");
                desk.complain(
                    item.span.clone(),
                    "the range of latency runs backwards",
                    Some(hint),
                );
                return None;
            }
            return within_run(desk, &parts[1], high, limit).then_some(Latency::Uniform(low, high));
        }
        (Some(known @ ("Constant" | "Uniform")), _) => {
            let hint = "`Constant(\"3ms\")`, or `Uniform(\"1ms\", \"10ms\")`".to_owned();
            desk.complain(
                item.span.clone(),
                format!("`{known}` does not look like this"),
                Some(hint),
            );
            return None;
        }
        (head, _) => {
            let hint = match head {
                Some(head) => did_you_mean(head, ["Constant", "Uniform"]),
                None => Some("`Constant(\"3ms\")`, or `Uniform(\"1ms\", \"10ms\")`".to_owned()),
            };
            desk.complain(desk.point(item), "this is not a law of latency", hint);
            return None;
        }
    };
    let span = desk.span(&parts[0])?;
    within_run(desk, &parts[0], span, limit).then(|| law(span))
}

fn within_run(desk: &mut Desk<'_>, item: &Item, span: Span, limit: Span) -> bool {
    if span >= limit {
        let hint = format!("the run ends at {limit}");
        desk.complain(
            item.span.clone(),
            "this takes longer than the whole run",
            Some(hint),
        );
    }
    span < limit
}

/// Reads what an entry has in place of a law.
fn read_change<'f>(desk: &mut Desk<'f>, fields: &Fields<'f>, limit: Span) -> LinkChange {
    let mut ratio = |name| fields.get(name).and_then(|item| desk.ratio(item));
    let (loss, duplicate, reorder) = (ratio("loss"), ratio("duplicate"), ratio("reorder"));
    LinkChange {
        loss,
        duplicate,
        reorder,
        latency: fields.get("latency").and_then(|item| latency(desk, item, limit)),
        reorder_by: fields.get("reorder_by").and_then(|item| {
            let by = desk.span(item)?;
            within_run(desk, item, by, limit).then_some(by)
        }),
        ..LinkChange::default()
    }
}

/// Reads `links`: each entry is laid over the default and over the entries before it.
fn own_links<'f>(
    desk: &mut Desk<'f>,
    item: &'f Item,
    cast: &mut Cast,
    limit: Span,
    default: &LinkLaw,
) -> Vec<((HostId, HostId), Arc<LinkLaw>)> {
    // Laws by number, so that a thousand links with the same law share one.
    let mut laws = vec![default.clone()];
    let mut by_link: BTreeMap<(HostId, HostId), usize> = BTreeMap::new();
    let mut room = MOST_LINKS;
    let known: Vec<&str> = ["from", "to"].into_iter().chain(LAW).collect();
    for item in desk.filled_list(item, "links") {
        let Some(fields) = desk.fields(item, "a link", &known) else {
            continue;
        };
        let law = read_change(desk, &fields, limit);
        if LAW.iter().all(|name| fields.get(name).is_none()) {
            let hint = format!("say one of {}", LAW.map(|name| format!("`{name}`")).join(", "));
            desk.complain(desk.point(item), "this says nothing of the link", Some(hint));
        }
        let from = desk
            .required(&fields, "from", "\"a\"")
            .map(|item| cast.hosts(desk, item));
        let to = desk
            .required(&fields, "to", "\"*\"")
            .map(|item| cast.hosts(desk, item));
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let span: Range<usize> = desk.point(item);
        match from
            .len()
            .checked_mul(to.len())
            .and_then(|count| room.checked_sub(count))
        {
            Some(rest) => room = rest,
            None => {
                let hint = "what holds for all links stands in `network` itself".to_owned();
                let message = format!("more than {MOST_LINKS} links with a law of their own");
                desk.complain(span, message, Some(hint));
                continue;
            }
        }
        if !from.is_empty() && !to.is_empty() && from.iter().all(|a| to.iter().all(|b| a == b)) {
            let hint = "what a host sends to itself crosses no link".to_owned();
            desk.complain(span, "a link leads from a host to another", Some(hint));
            continue;
        }
        let mut laid_over: BTreeMap<usize, usize> = BTreeMap::new();
        for (a, b) in from
            .iter()
            .flat_map(|a| to.iter().map(move |b| (*a, *b)))
            .filter(|(a, b)| a != b)
        {
            let before = by_link.get(&(a, b)).copied().unwrap_or(0);
            let after = *laid_over.entry(before).or_insert_with(|| {
                laws.push(law.over(&laws[before]));
                laws.len() - 1
            });
            by_link.insert((a, b), after);
        }
    }
    let laws: Vec<Arc<LinkLaw>> = laws.into_iter().map(Arc::new).collect();
    by_link
        .into_iter()
        .map(|(link, law)| (link, Arc::clone(&laws[law])))
        .collect()
}
