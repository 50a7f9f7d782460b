//! Nodes of Squall over real sockets: the logic that was simulated is the logic that runs.
//!
//! - [`settings`]: everything that one live node needs.
//! - [`line`]: what it tells whoever attends it, a line of JSON each; [`request`]: what it can be asked.
//! - [`policy`]: what its edge does to datagrams, in place of a network that cannot be told to.
//! - [`record`]: the flight recorder, and replays of what it recorded.
//!
//! No protocol has rules here: they are in [`squall_nodes`], and run in the simulator as well.

pub mod line;
pub mod policy;
pub mod record;
pub mod request;
pub mod settings;

pub use line::Line;
pub use policy::{Peer, Policy, Way};
pub use request::{Reply, Request};
pub use settings::Settings;
