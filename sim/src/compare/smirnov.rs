//! Smirnov's test: how far apart two samples are, how likely that is when they have one law, and how far apart their laws may be.

use super::draws::Draws;
use super::samples::{RESAMPLES, Samples};

/// How far apart two samples are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smirnov {
    /// Kolmogorov's and Smirnov's distance D: the greatest difference of the shares of the two samples that do not exceed a value.
    pub distance: f64,
    /// How likely it is that the distance is at least as great when both samples have one law.
    pub p: f64,
    /// How that was found.
    pub by: Method,
}

/// How the probability of a distance is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Exactly, by counting the ways in which the values can be dealt to the two samples, with the ties that there are: the lattice paths of
    /// J. L. Hodges, *Arkiv för Matematik* 3 (1958), 469–486, which are looked at between ties only, after G. Schröer and D. Trenkler,
    /// *Computational Statistics & Data Analysis* 20 (1995), 185–202.
    Exact,
    /// By the limit for large samples: N. V. Smirnov, *Annals of Mathematical Statistics* 19 (1948), 279–281, at D √(nm / (n + m)).
    Asymptotic,
    /// By dealing whole runs to the two worlds anew, again and again, since samples of one run are not independent: a permutation test that
    /// stops early when the distance is nothing special, after J. Besag and P. Clifford, *Biometrika* 78 (1991), 301–304.
    Permutation {
        /// How often they were dealt.
        rounds: u32,
    },
}

impl Smirnov {
    /// How far apart the samples are; `None` when there are none in one of them.
    pub fn between(one: &Samples, other: &Samples) -> Option<Smirnov> {
        let (n, m) = (one.count(), other.count());
        if n == 0 || m == 0 {
            return None;
        }
        let pooled = Pooled::of(one, other);
        let worlds: Vec<bool> = pooled.run.iter().map(|run| pooled.is_first(*run)).collect();
        let steps = pooled.distance(&worlds, n, m);
        let distance = steps as f64 / (n as f64 * m as f64);
        let (p, by) = if one.is_one_a_run() && other.is_one_a_run() {
            if n as u64 * m as u64 <= MOST_EXACT {
                (pooled.exact(steps, n, m), Method::Exact)
            } else {
                let effective = n as f64 * m as f64 / (n as f64 + m as f64);
                (kolmogorov(distance * effective.sqrt()), Method::Asymptotic)
            }
        } else {
            pooled.permuted(distance)
        };
        Some(Smirnov { distance, p, by })
    }

    /// Between which distances that of the two laws is, with a confidence of 95 %; from 0 to 1. The samples are those of which this is the
    /// distance.
    ///
    /// Whole runs are drawn anew in both worlds, [`RESAMPLES`] times, and each time it is seen how far the difference of the two
    /// distributions strays, anywhere, from that of the samples: P. J. Bickel and D. A. Freedman, *Annals of Statistics* 9 (1981),
    /// 1196–1217. What 95 of 100 draws do not exceed is laid on both sides of the distance, which strays no further than the difference
    /// does. So it is good where the two laws are one as well, where the 95 % in the middle of the distances that are drawn would not be:
    /// none of them is 0.
    pub fn interval(&self, one: &Samples, other: &Samples) -> (f64, f64) {
        let strays = Pooled::of(one, other).strays(one, other);
        (
            (self.distance - strays).max(0.0),
            (self.distance + strays).min(1.0),
        )
    }
}

/// Above this product of the numbers of samples the limit is taken; the effective number is in the tens even when one of them is small.
const MOST_EXACT: u64 = 20_000_000;
/// How often runs are dealt anew at most.
const MOST_ROUNDS: u32 = 9_999;
/// Once so many deals were as far apart, the distance is known to be nothing special.
const ENOUGH: u32 = 20;

/// The values of two samples, in one ascending row.
struct Pooled {
    /// The values.
    values: Vec<u64>,
    /// The run of each: first those of the first sample, then those of the other.
    run: Vec<usize>,
    /// How many runs the first sample has.
    first: usize,
    /// How many runs there are.
    runs: usize,
}

impl Pooled {
    fn of(one: &Samples, other: &Samples) -> Self {
        let first = one.runs();
        let mut all: Vec<(u64, usize)> = one.values().collect();
        all.extend(other.values().map(|(value, run)| (value, run + first)));
        all.sort_unstable();
        Pooled {
            values: all.iter().map(|(value, _)| *value).collect(),
            run: all.iter().map(|(_, run)| *run).collect(),
            first,
            runs: first + other.runs(),
        }
    }

    fn is_first(&self, run: usize) -> bool {
        run < self.first
    }

    /// Whether a value is the last of those that are equal.
    fn ends_a_tie(&self, place: usize) -> bool {
        self.values.get(place + 1) != Some(&self.values[place])
    }

    /// The greatest |i m − j n|, where i of the n values of the first sample and j of the m of the other do not exceed a value.
    fn distance(&self, is_first: &[bool], n: usize, m: usize) -> u64 {
        let (mut balance, mut greatest) = (0_i128, 0);
        for (place, is_first) in is_first.iter().enumerate() {
            balance += if *is_first { m as i128 } else { -(n as i128) };
            if self.ends_a_tie(place) {
                greatest = greatest.max(balance.unsigned_abs());
            }
        }
        u64::try_from(greatest).unwrap_or(u64::MAX)
    }

    /// The probability that values which are dealt at random, n to the first sample, are at least `steps` apart.
    ///
    /// A deal is a path from (0, 0) to (n, m); `reached` is the probability that it comes to (i, j) and was nowhere that far off, and what
    /// is that far off when it gets there is summed up, so that small probabilities are as exact as large ones.
    fn exact(&self, steps: u64, n: usize, m: usize) -> f64 {
        let mut reached = vec![0.0; n + 1];
        reached[0] = 1.0;
        let mut off = 0.0;
        // One value after the other is dealt: of `dealt` values, i are the first's.
        for dealt in 1..=n + m {
            let (least, most) = (dealt.saturating_sub(m), dealt.min(n));
            let left = (n + m - dealt + 1) as f64;
            let is_looked_at = self.ends_a_tie(dealt - 1);
            for i in (least..=most).rev() {
                let j = dealt - i;
                let to_first = if i > 0 {
                    reached[i - 1] * (n - i + 1) as f64 / left
                } else {
                    0.0
                };
                let to_other = if j > 0 {
                    reached[i] * (m - j + 1) as f64 / left
                } else {
                    0.0
                };
                let here = to_first + to_other;
                let apart = (i as i128 * m as i128 - j as i128 * n as i128).unsigned_abs();
                if is_looked_at && apart >= u128::from(steps) {
                    off += here;
                    reached[i] = 0.0;
                } else {
                    reached[i] = here;
                }
            }
            if least > 0 {
                reached[least - 1] = 0.0;
            }
        }
        off.min(1.0)
    }

    /// The share of deals of whole runs that are at least as far apart.
    fn permuted(&self, distance: f64) -> (f64, Method) {
        let mut draws = Draws::new(*b"squall permutation of two worlds");
        let mut order: Vec<usize> = (0..self.runs).collect();
        let mut dealt = vec![false; self.runs];
        let mut worlds = vec![false; self.values.len()];
        let (mut rounds, mut as_far) = (0, 0);
        while rounds < MOST_ROUNDS && as_far < ENOUGH {
            rounds += 1;
            dealt.fill(false);
            for place in 0..self.first {
                let other = place + draws.below(self.runs - place);
                order.swap(place, other);
                dealt[order[place]] = true;
            }
            let mut n = 0;
            for (world, run) in worlds.iter_mut().zip(&self.run) {
                *world = dealt[*run];
                n += usize::from(*world);
            }
            let m = self.values.len() - n;
            if n == 0 || m == 0 {
                // All samples on one side say nothing of a distance.
                continue;
            }
            let apart = self.distance(&worlds, n, m) as f64 / (n as f64 * m as f64);
            as_far += u32::from(apart >= distance * (1.0 - 1e-12));
        }
        let p = if as_far >= ENOUGH {
            f64::from(as_far) / f64::from(rounds)
        } else {
            f64::from(as_far + 1) / f64::from(rounds + 1)
        };
        (p, Method::Permutation { rounds })
    }

    /// How far the difference of the two distributions strays from that of the samples in 95 of 100 draws of whole runs, at most.
    fn strays(&self, one: &Samples, other: &Samples) -> f64 {
        let mut draws = Draws::new(*b"squall bootstrap of one distance");
        let mut times = vec![0; self.runs];
        let mut strayed: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                let (these, those) = times.split_at_mut(self.first);
                let drawn = (one.redraw(&mut draws, these), other.redraw(&mut draws, those));
                self.strayed(&times, (one.count(), other.count()), drawn)
            })
            .collect();
        strayed.sort_unstable_by(f64::total_cmp);
        let rank = (strayed.len() * 95).div_ceil(100).max(1);
        // Where no draw has a sample of both, nothing is known.
        strayed.get(rank - 1).copied().unwrap_or(1.0)
    }

    /// How far it strays when each run is there so many times. `None` where none that is there has a sample, in one of the worlds.
    fn strayed(&self, times: &[usize], counts: (usize, usize), drawn: (usize, usize)) -> Option<f64> {
        if drawn.0 == 0 || drawn.1 == 0 {
            return None;
        }
        let share = |passed: usize, count: usize| passed as f64 / count as f64;
        let (mut there, mut passed, mut greatest) = ((0, 0), (0, 0), 0.0_f64);
        for (place, run) in self.run.iter().enumerate() {
            if self.is_first(*run) {
                there.0 += 1;
                passed.0 += times[*run];
            } else {
                there.1 += 1;
                passed.1 += times[*run];
            }
            if self.ends_a_tie(place) {
                let one = share(passed.0, drawn.0) - share(there.0, counts.0);
                let other = share(passed.1, drawn.1) - share(there.1, counts.1);
                greatest = greatest.max((one - other).abs());
            }
        }
        Some(greatest)
    }
}

/// The probability that Kolmogorov's limit exceeds `x`: 2 Σ (−1)^(k−1) exp(−2 k² x²), and for small x, where that converges slowly, the
/// same by Jacobi's transformation.
fn kolmogorov(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let sum = |term: &dyn Fn(f64) -> f64| (1..=40).map(|k| term(f64::from(k))).sum::<f64>();
    let p = if x < 1.0 {
        let pi = std::f64::consts::PI;
        let term = |k: f64| {
            let odd = 2.0 * k - 1.0;
            libm::exp(-odd * odd * pi * pi / (8.0 * x * x))
        };
        1.0 - (2.0 * pi).sqrt() / x * sum(&term)
    } else {
        let term = |k: f64| {
            let sign = if k % 2.0 == 1.0 { 1.0 } else { -1.0 };
            sign * libm::exp(-2.0 * k * k * x * x)
        };
        2.0 * sum(&term)
    };
    p.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
