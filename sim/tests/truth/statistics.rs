//! The tests of hypotheses that are used here, each with its source. All have the same level, but for what says otherwise.

/// The probability with which a test rejects what is true.
pub(crate) const LEVEL: f64 = 1e-6;
/// What a standard normal number exceeds, on either side, with the probability [`LEVEL`].
const NORMAL_BOUND: f64 = 4.8916;

/// How far what was seen is from what a law says, and how far it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distance {
    pub(crate) seen: f64,
    pub(crate) bound: f64,
}

impl Distance {
    /// Whether the law is not rejected.
    pub(crate) fn is_small(&self) -> bool {
        self.seen <= self.bound
    }

    fn normal(z: f64) -> Self {
        Distance {
            seen: z.abs(),
            bound: NORMAL_BOUND,
        }
    }
}

/// Kolmogorov and Smirnov's distance between samples, in whole nanoseconds, and a law, by its distribution function.
///
/// The bound is that of Dvoretzky, Kiefer and Wolfowitz, *Annals of Mathematical Statistics* 27 (1956), 642–669, with the constant
/// of P. Massart, *Annals of Probability* 18 (1990), 1269–1283: P(D > d) ≤ 2 exp(−2nd²), for every law and every n.
pub(crate) fn from_law(samples: &[u64], distribution: impl Fn(f64) -> f64) -> Distance {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let mut seen: f64 = 0.0;
    let mut below = 0;
    while below < sorted.len() {
        let sample = sorted[below];
        let up_to = below + sorted[below..].partition_point(|other| *other == sample);
        // A whole nanosecond stands for what is rounded to it.
        let (left, right) = (sample as f64 - 0.5, sample as f64 + 0.5);
        seen = seen.max((below as f64 / n - distribution(left)).abs());
        seen = seen.max((up_to as f64 / n - distribution(right)).abs());
        below = up_to;
    }
    let bound = libm::sqrt(libm::log(2.0 / LEVEL) / (2.0 * n));
    Distance { seen, bound }
}

/// The distance between how often something happened, of so many independent times, and its probability.
///
/// By Chernoff's bound, in the form of W. Hoeffding, *Journal of the American Statistical Association* 58 (1963), 13–30, Theorem
/// 1: a share as far from p as q on its side has a probability of at most exp(−n KL(q, p)), for every n.
pub(crate) fn from_share(count: u64, of: u64, p: f64) -> Distance {
    let (n, q) = (of as f64, count as f64 / of as f64);
    let part = |q: f64, p: f64| if q == 0.0 { 0.0 } else { q * libm::log(q / p) };
    Distance {
        seen: n * (part(q, p) + part(1.0 - q, 1.0 - p)),
        bound: libm::log(2.0 / LEVEL),
    }
}

/// The distance between counts and what they are expected to be: Pearson's chi-square, which both too large and too small a value
/// speaks against, made normal after E. B. Wilson and M. M. Hilferty, *Proceedings of the National Academy of Sciences* 17 (1931),
/// 684–688. Every count should be expected to be 5 at least.
pub(crate) fn from_expected(counts: &[u64], expected: &[f64]) -> Distance {
    assert!(
        expected.iter().all(|count| *count >= 5.0),
        "too few to tell: {expected:?}"
    );
    let off = |(count, expected): (&u64, &f64)| {
        let off = *count as f64 - expected;
        off * off / expected
    };
    let chi_square: f64 = counts.iter().zip(expected).map(off).sum();
    let freedom = counts.len() as f64 - 1.0;
    let spread = 2.0 / (9.0 * freedom);
    Distance::normal((libm::cbrt(chi_square / freedom) - (1.0 - spread)) / libm::sqrt(spread))
}

/// The distance between the mean of samples and that of their law, whose standard deviation is known; by the central limit theorem.
pub(crate) fn from_mean(samples: &[u64], mean: f64, deviation: f64) -> Distance {
    let n = samples.len() as f64;
    let sum: f64 = samples.iter().map(|sample| *sample as f64 - mean).sum();
    Distance::normal(sum / (deviation * libm::sqrt(n)))
}

/// The distance of independent numbers from a mean of zero, with the deviation that they have themselves; by the central limit
/// theorem.
pub(crate) fn from_zero(numbers: &[f64]) -> Distance {
    let sum: f64 = numbers.iter().sum();
    let squares: f64 = numbers.iter().map(|number| number * number).sum();
    Distance::normal(sum / libm::sqrt(squares))
}

/// The distance of pairs from having nothing to do with each other: with n pairs, Pearson's coefficient of correlation times the
/// root of n is about standard normal.
pub(crate) fn from_independence(pairs: &[(f64, f64)]) -> Distance {
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let together = mean(&|pair| (pair.0 - x) * (pair.1 - y));
    let alone = mean(&|pair| (pair.0 - x) * (pair.0 - x)) * mean(&|pair| (pair.1 - y) * (pair.1 - y));
    Distance::normal(together / libm::sqrt(alone) * libm::sqrt(n))
}

/// Panics with both numbers unless the law is not rejected.
#[track_caller]
pub(crate) fn assert_fits(distance: Distance, law: &str) {
    assert!(distance.is_small(), "{law}: {distance:?}");
}

/// Panics unless the law, which is known not to be the one, is rejected: so much can the test tell.
#[track_caller]
pub(crate) fn assert_tells(distance: Distance, other: &str) {
    assert!(
        !distance.is_small(),
        "{other} is not told from the law that there is: {distance:?}"
    );
}

#[test]
fn a_test_knows_what_the_tables_say() {
    // 100 heads of 200 are as expected; 140 are 5.7 standard deviations away.
    assert_fits(from_share(100, 200, 0.5), "a fair coin");
    assert_fits(
        from_share(0, 20, 0.001),
        "what never happened and hardly ever does",
    );
    assert_tells(from_share(140, 200, 0.5), "a fair coin");
    // Of chi-square with 10 degrees of freedom the upper half of the level is beyond 48.5.
    let with = |chi_square: f64| {
        let mut counts = [1_000; 11];
        counts[0] += libm::sqrt(chi_square * 500.0) as u64;
        counts[1] -= libm::sqrt(chi_square * 500.0) as u64;
        from_expected(&counts, &[1_000.0; 11])
    };
    assert_fits(with(46.0), "46");
    assert_tells(with(51.0), "51");
    // The very numbers of a grid are no chance either, but no distance can tell that they are not uniform.
    let grid: Vec<u64> = (0..1_000).collect();
    assert_fits(from_law(&grid, |x| (x / 1_000.0).clamp(0.0, 1.0)), "a grid");
    assert_tells(from_law(&grid, |x| (x / 900.0).clamp(0.0, 1.0)), "a shorter one");
    assert_tells(
        from_expected(&[1_000; 100], &[1_000.0; 100]),
        "what is too good to be true",
    );
}
