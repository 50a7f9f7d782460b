//! What can be typed.

use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use squall_nodes::Span;
use squall_sim::runner::Runner;
use squall_sim::sweep::Share;

use crate::help;
use crate::node::Living;
use crate::seeds::Seeds;
use crate::tracefile::Records;

/// A deterministic testbed for cluster protocols.
///
/// Runs scenario files: hosts on a virtual network under a timeline of faults, judged by the promises of their protocol.
/// Equal file, rule set and seed give equal runs, always and everywhere.
///
/// The same nodes run live, over sockets, by themselves or as the hosts of a scenario.
#[derive(Debug, Parser)]
#[command(version, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Typed {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenario files, each once under each of its rule sets
    Run(RunArgs),
    /// Run scenario files under many seeds
    Sweep(SweepArgs),
    /// Validate scenario files, and show what they promise
    Check(CheckArgs),
    /// Play scenario files on live processes, a process a host, in real time
    Live(LiveArgs),
    /// Run one live node over sockets, until a signal
    ///
    /// The first SIGTERM or SIGINT stops it in order, which is exit code 0, the second at once, which is 130; the same one
    /// again within a tenth of a second, as `timeout` sends it, is still the first. 2 is a file, an argument,
    /// a port or a data folder that cannot be used, and 101 a bug of the node or of Squall. A protocol's own arguments are told when
    /// they are left out.
    Node(Box<NodeArgs>),
    /// Ask a live node something, through its control socket
    Ask(AskArgs),
    /// Live recorded lives of nodes again, and name the first effect that is not as it was recorded
    Replay(ReplayArgs),
    /// Run a scenario in both worlds, simulated and live, and say where live falls outside
    Compare(CompareArgs),
    /// Print what a shell needs to complete the words of this program
    Completions(CompletionsArgs),
    /// Print the manual page of this program
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The seed [default: the file's own, else 0]
    #[arg(long, value_name = "N", value_parser = crate::seeds::seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// Only this rule set [default: all of the protocol's]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    /// Write the trace of the one run, an event a line, as JSON; `-` for stdout, with the result on stderr
    ///
    /// It is kept in memory until the run is over, 200 to 400 bytes an event, and then written to a file beside OUT that takes its
    /// place. If the program is killed meanwhile, a `.squall-OUT-….part` is left there, which the next command that writes to OUT removes.
    #[arg(long, value_name = "OUT")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the history of the one run, a line a call with its answers, as JSON; `-` for stdout, with the result on stderr
    ///
    /// A call without answers was not answered before the run ended, or before the host that was asked went down, which is `lost_ns` then.
    #[arg(long, value_name = "OUT")]
    pub(crate) history: Option<PathBuf>,
    /// Tell the story of every violation, expected or not
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    pub(crate) story: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The seeds: `A..B` without B, `A..=B` with it, or how many, from 0. Files tagged `scale` take the first 20
    #[arg(
        long,
        value_name = "A..B",
        default_value = "0..1000",
        allow_negative_numbers = true
    )]
    pub(crate) seeds: Seeds,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// Only this rule set [default: all of the protocol's]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    /// The share of the runs that is run a second time and compared, event by event if need be: `0%` to `100%`
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = crate::share::share)]
    pub(crate) recheck: Share,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Print the file with everything written out that it leaves out, as a scenario that runs to the same digests; several
    /// files with `--format json`
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) resolved: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct LiveArgs {
    /// Scenario files; of a folder, all `.ron` files in it and below
    #[arg(required_unless_present = "clean", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only files with this tag, or with one of several
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// No file with this tag
    #[arg(long, value_name = "TAG")]
    pub(crate) skip_tag: Vec<String>,
    /// The seed of nodes and workload; one more for each further run [default: the file's own, else 0]
    #[arg(long, value_name = "N", value_parser = crate::seeds::seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    /// How often to play each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<100_000>)]
    pub(crate) runs: u64,
    /// Only this rule set [default: all of the protocol's]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    /// Write what was seen of the one run, an event a line, as JSON: claims, calls, answers and changes of the world, and no datagrams,
    /// which `--record` has; `-` for stdout, with the result on stderr
    ///
    /// It is written when the run is over, to a file beside OUT that takes its place.
    #[arg(long, value_name = "OUT")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the history of the one run, a line a call with its answers, as JSON; `-` for stdout, with the result on stderr
    ///
    /// A call without answers was not answered before the run ended, or before the host that was asked went down, which is `lost_ns` then.
    #[arg(long, value_name = "OUT")]
    pub(crate) history: Option<PathBuf>,
    /// Give each host a network namespace, and have the kernel make the cuts; it takes root
    #[arg(long)]
    pub(crate) netns: bool,
    /// Keep the folder of every run, and not of those alone that are not as expected
    #[arg(long)]
    pub(crate) keep: bool,
    /// Record the flight of every host into this folder, for `replay`: a folder a run, in it one a host, in it a file for each of its lives
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
    /// End what runs in the folder have left behind whose program was killed, say which folders of runs are kept there, and play nothing
    #[arg(long, conflicts_with_all = ["files", "netns", "keep", "trace", "history", "record"])]
    pub(crate) clean: bool,
    /// The folder in which each run has one [default: squall-live-UID in the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Tell the story of every violation, expected or not
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    pub(crate) story: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// A file that describes the node, `….ron`; or a protocol and its own arguments
    #[arg(required = true, value_name = "CONFIG.ron|PROTOCOL WORD")]
    pub(crate) words: Vec<String>,
    /// A file that lists the members of the cluster, for arguments that want one
    #[arg(long, value_name = "FILE")]
    pub(crate) members: Option<String>,
    /// The rule set [default: the file's, else the protocol's last]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    /// The profile [default: the file's, else the protocol's first]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// What the node is called
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The IPv4 address that its sockets are bound to, and by which others know it
    #[arg(long, value_name = "IP", value_parser = crate::node::address)]
    pub(crate) address: Option<std::net::Ipv4Addr>,
    /// Settings in place of others, as files write them: `(port: 7102)`
    #[arg(long, value_name = "SETTINGS")]
    pub(crate) config: Option<String>,
    /// The folder in which it keeps what it persists [default: the file's, else none]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Serve `/status` and `/metrics` at this address and port; a port alone is one of 127.0.0.1, which `localhost` is too
    #[arg(long, value_name = "[IP:]PORT", value_parser = crate::node::pages)]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Take commands through a unix socket at this path
    #[arg(long, value_name = "SOCKET")]
    pub(crate) control: Option<PathBuf>,
    /// Record its flight into this folder, for `replay`
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// The seed of its random streams [default: the file's, else drawn]
    #[arg(long, value_name = "N", value_parser = crate::seeds::seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    /// Secure connections, with certificates both ways: its own, for its address; the key of that; and those of who signs its peers'. PEM
    #[arg(long, num_args = 3, value_names = ["CERTIFICATE", "KEY", "AUTHORITY"])]
    pub(crate) tls: Option<Vec<PathBuf>>,
    /// Append all that is seen of it to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(crate) lines: Option<PathBuf>,
    /// Print the file that all this amounts to, with paths as they are from here, and run nothing
    #[arg(long, conflicts_with = "check")]
    pub(crate) print_config: bool,
    /// Look at all that it needs, its data folder, ports, sockets and files, say of each whether it can be had, and run and change nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Move aside what it has persisted, and start without
    #[arg(long)]
    pub(crate) wipe: bool,
    /// Take its data folder though it is another node's: another name, another role, or another protocol
    #[arg(long)]
    pub(crate) adopt: bool,
    /// The log, on stderr, of which nobody has to read anything; what finds no room is lost, and counted: text for people, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log: Format,
    /// What the log says: what the node claims is `info`; what it claims again and again while all is well, and datagrams that the link
    /// policy drops, are `debug` [default: info; warn where there is a terminal]
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub(crate) log_level: Option<Level>,
    /// Whether a person types at the node what it is asked, a line each, such as `status`, and is shown what it answers and claims
    ///
    /// `help` says what can be asked. The end of what is typed does not stop the node: Ctrl-C does, and `quit`.
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        conflicts_with = "attended"
    )]
    pub(crate) terminal: Terminal,
    /// Colours
    #[arg(
        long,
        visible_alias = "color",
        value_name = "WHEN",
        value_enum,
        default_value_t
    )]
    pub(crate) colour: When,
    /// Whoever started it attends it: lines go to stdout, requests come from stdin
    #[arg(long, hide = true)]
    pub(crate) attended: bool,
    /// Wait to be told to go
    #[arg(long, hide = true, requires = "attended")]
    pub(crate) wait: bool,
    /// How often it tells what it has come to
    #[arg(long, hide = true, requires = "attended", value_name = "SPAN", value_parser = crate::node::span)]
    pub(crate) mark_every: Option<Span>,
    /// How long it may be kept from running before it tells
    #[arg(long, hide = true, requires = "attended", value_name = "SPAN", value_parser = crate::node::span)]
    pub(crate) stall: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// The node's control socket
    #[arg(value_name = "SOCKET")]
    pub(crate) socket: PathBuf,
    /// A command of the node's protocol, as it is typed at a terminal, `calc 1+1`, or as scenarios write it, `'Calc("1+1")'`; without one,
    /// the node's whole status is printed
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// How long to wait for it
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = crate::node::span)]
    pub(crate) timeout: Span,
    /// Print every answer that comes in that time, and not the first alone
    #[arg(long, requires = "command")]
    pub(crate) all: bool,
    /// As files would write it, or as JSON on one line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recordings of flights, as nodes with `record` in their settings write them; of a folder, all `.sqf` files in it and below, a node's
    /// lives in their order
    #[arg(required = true, value_name = "RECORD")]
    pub(crate) files: Vec<PathBuf>,
    /// What the node would have done under these rules, told the same [default: the rules that were recorded]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    /// What it would have done with another setting, told the same; VALUE is JSON or a word, FIELD as deployment files call it
    #[arg(long, value_name = "FIELD=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    /// Tell every input and what came of it
    #[arg(long, short = 'v')]
    pub(crate) story: bool,
    /// Tell the inputs from this one on; the first is 1
    #[arg(long, value_name = "N", value_parser = counted_from_1)]
    pub(crate) from: Option<u64>,
    /// Tell the inputs up to this one
    #[arg(long, value_name = "N", value_parser = counted_from_1)]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) says: Says,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The scenario file
    #[arg(value_name = "SCENARIO")]
    pub(crate) file: PathBuf,
    /// How many live runs, in real time, one after the other
    #[arg(long, value_name = "N", default_value = "30", value_parser = up_to::<10_000>)]
    pub(crate) live_runs: u64,
    /// The seeds of the simulated runs: `A..B` without B, `A..=B` with it, or how many, from 0
    #[arg(
        long,
        value_name = "A..B",
        default_value = "0..1000",
        allow_negative_numbers = true
    )]
    pub(crate) seeds: Seeds,
    /// The seed of the first live run; each has the next one [default: the first after the simulated runs]
    #[arg(long, value_name = "N", value_parser = crate::seeds::seed, allow_negative_numbers = true)]
    pub(crate) live_seed: Option<u64>,
    /// Measure first what this machine takes for a datagram and a durable write, and simulate with it
    #[arg(long)]
    pub(crate) calibrate: bool,
    /// In how many simulated runs one thing has to come before another to be an order that live runs are held against
    #[arg(long, value_name = "N", default_value = "100", value_parser = counted_from_1)]
    pub(crate) support: u64,
    /// Write all samples of both worlds as comma-separated values
    #[arg(long, value_name = "OUT")]
    pub(crate) samples: Option<PathBuf>,
    /// Give each live host a network namespace, and have the kernel make the cuts; it takes root
    #[arg(long)]
    pub(crate) netns: bool,
    /// Keep the folder of every live run, and not of those alone that are not as expected
    #[arg(long)]
    pub(crate) keep: bool,
    /// The folder in which each live run has one, and writes are measured [default: squall-live-UID in the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// Only this rule set [default: all of the protocol's]
    #[arg(long, value_name = "NAME")]
    pub(crate) rules: Option<String>,
    #[command(flatten)]
    pub(crate) says: Says,
    /// Write the results as JUnit XML too: a suite of the file, a case a rule set. Times are 0
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

impl RunArgs {
    /// What is to be written of the one run.
    pub(crate) fn records(&self) -> Records<'_> {
        Records {
            trace: self.trace.as_deref(),
            history: self.history.as_deref(),
        }
    }
}

impl LiveArgs {
    /// What is to be written of the one run.
    pub(crate) fn records(&self) -> Records<'_> {
        Records {
            trace: self.trace.as_deref(),
            history: self.history.as_deref(),
        }
    }
}

impl CompareArgs {
    /// How to say it.
    pub(crate) fn how(&self) -> How {
        How {
            says: self.says,
            junit: self.junit.clone(),
            strict: false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder instead, and print their paths
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Which files.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Scenario files; of a folder, all `.ron` files in it and below
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only files with this tag, or with one of several
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// No file with this tag
    #[arg(long, value_name = "TAG")]
    pub(crate) skip_tag: Vec<String>,
}

/// On how many threads.
#[derive(Debug, Args)]
pub(crate) struct Jobs {
    /// How many threads [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// How to say it.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Says {
    /// Text for people, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(
        long,
        visible_alias = "color",
        value_name = "WHEN",
        value_enum,
        default_value_t
    )]
    pub(crate) colour: When,
    /// Say only what is not as expected
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// How to say it, and how much is forgiven.
#[derive(Clone, Debug, Args)]
pub(crate) struct How {
    #[command(flatten)]
    pub(crate) says: Says,
    /// Write the results as JUnit XML too: a suite a file, a case a rule set. Times are virtual, or 0
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Fail on promises that the file loosens, and on promises and faults that never did anything
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// How much a log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Whether there is a terminal at a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Terminal {
    /// Where stdin and stdout are one, and arguments of a protocol start the node, in the foreground
    #[default]
    Auto,
    /// Whatever stdin is, a pipe or a file too
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

impl Jobs {
    pub(crate) fn count(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(processors, usize::from)
    }
}

impl Typed {
    /// Reads a command line, whose first word is the program's name.
    pub(crate) fn read(
        program: &str,
        runners: &[Box<dyn Runner>],
        doors: &[Box<dyn Living>],
        words: &[std::ffi::OsString],
    ) -> Result<Typed, clap::Error> {
        let asked = asked_about(doors, words);
        let matches = help::command(program, runners, doors, asked).try_get_matches_from(words)?;
        Typed::from_arg_matches(&matches)
    }
}

/// The protocol that a node is typed to be of: `squall node hac --help`.
fn asked_about(doors: &[Box<dyn Living>], words: &[std::ffi::OsString]) -> Option<&'static str> {
    let [_, node, rest @ ..] = words else { return None };
    let name = |word| doors.iter().map(|door| door.name()).find(|name| word == *name);
    (node == "node").then(|| rest.iter().find_map(name)).flatten()
}

/// Reads a number of which the first is 1.
fn counted_from_1(text: &str) -> Result<u64, String> {
    match crate::seeds::seed(text) {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from 1 on")),
    }
}

/// Reads how often something is done that takes its time.
fn up_to<const MOST: u64>(text: &str) -> Result<u64, String> {
    match crate::seeds::seed(text) {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from 1 to {MOST}")),
    }
}

/// A setting and its value, of `misses=3`.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("it is written as FIELD=VALUE, such as misses=3 or round=500ms".to_owned()),
    }
}
