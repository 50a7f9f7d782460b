//! What many runs or sweeps came to, as the last line.

use squall_sim::outcome::Standing;

use crate::look::{Ink, Look, counted, grouped};

/// How many runs, or sweeps, stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As their files expect.
    pub as_expected: u64,
    /// Not as their files expect.
    pub otherwise: u64,
    /// Those whose answer is not known.
    pub unknown: u64,
    /// Those that ended in a panic, which says nothing of the file.
    pub panicked: u64,
    /// Those in which a run did not come out the same again, which says nothing of the file either.
    pub differing: u64,
    /// Those that were stopped on the way, and have no verdict.
    pub stopped: u64,
    /// Those that were not begun, since the command was stopped, or one of those before them panicked or differed.
    pub not_begun: u64,
    /// Among those that are as expected: those that strictness fails.
    pub too_loose: u64,
    /// Runs of all of them together.
    pub runs: u64,
}

/// What a [`Tally`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tallied {
    /// Single runs, each under one seed.
    Runs,
    /// Sweeps.
    Sweeps,
}

impl Tally {
    /// Counts one more, of so many runs.
    pub fn add(&mut self, standing: Standing, runs: u64) {
        self.runs += runs;
        match standing {
            Standing::AsExpected => self.as_expected += 1,
            Standing::Otherwise => self.otherwise += 1,
            Standing::Unknown => self.unknown += 1,
        }
    }

    /// How many were counted.
    pub fn done(&self) -> u64 {
        self.as_expected + self.otherwise + self.unknown + self.panicked + self.differing
    }

    /// A line that says how many there were, over how many seeds, and how they stand.
    pub fn summary(&self, of: Tallied, look: &Look) -> String {
        let done = self.done();
        let mut parts = match self.as_expected {
            0 => Vec::new(),
            all if all == done => vec!["all as expected".to_owned()],
            some => vec![format!("{} as expected", grouped(some))],
        };
        let rest = [
            (self.otherwise, "not as expected"),
            (self.unknown, "inconclusive"),
            (self.panicked, "panicked"),
            (self.differing, "not deterministic"),
            (self.too_loose, "too loose for --strict"),
            (self.stopped, "stopped"),
            (self.not_begun, "not begun"),
        ];
        parts.extend(
            rest.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, text)| format!("{} {text}", grouped(*count))),
        );
        let ink = match self {
            Tally {
                otherwise: 0,
                unknown: 0,
                panicked: 0,
                differing: 0,
                stopped: 0,
                not_begun: 0,
                too_loose: 0,
                ..
            } => Ink::Good,
            Tally {
                otherwise: 0,
                panicked: 0,
                differing: 0,
                too_loose: 0,
                ..
            } => Ink::Doubtful,
            _ => Ink::Bad,
        };
        let runs = counted(self.runs, "run", "runs");
        let of = match of {
            Tallied::Runs => format!("{runs}, one seed each"),
            Tallied::Sweeps => format!("{}, {runs}", counted(done, "sweep", "sweeps")),
        };
        format!("{}\n", look.paint(ink, &format!("{of}: {}", parts.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_over_how_many_and_leaves_out_what_is_not() {
        let look = Look::plain("squall");
        let mut tally = Tally::default();
        tally.add(Standing::AsExpected, 1000);
        assert_eq!(
            tally.summary(Tallied::Sweeps, &look),
            "1 sweep, 1 000 runs: all as expected\n"
        );
        tally.add(Standing::Otherwise, 1);
        tally.add(Standing::Unknown, 1);
        (tally.stopped, tally.not_begun) = (2, 4);
        assert_eq!(
            tally.summary(Tallied::Sweeps, &look),
            "3 sweeps, 1 002 runs: 1 as expected, 1 not as expected, 1 inconclusive, 2 stopped, 4 not begun\n"
        );
        tally.panicked = 1;
        let summary = tally.summary(Tallied::Sweeps, &look);
        assert!(
            summary.starts_with("4 sweeps,") && summary.contains(" 1 panicked,"),
            "{summary}"
        );
        let one = Tally {
            unknown: 1,
            runs: 1,
            ..Tally::default()
        };
        assert_eq!(
            one.summary(Tallied::Runs, &look),
            "1 run, one seed each: 1 inconclusive\n"
        );
    }
}
