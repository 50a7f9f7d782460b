//! The comparison: from what was seen of both worlds to where live falls outside.

use super::observed::Observed;
use super::order::Order;
use super::points::{points, roles};
use super::samples::{Later, Samples};
use super::share::{Share, all_beyond, apart};
use super::smirnov::Smirnov;
use crate::outcome::{Failures, Standing, Verdict};
use crate::plan::Expect;
use crate::runner::HostCast;

/// How often at most a comparison of a world with itself says that it falls outside.
pub const LEVEL: f64 = 0.01;
/// How many live runs it takes at least to say anything: fewer show gross differences only.
pub const FEWEST_LIVE: u64 = 5;
/// How many simulated runs it takes at least.
pub const FEWEST_SIMULATED: u64 = 20;

/// One thing of each world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worlds<T> {
    /// The simulated one's.
    pub simulated: T,
    /// The live one's.
    pub live: T,
}

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The scenario: the path of its file.
    pub scenario: &'a str,
    /// The rule set.
    pub rules: &'static str,
    /// What the file expects of it.
    pub expect: &'a Expect,
    /// How many runs were asked for.
    pub asked: Worlds<u64>,
    /// In how many simulated runs an order has to hold at least.
    pub support: u64,
    /// The protocol's facts.
    pub facts: &'a [&'static str],
    /// The timeline's entries, as reports name them.
    pub faults: &'a [String],
    /// The hosts.
    pub cast: &'a [HostCast],
}

/// Two worlds side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The scenario: the path of its file.
    pub scenario: String,
    /// The rule set.
    pub rules: &'static str,
    /// What the file expects of it.
    pub expect: Expect,
    /// How many runs were asked for.
    pub asked: Worlds<u64>,
    /// In how many simulated runs an order has to hold at least.
    pub support: u64,
    /// The runs that there were.
    pub runs: Worlds<Vec<Observed>>,
    /// What they came to.
    pub verdicts: Worlds<Verdicts>,
    /// What was measured, in the order of the file.
    pub measures: Vec<Compared>,
    /// What was claimed, by role.
    pub facts: Vec<Claimed>,
    /// What came first.
    pub order: Order,
    /// All hypotheses that were tested.
    pub tests: Vec<Tested>,
}

/// What the runs of one world came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdicts {
    /// Held.
    pub held: Share,
    /// Were violated.
    pub violated: Share,
    /// Had no answer.
    pub inconclusive: Share,
    /// What was violated, and why there was no answer, most often first.
    pub reasons: Vec<Failures>,
    /// How that stands to what the file expects. Of live runs, that none shows an expected violation is no contradiction: it may be a rare
    /// one.
    pub standing: Standing,
}

/// A measure in both worlds.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// The samples.
    pub samples: Worlds<Samples>,
    /// In how many runs there is one.
    pub reached: Worlds<Share>,
    /// How far apart they are, where there are some in both worlds.
    pub distance: Option<Smirnov>,
    /// Between which distances the true one is, with a confidence of 95 %: [`Smirnov::interval`].
    pub distance_between: Option<(f64, f64)>,
    /// How much later live is at the median.
    pub later: Option<Later>,
    /// In how many live runs with a sample one is above the greatest of all simulated ones.
    pub above: Share,
    /// In how many one is below the least.
    pub below: Share,
    /// In which ways live falls outside; empty when it lies within.
    pub outside: Vec<How>,
}

/// A way in which a measure can fall outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// More runs or fewer have a sample at all.
    Reached,
    /// More runs go beyond the greatest of all simulated samples than chance lets them.
    Above,
    /// More are below the least.
    Below,
    /// Smirnov's distance is too great.
    Distance,
}

/// In how many runs some host of a role claims a fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The fact.
    pub name: &'static str,
    /// The role.
    pub role: String,
    /// How many hosts have it.
    pub hosts: usize,
    /// In how many runs.
    pub runs: Worlds<Share>,
    /// How likely it is that they are so far apart when live is like simulated.
    pub p: f64,
    /// Whether live falls outside.
    pub agreement: Agreement,
}

/// How live stands to what was simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It shows no difference.
    Within,
    /// It is different.
    Outside,
    /// There are too few runs to say.
    TooFew,
}

/// A hypothesis that was tested: that live is like simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// In what.
    pub what: What,
    /// How likely what was seen is, or more of it, when it is true.
    pub p: f64,
    /// The same by Holm's procedure, with all the other tests: it is rejected where this is not above [`LEVEL`]. S. P. Wright,
    /// *Biometrics* 48 (1992), 1005–1013.
    pub adjusted: f64,
    /// What follows.
    pub agreement: Agreement,
}

/// What a hypothesis is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The share of violated runs.
    Violated,
    /// The share of inconclusive runs.
    Inconclusive,
    /// A measure, by its place.
    Measure(usize, How),
    /// The share of runs with a claim, by its place among [`Comparison::facts`].
    Fact(usize),
    /// What comes first.
    Order,
}

impl Comparison {
    /// Compares the runs of both worlds.
    pub fn of(setting: &Setting<'_>, runs: Worlds<Vec<Observed>>) -> Self {
        let verdicts = Worlds {
            simulated: Verdicts::of(&runs.simulated, setting.expect, Standing::Otherwise),
            live: Verdicts::of(&runs.live, setting.expect, Standing::Unknown),
        };
        let found = points(
            &runs.simulated,
            &runs.live,
            setting.facts,
            setting.faults,
            setting.cast,
        );
        let mut comparison = Comparison {
            scenario: setting.scenario.to_owned(),
            rules: setting.rules,
            expect: setting.expect.clone(),
            asked: setting.asked,
            support: setting.support,
            verdicts,
            measures: measures(&runs),
            facts: claims(&runs, setting),
            order: Order::of(found, &runs.simulated, &runs.live, setting.support),
            runs,
            tests: Vec::new(),
        };
        comparison.judge();
        comparison
    }

    /// How live stands to what was simulated.
    pub fn agreement(&self) -> Agreement {
        let is_outside = self.tests.iter().any(|test| test.agreement == Agreement::Outside);
        if is_outside {
            Agreement::Outside
        } else if (self.runs.live.len() as u64) < FEWEST_LIVE
            || (self.runs.simulated.len() as u64) < FEWEST_SIMULATED
        {
            Agreement::TooFew
        } else {
            Agreement::Within
        }
    }

    /// Whether all runs were done that were asked for. Those that could not be played may be others than those that were.
    fn is_whole(&self) -> bool {
        let done = [self.runs.simulated.len(), self.runs.live.len()].map(|runs| runs as u64);
        done == [self.asked.simulated, self.asked.live]
    }

    /// What the comparison comes to: as expected when both worlds are as the file expects and live lies within what was simulated, in all
    /// runs that were asked for.
    pub fn standing(&self) -> Standing {
        let verdicts = [self.verdicts.simulated.standing, self.verdicts.live.standing];
        let agreement = self.agreement();
        if verdicts.contains(&Standing::Otherwise) || agreement == Agreement::Outside {
            Standing::Otherwise
        } else if verdicts.contains(&Standing::Unknown) || agreement == Agreement::TooFew || !self.is_whole()
        {
            Standing::Unknown
        } else {
            Standing::AsExpected
        }
    }

    /// Gathers all hypotheses, and says by Holm's procedure which are rejected.
    fn judge(&mut self) {
        let mut tests: Vec<(What, f64)> = Vec::new();
        let of = |share: fn(&Verdicts) -> Share| {
            apart(share(&self.verdicts.simulated), share(&self.verdicts.live))
        };
        tests.push((What::Violated, of(|verdicts| verdicts.violated)));
        tests.push((What::Inconclusive, of(|verdicts| verdicts.inconclusive)));
        for (place, measure) in self.measures.iter().enumerate() {
            tests.extend(measure.tests().map(|(how, p)| (What::Measure(place, how), p)));
        }
        tests.extend(
            self.facts
                .iter()
                .enumerate()
                .map(|(place, fact)| (What::Fact(place), fact.p)),
        );
        tests.push((What::Order, self.order.p));
        self.tests = holm(tests);
        for test in &self.tests {
            if test.agreement != Agreement::Outside {
                continue;
            }
            match test.what {
                What::Measure(place, how) => self.measures[place].outside.push(how),
                What::Fact(place) => self.facts[place].agreement = Agreement::Outside,
                What::Violated | What::Inconclusive | What::Order => {}
            }
        }
    }

    /// What follows for one thing that was tested; that live lies within where it was not.
    pub fn of_test(&self, what: What) -> Agreement {
        self.tested(what).map_or(Agreement::Within, |test| test.agreement)
    }

    /// The test of one thing; `None` where there was none.
    pub fn tested(&self, what: What) -> Option<&Tested> {
        self.tests.iter().find(|test| test.what == what)
    }
}

impl Verdicts {
    fn of(runs: &[Observed], expect: &Expect, without_one: Standing) -> Self {
        let share = |verdict| Share::of(runs, |run: &Observed| run.verdict == verdict);
        let (held, violated, inconclusive) = (
            share(Verdict::Held),
            share(Verdict::Violated),
            share(Verdict::Inconclusive),
        );
        let is_foreign = |run: &&Observed| {
            run.verdict == Verdict::Violated
                && match expect {
                    Expect::Held => true,
                    Expect::Violated(names) => {
                        !run.reason.as_ref().is_some_and(|reason| names.contains(reason))
                    }
                }
        };
        let standing = if runs.iter().any(|run| is_foreign(&run)) {
            Standing::Otherwise
        } else if inconclusive.count > 0 || runs.is_empty() {
            Standing::Unknown
        } else if matches!(expect, Expect::Violated(_)) && violated.count == 0 {
            without_one
        } else {
            Standing::AsExpected
        };
        Verdicts {
            held,
            violated,
            inconclusive,
            reasons: reasons(runs),
            standing,
        }
    }
}

impl Compared {
    fn of(name: &str, samples: Worlds<Samples>) -> Self {
        let reached = |samples: &Samples| Share {
            count: samples.runs_with_any(),
            of: samples.runs() as u64,
        };
        let bounds = samples.simulated.ranked().map(|ranked| (ranked.min, ranked.max));
        let beyond = |count: u64| Share {
            count,
            of: samples.live.runs_with_any(),
        };
        let (below, above) = bounds.map_or((0, 0), |(min, max)| {
            (
                samples.live.runs_below(min.as_nanos()),
                samples.live.runs_above(max.as_nanos()),
            )
        });
        let distance = Smirnov::between(&samples.live, &samples.simulated);
        Compared {
            name: name.to_owned(),
            reached: Worlds {
                simulated: reached(&samples.simulated),
                live: reached(&samples.live),
            },
            distance,
            // Of a run or two nothing is known of how far their law strays.
            distance_between: distance
                .filter(|_| samples.live.runs() as u64 >= FEWEST_LIVE)
                .map(|distance| distance.interval(&samples.live, &samples.simulated)),
            later: Later::of(&samples.live, &samples.simulated),
            above: beyond(above),
            below: beyond(below),
            samples,
            outside: Vec::new(),
        }
    }

    fn tests(&self) -> impl Iterator<Item = (How, f64)> {
        let beyond = |share: Share| all_beyond(share.count, share.of, self.reached.simulated.count);
        let reached = (How::Reached, apart(self.reached.simulated, self.reached.live));
        let values = self.distance.map(|distance| {
            [
                (How::Above, beyond(self.above)),
                (How::Below, beyond(self.below)),
                (How::Distance, distance.p),
            ]
        });
        std::iter::once(reached).chain(values.into_iter().flatten())
    }
}

fn measures(runs: &Worlds<Vec<Observed>>) -> Vec<Compared> {
    // All runs of a plan have the same measures.
    let Some(run) = runs.simulated.first().or(runs.live.first()) else {
        return Vec::new();
    };
    let of = |world: &[Observed], place: usize| {
        Samples::of(world.iter().filter_map(|run| run.measures.get(place)))
    };
    run.measures
        .iter()
        .enumerate()
        .map(|(place, measured)| {
            let samples = Worlds {
                simulated: of(&runs.simulated, place),
                live: of(&runs.live, place),
            };
            Compared::of(&measured.name, samples)
        })
        .collect()
}

fn claims(runs: &Worlds<Vec<Observed>>, setting: &Setting<'_>) -> Vec<Claimed> {
    let mut claims = Vec::new();
    for role in roles(setting.cast) {
        for (place, name) in setting.facts.iter().enumerate() {
            let claimed = |run: &Observed| {
                role.hosts
                    .iter()
                    .any(|host| run.first(place as u32, *host).is_some())
            };
            let shares = Worlds {
                simulated: Share::of(&runs.simulated, claimed),
                live: Share::of(&runs.live, claimed),
            };
            if shares.simulated.count + shares.live.count > 0 {
                claims.push(Claimed {
                    name,
                    role: role.name.clone(),
                    hosts: role.hosts.len(),
                    runs: shares,
                    p: apart(shares.simulated, shares.live),
                    agreement: Agreement::Within,
                });
            }
        }
    }
    claims
}

/// What runs did not hold for, most often first.
fn reasons(runs: &[Observed]) -> Vec<Failures> {
    let mut reasons: Vec<Failures> = Vec::new();
    for run in runs {
        let Some(reason) = &run.reason else { continue };
        let signature = match run.verdict {
            Verdict::Inconclusive => format!("inconclusive: {reason}"),
            Verdict::Held | Verdict::Violated => reason.clone(),
        };
        match reasons.iter_mut().find(|known| known.signature == signature) {
            Some(known) => known.count += 1,
            None => reasons.push(Failures {
                signature,
                count: 1,
                first_seed: run.seed,
            }),
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}

/// Holm's procedure at [`LEVEL`]: from the least probability up, each is multiplied by how many are left, and none is less than the one
/// before it; each that is not above the level then is rejected.
fn holm(tests: Vec<(What, f64)>) -> Vec<Tested> {
    let mut ranks: Vec<usize> = (0..tests.len()).collect();
    ranks.sort_by(|a, b| tests[*a].1.total_cmp(&tests[*b].1));
    let mut tested: Vec<Tested> = tests
        .into_iter()
        .map(|(what, p)| Tested {
            what,
            p,
            adjusted: 1.0,
            agreement: Agreement::Within,
        })
        .collect();
    let count = tested.len();
    let mut least = 0.0;
    for (rank, place) in ranks.into_iter().enumerate() {
        let test = &mut tested[place];
        least = (test.p * (count - rank) as f64).clamp(least, 1.0);
        test.adjusted = least;
        if least <= LEVEL {
            test.agreement = Agreement::Outside;
        }
    }
    tested
}

#[cfg(test)]
mod tests;
