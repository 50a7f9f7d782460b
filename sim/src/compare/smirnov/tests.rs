//! Smirnov's test against what is known, against all deals, and under the null hypothesis.

use squall_nodes::Span;

use super::super::draws::Draws;
use super::*;
use crate::outcome::Measured;

fn samples(runs: &[Vec<u64>]) -> Samples {
    let measured: Vec<Measured> = runs
        .iter()
        .map(|samples| Measured {
            name: "m".to_owned(),
            samples: samples.iter().map(|ns| Span::from_nanos(*ns)).collect(),
            unfinished: 0,
        })
        .collect();
    Samples::of(&measured)
}

fn one_a_run(values: &[u64]) -> Samples {
    samples(&values.iter().map(|value| vec![*value]).collect::<Vec<_>>())
}

#[test]
fn the_limit_is_that_of_the_tables() {
    for (x, p) in [
        (0.5, 0.963_945_243_665),
        (1.0, 0.269_999_671_677),
        (1.36, 0.049_485_879_604),
        (1.63, 0.009_846_364_888),
        (2.0, 0.000_670_925_256),
    ] {
        assert!((kolmogorov(x) - p).abs() < 1e-6, "{x}: {}", kolmogorov(x));
    }
    // The two series are one function.
    assert!((kolmogorov(1.0 - 1e-9) - kolmogorov(1.0)).abs() < 1e-8);
    assert_eq!((kolmogorov(0.0), kolmogorov(0.04)), (1.0, 1.0));
}

/// Of two samples of n without ties, P(D ≥ k/n) = 2 [C(2n, n−k) − C(2n, n−2k) + …] / C(2n, n): Gnedenko and Korolyuk.
#[test]
fn samples_of_one_size_have_the_known_probabilities() {
    let choose = |n: u64, k: i64| {
        u64::try_from(k).map_or(0.0, |k| {
            (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
        })
    };
    for n in [5_u64, 12, 30] {
        for k in 1..=n {
            // The first k of the first sample come before all others; then the two take turns.
            let mut first: Vec<u64> = (0..k).collect();
            let mut other = Vec::new();
            for turn in 0..n - k {
                other.push(1_000 + 2 * turn);
                first.push(1_001 + 2 * turn);
            }
            other.extend((0..k).map(|turn| 5_000 + turn));
            let found = Smirnov::between(&one_a_run(&first), &one_a_run(&other)).expect("there are samples");
            let terms = (1..).take_while(|j| j * k <= n).map(|j| {
                let sign = if j % 2 == 1 { 1.0 } else { -1.0 };
                sign * choose(2 * n, n as i64 - (j * k) as i64)
            });
            let known = 2.0 * terms.sum::<f64>() / choose(2 * n, n as i64);
            assert!(
                (found.distance - k as f64 / n as f64).abs() < 1e-12,
                "{n}, {k}: {found:?}"
            );
            assert!(
                ((found.p - known) / known).abs() < 1e-9,
                "{n}, {k}: {} and not {known}",
                found.p
            );
            assert_eq!(found.by, Method::Exact);
        }
    }
}

/// Every way to deal the values of all sorts of samples, with ties and without.
#[test]
fn the_exact_probability_is_the_share_of_all_deals() {
    let mut draws = Draws::new(*b"a test of all deals of few cards");
    for round in 0..60 {
        let (n, m) = (1 + draws.below(6), 1 + draws.below(6));
        let range = if round % 2 == 0 { 4 } else { 1_000_000 };
        let values: Vec<u64> = (0..n + m).map(|_| draws.below(range) as u64).collect();
        let distance = |dealt: u32| {
            let side = |wanted: bool| {
                let chosen = values
                    .iter()
                    .enumerate()
                    .filter(move |(place, _)| (dealt >> place & 1 == 1) == wanted);
                one_a_run(&chosen.map(|(_, value)| *value).collect::<Vec<_>>())
            };
            Smirnov::between(&side(true), &side(false)).expect("there are samples")
        };
        let dealt = (1 << n) - 1;
        let here = distance(dealt);
        let deals = (0..1_u32 << (n + m)).filter(|deal| deal.count_ones() as usize == n);
        let (mut all, mut as_far) = (0, 0);
        for deal in deals {
            all += 1;
            as_far += u32::from(distance(deal).distance >= here.distance - 1e-12);
        }
        let known = f64::from(as_far) / f64::from(all);
        assert!(
            (here.p - known).abs() < 1e-9,
            "{values:?}, {n}: {} and not {known}",
            here.p
        );
    }
}

#[test]
fn the_limit_is_near_what_is_exact_for_large_samples() {
    let mut draws = Draws::new(*b"a test of the limit and the rest");
    let mut drawn = |count: usize| {
        (0..count)
            .map(|_| draws.below(1 << 40) as u64)
            .collect::<Vec<u64>>()
    };
    for _ in 0..5 {
        let (one, other) = (one_a_run(&drawn(900)), one_a_run(&drawn(700)));
        let exact = Smirnov::between(&one, &other).expect("there are samples");
        let limit = kolmogorov(exact.distance * (900.0 * 700.0 / 1_600.0_f64).sqrt());
        assert_eq!(exact.by, Method::Exact);
        assert!((exact.p - limit).abs() < 0.04, "{exact:?} and {limit}");
    }
}

/// Of 2 000 pairs of samples that have one law, as many as is said are as far apart as happens once in twenty times: the count is
/// binomial, and out of these bounds with a probability below 10⁻⁶. It cannot be more than is said for samples with ties.
#[test]
fn under_one_law_probabilities_are_what_they_say() {
    let mut draws = Draws::new(*b"a test of the null hypothesis 01");
    let mut rejected = |range: usize, shift: u64| {
        (0..2_000)
            .filter(|_| {
                let mut drawn = |count: usize, shift: u64| {
                    let values: Vec<u64> = (0..count).map(|_| shift + draws.below(range) as u64).collect();
                    one_a_run(&values)
                };
                let (one, other) = (drawn(30, shift), drawn(120, 0));
                Smirnov::between(&one, &other).expect("there are samples").p <= 0.05
            })
            .count()
    };
    let without_ties = rejected(1 << 40, 0);
    // A distance has few values: the greatest probability that is not above 0.05 is a little below it.
    assert!((40..=150).contains(&without_ties), "{without_ties} of 2 000");
    let with_ties = rejected(6, 0);
    assert!(with_ties <= 150, "{with_ties} of 2 000");
    let shifted = rejected(1 << 40, 1 << 39);
    assert!(shifted > 1_950, "{shifted} of 2 000");
}

/// Samples of one run that are all alike: to take each for a sample of its own would reject nearly always.
#[test]
fn samples_of_one_run_do_not_count_for_several() {
    let mut draws = Draws::new(*b"a test of runs with many samples");
    let (mut by_run, mut by_sample) = (0, 0);
    for _ in 0..200 {
        let mut world = |runs: usize| {
            let runs: Vec<u64> = (0..runs).map(|_| draws.below(1_000_000) as u64).collect();
            let spread: Vec<Vec<u64>> = runs
                .iter()
                .map(|base| (0..20).map(|n| base + n).collect())
                .collect();
            let alone: Vec<u64> = spread.iter().flatten().copied().collect();
            (samples(&spread), one_a_run(&alone))
        };
        let ((one, one_alone), (other, other_alone)) = (world(15), world(40));
        let found = Smirnov::between(&one, &other).expect("there are samples");
        assert!(matches!(found.by, Method::Permutation { .. }));
        by_run += u32::from(found.p <= 0.05);
        by_sample += u32::from(
            Smirnov::between(&one_alone, &other_alone)
                .expect("there are samples")
                .p
                <= 0.05,
        );
    }
    // Binomial with 200 and 0.05 exceeds 27 with a probability below 10⁻⁵.
    assert!(by_run <= 27, "{by_run} of 200");
    assert!(by_sample > 100, "{by_sample} of 200");
}

#[test]
fn runs_that_are_wholly_apart_are_told_apart_by_permutation() {
    let world = |base: u64| {
        samples(
            &(0..30)
                .map(|run| vec![base + run, base + run + 100])
                .collect::<Vec<_>>(),
        )
    };
    let found = Smirnov::between(&world(0), &world(1_000)).expect("there are samples");
    assert_eq!(
        (found.distance, found.by),
        (1.0, Method::Permutation { rounds: MOST_ROUNDS })
    );
    assert!(found.p < 1.1e-4, "{found:?}");
}

#[test]
fn without_samples_there_is_no_distance() {
    assert_eq!(Smirnov::between(&one_a_run(&[]), &one_a_run(&[1])), None);
    let same = Smirnov::between(&one_a_run(&[7; 10]), &one_a_run(&[7; 300])).expect("there are samples");
    assert_eq!((same.distance, same.p), (0.0, 1.0));
}

/// Of large samples of one law without ties, the difference strays as Kolmogorov's limit says: beyond 1.358 √((n + m) / nm) in 5 of 100
/// cases.
#[test]
fn the_interval_of_large_samples_of_one_law_is_as_wide_as_the_limit_says() {
    let mut draws = Draws::new(*b"a test of how far samples stray ");
    let mut drawn = |count: usize| {
        let values: Vec<u64> = (0..count).map(|_| draws.below(1 << 40) as u64).collect();
        one_a_run(&values)
    };
    let (one, other) = (drawn(400), drawn(500));
    let found = Smirnov::between(&one, &other).expect("there are samples");
    let (low, high) = found.interval(&one, &other);
    let width = (high - found.distance) * (400.0 * 500.0 / 900.0_f64).sqrt();
    assert!((1.25..1.45).contains(&width), "{width}");
    assert_eq!(low, 0.0);
}

/// Where one world is later by a share of the range of its uniform law, that share is the distance of the laws. How often the interval holds
/// it is binomial: what is held in 95 of 100 cases is held in fewer than 134 of 150 with a probability below 10⁻³, and the draws are fixed.
#[test]
fn the_interval_holds_the_distance_of_the_laws_as_often_as_is_said() {
    const RANGE: usize = 1_000_000;
    let mut draws = Draws::new(*b"a test of a distance's interval ");
    for percent in [0, 30, 70] {
        let (mut held, mut widths) = (0, 0.0);
        for _ in 0..150 {
            let mut drawn = |count: usize, shift: u64| {
                let values: Vec<u64> = (0..count).map(|_| shift + draws.below(RANGE) as u64).collect();
                one_a_run(&values)
            };
            let (one, other) = (drawn(20, RANGE as u64 / 100 * percent), drawn(60, 0));
            let found = Smirnov::between(&one, &other).expect("there are samples");
            let (low, high) = found.interval(&one, &other);
            held += u32::from((low..=high).contains(&(percent as f64 / 100.0)));
            widths += high - low;
        }
        assert!(held >= 134, "{percent} %: {held} of 150");
        // It says something: from 0 to 1 would hold all.
        assert!(widths / 150.0 < 0.7, "{percent} %: {}", widths / 150.0);
    }
}

/// Twenty samples of one run that are all alike say no more than one of them does.
#[test]
fn the_interval_is_of_runs_and_not_of_samples() {
    let mut draws = Draws::new(*b"a test of intervals of whole run");
    let mut bases =
        |count: usize| -> Vec<u64> { (0..count).map(|_| draws.below(1_000_000) as u64).collect() };
    let (one, other) = (bases(15), bases(40));
    let width = |samples_of: &dyn Fn(&[u64]) -> Samples| {
        let (one, other) = (samples_of(&one), samples_of(&other));
        let found = Smirnov::between(&one, &other).expect("there are samples");
        found.interval(&one, &other).1 - found.distance
    };
    let alike = |base: &u64| vec![*base; 20];
    let of_runs = width(&|bases| samples(&bases.iter().map(alike).collect::<Vec<_>>()));
    let of_one_each = width(&|bases| one_a_run(bases));
    assert!(
        (of_runs - of_one_each).abs() < 1e-9,
        "{of_runs} and {of_one_each}"
    );
}
