//! `replay`: recorded lives of nodes, each lived again and told in order.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::anyhow;
use squall_live::record::{self, Manner, ReplayError, Replays};
use squall_nodes::recording::{Ended, Pilot, Replay};
use squall_reports::json;
use squall_reports::look::{Columns, Look, listed};
use squall_reports::text;

use crate::args::{Format, ReplayArgs};
use crate::exit::Exit;
use crate::session::Session;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When the output cannot be written.
pub(crate) fn replay(
    replays: &[Box<dyn Replays>],
    args: &ReplayArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let look = session.look_in(args.says.colour, Columns::default());
    let manner = Manner {
        rules: args.rules.clone(),
        set: args.set.clone(),
        story: story(args),
    };
    for path in &args.files {
        if session.is_stopped() {
            break;
        }
        let name = path.display().to_string();
        match one(replays, path, &manner, args.says.format, &look, session)? {
            Ok(replayed) => {
                if replayed.difference.is_some() {
                    session.came_to(Exit::Otherwise);
                }
                let is_damaged = matches!(replayed.ended, Ended::CutOff { .. });
                if args.says.quiet && replayed.difference.is_none() && !is_damaged {
                    continue;
                }
                let notes: Vec<String> = built_otherwise(&replayed.pilot).into_iter().collect();
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
