//! Laws of latency, in both worlds: from a random word to a length of time, and what 999 of 1000 do not exceed.
//!
//! Each law is drawn by its inverse distribution function from one word, so that a draw costs one word whatever the law. Constant
//! and uniform latencies are whole-number arithmetic; the others go through `libm`, which gives the same bits on every platform.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::rng::between;
use crate::time::Span;

/// A law of latency. Whatever is drawn, no latency is longer than [`Span::LONGEST`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Latency {
    /// Always the same.
    Constant(Span),
    /// Between the first, included, and the second, excluded, each as likely.
    Uniform(Span, Span),
    /// Normal; what would be less than nothing is nothing.
    Normal {
        /// The mean, which is the median too.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
    /// Log-normal: its logarithm is normal.
    LogNormal {
        /// The median.
        median: Span,
        /// The standard deviation of its natural logarithm: 0.5 makes the 99.9th percentile 4.7 medians.
        sigma: f64,
    },
    /// At least `min`, and exponential beyond.
    Exponential {
        /// The least.
        min: Span,
        /// The mean of what comes on top of the least.
        mean: Span,
    },
    /// Pareto: at least `min`, with a long tail. The share that is longer than x is (min / x) to the power of `shape`.
    Pareto {
        /// The least.
        min: Span,
        /// The tail's index: the smaller, the longer the tail; no mean at 1 or below.
        shape: f64,
    },
    /// As it was measured: the samples, ascending, are quantiles at equal steps from the least to the greatest, and between two
    /// of them it is uniform. At least one.
    Empirical(Arc<[Span]>),
}

impl Latency {
    /// The latency that 999 of 1000 datagrams do not exceed.
    pub fn percentile_999(&self) -> Span {
        match self {
            Latency::Uniform(low, high) => {
                *low + Span::from_nanos((high.as_nanos() - low.as_nanos()) / 1000 * 999)
            }
            _ => self.quantile(0.999),
        }
    }

    /// The latency for a random word.
    #[inline]
    pub fn draw(&self, word: u64) -> Span {
        match self {
            Latency::Constant(span) => *span,
            Latency::Uniform(low, high) => between(word, *low, *high),
            _ => self.quantile(unit(word)),
        }
    }

    /// The latency that the share `p` does not exceed; `p` is above 0 and below 1.
    #[inline(never)]
    fn quantile(&self, p: f64) -> Span {
        match self {
            Latency::Constant(span) => *span,
            Latency::Uniform(low, high) => *low + span(p * nanos(*high - *low)),
            Latency::Normal { mean, deviation } => {
                span(nanos(*mean) + nanos(*deviation) * standard_normal(p))
            }
            Latency::LogNormal { median, sigma } => {
                span(nanos(*median) * libm::exp(sigma * standard_normal(p)))
            }
            Latency::Exponential { min, mean } => *min + span(-nanos(*mean) * libm::log1p(-p)),
            Latency::Pareto { min, shape } => span(nanos(*min) * libm::exp(-libm::log1p(-p) / shape)),
            Latency::Empirical(samples) => interpolated(samples, p),
        }
        .min(Span::LONGEST)
    }
}

/// As a scenario file writes it.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Latency::Constant(span) => write!(f, "Constant(\"{span}\")"),
            Latency::Uniform(low, high) => write!(f, "Uniform(\"{low}\", \"{high}\")"),
            Latency::Normal { mean, deviation } => {
                write!(f, "Normal(mean: \"{mean}\", deviation: \"{deviation}\")")
            }
            Latency::LogNormal { median, sigma } => {
                write!(f, "LogNormal(median: \"{median}\", sigma: {sigma:?})")
            }
            Latency::Exponential { min, mean } => write!(f, "Exponential(min: \"{min}\", mean: \"{mean}\")"),
            Latency::Pareto { min, shape } => write!(f, "Pareto(min: \"{min}\", shape: {shape:?})"),
            Latency::Empirical(samples) => {
                let samples: Vec<String> = samples.iter().map(|sample| format!("\"{sample}\"")).collect();
                write!(f, "Empirical([{}])", samples.join(", "))
            }
        }
    }
}

/// A number above 0 and below 1: the middle of one of 2^52 equal parts, all of which are exact.
fn unit(word: u64) -> f64 {
    ((word >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

fn nanos(span: Span) -> f64 {
    span.as_nanos() as f64
}

/// The nearest span: nothing for what is less than nothing, and the longest that there may be for what is more.
fn span(nanos: f64) -> Span {
    // A cast saturates at both ends, and makes nothing of what is no number.
    Span::from_nanos(libm::round(nanos) as u64).min(Span::LONGEST)
}

/// Between the samples next to the place of `p` on the way from the first to the last.
fn interpolated(samples: &[Span], p: f64) -> Span {
    let Some(last) = samples.len().checked_sub(1) else {
        return Span::ZERO;
    };
    let place = p * last as f64;
    // It is below the last place, since `p` is below 1, but for rounding.
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    let part = place - below as f64;
    samples[below] + span(part * nanos(samples[above] - samples[below]))
}

/// The quantile of the standard normal distribution, to about one part in 10¹⁶: algorithm AS 241 (PPND16) of M. J. Wichura,
/// *Applied Statistics* 37 (1988), 477–484.
fn standard_normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&A, r) / polynomial(&B, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let away = if r <= 5.0 {
        polynomial(&C, r - 1.6) / polynomial(&D, r - 1.6)
    } else {
        polynomial(&E, r - 5.0) / polynomial(&F, r - 5.0)
    };
    if q < 0.0 { -away } else { away }
}

/// By Horner's rule; the constant comes first.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * x + coefficient)
}

const A: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_855,
];
const C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    0.000_774_545_014_278_341_4,
];
const D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    0.000_547_593_808_499_534_5,
    0.000_000_001_050_750_071_644_416_9,
];
const E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    0.000_027_115_555_687_434_876,
    0.000_000_201_033_439_929_228_8,
];
const F: [f64; 8] = [
    1.0,
    0.599_832_206_555_887_9,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    0.000_786_869_131_145_613_3,
    0.000_018_463_183_175_100_548,
    0.000_000_142_151_175_831_644_6,
    0.000_000_000_000_002_044_263_103_389_939_8,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_the_inverse_of_the_distribution() {
        let distribution = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        for exponent in 1..300 {
            let p = libm::pow(10.0, -f64::from(exponent) / 20.0);
            for p in [p, 0.5 * p] {
                let back = distribution(standard_normal(p));
                assert!(((back - p) / p).abs() < 1e-13, "{p}: {back}");
            }
        }
        for hundredth in 1..100 {
            let p = f64::from(hundredth) / 100.0;
            assert!(
                (standard_normal(p) + standard_normal(1.0 - p)).abs() < 1e-14,
                "{p}"
            );
        }
    }

    #[test]
    fn percentiles_are_those_of_the_tables() {
        let ms = Span::from_millis;
        let near = |latency: Latency, millis: f64| {
            let found = nanos(latency.percentile_999()) / 1e6;
            assert!(
                (found - millis).abs() < 0.001,
                "{latency:?}: {found} and not {millis}"
            );
        };
        near(Latency::Constant(ms(3)), 3.0);
        near(Latency::Uniform(ms(1), ms(2)), 1.999);
        // 3.0902 standard deviations.
        near(
            Latency::Normal {
                mean: ms(20),
                deviation: ms(1),
            },
            23.0902,
        );
        near(
            Latency::LogNormal {
                median: ms(1),
                sigma: 0.5,
            },
            4.6886,
        );
        // ln 1000 means.
        near(
            Latency::Exponential {
                min: ms(1),
                mean: ms(1),
            },
            7.9078,
        );
        near(
            Latency::Pareto {
                min: ms(1),
                shape: 3.0,
            },
            10.0,
        );
        near(Latency::Empirical([ms(0), ms(1), ms(1001)].into()), 999.0);
    }

    #[test]
    fn no_law_leaves_its_range_at_either_end_of_the_words() {
        let ms = Span::from_millis;
        for word in [0, u64::MAX] {
            let drawn = [
                Latency::Normal {
                    mean: ms(1),
                    deviation: Span::LONGEST,
                },
                Latency::LogNormal {
                    median: Span::LONGEST,
                    sigma: 100.0,
                },
                Latency::Exponential {
                    min: ms(1),
                    mean: Span::LONGEST,
                },
                Latency::Pareto {
                    min: ms(1),
                    shape: 1e-3,
                },
                Latency::Empirical([ms(1), Span::LONGEST].into()),
                Latency::Empirical([ms(7)].into()),
            ]
            .map(|law| law.draw(word));
            let expected = match word {
                0 => [Span::ZERO, Span::ZERO, ms(1), ms(1), ms(1), ms(7)],
                _ => [
                    Span::LONGEST,
                    Span::LONGEST,
                    Span::LONGEST,
                    Span::LONGEST,
                    Span::LONGEST,
                    ms(7),
                ],
            };
            for (drawn, expected) in drawn.into_iter().zip(expected) {
                let apart = drawn.max(expected) - drawn.min(expected);
                assert!(apart <= Span::from_secs(60), "{drawn} and not {expected}");
            }
        }
    }
}
