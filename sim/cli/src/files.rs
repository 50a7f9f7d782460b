//! From the paths that were typed to prepared scenarios. Every file is looked at before anything runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use squall_reports::look::Columns;
use squall_sim::runner::{Prepared, Runner};
use squall_sim::scenario::{Complaints, ScenarioFile};

use crate::args::{How, Which};
use crate::junit::Asked;
use crate::session::Session;

/// How deep folders are looked into; deeper than that, it is not a folder of scenarios.
const DEEPEST: usize = 32;

/// A file that can be run.
pub(crate) struct Ready<'a> {
    pub(crate) file: ScenarioFile,
    pub(crate) runner: &'a dyn Runner,
    /// One for each rule set that was asked for, in the protocol's order.
    pub(crate) prepared: Vec<Box<dyn Prepared>>,
}

/// A file that was looked at.
pub(crate) struct Looked<'a> {
    pub(crate) name: String,
    /// What it is good for, or what is wrong with it under any of the rule sets.
    pub(crate) found: Result<Ready<'a>, Complaints>,
}

/// All files, ready to run.
///
/// `None` when something is wrong with one of them: by then all complaints have been made, and noted for a CI.
///
/// # Errors
///
/// When no file can be found, or none is left.
pub(crate) fn ready<'a>(
    runners: &'a [Box<dyn Runner>],
    which: &Which,
    rules: Option<&str>,
    how: &How,
    junit: &mut Asked,
    session: &mut Session<'_>,
) -> anyhow::Result<Option<Vec<Ready<'a>>>> {
    let all = look(runners, which, rules, session)?;
    let unsound = all.iter().filter(|looked| looked.found.is_err()).count();
    if unsound == 0 {
        return Ok(Some(
            all.into_iter().filter_map(|looked| looked.found.ok()).collect(),
        ));
    }
    for looked in &all {
        match &looked.found {
            Err(complaints) => {
                session.complain(complaints, how);
                junit.note(|junit| junit.not_in_order(&looked.name, complaints.list()));
            }
            Ok(ready) => {
                for prepared in &ready.prepared {
                    junit.note(|junit| junit.not_begun(prepared.scenario(), prepared.rules()));
                }
            }
        }
    }
    let files = if unsound == 1 {
        "one file is".to_owned()
    } else {
        format!("{unsound} files are")
    };
    session.tell_error(&format!("{files} not in order; nothing was run"));
    Ok(None)
}

/// Looks at all files.
///
/// # Errors
///
/// When a path is not there or a folder holds no scenario, when no file has the tags, or none the rule set.
pub(crate) fn look<'a>(
    runners: &'a [Box<dyn Runner>],
    which: &Which,
    rules: Option<&str>,
    session: &mut Session<'_>,
) -> anyhow::Result<Vec<Looked<'a>>> {
    let mut looked = Vec::new();
    let mut tags = Vec::new();
    let mut without_rules = Vec::new();
    for path in collect(&which.files)? {
        let name = path.display().to_string();
        let file = match ScenarioFile::read(&path) {
            Ok(file) => file,
            Err(complaints) => {
                looked.push(Looked {
                    name,
                    found: Err(complaints),
                });
                continue;
            }
        };
        tags.extend(file.tags().iter().cloned());
        if !is_wanted(&file, which) {
            continue;
        }
        let Some(runner) = runners.iter().find(|runner| runner.name() == file.protocol()) else {
            let complaints = file.unknown_protocol(runners.iter().map(|runner| runner.name()));
            looked.push(Looked {
                name,
                found: Err(complaints),
            });
            continue;
        };
        let runner = runner.as_ref();
        let wanted: Vec<&'static str> = runner
            .rules()
            .iter()
            .copied()
            .filter(|name| rules.is_none_or(|wanted| wanted == *name))
            .collect();
        if wanted.is_empty() {
            without_rules.push((name, runner.name(), runner.rules()));
            continue;
        }
        looked.push(Looked {
            name,
            found: prepare(file, runner, &wanted),
        });
    }
    if looked.is_empty() && without_rules.is_empty() {
        tags.sort();
        tags.dedup();
        bail!(none_is_tagged(which, &tags));
    }
    if looked.is_empty() {
        bail!(no_such_rules(rules.unwrap_or_default(), &without_rules));
    }
    for (name, protocol, _) in without_rules {
        let rules = rules.unwrap_or_default();
        session.tell(&format!(
            "note: {name} is left out: {protocol} has no rule set `{rules}`"
        ));
    }
    Ok(looked)
}

/// Columns that all of them fit in.
pub(crate) fn columns(all: &[Ready<'_>]) -> Columns {
    Columns::of(
        all.iter()
            .flat_map(|ready| &ready.prepared)
            .map(|prepared| (prepared.scenario(), prepared.rules())),
    )
}

fn prepare<'a>(
    file: ScenarioFile,
    runner: &'a dyn Runner,
    wanted: &[&'static str],
) -> Result<Ready<'a>, Complaints> {
    let mut prepared = Vec::new();
    let mut complaints = Vec::new();
    for rules in wanted {
        match runner.prepare(&file, rules) {
            Ok(one) => prepared.push(one),
            Err(found) => complaints.push(found),
        }
    }
    match Complaints::merged(complaints) {
        Some(complaints) => Err(complaints),
        None => Ok(Ready {
            file,
            runner,
            prepared,
        }),
    }
}

fn is_wanted(file: &ScenarioFile, which: &Which) -> bool {
    let has = |tag: &String| file.tags().contains(tag);
    (which.tag.is_empty() || which.tag.iter().any(has)) && !which.skip_tag.iter().any(has)
}

/// Why the tags that were asked for leave no file, of which `there` are all tags.
fn none_is_tagged(which: &Which, there: &[String]) -> String {
    let quoted = |tags: &[String]| {
        let tags: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
        tags.join(" or ")
    };
    let (wanted, unwanted) = (quoted(&which.tag), quoted(&which.skip_tag));
    let none = match (which.tag.is_empty(), which.skip_tag.is_empty()) {
        (false, true) => format!("no file has the tag {wanted}"),
        (true, _) => format!("every file has the tag {unwanted}, which is left out"),
        (false, false) => format!("no file has the tag {wanted} without {unwanted}"),
    };
    if there.is_empty() {
        format!("{none}; there is no tag in any of them")
    } else {
        format!("{none}; the tags that there are: {}", there.join(", "))
    }
}

fn no_such_rules(rules: &str, without: &[(String, &'static str, &'static [&'static str])]) -> String {
    let mut there: Vec<String> = without
        .iter()
        .map(|(_, protocol, rules)| format!("{protocol} has {}", rules.join(", ")))
        .collect();
    there.sort();
    there.dedup();
    let names = without.iter().flat_map(|(_, _, rules)| rules.iter().copied());
    let near = names
        .map(|name| {
            (
                strsim::damerau_levenshtein(&name.to_lowercase(), &rules.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| distance * 2 <= name.len())
        .min();
    let hint = near
        .map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default();
    format!("there is no rule set `{rules}`: {}{hint}", there.join("; "))
}

/// The files that the paths name, each once: of folders, all `.ron` files in them and below, in the order of their names.
fn collect(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut known = BTreeSet::new();
    let mut troubles = Vec::new();
    for path in paths {
        let found = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => of_folder(path, "ron"),
            // What is there and cannot be read is named when it is read.
            Ok(_) => Ok(vec![path.clone()]),
            Err(error) => {
                Err(anyhow::Error::new(error).context(format!("{} cannot be read", path.display())))
            }
        };
        match found {
            Ok(found) => {
                files.extend(found.into_iter().filter(|file| known.insert(file.clone())));
            }
            Err(trouble) => troubles.push(format!("{trouble:#}")),
        }
    }
    if troubles.is_empty() {
        Ok(files)
    } else {
        bail!(troubles.join("\n"))
    }
}

/// All files of a form, `ron`, in a folder and below, in the order of their names.
///
/// # Errors
///
/// A folder cannot be read, they lie too deep, or there is none.
pub(crate) fn of_folder(folder: &Path, form: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    descend(folder, form, 0, &mut files)?;
    if files.is_empty() {
        bail!("{} holds no .{form} file", folder.display());
    }
    files.sort();
    Ok(files)
}

fn descend(folder: &Path, form: &str, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    if depth > DEEPEST {
        bail!("{} is deeper than {DEEPEST} folders", folder.display());
    }
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let path = entry.path();
        // Links to folders are not followed: they may lead round in a circle.
        if entry.file_type().with_context(unreadable)?.is_dir() {
            descend(&path, form, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == form) && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(())
}
