//! When things happen: times, again and again, and what a node does first.

use squall_nodes::{Fact, Node, Protocol, Span, Time};

use super::cast::Cast;
use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use crate::plan::{Cue, Trigger};

/// How many times an `Every` may happen, and how often something may flap.
pub const MOST_TIMES: u64 = 1_000_000;
/// The shortest interval of an `Every`, and of what flaps.
pub const SHORTEST_INTERVAL: Span = Span::from_micros(1);

/// A time before the end of the run.
pub(super) fn time(desk: &mut Desk<'_>, item: &Item, limit: Span) -> Option<Time> {
    let at = desk.span(item)?;
    if at >= limit {
        let hint = format!("the run ends at {limit}: move it ahead, or raise `limit`");
        desk.complain(
            item.span.clone(),
            format!("{at} is not before the end of the run"),
            Some(hint),
        );
        return None;
    }
    Some(Time::ZERO + at)
}

/// When something happens again and again.
pub(super) struct Times {
    pub(super) first: Time,
    pub(super) interval: Span,
    pub(super) until: Time,
}

/// The times of an `Every`: from one interval after the beginning to the end of the run, unless it says otherwise.
pub(super) fn repeated<'f>(desk: &mut Desk<'f>, fields: &Fields<'f>, limit: Span) -> Option<Times> {
    let item = desk.required(fields, "interval", "\"1s\"");
    let interval = item.and_then(|item| {
        let interval = desk.span(item)?;
        if interval < SHORTEST_INTERVAL {
            let hint = format!("the shortest interval is {SHORTEST_INTERVAL}");
            desk.complain(
                item.span.clone(),
                format!("every {interval} is too often"),
                Some(hint),
            );
            return None;
        }
        Some(interval)
    });
    let first = match fields.get("from") {
        Some(item) => time(desk, item, limit),
        None => interval.map(|interval| Time::ZERO + interval),
    };
    let until = match fields.get("until") {
        Some(item) => {
            let until = desk.span(item)?;
            if until > limit {
                let hint = format!("the run ends at {limit}, and so does this when `until` is left out");
                desk.complain(
                    item.span.clone(),
                    format!("{until} is after the end of the run"),
                    Some(hint),
                );
                return None;
            }
            Time::ZERO + until
        }
        None => Time::ZERO + limit,
    };
    let (interval, first) = (interval?, first?);
    let place = fields
        .get("until")
        .or(fields.get("from"))
        .or(item)
        .map_or(0..0, |item| item.span.clone());
    if first >= until {
        let hint = format!("the first time is {first}, and it ends at {until}");
        desk.complain(place, "this never happens", Some(hint));
        return None;
    }
    let times = until.since(first).as_nanos().div_ceil(interval.as_nanos());
    if times > MOST_TIMES {
        let hint = format!("at most {MOST_TIMES} times: make the interval longer, or the stretch shorter");
        desk.complain(
            item.map_or(place, |item| item.span.clone()),
            format!("this happens {times} times"),
            Some(hint),
        );
        return None;
    }
    Some(Times {
        first,
        interval,
        until,
    })
}

/// Reads when a `When` goes off.
pub(super) fn when<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    cast: &mut Cast,
    limit: Span,
) -> Option<Trigger> {
    let cue = cue::<P>(desk, fields, cast);
    let by = fields.get("by").map_or(Vec::new(), |item| cast.hosts(desk, item));
    let nth = fields
        .get("nth")
        .map_or(Some(1), |item| desk.whole(item, 1..=u64::from(u32::MAX)));
    let after = fields.get("after").map_or(Some(Span::ZERO), |item| {
        let after = desk.span(item)?;
        if after >= limit {
            let hint = format!("the run ends at {limit}");
            desk.complain(item.span.clone(), "this is never reached", Some(hint));
            return None;
        }
        Some(after)
    });
    // Checked to fit by the bound above.
    let nth = u32::try_from(nth?).ok()?;
    Some(Trigger::When {
        cue: cue?,
        by,
        nth,
        after: after?,
    })
}

/// What a `When` waits for: one thing.
fn cue<'f, P: Protocol>(desk: &mut Desk<'f>, fields: &Fields<'f>, cast: &mut Cast) -> Option<Cue> {
    let [claimed, persist, send_to, open_to] =
        ["fact", "persist", "send_to", "open_to"].map(|name| fields.get(name));
    let mut receivers = |desk: &mut Desk<'f>, item| {
        let hosts = cast.hosts(desk, item);
        let everyone = hosts.len() == cast.names.len();
        if everyone { Vec::new() } else { hosts }
    };
    match (claimed, persist, send_to, open_to) {
        (Some(item), None, None, None) => fact::<P>(desk, item).map(Cue::Fact),
        (None, Some(item), None, None) => moment_of_write(desk, item),
        (None, None, Some(item), None) => Some(Cue::Send(receivers(desk, item))),
        (None, None, None, Some(item)) => Some(Cue::Open(receivers(desk, item))),
        (None, None, None, None) => {
            let hint =
                "`fact: \"…\"`, or `persist: Begun`, or `send_to: \"a\"`, or `open_to: \"a\"`".to_owned();
            let span = desk.point(fields.item);
            desk.complain(span, "nothing says what this waits for", Some(hint));
            None
        }
        _ => {
            let hint = "write an entry for each of `fact`, `persist`, `send_to` and `open_to`".to_owned();
            let span = desk.point(fields.item);
            desk.complain(span, "this waits for more than one thing", Some(hint));
            None
        }
    }
}

fn moment_of_write(desk: &mut Desk<'_>, item: &Item) -> Option<Cue> {
    match (desk.head(item), &item.shape) {
        (Some("Begun"), Shape::Word) => Some(Cue::PersistBegun),
        (Some("Completed"), Shape::Word) => Some(Cue::PersistCompleted),
        (head, _) => {
            let hint = did_you_mean(head.unwrap_or_default(), ["Begun", "Completed"]);
            desk.complain(item.span.clone(), "this is no moment of a write", hint);
            None
        }
    }
}

/// The number of a fact that the protocol's nodes claim.
pub(super) fn fact<P: Protocol>(desk: &mut Desk<'_>, item: &Item) -> Option<usize> {
    let written = desk.text(item, "a fact's name")?;
    let names = <<P::Node as Node>::Fact as Fact>::NAMES;
    let bare = written
        .strip_prefix(P::NAME)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(&written);
    let found = names.iter().position(|name| *name == bare);
    if found.is_none() {
        let hint = did_you_mean(bare, names.iter().copied());
        desk.complain(
            item.span.clone(),
            format!("{} has no fact `{written}`", P::NAME),
            hint,
        );
    }
    found
}

/// When a trigger may go off first.
pub(super) fn earliest(trigger: &Trigger) -> Time {
    match trigger {
        Trigger::At(at) => *at,
        Trigger::Every { first, .. } => *first,
        Trigger::When { after, .. } => Time::ZERO + *after,
    }
}

/// When it may go off last.
pub(super) fn latest(trigger: &Trigger) -> Time {
    match trigger {
        Trigger::At(at) => *at,
        Trigger::Every {
            first,
            interval,
            until,
        } => {
            let times = (until.since(*first).as_nanos() - 1) / interval.as_nanos();
            *first + *interval * times
        }
        Trigger::When { .. } => Time::MAX,
    }
}
