//! Layers that change the laws of links, and what becomes of a law under several.

use std::sync::Arc;

use squall_nodes::{HostId, Span};

use crate::plan::{LinkChange, LinkLaw};

/// A layer that changes the laws of links.
#[derive(Debug)]
pub struct Over {
    /// The place in the timeline of what laid it.
    pub step: usize,
    /// From whom: sorted, each once.
    pub from: Vec<HostId>,
    /// To whom: sorted, each once.
    pub to: Vec<HostId>,
    /// What is put in place of parts of their laws.
    pub change: LinkChange,
}

impl Over {
    /// The links that it lies over, sorted.
    pub fn pairs(&self) -> impl Iterator<Item = (HostId, HostId)> + '_ {
        let to = |from: HostId| {
            self.to
                .iter()
                .filter(move |to| **to != from)
                .map(move |to| (from, *to))
        };
        self.from.iter().copied().flat_map(to)
    }

    /// Whether it lies over a link.
    pub fn is_over(&self, from: HostId, to: HostId) -> bool {
        from != to && self.from.binary_search(&from).is_ok() && self.to.binary_search(&to).is_ok()
    }
}

/// What becomes of a law under layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The law.
    pub law: LinkLaw,
    /// The places in the timeline of those without whose layers it would be another law, sorted, each once: a datagram counts for these.
    pub steps: Vec<usize>,
    /// How many places were looked at for that.
    pub(crate) looked_at: usize,
}

impl Effective {
    /// Of a law under layers, in the order in which they were laid.
    pub fn under(plain: &LinkLaw, layers: &[Arc<Over>]) -> Self {
        let law = laid_on(plain, layers.iter());
        let mut steps = last_words(layers);
        let looked_at = steps.len();
        let effective = in_force(law.clone());
        steps.retain(|step| {
            let others = layers.iter().filter(|layer| layer.step != *step);
            in_force(laid_on(plain, others)) != effective
        });
        Effective {
            law,
            steps,
            looked_at,
        }
    }
}

/// What a law becomes under layers.
fn laid_on<'o>(plain: &LinkLaw, layers: impl Iterator<Item = &'o Arc<Over>>) -> LinkLaw {
    layers.fold(plain.clone(), |law, layer| layer.change.over(&law))
}

/// The steps that have the last word on some part of the law, sorted. Without any other step the law is the same.
fn last_words(layers: &[Arc<Over>]) -> Vec<usize> {
    let mut last = [None; 9];
    for layer in layers {
        let LinkChange {
            latency,
            loss,
            duplicate,
            reorder,
            reorder_by,
            corrupt,
            bandwidth,
            queue,
            mtu,
        } = &layer.change;
        let says = [
            latency.is_some(),
            loss.is_some(),
            duplicate.is_some(),
            reorder.is_some(),
            reorder_by.is_some(),
            corrupt.is_some(),
            bandwidth.is_some(),
            queue.is_some(),
            mtu.is_some(),
        ];
        for (last, says) in last.iter_mut().zip(says) {
            if says {
                *last = Some(layer.step);
            }
        }
    }
    let mut steps: Vec<usize> = last.into_iter().flatten().collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// A law with nothing in it that does nothing: how far the held back are held back where none is, the queue of no bandwidth.
fn in_force(mut law: LinkLaw) -> LinkLaw {
    if law.reorder == 0.0 || law.reorder_by.is_zero() {
        (law.reorder, law.reorder_by) = (0.0, Span::ZERO);
    }
    if law.bandwidth.is_none() {
        law.queue = LinkLaw::QUEUE;
    }
    law
}
