//! Everything that one live node needs.

use std::net::SocketAddr;
use std::path::PathBuf;

use squall_nodes::stream::StreamLaw;
use squall_nodes::{Node, Placed, Span};

/// Everything that one live node needs.
#[derive(Clone, Debug)]
pub struct Settings<N: Node> {
    /// The protocol's name, for recordings and pages.
    pub protocol: String,
    /// The rule set, for the same.
    pub rules: String,
    /// Who it is: its name (which its random stream is keyed by), the address that its sockets are bound to, role and settings.
    pub placed: Placed<N>,
    /// The folder that it keeps what it persists in. Without one, what it persists lasts as long as its process.
    pub data: Option<PathBuf>,
    /// The seed of its random streams; drawn from the system at each boot when not given.
    pub seed: Option<u64>,
    /// Where its flight is recorded.
    pub record: Option<Record>,
    /// Where `/metrics` and `/status` are served.
    pub http: Option<SocketAddr>,
    /// The unix socket on which it takes requests.
    pub control: Option<PathBuf>,
    /// The file that [lines](crate::Line) are appended to.
    pub lines: Option<PathBuf>,
    /// Who attends it.
    pub attendance: Attendance,
    /// How much it holds at most.
    pub bounds: Bounds,
    /// How it speaks over stream connections.
    pub streams: Streams,
}

/// Who attends a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// Nobody: it begins at once and goes on until a signal.
    Alone,
    /// Whoever started it: [lines](crate::Line) go to its stdout, [requests](crate::Request) come from its stdin, and when that ends,
    /// so does the node.
    Attended {
        /// Whether it waits to be told to go before it boots.
        start: Start,
        /// How often it tells what it has come to.
        mark_every: Span,
        /// How long it may be kept from running before it tells.
        stall: Span,
    },
}

/// When an attended node boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once.
    AtOnce,
    /// When it is told to.
    WhenTold,
}

/// How a flight is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The folder of the recordings.
    pub folder: PathBuf,
    /// How large a recording gets, in bytes.
    pub bound: u64,
    /// What happens at the bound.
    pub when_full: WhenFull,
    /// How many recordings are kept: when a node boots, the oldest beyond this are removed.
    pub keep: u32,
}

/// What a recorder does when its recording is as large as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It writes a marker and stops; the node goes on unrecorded, and a metric says so. The next boot begins a new recording in place of
    /// the old one.
    Rotate,
    /// It writes a marker and stops, and a boot that finds a full recording records nothing until somebody takes it away.
    Stop,
}

/// How much a node holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of datagrams that wait on each port to be handed to the node, as the kernel counts them: each with at least 768 besides its
    /// payload. What comes beyond is dropped by the kernel, and counted. Linux gives no more than twice its `rmem_max`, and
    /// is asked for 2<sup>31</sup> − 1 at most.
    pub inbox: usize,
    /// Bytes of effects that wait behind a write to the disk. While it is more, the node is handed nothing but what became of its writes.
    pub waiting: usize,
    /// Bytes of datagrams that the policy delays; what would be more is dropped, and counted as congested.
    pub delayed: usize,
}

impl Default for Bounds {
    /// An inbox as Linux gives to a socket, 64 MiB behind a write, 64 MiB delayed.
    fn default() -> Self {
        Bounds {
            inbox: 212_992,
            waiting: 64 << 20,
            delayed: 64 << 20,
        }
    }
}

/// How a node speaks over stream connections, and how much it holds of them at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Connections at one time that others have opened, those that are being closed included. While there are as many, whoever dials is
    /// refused. As many again the node may open itself.
    pub connections: usize,
    /// Of those that others have opened, how many one address may have. What it opens beyond them is reset.
    pub of_peer: usize,
    /// How many connections to a port the kernel may open that the node has not accepted, as it is told by `listen`: Linux opens one more.
    /// What is dialled beyond is not heard, and dialled again.
    pub listen_backlog: usize,
    /// Bytes that the kernel keeps for each connection until the node reads them: half of what it takes for them in memory. While a policy
    /// is in force, its edge holds as many again, and what is read at a time.
    pub receive_buffer: usize,
    /// Bytes that the kernel keeps for each connection until the peer has acknowledged them. A write that does not fit in blocks.
    pub send_buffer: usize,
    /// Bytes of one connection that wait for room in that buffer. A connection for which there would be more is reset.
    pub backlog: usize,
    /// The same, of all connections together.
    pub backlogs: usize,
    /// How long a dialled peer has to answer, and a peer that has dialled to show its certificate.
    pub connect_timeout: Span,
    /// How long something that was written may go without being acknowledged, or a peer take nothing of it, before the connection is
    /// given up (RFC 5482, as Linux has it); and how long a connection that is being closed may take over it.
    pub user_timeout: Span,
    /// What connections are secured by; without it they are not.
    pub tls: Option<Tls>,
}

impl Default for Streams {
    /// As [`StreamLaw`] has it by default: 1024 connections, 256 from each address, and 128 not accepted yet at a port; 128 KiB to be read and 64 KiB to be acknowledged; 16 MiB that wait, 64 MiB of all; 10 s to connect, 20 s without
    /// an acknowledgement; no TLS.
    fn default() -> Self {
        let law = StreamLaw::default();
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Streams {
            connections: law.connections as usize,
            of_peer: law.of_peer as usize,
            listen_backlog: law.listen_backlog as usize,
            receive_buffer: size(law.receive_buffer),
            send_buffer: size(law.send_buffer),
            backlog: size(law.backlog),
            backlogs: size(law.backlogs),
            connect_timeout: law.connect_timeout,
            user_timeout: law.user_timeout,
            tls: None,
        }
    }
}

/// The files by which a node and its peers know each other: TLS 1.3 with certificates both ways.
///
/// Each certificate is for the IPv4 address of its node: the address is among its subject alternative names, and the peer's is held
/// against the address that the connection comes from or goes to. All files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The node's certificate, first, and those between it and the authority's.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// The certificates of the authorities, one of which has to have signed a peer's.
    pub authority: PathBuf,
}
