//! `check`: what is wrong with files, and what those that are in order promise.

use anyhow::bail;
use squall_reports::json;
use squall_reports::look::Columns;
use squall_reports::text::{self, Checked, CheckedRules};
use squall_sim::runner::{Prepared, Runner};

use crate::args::{CheckArgs, Format};
use crate::exit::Exit;
use crate::files::{self, Looked, Ready};
use crate::junit;
use crate::session::Session;
use crate::strict;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// When a path cannot be used, or the output cannot be written.
pub(crate) fn check(
    runners: &[Box<dyn Runner>],
    args: &CheckArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let how = &args.how;
    let look = session.look(how, Columns::default());
    let mut junit = junit::Asked::by(how, "check", &args.which.files, session)?;
    let (mut files, mut wrong, mut loose) = (0_u64, 0_u64, 0_u64);
    let looked = files::look(runners, &args.which, None, session)?;
    if args.resolved && how.says.format == Format::Text && looked.len() != 1 {
        bail!(
            "--resolved prints one file, and these are {}: name one, or take --format json, which prints a line a file",
            looked.len()
        );
    }
    for Looked { name, found } in looked {
        files += 1;
        let found = found.and_then(|ready| {
            let resolved = args
                .resolved
                .then(|| ready.runner.resolved(&ready.file))
                .transpose()?;
            Ok((ready, resolved))
        });
        let checked = match found {
            Ok((ready, resolved)) => {
                for prepared in &ready.prepared {
                    let notes = notes_of(prepared.as_ref());
                    let taken = junit::taken(how.strict && !notes.is_empty());
                    junit.note(|junit| junit.checked(&name, prepared.rules(), &notes, taken));
                }
                Checked {
                    resolved,
                    ..in_order(&ready)
                }
            }
            Err(complaints) => {
                wrong += 1;
                session.came_to(Exit::Unusable);
                junit.note(|junit| junit.not_in_order(&name, complaints.list()));
                if how.says.format == Format::Text {
                    session.complain(&complaints, how);
                }
                Checked {
                    scenario: name,
                    complaints: complaints.list().to_vec(),
                    ..Checked::default()
                }
            }
        };
        let is_too_loose = how.strict && !checked.notes.is_empty();
        if is_too_loose {
            loose += 1;
            session.came_to(Exit::Otherwise);
        }
        if !how.says.quiet || !checked.is_ok() || is_too_loose {
            match (how.says.format, &checked.resolved) {
                (Format::Json, _) => session.say(&format!("{}\n", json::check(&checked)))?,
                (Format::Text, None) => session.say(&text::check(&checked, &look))?,
                (Format::Text, Some(resolved)) => {
                    // Nothing but the form goes to stdout, which is a file as a rule.
                    session.say(resolved)?;
                    for note in &checked.notes {
                        session.tell(&format!("note: {note}"));
                    }
                }
            }
        }
    }
    let is_worth_it = !how.says.quiet || wrong + loose > 0;
    if how.says.format == Format::Text && files > 1 && is_worth_it {
        let told = match (wrong, loose) {
            (0, 0) => "all in order".to_owned(),
            (wrong, 0) => format!("{wrong} not in order"),
            (0, loose) => format!("{loose} too loose for --strict"),
            (wrong, loose) => format!("{wrong} not in order, {loose} too loose for --strict"),
        };
        session.say(&format!("\n{files} files: {told}\n"))?;
    }
    junit.write()
}

/// What there is to say of a file under one rule set: bounds that are loosened, and promises that no run can judge.
fn notes_of(prepared: &dyn Prepared) -> Vec<String> {
    let mut notes = strict::loosened(&prepared.promises());
    notes.extend(prepared.never_judged());
    notes
}

fn in_order(ready: &Ready<'_>) -> Checked {
    // What there is to say of several rule sets alike is said once.
    let mut notes: Vec<(String, Vec<&'static str>)> = Vec::new();
    for prepared in &ready.prepared {
        for note in notes_of(prepared.as_ref()) {
            match notes.iter_mut().find(|(other, _)| *other == note) {
                Some((_, of)) => of.push(prepared.rules()),
                None => notes.push((note, vec![prepared.rules()])),
            }
        }
    }
    let notes = notes
        .into_iter()
        .map(|(note, of)| format!("{}: {note}", of.join(", ")))
        .collect();
    let first = ready.prepared.first();
    Checked {
        scenario: ready.file.name().to_owned(),
        complaints: Vec::new(),
        protocol: Some(ready.runner.name().to_owned()),
        hosts: first.map(|prepared| prepared.hosts()).unwrap_or_default(),
        laws: first.map(|prepared| prepared.laws()).unwrap_or_default(),
        timeline: first.map(|prepared| prepared.timeline()).unwrap_or_default(),
        workload: first.map(|prepared| prepared.workload()).unwrap_or_default(),
        limit: first.map(|prepared| prepared.limit()),
        seed: first.map(|prepared| prepared.seed()),
        tags: ready.file.tags().to_vec(),
        rules: ready
            .prepared
            .iter()
            .map(|prepared| CheckedRules {
                rules: prepared.rules(),
                tolerated: prepared.tolerated(),
                expect: prepared.expect().clone(),
                promises: prepared.promises(),
            })
            .collect(),
        notes,
        resolved: None,
    }
}
