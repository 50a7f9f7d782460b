//! What comes of a run and of a sweep: plain results, for reports to put into words.

use std::fmt;

use squall_nodes::{Promise, Span, Time};

use crate::plan::{Expect, Origin};

/// What came of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The scenario: the path of its file.
    pub scenario: String,
    /// The rule set.
    pub rules: &'static str,
    /// The seed.
    pub seed: u64,
    /// The answer.
    pub verdict: Verdict,
    /// Whether the answer is the one that the file expects.
    pub as_expected: bool,
    /// What the file expects.
    pub expect: Expect,
    /// The first broken promise; the run ends with it.
    pub violation: Option<Violation>,
    /// Why the run is inconclusive, in sentences; empty unless it is.
    pub doubts: Vec<String>,
    /// Of everything that nodes were told and said, of what became of it, and of every change of the world, in order. Of a
    /// live run, which nobody can repeat, of what was seen of it.
    pub digest: Digest,
    /// How many events came up, as [`Plan::max_events`](crate::plan::Plan::max_events) bounds them: inputs of nodes, writes that
    /// reached a disk, late first boots, times of faults and of calls, and looks of invariants at a time that they chose.
    /// What a claim triggers at once is part of the input that claimed it.
    pub events: u64,
    /// How much virtual time went by.
    pub virtual_time: Span,
    /// What was measured, in the order of the file.
    pub measures: Vec<Measured>,
    /// The timeline, in the order of the file.
    pub faults: Vec<FaultDone>,
    /// What was judged, and how often.
    pub invariants: Vec<InvariantDone>,
    /// What became of the datagrams.
    pub traffic: Traffic,
}

/// The answer of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Every invariant that was judged held.
    Held,
    /// One was violated.
    Violated,
    /// Something that the file asks for never happened, or the run was stopped: the answer is not known.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Inconclusive => "inconclusive",
        })
    }
}

/// How an answer stands to what the file expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is what the file expects.
    AsExpected,
    /// It is something else.
    Otherwise,
    /// The answer is not known: something was inconclusive, and what is known does not speak against the file.
    Unknown,
}

impl Outcome {
    /// How the run stands to what the file expects.
    pub fn standing(&self) -> Standing {
        match self.verdict {
            _ if self.as_expected => Standing::AsExpected,
            Verdict::Inconclusive => Standing::Unknown,
            Verdict::Held | Verdict::Violated => Standing::Otherwise,
        }
    }

    /// What of the timeline had no part in the violation: the places of those of its [`faults`](Outcome::faults) that had not
    /// happened or had touched nothing when the violation ended the run, ascending. Empty for a run without a violation,
    /// which is inconclusive for the same reasons.
    pub fn undone(&self) -> Vec<usize> {
        if self.violation.is_none() {
            return Vec::new();
        }
        let faults = self.faults.iter().enumerate();
        faults
            .filter(|(_, fault)| fault.at.is_none() || fault.affected == 0)
            .map(|(entry, _)| entry)
            .collect()
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's full name.
    pub invariant: String,
    /// What was promised, in a sentence.
    pub promised: String,
    /// What was seen instead, in a sentence.
    pub detail: String,
    /// When, in true virtual time.
    pub at: Time,
    /// The hosts whose last events tell the story, by name.
    pub hosts: Vec<String>,
    /// Why then: the quiet that the promise waits for, of the group of the first of the hosts. `None` for what is promised
    /// at every moment, and where that host is in no group.
    pub quiet: Option<Quiet>,
}

/// The quiet in which a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// When the group was last disturbed, in true virtual time; 0 when it never was.
    pub since: Time,
    /// After how long a quiet the promise holds.
    pub bound: Span,
    /// How much more time than that it has, since a live machine has other work to do; nothing in a simulation of none.
    pub tolerance: Span,
}

/// A digest of what happened: a 128-bit xxh3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a measure came to in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The measure's name.
    pub name: String,
    /// Each time the clock was started and stopped, in the order of starting.
    pub samples: Vec<Span>,
    /// How often it was started and not stopped before the run ended.
    pub unfinished: u32,
}

/// What a fault came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultDone {
    /// The fault: `kill(s)`.
    pub fault: String,
    /// When it first happened; `None` when it never did.
    pub at: Option<Time>,
    /// How much it touched: hosts that changed state, datagrams that a cut dropped or that went out under a law of their link
    /// that would be another one without it, inputs that waited on a slow host or that came by a clock which would go at another
    /// rate without it, writes that took longer or failed, layers that a healing took away;
    /// of a restart with a damaged disk, only hosts whose disk is another than it would have been, and of a jump, only those that
    /// are up. What several layers lay over counts for each of them.
    pub affected: u64,
}

/// What an invariant came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantDone {
    /// Its full name.
    pub name: String,
    /// How often it was held against what was seen.
    pub judged: u64,
    /// Why it could not be held against all of it, if it could not; of a sweep, in the first run in which it could not.
    pub undecided: Option<String>,
    /// Whether the file names it.
    pub origin: Origin,
    /// When it holds, as it was judged: in a live run after that much quiet and the scenario's tolerance.
    pub promise: Promise,
}

/// What became of the datagrams. `sent + duplicated = delivered + lost + cut + to_nobody + overflowed + congested + too_long +
/// in_flight`, each of which is counted by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent by nodes. What still waits behind a write is not sent.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Handed to a node.
    pub delivered: u64,
    /// Lost by the links.
    pub lost: u64,
    /// Dropped by a cut, when it was sent or when it would have arrived.
    pub cut: u64,
    /// Sent to no host or from a port that was not open, too long for a datagram, or come to a port that was not open, or to a host
    /// that was down or went down before its node had it.
    pub to_nobody: u64,
    /// Dropped since the buffer of a paused or slow host was full.
    pub overflowed: u64,
    /// Dropped since the queue of a link was full.
    pub congested: u64,
    /// Dropped since they were longer than a link's MTU.
    pub too_long: u64,
    /// In which the network changed a byte, whatever became of them then.
    pub corrupted: u64,
    /// On their way when the run ended, or waiting for a paused or slow host to read them.
    pub in_flight: u64,
    /// What became of the streams, whose packets are not counted above.
    pub streams: StreamTraffic,
}

/// What became of the streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTraffic {
    /// Connections that were opened, each counted where it was dialled.
    pub opened: u64,
    /// How often a node was told that its connection was refused,
    pub refused: u64,
    /// reset,
    pub reset: u64,
    /// given up,
    pub timed_out: u64,
    /// or closed by the peer in order.
    pub closed: u64,
    /// Connections that were reset at the host that was dialled, before its node was told of them: it had as many as it may have, or as
    /// many of that peer. Live these are those of one peer: of the others nobody but the kernel knows.
    pub turned_away: u64,
    /// Bytes that nodes wrote to connections which were there.
    pub written: u64,
    /// Bytes that nodes read.
    pub delivered: u64,
    /// Packets that went out.
    pub packets: u64,
    /// Packets among them that had gone out before.
    pub sent_again: u64,
    /// Copies of packets that the network made; a receiver drops what it has had.
    pub duplicated: u64,
    /// Packets that did not reach their host: lost, corrupted, cut, dropped by a queue or an MTU, or come to a machine that was off.
    pub lost: u64,
}

impl Traffic {
    /// Whether every datagram is accounted for. It holds of every run.
    pub fn is_balanced(&self) -> bool {
        let left = self.delivered
            + self.lost
            + self.cut
            + self.to_nobody
            + self.overflowed
            + self.congested
            + self.too_long
            + self.in_flight;
        self.sent + self.duplicated == left
    }
}

/// What came of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepOutcome {
    /// The scenario: the path of its file.
    pub scenario: String,
    /// The rule set.
    pub rules: &'static str,
    /// The first seed, and the one after the last that was asked for, which may be one more than a seed can be.
    pub seeds: (u64, u128),
    /// How many runs were done; fewer than asked for when the sweep was stopped.
    pub runs: u64,
    /// How many of them were done a second time, and came out the same in all that an [`Outcome`] holds.
    pub rechecked: u64,
    /// How many held.
    pub held: u64,
    /// How many were violated.
    pub violated: u64,
    /// How many were inconclusive.
    pub inconclusive: u64,
    /// Whether the sweep is as the file expects.
    pub as_expected: bool,
    /// What the file expects.
    pub expect: Expect,
    /// Runs that did not hold, by what they have in common, most often first.
    pub failures: Vec<Failures>,
    /// Of the digests of all runs, in the order of their seeds.
    pub digest: Digest,
    /// The samples of each measure, in the order of the file and of the seeds; of each the first
    /// [`KEPT_SAMPLES`](crate::sweep::KEPT_SAMPLES).
    pub measures: Vec<Measured>,
    /// How many samples came after those that are kept.
    pub samples_left_out: u64,
    /// The timeline over all runs, in the order of the file.
    pub faults: Vec<FaultOverRuns>,
    /// What was judged, and how often in all runs together.
    pub invariants: Vec<InvariantDone>,
}

/// What a fault came to in a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultOverRuns {
    /// The fault: `kill(s)`.
    pub fault: String,
    /// In how many runs it happened.
    pub runs: u64,
    /// How much it touched in all of them together, as [`FaultDone::affected`] counts.
    pub affected: u64,
}

/// Runs that did not hold for the same reason. A run that is inconclusive for several counts under each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The reason: an invariant's full name, or `inconclusive: ` and the doubt.
    pub signature: String,
    /// How many.
    pub count: u64,
    /// The lowest seed among them.
    pub first_seed: u64,
}
