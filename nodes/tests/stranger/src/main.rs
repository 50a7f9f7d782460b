//! The program: Squall's command line for a protocol of one's own.
//!
//!     cargo run -- check scenarios
//!     cargo run -- run scenarios
//!     cargo run -- sweep scenarios --seeds 0..1000
//!
//! Each command has `--help`.

mod config;
mod invariants;
mod lease;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    squall::App::new().protocol::<lease::Lease>().main()
}
