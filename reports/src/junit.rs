//! Results as JUnit XML, for what shows the tests of a CI: a suite a file, a case a rule set.
//!
//! A case that is not as its file expects is a *failure*. One whose answer is not known, as that of a sweep that was stopped, and a file that
//! cannot be run, is an *error*: CI systems show both in red, and keep apart the test that says no from the test that could not be done. What was
//! not begun is *skipped*.
//!
//! The time of a run is its virtual time and all others are 0, and there is no date: equal results give equal bytes.

use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use squall_sim::compare::{Agreement, Comparison};
use squall_sim::outcome::{Outcome, Standing, SweepOutcome};
use squall_sim::plan::Expect;
use squall_sim::scenario::Complaint;

use crate::compare::Made;
use crate::look::{Look, Repeats, harmless, listed, span};
use crate::text;

/// What becomes one XML file.
#[derive(Clone, Debug)]
pub struct Junit {
    title: String,
    look: Look,
    suites: Vec<Suite>,
}

/// The cases of one scenario file.
#[derive(Clone, Debug)]
struct Suite {
    scenario: String,
    cases: Vec<Case>,
}

/// A case: what one rule set came to in one file.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    time: Duration,
    came_to: CameTo,
    notes: Vec<String>,
}

/// How notes, of bounds that are loosened and of promises that were never judged, are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// As something to say besides.
    Mentioned,
    /// As failures, where there is no other.
    Failing,
}

/// What a case came to.
#[derive(Clone, Debug)]
enum CameTo {
    Good,
    Bad {
        kind: NonSuccessKind,
        /// What several cases may have in common.
        ty: String,
        /// In a line.
        message: String,
        /// In full, with the command that repeats it.
        text: String,
    },
    /// It has no verdict: why it was not done.
    NotDone(&'static str),
}

impl Junit {
    /// No suites yet. The title is what the whole is called; `program` calls the program in commands, of which one repeats a run.
    pub fn new(title: &str, program: &str, repeats: Repeats) -> Self {
        Junit {
            title: title.to_owned(),
            look: Look {
                repeats,
                ..Look::plain(program)
            },
            suites: Vec::new(),
        }
    }

    /// What a run came to.
    pub fn run(&mut self, outcome: &Outcome, notes: &[String], taken: Notes) {
        let (scenario, rules) = (&outcome.scenario, outcome.rules);
        let command = self.look.run_command(scenario, rules, outcome.seed);
        let bad = |kind| CameTo::Bad {
            kind,
            ty: outcome
                .violation
                .as_ref()
                .map_or_else(|| outcome.verdict.to_string(), |broken| broken.invariant.clone()),
            message: text::run::verdict(outcome, &self.look),
            text: format!("{}\n{command}\n", seen(outcome)),
        };
        let case = Case {
            name: rules.to_owned(),
            time: Duration::from_nanos(outcome.virtual_time.as_nanos()),
            came_to: CameTo::by(outcome.standing(), bad, || CameTo::unless(taken, notes, &command)),
            notes: notes.to_vec(),
        };
        self.add(scenario, case);
    }

    /// What a sweep came to.
    pub fn sweep(&mut self, outcome: &SweepOutcome, notes: &[String], taken: Notes) {
        let (scenario, rules) = (&outcome.scenario, outcome.rules);
        let seeds = outcome.done();
        let command = self.look.sweep_command(scenario, rules, seeds);
        let bad = |kind| {
            let mut reasons = String::new();
            for failures in &outcome.failures {
                text::sweep::reason(&mut reasons, failures, outcome, &self.look);
            }
            let reasons: Vec<&str> = reasons.lines().map(str::trim).collect();
            CameTo::Bad {
                kind,
                ty: unexpected(outcome),
                message: format!(
                    "{}; {}",
                    text::sweep::shares(outcome),
                    text::sweep::expected(outcome)
                ),
                text: format!("{}\n\n{command}\n", reasons.join("\n")),
            }
        };
        let stopped = outcome.was_stopped().then(|| text::sweep::stopped(outcome));
        let came_to = CameTo::by(outcome.standing(), bad, || match &stopped {
            // What the seeds that were not run would say is not known.
            Some(stopped) => CameTo::Bad {
                kind: NonSuccessKind::Error,
                ty: "stopped".to_owned(),
                message: stopped.clone(),
                text: format!(
                    "{}\n\n{}\n",
                    text::sweep::shares(outcome),
                    self.look.sweep_command(scenario, rules, outcome.seeds)
                ),
            },
            None => CameTo::unless(taken, notes, &command),
        });
        let case = Case {
            name: rules.to_owned(),
            time: Duration::ZERO,
            came_to,
            notes: stopped.into_iter().chain(notes.iter().cloned()).collect(),
        };
        self.add(scenario, case);
    }

    /// What a comparison of both worlds came to.
    pub fn compared(&mut self, comparison: &Comparison, made: &Made) {
        let said = text::compare(comparison, made, &self.look);
        let bad = |kind| CameTo::Bad {
            kind,
            ty: match comparison.agreement() {
                Agreement::Within => "verdicts",
                Agreement::Outside => "outside",
                Agreement::TooFew => "too few runs",
            }
            .to_owned(),
            message: text::compare::in_a_word(comparison),
            text: said.clone(),
        };
        let case = Case {
            name: comparison.rules.to_owned(),
            time: Duration::ZERO,
            came_to: CameTo::by(comparison.standing(), bad, || CameTo::Good),
            notes: text::compare::all_notes(comparison, made),
        };
        self.add(&comparison.scenario, case);
    }

    /// A rule set of a file that is in order.
    pub fn checked(&mut self, scenario: &str, rules: &str, notes: &[String], taken: Notes) {
        let case = Case {
            name: rules.to_owned(),
            time: Duration::ZERO,
            came_to: CameTo::unless(taken, notes, &self.look.check_command(scenario)),
            notes: notes.to_vec(),
        };
        self.add(scenario, case);
    }

    /// A file that is not in order.
    pub fn not_in_order(&mut self, scenario: &str, complaints: &[Complaint]) {
        let mut told = String::new();
        for complaint in complaints {
            let place = complaint.place.as_ref();
            let place = place.map_or_else(String::new, |place| format!("{}:{}: ", place.line, place.column));
            // Writing to a string cannot fail.
            let _ = writeln!(told, "{place}{}", complaint.message);
            if let Some(hint) = &complaint.hint {
                let _ = writeln!(told, "    {hint}");
            }
        }
        let message = match complaints {
            [one] => one.message.clone(),
            all => format!("{} complaints", all.len()),
        };
        let text = format!("{told}\n{}\n", self.look.check_command(scenario));
        self.add(
            scenario,
            Case::error("the file", "not in order".to_owned(), message, text),
        );
    }

    /// A run, or a sweep, that ended in a bug: `what` it was, in a word or two, and all that was said of it.
    pub fn bug(&mut self, scenario: &str, rules: &str, what: &str, said: &str) {
        let message = said.lines().next().unwrap_or_default().to_owned();
        let case = Case::error(rules, what.to_owned(), message, format!("{said}\n"));
        self.add(scenario, case);
    }

    /// A live run that this machine could not play, and why.
    pub fn not_played(&mut self, scenario: &str, rules: &str, why: &str) {
        let case = Case::error(rules, "not played".to_owned(), why.to_owned(), format!("{why}\n"));
        self.add(scenario, case);
    }

    /// What was not begun, since something ended the command before.
    pub fn not_begun(&mut self, scenario: &str, rules: &str) {
        self.not_done(scenario, rules, "not begun");
    }

    /// What was stopped on the way, and has no verdict.
    pub fn stopped(&mut self, scenario: &str, rules: &str) {
        self.not_done(scenario, rules, "stopped");
    }

    fn not_done(&mut self, scenario: &str, rules: &str, why: &'static str) {
        let case = Case {
            name: rules.to_owned(),
            time: Duration::ZERO,
            came_to: CameTo::NotDone(why),
            notes: Vec::new(),
        };
        self.add(scenario, case);
    }

    /// The XML.
    pub fn xml(&self) -> String {
        let mut report = Report::new(one_line(&self.title));
        let mut all = Duration::ZERO;
        for suite in &self.suites {
            let mut told = TestSuite::new(one_line(&suite.scenario));
            let time = suite.cases.iter().map(|case| case.time).sum();
            told.set_time(time);
            all += time;
            told.add_test_cases(suite.cases.iter().map(|case| case.told(&suite.scenario)));
            report.add_test_suite(told);
        }
        report.set_time(all);
        // It is written to memory, and holds no character that XML has no form for.
        report.to_string().expect("plain text has an XML form")
    }

    fn add(&mut self, scenario: &str, case: Case) {
        match self.suites.last_mut().filter(|suite| suite.scenario == scenario) {
            Some(suite) => suite.cases.push(case),
            None => self.suites.push(Suite {
                scenario: scenario.to_owned(),
                cases: vec![case],
            }),
        }
    }
}

impl CameTo {
    fn by(
        standing: Standing,
        bad: impl FnOnce(NonSuccessKind) -> CameTo,
        good: impl FnOnce() -> CameTo,
    ) -> Self {
        match standing {
            Standing::AsExpected => good(),
            Standing::Otherwise => bad(NonSuccessKind::Failure),
            Standing::Unknown => bad(NonSuccessKind::Error),
        }
    }

    /// Good, unless there are notes that are taken for failures.
    fn unless(taken: Notes, notes: &[String], command: &str) -> Self {
        match taken {
            Notes::Failing if !notes.is_empty() => CameTo::Bad {
                kind: NonSuccessKind::Failure,
                ty: "too loose".to_owned(),
                message: listed(notes),
                text: format!("{}\n\n{command} --strict\n", notes.join("\n")),
            },
            Notes::Failing | Notes::Mentioned => CameTo::Good,
        }
    }
}

impl Case {
    fn error(name: &str, ty: String, message: String, text: String) -> Self {
        Case {
            name: name.to_owned(),
            time: Duration::ZERO,
            came_to: CameTo::Bad {
                kind: NonSuccessKind::Error,
                ty,
                message,
                text,
            },
            notes: Vec::new(),
        }
    }

    fn told(&self, scenario: &str) -> TestCase {
        let status = match &self.came_to {
            CameTo::Good => TestCaseStatus::success(),
            CameTo::Bad {
                kind,
                ty,
                message,
                text,
            } => {
                let mut status = TestCaseStatus::non_success(*kind);
                status.set_type(one_line(ty));
                status.set_message(one_line(message));
                status.set_description(lines(text));
                status
            }
            CameTo::NotDone(why) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(*why);
                status
            }
        };
        let mut case = TestCase::new(one_line(&self.name), status);
        case.set_classname(one_line(scenario));
        case.set_time(self.time);
        case.extra.insert("file".into(), one_line(scenario).into());
        if !self.notes.is_empty() {
            case.set_system_out(lines(&self.notes.join("\n")));
        }
        case
    }
}

/// What was promised and what was seen instead, or what keeps the run from being an answer.
fn seen(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(violation) = &outcome.violation {
        let _ = writeln!(
            text,
            "promised  {}\nseen      {}",
            violation.promised, violation.detail
        );
        if let Some(quiet) = violation.quiet {
            let _ = writeln!(
                text,
                "quiet     since {}, promised after {}",
                span(quiet.since.as_nanos()),
                span(quiet.bound.as_nanos())
            );
            if !quiet.tolerance.is_zero() {
                let _ = writeln!(text, "tolerated {} more", span(quiet.tolerance.as_nanos()));
            }
        }
    }
    for doubt in &outcome.doubts {
        let _ = writeln!(text, "doubt     {doubt}");
    }
    text
}

/// The commonest reason that the file does not expect, which is none where nothing failed that should have.
fn unexpected(outcome: &SweepOutcome) -> String {
    let is_expected = |signature: &String| match &outcome.expect {
        Expect::Held => false,
        Expect::Violated(names) => names.contains(signature),
    };
    outcome
        .failures
        .iter()
        .map(|failures| &failures.signature)
        .find(|signature| !is_expected(signature))
        .map_or_else(|| "held".to_owned(), Clone::clone)
}

/// Text without anything that XML cannot hold or a terminal would obey, on one line.
fn one_line(text: &str) -> String {
    harmless(text, usize::MAX).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// The same, line by line.
fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", one_line(line))).collect()
}

#[cfg(test)]
mod tests;
