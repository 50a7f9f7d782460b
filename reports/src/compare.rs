//! What a comparison of two worlds is told with: how it was made, and its samples as a table.

use std::fmt::Write as _;

use squall_sim::compare::{Comparison, Samples, Worlds};
use squall_sim::machine::{Calibrated, Machine};
use squall_sim::trace::Span;

/// How a comparison was made.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// How long the runs of each world took, in milliseconds of real time.
    pub wall_ms: Worlds<u64>,
    /// What the machine was measured to take, and what became of the plan, where that was asked for.
    pub machine: Option<(Machine, Calibrated)>,
    /// What live hosts were joined by.
    pub joined: Joined,
    /// In how many live runs hosts were kept from running for longer than is tolerated.
    pub stalled: u64,
    /// The longest that one was.
    pub longest_stall: Span,
    /// Which share of the machine's processors was taken, while live runs were played, by others than this program and its hosts, from 0 to
    /// 1; `None` where it is not known.
    pub others: Option<f64>,
    /// Live runs that could not be played to their end: the seed, and why.
    pub failed: Vec<(u64, String)>,
}

impl Made {
    /// From which share of the processors that others take it is said that live may be late for want of them: a twentieth, so that the
    /// housekeeping of a system is not called busy.
    pub const BUSY: f64 = 0.05;

    /// The share that others took of the processors, where it is so much that live may be late for it.
    pub(crate) fn busy(&self) -> Option<f64> {
        self.others.filter(|share| *share >= Self::BUSY)
    }
}

/// What live hosts were joined by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joined {
    /// The machine's loopback, over which it is measured, too.
    #[default]
    Loopback,
    /// A bridge between network namespaces.
    Bridge,
}

/// All samples of both worlds as comma-separated values, with a head: `rules,measure,world,seed,nth,ns`, where `nth` counts the samples of a run
/// from 0.
pub fn csv(comparison: &Comparison) -> String {
    let mut text = "rules,measure,world,seed,nth,ns\n".to_owned();
    let mut world = |name: &str, measure: &str, seeds: &[u64], samples: &Samples| {
        for (seed, samples) in seeds.iter().zip(samples.by_run()) {
            for (nth, sample) in samples.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "{},{measure},{name},{seed},{nth},{sample}",
                    comparison.rules
                );
            }
        }
    };
    let seeds =
        |runs: &[squall_sim::compare::Observed]| -> Vec<u64> { runs.iter().map(|run| run.seed).collect() };
    let (simulated, live) = (seeds(&comparison.runs.simulated), seeds(&comparison.runs.live));
    for measure in &comparison.measures {
        world("simulated", &measure.name, &simulated, &measure.samples.simulated);
        world("live", &measure.name, &live, &measure.samples.live);
    }
    text
}
