//! The plain network: it keeps every layer that was ever laid, and asks each of them about each datagram.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::sample::Index;
use squall_nodes::{HostId, Span};
use squall_sim::plan::{CutPlan, Fault, HEADERS, Latency, Layer, LinkChange, LinkLaw, Target};
use squall_sim::trace::{DropCause, Fate};

use super::acts::Act;
use super::held::held;
use super::{ALL, Disturbance, ROUND, Sight, all};
use crate::plans::{flap, ms, partition};

/// The plain network: every layer that was ever laid, and when each link has carried what it was given.
pub(super) struct Plain {
    law: LinkLaw,
    /// Nothing happens from then on.
    limit: Span,
    layers: Vec<Laid>,
    /// For each link, what it was given to carry: when it is done with it, and how fast it did that, in bits a second.
    carried: BTreeMap<(HostId, HostId), Vec<(Span, u64)>>,
    /// How much each host has said.
    said: BTreeMap<HostId, u64>,
    pub(super) sight: Sight,
    /// What happened that a sight does not show by itself, once for each time.
    pub(super) also: Vec<&'static str>,
    /// Whether anything happened at the very time at which a flap turned over.
    pub(super) is_close: bool,
}

impl Plain {
    pub(super) fn new(law: LinkLaw, limit: Span) -> Self {
        Plain {
            law,
            limit,
            layers: Vec::new(),
            carried: BTreeMap::new(),
            said: BTreeMap::new(),
            sight: Sight::default(),
            also: Vec::new(),
            is_close: false,
        }
    }

    /// Does what an act says, as a step of the timeline.
    pub(super) fn act(&mut self, step: usize, at: Span, act: &Act) -> Fault {
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
    fn reworded(&self, which: &Index) -> Layer {
        let laid = self.layers.get(which.index(self.layers.len().max(1)));
        laid.map_or(Layer::Cut(partition(&[])), |laid| reworded(&laid.layer))
    }

    /// When the laws of links have changed, those that are beyond what is tolerated are told.
    fn note_links(&mut self, at: Span, layer: &Layer) {
        if matches!(layer, Layer::Links { .. }) {
            let beyond = all().filter(|(from, to)| is_beyond(&self.law(at, *from, *to, None)));
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
                law.reorder = change.reorder.unwrap_or(law.reorder);
                law.reorder_by = change.reorder_by.unwrap_or(law.reorder_by);
                law.corrupt = change.corrupt.unwrap_or(law.corrupt);
                law.bandwidth = change.bandwidth.or(law.bandwidth);
                law.queue = change.queue.unwrap_or(law.queue);
                law.mtu = change.mtu.or(law.mtu);
            }
        }
        law
    }

    /// Everyone says something to everyone else.
    pub(super) fn round(&mut self, round: u64) {
        let when = ROUND * round;
        for (from, to) in all().filter(|(from, to)| from != to) {
            self.send(when, from, to, round);
        }
        let blocked =
            |(from, to): &(HostId, HostId)| self.layers.iter().any(|laid| laid.blocks(when, *from, *to));
        let apart = all().filter(blocked).collect();
        self.sight.apart.push(apart);
    }

    fn send(&mut self, when: Span, from: HostId, to: HostId, round: u64) {
        let said = self.said.entry(from).or_default();
        let bytes = HEADERS + said.to_string().len() as u64;
        *said += 1;
        if self.is_cut(when, from, to) {
            self.sight.sent.push((when, from, to, Fate::Cut));
            return;
        }
        let law = self.law(when, from, to, None);
        for step in 0..self.sight.affected.len() {
            if in_force(&self.law(when, from, to, Some(step))) != in_force(&law) {
                self.sight.affected[step] += 1;
            }
        }
        let too_long = law.mtu.is_some_and(|mtu| bytes > u64::from(mtu));
        let leaves = match law.bandwidth {
            Some(bandwidth) if !too_long => self.carry(when, (from, to), bytes, bandwidth, law.queue),
            _ => Some(when),
        };
        let fate = if too_long {
            Fate::TooLong
        } else if leaves.is_none() {
            Fate::Congested
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
        let left = leaves.unwrap_or(when);
        let held = match in_force(&law).held {
            by if by.is_zero() => Span::ZERO,
            by => held(by, from, to, round),
        };
        // A copy is not held back.
        let arrivals: &[Span] = match fate {
            Fate::Congested | Fate::TooLong => {
                self.sight.disturbed.push((when, from, to, Disturbance::Choked));
                &[]
            }
            Fate::Underway | Fate::Corrupted => &[left + latency(&law) + held],
            Fate::Doubled | Fate::CorruptedAndDoubled => &[left + latency(&law) + held, left + latency(&law)],
            _ => &[],
        };
        // What was said before is known to its end: whatever comes before that has overtaken it.
        let before = self
            .sight
            .came
            .iter()
            .filter(|came| (came.1, came.2) == (from, to));
        let latest = before.map(|came| came.0).max();
        let overtaken = arrivals.iter().filter(|arrival| latest > Some(**arrival));
        self.also.extend(overtaken.map(|_| "overtaken"));
        for arrival in arrivals {
            self.come(when, *arrival, from, to, &law);
        }
    }

    /// Gives a link something to carry. Returns when it is done with it; `None` if there is no room.
    fn carry(
        &mut self,
        when: Span,
        link: (HostId, HostId),
        bytes: u64,
        bandwidth: u64,
        queue: u64,
    ) -> Option<Span> {
        let carried = self.carried.entry(link).or_default();
        let (free, before) = carried.last().copied().unwrap_or((Span::ZERO, bandwidth));
        let free = free.max(when);
        let nanobits = u128::from((free - when).as_nanos()) * u128::from(bandwidth);
        let waiting = (nanobits / 8_000_000_000) as u64;
        if waiting > 0 && before != bandwidth {
            self.also.push("waited for one of another law");
        }
        if waiting + bytes > queue {
            return None;
        }
        let takes = (u128::from(bytes) * 8_000_000_000).div_ceil(u128::from(bandwidth));
        let leaves = free + Span::from_nanos(takes as u64);
        carried.push((leaves, bandwidth));
        Some(leaves)
    }

    /// Something that was sent under a law comes in, unless a cut takes it on its way.
    fn come(&mut self, sent: Span, when: Span, from: HostId, to: HostId, law: &LinkLaw) {
        if when >= self.limit {
            return;
        }
        if when - sent > TOLERATED && is_beyond(law) {
            self.sight
                .disturbed
                .push((when, from, to, Disturbance::Straggled));
        }
        let cut = self.is_cut(when, from, to);
        let why = cut.then_some(DropCause::Cut);
        self.sight.came.push((when, from, to, why));
    }

    /// Whether a cut takes a datagram; counts for each that is in its way.
    fn is_cut(&mut self, when: Span, from: HostId, to: HostId) -> bool {
        self.is_close |= self.layers.iter().any(|laid| laid.turns_over(when));
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

/// What of a law makes a difference to any datagram.
#[derive(PartialEq)]
struct InForce {
    latency: Span,
    loss: f64,
    duplicate: f64,
    /// How long a datagram is held back at most.
    held: Span,
    corrupt: f64,
    /// The bandwidth, and how much may wait.
    carries: Option<(u64, u64)>,
    mtu: Option<u32>,
}

fn in_force(law: &LinkLaw) -> InForce {
    InForce {
        latency: latency(law),
        loss: law.loss,
        duplicate: law.duplicate,
        held: if law.reorder == 1.0 {
            law.reorder_by
        } else {
            Span::ZERO
        },
        corrupt: law.corrupt,
        carries: law.bandwidth.map(|bandwidth| (bandwidth, law.queue)),
        mtu: law.mtu,
    }
}

fn latency(law: &LinkLaw) -> Span {
    let Latency::Constant(latency) = law.latency else {
        unreachable!("all latencies here are constant");
    };
    latency
}

/// How long anything may take on a link, and still be tolerated.
const TOLERATED: Span = ms(100);

/// Whether a law is worse than what is tolerated.
fn is_beyond(law: &LinkLaw) -> bool {
    let InForce {
        latency,
        loss,
        held,
        corrupt,
        carries,
        ..
    } = in_force(law);
    let full = carries.map_or(0, |(bandwidth, queue)| {
        (u128::from(queue) * 8_000_000_000).div_ceil(u128::from(bandwidth))
    });
    let longest = latency + held + Span::from_nanos(full as u64);
    loss > 0.05 || corrupt > 0.05 || longest > TOLERATED
}

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

    /// Whether it is a flap that comes or goes by itself at this very time.
    fn turns_over(&self, when: Span) -> bool {
        let Layer::Flap { down, up, .. } = &self.layer else {
            return false;
        };
        self.at < when && self.is_there(when) && {
            let into = (when - self.at).as_nanos() % (*down + *up).as_nanos();
            into == 0 || into == down.as_nanos()
        }
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
