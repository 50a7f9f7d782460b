//! The command line of Squall, for whoever has a protocol to put under test.
//!
//! A program of one's own has every command in three lines:
//!
//! ```no_run
//! # use squall_nodes::echo::Echo;
//! fn main() -> std::process::ExitCode {
//!     squall::App::new().protocol::<Echo>().main()
//! }
//! ```
//!
//! - [`App`]: the registry of protocols and the way in; [`Exit`]: what a command came to.
//! - `args`: what can be typed; `help`: what is said of it. `run`, `sweep`, `check`, `live`, `compare`, `replay`, `manual`: the commands;
//!   `node`, `ask`: those of live nodes. `files`: from paths to prepared scenarios.
//! - `session`: where output goes. `outfile`, `tracefile`, `junit`: files that are written. `abreast`: work on several threads.
//!   `bug`: calls into the engine that look out for bugs.
//!   `seeds`, `share`, `strict`: what the commands share.
//!
//! Nothing here judges or formats: runs are [`squall_sim`]'s, texts are [`squall_reports`]'s.

mod abreast;
mod app;
mod args;
mod ask;
mod bug;
mod check;
mod compare;
mod exit;
mod files;
mod help;
mod junit;
mod live;
mod manual;
mod node;
mod outfile;
mod replay;
mod run;
mod seeds;
mod session;
mod share;
mod strict;
mod sweep;
mod tracefile;

pub use app::App;
pub use exit::Exit;
