//! What the command line sees of a protocol: object-safe doors to plans and runs, behind which everything is monomorphic.

use std::sync::atomic::AtomicBool;

// Whoever reads a `PromiseMade` finds its words here.
pub use squall_nodes::{Promise, Tolerance};
use squall_nodes::{Span, Time};

use crate::machine::{Calibrated, Machine};
use crate::outcome::Outcome;
use crate::plan::{Clock, Expect, Origin};
use crate::scenario::{Complaints, ScenarioFile};
use crate::trace::Trace;

/// A protocol that scenario files can name.
pub trait Runner: Send + Sync {
    /// What files call it.
    fn name(&self) -> &'static str;
    /// One line about it.
    fn about(&self) -> &'static str;
    /// Its rule sets.
    fn rules(&self) -> &'static [&'static str];
    /// Its profiles.
    fn profiles(&self) -> &'static [&'static str];
    /// Its invariants' names, without its own, each with its promise in a sentence.
    fn invariants(&self) -> Vec<(&'static str, &'static str)>;
    /// Its facts' names.
    fn facts(&self) -> &'static [&'static str];

    /// Resolves a file under one of the rule sets.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, with places.
    fn prepare(&self, file: &ScenarioFile, rules: &'static str) -> Result<Box<dyn Prepared>, Complaints>;

    /// Resolves a file under one of the rule sets, to run with the latency that a machine was measured to have.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, with places.
    fn prepare_on(
        &self,
        file: &ScenarioFile,
        rules: &'static str,
        machine: &Machine,
    ) -> Result<(Box<dyn Prepared>, Calibrated), Complaints>;

    /// Writes the [resolved form](crate::scenario::resolved()) of a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file under any of the rule sets, or that its resolved form is too large.
    fn resolved(&self, file: &ScenarioFile) -> Result<String, Complaints>;
}

/// A scenario under one rule set, ready to run under any seed.
pub trait Prepared: Send + Sync {
    /// The scenario: the path of its file.
    fn scenario(&self) -> &str;
    /// The rule set.
    fn rules(&self) -> &'static str;
    /// What the file expects of it.
    fn expect(&self) -> &Expect;
    /// The seed that `run` takes when none is given.
    fn seed(&self) -> u64;
    /// When a run ends, counted from its beginning.
    fn limit(&self) -> Span;
    /// The hosts, in the order of their ids.
    fn hosts(&self) -> Vec<HostCast>;
    /// What links and disks are like, in words: all links first, then those that differ, then the disks.
    fn laws(&self) -> Vec<LawCast>;
    /// How bad links may be while liveness is asked for.
    fn tolerated(&self) -> Tolerance;
    /// What is done to the world, in the order of the file.
    fn timeline(&self) -> Vec<Happens>;
    /// What clients and operators ask, in the order of the file.
    fn workload(&self) -> Vec<Happens>;
    /// What is judged, and when each promise holds: as the file has it, and by the protocol's own formula.
    fn promises(&self) -> Vec<PromiseMade>;
    /// Which promises no run can judge, and why, a sentence each: those that the file writes though its protocol does not promise them of
    /// such hosts, and those of quiet where the file never keeps any group quiet for long enough. Of one that is not named here, only a run
    /// can tell.
    fn never_judged(&self) -> Vec<String>;
    /// A worker: runs reuse what the last one allocated.
    fn worker(&self) -> Box<dyn Worker + '_>;
}

/// A host of a prepared scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCast {
    /// Its name.
    pub name: String,
    /// Its role, as a file would write it.
    pub role: String,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// How its clock stands and goes when a run begins.
    pub clock: Clock,
}

/// An entry of the timeline or the workload of a prepared scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happens {
    /// When, in words: `2s`, `every 1s from 1s to 9s`, `when anyone claims promoted, 20ms later`.
    pub when: String,
    /// What, as reports name it.
    pub what: String,
}

/// What some links of a prepared scenario are like, or its disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LawCast {
    /// Which: `links`, `in eu`, `eu > us`, `eu <> us` for both ways, `s > c1, c2`, `12 links`, `disks`.
    pub of: String,
    /// What they are like.
    pub says: String,
}

/// A promise of a prepared scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseMade {
    /// The invariant's full name.
    pub name: String,
    /// What is promised, in a sentence.
    pub says: &'static str,
    /// When, as the file has it.
    pub promise: Promise,
    /// When, by the protocol's own formula.
    pub by_default: Promise,
    /// Whether the file names it.
    pub origin: Origin,
}

/// Runs a prepared scenario, again and again.
pub trait Worker {
    /// One run, with its digest and nothing kept, unless `stop` is true before it is over. That is looked at each
    /// [`LOOK_EACH`] events, and changes nothing about a run that is not stopped.
    ///
    /// # Errors
    ///
    /// When it was stopped: there is no outcome then.
    fn run_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<Outcome, Stopped>;

    /// One run with what was seen of it, as of a live one: claims, calls and answers, and changes of the world; unless it is stopped.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Worker::run_until).
    fn seen_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped>;

    /// One run with its trace, unless it is stopped.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Worker::run_until).
    fn trace_until(&mut self, seed: u64, stop: &AtomicBool) -> Result<(Outcome, Trace), Stopped>;

    /// One run that nobody stops.
    fn run(&mut self, seed: u64) -> Outcome {
        unstopped(|never| self.run_until(seed, never))
    }

    /// One run that nobody stops, with its trace.
    fn trace(&mut self, seed: u64) -> (Outcome, Trace) {
        unstopped(|never| self.trace_until(seed, never))
    }
}

/// After so many events of a run it is looked whether it is to stop: a thousand inputs are done in well under a second, whatever
/// they are.
pub const LOOK_EACH: u64 = 1024;

/// A run was stopped before it was over, so that it has no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How far it had come, in virtual time.
    pub at: Time,
}

fn unstopped<T>(run: impl FnOnce(&AtomicBool) -> Result<T, Stopped>) -> T {
    match run(&AtomicBool::new(false)) {
        Ok(done) => done,
        Err(Stopped { at }) => unreachable!("a run that nobody stops was stopped at {at}"),
    }
}
