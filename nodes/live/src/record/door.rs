//! What the command line sees of a protocol whose recordings can be replayed.

use std::io;
use std::marker::PhantomData;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

use squall_nodes::Protocol;
use squall_nodes::recording::{Replay, Step, Unreadable};

use super::frame::FORMAT;
use super::replay;

/// A protocol whose recordings can be replayed.
pub trait Replays: Send + Sync {
    /// What recordings call it.
    fn name(&self) -> &'static str;

    /// Its rule sets.
    fn rules(&self) -> &'static [&'static str];

    /// Tells a node what a recording says that it was told, and holds what it asks for against what the recording says that it asked
    /// for. `told` hears of the inputs that are wanted, and may end the replay.
    ///
    /// # Errors
    ///
    /// That the file is no recording of this protocol, or none that this program can read.
    fn replay(
        &self,
        path: &Path,
        manner: &Manner,
        told: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Replay, ReplayError>;
}

/// How to replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Other rules than those that were recorded. The node is still told what was recorded, whatever it asks for.
    pub rules: Option<String>,
    /// Settings in place of those that were recorded, by their names: as JSON, or as text where that is none.
    pub set: Vec<(String, String)>,
    /// The inputs to hear of, by their numbers, which are counted from 1.
    pub story: Option<RangeInclusive<u64>>,
}

/// Why a recording was not replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// It is no recording.
    #[error("{} is no recording of a flight", .0.display())]
    NoRecording(PathBuf),
    /// It is of another format.
    #[error(
        "{} is a recording of format {found}, and this program reads format {FORMAT}: take the program that wrote it",
        path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It ends within its head, or that is damaged.
    #[error("{} has lost its head: who was recorded is not known, so nothing of it can be replayed", .0.display())]
    NoHead(PathBuf),
    /// It is of another protocol.
    #[error("it is a recording of {recorded}, not of {asked}")]
    OtherProtocol {
        /// What it is of.
        recorded: String,
        /// What it was taken for.
        asked: &'static str,
    },
    /// There are no such rules.
    #[error("{protocol} has no rule set {asked:?}: it has {}", there.join(", "))]
    NoSuchRules {
        /// Of which protocol.
        protocol: &'static str,
        /// Which were asked for.
        asked: String,
        /// Which there are.
        there: &'static [&'static str],
    },
    /// The settings cannot be changed as they were to be.
    #[error("the settings that were recorded cannot be changed: {0}")]
    Settings(String),
    /// Role or settings are none of this protocol.
    #[error("the {what} of the node cannot be read: {why}")]
    Head {
        /// Which of the two.
        what: &'static str,
        /// Why not.
        why: Unreadable,
    },
    /// An entry is whole, and says nothing that this program understands.
    #[error("input {input} cannot be read, though it is as it was written: {why}")]
    Entry {
        /// Which, counted from 1.
        input: u64,
        /// Why not.
        why: Unreadable,
    },
    /// A timer went off that was never armed.
    #[error("input {input} is the timer with the code {code}, which the node has never armed")]
    Timer {
        /// Which, counted from 1.
        input: u64,
        /// The timer.
        code: u64,
    },
}

/// The door to a protocol's replays.
pub fn replays<P: Protocol>() -> Box<dyn Replays> {
    Box::new(Door::<P>(PhantomData))
}

struct Door<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Replays for Door<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn rules(&self) -> &'static [&'static str] {
        P::RULES
    }

    fn replay(
        &self,
        path: &Path,
        manner: &Manner,
        told: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Replay, ReplayError> {
        replay::replay::<P>(path, manner, told)
    }
}
