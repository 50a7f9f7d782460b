//! Results for people: a line a run, a story a violation, a summary at the end.
//!
//! - [`run`](mod@run): one run as a line; [`story`](mod@story): what broke and what led to it.
//! - [`sweep`](mod@sweep): many seeds as a line, with shares and reasons;
//!   [`compare`](mod@compare): two worlds side by side;
//!   [`tally`](mod@tally): the last line; [`check`](mod@check): what a file promises.
//! - [`replay`](mod@replay): a recorded life, lived again.
//!
//! Every text is whole lines, each with its end. What came from packets and nodes is made harmless to a terminal.

pub mod check;
pub mod compare;
mod measures;
pub mod replay;
pub mod run;
pub mod story;
pub mod sweep;
pub mod tally;

pub use check::{Checked, CheckedRules, check};
pub use compare::compare;
pub(crate) use measures::Ranks;
pub use replay::replay;
pub use run::run;
pub use story::story;
pub use sweep::sweep;
pub use tally::{Tallied, Tally};

#[cfg(test)]
mod tests;
