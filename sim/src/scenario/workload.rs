//! What clients and operators ask, and when.

use squall_nodes::{HostId, Node, Protocol, Span, Time};

use super::cast::Cast;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::Item;
use super::timeline::entries;
use super::triggers::{repeated, time};
use crate::plan::{Target, Work};

/// Reads `workload`.
pub(super) fn workload<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    scenario: &Fields<'f>,
    cast: &mut Cast,
    limit: Span,
) -> Vec<Work<P::Node>> {
    let mut works = Vec::new();
    for item in entries(desk, scenario, "workload") {
        match desk.head(item) {
            Some("At") => {
                let Some(fields) = desk.fields(item, "`At`", &["time", "of", "command"]) else {
                    continue;
                };
                let at = desk
                    .required(&fields, "time", "\"2s\"")
                    .and_then(|item| time(desk, item, limit));
                let asked = asked::<P>(desk, &fields, cast);
                if let (Some(first), Some((of, command, label))) = (at, asked) {
                    // The end is not reached, so that the one time is in it.
                    works.push(Work {
                        first,
                        interval: None,
                        until: Time::ZERO + limit,
                        of,
                        command,
                        label,
                    });
                }
            }
            Some("Every") => {
                let known = ["interval", "from", "until", "of", "command"];
                let Some(fields) = desk.fields(item, "`Every`", &known) else {
                    continue;
                };
                let times = repeated(desk, &fields, limit);
                let asked = asked::<P>(desk, &fields, cast);
                if let (Some(times), Some((of, command, label))) = (times, asked) {
                    let (first, until) = (times.first, times.until);
                    works.push(Work {
                        first,
                        interval: Some(times.interval),
                        until,
                        of,
                        command,
                        label,
                    });
                }
            }
            head => {
                let hint = did_you_mean(head.unwrap_or_default(), ["At", "Every"]);
                desk.complain(
                    desk.point(item),
                    "an entry of the workload says when something is asked",
                    hint,
                );
            }
        }
    }
    works
}

type Asked<P> = (Vec<HostId>, <<P as Protocol>::Node as Node>::Command, String);

/// Whom, what, and how reports name it.
fn asked<'f, P: Protocol>(desk: &mut Desk<'f>, fields: &Fields<'f>, cast: &mut Cast) -> Option<Asked<P>> {
    let before = desk.count();
    let item: Option<&Item> = desk.required(fields, "of", "\"*\"");
    let of = item.map_or(Vec::new(), |item| cast.hosts(desk, item));
    let item = desk.required(fields, "command", "…")?;
    let command = desk.typed::<<P::Node as Node>::Command>(item)?;
    if desk.count() > before {
        return None;
    }
    let targets: Vec<Target> = of.iter().map(|host| Target::Host(*host)).collect();
    let words: Vec<&str> = desk.slice(item).split_whitespace().collect();
    let label = format!("{} of {}", words.join(" "), cast.label(&targets));
    Some((of, command, label))
}
