//! The flight recorder: a node's life in a file, from which it is lived again, effect by effect.
//!
//! - [`recorder`]: writes a recording while the node lives; [`folder`]: which recordings there are, and how many are kept.
//! - [`head`]: who is recorded, by which [`build`](mod@build); [`frame`]: how the file shows what of it is whole.
//! - [`replay`]: tells a node the inputs of a recording and holds what it asks for against what was recorded; [`door`]: the same for
//!   whatever protocol a file is of; [`rules`]: settings under other rules than those that were recorded; `words`: inputs and effects
//!   in words.
//!
//! What entries are is [`squall_nodes::recording`]'s.
//!
//! # What is promised
//!
//! An entry is handed to the kernel by one `write` before any effect of its input leaves the node. So a node that is killed at any
//! moment leaves all that others may know of it, and at most the beginning of one entry more, which is told and not replayed. The kernel
//! is not told to write it to the disk: a power cut may take the last seconds. A node that panics leaves the input over which it did.
//!
//! A recorder that cannot write lets the node go on unrecorded, and says so: a node is worth more than its recording.

pub mod build;
pub mod door;
pub mod folder;
pub mod frame;
pub mod head;
pub mod recorder;
pub mod replay;
pub mod rules;
mod words;

pub use build::{VERSION, build};
pub use door::{Manner, ReplayError, Replays, replays};
pub use head::{Head, head_of};
pub use recorder::{FlightRecorder, RecordError};
