//! Two worlds side by side, as one object.

use serde::Serialize;
use squall_sim::compare::{
    Agreement, By, Claimed, Comparison, Contradiction, How, Implied, LEVEL, Method, Observed, Order, Point,
    Ranked, Relation, Samples, Share, Tested, Verdicts, What,
};
use squall_sim::machine::Machine;
use squall_sim::trace::Span;

use super::{Expected, line, standing};
use crate::compare::Made;
use crate::text::compare::{all_notes, in_a_word, sentences};

/// A comparison as a line, without its end. `agreement` is `within`, `outside` or `too_few`; `standing` is `as_expected`, `otherwise` or
/// `unknown`, as the exit code has it. Stamps are counted from when the first hosts booted.
pub fn compare(comparison: &Comparison, made: &Made) -> String {
    line(&Compare {
        scenario: &comparison.scenario,
        rules: comparison.rules,
        expect: Expected(&comparison.expect),
        agreement: agreement(comparison.agreement()),
        standing: standing(comparison.standing()),
        says: in_a_word(comparison),
        level: LEVEL,
        simulated: World::of(
            &comparison.verdicts.simulated,
            &comparison.runs.simulated,
            comparison.asked.simulated,
            made.wall_ms.simulated,
        ),
        live: World::of(
            &comparison.verdicts.live,
            &comparison.runs.live,
            comparison.asked.live,
            made.wall_ms.live,
        ),
        measures: (0..comparison.measures.len())
            .map(|place| Measure::of(comparison, place))
            .collect(),
        facts: comparison.facts.iter().map(Fact::of).collect(),
        order: Ordered::of(comparison),
        tests: comparison
            .tests
            .iter()
            .map(|test| Test::of(test, comparison))
            .collect(),
        machine: made.machine.as_ref().map(|(machine, _)| Measured::of(machine)),
        stalled: made.stalled,
        longest_stall_ns: made.longest_stall.as_nanos(),
        others_share: made.others,
        busy: made.busy().is_some(),
        notes: all_notes(comparison, made),
    })
}

#[derive(Serialize)]
struct Compare<'a> {
    scenario: &'a str,
    rules: &'a str,
    expect: Expected<'a>,
    agreement: &'static str,
    standing: &'static str,
    says: String,
    level: f64,
    simulated: World<'a>,
    live: World<'a>,
    measures: Vec<Measure<'a>>,
    facts: Vec<Fact<'a>>,
    order: Ordered<'a>,
    tests: Vec<Test>,
    machine: Option<Measured>,
    /// In how many live runs hosts were kept from running for longer than is tolerated.
    stalled: u64,
    longest_stall_ns: u64,
    /// Which share of the machine's processors others took while live runs were played, from 0 to 1; `null` where it is not known.
    others_share: Option<f64>,
    /// Whether that is so much that live may be late for it.
    busy: bool,
    notes: Vec<String>,
}

fn agreement(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Within => "within",
        Agreement::Outside => "outside",
        Agreement::TooFew => "too_few",
    }
}

#[derive(Serialize)]
struct World<'a> {
    runs: u64,
    asked: u64,
    held: Shared,
    violated: Shared,
    inconclusive: Shared,
    standing: &'static str,
    reasons: Vec<Reason<'a>>,
    wall_ms: u64,
    seeds: Vec<u64>,
}

impl<'a> World<'a> {
    fn of(verdicts: &'a Verdicts, runs: &[Observed], asked: u64, wall_ms: u64) -> Self {
        World {
            runs: runs.len() as u64,
            asked,
            held: Shared::of(verdicts.held),
            violated: Shared::of(verdicts.violated),
            inconclusive: Shared::of(verdicts.inconclusive),
            standing: standing(verdicts.standing),
            reasons: verdicts
                .reasons
                .iter()
                .map(|reason| Reason {
                    signature: &reason.signature,
                    count: reason.count,
                    first_seed: reason.first_seed,
                })
                .collect(),
            wall_ms,
            seeds: runs.iter().map(|run| run.seed).collect(),
        }
    }
}

#[derive(Serialize)]
struct Reason<'a> {
    signature: &'a str,
    count: u64,
    first_seed: u64,
}

/// A share with Wilson's interval of 95 %.
#[derive(Serialize)]
struct Shared {
    count: u64,
    of: u64,
    low: f64,
    high: f64,
}

impl Shared {
    fn of(share: Share) -> Self {
        let (low, high) = share.interval();
        Shared {
            count: share.count,
            of: share.of,
            low,
            high,
        }
    }
}

#[derive(Serialize)]
struct Measure<'a> {
    name: &'a str,
    simulated: Distribution,
    live: Distribution,
    distance: Option<f64>,
    /// Between which distances that of the two laws is, with a confidence of 95 %.
    distance_low: Option<f64>,
    distance_high: Option<f64>,
    p: Option<f64>,
    /// `exact`, `asymptotic` or `permutation`.
    method: Option<&'static str>,
    later_ns: Option<i64>,
    later_low_ns: Option<i64>,
    later_high_ns: Option<i64>,
    above: Shared,
    below: Shared,
    outside: Vec<&'static str>,
    says: Vec<String>,
}

impl<'a> Measure<'a> {
    fn of(comparison: &'a Comparison, place: usize) -> Self {
        let measure = &comparison.measures[place];
        let later = measure.later;
        let between = later.and_then(|later| later.between);
        Measure {
            name: &measure.name,
            simulated: Distribution::of(&measure.samples.simulated, measure.reached.simulated),
            live: Distribution::of(&measure.samples.live, measure.reached.live),
            distance: measure.distance.map(|distance| distance.distance),
            distance_low: measure.distance_between.map(|(low, _)| low),
            distance_high: measure.distance_between.map(|(_, high)| high),
            p: measure.distance.map(|distance| distance.p),
            method: measure.distance.map(|distance| match distance.by {
                Method::Exact => "exact",
                Method::Asymptotic => "asymptotic",
                Method::Permutation { .. } => "permutation",
            }),
            later_ns: later.map(|later| later.by),
            later_low_ns: between.map(|(low, _)| low),
            later_high_ns: between.map(|(_, high)| high),
            above: Shared::of(measure.above),
            below: Shared::of(measure.below),
            outside: measure.outside.iter().map(|how| in_which_way(*how)).collect(),
            says: sentences(comparison, place),
        }
    }
}

fn in_which_way(how: How) -> &'static str {
    match how {
        How::Reached => "reached",
        How::Above => "above",
        How::Below => "below",
        How::Distance => "distance",
    }
}

/// Order statistics; each is a sample, and `null` where there are too few for it to be another than the greatest.
#[derive(Serialize)]
struct Distribution {
    samples: usize,
    runs_with_a_sample: Shared,
    unfinished: u64,
    min_ns: Option<u64>,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p95_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl Distribution {
    fn of(samples: &Samples, reached: Share) -> Self {
        let ranked = samples.ranked();
        let at = |of: fn(Ranked) -> Option<Span>| ranked.and_then(of).map(Span::as_nanos);
        Distribution {
            samples: samples.count(),
            runs_with_a_sample: Shared::of(reached),
            unfinished: samples.unfinished(),
            min_ns: at(|ranked| Some(ranked.min)),
            p50_ns: at(|ranked| Some(ranked.p50)),
            p90_ns: at(|ranked| ranked.p90),
            p95_ns: at(|ranked| ranked.p95),
            p99_ns: at(|ranked| ranked.p99),
            max_ns: at(|ranked| Some(ranked.max)),
        }
    }
}

#[derive(Serialize)]
struct Fact<'a> {
    name: &'a str,
    role: &'a str,
    simulated: Shared,
    live: Shared,
    p: f64,
    agreement: &'static str,
}

impl<'a> Fact<'a> {
    fn of(fact: &'a Claimed) -> Self {
        Fact {
            name: fact.name,
            role: &fact.role,
            simulated: Shared::of(fact.runs.simulated),
            live: Shared::of(fact.runs.live),
            p: fact.p,
            agreement: agreement(fact.agreement),
        }
    }
}

#[derive(Serialize)]
struct Ordered<'a> {
    /// In how many simulated runs an order has to hold at least.
    support: u64,
    relations: Vec<Before<'a>>,
    contradictions: Vec<Against<'a>>,
    live: Shared,
    simulated_alone: Shared,
    p: f64,
    agreement: &'static str,
}

impl<'a> Ordered<'a> {
    fn of(comparison: &'a Comparison) -> Self {
        let order = &comparison.order;
        let against = |one: &Contradiction| Against {
            seed: comparison.runs.live[one.run].seed,
            first: Named::of(&order.points[order.relations[one.relation].first]),
            then: Named::of(&order.points[order.relations[one.relation].then]),
            first_at_ns: one.first_at.as_nanos(),
            then_at_ns: one.then_at.as_nanos(),
        };
        Ordered {
            support: comparison.support,
            relations: order
                .relations
                .iter()
                .map(|relation| Before::of(relation, order))
                .collect(),
            contradictions: order.contradictions.iter().map(against).collect(),
            live: Shared::of(order.live),
            simulated_alone: Shared::of(order.simulated),
            p: order.p,
            agreement: agreement(comparison.of_test(What::Order)),
        }
    }
}

#[derive(Serialize)]
struct Before<'a> {
    first: Named<'a>,
    then: Named<'a>,
    runs: u64,
    least_ns: u64,
    implied: bool,
}

impl<'a> Before<'a> {
    fn of(relation: &Relation, order: &'a Order) -> Self {
        Before {
            first: Named::of(&order.points[relation.first]),
            then: Named::of(&order.points[relation.then]),
            runs: relation.runs,
            least_ns: relation.least.as_nanos(),
            implied: relation.standing == Implied::ByOthers,
        }
    }
}

/// Either a fault, or a fact by a host or by the first of a role.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn of(point: &'a Point) -> Self {
        let mut named = Named {
            fault: None,
            fact: None,
            host: None,
            role: None,
        };
        match point {
            Point::Fault { label, .. } => named.fault = Some(label),
            Point::Fact { name, by, .. } => {
                named.fact = Some(name);
                match by {
                    By::Host { name, .. } => named.host = Some(name),
                    By::Role { role, .. } => named.role = Some(role),
                }
            }
        }
        named
    }
}

#[derive(Serialize)]
struct Against<'a> {
    seed: u64,
    first: Named<'a>,
    then: Named<'a>,
    first_at_ns: u64,
    then_at_ns: u64,
}

#[derive(Serialize)]
struct Test {
    what: String,
    p: f64,
    /// The same by Holm's procedure: where it is not above the level, live falls outside.
    adjusted: f64,
    agreement: &'static str,
}

impl Test {
    fn of(test: &Tested, comparison: &Comparison) -> Self {
        let what = match test.what {
            What::Violated => "violated".to_owned(),
            What::Inconclusive => "inconclusive".to_owned(),
            What::Measure(place, how) => {
                format!(
                    "measure {} {}",
                    comparison.measures[place].name,
                    in_which_way(how)
                )
            }
            What::Fact(place) => {
                let fact = &comparison.facts[place];
                format!("fact {} of {}", fact.name, fact.role)
            }
            What::Order => "order".to_owned(),
        };
        Test {
            what,
            p: test.p,
            adjusted: test.adjusted,
            agreement: agreement(test.agreement),
        }
    }
}

/// What the machine was measured to take, ascending, in nanoseconds.
#[derive(Serialize)]
struct Measured {
    delay_ns: Vec<u64>,
    lateness: Vec<Late>,
    write_ns: Vec<u64>,
    first_boot_ns: Vec<u64>,
    next_boots_ns: Vec<u64>,
}

/// How late timers go off of nodes that were idle for so long at least, and for less than the next such time.
#[derive(Serialize)]
struct Late {
    idle_ns: u64,
    late_ns: Vec<u64>,
}

impl Measured {
    fn of(machine: &Machine) -> Self {
        let ascending = |samples: &[Span]| {
            let mut sorted: Vec<u64> = samples.iter().map(|sample| sample.as_nanos()).collect();
            sorted.sort_unstable();
            sorted
        };
        let late = |(idle, samples): (Span, Vec<Span>)| Late {
            idle_ns: idle.as_nanos(),
            late_ns: ascending(&samples),
        };
        Measured {
            delay_ns: ascending(&machine.delay),
            lateness: machine.lateness_by_idle().into_iter().map(late).collect(),
            write_ns: ascending(&machine.write),
            first_boot_ns: ascending(&machine.boots.first),
            next_boots_ns: ascending(&machine.boots.again),
        }
    }
}
