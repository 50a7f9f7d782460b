//! What a person or a CI reads of finished results.
//!
//! - [`look`]: colours, widths, numbers and commands, the same in all text.
//! - [`compare`]: what a comparison of two worlds is told with.
//! - [`text`]: runs, sweeps, checks and the story of a violation, for people.
//! - [`json`]: the same as one object a line, for programs.
//! - [`junit`]: the same as JUnit XML, for a CI.
//!
//! Nothing here runs a scenario, reads a file, or writes anywhere: every function returns what is to be written.

pub mod compare;
pub mod json;
pub mod junit;
pub mod look;
#[cfg(test)]
mod sample;
pub mod text;
