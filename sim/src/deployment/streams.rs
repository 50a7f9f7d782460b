//! How a deployed node speaks over stream connections: what its file says of them, read and printed.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use squall_nodes::Span;

use super::printed::text;
use super::resolve::{path, size};
use crate::plan::StreamLaw;
use crate::scenario::desk::Desk;
use crate::scenario::laws::SIZES;
use crate::scenario::places::Item;
use crate::scenario::resolved::network::amount;
use crate::scenario::resolved::page::Page;

/// Buffers of connections: a packet at least, and no more than a kernel counts.
const BUFFERS: RangeInclusive<u64> = 4 << 10..=1 << 30;
/// What waits to be written: nothing, or 1 TiB at most.
const BACKLOGS: RangeInclusive<u64> = 0..=1 << 40;
/// How many connections there may be.
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
/// How many connections may wait to be accepted: as many as a kernel counts.
const LISTEN_BACKLOGS: RangeInclusive<u64> = 1..=65_535;
/// Timeouts.
const TIMEOUTS: RangeInclusive<Span> = Span::from_millis(1)..=Span::from_secs(86_400);

/// How a node speaks over stream connections, and how much it holds of them at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Connections at one time that others have opened; while there are as many, whoever dials is refused. As many again it may open.
    pub connections: u64,
    /// Of those that others have opened, how many one address may have; what it opens beyond them is reset.
    pub of_peer: u64,
    /// How many connections to a port the kernel may open that the node has not accepted, as it is told by `listen`.
    pub listen_backlog: u64,
    /// Bytes that the kernel keeps for each connection until the node reads them.
    pub receive_buffer: u64,
    /// Bytes that the kernel keeps for each connection until the peer has acknowledged them.
    pub send_buffer: u64,
    /// Bytes of one connection that wait for room in that buffer; one for which there would be more is reset.
    pub backlog: u64,
    /// The same, of all connections together.
    pub backlogs: u64,
    /// How long a peer has to answer a dial, or to show its certificate.
    pub connect_timeout: Span,
    /// How long nothing may be acknowledged of what was written until the connection is given up.
    pub user_timeout: Span,
}

/// The files that connections are secured by: PEM, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The node's certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the authorities that peers' certificates are signed by.
    pub authority: PathBuf,
}

impl Default for Streams {
    /// As [in scenarios](StreamLaw).
    fn default() -> Self {
        Streams::of(&StreamLaw::default())
    }
}

impl Streams {
    /// What a scenario says of streams.
    pub fn of(law: &StreamLaw) -> Self {
        Streams {
            connections: law.connections.into(),
            of_peer: law.of_peer.into(),
            listen_backlog: law.listen_backlog.into(),
            receive_buffer: law.receive_buffer,
            send_buffer: law.send_buffer,
            backlog: law.backlog,
            backlogs: law.backlogs,
            connect_timeout: law.connect_timeout,
            user_timeout: law.user_timeout,
        }
    }

    pub(super) fn read<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Self {
        let mut streams = Streams::default();
        let known = [
            "connections",
            "of_peer",
            "listen_backlog",
            "receive_buffer",
            "send_buffer",
            "backlog",
            "backlogs",
            "connect_timeout",
            "user_timeout",
        ];
        let Some(fields) = desk.fields(item, "streams", &known) else {
            return streams;
        };
        for (name, count, within) in [
            ("connections", &mut streams.connections, CONNECTIONS),
            ("of_peer", &mut streams.of_peer, CONNECTIONS),
            ("listen_backlog", &mut streams.listen_backlog, LISTEN_BACKLOGS),
        ] {
            if let Some(read) = fields.get(name).and_then(|item| desk.whole(item, within)) {
                *count = read;
            }
        }
        let sizes = [
            ("receive_buffer", &mut streams.receive_buffer, BUFFERS),
            ("send_buffer", &mut streams.send_buffer, BUFFERS),
            ("backlog", &mut streams.backlog, BACKLOGS),
            ("backlogs", &mut streams.backlogs, BACKLOGS),
        ];
        for (name, bytes, within) in sizes {
            if let Some(read) = fields.get(name).and_then(|item| size(desk, item, within)) {
                *bytes = read;
            }
        }
        let timeouts = [
            ("connect_timeout", &mut streams.connect_timeout),
            ("user_timeout", &mut streams.user_timeout),
        ];
        for (name, timeout) in timeouts {
            if let Some(read) = fields.get(name).and_then(|item| within(desk, item)) {
                *timeout = read;
            }
        }
        streams
    }

    pub(super) fn print(&self, page: &mut Page) {
        let Streams {
            connections,
            of_peer,
            listen_backlog,
            receive_buffer,
            send_buffer,
            backlog,
            backlogs,
            connect_timeout,
            user_timeout,
        } = self;
        let [receive_buffer, send_buffer, backlog, backlogs] =
            [receive_buffer, send_buffer, backlog, backlogs].map(|bytes| amount(*bytes, &SIZES));
        page.field(
            "streams",
            format_args!(
                "(connections: {connections}, of_peer: {of_peer}, listen_backlog: {listen_backlog}, \
                 receive_buffer: \"{receive_buffer}\", send_buffer: \"{send_buffer}\", backlog: \"{backlog}\", backlogs: \"{backlogs}\", \
                 connect_timeout: \"{connect_timeout}\", user_timeout: \"{user_timeout}\")"
            ),
        );
    }
}

impl Tls {
    pub(super) fn read<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Option<Self> {
        let fields = desk.fields(
            item,
            "what secures connections",
            &["certificate", "key", "authority"],
        )?;
        let mut file = |name: &str, example: &str| {
            let item = desk.required(&fields, name, example);
            item.and_then(|item| path(desk, item, "a file"))
        };
        let certificate = file("certificate", "\"a.pem\"");
        let key = file("key", "\"a.key\"");
        let authority = file("authority", "\"authority.pem\"");
        Some(Tls {
            certificate: certificate?,
            key: key?,
            authority: authority?,
        })
    }

    pub(super) fn print(&self, page: &mut Page) {
        let [certificate, key, authority] =
            [&self.certificate, &self.key, &self.authority].map(|file| text(&file.to_string_lossy()));
        page.field(
            "tls",
            format_args!("(certificate: {certificate}, key: {key}, authority: {authority})"),
        );
    }

    /// Takes every relative path for one in `folder`.
    pub(super) fn move_within(&mut self, folder: &Path) {
        for file in [&mut self.certificate, &mut self.key, &mut self.authority] {
            *file = folder.join(&*file);
        }
    }
}

/// A timeout that can be.
fn within(desk: &mut Desk<'_>, item: &Item) -> Option<Span> {
    let span = desk.span(item)?;
    if TIMEOUTS.contains(&span) {
        return Some(span);
    }
    let hint = format!("from {} to {}", TIMEOUTS.start(), TIMEOUTS.end());
    desk.complain(item.span.clone(), "this timeout cannot be", Some(hint));
    None
}
