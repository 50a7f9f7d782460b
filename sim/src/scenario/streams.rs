//! What the kernels of hosts go by in streams, as files write it.

use std::ops::RangeInclusive;

use squall_nodes::Span;

use super::desk::{Desk, Fields};
use super::laws::{SIZES, amount};
use super::places::Item;
use super::resolved::network::amount as written;
use crate::engine::MOST_CONNECTIONS;
use crate::plan::StreamLaw;

/// What can be said of streams.
const PARTS: [&str; 10] = [
    "min_rto",
    "user_timeout",
    "connect_timeout",
    "send_buffer",
    "receive_buffer",
    "backlog",
    "backlogs",
    "connections",
    "of_peer",
    "listen_backlog",
];

/// How many bytes a buffer has.
const BUFFERS: RangeInclusive<u64> = 1..=1 << 30;
/// How many bytes may wait besides.
const BACKLOGS: RangeInclusive<u64> = 0..=1 << 30;

/// How many connections there may be.
const CONNECTIONS: RangeInclusive<u64> = 1..=MOST_CONNECTIONS as u64;
/// How many connections may wait for their node: as many as a kernel counts.
const LISTEN_BACKLOGS: RangeInclusive<u64> = 1..=65_535;

/// Reads `streams` of a network.
pub(super) fn streams<'f>(desk: &mut Desk<'f>, item: Option<&'f Item>) -> StreamLaw {
    let mut law = StreamLaw::default();
    let Some(fields) = item.and_then(|item| desk.fields(item, "what streams go by", &PARTS)) else {
        return law;
    };
    span(desk, &fields, "min_rto", &mut law.min_rto);
    span(desk, &fields, "user_timeout", &mut law.user_timeout);
    span(desk, &fields, "connect_timeout", &mut law.connect_timeout);
    size(desk, &fields, "send_buffer", &BUFFERS, &mut law.send_buffer);
    size(desk, &fields, "receive_buffer", &BUFFERS, &mut law.receive_buffer);
    size(desk, &fields, "backlog", &BACKLOGS, &mut law.backlog);
    law.backlogs = law.backlog.saturating_mul(4).min(*BACKLOGS.end());
    size(desk, &fields, "backlogs", &BACKLOGS, &mut law.backlogs);
    for (name, within, into) in [
        ("connections", CONNECTIONS, &mut law.connections),
        ("of_peer", CONNECTIONS, &mut law.of_peer),
        ("listen_backlog", LISTEN_BACKLOGS, &mut law.listen_backlog),
    ] {
        let count = fields.get(name).and_then(|item| desk.whole(item, within));
        *into = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(*into);
    }
    if law.user_timeout <= law.min_rto {
        let span = ["user_timeout", "min_rto"]
            .into_iter()
            .find_map(|name| fields.get(name));
        let span = span.map_or_else(|| desk.point(fields.item), |item| item.span.clone());
        let message = format!(
            "a connection would be given up after {}, before anything is sent again, after {}",
            law.user_timeout, law.min_rto
        );
        let hint = "let `user_timeout` be several times `min_rto`".to_owned();
        desk.complain(span, message, Some(hint));
    }
    law
}

/// What a file says of streams, every part.
pub(super) fn parts(law: &StreamLaw) -> String {
    let StreamLaw {
        min_rto,
        user_timeout,
        connect_timeout,
        send_buffer,
        receive_buffer,
        backlog,
        backlogs,
        connections,
        of_peer,
        listen_backlog,
    } = law;
    let size = |bytes: &u64| written(*bytes, &SIZES);
    format!(
        "min_rto: \"{min_rto}\", user_timeout: \"{user_timeout}\", connect_timeout: \"{connect_timeout}\", send_buffer: \"{}\", \
         receive_buffer: \"{}\", backlog: \"{}\", backlogs: \"{}\", connections: {connections}, of_peer: {of_peer}, \
         listen_backlog: {listen_backlog}",
        size(send_buffer),
        size(receive_buffer),
        size(backlog),
        size(backlogs)
    )
}

fn span<'f>(desk: &mut Desk<'f>, fields: &Fields<'f>, name: &str, into: &mut Span) {
    let Some(item) = fields.get(name) else { return };
    let Some(span) = desk.span(item) else { return };
    if span.is_zero() {
        desk.complain(item.span.clone(), format!("`{name}` is more than nothing"), None);
        return;
    }
    *into = span;
}

fn size<'f>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    name: &str,
    within: &RangeInclusive<u64>,
    into: &mut u64,
) {
    let Some(item) = fields.get(name) else { return };
    let Some(bytes) = amount(desk, item, "a size", "64KiB", &SIZES) else {
        return;
    };
    if !within.contains(&bytes) {
        let hint = format!("from {} to {} bytes", within.start(), within.end());
        desk.complain(
            item.span.clone(),
            format!("`{name}` is out of bounds"),
            Some(hint),
        );
        return;
    }
    *into = bytes;
}
