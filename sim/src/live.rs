//! What comes of a live run: the same as of a simulated one, and what the machine had to do with it.

use squall_nodes::{HostId, Node, Span};

use crate::draws::{Draws, below};
use crate::outcome::Outcome;
use crate::plan::Work;
use crate::trace::Trace;

/// What came of one live run.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRun {
    /// As of a simulated run. Times are counted from when the first hosts booted; `events` are the lines that hosts wrote.
    pub outcome: Outcome,
    /// What was seen: claims, calls and answers, and changes of the world.
    pub trace: Trace,
    /// How much later than simulated things were allowed to come.
    pub tolerance: Span,
    /// How often, and for how long at most, hosts were kept from running for longer than that.
    pub stalls: Stalls,
    /// What each host took, in the order of the file.
    pub hosts: Vec<HostUse>,
}

/// How often hosts were kept from running for longer than is tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How often.
    pub count: u64,
    /// The longest.
    pub longest: Span,
}

/// What a live host took, in all of its lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUse {
    /// Its name.
    pub name: String,
    /// Processor time, of the user and the system.
    pub cpu: Span,
    /// The most memory that it had at once, in bytes.
    pub peak_memory: u64,
}

/// Whom an entry of the workload asks with its nth call, counted from 0: the same in a live run as in a simulated one of the same seed.
/// `entry` is its place in the file.
pub fn whom<N: Node>(seed: u64, entry: usize, work: &Work<N>, nth: u64) -> HostId {
    work.of[below(Draws::new(seed).work(entry, nth), work.of.len() as u64) as usize]
}
