//! Where the output of one command goes: results to stdout, progress and complaints to stderr.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use squall_reports::look::{Colour, Columns, Look, Repeats, grouped};
use squall_sim::scenario::{Complaints, Style};

use crate::args::{How, When};
use crate::exit::Exit;

/// The longest text about what is being done, in characters, so that a narrow terminal has room for the bar.
const LONGEST_DOING: usize = 40;

/// The outside, as one command sees it.
pub(crate) struct Session<'a> {
    pub(crate) program: String,
    pub(crate) stdout: &'a mut dyn Write,
    pub(crate) stderr: &'a mut dyn Write,
    pub(crate) surroundings: Surroundings<'a>,
    /// The worst that the command has come to so far.
    pub(crate) exit: Exit,
    bar: ProgressBar,
}

/// What is around the program.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) stdout: Reader,
    pub(crate) stderr: Reader,
    /// What is asked of colours by the environment.
    pub(crate) colours: Colours,
    /// True once Ctrl-C was pressed, since it was asked that it be.
    pub(crate) stop: &'a AtomicBool,
    /// Asks that Ctrl-C set that, and that a second one stop at once, which may leave something behind.
    pub(crate) stop_between_runs: &'a dyn Fn(Leaves),
}

/// What a command that is stopped at once may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    Nothing,
    /// Folders and namespaces of live runs.
    LiveRuns,
}

/// Who reads a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person at a terminal.
    Terminal,
    /// A file, a pipe, a test.
    Other,
}

/// What the environment says of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    Welcome,
    Unwanted,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        program: String,
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
        surroundings: Surroundings<'a>,
    ) -> Self {
        Session {
            program,
            stdout,
            stderr,
            surroundings,
            exit: Exit::default(),
            bar: ProgressBar::hidden(),
        }
    }

    /// Notes what a part of the command came to.
    pub(crate) fn came_to(&mut self, exit: Exit) {
        self.exit = self.exit.max(exit);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.surroundings.stop.load(Ordering::Relaxed)
    }

    /// How results look.
    pub(crate) fn look(&self, how: &How, columns: Columns) -> Look {
        self.look_in(how.says.colour, columns)
    }

    /// How results look in these colours.
    pub(crate) fn look_in(&self, colour: When, columns: Columns) -> Look {
        Look {
            colour: self.colour(colour, self.surroundings.stdout),
            program: self.program.clone(),
            repeats: Repeats::Run,
            columns,
        }
    }

    /// Writes results, as they are.
    pub(crate) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let stdout = &mut *self.stdout;
        let written = self
            .bar
            .suspend(|| stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
        written.context("the result cannot be written")
    }

    /// Writes a line to people. That nobody reads it is no reason to stop.
    pub(crate) fn tell(&mut self, text: &str) {
        let stderr = &mut *self.stderr;
        self.bar.suspend(|| {
            let _ = writeln!(stderr, "{text}").and_then(|()| stderr.flush());
        });
    }

    /// Writes an error that is not in a file.
    pub(crate) fn tell_error(&mut self, text: &str) {
        let program = self.program.clone();
        self.tell(&format!("{program}: {text}"));
    }

    /// Draws complaints about a file.
    pub(crate) fn complain(&mut self, complaints: &Complaints, how: &How) {
        self.complain_in(complaints, how.says.colour);
    }

    /// As [`complain`](Session::complain), for commands that say less of how.
    pub(crate) fn complain_in(&mut self, complaints: &Complaints, colour: When) {
        let style = match self.colour(colour, self.surroundings.stderr) {
            Colour::Plain => Style::Plain,
            Colour::Ansi => Style::Coloured,
        };
        self.tell(&complaints.render(style));
    }

    /// Whether a log has colours.
    pub(crate) fn log_colour(&self, when: When) -> Colour {
        self.colour(when, self.surroundings.stderr)
    }

    /// Shows, on a terminal only, that so many things are to be done. What is being done is set by
    /// [`doing`](Session::doing).
    pub(crate) fn begin(&mut self, count: u64) -> ProgressBar {
        if self.has_bar() {
            let bar = ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr());
            bar.set_style(style());
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = bar;
        }
        self.bar.clone()
    }

    /// Whether a person sees on a bar how far it is.
    pub(crate) fn has_bar(&self) -> bool {
        self.surroundings.stderr == Reader::Terminal
    }

    /// Says what is being done.
    pub(crate) fn doing(&mut self, what: impl Into<Cow<'static, str>>) {
        self.bar.set_message(shortened(what.into(), LONGEST_DOING));
    }

    /// One of the things is done.
    pub(crate) fn advance(&mut self) {
        self.bar.inc(1);
    }

    /// Takes the bar away.
    pub(crate) fn end(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    fn colour(&self, when: When, reader: Reader) -> Colour {
        match when {
            When::Always => Colour::Ansi,
            When::Never => Colour::Plain,
            When::Auto => match (reader, self.surroundings.colours) {
                (Reader::Terminal, Colours::Welcome) => Colour::Ansi,
                _ => Colour::Plain,
            },
        }
    }
}

/// The bar, with numbers as results have them.
fn style() -> ProgressStyle {
    let write = |w: &mut dyn fmt::Write, text: String| {
        // That a part of the bar cannot be drawn is no reason to stop.
        let _ = w.write_str(&text);
    };
    ProgressStyle::with_template("{spinner} {msg}  {wide_bar} {done} of {all}{to_go}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("done", move |state: &ProgressState, w: &mut dyn fmt::Write| {
            write(w, grouped(state.pos()));
        })
        .with_key("all", move |state: &ProgressState, w: &mut dyn fmt::Write| {
            write(w, grouped(state.len().unwrap_or_default()));
        })
        .with_key("to_go", move |state: &ProgressState, w: &mut dyn fmt::Write| {
            write(w, to_go(state.eta()));
        })
}

/// How long it still takes; nothing where that is not known, which the bar tells by no time at all, or hardly matters.
fn to_go(eta: Duration) -> String {
    match eta.as_secs() {
        0 => String::new(),
        _ => format!(", {:#} to go", HumanDuration(eta)),
    }
}

/// The end of a text that is too long, which of a path says most.
fn shortened(text: Cow<'static, str>, longest: usize) -> Cow<'static, str> {
    let length = text.chars().count();
    if length <= longest {
        return text;
    }
    let end: String = text.chars().skip(length + 1 - longest).collect();
    format!("…{end}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_the_time_to_go_until_it_is_known() {
        assert_eq!(to_go(Duration::ZERO), "");
        assert_eq!(to_go(Duration::from_secs(7)), ", 7s to go");
        assert_eq!(to_go(Duration::from_secs(120)), ", 2m to go");
    }

    #[test]
    fn of_a_long_path_the_end_is_kept() {
        assert_eq!(shortened("a.ron under A".into(), 13), "a.ron under A");
        assert_eq!(shortened("some/where/ä.ron under A".into(), 14), "…ä.ron under A");
    }
}
