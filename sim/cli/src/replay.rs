//! `replay`: recorded lives of nodes, each lived again and told in order.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{anyhow, bail};
use squall_live::record::{self, Manner, ReplayError, Replays};
use squall_nodes::recording::{Ended, Pilot, Replay};
use squall_reports::json;
use squall_reports::look::{Columns, Look, grouped, listed};
use squall_reports::text;

use crate::args::{Format, ReplayArgs};
use crate::exit::Exit;
use crate::files;
use crate::session::Session;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When no input can be meant, or the output cannot be written.
pub(crate) fn replay(
    replays: &[Box<dyn Replays>],
    args: &ReplayArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        bail!("--from {from} comes after --to {to}: there is no input between them");
    }
    let look = session.look_in(args.says.colour, Columns::default());
    let manner = Manner {
        rules: args.rules.clone(),
        set: args.set.clone(),
        story: story(args),
    };
    let mut found = Vec::new();
    for path in &args.files {
        match path.is_dir().then(|| files::of_folder(path, "sqf")) {
            None => found.push(path.clone()),
            Some(Ok(all)) => found.extend(all),
            Some(Err(error)) => {
                session.tell_error(&format!("{error:#}"));
                session.came_to(Exit::Unusable);
            }
        }
    }
    for path in &found {
        if session.is_stopped() {
            break;
        }
        let name = path.display().to_string();
        match one(replays, path, &manner, args.says.format, &look, session)? {
            Ok(replayed) => {
                let is_identical = replayed.difference.is_none() && !replayed.is_empty();
                if replayed.difference.is_some() {
                    session.came_to(Exit::Otherwise);
                } else if replayed.is_empty() || replayed.is_damaged() {
                    // Nothing was held against anything, or nobody knows how much was not.
                    session.came_to(Exit::Unknown);
                }
                let is_cut_off = matches!(replayed.ended, Ended::CutOff { .. });
                let beyond = beyond(args, &replayed);
                if args.says.quiet && is_identical && !is_cut_off && beyond.is_none() {
                    continue;
                }
                let notes: Vec<String> = beyond
                    .into_iter()
                    .chain(built_otherwise(&replayed.pilot))
                    .collect();
                let line = match args.says.format {
                    Format::Text => text::replay(&name, &replayed, &notes, &look),
                    Format::Json => format!("{}\n", json::replay::replay(&name, &replayed, &notes)),
                };
                session.say(&line)?;
            }
            Err(error) => {
                session.tell_error(&format!("{error:#}"));
                session.came_to(Exit::Unusable);
            }
        }
    }
    Ok(())
}

/// Replays a file; the inner error is about that file, the outer one about the output.
fn one(
    replays: &[Box<dyn Replays>],
    path: &Path,
    manner: &Manner,
    format: Format,
    look: &Look,
    session: &mut Session<'_>,
) -> anyhow::Result<anyhow::Result<Replay>> {
    let head = match record::head_of(path) {
        Ok(head) => head,
        Err(error) => return Ok(Err(error.into())),
    };
    let Some(door) = replays.iter().find(|door| door.name() == head.protocol) else {
        let names: Vec<&str> = replays.iter().map(|door| door.name()).collect();
        return Ok(Err(anyhow!(
            "{} is of the protocol {:?}, and this program has {}",
            path.display(),
            head.protocol,
            listed(&names)
        )));
    };
    let mut said = Ok(());
    let replayed = door.replay(path, manner, &mut |step| {
        let line = match format {
            Format::Text => text::replay::step(&step, head.booted, look),
            Format::Json => format!("{}\n", json::replay::step(&step)),
        };
        said = session.say(&line);
        if said.is_ok() && !session.is_stopped() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    said?;
    Ok(replayed.map_err(|error| in_file(path, error)))
}

/// An error of a replay, with the file that it is about.
fn in_file(path: &Path, error: ReplayError) -> anyhow::Error {
    match error {
        // They name it.
        ReplayError::Io { .. }
        | ReplayError::NoRecording(_)
        | ReplayError::Format { .. }
        | ReplayError::NoHead(_) => error.into(),
        error => anyhow::Error::new(error).context(path.display().to_string()),
    }
}

/// Which inputs are told.
fn story(args: &ReplayArgs) -> Option<std::ops::RangeInclusive<u64>> {
    let is_told = args.story || args.from.is_some() || args.to.is_some();
    is_told.then(|| args.from.unwrap_or(1)..=args.to.unwrap_or(u64::MAX))
}

/// What there is to say when inputs are wanted that the recording does not hold.
fn beyond(args: &ReplayArgs, replayed: &Replay) -> Option<String> {
    let there = replayed.inputs + replayed.skipped;
    let is_there = |wanted: &u64| *wanted <= there;
    let (from, to) = (args.from.as_ref(), args.to.as_ref());
    if from.is_none_or(is_there) && to.is_none_or(is_there) {
        return None;
    }
    let holds = match there {
        0 => "it holds no input".to_owned(),
        1 => "it holds input 1 alone".to_owned(),
        _ => format!("it holds the inputs 1 to {}", grouped(there)),
    };
    let wanted = match (from, to) {
        (Some(from), Some(to)) => format!("the inputs {} to {}", grouped(*from), grouped(*to)),
        (Some(from), None) => format!("the inputs from {} on", grouped(*from)),
        (None, to) => format!("the inputs up to {}", grouped(to.copied().unwrap_or_default())),
    };
    let told = match from.is_none_or(is_there) && there > 0 {
        true => "not all of them are there",
        false => "none of them is there",
    };
    Some(format!("{wanted} were asked for, and {told}: {holds}"))
}

/// What there is to say when another program made the recording.
fn built_otherwise(pilot: &Pilot) -> Option<String> {
    if pilot.version != record::VERSION {
        Some(format!(
            "it was recorded by version {}, and this is version {}: effects may differ for that alone",
            pilot.version,
            record::VERSION
        ))
    } else if pilot.build != record::build() {
        Some(format!(
            "it was recorded by another build of version {}: effects may differ for that alone",
            pilot.version
        ))
    } else {
        None
    }
}
