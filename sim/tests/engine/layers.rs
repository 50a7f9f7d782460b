//! Layers of all kinds over each other, against a network so plain that nothing can be wrong with it: it looks at every
//! datagram by itself, and asks every layer that was ever laid whether it was there then.
//!
//! `acts`: what is done; `plain`: the plain network; `held`: for how long each datagram is held back where it is; `laws`: what several
//! changes make of one law.

mod acts;
mod held;
mod laws;
mod plain;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use squall_nodes::{Change, HostId, Links, Resident, Span, Time, World};
use squall_sim::plan::LinkLaw;
use squall_sim::trace::{DropCause, Fate, Happening, Trace};

use crate::node::beat;
use crate::plans::{A, B, C, D, Draft, ms, plan, us};

use acts::{Act, MOST_ACTS, When};
use plain::Plain;

const E: HostId = HostId(4);
const ALL: [HostId; 5] = [A, B, C, D, E];
/// From one round in which everyone says something to everyone to the next. An act comes half-way.
const ROUND: Span = ms(10);
/// How many rounds there are beside those that end with an act: two before the first, and some in which what is late comes in.
const OTHER_ROUNDS: u64 = 10;
const MOST_ROUNDS: u64 = MOST_ACTS as u64 + OTHER_ROUNDS;
/// The seed of every run: what is drawn for a datagram is the same in all of them.
const SEED: u64 = 1;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn layers_of_all_kinds_leave_what_a_plain_network_leaves(law in acts::base(), acts in acts::acts()) {
        let (plain, draft, rounds) = both(law, &acts);
        // What comes when a flap turns over may come before it or after it.
        prop_assume!(!plain.is_close);
        let story = draft.trace(SEED);
        let seen = Sight::of(&story.trace, rounds, story.affected());
        prop_assert_eq!(&seen.sent, &plain.sight.sent);
        prop_assert_eq!(&seen.came, &plain.sight.came);
        prop_assert_eq!(&seen.beyond, &plain.sight.beyond);
        prop_assert_eq!(&seen.disturbed, &plain.sight.disturbed);
        prop_assert_eq!(&seen.apart, &plain.sight.apart);
        prop_assert_eq!(&seen.affected, &plain.sight.affected);
    }
}

#[test]
fn what_is_drawn_meets_with_everything_that_can_happen_on_a_link() {
    let mut runner = TestRunner::deterministic();
    let cases = (acts::base(), acts::acts());
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..128 {
        let (law, acts) = cases.new_tree(&mut runner).expect("a case").current();
        let (plain, ..) = both(law, &acts);
        assert!(!plain.is_close);
        let Sight {
            sent,
            came,
            disturbed,
            ..
        } = &plain.sight;
        let fates = sent.iter().map(|(.., fate)| format!("{fate:?}"));
        let ends = came.iter().map(|(.., why)| format!("came, {why:?}"));
        let disturbed = disturbed.iter().map(|(.., what)| format!("{what:?}"));
        for what in fates
            .chain(ends)
            .chain(disturbed)
            .chain(plain.also.iter().map(ToString::to_string))
        {
            *met.entry(what).or_default() += 1;
        }
    }
    for what in [
        "Underway",
        "Doubled",
        "Corrupted",
        "CorruptedAndDoubled",
        "Lost",
        "TooLong",
        "Congested",
        "Cut",
        "came, None",
        "came, Some(Cut)",
        "Choked",
        "Straggled",
        "waited for one of another law",
        "overtaken",
    ] {
        let times = met.get(what).copied().unwrap_or(0);
        assert!(times >= 20, "{what}: {times} of {met:?}");
    }
}

/// A run twice over: as the plain network has it, and as it is planned, with its rounds.
fn both(law: LinkLaw, acts: &[(When, Act)]) -> (Plain, Draft, u64) {
    let rounds = acts.iter().filter(|(when, _)| matches!(when, When::Next)).count() as u64 + OTHER_ROUNDS;
    let limit = ROUND * (rounds + 1);
    let mut draft = talkers().links(law.clone()).limit(limit);
    let mut plain = Plain::new(law, limit);
    // All acts first: what is on its way meets layers that are laid later.
    let mut at = ROUND + us(5_000);
    for (step, (when, act)) in acts.iter().enumerate() {
        if matches!(when, When::Next) {
            at = at + ROUND;
        }
        draft = draft.at(at, plain.act(step, at, act));
    }
    for round in 1..=rounds {
        plain.round(round);
    }
    plain.sight.sort();
    (plain, draft, rounds)
}

/// Everyone says a byte or a few to everyone else, once a round.
fn talkers() -> Draft {
    let names = ["a", "b", "c", "d", "e"];
    names.into_iter().zip(ALL).fold(plan(), |plan, (name, host)| {
        let others: Vec<HostId> = ALL.into_iter().filter(|other| *other != host).collect();
        plan.host(name, beat(&others, ROUND, ROUND))
    })
}

/// All pairs, each host and itself included.
fn all() -> impl Iterator<Item = (HostId, HostId)> {
    ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to)))
}

/// A link that those are told of who watch for quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Disturbance {
    /// It dropped what it had no room for.
    Choked,
    /// What comes in took too long.
    Straggled,
}

/// When, from whom, to whom, and what a datagram was dropped for, if it was.
type Came = (Span, HostId, HostId, Option<DropCause>);

/// What is seen of a run, and what the plain network says should be.
#[derive(Debug, Default, PartialEq)]
struct Sight {
    /// When, from whom, to whom, and what became of it at once.
    sent: Vec<(Span, HostId, HostId, Fate)>,
    /// What came to the end of its way: a node heard it, or a cut took it.
    came: Vec<Came>,
    /// The links beyond what is tolerated, each time that laws changed.
    beyond: Vec<Vec<(HostId, HostId)>>,
    /// When, from whom, to whom, and what was told of the link.
    disturbed: Vec<(Span, HostId, HostId, Disturbance)>,
    /// Who cannot reach whom in each round, as those who watch are told.
    apart: Vec<Vec<(HostId, HostId)>>,
    affected: Vec<u64>,
}

impl Sight {
    fn of(trace: &Trace, rounds: u64, affected: Vec<u64>) -> Self {
        let residents = trace.hosts.iter().zip(&trace.ips).map(|(name, ip)| Resident {
            name: name.clone(),
            ip: *ip,
            up: true,
            drift_ppm: 0,
        });
        let mut world = World::new(residents, Links::Tolerated);
        let mut sight = Sight {
            affected,
            ..Sight::default()
        };
        let host = |address: &str| {
            let ip: std::net::SocketAddrV4 = address.parse().unwrap();
            squall_sim::plan::host_at(*ip.ip())
        };
        for event in &trace.events {
            let when = event.at.since(Time::ZERO);
            while sight.apart.len() < rounds as usize && when >= ROUND * (sight.apart.len() as u64 + 1) {
                let apart = all().filter(|(from, to)| !world.can_reach(*from, *to));
                sight.apart.push(apart.collect());
            }
            if let Happening::World { change, .. } = &event.what {
                world.apply(event.at, change);
            }
            match &event.what {
                Happening::Sent { to, fate, .. } => {
                    sight.sent.push((when, event.host.unwrap(), host(to), *fate));
                }
                Happening::Received { from, .. } => {
                    sight.came.push((when, host(from), event.host.unwrap(), None));
                }
                Happening::Dropped { from, why } => {
                    sight
                        .came
                        .push((when, host(from), event.host.unwrap(), Some(*why)));
                }
                Happening::World { change, .. } => sight.note(when, change),
                _ => {}
            }
        }
        sight.sort();
        sight
    }

    fn note(&mut self, when: Span, change: &Change) {
        match change {
            Change::Links { beyond } => self.beyond.push(beyond.clone()),
            Change::Choked { from, to } => {
                self.disturbed.push((when, *from, *to, Disturbance::Choked));
            }
            Change::Straggled { from, to } => {
                self.disturbed.push((when, *from, *to, Disturbance::Straggled));
            }
            _ => {}
        }
    }

    /// Puts what happens at one time into an order.
    fn sort(&mut self) {
        self.sent.sort_by_key(|(when, from, to, _)| (*when, *from, *to));
        self.came.sort_by_key(|(when, from, to, _)| (*when, *from, *to));
        self.disturbed.sort_unstable();
    }
}
