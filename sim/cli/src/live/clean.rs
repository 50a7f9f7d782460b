//! `live --clean`: what runs have left behind is ended, and what is kept of them is named.

use std::path::Path;

use anyhow::{anyhow, bail};
use squall_reports::look::counted;
use squall_stage::{journal, runs};

use super::default_folder;
use crate::session::Session;

/// Ends what runs in a folder have left behind, by default the user's own, which may never have been used.
pub(super) fn clean(named: Option<&Path>, session: &mut Session<'_>) -> anyhow::Result<()> {
    let folder = named.map_or_else(default_folder, Path::to_owned);
    let place = folder.display();
    if named.is_none() && !runs::is_there(&folder).map_err(|why| anyhow!("{why}"))? {
        return session.say(&format!(
            "nothing to clean up in {place}: no run was played there; where runs have another folder, name it with --folder\n"
        ));
    }
    let cleaned = journal::clean(&folder).map_err(|why| anyhow!("{why}"))?;
    for run in &cleaned.alive {
        session.tell(&format!("run {run} is under way; nothing of it was touched"));
    }
    for run in &cleaned.elsewhere {
        session.tell(&format!(
            "run {run} is another container's; nothing of it was touched: clean it up from there, or remove its journal once that \
             container is gone"
        ));
    }
    for (path, why) in &cleaned.unreadable {
        session.tell_error(&format!("{} cannot be read: {why}", path.display()));
    }
    for (run, why) in &cleaned.left {
        session.tell_error(&format!(
            "run {run} is not cleaned up, and its journal stays: {why}"
        ));
    }
    session.say(&format!(
        "in {place}, {} had left something behind: {} ended, {} removed\n",
        counted(cleaned.runs.len() as u64, "run", "runs"),
        counted(cleaned.processes as u64, "process", "processes"),
        counted(cleaned.namespaces as u64, "namespace", "namespaces"),
    ))?;
    if cleaned.empty + cleaned.drafts > 0 {
        session.say(&format!(
            "of runs that had not begun, {} and {} are removed\n",
            counted(cleaned.empty as u64, "empty folder", "empty folders"),
            counted(cleaned.drafts as u64, "unfinished journal", "unfinished journals"),
        ))?;
    }
    if cleaned.measured > 0 {
        session.say(&format!(
            "{} removed in which this machine was being measured\n",
            counted(cleaned.measured as u64, "folder is", "folders are"),
        ))?;
    }
    if !cleaned.kept.is_empty() {
        let mut said = format!(
            "{} there, with what the hosts wrote; whoever does not want them removes them:\n",
            counted(
                cleaned.kept.len() as u64,
                "folder of a run is kept",
                "folders of runs are kept"
            )
        );
        for kept in &cleaned.kept {
            said.push_str(&format!("  {}\n", kept.display()));
        }
        session.say(&said)?;
    }
    if !cleaned.unreadable.is_empty() || !cleaned.left.is_empty() {
        bail!("not everything could be cleaned up");
    }
    Ok(())
}
