//! What is said of the commands: with the program's own name, its protocols, examples, and exit codes.

use clap::CommandFactory;
use squall_sim::runner::Runner;

use crate::args::Typed;
use crate::exit::Exit;
use crate::node::Living;

/// A command line that does something, and what.
pub(crate) struct Example {
    /// Without the program's name.
    pub(crate) words: &'static str,
    pub(crate) what: &'static str,
}

/// Examples of each command, in the order of the commands.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "run",
        &[
            Example {
                words: "run scenarios",
                what: "every file in the folder, under every rule set",
            },
            Example {
                words: "run scenarios/hac/x.ron --rules Original --seed 7",
                what: "one run, again",
            },
            Example {
                words: "run x.ron --rules Original --trace x.jsonl",
                what: "with all that happened",
            },
            Example {
                words: "run x.ron --rules Original --history x.jsonl",
                what: "with all that was asked and answered",
            },
            Example {
                words: "run scenarios --format json --quiet",
                what: "what is not as expected, for a program",
            },
            Example {
                words: "run scenarios --junit junit.xml",
                what: "and for a CI that shows tests",
            },
        ],
    ),
    (
        "sweep",
        &[
            Example {
                words: "sweep scenarios/hac/x.ron",
                what: "1000 seeds under every rule set",
            },
            Example {
                words: "sweep scenarios --seeds 0..10000 --skip-tag storm",
                what: "without the storms",
            },
            Example {
                words: "sweep x.ron --seeds 5000..6000 --jobs 1",
                what: "other seeds, on one thread",
            },
            Example {
                words: "sweep x.ron --recheck 100%",
                what: "every run twice, to see that the two are one",
            },
        ],
    ),
    (
        "check",
        &[
            Example {
                words: "check x.ron",
                what: "its hosts, promises and bounds, or what is wrong with it",
            },
            Example {
                words: "check scenarios --strict --quiet",
                what: "in CI: silent unless something is wrong or loosened",
            },
            Example {
                words: "check x.ron --resolved",
                what: "the file with everything written out that it leaves out",
            },
        ],
    ),
    (
        "live",
        &[
            Example {
                words: "live scenarios/hac --tag live",
                what: "every file of the folder that is for it, under every rule set",
            },
            Example {
                words: "live x.ron --rules Hardened --runs 10",
                what: "one, ten times",
            },
            Example {
                words: "live x.ron --netns --keep",
                what: "as root, with cuts by the kernel; what the hosts wrote is kept",
            },
            Example {
                words: "live x.ron --record flights",
                what: "the flight of every host is recorded, for `replay`",
            },
            Example {
                words: "live --clean",
                what: "ends what is left of runs whose program was killed",
            },
        ],
    ),
    (
        "node",
        &[
            Example {
                words: "node hac server 7101 --http 127.0.0.1:9100",
                what: "a server of hac at 127.0.0.1:7101, with pages to look at",
            },
            Example {
                words: "node hac client 127.0.0.1 7101 --data c1 --control c1.sock",
                what: "a client that comes back from a crash as who it was, and takes commands",
            },
            Example {
                words: "node leader peer bob 7301",
                what: "a peer of leader; at a terminal it takes what is typed there, such as `chat hello`",
            },
            Example {
                words: "node hac server 7101 --print-config > s.ron",
                what: "the same as a file, to be completed",
            },
            Example {
                words: "node s.ron",
                what: "a node by a file, until SIGTERM or SIGINT: the first stops it in order, the second at once",
            },
        ],
    ),
    (
        "ask",
        &[
            Example {
                words: "ask c1.sock Status",
                what: "how the node at that socket stands",
            },
            Example {
                words: "ask c1.sock",
                what: "everything there is to know of it",
            },
        ],
    ),
    (
        "replay",
        &[
            Example {
                words: "replay flights/flight-000003.sqf",
                what: "the same node, told the same: does it ask for the same?",
            },
            Example {
                words: "replay flight-000003.sqf --from 50 --to 60",
                what: "with some of the inputs, and what came of each",
            },
            Example {
                words: "replay flight-000003.sqf --rules Original --story",
                what: "what it would have done under other rules",
            },
            Example {
                words: "replay flights/flight-000001.sqf flights/flight-000002.sqf --format json",
                what: "several lives, for a program",
            },
        ],
    ),
    (
        "compare",
        &[
            Example {
                words: "compare x.ron --rules Hardened",
                what: "30 live runs beside 1000 simulated ones",
            },
            Example {
                words: "compare x.ron --netns --junit x.xml",
                what: "as root, with cuts by the kernel, and for a CI",
            },
            Example {
                words: "compare x.ron --calibrate --live-runs 100 --samples x.csv",
                what: "simulated with what this machine takes, and all samples to plot",
            },
        ],
    ),
    (
        "completions",
        &[Example {
            words: "completions bash > ~/.local/share/bash-completion/completions/PROGRAM",
            what: "in every new bash",
        }],
    ),
    (
        "man",
        &[
            Example {
                words: "man | man -l -",
                what: "the page of the program",
            },
            Example {
                words: "man --dir ~/.local/share/man/man1",
                what: "a page a command, where `man` finds them",
            },
        ],
    ),
];

/// The examples of a command, for a program of this name.
pub(crate) fn examples(program: &str, command: &str) -> Vec<(String, &'static str)> {
    let all = EXAMPLES.iter().find(|(name, _)| *name == command);
    all.map_or(&[][..], |(_, examples)| examples)
        .iter()
        .map(|example| {
            let words = example.words.replace("PROGRAM", program);
            (format!("{program} {words}"), example.what)
        })
        .collect()
}

/// How a command can be typed, where its arguments are of several kinds; without the program's name.
pub(crate) fn forms(command: &str) -> &'static [&'static str] {
    match command {
        "node" => &["[OPTIONS] CONFIG.ron", "[OPTIONS] PROTOCOL WORD..."],
        "ask" => &["[OPTIONS] SOCKET [COMMAND]"],
        _ => &[],
    }
}

/// What a command may come to, as a number and in a line. Live nodes have no verdicts.
pub(crate) fn exits(command: &str) -> Vec<(u8, &'static str)> {
    let of = |exit: Exit, says| (exit.code(), says);
    match command {
        "node" => vec![
            of(
                Exit::AsExpected,
                "it was told to stop, and has stopped in order; with --check, all is in order",
            ),
            of(
                Exit::Unusable,
                "it could not start, or had to stop; with --check, something would keep it from starting",
            ),
            of(Exit::Bug, "it panicked, which is a bug of the node or of Squall"),
            of(
                Exit::Interrupted,
                "it was told to stop at once, by a second signal or the end of whoever attends it, or its disk took too long",
            ),
        ],
        "ask" => vec![
            of(Exit::AsExpected, "it has answered"),
            of(
                Exit::Unusable,
                "there is nobody to ask, it refuses, or what it was to be asked is no command",
            ),
            of(Exit::Unknown, "it did not answer in time"),
            of(Exit::Unread, Exit::Unread.says()),
        ],
        _ => Exit::ALL.iter().map(|exit| of(*exit, exit.says())).collect(),
    }
}

/// What a live node of each protocol can be started with: `hac server PORT`, and what that does.
pub(crate) fn words(doors: &[Box<dyn Living>]) -> Vec<(String, &'static str)> {
    let of = |door: &dyn Living| -> Vec<(String, &'static str)> {
        let name = door.name();
        let form = |(form, does): &(&str, &'static str)| (format!("{name} {form}"), *does);
        door.words().iter().map(form).collect()
    };
    doors.iter().flat_map(|door| of(door.as_ref())).collect()
}

/// What help for `node` says of the protocols' own arguments: of all, how they are written; of one whose help it is, what they do.
fn about_words(program: &str, doors: &[Box<dyn Living>], asked: Option<&str>) -> String {
    let of = |form: &str| {
        form.split(' ')
            .next()
            .is_some_and(|name| asked.is_none_or(|asked| asked == name))
    };
    let mut text = match asked {
        Some(protocol) => format!("Arguments of {protocol}:"),
        None => "Arguments of protocols:".to_owned(),
    };
    for (form, does) in words(doors).into_iter().filter(|(form, _)| of(form)) {
        text.push_str(&format!("\n  {program} node {form}"));
        if asked.is_some() {
            text.push_str(&format!("\n      {does}"));
        }
    }
    if asked.is_none() {
        text.push_str(&format!(
            "\n  `{program} node PROTOCOL --help` tells what they do"
        ));
    }
    text
}

/// The command line, for a program of this name with these protocols. `asked` is the protocol that a node's help is about, if it is about
/// one.
pub(crate) fn command(
    program: &str,
    runners: &[Box<dyn Runner>],
    doors: &[Box<dyn Living>],
    asked: Option<&str>,
) -> clap::Command {
    let protocols: Vec<String> = runners
        .iter()
        .map(|runner| format!("  {:<12} {}", runner.name(), runner.about()))
        .collect();
    let exits = |command: &str| -> String {
        let exits = exits(command).into_iter();
        let lines: Vec<String> = exits.map(|(code, says)| format!("  {code:<4} {says}")).collect();
        format!("Exit codes:\n{}", lines.join("\n"))
    };
    let mut command = Typed::command()
        .name(program.to_owned())
        .bin_name(program)
        .display_name(program)
        .subcommand_value_name("COMMAND")
        .after_help(format!("Protocols:\n{}\n\n{}", protocols.join("\n"), exits("")));
    for (name, _) in EXAMPLES {
        let mut text = String::new();
        if *name == "node" {
            text.push_str(&about_words(program, doors, asked));
            text.push_str("\n\n");
        }
        text.push_str("Examples:");
        for (words, what) in examples(program, name) {
            text.push_str(&format!("\n  {words}\n      {what}"));
        }
        let usage: Vec<String> = forms(name)
            .iter()
            .map(|form| format!("{program} {name} {form}"))
            .collect();
        if !usage.is_empty() {
            // They are of live nodes, which end otherwise than runs.
            text.push_str(&format!("\n\n{}", exits(name)));
        }
        command = command.mut_subcommand(name, |command| {
            let command = command.after_help(text);
            match usage.is_empty() {
                true => command,
                // Under the first, behind `Usage: `.
                false => command.override_usage(usage.join("\n       ")),
            }
        });
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command("squall", &[], &[], None).debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_the_command_line_takes() {
        let command = command("squall", &[], &[], None);
        for of in command.get_subcommands() {
            let examples = examples("squall", of.get_name());
            assert!(!examples.is_empty(), "{}", of.get_name());
            for (words, _) in examples {
                let words = words.split(['|', '>']).next().unwrap_or_default();
                let taken = command.clone().try_get_matches_from(words.split_whitespace());
                assert!(taken.is_ok(), "{words}: {taken:?}");
            }
        }
    }
}
