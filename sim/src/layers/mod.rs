//! The layers that lie over the links now, of all kinds, in the order in which they were laid: in a simulated run and in a live one.
//!
//! `over` is the kind that changes laws, and what becomes of a law under several.

mod over;

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::{Cut, HostId, Span};

use crate::plan::{Layer as PlannedLayer, Target};

pub use over::{Effective, Over};

/// The layers that lie over the links.
#[derive(Default)]
pub struct Layers {
    layers: Vec<Layer>,
    /// How many of them cut links at present.
    cutting: usize,
    /// How many numbers were given out.
    numbers: u32,
}

/// One of them.
pub struct Layer {
    /// What it is known by. No other layer, and no other time that a flap cuts, has the same.
    pub number: u32,
    /// The place in the timeline of what laid it.
    pub step: usize,
    /// Who did what triggered it.
    pub actor: Option<HostId>,
    /// What was laid.
    pub what: Laid,
}

/// What was laid. Two are equal when they come to the same for every host.
#[derive(Clone, Debug)]
pub enum Laid {
    /// Links are cut.
    Cut(Cut),
    /// Links are cut, and open, and cut again.
    Flap(Flap),
    /// Links have other laws.
    Links(Arc<Over>),
}

/// A cut that comes and goes.
#[derive(Clone, Debug)]
pub struct Flap {
    /// Which links.
    pub cut: Cut,
    /// For how long they are cut each time.
    pub down: Span,
    /// For how long they are open each time.
    pub up: Span,
    /// Under which number it cuts; `None` while it is open.
    pub cutting: Option<u32>,
}

impl Layers {
    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.layers.clear();
        self.cutting = 0;
        self.numbers = 0;
    }

    /// Whether any link is cut.
    #[inline]
    pub fn cut_any(&self) -> bool {
        self.cutting > 0
    }

    /// Those that change the laws of links, in the order in which they were laid.
    pub fn over_laws(&self) -> impl Iterator<Item = &Arc<Over>> {
        self.layers.iter().filter_map(|layer| match &layer.what {
            Laid::Links(over) => Some(over),
            Laid::Cut(_) | Laid::Flap(_) => None,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Lays a layer, a flap open. Returns its number.
    pub fn lay(&mut self, step: usize, actor: Option<HostId>, what: Laid) -> u32 {
        self.numbers += 1;
        let layer = Layer {
            number: self.numbers,
            step,
            actor,
            what,
        };
        self.cutting += usize::from(layer.cuts().is_some());
        self.layers.push(layer);
        self.numbers
    }

    /// Takes away the latest layer that is equal.
    pub fn heal(&mut self, what: &Laid) -> Option<Layer> {
        let place = self.layers.iter().rposition(|layer| layer.what == *what)?;
        Some(self.take(place))
    }

    /// Takes away the oldest layer.
    pub fn heal_oldest(&mut self) -> Option<Layer> {
        (!self.layers.is_empty()).then(|| self.take(0))
    }

    fn take(&mut self, place: usize) -> Layer {
        let layer = self.layers.remove(place);
        self.cutting -= usize::from(layer.cuts().is_some());
        layer
    }

    /// Whether there is a layer of this number.
    pub fn has(&self, number: u32) -> bool {
        self.place(number).is_some()
    }

    /// Turns a flap over: one that cuts is open now, and the other way round. `None` when it is healed.
    pub fn flap(&mut self, number: u32) -> Option<Flapped> {
        let place = self.place(number)?;
        let Layer {
            step, actor, what, ..
        } = &mut self.layers[place];
        let Laid::Flap(flap) = what else {
            return None;
        };
        let (change, next) = match flap.cutting.take() {
            Some(cut) => {
                self.cutting -= 1;
                (Turn::Opens(cut), flap.up)
            }
            None => {
                self.cutting += 1;
                self.numbers += 1;
                flap.cutting = Some(self.numbers);
                (Turn::Cuts(self.numbers, flap.cut.clone()), flap.down)
            }
        };
        Some(Flapped {
            step: *step,
            actor: *actor,
            change,
            next,
        })
    }

    /// The places in the timeline of what keeps `from` from reaching `to`.
    pub fn between(&self, from: HostId, to: HostId) -> impl Iterator<Item = usize> + '_ {
        self.layers
            .iter()
            .filter(move |layer| layer.cuts().is_some_and(|cut| cut.blocks(from, to)))
            .map(|layer| layer.step)
    }

    /// Layers are in the order of their numbers.
    fn place(&self, number: u32) -> Option<usize> {
        self.layers
            .binary_search_by_key(&number, |layer| layer.number)
            .ok()
    }
}

/// What comes of a flap that is turned over.
pub struct Flapped {
    /// The place in the timeline of what laid it.
    pub step: usize,
    /// Who did what triggered that.
    pub actor: Option<HostId>,
    /// What becomes of it.
    pub change: Turn,
    /// For how long it stays so.
    pub next: Span,
}

/// What becomes of a flap that is turned over.
pub enum Turn {
    /// It cuts, under a number.
    Cuts(u32, Cut),
    /// It does not cut any more, as it did under a number.
    Opens(u32),
}

impl Layer {
    /// The links that it cuts at present.
    fn cuts(&self) -> Option<&Cut> {
        match &self.what {
            Laid::Cut(cut) => Some(cut),
            Laid::Flap(flap) => flap.cutting.is_some().then_some(&flap.cut),
            Laid::Links(_) => None,
        }
    }
}

impl Laid {
    /// A layer over links that `step` of a timeline lays over so many hosts, where `actor` did what triggered it; `None` for a layer that
    /// lies over something else.
    pub fn of(step: usize, planned: &PlannedLayer, hosts: usize, actor: Option<HostId>) -> Option<Laid> {
        match planned {
            PlannedLayer::Cut(plan) => Some(Laid::Cut(plan.resolve(hosts, actor))),
            PlannedLayer::Flap { cut, down, up } => Some(Laid::Flap(Flap {
                cut: cut.resolve(hosts, actor),
                down: *down,
                up: *up,
                cutting: None,
            })),
            PlannedLayer::Links { from, to, change } => {
                let sorted = |who: &[Target]| {
                    let mut who: Vec<HostId> = who.iter().filter_map(|target| target.host(actor)).collect();
                    who.sort_unstable();
                    who.dedup();
                    who
                };
                Some(Laid::Links(Arc::new(Over {
                    step,
                    from: sorted(from),
                    to: sorted(to),
                    change: change.clone(),
                })))
            }
            PlannedLayer::Slow { .. }
            | PlannedLayer::SlowDisk { .. }
            | PlannedLayer::FailingDisk { .. }
            | PlannedLayer::Drift { .. } => None,
        }
    }
}

impl PartialEq for Laid {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Laid::Cut(one), Laid::Cut(other)) => are_alike(one, other),
            (Laid::Flap(one), Laid::Flap(other)) => {
                (one.down, one.up) == (other.down, other.up) && are_alike(&one.cut, &other.cut)
            }
            (Laid::Links(one), Laid::Links(other)) => {
                (&one.from, &one.to, &one.change) == (&other.from, &other.to, &other.change)
            }
            (Laid::Cut(_) | Laid::Flap(_) | Laid::Links(_), _) => false,
        }
    }
}

/// Whether two cuts of one kind come to the same for every host. What groups are numbered says nothing; the places in a ring do.
fn are_alike(one: &Cut, other: &Cut) -> bool {
    match (one, other) {
        (Cut::Groups(one), Cut::Groups(other)) => are_renamed(one, other, None),
        (Cut::Bridge(one), Cut::Bridge(other)) => are_renamed(one, other, Some(Cut::BRIDGE)),
        _ => one == other,
    }
}

/// Whether the same hosts are together in both, whatever their groups are called; but for one name that means the same in both.
fn are_renamed(one: &[u32], other: &[u32], fixed: Option<u32>) -> bool {
    let mut there: BTreeMap<u32, u32> = fixed.into_iter().map(|name| (name, name)).collect();
    let mut back = there.clone();
    one.iter().zip(other).all(|(one, other)| {
        *there.entry(*one).or_insert(*other) == *other && *back.entry(*other).or_insert(*one) == *one
    })
}
