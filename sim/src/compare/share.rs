//! Shares of runs: how sure they are, and whether those of two worlds can be one.

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// So many of these for which something holds.
    pub fn of<T>(all: impl IntoIterator<Item = T>, holds: impl Fn(T) -> bool) -> Self {
        let mut share = Share::default();
        for one in all {
            share.of += 1;
            share.count += u64::from(holds(one));
        }
        share
    }

    /// Between which shares the true one is, with a confidence of 95 %: E. B. Wilson's interval, *Journal of the American Statistical
    /// Association* 22 (1927), 209–212. From 0 to 1 when it is of none.
    pub fn interval(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, z) = (self.of as f64, NORMAL_975);
        let share = self.count as f64 / n;
        let scale = 1.0 + z * z / n;
        let middle = (share + z * z / (2.0 * n)) / scale;
        let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        // Where there is none or nothing else, the bound is exact, and rounding must not move it.
        let low = if self.count == 0 {
            0.0
        } else {
            (middle - half).max(0.0)
        };
        let high = if self.count == self.of {
            1.0
        } else {
            (middle + half).min(1.0)
        };
        (low, high)
    }

    fn others(self) -> u64 {
        self.of.saturating_sub(self.count)
    }
}

/// How likely it is that two shares are at least as far apart as these are, when what they are shares of is alike: R. A. Fisher's exact
/// test, two-sided, which adds up all tables that are no likelier than this one.
pub(super) fn apart(one: Share, other: Share) -> f64 {
    let tables = Tables::of(one, other);
    let here = tables.log_probability(one.count);
    // Two tables that are as likely as each other are so but for rounding.
    let least = here + 1e-7;
    tables.sum(tables.least..=tables.most, |log| log <= least)
}

/// How likely it is that the first share is at least so much greater than the second, when what they are shares of is alike: the same test,
/// one-sided.
pub(super) fn greater(one: Share, other: Share) -> f64 {
    let tables = Tables::of(one, other);
    tables.sum(one.count..=tables.most, |_| true)
}

/// How likely it is that the `count` greatest of `of` and `others` values that have one law are all among the first, and so are above
/// all of the others.
pub(super) fn all_beyond(count: u64, of: u64, others: u64) -> f64 {
    (0..count).fold(1.0, |product, place| {
        product * (of.saturating_sub(place) as f64 / (of + others - place) as f64)
    })
}

/// What a standard normal number does not exceed with a probability of 0.975.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// All tables of two shares with the sums of these.
struct Tables {
    one: u64,
    other: u64,
    counted: u64,
    /// The least that may be counted of the first.
    least: u64,
    /// The most.
    most: u64,
}

impl Tables {
    fn of(one: Share, other: Share) -> Self {
        let counted = one.count + other.count;
        Tables {
            one: one.of,
            other: other.of,
            counted,
            least: one.count.saturating_sub(other.others()),
            most: counted.min(one.of),
        }
    }

    /// The natural logarithm of the hypergeometric probability that `count` are counted of the first.
    fn log_probability(&self, count: u64) -> f64 {
        log_choose(self.one, count) + log_choose(self.other, self.counted - count)
            - log_choose(self.one + self.other, self.counted)
    }

    fn sum(&self, counts: std::ops::RangeInclusive<u64>, wanted: impl Fn(f64) -> bool) -> f64 {
        let logs = counts.map(|count| self.log_probability(count));
        let sum: f64 = logs.filter(|log| wanted(*log)).map(libm::exp).sum();
        sum.min(1.0)
    }
}

/// The natural logarithm of the number of ways to choose `count` of `of`.
fn log_choose(of: u64, count: u64) -> f64 {
    let log_factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
    log_factorial(of) - log_factorial(count) - log_factorial(of - count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64) {
        assert!(
            (found - known).abs() <= 1e-6 * known.abs().max(1e-3),
            "{found} and not {known}"
        );
    }

    fn share(count: u64, of: u64) -> Share {
        Share { count, of }
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // R: prop.test(x, n, correct = FALSE)$conf.int.
        for ((count, of), (low, high)) in [
            ((0, 10), (0.0, 0.277_532_8)),
            ((10, 10), (0.722_467_2, 1.0)),
            ((15, 50), (0.191_028_0, 0.437_507_2)),
            ((30, 30), (0.886_485_7, 1.0)),
        ] {
            let found = share(count, of).interval();
            assert!(
                (found.0 - low).abs() < 1e-5 && (found.1 - high).abs() < 1e-5,
                "{count} of {of}: {found:?}"
            );
        }
        assert_eq!(share(0, 0).interval(), (0.0, 1.0));
    }

    #[test]
    fn a_share_is_within_its_interval_about_as_often_as_is_said() {
        // The exact coverage, summed over all that may be counted: Wilson's is near 95 % on average, not everywhere.
        let (n, mut mean) = (100, 0.0);
        for percent in 5..=95 {
            let p = f64::from(percent) / 100.0;
            let covered: f64 = (0..=n)
                .filter(|&count| {
                    let (low, high) = share(count, n).interval();
                    low <= p && p <= high
                })
                .map(|count| {
                    let log = log_choose(n, count)
                        + count as f64 * libm::log(p)
                        + (n - count) as f64 * libm::log(1.0 - p);
                    libm::exp(log)
                })
                .sum();
            assert!((0.92..0.985).contains(&covered), "{p}: {covered}");
            mean += covered / 91.0;
        }
        assert!((0.945..0.96).contains(&mean), "{mean}");
    }

    #[test]
    fn fishers_test_gives_the_known_values() {
        // The lady tasting tea: 3 of 4 right, and 4 of 4.
        near(greater(share(3, 4), share(1, 4)), 17.0 / 70.0);
        near(greater(share(4, 4), share(0, 4)), 1.0 / 70.0);
        near(apart(share(3, 4), share(1, 4)), 34.0 / 70.0);
        // R: fisher.test(matrix(c(1, 9, 11, 3), 2))$p.value.
        near(apart(share(1, 10), share(11, 14)), 0.002_759_456_2);
        near(apart(share(30, 30), share(1_000, 1_000)), 1.0);
        near(greater(share(1, 30), share(0, 1_000)), 30.0 / 1_030.0);
    }

    #[test]
    fn all_tables_together_are_certain() {
        for (one, other) in [
            (share(3, 10), share(8, 20)),
            (share(0, 5), share(0, 7)),
            (share(5, 5), share(2, 9)),
        ] {
            let tables = Tables::of(one, other);
            near(tables.sum(tables.least..=tables.most, |_| true), 1.0);
        }
    }

    #[test]
    fn what_is_beyond_all_others_is_so_by_chance_as_often_as_counting_says() {
        near(all_beyond(0, 30, 1_000), 1.0);
        near(all_beyond(1, 30, 1_000), 30.0 / 1_030.0);
        // Of all ways to choose the places of 2 among 5 in order, those in which the 2 greatest are theirs.
        near(all_beyond(2, 2, 3), 1.0 / 10.0);
        near(
            all_beyond(3, 30, 1_000),
            30.0 * 29.0 * 28.0 / (1_030.0 * 1_029.0 * 1_028.0),
        );
    }
}
