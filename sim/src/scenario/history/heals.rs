//! Heals that come when an earlier one has already taken away what they name, counted over a timeline's known times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use squall_nodes::Time;

use super::First;
use super::key::{Key, key, names_the_actor};
use crate::plan::{Fault, Layer, Step, Trigger};
use crate::scenario::triggers::earliest;

/// How many times of a timeline are counted: a tenth of a second. Of more, nothing is said.
const MOST_COUNTED: u64 = 300_000;

/// The steps, by their places, that find nothing to heal at any of their times although there was something once; and when it
/// was healed last before. The world has so many hosts.
///
/// What a node triggers may come at any time or never: what it lays may always be there, and what it heals may be left.
pub(super) fn too_late(steps: &[Step], hosts: usize) -> BTreeMap<usize, Time> {
    let mut story = Story::default();
    let mut coming = BinaryHeap::new();
    let mut found = 0_u64;
    let mut keys: BTreeMap<usize, Key> = BTreeMap::new();
    for (place, step) in steps.iter().enumerate() {
        if let Fault::Lay(layer) | Fault::Heal(layer) = &step.fault {
            keys.insert(place, key(layer, hosts));
        }
        match step.trigger {
            Trigger::At(at) | Trigger::Every { first: at, .. } if is_counted(step) => {
                coming.push(Reverse((at, found, place)));
                found += 1;
            }
            Trigger::When { .. } => story.may_be_laid(place, step, keys.get(&place)),
            Trigger::At(_) | Trigger::Every { .. } => {}
        }
    }
    let mut counted = 0;
    while let Some(Reverse((at, _, place))) = coming.pop() {
        counted += 1;
        if counted > MOST_COUNTED {
            return BTreeMap::new();
        }
        let step = &steps[place];
        // As in a run: what comes again is put in before anything else is done.
        if let Trigger::Every { interval, until, .. } = step.trigger
            && at + interval < until
        {
            coming.push(Reverse((at + interval, found, place)));
            found += 1;
        }
        story.take(at, place, step, keys.get(&place));
    }
    let effective = story.effective;
    story.idle.retain(|place, _| !effective.contains(place));
    story.idle
}

fn is_counted(step: &Step) -> bool {
    matches!(step.fault, Fault::Lay(_) | Fault::Heal(_) | Fault::HealAll)
}

/// What is there as the times go by.
#[derive(Default)]
struct Story {
    layers: BTreeMap<Key, Layers>,
    /// When something may first be laid by a trigger: layers of one key, of one kind that name whoever it is, any over links.
    maybe: BTreeMap<Key, First>,
    maybe_of_kind: BTreeMap<&'static str, First>,
    maybe_over_links: Option<First>,
    /// How many layers over links are there, and when the last of them went.
    over_links: u64,
    last_over_links: Option<Time>,
    /// The steps that healed something, or may have.
    effective: BTreeSet<usize>,
    /// Those that found nothing at some time, with the last heal before.
    idle: BTreeMap<usize, Time>,
}

/// Equal layers.
#[derive(Default)]
struct Layers {
    there: u64,
    /// When the last of them that was healed was.
    healed: Option<Time>,
    over_links: bool,
}

impl Story {
    /// A step that lays something when a node does something.
    fn may_be_laid(&mut self, place: usize, step: &Step, key: Option<&Key>) {
        let (Fault::Lay(layer), Some(key)) = (&step.fault, key) else {
            return;
        };
        let at = (earliest(&step.trigger), place);
        let first = |known: &mut First| *known = (*known).min(at);
        if names_the_actor(key) {
            self.maybe_of_kind
                .entry(layer.kind())
                .and_modify(first)
                .or_insert(at);
        }
        self.maybe.entry(key.clone()).and_modify(first).or_insert(at);
        if layer.is_over_links() {
            self.maybe_over_links = Some(self.maybe_over_links.map_or(at, |known| known.min(at)));
        }
    }

    /// A step happens at a time.
    fn take(&mut self, at: Time, place: usize, step: &Step, key: Option<&Key>) {
        match (&step.fault, key) {
            (Fault::Lay(layer), Some(key)) => self.lay(layer, key),
            (Fault::Heal(layer), Some(key)) => self.heal(at, place, layer, key),
            (Fault::HealAll, _) => self.heal_all(at, place),
            _ => {}
        }
    }

    fn lay(&mut self, layer: &Layer, key: &Key) {
        let layers = self.layers.entry(key.clone()).or_default();
        layers.there += 1;
        layers.over_links = layer.is_over_links();
        self.over_links += u64::from(layers.over_links);
    }

    fn heal(&mut self, at: Time, place: usize, layer: &Layer, key: &Key) {
        let firsts = [self.maybe.get(key), self.maybe_of_kind.get(layer.kind())];
        if firsts.into_iter().flatten().any(|first| *first < (at, place)) {
            // It may be one of those that it heals, or one of these.
            self.effective.insert(place);
            return;
        }
        let Some(layers) = self.layers.get_mut(key) else {
            return;
        };
        if layers.there > 0 {
            layers.there -= 1;
            layers.healed = Some(at);
            self.over_links -= u64::from(layers.over_links);
            if layers.over_links {
                self.last_over_links = Some(at);
            }
            self.effective.insert(place);
        } else if let Some(healed) = layers.healed {
            self.idle.insert(place, healed);
        }
    }

    fn heal_all(&mut self, at: Time, place: usize) {
        let maybe = self.maybe_over_links.is_some_and(|first| first < (at, place));
        match (maybe || self.over_links > 0, self.last_over_links) {
            (true, _) => {
                self.effective.insert(place);
            }
            (false, Some(healed)) => {
                self.idle.insert(place, healed);
            }
            (false, None) => {}
        }
        if self.over_links == 0 {
            return;
        }
        for layers in self
            .layers
            .values_mut()
            .filter(|layers| layers.over_links && layers.there > 0)
        {
            layers.there = 0;
            layers.healed = Some(at);
        }
        self.over_links = 0;
        self.last_over_links = Some(at);
    }
}
