//! The node contract of Squall, and the protocols that keep it.
//!
//! - [`node`]: what a node is, what it is told; [`outbox`]: what it wants done; [`transport`]: the loop between the two.
//! - [`time`] and [`rng`]: instants, spans and the node's own random stream.
//! - [`seen`], [`world`] and [`invariant`]: what is seen of a run, the questions to it, and the promises held against it.
//! - [`link`] and [`latency`]: what a link does to datagrams, whether the network is a virtual one or real; [`stream`]: what streams go by.
//! - [`protocol`]: what a scenario file names. [`recording`]: a node's life as bytes, and what comes of telling it to the node again.
//! - [`secret`]: what no page, log or trace shows of a node's settings.
//! - [`history`]: what was asked and answered, and whether it is linearizable.
//! - [`echo`]: the smallest protocol there is, as a tutorial. [`counter`]: replicas that count together. [`hac`]: the high-availability
//!   cluster. [`leader`]: the elected leader, over streams. [`refinery`]: the authenticated cluster, over streams.
//!
//! Nothing here reads a clock, opens a socket or a file, starts a thread, or knows of the simulator.

extern crate self as squall_nodes;

#[doc(hidden)]
pub use serde;

mod cast;
pub mod counter;
pub mod echo;
pub mod hac;
pub mod history;
pub mod invariant;
pub mod latency;
pub mod leader;
pub mod link;
pub mod node;
pub mod outbox;
pub mod protocol;
pub mod recording;
pub mod refinery;
pub mod rng;
pub mod secret;
pub mod seen;
pub mod start;
pub mod stream;
pub mod time;
pub mod transport;
mod words;
pub mod world;

pub use invariant::{Always, Breach, InQuiet, Invariant, Judged};
pub use node::{
    CallId, Closed, ConnId, Data, Fact, HostId, Input, Node, StreamEvent, Timer, Token, encode_data,
};
pub use outbox::{Effect, Effects, Ids, Outbox, Payload};
pub use protocol::{
    Built, ConfigOf, Describe, InvariantKind, Misfit, Placed, Promise, Protocol, Setup, Tolerance,
    ron_options,
};
pub use rng::{HostKey, NodeRng};
pub use secret::Secret;
pub use seen::{Change, Crash, Cut, DiskAtBoot, DiskState, Seen};
pub use start::{Outside, Unusable};
pub use time::{Span, SpanError, Time};
pub use transport::{Delivery, Transport, Unwitnessed, Witness, drive};
pub use world::{Group, Links, Resident, World};
