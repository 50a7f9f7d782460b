//! A link with a bandwidth against the theory of queues: datagrams of one length that come at the times of a Poisson process are
//! an M/D/1 queue, and with a short queue an M/D/1/K one.
//!
//! What waits now has to do with what waited before, so plain means of waits cannot be tested as those of independent samples.
//! But whenever a datagram finds the link idle, everything begins anew: from one such time to the next is a cycle, and cycles are
//! independent of each other and alike, the first one, which the run begins with, included. If w is the mean of what is asked for (a
//! wait, or 1 for what is dropped), and a cycle has n datagrams that come to s in all, then s − wn has a mean of zero. This is the
//! regenerative method of M. A. Crane and D. L. Iglehart, *Operations Research* 23 (1975), 33–45.
//!
//! Cycles are skewed, a few long ones have most of the waits, and that the sum of so many of them is normal is true in the middle
//! but not far out. So the level of the other tests does not hold here, and the bounds were found by trying: sequences of 25 000
//! datagrams were drawn from Lindley's recursion, with another generator than the engine's and no code of it, by
//! `cargo run --release -p squall-sim --example queue_bounds`. Of 100 000 waits lie beyond the bound, on either side
//! together: 0 with ρ = 0.3, 5 with 0.6 and 25 with 0.85; of shares that find the link idle 0, 0 and 2. A comparison of waits thus
//! has a level of at most about 3 × 10⁻⁴, where the link is busiest. Of shares that are dropped none of
//! 100 000 lies beyond with one place and with three, the farthest at 4.31 and at 4.68; with five places one does, at 5.28.

use squall_nodes::Span;
use squall_sim::plan::{HEADERS, Latency, LinkLaw};
use squall_sim::trace::Fate;

use crate::node::{Gaps, Seen, Stream};
use crate::statistics::{Distance, assert_fits, assert_tells, from_zero};

/// What a datagram takes to go out, in nanoseconds: 1 000 bytes at 80 Mbit/s.
const SERVICE: u64 = 100_000;
const BYTES: u64 = 1_000;
const LATENCY: u64 = 1_000_000;

/// How far from its mean a statistic may be, in its own deviations.
const BOUND: f64 = 4.9;
/// The same for waits on a link that is busy for 0.85 of the time: by the bound above, more than 1 sequence in 1 000 would be
/// rejected.
const BUSY_BOUND: f64 = 6.3;

/// Datagrams that keep the link busy for a share `rho` of the time if none is dropped; `capacity` of them fit into its queue.
fn traffic(rho: f64, capacity: u64, count: u64) -> Seen {
    let stream = Stream {
        count,
        at_once: 1,
        bytes: (BYTES - HEADERS) as usize,
        gaps: Gaps::Poisson(Span::from_nanos((SERVICE as f64 / rho) as u64)),
    };
    let law = LinkLaw {
        bandwidth: Some(80_000_000),
        queue: capacity * BYTES,
        ..LinkLaw::delaying(Latency::Constant(Span::from_nanos(LATENCY)))
    };
    stream.watch(law, 1)
}

/// A datagram, as it came to the link.
struct Arrival {
    at: u64,
    /// How long it waited for its turn; `None` for one that was dropped.
    waited: Option<u64>,
}

fn arrivals(seen: &Seen) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = seen
        .sent
        .iter()
        .map(|(at, fate)| {
            assert!(matches!(fate, Fate::Underway | Fate::Congested));
            Arrival {
                at: *at,
                waited: None,
            }
        })
        .collect();
    for (number, took) in seen.latencies() {
        arrivals[number].waited = Some(took - LATENCY - SERVICE);
    }
    arrivals
}

/// The distance of the mean of `what` from `mean`, of which at most `bound` is small.
fn from_mean_of(arrivals: &[Arrival], what: impl Fn(&Arrival) -> f64, mean: f64, bound: f64) -> Distance {
    let mut cycles: Vec<f64> = Vec::new();
    for arrival in arrivals {
        if arrival.waited == Some(0) {
            cycles.push(0.0);
        }
        let sum = cycles.last_mut().expect("the first finds the link idle");
        *sum += what(arrival) - mean;
    }
    // The last one is not over.
    cycles.pop();
    Distance {
        bound,
        ..from_zero(&cycles)
    }
}

/// D. V. Lindley, *Proceedings of the Cambridge Philosophical Society* 48 (1952), 277–289: one waits for what the one before waited
/// and took, less the time between them. To the nanosecond, of each.
#[test]
fn every_wait_follows_from_the_one_before() {
    let arrivals = arrivals(&traffic(0.8, 1_000, 10_000));
    assert_eq!(arrivals[0].waited, Some(0));
    for pair in arrivals.windows(2) {
        let gap = pair[1].at - pair[0].at;
        let before = pair[0].waited.expect("the queue is long enough");
        assert_eq!(pair[1].waited, Some((before + SERVICE).saturating_sub(gap)));
    }
}

/// The mean wait of M/D/1 is ρ / (2μ(1 − ρ)): F. Pollaczek (1930) and A. Khinchine (1932), in L. Kleinrock, *Queueing Systems*, volume
/// 1 (1975), chapter 5. And as many find the link idle as it is idle, 1 − ρ: R. W. Wolff, *Operations Research*
/// 30 (1982), 223–231.
#[test]
fn waits_are_those_of_an_m_d_1_queue() {
    // The busier the link, the longer the cycles, and the less can be told.
    for (rho, off, bound) in [(0.3, 1.2, BOUND), (0.6, 1.25, BOUND), (0.85, 2.0, BUSY_BOUND)] {
        let seen = traffic(rho, 1_000, 25_000);
        assert_eq!(seen.traffic.congested, 0);
        let arrivals = arrivals(&seen);
        let waited = |arrival: &Arrival| arrival.waited.map_or(0.0, |waited| waited as f64);
        let mean = rho / (2.0 * (1.0 - rho)) * SERVICE as f64;
        assert_fits(
            from_mean_of(&arrivals, waited, mean, bound),
            "Pollaczek and Khinchine's mean",
        );
        for other in [mean * off, mean / off] {
            assert_tells(from_mean_of(&arrivals, waited, other, bound), "another mean");
        }
        let idle = |arrival: &Arrival| f64::from(u8::from(arrival.waited == Some(0)));
        assert_fits(
            from_mean_of(&arrivals, idle, 1.0 - rho, BOUND),
            "as idle as it should be",
        );
        assert_tells(
            from_mean_of(&arrivals, idle, (1.0 - rho) / off, BOUND),
            "a link that is idle less often",
        );
    }
}

/// The share of datagrams that an M/D/1 queue of `capacity`, the one in service included, drops: O. Brun and J.-M. Garcia, *Journal
/// of Applied Probability* 37 (2000), 1092–1098.
fn dropped(rho: f64, capacity: i32) -> f64 {
    let last = coefficient(rho, capacity - 1);
    1.0 - last / (1.0 + rho * last)
}

fn coefficient(rho: f64, n: i32) -> f64 {
    let mut factorial = 1.0;
    let mut sum = 0.0;
    for k in 0..=n {
        factorial *= f64::from(k.max(1));
        let rest = f64::from(n - k);
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        // 0⁰ is 1.
        sum += sign / factorial
            * libm::pow(rest, f64::from(k))
            * libm::exp(rest * rho)
            * libm::pow(rho, f64::from(k));
    }
    sum
}

/// For one place it is Erlang's loss formula; for two, what the chain of states at departures gives.
#[test]
fn the_formula_for_drops_is_the_known_one_where_it_is_short() {
    for rho in [0.2, 0.9, 1.5] {
        assert!((dropped(rho, 1) - rho / (1.0 + rho)).abs() < 1e-12);
        let idle = libm::exp(-rho) / (libm::exp(-rho) + rho);
        assert!((dropped(rho, 2) - (1.0 - (1.0 - idle) / rho)).abs() < 1e-12);
    }
}

#[test]
fn a_short_queue_drops_as_many_as_an_m_d_1_k_queue() {
    for (rho, capacity, off) in [(0.7, 1, 1.1), (0.9, 3, 1.15), (1.2, 5, 1.15)] {
        let seen = traffic(rho, capacity, 25_000);
        let arrivals = arrivals(&seen);
        // Each that is dropped finds as many as may be, and each that is not does not: by the times at which those before go out.
        let mut ends: Vec<u64> = Vec::new();
        for arrival in &arrivals {
            let there = ends.len() - ends.partition_point(|end| *end <= arrival.at);
            // The bytes that wait are rounded down: when less than a byte of one is left, it is not there any more.
            let leaving = ends
                .get(ends.len() - there)
                .is_some_and(|end| end - arrival.at < SERVICE / BYTES);
            match arrival.waited {
                Some(waited) => {
                    assert!(there < capacity as usize || leaving);
                    ends.push(arrival.at + waited + SERVICE);
                }
                None => assert_eq!(there, capacity as usize),
            }
        }
        let lost = |arrival: &Arrival| f64::from(u8::from(arrival.waited.is_none()));
        let share = dropped(rho, capacity as i32);
        assert_fits(
            from_mean_of(&arrivals, lost, share, BOUND),
            "Brun and Garcia's share",
        );
        for other in [share / off, share * off] {
            assert_tells(from_mean_of(&arrivals, lost, other, BOUND), "another share");
        }
        let dropped = arrivals.iter().filter(|arrival| arrival.waited.is_none()).count();
        assert_eq!(seen.traffic.congested, dropped as u64);
    }
}
