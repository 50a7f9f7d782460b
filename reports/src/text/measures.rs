//! What was measured, in few words.

use squall_sim::outcome::Measured;
use squall_sim::trace::Span;

use crate::look::millis;

/// Samples in ascending order.
pub(crate) struct Ranks(Vec<u64>);

impl Ranks {
    pub(crate) fn of(samples: &[Span]) -> Self {
        let mut ranks: Vec<u64> = samples.iter().map(|sample| sample.as_nanos()).collect();
        ranks.sort_unstable();
        Ranks(ranks)
    }

    /// The smallest sample that at least `percent` of a hundred do not exceed; `None` without samples.
    pub(crate) fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }
}

/// `failover 112.300 ms`, `failover 3 × 98.000 … 112.300 ms`, `failover never`.
pub(crate) fn of_a_run(measured: &Measured) -> String {
    let name = &measured.name;
    let ranks = Ranks::of(&measured.samples);
    let told = match (ranks.percentile(0), ranks.percentile(100)) {
        (Some(least), Some(_)) if measured.samples.len() == 1 => format!("{name} {} ms", millis(least)),
        (Some(least), Some(most)) => {
            format!(
                "{name} {} × {} … {} ms",
                measured.samples.len(),
                millis(least),
                millis(most)
            )
        }
        _ if measured.unfinished > 0 => format!("{name} begun"),
        _ => format!("{name} never begun"),
    };
    match measured.unfinished {
        0 => told,
        unfinished => format!("{told}, {unfinished} not ended"),
    }
}

/// `failover p50 98.000 ms, p99 112.300 ms, max 113.000 ms (1 000 samples)`.
pub(crate) fn of_a_sweep(measured: &Measured) -> String {
    let name = &measured.name;
    let ranks = Ranks::of(&measured.samples);
    let told = match (ranks.percentile(50), ranks.percentile(99), ranks.percentile(100)) {
        (Some(half), Some(most), Some(all)) => format!(
            "{name} p50 {} ms, p99 {} ms, max {} ms ({})",
            millis(half),
            millis(most),
            millis(all),
            crate::look::counted(measured.samples.len() as u64, "sample", "samples"),
        ),
        _ => format!("{name} without a sample"),
    };
    match measured.unfinished {
        0 => told,
        unfinished => format!("{told}, {unfinished} not ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let ranks = Ranks::of(&[30, 10, 20, 40].map(Span::from_nanos));
        let told = [0, 25, 26, 50, 75, 99, 100].map(|percent| ranks.percentile(percent));
        assert_eq!(told, [10, 10, 20, 20, 30, 40, 40].map(Some));
        assert_eq!(Ranks::of(&[]).percentile(50), None);
        assert_eq!(Ranks::of(&[Span::from_nanos(7)]).percentile(99), Some(7));
    }

    #[test]
    fn a_measure_is_told_by_what_there_is_of_it() {
        let measured = |samples: &[u64], unfinished| Measured {
            name: "failover".to_owned(),
            samples: samples.iter().map(|&ms| Span::from_millis(ms)).collect(),
            unfinished,
        };
        assert_eq!(of_a_run(&measured(&[112], 0)), "failover 112.000 ms");
        assert_eq!(
            of_a_run(&measured(&[112, 98], 1)),
            "failover 2 × 98.000 … 112.000 ms, 1 not ended"
        );
        assert_eq!(of_a_run(&measured(&[], 2)), "failover begun, 2 not ended");
        assert_eq!(of_a_run(&measured(&[], 0)), "failover never begun");
        let swept = of_a_sweep(&measured(&[1, 2, 3], 0));
        assert_eq!(
            swept,
            "failover p50 2.000 ms, p99 3.000 ms, max 3.000 ms (3 samples)"
        );
    }
}
