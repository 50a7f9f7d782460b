//! A machine's own latency in the virtual world: what a live run adds to the laws of a file, so that both worlds can be compared.
//!
//! A live datagram takes what its law says and what the machine takes besides: two processes, their kernel and their edges. So each law of
//! latency L becomes that of L + D, where D is what was measured, and `persist` becomes what the disk was measured to take. Whoever is idle
//! finds a timer as late as was measured of nodes that had been idle for as long, once for all timers that are due until it is awake: a
//! measure that waits for n wakes one after the other is longer by n such delays. And hosts boot as late as was measured, of as many that
//! boot at once; what they do again and again from then on is that much later against the timeline.
//!
//! What cannot be expressed is how much slower a machine is while many hosts share its processors: datagrams, timers and writes are measured
//! with two, which have nothing else to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use squall_nodes::latency::Latency;
use squall_nodes::link::{LinkChange, LinkLaw};
use squall_nodes::{Protocol, Span};

use crate::plan::{Fault, Layer, Network, Plan};

/// How many quantiles a law has that stands for what was measured: at steps of 1/1024, the least and the greatest included.
pub const QUANTILES: usize = 1_025;

/// How many classes of idle times timers are told apart by.
pub const CLASSES: usize = 5;

/// What a machine takes, as measured. Each has at least one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// A datagram from one live node to another, besides the latency of its law.
    pub delay: Vec<Span>,
    /// How late a node's timers go off, each with how long the node had been idle before.
    pub lateness: Vec<Waking>,
    /// A durable write.
    pub write: Vec<Span>,
    /// How late hosts boot; without samples, they boot when they are told to.
    pub boots: Boots,
}

/// How late a timer went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Waking {
    /// How long the node had been handed nothing when the timer was due.
    pub idle: Span,
    /// How much later it was handed the timer.
    pub late: Span,
}

/// How late hosts boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boots {
    /// The first time, all of a run at once: from when they were to.
    pub first: Vec<Span>,
    /// Again, alone: from when the process is started, which takes most of it.
    pub again: Vec<Span>,
}

/// How late hosts are about what nobody but themselves brings about, as a run draws it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lateness {
    /// From how long an idle time on, and the law then; ascending, the first from none.
    timers: Vec<(Span, Latency)>,
    first_boot: Latency,
    next_boots: Latency,
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibrated {
    /// The latency that is tolerated, before and after, where what was tolerated before would not be any more.
    pub tolerated: Option<(Span, Span)>,
}

impl Machine {
    /// Has a plan run on this machine. Links that were within what is tolerated stay so, and disks are, since the tolerated latency is raised
    /// where it takes that; promises whose bounds the file leaves out are given the time that this takes. What late timers take is in the
    /// tolerance for live runs, which every promise of quiet is given with them.
    pub(crate) fn lay_under<P: Protocol>(&self, plan: &mut Plan<P>) -> Calibrated {
        let before = plan.tolerated.latency;
        let mut needed = before;
        let was_within: Vec<bool> = plan
            .network
            .laws()
            .map(|law| law.is_within(&plan.tolerated))
            .collect();
        self.lay_under_network(&mut plan.network);
        for (law, was_within) in plan.network.laws().zip(was_within) {
            if was_within {
                needed = needed.max(law.percentile_999());
            }
        }
        for step in &mut plan.timeline {
            if let Fault::Lay(Layer::Links { change, .. }) | Fault::Heal(Layer::Links { change, .. }) =
                &mut step.fault
            {
                self.lay_under_change(change);
            }
        }
        plan.persist = measured(&self.write);
        plan.lateness = Some(Lateness::of(self));
        needed = needed.max(plan.persist.percentile_999());
        plan.tolerated.latency = needed;
        Calibrated {
            tolerated: (needed > before).then_some((before, needed)),
        }
    }

    /// How late timers go off, by how long the node had been idle: from how long on, and the samples, ascending. At most [`CLASSES`] classes,
    /// of as many samples each.
    pub fn lateness_by_idle(&self) -> Vec<(Span, Vec<Span>)> {
        let mut wakings = self.lateness.clone();
        wakings.sort_unstable();
        let size = wakings.len().div_ceil(CLASSES).max(1);
        let mut classes: Vec<(Span, Vec<Span>)> = Vec::new();
        for class in wakings.chunks(size) {
            let from = if classes.is_empty() {
                Span::ZERO
            } else {
                class[0].idle
            };
            let mut late: Vec<Span> = class.iter().map(|waking| waking.late).collect();
            late.sort_unstable();
            classes.push((from, late));
        }
        classes
    }

    fn lay_under_network(&self, network: &mut Network) {
        let law = |law: &mut Arc<LinkLaw>| {
            let latency = sum(&law.latency, &self.delay);
            *law = Arc::new(LinkLaw {
                latency,
                ..LinkLaw::clone(law)
            });
        };
        law(&mut network.default);
        network
            .zones
            .laws
            .iter_mut()
            .for_each(|(_, of_zone)| law(of_zone));
        network.links.iter_mut().for_each(|(_, of_link)| law(of_link));
    }

    fn lay_under_change(&self, change: &mut LinkChange) {
        if let Some(latency) = &mut change.latency {
            *latency = sum(latency, &self.delay);
        }
    }
}

impl Lateness {
    /// Timers that go off late by this law, however long a host was idle, and boots on time.
    pub fn always(law: Latency) -> Self {
        Lateness {
            timers: vec![(Span::ZERO, law)],
            first_boot: Latency::Constant(Span::ZERO),
            next_boots: Latency::Constant(Span::ZERO),
        }
    }

    /// What hosts of a machine are late by.
    pub fn of(machine: &Machine) -> Self {
        let classes = machine.lateness_by_idle();
        Lateness {
            timers: classes
                .into_iter()
                .map(|(from, samples)| (from, measured(&samples)))
                .collect(),
            first_boot: measured(&machine.boots.first),
            next_boots: measured(&machine.boots.again),
        }
    }

    /// How late a host finds a timer that has been idle for so long, by a word.
    pub(crate) fn of_timer(&self, idle: Span, word: u64) -> Span {
        let law = self.timers.iter().rev().find(|(from, _)| *from <= idle);
        law.map_or(Span::ZERO, |(_, law)| law.draw(word))
    }

    /// How late a host begins a life, by a word.
    pub(crate) fn of_boot(&self, incarnation: u32, word: u64) -> Span {
        match incarnation {
            0 => self.first_boot.draw(word),
            _ => self.next_boots.draw(word),
        }
    }
}

/// How many equal parts a law is taken to have, each standing at its middle; a law's tail beyond the middle of the last is cut off.
const PARTS: u64 = 1 << 10;
/// How many of the samples are added to each part at most, by their ranks.
const MOST_SAMPLES: usize = 512;

/// The law of what a law gives and what was measured, together.
fn sum(law: &Latency, samples: &[Span]) -> Latency {
    let step = u64::MAX / PARTS + 1;
    let parts: Vec<Span> = (0..PARTS).map(|part| law.draw(part * step + step / 2)).collect();
    let added = by_rank(&ascending(samples), MOST_SAMPLES);
    let mut sums: Vec<Span> = parts
        .iter()
        .flat_map(|part| added.iter().map(move |added| (*part + *added).min(Span::LONGEST)))
        .collect();
    sums.sort_unstable();
    Latency::Empirical(by_rank(&sums, QUANTILES).into())
}

/// The law of what was measured.
fn measured(samples: &[Span]) -> Latency {
    Latency::Empirical(by_rank(&ascending(samples), QUANTILES).into())
}

fn ascending(samples: &[Span]) -> Vec<Span> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        sorted.push(Span::ZERO);
    }
    sorted
}

/// At most so many of an ascending row, at equal steps of their ranks, the first and the last among them.
fn by_rank(sorted: &[Span], most: usize) -> Vec<Span> {
    if sorted.len() <= most {
        return sorted.to_vec();
    }
    let (last, steps) = (sorted.len() - 1, most - 1);
    (0..most)
        .map(|step| sorted[(step * last + steps / 2) / steps])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(us: u64) -> Span {
        Span::from_micros(us)
    }

    fn quantiles(law: &Latency) -> &[Span] {
        match law {
            Latency::Empirical(quantiles) => quantiles,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_constant_law_becomes_what_was_measured_that_much_later() {
        let samples: Vec<Span> = (0..100).map(|n| us(500 - 5 * n)).collect();
        let law = sum(&Latency::Constant(us(2_000)), &samples);
        let quantiles = quantiles(&law);
        assert_eq!(quantiles.len(), QUANTILES);
        assert_eq!((quantiles[0], quantiles[QUANTILES - 1]), (us(2_005), us(2_500)));
        assert!(quantiles.is_sorted());
        let median = quantiles[QUANTILES / 2];
        assert!(us(2_245) <= median && median <= us(2_260), "{median}");
    }

    /// Two uniform laws add up to a triangle: below the middle the share x²/2 is below x.
    #[test]
    fn uniform_laws_add_up_to_a_triangle() {
        let samples: Vec<Span> = (0..10_000).map(|n| Span::from_nanos(100 * n)).collect();
        let law = sum(&Latency::Uniform(us(0), us(1_000)), &samples);
        for (place, quantile) in quantiles(&law).iter().enumerate() {
            let share = place as f64 / (QUANTILES - 1) as f64;
            let known = if share < 0.5 {
                (2.0 * share).sqrt()
            } else {
                2.0 - (2.0 * (1.0 - share)).sqrt()
            };
            let found = quantile.as_nanos() as f64 / 1e6;
            assert!((found - known).abs() < 0.004, "{share}: {found} and not {known}");
        }
    }

    #[test]
    fn who_was_idle_for_longer_is_as_late_as_those_who_were() {
        let waking = |n: u64| Waking {
            idle: us(1_000 * n),
            late: us(n),
        };
        let machine = Machine {
            delay: vec![Span::ZERO],
            lateness: (1..=50).rev().map(waking).collect(),
            write: vec![Span::ZERO],
            boots: Boots {
                first: vec![us(900)],
                again: vec![us(7_000)],
            },
        };
        let classes = machine.lateness_by_idle();
        let froms: Vec<Span> = classes.iter().map(|(from, _)| *from).collect();
        assert_eq!(froms, [0, 11_000, 21_000, 31_000, 41_000].map(us));
        let lateness = Lateness::of(&machine);
        let least_and_most = |idle| [0, u64::MAX].map(|word| lateness.of_timer(us(idle), word));
        assert_eq!(least_and_most(0), [us(1), us(10)]);
        assert_eq!(least_and_most(10_999), [us(1), us(10)]);
        assert_eq!(least_and_most(11_000), [us(11), us(20)]);
        assert_eq!(least_and_most(9_000_000), [us(41), us(50)]);
        let boots = [0, 1, 7].map(|incarnation| lateness.of_boot(incarnation, 1 << 63));
        assert_eq!(boots, [us(900), us(7_000), us(7_000)]);
    }

    #[test]
    fn what_takes_no_time_changes_a_law_by_no_more_than_its_parts() {
        let law = Latency::Exponential {
            min: us(100),
            mean: us(1_000),
        };
        let same = sum(&law, &[Span::ZERO]);
        for part in 1..PARTS {
            let word = part * (u64::MAX / PARTS + 1);
            let (before, after) = (
                law.draw(word).as_nanos() as f64,
                same.draw(word).as_nanos() as f64,
            );
            assert!(
                (before - after).abs() <= 0.002 * before + 2e3 / (1.0 - part as f64 / PARTS as f64),
                "{part}: {before}, {after}"
            );
        }
        assert_eq!(quantiles(&measured(&[])), [Span::ZERO]);
    }
}
