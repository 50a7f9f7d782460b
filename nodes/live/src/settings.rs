//! Everything that one live node needs.

use std::net::SocketAddr;
use std::path::PathBuf;

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
