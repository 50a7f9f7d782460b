//! Layers of all kinds over each other, against a network so plain that nothing can be wrong with it: it looks at every
//! datagram by itself, and asks every layer that was ever laid whether it was there then.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use squall_nodes::{Change, HostId, Links, Resident, Span, Time, World};
use squall_sim::plan::{CutPlan, Fault, Latency, Layer, LinkChange, LinkLaw, Target};
use squall_sim::trace::{DropCause, Fate, Happening, Trace};

use crate::node::beat;
use crate::plans::{A, B, C, D, Draft, bridge, changed, flap, link, ms, one_way, partition, plan, ring, us};

const E: HostId = HostId(4);
const ALL: [HostId; 5] = [A, B, C, D, E];
/// From one round in which everyone says something to everyone to the next. An act comes half-way, and whatever latency a layer
/// puts in place, what is said arrives before the next round and never at the time of an act.
const ROUND: Span = ms(10);

/// One thing that is done to the links.
#[derive(Clone, Debug)]
enum Act {
    Lay(Layer),
    /// Lays what the nth layer so far was laid as once more.
    Again(prop::sample::Index),
    /// Heals what the nth layer so far was laid as, if that is still there, naming the hosts the other way round.
    Heal(prop::sample::Index),
    HealAll,
}

/// When an act comes.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Half-way through the next round.
    Next,
    /// At the very time of the act before it, and after it.
    Same,
}

fn acts() -> impl Strategy<Value = Vec<(When, Act)>> {
    let act = prop_oneof![
        6 => layer().prop_map(Act::Lay),
        2 => any::<prop::sample::Index>().prop_map(Act::Again),
        4 => any::<prop::sample::Index>().prop_map(Act::Heal),
        1 => Just(Act::HealAll),
    ];
    let when = prop_oneof![3 => Just(When::Next), 1 => Just(When::Same)];
    prop::collection::vec((when, act), 1..20)
}

fn layer() -> impl Strategy<Value = Layer> {
    let some = || prop::sample::subsequence(ALL.to_vec(), 0..=5);
    // The spans are such that no flap turns over at the time of an act, a round, or an arrival.
    let spans = (1..40u64, 1..40u64).prop_map(|(down, up)| (ms(down) + us(11), ms(up) + us(26)));
    prop_oneof![
        2 => cut().prop_map(Layer::Cut),
        2 => (cut(), spans).prop_map(|(cut, (down, up))| flap(cut, down, up)),
        3 => (some(), some(), change()).prop_map(|(from, to, change)| changed(&from, &to, change)),
    ]
}

fn cut() -> impl Strategy<Value = CutPlan> {
    let some = || prop::sample::subsequence(ALL.to_vec(), 0..=5);
    let places = || prop::collection::vec(0..4usize, 5);
    // The hosts at each place; those at the last are named nowhere.
    let groups = |places: &[usize]| -> [Vec<HostId>; 3] {
        [0, 1, 2].map(|group| {
            ALL.into_iter()
                .filter(|host| places[host.index()] == group)
                .collect()
        })
    };
    prop_oneof![
        places().prop_map(move |places| {
            let [first, second, _] = groups(&places);
            partition(&[&first, &second])
        }),
        (some(), some()).prop_map(|(from, to)| one_way(&from, &to)),
        places().prop_map(move |places| {
            let [over, first, second] = groups(&places);
            bridge(&over, &[&first, &second])
        }),
        (some().prop_shuffle(), 1..3u32).prop_map(|(hosts, reach)| ring(&hosts, reach)),
    ]
}

/// Changes that show in every single datagram.
fn change() -> impl Strategy<Value = LinkChange> {
    let latency =
        prop::sample::select(vec![2, 3, 4, 6, 7, 8]).prop_map(|millis| Latency::Constant(ms(millis)));
    let ratio = || prop::option::weighted(0.3, prop::sample::select(vec![0.0, 1.0]));
    let mtu = prop::sample::select(vec![HEADERS, 1500]);
    let parts = (
        prop::option::weighted(0.7, latency),
        ratio(),
        ratio(),
        ratio(),
        prop::option::weighted(0.3, mtu),
    );
    parts.prop_map(|(latency, loss, duplicate, corrupt, mtu)| LinkChange {
        latency,
        loss,
        duplicate,
        corrupt,
        mtu,
        ..LinkChange::default()
    })
}

/// What has not even room for one byte beside the headers.
const HEADERS: u32 = squall_sim::plan::HEADERS as u32;

/// A layer that was laid.
struct Laid {
    step: usize,
    layer: Layer,
    at: Span,
    until: Option<Span>,
}

impl Laid {
    fn is_there(&self, when: Span) -> bool {
        self.at <= when && self.until.is_none_or(|until| when < until)
    }

    /// Whether it keeps `from` from reaching `to` at a time.
    fn blocks(&self, when: Span, from: HostId, to: HostId) -> bool {
        let cut = match &self.layer {
            Layer::Cut(cut) => cut,
            Layer::Flap { cut, down, up } => {
                let into = (when - self.at).as_nanos() % (*down + *up).as_nanos();
                if into >= down.as_nanos() {
                    return false;
                }
                cut
            }
            _ => return false,
        };
        self.is_there(when) && pairs(cut).contains(&(from, to))
    }

    /// What it puts in place on a link at a time.
    fn change(&self, when: Span, from: HostId, to: HostId) -> Option<&LinkChange> {
        match &self.layer {
            Layer::Links {
                from: senders,
                to: receivers,
                change,
            } if self.is_there(when) && is(senders, from) && is(receivers, to) && from != to => Some(change),
            _ => None,
        }
    }
}

fn is(who: &[Target], host: HostId) -> bool {
    who.contains(&Target::Host(host))
}

/// The pairs that a cut keeps apart, as anyone would write it down.
fn pairs(cut: &CutPlan) -> BTreeSet<(HostId, HostId)> {
    let group = |groups: &[Vec<Target>], host| groups.iter().position(|group| is(group, host));
    let apart = |from: HostId, to: HostId| match cut {
        CutPlan::Partition(groups) => group(groups, from) != group(groups, to),
        CutPlan::OneWay {
            from: senders,
            to: receivers,
        } => is(senders, from) && is(receivers, to),
        CutPlan::Bridge { over, sides } => {
            !is(over, from) && !is(over, to) && group(sides, from) != group(sides, to)
        }
        CutPlan::Ring { hosts, reach } => {
            let place = |host| hosts.iter().position(|other| *other == Target::Host(host));
            match (place(from), place(to)) {
                (None, None) => false,
                (Some(mut walker), Some(goal)) => {
                    // Step by step, forwards and backwards.
                    let (mut steps, len) = (0, hosts.len());
                    while walker != goal {
                        walker = (walker + 1) % len;
                        steps += 1;
                    }
                    steps.min(len - steps) > *reach as usize
                }
                _ => true,
            }
        }
    };
    all()
        .filter(|(from, to)| from != to && apart(*from, *to))
        .collect()
}

fn all() -> impl Iterator<Item = (HostId, HostId)> {
    ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to)))
}

/// The hosts in one group with a host; those that nothing names are together.
fn together(groups: &[Vec<Target>], host: HostId) -> Vec<HostId> {
    let group = |host| groups.iter().position(|group| is(group, host));
    ALL.into_iter()
        .filter(|other| group(*other) == group(host))
        .collect()
}

/// What a layer comes to for each host; equal for equal layers.
fn meaning(layer: &Layer) -> String {
    let each = |what: &dyn Fn(HostId) -> String| ALL.map(what).join(" ");
    let text = |what: &dyn Debug| format!("{what:?}");
    let cut = |cut: &CutPlan| {
        let says = each(&|host| match cut {
            CutPlan::Partition(groups) => text(&together(groups, host)),
            CutPlan::OneWay { from, to } => text(&(is(from, host), is(to, host))),
            CutPlan::Bridge { over, .. } if is(over, host) => "over".to_owned(),
            CutPlan::Bridge { over, sides } => {
                let side = together(sides, host).into_iter();
                text(&side.filter(|other| !is(over, *other)).collect::<Vec<_>>())
            }
            CutPlan::Ring { hosts, reach } => {
                text(&(hosts.iter().position(|other| *other == Target::Host(host)), reach))
            }
        });
        format!("{} {says}", Layer::Cut(cut.clone()).kind())
    };
    match layer {
        Layer::Cut(plan) => cut(plan),
        Layer::Flap { cut: plan, down, up } => format!("flap of {} {down} {up}", cut(plan)),
        Layer::Links { from, to, change } => {
            let says = each(&|host| text(&(is(from, host), is(to, host))));
            format!("links {says} {change:?}")
        }
        other => panic!("{other:?} is not over links"),
    }
}

/// The same layer with the hosts named the other way round, where their order says nothing.
fn reworded(layer: &Layer) -> Layer {
    let turned = |who: &Vec<Target>| who.iter().rev().copied().collect::<Vec<_>>();
    let all = |groups: &[Vec<Target>]| groups.iter().map(turned).collect::<Vec<_>>();
    let cut = |cut: &CutPlan| match cut {
        CutPlan::Partition(groups) => CutPlan::Partition(all(groups).into_iter().rev().collect()),
        CutPlan::OneWay { from, to } => CutPlan::OneWay {
            from: turned(from),
            to: turned(to),
        },
        CutPlan::Bridge { over, sides } => CutPlan::Bridge {
            over: turned(over),
            sides: all(sides).into_iter().rev().collect(),
        },
        CutPlan::Ring { .. } => cut.clone(),
    };
    match layer {
        Layer::Cut(plan) => Layer::Cut(cut(plan)),
        Layer::Flap { cut: plan, down, up } => flap(cut(plan), *down, *up),
        Layer::Links { from, to, change } => Layer::Links {
            from: turned(from),
            to: turned(to),
            change: change.clone(),
        },
        other => panic!("{other:?} is not over links"),
    }
}

/// What is seen of a run, and what the plain network says should be.
#[derive(Debug, Default, PartialEq)]
struct Sight {
    /// When, from whom, to whom, and what became of it at once.
    sent: Vec<(Span, HostId, HostId, Fate)>,
    /// When, from whom, to whom, and whether a node heard it or a cut took it on its way.
    came: Vec<(Span, HostId, HostId, Option<DropCause>)>,
    /// The links beyond what is tolerated, each time that laws changed.
    beyond: Vec<Vec<(HostId, HostId)>>,
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
                Happening::World {
                    change: Change::Links { beyond },
                    ..
                } => sight.beyond.push(beyond.clone()),
                _ => {}
            }
        }
        sight.sent.sort_by_key(|(when, from, to, _)| (*when, *from, *to));
        sight.came.sort_by_key(|(when, from, to, _)| (*when, *from, *to));
        sight
    }
}

/// The plain network: every layer that was ever laid.
struct Plain {
    law: LinkLaw,
    layers: Vec<Laid>,
    sight: Sight,
}

impl Plain {
    fn act(&mut self, step: usize, at: Span, act: &Act) -> Fault {
        self.sight.affected.push(0);
        match act {
            Act::Lay(layer) => self.lay(step, at, layer.clone()),
            Act::Again(which) => {
                let layer = self.reworded(which);
                self.lay(step, at, layer)
            }
            Act::Heal(which) => {
                let layer = self.reworded(which);
                let same = |laid: &&mut Laid| laid.until.is_none() && meaning(&laid.layer) == meaning(&layer);
                if let Some(laid) = self.layers.iter_mut().rev().find(same) {
                    laid.until = Some(at);
                    self.sight.affected[step] += 1;
                    self.note_links(at, &layer);
                }
                Fault::Heal(layer)
            }
            Act::HealAll => {
                for place in 0..self.layers.len() {
                    if self.layers[place].until.is_none() {
                        self.layers[place].until = Some(at);
                        self.sight.affected[step] += 1;
                        let layer = self.layers[place].layer.clone();
                        self.note_links(at, &layer);
                    }
                }
                Fault::HealAll
            }
        }
    }

    fn lay(&mut self, step: usize, at: Span, layer: Layer) -> Fault {
        self.layers.push(Laid {
            step,
            layer: layer.clone(),
            at,
            until: None,
        });
        self.note_links(at, &layer);
        Fault::Lay(layer)
    }

    /// What one of the layers was laid as, in other words; a cut that cuts nothing as long as there was none.
    fn reworded(&self, which: &prop::sample::Index) -> Layer {
        let laid = self.layers.get(which.index(self.layers.len().max(1)));
        laid.map_or(Layer::Cut(partition(&[])), |laid| reworded(&laid.layer))
    }

    /// When the laws of links have changed, those that are beyond what is tolerated are told.
    fn note_links(&mut self, at: Span, layer: &Layer) {
        if matches!(layer, Layer::Links { .. }) {
            let beyond = all().filter(|(from, to)| {
                let law = self.law(at, *from, *to, None);
                law.loss > 0.05 || law.corrupt > 0.05
            });
            self.sight.beyond.push(beyond.collect());
        }
    }

    /// The law of a link at a time, as if one step had laid nothing.
    fn law(&self, when: Span, from: HostId, to: HostId, without: Option<usize>) -> LinkLaw {
        let mut law = self.law.clone();
        for laid in self.layers.iter().filter(|laid| Some(laid.step) != without) {
            if let Some(change) = laid.change(when, from, to) {
                law.latency = change.latency.clone().unwrap_or(law.latency);
                law.loss = change.loss.unwrap_or(law.loss);
                law.duplicate = change.duplicate.unwrap_or(law.duplicate);
                law.corrupt = change.corrupt.unwrap_or(law.corrupt);
                law.mtu = change.mtu.or(law.mtu);
            }
        }
        law
    }

    fn send(&mut self, when: Span, from: HostId, to: HostId) {
        if self.is_cut(when, from, to) {
            self.sight.sent.push((when, from, to, Fate::Cut));
            return;
        }
        let law = self.law(when, from, to, None);
        for step in 0..self.sight.affected.len() {
            if self.law(when, from, to, Some(step)) != law {
                self.sight.affected[step] += 1;
            }
        }
        let fate = if law.mtu == Some(HEADERS) {
            Fate::TooLong
        } else if law.loss == 1.0 {
            Fate::Lost
        } else {
            match (law.corrupt == 1.0, law.duplicate == 1.0) {
                (false, false) => Fate::Underway,
                (false, true) => Fate::Doubled,
                (true, false) => Fate::Corrupted,
                (true, true) => Fate::CorruptedAndDoubled,
            }
        };
        self.sight.sent.push((when, from, to, fate));
        let Latency::Constant(latency) = law.latency else {
            unreachable!("all latencies here are constant");
        };
        let copies = match fate {
            Fate::Underway | Fate::Corrupted => 1,
            Fate::Doubled | Fate::CorruptedAndDoubled => 2,
            _ => 0,
        };
        for _ in 0..copies {
            let arrival = when + latency;
            let cut = self.is_cut(arrival, from, to);
            let why = cut.then_some(DropCause::Cut);
            self.sight.came.push((arrival, from, to, why));
        }
    }

    /// Whether a cut takes a datagram; counts for each that is in its way.
    fn is_cut(&mut self, when: Span, from: HostId, to: HostId) -> bool {
        let in_the_way: Vec<usize> = self
            .layers
            .iter()
            .filter(|laid| laid.blocks(when, from, to))
            .map(|laid| laid.step)
            .collect();
        for step in &in_the_way {
            self.sight.affected[*step] += 1;
        }
        !in_the_way.is_empty()
    }
}

/// Everyone says a byte or a few to everyone else, once a round.
fn talkers() -> Draft {
    let names = ["a", "b", "c", "d", "e"];
    names.into_iter().zip(ALL).fold(plan(), |plan, (name, host)| {
        let others: Vec<HostId> = ALL.into_iter().filter(|other| *other != host).collect();
        plan.host(name, beat(&others, ROUND, ROUND))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn layers_of_all_kinds_leave_what_a_plain_network_leaves(acts in acts()) {
        let law = link(Latency::Constant(ms(1)));
        let mut plain = Plain { law: law.clone(), layers: Vec::new(), sight: Sight::default() };
        let rounds = acts.iter().filter(|(when, _)| matches!(when, When::Next)).count() as u64 + 2;
        let mut draft = talkers().links(law).limit(ROUND * (rounds + 1));
        // All acts first: what is on its way meets layers that are laid later.
        let mut at = ROUND + us(5_000);
        for (step, (when, act)) in acts.iter().enumerate() {
            if matches!(when, When::Next) {
                at = at + ROUND;
            }
            draft = draft.at(at, plain.act(step, at, act));
        }
        for round in 1..=rounds {
            for (from, to) in all().filter(|(from, to)| from != to) {
                plain.send(ROUND * round, from, to);
            }
            let blocked = |(from, to): &(HostId, HostId)| {
                plain.layers.iter().any(|laid| laid.blocks(ROUND * round, *from, *to))
            };
            let apart = all().filter(blocked).collect();
            plain.sight.apart.push(apart);
        }
        plain.sight.came.sort_by_key(|(when, from, to, _)| (*when, *from, *to));
        let story = draft.trace(1);
        let seen = Sight::of(&story.trace, rounds, story.affected());
        prop_assert_eq!(&seen.sent, &plain.sight.sent);
        prop_assert_eq!(&seen.came, &plain.sight.came);
        prop_assert_eq!(&seen.beyond, &plain.sight.beyond);
        prop_assert_eq!(&seen.apart, &plain.sight.apart);
        prop_assert_eq!(&seen.affected, &plain.sight.affected);
    }

    #[test]
    fn of_several_changes_the_last_that_says_something_has_each_part(
        base in any_law(),
        changes in prop::collection::vec(any_change(), 0..6),
    ) {
        let law = changes.iter().fold(base.clone(), |law, change| change.over(&law));
        prop_assert_eq!(law, last_words(base, &changes));
    }
}

/// What several changes make of a law, as anyone would write it down. Every part is named: one that is new does not pass unseen.
fn last_words(base: LinkLaw, changes: &[LinkChange]) -> LinkLaw {
    let LinkLaw {
        mut latency,
        mut loss,
        mut duplicate,
        mut reorder,
        mut reorder_by,
        mut corrupt,
        mut bandwidth,
        mut queue,
        mut mtu,
    } = base;
    for change in changes {
        let LinkChange {
            latency: new_latency,
            loss: new_loss,
            duplicate: new_duplicate,
            reorder: new_reorder,
            reorder_by: new_reorder_by,
            corrupt: new_corrupt,
            bandwidth: new_bandwidth,
            queue: new_queue,
            mtu: new_mtu,
        } = change.clone();
        put(new_latency, &mut latency);
        put(new_loss, &mut loss);
        put(new_duplicate, &mut duplicate);
        put(new_reorder, &mut reorder);
        put(new_reorder_by, &mut reorder_by);
        put(new_corrupt, &mut corrupt);
        put(new_bandwidth.map(Some), &mut bandwidth);
        put(new_queue, &mut queue);
        put(new_mtu.map(Some), &mut mtu);
    }
    LinkLaw {
        latency,
        loss,
        duplicate,
        reorder,
        reorder_by,
        corrupt,
        bandwidth,
        queue,
        mtu,
    }
}

fn put<T>(new: Option<T>, part: &mut T) {
    if let Some(new) = new {
        *part = new;
    }
}

/// Laws of which hardly any two are alike in any part.
fn any_law() -> impl Strategy<Value = LinkLaw> {
    let share = || 0.0..=1.0;
    let limits = (
        prop::option::of(1..u64::MAX),
        any::<u64>(),
        prop::option::of(any::<u32>()),
    );
    (
        any_latency(),
        share(),
        share(),
        share(),
        any_span(),
        share(),
        limits,
    )
        .prop_map(
            |(latency, loss, duplicate, reorder, reorder_by, corrupt, (bandwidth, queue, mtu))| LinkLaw {
                latency,
                loss,
                duplicate,
                reorder,
                reorder_by,
                corrupt,
                bandwidth,
                queue,
                mtu,
            },
        )
}

/// Changes of any parts, to anything.
fn any_change() -> impl Strategy<Value = LinkChange> {
    let share = || prop::option::of(0.0..=1.0);
    let limits = (
        prop::option::of(1..u64::MAX),
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u32>()),
    );
    let (latency, reorder_by) = (prop::option::of(any_latency()), prop::option::of(any_span()));
    (latency, share(), share(), share(), reorder_by, share(), limits).prop_map(
        |(latency, loss, duplicate, reorder, reorder_by, corrupt, (bandwidth, queue, mtu))| LinkChange {
            latency,
            loss,
            duplicate,
            reorder,
            reorder_by,
            corrupt,
            bandwidth,
            queue,
            mtu,
        },
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    (0..=Span::LONGEST.as_nanos()).prop_map(Span::from_nanos)
}

fn any_latency() -> impl Strategy<Value = Latency> {
    prop_oneof![
        any_span().prop_map(Latency::Constant),
        (any_span(), any_span()).prop_map(|(one, other)| Latency::Uniform(one.min(other), one.max(other))),
        prop::collection::vec(any_span(), 1..4).prop_map(|mut samples| {
            samples.sort();
            Latency::Empirical(samples.into())
        }),
    ]
}
