//! What a timeline can and cannot come to, found without running it: what undoes something has something to undo. `heals` counts
//! what is left to heal.

mod heals;
mod key;

use std::collections::BTreeMap;

use squall_nodes::{HostId, Time};

use self::key::{Key, key, names_the_actor};
use super::cast::{Cast, host_of};
use super::desk::Desk;
use super::faults::written_as;
use super::timeline::Timeline;
use super::triggers::{earliest, latest};
use crate::plan::{CutPlan, Fault, Layer, Step, Target};

/// When something can first happen, and its place in the file, which decides between equals.
type First = (Time, usize);

/// Complains about healing what was never laid, restarting who was never down and resuming who was never paused.
///
/// What may have happened counts as if it had: a trigger on what a node does may go off at any time, and do it to anyone.
pub(super) fn undoings(desk: &mut Desk<'_>, timeline: &Timeline, cast: &Cast) {
    let hosts = cast.names.len();
    let too_late = heals::too_late(&timeline.steps, hosts);
    let mut first = Firsts::default();
    for (index, step) in timeline.steps.iter().enumerate() {
        let at = (earliest(&step.trigger), index);
        match &step.fault {
            Fault::Crash(_, who) => first.downs.note(who, at),
            Fault::Pause(who) => first.pauses.note(who, at),
            Fault::Lay(layer) => first.layers.note(layer, hosts, at),
            Fault::Restart { .. }
            | Fault::Resume(_)
            | Fault::Jump { .. }
            | Fault::Heal(_)
            | Fault::HealAll => {}
        }
    }
    for (index, step) in timeline.steps.iter().enumerate() {
        let by = (latest(&step.trigger), index);
        let span = timeline.places[index].clone();
        match &step.fault {
            Fault::Restart { who, .. } => {
                // A host that has not booted yet is down as well.
                let is_late = |target: &Target| {
                    host_of(target).is_some_and(|host| cast.starts[host.index()] > Time::ZERO)
                };
                if let Some(never) = who
                    .iter()
                    .find(|target| !first.downs.reach(target, by) && !is_late(target))
                {
                    let hint = "a `Kill` or a `PowerCut` has to come first".to_owned();
                    let name = cast.label(std::slice::from_ref(never));
                    desk.complain(span, format!("`{name}` can never be down by then"), Some(hint));
                }
            }
            Fault::Resume(who) => {
                if let Some(never) = who.iter().find(|target| !first.pauses.reach(target, by)) {
                    let hint = "a `Pause` has to come first".to_owned();
                    let name = cast.label(std::slice::from_ref(never));
                    desk.complain(span, format!("`{name}` can never be paused by then"), Some(hint));
                }
            }
            Fault::Heal(layer) if !first.layers.reach(layer, hosts, by) => {
                let kind = written_as(layer.kind());
                let hint = match first.layers.of_kind.contains_key(layer.kind()) {
                    _ if is_ring_in_another_order(&timeline.steps, layer) => {
                        "in a ring the order of the hosts counts, and where it begins: name them as where it is laid".to_owned()
                    }
                    true => {
                        format!("a heal repeats the `{kind}` that it heals, with the same hosts and figures")
                    }
                    false => format!("there is no `{kind}` in this timeline but this one"),
                };
                desk.complain(span, "this heals what was never there by then", Some(hint));
            }
            Fault::HealAll if first.layers.over_links.is_none_or(|laid| laid >= by) => {
                let hint = "a `Partition`, a `Link` or another fault over links has to come first".to_owned();
                desk.complain(span, "this heals what was never there by then", Some(hint));
            }
            Fault::Heal(_) | Fault::HealAll => {
                if let Some(healed) = too_late.get(&index) {
                    let hint =
                        format!("it was healed at {healed}: lay it once more before this, or leave this out");
                    desk.complain(span, "this heals what is already healed by then", Some(hint));
                }
            }
            _ => {}
        }
    }
}

/// Whether a ring is laid somewhere of the same hosts in another order.
fn is_ring_in_another_order(steps: &[Step], layer: &Layer) -> bool {
    let ring = |layer: &Layer| {
        let (cut, turns) = match layer {
            Layer::Cut(cut) => (cut.clone(), None),
            Layer::Flap { cut, down, up } => (cut.clone(), Some((*down, *up))),
            _ => return None,
        };
        let CutPlan::Ring { hosts, reach } = cut else {
            return None;
        };
        let order: Vec<_> = hosts.iter().map(host_of).collect();
        let mut hosts = order.clone();
        hosts.sort_unstable();
        Some((order, (hosts, reach, turns)))
    };
    let Some((order, same)) = ring(layer) else {
        return false;
    };
    steps.iter().any(|step| match &step.fault {
        Fault::Lay(laid) => ring(laid).is_some_and(|(other, of)| of == same && other != order),
        _ => false,
    })
}

#[derive(Default)]
struct Firsts {
    downs: Hosts,
    pauses: Hosts,
    layers: Layers,
}

/// When something can first happen to each host.
#[derive(Default)]
struct Hosts {
    by_host: BTreeMap<HostId, First>,
    /// To whoever does something: to anyone.
    anyone: Option<First>,
    /// To any of them at all.
    any: Option<First>,
}

impl Hosts {
    fn note(&mut self, who: &[Target], at: First) {
        note(&mut self.any, at);
        for target in who {
            match host_of(target) {
                Some(host) => {
                    let known = self.by_host.entry(host).or_insert(at);
                    *known = (*known).min(at);
                }
                None => note(&mut self.anyone, at),
            }
        }
    }

    /// Whether it can have happened to the target before `by`.
    fn reach(&self, target: &Target, by: First) -> bool {
        let known = match host_of(target) {
            Some(host) => self.by_host.get(&host).copied(),
            None => self.any,
        };
        known.into_iter().chain(self.anyone).any(|at| at < by)
    }
}

/// When each layer can first be laid.
#[derive(Default)]
struct Layers {
    by_key: BTreeMap<Key, First>,
    of_kind: BTreeMap<&'static str, First>,
    /// Layers of a kind over whoever does something: they may be equal to any other of the kind.
    of_actor: BTreeMap<&'static str, First>,
    over_links: Option<First>,
}

impl Layers {
    fn note(&mut self, layer: &Layer, hosts: usize, at: First) {
        let key = key(layer, hosts);
        let earliest = |known: &mut First| *known = (*known).min(at);
        if names_the_actor(&key) {
            self.of_actor
                .entry(layer.kind())
                .and_modify(earliest)
                .or_insert(at);
        }
        self.of_kind
            .entry(layer.kind())
            .and_modify(earliest)
            .or_insert(at);
        self.by_key.entry(key).and_modify(earliest).or_insert(at);
        if layer.is_over_links() {
            note(&mut self.over_links, at);
        }
    }

    /// Whether an equal layer can have been laid before `by`.
    fn reach(&self, layer: &Layer, hosts: usize, by: First) -> bool {
        let key = key(layer, hosts);
        let same = match names_the_actor(&key) {
            true => self.of_kind.get(layer.kind()),
            false => self.by_key.get(&key),
        };
        let firsts = [same, self.of_actor.get(layer.kind())];
        firsts.into_iter().flatten().any(|at| *at < by)
    }
}

fn note(known: &mut Option<First>, at: First) {
    *known = Some(known.map_or(at, |known| known.min(at)));
}
