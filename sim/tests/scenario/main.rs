//! What becomes of scenario files, seen from outside: of those that are fine, in `plan`, and of the others, in `complaints`.
//! `stand` is the protocol that they name.

mod complaints;
mod plan;
mod stand;
