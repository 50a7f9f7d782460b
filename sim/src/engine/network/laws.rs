//! Which law each link has: the plan's, or what the layers over the link make of it.
//!
//! The laws that layers make are found when a layer is laid or healed, for all links that it names, so that a datagram costs the same
//! with layers and without. Links that are alike (the same law of the plan, under the same layers) mostly share one law.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::link::passage::Law;
use squall_nodes::{HostId, Tolerance};

use crate::layers::{Effective, Over};
use crate::plan::{LinkLaw, Network};

type Pair = (HostId, HostId);

pub(super) struct Laws<'p> {
    network: &'p Network,
    tolerated: Tolerance,
    /// The laws of the plan.
    bases: Vec<&'p LinkLaw>,
    /// At work: first the laws of the plan, then those that layers make.
    laws: Vec<Law>,
    /// Of those that layers make, what they are made of.
    made: Vec<Made>,
    /// Places among `made` that are free.
    free: Vec<u32>,
    /// The links that layers lie over, sorted, with their laws.
    changed: Vec<(Pair, u32)>,
    /// The buffer in which the next of these lists is put together.
    spare: Vec<(Pair, u32)>,
    effort: u64,
}

#[derive(Default)]
struct Made {
    /// The place of the law that the links have without any layer.
    base: u32,
    /// The layers, in the order in which they were laid.
    layers: Vec<Arc<Over>>,
    /// How many links have it.
    links: usize,
    /// Whether it is beyond what is tolerated.
    beyond: bool,
}

impl<'p> Laws<'p> {
    /// What a link that a layer names costs each time: its law is looked up, the link is, and the next list gets it.
    const LINK: u64 = 16;
    /// What a law costs for each layer that is laid on, to find it or what it would be without one of them.
    const LAYER: u64 = 16;

    pub(super) fn new(network: &'p Network, tolerated: Tolerance) -> Self {
        Laws {
            network,
            tolerated,
            bases: network.laws().collect(),
            laws: network.laws().map(|law| Law::new(law, Vec::new())).collect(),
            made: Vec::new(),
            free: Vec::new(),
            changed: Vec::new(),
            spare: Vec::new(),
            effort: 0,
        }
    }

    /// Forgets every layer.
    pub(super) fn clear(&mut self) {
        self.laws.truncate(self.bases.len());
        self.made.clear();
        self.free.clear();
        self.changed.clear();
        self.effort = 0;
    }

    #[inline]
    pub(super) fn get(&self, law: u32) -> &Law {
        &self.laws[law as usize]
    }

    /// The law that a link has now.
    #[cold]
    pub(super) fn of(&self, from: HostId, to: HostId) -> u32 {
        match self.changed.binary_search_by_key(&(from, to), |(pair, _)| *pair) {
            Ok(place) => self.changed[place].1,
            Err(_) => self.network.place(from, to) as u32,
        }
    }

    /// How many laws are kept, those that are free included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.laws.len()
    }

    pub(super) fn effort(&self) -> u64 {
        self.effort
    }

    /// The links with laws beyond what is tolerated, as far as layers lie over them.
    pub(super) fn beyond(&self) -> Vec<Pair> {
        let pairs = self.changed.iter().filter(|(_, law)| self.is_law_beyond(*law));
        pairs.map(|(pair, _)| *pair).collect()
    }

    /// Whether a link is one of them.
    pub(super) fn is_beyond(&self, link: Pair) -> bool {
        let place = self.changed.binary_search_by_key(&link, |(pair, _)| *pair);
        place.is_ok_and(|place| self.is_law_beyond(self.changed[place].1))
    }

    /// Of a law that layers make.
    fn is_law_beyond(&self, law: u32) -> bool {
        self.made[law as usize - self.bases.len()].beyond
    }

    /// Lays a layer; `set` is told the new law of each link that it names.
    pub(super) fn lay(&mut self, over: &Arc<Over>, set: impl FnMut(Pair, u32)) {
        self.change(over, Edit::Lay, set);
    }

    /// Takes a layer away; `set` is told the new law of each link that it named.
    pub(super) fn heal(&mut self, over: &Arc<Over>, set: impl FnMut(Pair, u32)) {
        self.change(over, Edit::Heal, set);
    }

    fn change(&mut self, over: &Arc<Over>, edit: Edit, mut set: impl FnMut(Pair, u32)) {
        let mut before = std::mem::take(&mut self.changed);
        let mut after = std::mem::take(&mut self.spare);
        let mut rest = before.iter().copied().peekable();
        // For each law that a link had the one that it gets; and the last of them, since neighbours are often alike.
        let mut turned = BTreeMap::new();
        let mut last = None;
        for pair in over.pairs() {
            while let Some(entry) = rest.next_if(|(other, _)| *other < pair) {
                after.push(entry);
            }
            let old = match rest.next_if(|(other, _)| *other == pair) {
                Some((_, law)) => law,
                None => self.network.place(pair.0, pair.1) as u32,
            };
            let new = match last {
                Some((known, new)) if known == old => new,
                _ => *turned.entry(old).or_insert_with(|| self.turn(old, over, edit)),
            };
            last = Some((old, new));
            if let Some(made) = self.made(old) {
                made.links -= 1;
            }
            if let Some(made) = self.made(new) {
                made.links += 1;
                after.push((pair, new));
            }
            set(pair, new);
            self.effort += Self::LINK;
        }
        after.extend(rest);
        self.effort += after.len() as u64;
        for old in turned.into_keys() {
            self.free_unused(old);
        }
        before.clear();
        self.changed = after;
        self.spare = before;
    }

    /// The law that a law becomes when a layer is laid over it or taken away from it.
    fn turn(&mut self, law: u32, over: &Arc<Over>, edit: Edit) -> u32 {
        let (base, mut layers) = match self.made(law) {
            Some(made) => (made.base, made.layers.clone()),
            None => (law, Vec::new()),
        };
        match edit {
            Edit::Lay => layers.push(Arc::clone(over)),
            Edit::Heal => layers.retain(|layer| !Arc::ptr_eq(layer, over)),
        }
        if layers.is_empty() {
            return base;
        }
        let plain = self.bases[base as usize];
        let Effective {
            law,
            steps,
            looked_at,
        } = Effective::under(plain, &layers);
        // Once for the law, and once for each step without which it is looked at.
        self.effort += Self::LAYER * layers.len() as u64 * (1 + looked_at as u64);
        let made = Made {
            base,
            layers,
            links: 0,
            beyond: !law.is_within(&self.tolerated),
        };
        let law = Law::new(&law, steps.into_iter().map(|step| step as u32).collect());
        let place = self.free.pop();
        match place {
            Some(place) => {
                self.made[place as usize] = made;
                self.laws[self.bases.len() + place as usize] = law;
            }
            None => {
                self.made.push(made);
                self.laws.push(law);
            }
        }
        let place = place.map_or(self.made.len() - 1, |place| place as usize);
        (self.bases.len() + place) as u32
    }

    /// What a law is made of, unless it is one of the plan's.
    fn made(&mut self, law: u32) -> Option<&mut Made> {
        let place = (law as usize).checked_sub(self.bases.len())?;
        Some(&mut self.made[place])
    }

    fn free_unused(&mut self, law: u32) {
        if let Some(made) = self.made(law)
            && made.links == 0
        {
            *made = Made::default();
            self.free.push(law - self.bases.len() as u32);
        }
    }
}

#[derive(Clone, Copy)]
enum Edit {
    Lay,
    Heal,
}
