//! Scenarios of Squall on live processes: one a host, with the faults of the file done to them in real time, and judged by the same
//! invariants as a simulation.
//!
//! - [`door`]: what the command line sees of a protocol that can be played live.
//! - [`journal`]: what is to be cleaned up after a run. [`runs`]: the folder of all runs. [`netns`]: hosts in network namespaces.
//! - [`measure`]: what this machine takes by itself.
//!
//! Nothing here is a rule of its own: scenarios and verdicts are [`squall_sim`]'s, live nodes are [`squall_live`]'s.

mod able;
mod audience;
mod changes;
mod claim;
mod clock;
mod crew;
pub mod door;
mod flights;
mod ground;
mod hear;
mod host;
pub mod journal;
pub mod measure;
mod merge;
mod missed;
pub mod netns;
mod outage;
mod play;
mod process;
pub mod runs;
mod schedule;
mod staged;
mod stat;
mod strike;
mod wires;

pub use door::{Folders, Links, MOST_ROUNDS, Progress, Stage, StageError, Staged, Why};
pub use staged::staged;
