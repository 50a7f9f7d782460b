//! How a live node is, for people and programs who ask.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use squall_nodes::{DiskAtBoot, Span, Time};

use crate::line::Counts;

/// How a live node is. As JSON, times and lengths of time are numbers of milliseconds, to a nanosecond, under keys that end in `_ms`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// What it speaks.
    pub protocol: String,
    /// By which rules.
    pub rules: String,
    /// Its name.
    pub name: String,
    /// The address that its sockets are bound to.
    pub address: Ipv4Addr,
    /// What it is.
    pub role: serde_json::Value,
    /// Its settings.
    pub config: serde_json::Value,
    /// Its process.
    pub pid: u32,
    /// Its life, counted from 0.
    pub incarnation: u32,
    /// The seed of its random streams in this life.
    pub seed: u64,
    /// What it found on its disk.
    pub disk: DiskAtBoot,
    /// Now, on the machine's monotonic clock.
    #[serde(rename = "now_ms", serialize_with = "ms")]
    pub now: Time,
    /// When it booted; `None` when it waits to be told to.
    #[serde(rename = "booted_ms", serialize_with = "ms_or_none")]
    pub booted: Option<Time>,
    /// For how long it is up.
    #[serde(rename = "up_ms", serialize_with = "ms")]
    pub up: Span,
    /// How many inputs it was handed.
    pub inputs: u64,
    /// What became of datagrams.
    pub counts: Counts,
    /// The ports that it has opened, in that order.
    pub ports: Vec<u16>,
    /// Its stream connections.
    pub streams: Streams,
    /// The timers that are armed, in the order in which they will go off.
    pub timers: Vec<Armed>,
    /// Of each kind of fact, what it claimed last: the latest first.
    pub facts: Vec<Claimed>,
    /// How often it claimed what.
    pub claims: BTreeMap<String, u64>,
    /// How many calls it took, and how many answers it gave.
    pub calls: Calls,
    /// What it wrote to its disk.
    pub writes: Writes,
    /// Bytes of datagrams that its policy delays.
    #[serde(rename = "delayed_bytes")]
    pub delayed: usize,
    /// The policy that is in force; `None` for none.
    pub policy: Option<u64>,
    /// How often it was kept from running for longer than it was to tell, and for how long at most.
    pub stalls: Stalls,
    /// Whether its flight is recorded.
    pub recording: Recording,
    /// The file of the recording that is written, or was.
    pub recording_file: Option<PathBuf>,
}

/// The stream connections of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// The ports that it accepts them on, in order.
    pub ports: Vec<u16>,
    /// How many it has that are being opened or open.
    pub open: usize,
    /// How many it has that are being closed.
    pub closing: usize,
    /// Bytes that wait to be written, of all of them.
    pub backlogs: usize,
    /// Bytes of all of them that have come in and that the policy delays, or that wait to be read behind such.
    pub held: usize,
}

/// A timer that is armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Armed {
    /// Which, as traces print it.
    pub timer: String,
    /// When it goes off.
    #[serde(rename = "at_ms", serialize_with = "ms")]
    pub at: Time,
    /// How long that is from now.
    #[serde(rename = "within_ms", serialize_with = "ms")]
    pub within: Span,
}

/// Something that was claimed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claimed {
    /// When.
    #[serde(rename = "at_ms", serialize_with = "ms")]
    pub at: Time,
    /// How long ago that is.
    #[serde(rename = "ago_ms", serialize_with = "ms")]
    pub ago: Span,
    /// The fact's name.
    pub name: String,
    /// How many of that name it has claimed, with this one.
    pub count: u64,
    /// All of it, as traces print it.
    pub says: String,
    /// All of it.
    pub fact: serde_json::Value,
}

/// What was asked of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls that it was handed.
    pub taken: u64,
    /// Answers that it gave.
    pub answers: u64,
    /// Calls that may get more answers, of those that somebody waits for.
    pub open: usize,
}

/// What a node wrote to its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// Writes that completed.
    pub completed: u64,
    /// Writes that failed.
    pub failed: u64,
    /// Bytes of effects that wait behind a write, with the write itself.
    #[serde(rename = "waiting_bytes")]
    pub waiting: usize,
}

/// How often a node was kept from running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stalls {
    /// How often.
    pub count: u64,
    /// The longest.
    #[serde(rename = "longest_ms", serialize_with = "ms")]
    pub longest: Span,
}

/// Whether a flight is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Recording {
    /// It is not, and was not to be.
    #[default]
    Off,
    /// It is.
    On {
        /// How many bytes there are.
        bytes: u64,
    },
    /// It was, and is not any more: the recording is as large as it may be.
    Full {
        /// How many bytes there are.
        bytes: u64,
    },
    /// It was, and is not any more: the recording could not be written.
    Failed {
        /// How many bytes there are.
        bytes: u64,
    },
}

/// How a recorder lets others know how it is doing, from inside [`drive`](squall_nodes::drive). Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Shown>);

/// What is shown.
#[derive(Debug, Default)]
struct Shown {
    kind: AtomicU64,
    bytes: AtomicU64,
    file: OnceLock<PathBuf>,
}

impl Gauge {
    /// Shows how it is now.
    pub fn show(&self, recording: &Recording) {
        let (kind, bytes) = match recording {
            Recording::Off => (0, 0),
            Recording::On { bytes } => (1, *bytes),
            Recording::Full { bytes } => (2, *bytes),
            Recording::Failed { bytes } => (3, *bytes),
        };
        self.0.bytes.store(bytes, Ordering::Relaxed);
        self.0.kind.store(kind, Ordering::Release);
    }

    /// Shows which file it writes. There is one in a recorder's life.
    pub fn names(&self, file: &Path) {
        self.0.file.get_or_init(|| file.to_owned());
    }

    /// Which file it writes, or wrote.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.get().map(PathBuf::as_path)
    }

    /// How it was shown to be last.
    pub fn read(&self) -> Recording {
        let kind = self.0.kind.load(Ordering::Acquire);
        let bytes = self.0.bytes.load(Ordering::Relaxed);
        match kind {
            1 => Recording::On { bytes },
            2 => Recording::Full { bytes },
            3 => Recording::Failed { bytes },
            _ => Recording::Off,
        }
    }
}

impl Status {
    /// The status as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        // Everything in it is a number, a text, or was JSON already.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Something with a length in nanoseconds.
trait Nanos {
    fn nanos(&self) -> u64;
}

impl Nanos for Span {
    fn nanos(&self) -> u64 {
        self.as_nanos()
    }
}

impl Nanos for Time {
    fn nanos(&self) -> u64 {
        self.as_nanos()
    }
}

/// A number of milliseconds.
fn ms<T: Nanos, S: Serializer>(time: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.nanos() as f64 / 1e6)
}

fn ms_or_none<T: Nanos, S: Serializer>(time: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => ms(time, serializer),
        None => serializer.serialize_none(),
    }
}
