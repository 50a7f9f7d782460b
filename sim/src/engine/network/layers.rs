//! The layers that lie over the links now, of all kinds, in the order in which they were laid.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_nodes::{Cut, HostId, Span};

use super::laws::Over;

/// The layers that lie over the links.
#[derive(Default)]
pub(crate) struct Layers {
    layers: Vec<Layer>,
    /// How many of them cut links at present.
    cutting: usize,
    /// How many numbers were given out.
    numbers: u32,
}

pub(crate) struct Layer {
    /// What it is known by. No other layer, and no other time that a flap cuts, has the same.
    pub(crate) number: u32,
    /// The place in the timeline of what laid it.
    pub(crate) step: usize,
    /// Who did what triggered it.
    actor: Option<HostId>,
    pub(crate) what: Laid,
}

/// What was laid. Two are equal when they come to the same for every host.
#[derive(Clone, Debug)]
pub(crate) enum Laid {
    Cut(Cut),
    Flap(Flap),
    Links(Arc<Over>),
}

/// A cut that comes and goes.
#[derive(Clone, Debug)]
pub(crate) struct Flap {
    pub(crate) cut: Cut,
    pub(crate) down: Span,
    pub(crate) up: Span,
    /// Under which number it cuts; `None` while it is open.
    pub(crate) cutting: Option<u32>,
}

impl Layers {
    pub(crate) fn clear(&mut self) {
        self.layers.clear();
        self.cutting = 0;
        self.numbers = 0;
    }

    /// Whether any link is cut.
    #[inline]
    pub(crate) fn cut_any(&self) -> bool {
        self.cutting > 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// Lays a layer, a flap open. Returns its number.
    pub(crate) fn lay(&mut self, step: usize, actor: Option<HostId>, what: Laid) -> u32 {
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
    pub(crate) fn heal(&mut self, what: &Laid) -> Option<Layer> {
        let place = self.layers.iter().rposition(|layer| layer.what == *what)?;
        Some(self.take(place))
    }

    /// Takes away the oldest layer.
    pub(crate) fn heal_oldest(&mut self) -> Option<Layer> {
        (!self.layers.is_empty()).then(|| self.take(0))
    }

    fn take(&mut self, place: usize) -> Layer {
        let layer = self.layers.remove(place);
        self.cutting -= usize::from(layer.cuts().is_some());
        layer
    }

    /// Whether there is a layer of this number.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.place(number).is_some()
    }

    /// Turns a flap over: one that cuts is open now, and the other way round. `None` when it is healed.
    pub(crate) fn flap(&mut self, number: u32) -> Option<Flapped> {
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
    pub(crate) fn between(&self, from: HostId, to: HostId) -> impl Iterator<Item = usize> + '_ {
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
pub(crate) struct Flapped {
    /// The place in the timeline of what laid it.
    pub(crate) step: usize,
    /// Who did what triggered that.
    pub(crate) actor: Option<HostId>,
    pub(crate) change: Turn,
    /// For how long it stays so.
    pub(crate) next: Span,
}

pub(crate) enum Turn {
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
