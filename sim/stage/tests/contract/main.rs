//! The contract of a world: what a node may rely on, whichever it lives in. Each story is played in the virtual network and over
//! loopback sockets, and both have to keep the same promises.
//!
//! - `node`, `story`: nodes that follow a script, and a story of them; `simulated`, `live`: the two worlds that play it.
//! - `conns`: what they do about connections.
//! - `datagrams`, `timers`, `disks`, `links`, `under_way`, `floods`, `streams`, `cut_streams`, `power_cuts`, `retransmissions`, `stream_laws`,
//!   `full_hosts`, `overruns`: the contract.
//!
//! What the kernel makes of a stream by itself, in cuts and losses of power, is Linux's in a third world: in network namespaces.

mod conns;
mod live;
mod node;
mod simulated;
mod story;

mod cut_streams;
mod datagrams;
mod disks;
mod floods;
mod full_hosts;
mod links;
mod overruns;
mod power_cuts;
mod retransmissions;
mod stream_laws;
mod streams;
mod timers;
mod under_way;
