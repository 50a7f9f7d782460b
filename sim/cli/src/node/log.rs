//! The log of a live node, on stderr: for people, or an object a line.
//!
//! It is written by whoever logs, the node's own thread among them: nothing of it is lost, and a pipe whose reader does not read stops the
//! node once the pipe is full. Whoever keeps a node's log has to drain it, or to turn it down with `--log-level`.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use crate::args::{Format, Level};
use squall_reports::look::Colour;

/// Begins the log. In a process that has one already, that one goes on.
pub(super) fn begin(format: Format, level: Level, colour: Colour) {
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        // It would be told on stderr, which is what cannot be written, and a node does not end with its log.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let begun = match format {
        Format::Text => log.with_ansi(colour == Colour::Ansi).try_init(),
        Format::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
    };
    drop(begun);
}
