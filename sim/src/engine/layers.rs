//! Layers over links: how they are laid, come and go by themselves, and are healed.

use squall_nodes::{Change, HostId, Protocol};

use super::event::Event;
use super::see::By;
use super::{End, Engine};
use crate::layers::{Flapped, Laid, Layer, Turn};
use crate::plan::Layer as PlannedLayer;

/// How many layers may lie over the links, and how many over hosts, at once. Each costs time for every datagram or input.
pub(crate) const MOST_LAYERS: usize = 1_000;

impl<P: Protocol> Engine<'_, P> {
    /// Lays a layer over links. What it touches is counted datagram by datagram: those that a cut drops, and those that go out over
    /// a link whose law it changes.
    pub(super) fn lay_over_links(
        &mut self,
        step: usize,
        planned: &PlannedLayer,
        actor: Option<HostId>,
        by: By<'_>,
    ) {
        let Some(laid) = Laid::of(step, planned, self.hosts.len(), actor) else {
            return;
        };
        if self.layers.len() >= MOST_LAYERS {
            self.ended.get_or_insert(End::TooManyLayers);
            return;
        }
        let layer = self.layers.lay(step, actor, laid.clone());
        match laid {
            Laid::Cut(cut) => self.change(Change::Cut { layer, cut }, by),
            Laid::Flap(_) => self.turn_over(layer),
            Laid::Links(over) => {
                self.links.lay(&over);
                self.change_links(by);
            }
        }
    }

    /// Takes away the latest layer that is equal. Returns how many there were: one or none.
    pub(super) fn heal_over_links(
        &mut self,
        planned: &PlannedLayer,
        actor: Option<HostId>,
        by: By<'_>,
    ) -> u64 {
        // An equal layer may have been laid by any step.
        let equal = Laid::of(0, planned, self.hosts.len(), actor);
        match equal.and_then(|equal| self.layers.heal(&equal)) {
            Some(layer) => self.healed(layer, by),
            None => 0,
        }
    }

    /// Takes away all layers, the oldest first. Returns how many.
    pub(super) fn heal_all(&mut self, by: By<'_>) -> u64 {
        let mut layers = 0;
        while !self.is_worn_out()
            && let Some(layer) = self.layers.heal_oldest()
        {
            layers += self.healed(layer, by);
        }
        layers
    }

    fn healed(&mut self, layer: Layer, by: By<'_>) -> u64 {
        match layer.what {
            Laid::Cut(_) => self.change(Change::Healed { layer: layer.number }, by),
            Laid::Flap(flap) => {
                // Its next turn is still in the queue.
                self.stale += 1;
                self.sweep_queue();
                // While it is open nobody sees that it will not cut again.
                if let Some(layer) = flap.cutting {
                    self.change(Change::Healed { layer }, by);
                }
            }
            Laid::Links(over) => {
                self.links.heal(&over);
                self.change_links(by);
            }
        }
        1
    }

    /// A flap cuts, or opens, unless it was healed in the meantime.
    pub(super) fn flap(&mut self, layer: u32) {
        if !self.layers.has(layer) {
            self.stale = self.stale.saturating_sub(1);
        } else if self.count().is_some() {
            self.turn_over(layer);
        }
    }

    fn turn_over(&mut self, layer: u32) {
        let Some(Flapped {
            step,
            actor,
            change,
            next,
        }) = self.layers.flap(layer)
        else {
            return;
        };
        self.push(self.now + next, Event::Flap { layer });
        let change = match change {
            Turn::Cuts(layer, cut) => Change::Cut { layer, cut },
            Turn::Opens(layer) => Change::Healed { layer },
        };
        let plan = self.plan;
        self.change(change, By::step(step, &plan.timeline[step].label, actor));
    }

    fn change_links(&mut self, by: By<'_>) {
        let beyond = self.links.beyond();
        self.change(Change::Links { beyond }, by);
    }
}
