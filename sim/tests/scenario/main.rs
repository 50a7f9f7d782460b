//! What becomes of scenario files, seen from outside: of those that are fine, in `plan`, `laws` and `faults`, and of the
//! others, in `complaints`.
//! `stand` is the protocol that they name.

mod complaints;
mod faults;
mod laws;
mod plan;
mod stand;
