//! The workloads that the benchmarks time, through the public run path and nothing else.
//!
//! - [`Beat`] is the node that every engine is compared with: it sends 32 bytes to its peers every 100 ms, and moves a
//!   400 ms deadline for each peer that it hears: a named timer, or a row of a table of its own.
//! - [`Pour`] is the node of streams: it writes to the next as quickly as it is let.
//! - [`histories`] makes histories for the checkers.
//! - [`workload`] puts clusters of it, and hac's failover, into scenario files as a person writes them.

mod beat;
pub mod histories;
mod pour;
pub mod workload;

pub use beat::{Address, Beat, BeatConfig, BeatFact, BeatNode, BeatTimer, Deadlines, Role};
pub use pour::{Pour, PourConfig, PourFact, PourNode, PourRole, PourTimer};
