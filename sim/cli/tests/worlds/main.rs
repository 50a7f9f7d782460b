//! What the protocols of the house do in the simulator: the scenario files hold and show what they say, and random storms find
//! nothing else. One program, so that the engine is built for each protocol once.

mod digests;
mod finds;
mod flaws;
mod hac;
mod leader;
mod library;
mod promises;
mod refinery;
mod resolved;
mod storms;
mod taught;
