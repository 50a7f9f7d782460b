//! Nodes of Squall over real sockets: the logic that was simulated is the logic that runs.
//!
//! - [`settings`]: everything that one live node needs; [`run`](mod@run): one live node from its start to its end.
//! - [`door`](mod@door): how it is asked things from other threads; [`status`]: how it is.
//! - [`line`](mod@line): what it tells whoever attends it, a line of JSON each; [`request`]: what it can be asked; [`wires`]: through what.
//! - [`policy`]: what its edge does to datagrams, in place of a network that cannot be told to.
//! - [`service`]: what it has around it: signals, pages, a control socket.
//! - [`terminal`]: a person who types what it is asked, and reads what it says.
//! - [`backlog`]: its log on the way to whoever reads it.
//! - [`client`]: who asks it things over that socket; [`outside`]: what arguments may ask of the machine.
//! - [`clock`] and [`disk`]: the machine's time, and where a node persists; [`error`]: why it does not start, or has to stop.
//! - [`check`]: what would keep a node from starting, found out without starting it; [`whose`]: whose something is that cannot be had.
//! - Inside: `rehearsal` finds out what a node asks for first, `trouble` is what comes again and again; `host` is the transport, made of
//!   the `barrier` (the effects behind a write), `timers`, `udp` sockets, the connections of `stream`, the `edge` (policies at work) and the
//!   `teller` of lines.
//! - [`record`]: the flight recorder, and replays of what it recorded.
//!
//! No protocol has rules here: they are in [`squall_nodes`], and run in the simulator as well.

pub mod backlog;
mod barrier;
pub mod check;
pub mod client;
pub mod clock;
pub mod disk;
pub mod door;
mod edge;
pub mod error;
mod host;
pub mod line;
pub mod outside;
pub mod policy;
mod private;
pub mod record;
mod rehearsal;
pub mod request;
pub mod run;
pub mod service;
pub mod settings;
pub mod status;
mod stream;
mod teller;
pub mod terminal;
mod timers;
mod trouble;
mod udp;
mod watch;
pub mod whose;
pub mod wires;

pub use backlog::Backlog;
pub use door::{Door, Gone, Handle, Replies, Stop, door};
pub use error::LiveError;
pub use line::Line;
pub use policy::{Peer, Policy, Way};
pub use record::FlightRecorder;
pub use request::{Reply, Request};
pub use run::{Boot, Ended, Recorder, run};
pub use service::{Around, Service, ServiceError};
pub use settings::Settings;
pub use status::{Gauge, Recording, Status};
pub use terminal::{Screen, Terminal};
pub use wires::Wires;
