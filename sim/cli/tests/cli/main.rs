//! The command line from end to end: through the library with a small protocol of the tests' own, and through the program.

mod check;
mod junit;
mod manual;
mod program;
mod replay;
mod run;
mod sweep;
mod usage;
mod watch;
