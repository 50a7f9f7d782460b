//! x

pub mod outcome;
pub mod plan;
pub mod runner;
pub mod scenario;
pub mod trace;
