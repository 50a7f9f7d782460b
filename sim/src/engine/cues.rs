//! What nodes do and steps of the timeline [wait for](crate::timeline::cues): what it triggers at once strikes before anything else is done.

use squall_nodes::{HostId, Protocol};

use super::Engine;
use super::event::Event;
use crate::timeline::cues::Deed;

impl<P: Protocol> Engine<'_, P> {
    /// Counts what a node has just done for the steps that wait for it. What it triggers at once waits in `triggered`.
    pub(super) fn cue(&mut self, id: HostId, deed: Deed) {
        if !self.cues.wait_for(deed) {
            return;
        }
        let mut cued = std::mem::take(&mut self.cued);
        self.cues.note(&self.plan.timeline, id, deed, &mut cued);
        for now in cued.drain(..) {
            if now.after.is_zero() {
                self.triggered.push_back((now.step, id));
            } else {
                let (step, actor) = (now.step, Some(id));
                self.push(self.now + now.after, Event::Step { step, actor });
            }
        }
        self.cued = cued;
        self.weigh_effort();
    }

    /// Does what a node's deed triggers at once. Whether the rest of what it asked for is still to be done.
    #[inline(always)]
    pub(super) fn cued(&mut self, id: HostId, incarnation: u32, deed: Deed) -> bool {
        !self.cues.wait_for(deed) || self.cued_by_waiting(id, incarnation, deed)
    }

    #[cold]
    fn cued_by_waiting(&mut self, id: HostId, incarnation: u32, deed: Deed) -> bool {
        self.cue(id, deed);
        self.goes_on(id, incarnation)
    }

    /// Whether the rest of what a node asked for is still to be done, once all that it triggered has happened.
    pub(super) fn goes_on(&mut self, id: HostId, incarnation: u32) -> bool {
        while self.ended.is_none()
            && let Some((step, actor)) = self.triggered.pop_front()
        {
            self.strike(step as usize, Some(actor));
        }
        self.ended.is_none() && self.hosts[id.index()].lives(incarnation)
    }
}
