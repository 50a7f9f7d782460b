//! The log of a live node, on stderr, or on its terminal where that is the same: for people, or an object a line.
//!
//! It goes through a backlog of its own thread: a pipe whose reader does not read holds up nobody. What finds no room is lost, counted, and
//! told as soon as there is room again.

use std::io::Write;

use anyhow::Context as _;
use squall_live::Backlog;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Format, Level};
use squall_reports::look::Colour;

/// Begins the log. In a process that has one already, that one goes on, and nothing comes into this.
///
/// # Errors
///
/// The system has no thread for it.
pub(super) fn begin(
    to: impl Write + Send + 'static,
    format: Format,
    level: Level,
    colour: Colour,
) -> anyhow::Result<Backlog> {
    let told = |lines| {
        tracing::warn!(
            lines,
            "lines of this log are lost, since nobody read what was there"
        );
    };
    let backlog = Backlog::start(to, told).context("the log cannot be begun")?;
    let writer = backlog.clone();
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
        .with_writer(move || writer.clone());
    let begun = match format {
        Format::Text => log.with_ansi(colour == Colour::Ansi).try_init(),
        Format::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
    };
    drop(begun);
    Ok(backlog)
}
