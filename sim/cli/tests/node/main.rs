//! Live nodes as processes: how they start, stop, are looked at and asked, and what becomes of all that can go wrong around them.

mod ask;
mod attended;
mod bug;
mod check;
mod config;
mod data;
#[path = "../fragile/mod.rs"]
mod fragile;
mod help;
mod log;
mod pages;
mod process;
mod refinery;
mod stopping;
mod terminal;
mod unit;
mod walk;
