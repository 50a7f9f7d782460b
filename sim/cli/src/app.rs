//! The way in: a registry of protocols, and a command line for them.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use squall_live::record::{Replays, replays};
use squall_nodes::Protocol;
use squall_reports::look::quoted;
use squall_sim::registered;
use squall_sim::runner::Runner;
use squall_stage::{Staged, staged};

use crate::args::{Command, Typed};
use crate::exit::Exit;
use crate::node::{Living, living};
use crate::session::{Colours, Leaves, Reader, Session, Surroundings};
use crate::{ask, check, compare, live, manual, node, replay, run, sweep};

/// How soon after the first a signal is that one still: `timeout` sends it to the process and to its group, and a person does not press Ctrl-C
/// twice in that time.
const TWICE: Duration = Duration::from_millis(100);

/// A program that runs the scenarios of its protocols.
#[derive(Default)]
pub struct App {
    name: Option<String>,
    runners: Vec<Box<dyn Runner>>,
    doors: Vec<Box<dyn Living>>,
    stages: Vec<Box<dyn Staged>>,
    replays: Vec<Box<dyn Replays>>,
}

impl App {
    /// A program without protocols, called as its file is.
    pub fn new() -> Self {
        App::default()
    }

    /// Calls the program otherwise than its file in help and in the commands that it prints: `cargo run --`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a protocol. One that has the name of an earlier one takes its place.
    #[must_use]
    pub fn protocol<P: Protocol>(mut self) -> Self {
        let runner = registered::<P>();
        self.runners.retain(|other| other.name() != runner.name());
        self.runners.push(runner);
        let door = living::<P>();
        self.doors.retain(|other| other.name() != door.name());
        self.doors.push(door);
        let stage = staged::<P>();
        self.stages.retain(|other| other.name() != stage.name());
        self.stages.push(stage);
        self.replays.retain(|other| other.name() != P::NAME);
        self.replays.push(replays::<P>());
        self
    }

    /// Reads the command line of this process and does what it says. The first Ctrl-C gives up the runs under way and
    /// reports those that are done, the second stops at once.
    pub fn main(self) -> ExitCode {
        static STOP: AtomicBool = AtomicBool::new(false);
        let stop_between_runs = |leaves: Leaves| {
            // Without the handler Ctrl-C stops at once, which is no reason not to begin.
            let mut first = None;
            let _ = ctrlc::set_handler(move || {
                let now = Instant::now();
                let first = *first.get_or_insert(now);
                if now != first && now.duration_since(first) < TWICE {
                    return;
                }
                if STOP.swap(true, Ordering::Relaxed) {
                    if leaves == Leaves::LiveRuns {
                        let _ = writeln!(
                            io::stderr(),
                            "stopped at once; `squall live --clean`, with the same --folder, ends what is left of live runs"
                        );
                    }
                    std::process::exit(Exit::Interrupted.code().into());
                }
                let _ = writeln!(
                    io::stderr(),
                    "\nstopping, without the runs under way; Ctrl-C again stops at once"
                );
            });
        };
        let reader = |is_terminal| {
            if is_terminal {
                Reader::Terminal
            } else {
                Reader::Other
            }
        };
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let surroundings = Surroundings {
            stdout: reader(io::stdout().is_terminal()),
            stderr: reader(io::stderr().is_terminal()),
            colours: if is_set("NO_COLOR") || is_dumb {
                Colours::Unwanted
            } else {
                Colours::Welcome
            },
            stop: &STOP,
            stop_between_runs: &stop_between_runs,
        };
        let words: Vec<OsString> = std::env::args_os().collect();
        self.run_in(&words, &mut io::stdout().lock(), &mut io::stderr(), surroundings)
            .into()
    }

    /// Does what a command line says, whose first word is the program's name; for tests, and for programs with commands of
    /// their own. The streams are taken for files: no colours unless they are asked for, no progress.
    pub fn run<W: Into<OsString>>(
        &self,
        words: impl IntoIterator<Item = W>,
        stdout: &mut dyn Write,
        stderr: &mut dyn Write,
    ) -> Exit {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let never = AtomicBool::new(false);
        let surroundings = Surroundings {
            stdout: Reader::Other,
            stderr: Reader::Other,
            colours: Colours::Unwanted,
            stop: &never,
            stop_between_runs: &|_| {},
        };
        self.run_in(&words, stdout, stderr, surroundings)
    }

    fn run_in(
        &self,
        words: &[OsString],
        stdout: &mut dyn Write,
        stderr: &mut dyn Write,
        surroundings: Surroundings<'_>,
    ) -> Exit {
        let program = self.program(words);
        let mut session = Session::new(program, stdout, stderr, surroundings);
        let typed = Typed::read(&session.program, &self.runners, &self.doors, words);
        // A live node takes signals in its own way; one who asks it something stops at once.
        let takes_signals = |typed: &Typed| matches!(typed.command, Command::Node(_) | Command::Ask(_));
        let leaves = match &typed {
            Ok(typed) if matches!(typed.command, Command::Live(_) | Command::Compare(_)) => Leaves::LiveRuns,
            _ => Leaves::Nothing,
        };
        if !typed.as_ref().is_ok_and(takes_signals) {
            (session.surroundings.stop_between_runs)(leaves);
        }
        let done = match typed {
            Err(error) => return help_or_usage(&error, &mut session),
            Ok(Typed {
                command: Command::Run(args),
            }) => run::run(&self.runners, &args, &mut session),
            Ok(Typed {
                command: Command::Sweep(args),
            }) => sweep::sweep(&self.runners, &args, &mut session),
            Ok(Typed {
                command: Command::Check(args),
            }) => check::check(&self.runners, &args, &mut session),
            Ok(Typed {
                command: Command::Live(args),
            }) => live::live(&self.runners, &self.stages, &args, &mut session),
            Ok(Typed {
                command: Command::Node(args),
            }) => node::node(&self.doors, &args, &mut session),
            Ok(Typed {
                command: Command::Ask(args),
            }) => ask::ask(&self.doors, &args, &mut session),
            Ok(Typed {
                command: Command::Replay(args),
            }) => replay::replay(&self.replays, &args, &mut session),
            Ok(Typed {
                command: Command::Compare(args),
            }) => compare::compare(&self.runners, &self.stages, &args, &mut session),
            Ok(Typed {
                command: Command::Completions(args),
            }) => manual::completions(&self.word(words), &self.runners, &self.doors, &args, &mut session),
            Ok(Typed {
                command: Command::Man(args),
            }) => manual::man(&self.word(words), &self.runners, &self.doors, &args, &mut session),
        };
        session.end();
        match done {
            Ok(()) if session.is_stopped() => session.came_to(Exit::Interrupted),
            Ok(()) => {}
            Err(error) if is_broken_pipe(&error) => session.came_to(Exit::Unread),
            Err(error) => {
                session.tell_error(&format!("{error:#}"));
                session.came_to(Exit::Unusable);
            }
        }
        session.exit
    }

    /// What calls the program, in commands that can be pasted.
    fn program(&self, words: &[OsString]) -> String {
        let of_file = || file_name(words).map(|name| quoted(&name));
        self.name
            .clone()
            .or_else(of_file)
            .unwrap_or_else(|| "squall".to_owned())
    }

    /// The program's name where that has to be one plain word: shells complete the words of a program, not of `cargo run --`,
    /// and a manual page is a file.
    fn word(&self, words: &[OsString]) -> String {
        let is_plain = |name: &String| {
            let mut letters = name.chars();
            letters.next().is_some_and(|first| first.is_ascii_alphanumeric())
                && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        let name = self.name.clone().filter(is_plain);
        name.or_else(|| file_name(words).filter(is_plain))
            .unwrap_or_else(|| "squall".to_owned())
    }
}

/// The name of the program's file.
fn file_name(words: &[OsString]) -> Option<String> {
    let name = Path::new(words.first()?).file_name()?.to_string_lossy();
    let name = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name);
    Some(name.to_owned())
}

/// Help and version are results; everything else that the command line's reader says is a complaint.
fn help_or_usage(error: &clap::Error, session: &mut Session<'_>) -> Exit {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let coloured = session.surroundings.stdout == Reader::Terminal
                && session.surroundings.colours == Colours::Welcome;
            let text = if coloured {
                text.ansi().to_string()
            } else {
                text.to_string()
            };
            // Whoever does not read the help to its end has had enough of it.
            let _ = session.say(&text);
            Exit::AsExpected
        }
        _ => {
            let coloured = session.surroundings.stderr == Reader::Terminal
                && session.surroundings.colours == Colours::Welcome;
            let text = if coloured {
                text.ansi().to_string()
            } else {
                text.to_string()
            };
            session.tell(text.trim_end());
            Exit::Unusable
        }
    }
}

/// Whether the reader of stdout went away: `| head` has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
