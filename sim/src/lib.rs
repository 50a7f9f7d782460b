//! A deterministic simulator for cluster protocols: a virtual clock, a lossy virtual network, faults, scenario files.
//!
//! - [`scenario`]: files, read with positions and resolved into a [`plan`].
//! - [`deployment`]: files of single live nodes, read in the same way.
//! - [`run`]: a plan and a seed in, an [`outcome`] out, with a [`trace`] where it is asked for.
//! - [`sweep`](mod@sweep): a scenario under many seeds, on many threads.
//! - [`watch`]: the judge and the stopwatches, of simulated and of live runs.
//! - [`timeline`]: what a plan has happen when, and [`layers`]: what lies over the links, in simulated and in live runs;
//!   [`verdict`]: what a run comes to.
//! - [`live`]: what comes of a scenario that is played live.
//! - [`compare`]: simulated and live runs side by side.
//! - [`machine`]: a machine's own latency in the virtual world.
//! - [`runner`]: the object-safe doors that the command line goes through.
//!
//! Inside, `engine` is the transport that nodes are driven over; `draws` and `digest` are what make runs repeatable and
//! comparable; `tracer` takes down what happens.
//!
//! Equal scenario, seed and version give equal digests, in any process, with any number of threads. Nothing here reads a
//! clock or opens a socket.

pub mod compare;
mod cuts;
pub mod deployment;
mod digest;
mod draws;
mod engine;
pub mod gate;
pub mod layers;
pub mod live;
pub mod machine;
pub mod outcome;
pub mod plan;
pub mod run;
pub mod runner;
pub mod scenario;
pub mod sweep;
pub mod timeline;
pub mod trace;
mod tracer;
pub mod verdict;
pub mod watch;
mod words;

pub use outcome::{Digest, Outcome, SweepOutcome, Verdict, Violation};
pub use run::{prepare, registered};
pub use runner::{Prepared, Runner, Worker};
