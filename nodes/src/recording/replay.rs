//! What comes of feeding a recording to its node again: plain data, for reports.

use std::net::Ipv4Addr;

use crate::time::Time;

/// Whose life a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pilot {
    /// The program's version.
    pub version: String,
    /// A number that no other build of the program has; `None` where its file could not be read.
    pub build: Option<u64>,
    /// The protocol's name.
    pub protocol: String,
    /// The rule set.
    pub rules: String,
    /// The node's name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its role, as a file writes it.
    pub role: String,
    /// Its settings, as a file writes them.
    pub config: String,
    /// Its life, counted from 0.
    pub incarnation: u32,
    /// The seed of its random streams.
    pub seed: u64,
    /// How many bytes it found on its disk; `None` where there was nothing.
    pub disk: Option<u64>,
    /// When it booted, by its machine's monotonic clock.
    pub booted: Time,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Whose life it is.
    pub pilot: Pilot,
    /// The rule set that it was lived again under.
    pub rules: String,
    /// How many inputs the node was told.
    pub inputs: u64,
    /// How many effects it asked for.
    pub effects: u64,
    /// When the last input came; when the node booted, where there was none.
    pub last: Time,
    /// How the recording ends.
    pub ended: Ended,
    /// The first effect that is not as it was recorded.
    pub difference: Option<Difference>,
    /// How many inputs had other effects than were recorded.
    pub differing: u64,
    /// How many inputs could not be told to the node after the first difference, since it had not asked for what they answer: alarms that
    /// it had not set, writes and connections that it had not begun.
    pub skipped: u64,
    /// What the node said when it panicked, if it did.
    pub panicked: Option<String>,
}

impl Replay {
    /// Whether the recording holds no input: the node was killed, or could not go on, before it was told to start, and there was nothing
    /// that could have been the same.
    pub fn is_empty(&self) -> bool {
        self.inputs + self.skipped == 0 && self.difference.is_none() && self.panicked.is_none()
    }

    /// Whether the recording is damaged, so that nobody knows how much of it was not replayed.
    pub fn is_damaged(&self) -> bool {
        matches!(
            self.ended,
            Ended::CutOff {
                why: CutWhy::Damaged,
                ..
            }
        )
    }
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The node stopped, as it was told to.
    Stopped {
        /// When.
        at: Time,
    },
    /// With a whole entry: the node was killed after it, or its recorder could write no more, or it still runs.
    Open,
    /// It was as large as it may be, and the node went on unrecorded.
    Full,
    /// The node panicked over the last input.
    Panicked,
    /// What comes after the last whole entry is none.
    CutOff {
        /// Where it begins, in bytes from the beginning of the file.
        at: u64,
        /// How much it is, in bytes.
        bytes: u64,
        /// Why it is no whole entry.
        why: CutWhy,
    },
}

/// Why bytes are no whole entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutWhy {
    /// The file ends within it.
    Short,
    /// Its checksum is another one.
    Damaged,
}

/// The first effect that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The input's number, counted from 1.
    pub input: u64,
    /// When it came.
    pub at: Time,
    /// What it was, in words.
    pub told: String,
    /// The effect's number among those of the input, counted from 1.
    pub effect: u64,
    /// What was recorded, in words; `None` when it had no such effect.
    pub recorded: Option<String>,
    /// What the node asked for, in words; `None` when it asked for no more.
    pub replayed: Option<String>,
}

/// One input of a replay with all that came of it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The input's number, counted from 1.
    pub input: u64,
    /// When it came.
    pub at: Time,
    /// What it was.
    pub told: String,
    /// What the node did about it.
    pub happened: Happened,
}

/// What a node did about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It asked for this.
    Asked(Vec<Asked>),
    /// It panicked, and said this.
    Panicked(String),
    /// It was not told, since it had not asked for what the input answers. That is so after a difference only.
    Skipped,
}

/// An effect beside what was recorded in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// As it was recorded.
    AsRecorded(String),
    /// Not as it was recorded.
    Otherwise {
        /// What was recorded; `None` when there was no such effect.
        recorded: Option<String>,
        /// What the node asked for; `None` when it asked for no more.
        replayed: Option<String>,
    },
}
