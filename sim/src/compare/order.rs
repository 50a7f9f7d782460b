//! The order of what happens: what came first in every simulated run, and live runs in which it did not.
//!
//! `x → y` holds of some runs when both happened in enough of them, x before y, and y before x in none. It is an order of first times
//! that always held, of which what is caused is a part: whether x makes y happen cannot be seen from outside. In the virtual world all
//! times are exact; live, all hosts' stamps are of one machine's monotonic clock, and taken before anything of the claim leaves its host.
//! A tie is neither the one nor the other.
//!
//! With many pairs, some order holds by chance in all simulated runs and not in the next. How often is seen from the simulated runs
//! themselves: of each it is asked whether it alone stands against an order that holds in all others. If about as large a share of the live
//! runs stands against an order of the simulated ones, then live does nothing new.

use std::collections::BTreeSet;

use squall_nodes::{Span, Time};

use super::observed::Observed;
use super::points::Point;
use super::share::{Share, greater};

/// What came first.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What can come first.
    pub points: Vec<Point>,
    /// What came before what in every simulated run.
    pub relations: Vec<Relation>,
    /// Live runs in which it was the other way round, in the order of the runs.
    pub contradictions: Vec<Contradiction>,
    /// In how many live runs something was.
    pub live: Share,
    /// How many simulated runs stand alone against an order that holds in all others.
    pub simulated: Share,
    /// How likely it is that so large a share of live runs stands against an order when they are like simulated ones.
    pub p: f64,
}

/// One thing came before another in every simulated run that had both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What came first, by its place among the points.
    pub first: usize,
    /// What came after it.
    pub then: usize,
    /// In how many runs.
    pub runs: u64,
    /// How long it was between them at least.
    pub least: Span,
    /// Whether others imply it.
    pub standing: Implied,
}

/// Whether other relations imply one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implied {
    /// None does.
    No,
    /// There is something that comes between the two.
    ByOthers,
}

/// A live run in which it was the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Against which relation, by its place among them.
    pub relation: usize,
    /// The run, by its place among the live ones.
    pub run: usize,
    /// When what should have come first came.
    pub first_at: Time,
    /// When the other did, which is earlier.
    pub then_at: Time,
}

impl Order {
    /// What came first in at least `support` simulated runs and came later in none, and where live differs.
    pub fn of(points: Vec<Point>, simulated: &[Observed], live: &[Observed], support: u64) -> Self {
        let count = points.len();
        let mut pairs = vec![Pair::default(); count * count];
        let mut stamps = vec![None; count];
        for (run, observed) in simulated.iter().enumerate() {
            stamp(&points, observed, &mut stamps);
            for_each_order(&stamps, |first, then, apart| {
                let pair = &mut pairs[first * count + then];
                pair.before += 1;
                pair.least = pair.least.min(apart.as_nanos());
                let other_way = &mut pairs[then * count + first];
                other_way.against += 1;
                other_way.by = run;
            });
        }
        let mut relations = Vec::new();
        let mut alone = BTreeSet::new();
        for (place, pair) in pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.before >= support.max(1))
        {
            match pair.against {
                0 => relations.push(Relation {
                    first: place / count,
                    then: place % count,
                    runs: pair.before,
                    least: Span::from_nanos(pair.least),
                    standing: Implied::No,
                }),
                1 => {
                    alone.insert(pair.by);
                }
                _ => {}
            }
        }
        reduce(count, &mut relations);
        let mut contradictions = Vec::new();
        for (run, observed) in live.iter().enumerate() {
            stamp(&points, observed, &mut stamps);
            for (relation, Relation { first, then, .. }) in relations.iter().enumerate() {
                if let (Some(first_at), Some(then_at)) = (stamps[*first], stamps[*then])
                    && then_at < first_at
                {
                    contradictions.push(Contradiction {
                        relation,
                        run,
                        first_at,
                        then_at,
                    });
                }
            }
        }
        let contradicting: BTreeSet<usize> = contradictions.iter().map(|one| one.run).collect();
        let live = Share {
            count: contradicting.len() as u64,
            of: live.len() as u64,
        };
        let simulated = Share {
            count: alone.len() as u64,
            of: simulated.len() as u64,
        };
        Order {
            points,
            relations,
            contradictions,
            live,
            simulated,
            p: greater(live, simulated),
        }
    }

    /// The relations that no others imply.
    pub fn direct(&self) -> impl Iterator<Item = &Relation> {
        self.relations
            .iter()
            .filter(|relation| relation.standing == Implied::No)
    }
}

/// What simulated runs say of two points.
#[derive(Clone)]
struct Pair {
    /// In how many the first came before the second.
    before: u64,
    /// In how many it was the other way round.
    against: u64,
    /// The last of those.
    by: usize,
    /// The least time between the two where the first came first, in nanoseconds.
    least: u64,
}

impl Default for Pair {
    fn default() -> Self {
        Pair {
            before: 0,
            against: 0,
            by: 0,
            least: u64::MAX,
        }
    }
}

fn stamp(points: &[Point], run: &Observed, stamps: &mut [Option<Time>]) {
    for (point, stamp) in points.iter().zip(stamps) {
        *stamp = point.at(run);
    }
}

/// Tells of each pair that came one after the other.
fn for_each_order(stamps: &[Option<Time>], mut tell: impl FnMut(usize, usize, Span)) {
    let there: Vec<(usize, Time)> = stamps
        .iter()
        .enumerate()
        .filter_map(|(place, at)| at.map(|at| (place, at)))
        .collect();
    for (first, first_at) in &there {
        for (then, then_at) in &there {
            if first_at < then_at {
                tell(*first, *then, then_at.since(*first_at));
            }
        }
    }
}

/// Marks the relations that others imply. Points of which each comes before the other by way of others, since they never all happened in one
/// run, are in a circle: what is between them is left as it is.
fn reduce(count: usize, relations: &mut [Relation]) {
    let mut is_related = vec![false; count * count];
    for relation in &*relations {
        is_related[relation.first * count + relation.then] = true;
    }
    let mut reaches = is_related.clone();
    for via in 0..count {
        for from in 0..count {
            if reaches[from * count + via] {
                for to in 0..count {
                    reaches[from * count + to] |= reaches[via * count + to];
                }
            }
        }
    }
    let in_circle = |a: usize, b: usize| reaches[a * count + b] && reaches[b * count + a];
    for relation in relations {
        let (first, then) = (relation.first, relation.then);
        let between = |via: usize| {
            is_related[first * count + via]
                && is_related[via * count + then]
                && !in_circle(first, via)
                && !in_circle(via, then)
        };
        if !in_circle(first, then) && (0..count).any(between) {
            relation.standing = Implied::ByOthers;
        }
    }
}

#[cfg(test)]
mod tests;
