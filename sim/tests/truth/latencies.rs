//! Every law of latency against its distribution function, and against its mean where it has one.
//!
//! The functions are those of N. L. Johnson, S. Kotz and N. Balakrishnan, *Continuous Univariate Distributions*, volume 1, second
//! edition (1994): normal (chapter 13), log-normal (14), exponential (19), Pareto (20); and of volume 2 (1995): uniform (26).

use squall_nodes::Span;
use squall_sim::plan::{Latency, LinkLaw};

use crate::node::Stream;
use crate::statistics::{assert_fits, assert_tells, from_law, from_mean};

/// A millisecond, in nanoseconds.
const MS: f64 = 1e6;

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

/// 20 000 latencies of a law: enough to tell laws apart whose distribution functions differ by 0.03 somewhere.
fn drawn(seed: u64, law: Latency) -> Vec<u64> {
    let seen = Stream::of(20_000).watch(LinkLaw::delaying(law), seed);
    let latencies = seen.latencies();
    assert_eq!(latencies.len(), 20_000);
    latencies.into_iter().map(|(_, took)| took).collect()
}

fn standard_normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[test]
fn constant_is_what_it_says_to_the_nanosecond() {
    let span = Span::from_nanos(1_234_567);
    assert!(
        drawn(1, Latency::Constant(span))
            .iter()
            .all(|took| *took == 1_234_567)
    );
}

#[test]
fn uniform() {
    let took = drawn(2, Latency::Uniform(ms(1), ms(9)));
    let law = |low: f64, high: f64| move |x: f64| ((x - low) / (high - low)).clamp(0.0, 1.0);
    assert_fits(from_law(&took, law(MS, 9.0 * MS)), "uniform from 1 to 9 ms");
    assert_tells(from_law(&took, law(MS, 9.5 * MS)), "uniform from 1 to 9.5 ms");
    assert_tells(
        from_law(&took, law(0.7 * MS, 9.0 * MS)),
        "uniform from 0.7 to 9 ms",
    );
    let deviation = 8.0 * MS / libm::sqrt(12.0);
    assert_fits(from_mean(&took, 5.0 * MS, deviation), "a mean of 5 ms");
    assert_tells(from_mean(&took, 5.1 * MS, deviation), "a mean of 5.1 ms");
}

#[test]
fn normal() {
    let took = drawn(
        3,
        Latency::Normal {
            mean: ms(20),
            deviation: ms(3),
        },
    );
    let law = |mean: f64, deviation: f64| move |x: f64| standard_normal((x - mean * MS) / (deviation * MS));
    assert_fits(from_law(&took, law(20.0, 3.0)), "normal");
    assert_tells(from_law(&took, law(20.3, 3.0)), "a mean 1.5 % off");
    assert_tells(from_law(&took, law(20.0, 3.4)), "a deviation 13 % off");
    assert_fits(from_mean(&took, 20.0 * MS, 3.0 * MS), "a mean of 20 ms");
    assert_tells(from_mean(&took, 20.2 * MS, 3.0 * MS), "a mean of 20.2 ms");
}

/// What would be less than nothing is nothing: a law with an atom.
#[test]
fn normal_that_would_be_negative() {
    let took = drawn(
        4,
        Latency::Normal {
            mean: ms(2),
            deviation: ms(3),
        },
    );
    let law = |mean: f64| {
        move |x: f64| {
            if x < 0.0 {
                0.0
            } else {
                standard_normal((x - mean * MS) / (3.0 * MS))
            }
        }
    };
    assert_fits(from_law(&took, law(2.0)), "normal from zero on");
    assert_tells(from_law(&took, law(2.3)), "a mean 15 % off");
    // The mean of max(0, X): m Φ(m/s) + s φ(m/s); its second moment (m² + s²) Φ(m/s) + m s φ(m/s).
    let (m, s) = (2.0, 3.0);
    let (below, density) = (
        standard_normal(m / s),
        libm::exp(-m * m / (2.0 * s * s)) / libm::sqrt(2.0 * std::f64::consts::PI),
    );
    let mean = m * below + s * density;
    let second = (m * m + s * s) * below + m * s * density;
    let deviation = libm::sqrt(second - mean * mean);
    assert_fits(
        from_mean(&took, mean * MS, deviation * MS),
        "the mean of what is above zero",
    );
    assert_tells(
        from_mean(&took, mean * 1.05 * MS, deviation * MS),
        "a mean 5 % off",
    );
}

#[test]
fn log_normal() {
    let took = drawn(
        5,
        Latency::LogNormal {
            median: ms(20),
            sigma: 0.5,
        },
    );
    let law = |median: f64, sigma: f64| {
        move |x: f64| {
            if x <= 0.0 {
                0.0
            } else {
                standard_normal(libm::log(x / (median * MS)) / sigma)
            }
        }
    };
    assert_fits(from_law(&took, law(20.0, 0.5)), "log-normal");
    assert_tells(from_law(&took, law(20.8, 0.5)), "a median 4 % off");
    assert_tells(from_law(&took, law(20.0, 0.57)), "a sigma 14 % off");
    let mean = 20.0 * MS * libm::exp(0.125);
    let deviation = mean * libm::sqrt(libm::exp(0.25) - 1.0);
    assert_fits(from_mean(&took, mean, deviation), "its mean");
    assert_tells(from_mean(&took, mean * 1.04, deviation), "a mean 4 % off");
}

#[test]
fn exponential() {
    let took = drawn(
        6,
        Latency::Exponential {
            min: ms(1),
            mean: ms(5),
        },
    );
    let law = |min: f64, mean: f64| {
        move |x: f64| {
            let beyond = (x - min * MS).max(0.0);
            -libm::expm1(-beyond / (mean * MS))
        }
    };
    assert_fits(from_law(&took, law(1.0, 5.0)), "exponential");
    assert_tells(from_law(&took, law(1.0, 5.5)), "a mean 10 % off");
    assert_tells(from_law(&took, law(1.2, 5.0)), "a least of 1.2 ms");
    assert_fits(from_mean(&took, 6.0 * MS, 5.0 * MS), "a mean of 6 ms");
    assert_tells(from_mean(&took, 6.3 * MS, 5.0 * MS), "a mean of 6.3 ms");
}

#[test]
fn pareto() {
    let law = |min: f64, shape: f64| {
        move |x: f64| {
            if x <= min * MS {
                0.0
            } else {
                1.0 - libm::pow(min * MS / x, shape)
            }
        }
    };
    // With so long a tail that it has no deviation, nor with 1.0 even a mean.
    for shape in [1.0, 1.5] {
        let took = drawn(7, Latency::Pareto { min: ms(1), shape });
        assert_fits(from_law(&took, law(1.0, shape)), "Pareto");
        assert_tells(from_law(&took, law(1.03, shape)), "a least 3 % off");
        assert_tells(from_law(&took, law(1.0, shape * 1.1)), "a shape 10 % off");
    }
    let took = drawn(
        8,
        Latency::Pareto {
            min: ms(1),
            shape: 6.0,
        },
    );
    assert_fits(from_law(&took, law(1.0, 6.0)), "Pareto with a short tail");
    let (mean, deviation) = (6.0 / 5.0 * MS, libm::sqrt(6.0 / (25.0 * 4.0)) * MS);
    assert_fits(from_mean(&took, mean, deviation), "its mean");
    assert_tells(from_mean(&took, mean * 1.02, deviation), "a mean 2 % off");
}

/// Between neighbours among four samples a third of it each, and uniform there.
#[test]
fn empirical() {
    let took = drawn(9, Latency::Empirical([ms(1), ms(2), ms(2), ms(8)].into()));
    let law = |last: f64| {
        move |x: f64| {
            let x = x / MS;
            let first = (x - 1.0).clamp(0.0, 1.0);
            let atom = if x < 2.0 { 0.0 } else { 1.0 };
            let rest = ((x - 2.0) / (last - 2.0)).clamp(0.0, 1.0);
            (first + atom + rest) / 3.0
        }
    };
    assert_fits(from_law(&took, law(8.0)), "as measured");
    assert_tells(from_law(&took, law(9.0)), "another last sample");
    // A third each with means of 1.5, 2 and 5 ms, and second moments of 7/3, 4 and 28 ms².
    let (mean, second) = (8.5 / 3.0, (7.0 / 3.0 + 4.0 + 28.0) / 3.0);
    let deviation = libm::sqrt(second - mean * mean) * MS;
    assert_fits(from_mean(&took, mean * MS, deviation), "its mean");
    assert_tells(from_mean(&took, mean * 1.04 * MS, deviation), "a mean 4 % off");
}
