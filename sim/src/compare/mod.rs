//! Two worlds side by side: what comes of a scenario in many simulated runs and in some live ones, and where live falls outside.
//!
//! Every run is made an [`Observed`]; a [`Comparison`] of those of both worlds has
//!
//! - the verdicts as [`Share`]s with Wilson's intervals, and whether each world's are as the file expects;
//! - each measure, with order statistics that are samples ([`Ranked`]), the difference of the medians with its confidence ([`Later`]), and
//!   [Smirnov's distance](Smirnov) with its probability and [its confidence](Smirnov::interval);
//! - in how large a share of the runs each fact is claimed at all ([`Claimed`]);
//! - the [`Order`] of what happens first, and the live runs that stand against it.
//!
//! # What falls outside
//!
//! Each of these is a test of one hypothesis, that live runs are like simulated ones: the shares of violated and of inconclusive runs, and of
//! runs that claim each fact (Fisher's exact test); of each measure the share of runs with a sample (the same), Smirnov's distance, and how
//! many live runs go beyond the greatest of all simulated samples and below the least (counting: where all have one law, any of them is as
//! likely to have the greatest); and the order. Live falls outside where S. Holm's procedure (*Scandinavian Journal of Statistics* 6 (1979),
//! 65–70) rejects one of them: a comparison of a world with itself says so at most once in a hundred times ([`LEVEL`]), however many
//! measures and facts there are, and whatever they have to do with each other. The other way round, that live lies within says only that so
//! many runs show no difference: few runs show only large ones.
//!
//! Nothing here runs anything, and equal runs make equal comparisons: what is resampled draws from streams of its own.

mod comparison;
mod draws;
mod observed;
mod order;
mod points;
mod samples;
mod share;
mod smirnov;

pub use comparison::{
    Agreement, Claimed, Compared, Comparison, FEWEST_LIVE, FEWEST_SIMULATED, How, LEVEL, Setting, Tested,
    Verdicts, What, Worlds,
};
pub use observed::Observed;
pub use order::{Contradiction, Implied, Order, Relation};
pub use points::{By, Point};
pub use samples::{Later, RESAMPLES, Ranked, Samples};
pub use share::Share;
pub use smirnov::{Method, Smirnov};
