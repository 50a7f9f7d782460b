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
//!
//! # What it costs
//!
//! An input of an echo server (a datagram of nine bytes comes in, and one goes out) takes 10 ns to handle, and 1.2 µs when it is
//! recorded: the rest is the `write`, of 61 bytes, to an ext4 file system; on a tmpfs it is 0.8 µs. Besides the system call it is some
//! 750 instructions, as callgrind counts them. A hundred thousand inputs a second would take an eighth of a processor and six megabytes.
//!
//! Measured by `cargo run --release -p squall-live --example recording_cost`, which drives a node with and without a recorder in turns,
//! 41 rounds of 20 000 inputs each, and prints the medians; on a virtual machine with two Intel Xeon processors that had other work to do.

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
