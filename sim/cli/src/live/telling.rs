//! How a run is coming on, in lines for whoever has no bar to look at: its start, and what the timeline does, at most once a second. And what
//! stays of it when it is over, for everybody.

use std::path::Path;

use squall_nodes::{Span, Time};
use squall_reports::look::{counted, quoted};
use squall_stage::Progress;

/// How long it is between two lines at least.
const EVERY: Span = Span::from_secs(1);

/// What was told of one run so far.
pub(super) struct Telling {
    limit: Span,
    began: bool,
    last: Option<Time>,
    /// How many faults were not told of since.
    untold: u64,
}

impl Telling {
    /// Of a run of this length.
    pub(super) fn of(limit: Span) -> Self {
        Telling {
            limit,
            began: false,
            last: None,
            untold: 0,
        }
    }

    /// What is to be told now, if anything is.
    pub(super) fn line(&mut self, progress: &Progress) -> Option<String> {
        match progress {
            Progress::Starting { of, .. } if !self.began => {
                self.began = true;
                let hosts = counted(*of as u64, "host", "hosts");
                Some(format!("{hosts}, for {}", self.limit))
            }
            Progress::Fault { at, label } => {
                if self.last.is_some_and(|last| at.since(last) < EVERY) {
                    self.untold += 1;
                    return None;
                }
                self.last = Some(*at);
                let before = match std::mem::take(&mut self.untold) {
                    0 => String::new(),
                    untold => format!(", and {} before it", counted(untold, "fault", "faults")),
                };
                let ms = at.since(Time::ZERO).as_nanos() / 1_000_000;
                Some(format!("at {} s: {label}{before}", seconds(ms)))
            }
            _ => None,
        }
    }
}

/// What is told of something that stays when a run is over, `None` of any other progress. `runs` is the folder of all runs, and `program` what
/// calls this one in a shell.
pub(crate) fn staying(progress: &Progress, program: &str, runs: &Path) -> Option<String> {
    let word = |path: &Path| quoted(&path.display().to_string());
    match progress {
        Progress::Kept { folder, why } => {
            Some(format!("what the hosts wrote is in {}, {why}", folder.display()))
        }
        Progress::Recorded { folder, flights } => Some(format!(
            // A shell looks for files outside of quotes only.
            "{} in {}: `{program} replay {}/*/*.sqf`",
            counted(*flights as u64, "flight is recorded", "flights are recorded"),
            folder.display(),
            word(folder)
        )),
        Progress::Unclear { folder, why } => Some(format!("the folder {} stays: {why}", folder.display())),
        Progress::Left { what } => Some(format!(
            "not everything of the run is gone: {what}; `{program} live --clean --folder {}` tries it again",
            word(runs)
        )),
        Progress::Starting { .. }
        | Progress::Playing { .. }
        | Progress::Fault { .. }
        | Progress::Lost { .. }
        | Progress::Booting { .. } => None,
    }
}

/// Milliseconds as seconds, with one digit behind the point.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(ms: u64) -> Progress {
        Progress::Fault {
            at: Time::ZERO + Span::from_millis(ms),
            label: format!("kill(c{ms})"),
        }
    }

    #[test]
    fn the_start_is_told_once_and_faults_at_most_once_a_second() {
        let mut telling = Telling::of(Span::from_secs(13));
        let starting = |ready| Progress::Starting { ready, of: 5 };
        assert_eq!(telling.line(&starting(0)), Some("5 hosts, for 13s".to_owned()));
        assert_eq!(telling.line(&starting(1)), None);
        let told: Vec<String> = [2_003, 2_400, 3_002, 3_003, 9_999]
            .into_iter()
            .filter_map(|ms| telling.line(&fault(ms)))
            .collect();
        assert_eq!(
            told,
            [
                "at 2.0 s: kill(c2003)",
                "at 3.0 s: kill(c3003), and 2 faults before it",
                "at 9.9 s: kill(c9999)"
            ]
        );
    }

    #[test]
    fn commands_that_are_proposed_are_such_as_a_shell_reads_them() {
        let recorded = |folder: &str| Progress::Recorded {
            folder: folder.into(),
            flights: 2,
        };
        let told = |progress| staying(&progress, "squall", Path::new("/my runs"));
        assert_eq!(
            told(recorded("/flights/x-Hardened-3")).as_deref(),
            Some(
                "2 flights are recorded in /flights/x-Hardened-3: `squall replay /flights/x-Hardened-3/*/*.sqf`"
            )
        );
        assert_eq!(
            told(recorded("/a b/x-(1)'s-3")).as_deref(),
            Some(r"2 flights are recorded in /a b/x-(1)'s-3: `squall replay '/a b/x-(1)'\''s-3'/*/*.sqf`")
        );
        let left = Progress::Left {
            what: "a process".to_owned(),
        };
        assert_eq!(
            told(left).as_deref(),
            Some(
                "not everything of the run is gone: a process; `squall live --clean --folder '/my runs'` tries it again"
            )
        );
        assert_eq!(told(fault(3)), None);
    }
}
