//! `completions` and `man`: what a shell and a reader of manuals want to know of this program, under its own name.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use squall_sim::runner::Runner;

use crate::args::{CompletionsArgs, ManArgs};
use crate::help;
use crate::node::Living;
use crate::outfile::{self, PAGE};
use crate::session::Session;

/// What a shell needs to complete the words of the program of this name.
///
/// # Errors
///
/// When the output cannot be written.
pub(crate) fn completions(
    name: &str,
    runners: &[Box<dyn Runner>],
    doors: &[Box<dyn Living>],
    args: &CompletionsArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let mut text = Vec::new();
    let mut command = with_rule_sets(help::command(name, runners, doors, None), runners);
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    session.say(&String::from_utf8_lossy(&text))
}

/// The command line with the rule sets that there are. Only a shell is told them: what is typed is refused with what each protocol has.
fn with_rule_sets(command: clap::Command, runners: &[Box<dyn Runner>]) -> clap::Command {
    let names: BTreeSet<&'static str> = runners
        .iter()
        .flat_map(|runner| runner.rules())
        .copied()
        .collect();
    let known = PossibleValuesParser::new(names);
    ["run", "sweep"].into_iter().fold(command, |command, of| {
        let known = known.clone();
        command.mut_subcommand(of, |of| of.mut_arg("rules", |rules| rules.value_parser(known)))
    })
}

/// The manual page of the program of this name, or a page for each of its commands in a folder.
///
/// # Errors
///
/// When a page cannot be written.
pub(crate) fn man(
    name: &str,
    runners: &[Box<dyn Runner>],
    doors: &[Box<dyn Living>],
    args: &ManArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let mut command = help::command(name, runners, doors, None).disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        let page = Page::of_all(name, &command, runners).render()?;
        return session.say(&String::from_utf8_lossy(&page));
    };
    if dir.exists() && !dir.is_dir() {
        bail!("{} is no folder", dir.display());
    }
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    for page in std::iter::once(Page::of_all(name, &command, runners))
        .chain(command.get_subcommands().map(|of| Page::of_one(name, of, doors)))
    {
        page.write(dir, session)?;
    }
    Ok(())
}

/// A manual page, in the section for commands.
struct Page<'a> {
    /// `squall`, `squall-run`.
    title: String,
    command: &'a clap::Command,
    /// What stands in it besides what it says of every command, in order.
    sections: Vec<Section>,
}

/// A list in a manual page.
struct Section {
    heading: &'static str,
    /// What, and what there is to say of it.
    entries: Vec<(String, String)>,
}

impl<'a> Page<'a> {
    /// The page of the program.
    fn of_all(name: &str, command: &'a clap::Command, runners: &[Box<dyn Runner>]) -> Self {
        let protocols = runners
            .iter()
            .map(|runner| (runner.name().to_owned(), runner.about().to_owned()));
        let others = command
            .get_subcommands()
            .map(|of| (format!("{name}-{}(1)", of.get_name()), about(of)));
        Page {
            title: name.to_owned(),
            command,
            sections: vec![
                Section {
                    heading: "PROTOCOLS",
                    entries: protocols.collect(),
                },
                exits(""),
                Section {
                    heading: "SEE ALSO",
                    entries: others.collect(),
                },
            ],
        }
    }

    /// The page of a command.
    fn of_one(name: &str, command: &'a clap::Command, doors: &[Box<dyn Living>]) -> Self {
        let examples = help::examples(name, command.get_name())
            .into_iter()
            .map(|(words, what)| (words, what.to_owned()));
        let words = match command.get_name() {
            "node" => help::words(doors),
            _ => Vec::new(),
        };
        let words = words.into_iter().map(|(words, does)| (words, does.to_owned()));
        Page {
            title: format!("{name}-{}", command.get_name()),
            command,
            sections: vec![
                Section {
                    heading: "ARGUMENTS OF PROTOCOLS",
                    entries: words.collect(),
                },
                Section {
                    heading: "EXAMPLES",
                    entries: examples.collect(),
                },
                exits(command.get_name()),
                Section {
                    heading: "SEE ALSO",
                    entries: vec![(format!("{name}(1)"), "the program".to_owned())],
                },
            ],
        }
    }

    fn render(&self) -> io::Result<Vec<u8>> {
        let version = env!("CARGO_PKG_VERSION");
        // Its own lists take the place of what is said after the help.
        let man = Man::new(self.command.clone().display_name(&self.title))
            .title(self.title.to_uppercase())
            .source(format!("Squall {version}"))
            .manual("Squall");
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        match help::forms(self.command.get_name()) {
            [] => man.render_synopsis_section(&mut page)?,
            forms => self.synopsis(forms).to_writer(&mut page)?,
        }
        man.render_description_section(&mut page)?;
        if self.command.has_subcommands() {
            // The program has no options of its own but help and version.
            commands(self.command).render(&mut page)?;
        } else {
            man.render_options_section(&mut page)?;
        }
        for section in &self.sections {
            section.render(&mut page)?;
        }
        Ok(page)
    }

    /// The ways in which the command can be typed, one a line.
    fn synopsis(&self, forms: &[&str]) -> Roff {
        let called = self.title.replace('-', " ");
        let called = self.command.get_bin_name().unwrap_or(&called);
        let mut roff = Roff::new();
        roff.control("SH", ["SYNOPSIS"]);
        for (nth, form) in forms.iter().enumerate() {
            if nth > 0 {
                roff.control("br", []);
            }
            roff.text([bold(called), roman(format!(" {form}"))]);
        }
        roff
    }

    fn write(&self, dir: &Path, session: &mut Session<'_>) -> anyhow::Result<()> {
        let path = dir.join(format!("{}.1", self.title));
        let page = self.render()?;
        outfile::write(&path, &PAGE, |into| into.write_all(&page))?;
        session.say(&format!("{}\n", path.display()))
    }
}

impl Section {
    fn render(&self, into: &mut dyn Write) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut roff = Roff::new();
        roff.control("SH", [self.heading]);
        for (what, says) in &self.entries {
            roff.control("TP", []);
            roff.text([bold(what)]);
            roff.text([roman(says)]);
        }
        roff.to_writer(into)
    }
}

fn commands(command: &clap::Command) -> Section {
    Section {
        heading: "COMMANDS",
        entries: command
            .get_subcommands()
            .map(|of| (of.get_name().to_owned(), about(of)))
            .collect(),
    }
}

fn exits(command: &str) -> Section {
    Section {
        heading: "EXIT STATUS",
        entries: help::exits(command)
            .into_iter()
            .map(|(code, says)| (code.to_string(), says.to_owned()))
            .collect(),
    }
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}
