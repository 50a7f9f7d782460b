//! The samples of one measure in one world, and what can be said of them without a law: order statistics.

use squall_nodes::Span;

use super::FEWEST_LIVE;
use super::draws::Draws;
use crate::outcome::Measured;

/// The samples of one measure in one world, by run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Of each run, in the order of the runs.
    by_run: Vec<Vec<u64>>,
    /// All, ascending, each with the place of its run.
    sorted: Vec<(u64, usize)>,
    unfinished: u64,
}

/// What is told of samples: some of them, by their rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// How many there are.
    pub count: usize,
    /// How often the clock was started and not stopped before the run ended.
    pub unfinished: u64,
    /// The least.
    pub min: Span,
    /// The least that at least half of them do not exceed.
    pub p50: Span,
    /// The least that at least 90 of 100 do not exceed; `None` when there are fewer than 10, of which it would be the greatest.
    pub p90: Option<Span>,
    /// The same of 95 of 100; `None` below 20 samples.
    pub p95: Option<Span>,
    /// The same of 99 of 100; `None` below 100 samples.
    pub p99: Option<Span>,
    /// The greatest.
    pub max: Span,
}

/// How much later the middle of one sample is than that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// The difference of the medians, in nanoseconds; below 0 when the first is earlier.
    pub by: i64,
    /// Between which differences the true one is, with a confidence of 95 %: the bootstrap's percentile interval, of [`RESAMPLES`] draws
    /// of whole runs in both worlds. B. Efron, *Annals of Statistics* 7 (1979), 1–26. `None` where the first are of fewer than
    /// [`FEWEST_LIVE`] runs: of a run or two nothing is known of how far their law strays.
    pub between: Option<(i64, i64)>,
}

/// How often runs are drawn anew for [`Later::between`] and for [`Smirnov::interval`](super::Smirnov::interval).
pub const RESAMPLES: usize = 2_000;

impl Samples {
    /// The samples of a measure, a run after the other.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a Measured>) -> Self {
        let mut unfinished = 0;
        let by_run: Vec<Vec<u64>> = runs
            .into_iter()
            .map(|run| {
                unfinished += u64::from(run.unfinished);
                run.samples.iter().map(|sample| sample.as_nanos()).collect()
            })
            .collect();
        let mut sorted: Vec<(u64, usize)> = by_run
            .iter()
            .enumerate()
            .flat_map(|(run, samples)| samples.iter().map(move |sample| (*sample, run)))
            .collect();
        sorted.sort_unstable();
        Samples {
            by_run,
            sorted,
            unfinished,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Of how many runs they are, those without one included.
    pub fn runs(&self) -> usize {
        self.by_run.len()
    }

    /// All of them, ascending, each with the place of its run.
    pub fn values(&self) -> impl Iterator<Item = (u64, usize)> {
        self.sorted.iter().copied()
    }

    /// Those of each run, in the order in which they were taken.
    pub fn by_run(&self) -> &[Vec<u64>] {
        &self.by_run
    }

    /// Whether no run has more than one, so that they are independent.
    pub fn is_one_a_run(&self) -> bool {
        self.by_run.iter().all(|samples| samples.len() <= 1)
    }

    /// What is told of them; `None` when there are none.
    pub fn ranked(&self) -> Option<Ranked> {
        let at = |percent: usize| self.percentile(percent).map(Span::from_nanos);
        // Of fewer, it is the greatest, and says nothing that this does not say.
        let beyond = |percent: usize| {
            (self.count() * (100 - percent) >= 100)
                .then(|| at(percent))
                .flatten()
        };
        Some(Ranked {
            count: self.count(),
            unfinished: self.unfinished,
            min: at(0)?,
            p50: at(50)?,
            p90: beyond(90),
            p95: beyond(95),
            p99: beyond(99),
            max: at(100)?,
        })
    }

    /// How often the clock was started and not stopped before the run ended.
    pub fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// The least sample that at least `percent` of a hundred do not exceed: nearest rank, no interpolation.
    fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).map(|(value, _)| *value)
    }

    /// How many runs have a sample above `value`.
    pub(super) fn runs_above(&self, value: u64) -> u64 {
        let above = |samples: &&Vec<u64>| samples.iter().any(|sample| *sample > value);
        self.by_run.iter().filter(above).count() as u64
    }

    /// How many runs have a sample below `value`.
    pub(super) fn runs_below(&self, value: u64) -> u64 {
        let below = |samples: &&Vec<u64>| samples.iter().any(|sample| *sample < value);
        self.by_run.iter().filter(below).count() as u64
    }

    /// How many runs have a sample.
    pub(super) fn runs_with_any(&self) -> u64 {
        self.by_run.iter().filter(|samples| !samples.is_empty()).count() as u64
    }

    /// Draws as many runs as there are from these, with replacement: how many `times` each, and how many samples that makes.
    pub(super) fn redraw(&self, draws: &mut Draws, times: &mut [usize]) -> usize {
        times.fill(0);
        for _ in 0..times.len() {
            times[draws.below(times.len())] += 1;
        }
        let samples = self.by_run.iter().zip(&*times);
        samples.map(|(samples, times)| samples.len() * times).sum()
    }

    /// The median of runs that are drawn from these with replacement; `None` when none of those that are drawn has a sample.
    fn redrawn_median(&self, draws: &mut Draws, times: &mut [usize]) -> Option<u64> {
        let count = self.redraw(draws, times);
        let rank = (count * 50).div_ceil(100).max(1);
        let mut passed = 0;
        for (value, run) in &self.sorted {
            passed += times[*run];
            if passed >= rank {
                return Some(*value);
            }
        }
        None
    }
}

impl Later {
    /// How much later the middle of `one` is than that of `other`; `None` when there is no sample in one of them.
    pub fn of(one: &Samples, other: &Samples) -> Option<Later> {
        let difference = |one: u64, other: u64| {
            // Spans are of ten years at most.
            i64::try_from(i128::from(one) - i128::from(other)).unwrap_or_default()
        };
        let by = difference(one.percentile(50)?, other.percentile(50)?);
        if (one.runs() as u64) < FEWEST_LIVE {
            return Some(Later { by, between: None });
        }
        let mut draws = Draws::new(*b"squall bootstrap of two medians ");
        let (mut these, mut those) = (vec![0; one.runs()], vec![0; other.runs()]);
        let mut drawn: Vec<i64> = (0..RESAMPLES)
            .filter_map(|_| {
                let one = one.redrawn_median(&mut draws, &mut these)?;
                Some(difference(one, other.redrawn_median(&mut draws, &mut those)?))
            })
            .collect();
        drawn.sort_unstable();
        let at = |thousandths: usize| {
            let rank = (drawn.len() * thousandths).div_ceil(1_000).max(1);
            drawn.get(rank - 1).copied()
        };
        Some(Later {
            by,
            between: at(25).zip(at(976)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(runs: &[&[u64]]) -> Samples {
        let measured: Vec<Measured> = runs
            .iter()
            .map(|samples| Measured {
                name: "m".to_owned(),
                samples: samples.iter().map(|ns| Span::from_nanos(*ns)).collect(),
                unfinished: u32::from(samples.is_empty()),
            })
            .collect();
        Samples::of(&measured)
    }

    fn one_a_run(values: impl IntoIterator<Item = u64>) -> Samples {
        let values: Vec<Vec<u64>> = values.into_iter().map(|value| vec![value]).collect();
        samples(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn ranks_are_samples_and_are_left_out_where_they_would_be_the_greatest() {
        let of = |count| one_a_run(1..=count).ranked().expect("there are samples");
        let ns = Span::from_nanos;
        let few = of(9);
        assert_eq!((few.min, few.p50, few.p90, few.max), (ns(1), ns(5), None, ns(9)));
        assert_eq!((of(10).p50, of(10).p90, of(10).p95), (ns(5), Some(ns(9)), None));
        assert_eq!((of(20).p95, of(20).p99), (Some(ns(19)), None));
        let many = of(1_000);
        assert_eq!(
            (many.p90, many.p95, many.p99),
            (Some(ns(900)), Some(ns(950)), Some(ns(990)))
        );
        assert_eq!(samples(&[&[], &[]]).ranked(), None);
    }

    #[test]
    fn runs_are_counted_and_not_samples() {
        let both = samples(&[&[5, 50], &[7], &[], &[60, 70]]);
        assert_eq!((both.count(), both.runs(), both.unfinished()), (5, 4, 1));
        assert_eq!(
            (both.runs_above(20), both.runs_below(7), both.runs_with_any()),
            (2, 1, 3)
        );
        assert!(!both.is_one_a_run() && one_a_run([1, 2]).is_one_a_run());
    }

    #[test]
    fn the_difference_of_medians_is_exact_and_lies_in_its_interval() {
        let one = one_a_run((0..101).map(|n| 1_000 + n));
        let other = one_a_run(0..101);
        let later = Later::of(&one, &other).expect("there are samples");
        assert_eq!(later.by, 1_000);
        let (low, high) = later.between.expect("there are enough");
        assert!(low < 1_000 && high > 1_000, "{later:?}");
        assert_eq!(Later::of(&other, &one).map(|later| later.by), Some(-1_000));
        // What never varies has an interval of no length.
        let [three, five] = [3, 5].map(|value| one_a_run([value; 40]));
        assert_eq!(
            Later::of(&five, &three).and_then(|later| later.between),
            Some((2, 2))
        );
        // Those of a few runs have none.
        let few = one_a_run([5; FEWEST_LIVE as usize - 1]);
        assert_eq!(Later::of(&few, &three), Some(Later { by: 2, between: None }));
        assert_eq!(Later::of(&samples(&[&[]]), &three), None);
    }

    /// The bootstrap of a median of twenty samples holds it in some 93 to 96 of 100 times; the bounds are four standard deviations away, and
    /// the draws are fixed.
    #[test]
    fn the_interval_holds_the_true_difference_about_as_often_as_is_said() {
        let mut draws = Draws::new(*b"a test of the bootstrap's share ");
        let mut drawn = |count: usize, shift: u64| {
            one_a_run(
                (0..count)
                    .map(|_| shift + draws.below(10_000) as u64)
                    .collect::<Vec<_>>(),
            )
        };
        let held = (0..150)
            .filter(|_| {
                let later = Later::of(&drawn(20, 700), &drawn(80, 0)).expect("there are samples");
                let (low, high) = later.between.expect("there are enough");
                (low..=high).contains(&700)
            })
            .count();
        assert!((129..=150).contains(&held), "{held} of 150");
    }
}
