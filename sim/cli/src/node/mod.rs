//! `node`: one live node, from a file or from its protocol's own arguments, until a signal.

mod door;
mod log;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use squall_live::outside::Machine;
use squall_live::settings::{Attendance, Start};
use squall_nodes::Span;
use squall_sim::deployment::{DeploymentFile, Over, Recording, Unstartable};
use squall_sim::scenario::Complaints;

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::session::Session;
use door::{Besides, Deployed, Finished};
pub(crate) use door::{Living, living};

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// What is wrong with the arguments or with the machine; a file's complaints are told here.
pub(crate) fn node(
    doors: &[Box<dyn Living>],
    args: &NodeArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let deployed = match deployed(doors, args) {
        Ok(deployed) => deployed,
        Err(Unfit::Complaints(complaints)) => {
            session.came_to(Exit::Unusable);
            session.complain_in(&complaints, args.colour);
            return Ok(());
        }
        Err(Unfit::Other(error)) => return Err(error),
    };
    if args.print_config {
        return session.say(&deployed.printed());
    }
    if args.check {
        return session.say(&format!("{} is in order\n", deployed.who()));
    }
    if args.wipe {
        for moved in deployed.wipe()? {
            session.tell(&format!("what was persisted is kept as {}", moved.display()));
        }
    }
    log::begin(args.log, args.log_level, session.log_colour(args.colour));
    match deployed.run(attendance(args)) {
        Ok(Finished::InOrder) => Ok(()),
        Ok(Finished::AtOnce) => {
            session.came_to(Exit::Interrupted);
            Ok(())
        }
        Ok(Finished::Panicked(message)) => {
            session.tell_error(&format!(
                "the node panicked, which is a bug of the node or of Squall: {message}"
            ));
            session.came_to(Exit::Bug);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Why there is nothing to run.
enum Unfit {
    Complaints(Complaints),
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Unfit {
    fn from(error: anyhow::Error) -> Self {
        Unfit::Other(error)
    }
}

impl From<Complaints> for Unfit {
    fn from(complaints: Complaints) -> Self {
        Unfit::Complaints(complaints)
    }
}

/// What is to run, with what is said on the command line in place of what a file says.
fn deployed(doors: &[Box<dyn Living>], args: &NodeArgs) -> Result<Box<dyn Deployed>, Unfit> {
    let over = Over {
        rules: args.rules.clone(),
        profile: args.profile.clone(),
        name: args.name.clone(),
        address: args.address,
        config: args.config.clone(),
    };
    let mut deployed = match args.words.split_first() {
        Some((file, [])) if is_file(doors, file) => of_file(doors, file, &over)?,
        Some((file, [word, ..])) if file.ends_with(".ron") => {
            return Err(anyhow::anyhow!(
                "{file} says all that there is to say of the node: take `{word}` away"
            )
            .into());
        }
        Some((protocol, words)) => of_words(doors, protocol, words, args.members.as_deref(), &over)?,
        // The command line's reader wants one at least.
        None => return Err(anyhow::anyhow!("a file, or a protocol and its arguments, is needed").into()),
    };
    deployed.take_besides(Besides {
        data: args.data.clone(),
        http: args.http,
        control: args.control.clone(),
        record: args.record.clone().map(Recording::to),
        seed: args.seed,
        lines: args.lines.clone(),
    })?;
    Ok(deployed)
}

/// Whether a single word names a file, and no protocol.
fn is_file(doors: &[Box<dyn Living>], word: &str) -> bool {
    let is_protocol = doors.iter().any(|door| door.name() == word);
    !is_protocol && (word.ends_with(".ron") || word.contains('/') || Path::new(word).exists())
}

fn of_file(doors: &[Box<dyn Living>], path: &str, over: &Over) -> Result<Box<dyn Deployed>, Unfit> {
    let file = DeploymentFile::read(path)?;
    let Some(door) = doors.iter().find(|door| door.name() == file.protocol()) else {
        return Err(file.unknown_protocol(doors.iter().map(|door| door.name())).into());
    };
    let mut deployed = door.of_file(&file, over)?;
    // What is said on the command line is relative to where it is said.
    if let Some(folder) = Path::new(path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        deployed.move_within(folder);
    }
    Ok(deployed)
}

fn of_words(
    doors: &[Box<dyn Living>],
    protocol: &str,
    words: &[String],
    members: Option<&str>,
    over: &Over,
) -> Result<Box<dyn Deployed>, Unfit> {
    let Some(door) = doors.iter().find(|door| door.name() == protocol) else {
        let forms = doors.iter().flat_map(|door| {
            let form = |(form, _): &(&str, &str)| format!("\n  {} {form}", door.name());
            door.words().iter().map(form).collect::<Vec<_>>()
        });
        let error = anyhow::anyhow!(
            "`{protocol}` is neither a file, which is called `….ron`, nor a protocol; there are{}",
            forms.collect::<String>()
        );
        return Err(error.into());
    };
    let mut words = words.to_vec();
    if let Some(members) = members {
        words.extend(["--members".to_owned(), members.to_owned()]);
    }
    match door.of_words(&words, over, &Machine) {
        Ok(deployed) => Ok(deployed),
        Err(Unstartable::Over(complaints)) => Err(complaints.into()),
        Err(unusable) => Err(anyhow::anyhow!("{unusable}").into()),
    }
}

/// Who attends the node.
fn attendance(args: &NodeArgs) -> Attendance {
    if !args.attended {
        return Attendance::Alone;
    }
    Attendance::Attended {
        start: if args.wait { Start::WhenTold } else { Start::AtOnce },
        mark_every: args.mark_every.unwrap_or(Span::from_millis(50)),
        stall: args.stall.unwrap_or(Span::from_millis(100)),
    }
}

/// Reads where pages are served, for flags.
pub(crate) fn pages(text: &str) -> anyhow::Result<SocketAddr> {
    let hint = "an address and a port, such as `127.0.0.1:9100`, or a port of 127.0.0.1 alone: `9100`";
    squall_sim::deployment::pages(text).context(hint)
}

/// Reads a length of time, for flags.
pub(crate) fn span(text: &str) -> anyhow::Result<Span> {
    let span: Span = text.parse().context("a number and a unit, such as `50ms`")?;
    if span.is_zero() {
        bail!("it is no time at all");
    }
    Ok(span)
}
