//! What comes of a live run: the same as of a simulated one, and what the machine had to do with it.

use squall_nodes::{Change, Fact, HostId, Node, Protocol, Span};

use crate::draws::{Draws, below};
use crate::engine::By;
use crate::outcome::Outcome;
use crate::plan::{Plan, Work};
use crate::trace::{Happening, Trace};
use crate::tracer;

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

impl Stalls {
    /// One more, that long.
    pub fn add(&mut self, by: Span) {
        self.count += 1;
        self.longest = self.longest.max(by);
    }
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

/// What changes the world in a live run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What reports call it: an entry of the timeline as files write it, or what happens by itself.
    pub label: String,
    /// Its place in the timeline; `None` for what comes of itself.
    pub step: Option<usize>,
    /// Who did what triggered it.
    pub actor: Option<HostId>,
}

/// A change of the world as a trace has it, of a run of `plan` by hosts of these names.
pub fn changed<P: Protocol>(plan: &Plan<P>, hosts: &[String], change: &Change, cause: &Cause) -> Happening {
    let by = By {
        label: &cause.label,
        step: cause.step,
        actor: cause.actor,
    };
    let facts = <<P::Node as Node>::Fact as Fact>::NAMES;
    tracer::changed(change, by, &plan.timeline, facts, hosts)
}
