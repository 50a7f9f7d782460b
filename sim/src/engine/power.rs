//! What becomes of a simulated machine when it goes up, down, or on after a pause.

use squall_nodes::{HostId, Node, NodeRng, Protocol};

use super::Engine;
use super::event::Event;
use crate::trace::DropCause;

impl<P: Protocol> Engine<'_, P> {
    /// Boots the node of a host that is down.
    pub(super) fn boot(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        host.incarnation = host.boots;
        host.boots += 1;
        host.ids = squall_nodes::Ids::default();
        host.disk.writes = 0;
        let rng = NodeRng::new(self.seed, self.keys[id.index()], host.incarnation);
        let placed = &self.placed[id.index()];
        host.node = Some(P::Node::boot(
            &placed.role,
            &placed.config,
            host.disk.contents.as_deref(),
            rng,
        ));
        let incarnation = host.incarnation;
        self.push(
            self.now,
            Event::Start {
                host: id,
                incarnation,
            },
        );
    }

    /// Takes down a host that is up: its memory is gone, and of a write under way the disk holds all or nothing.
    pub(super) fn take_down(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        host.node = None;
        host.ports.clear();
        self.stale += host.timers.clear();
        if let Some(barrier) = host.barrier.take() {
            // Its own ordinal: the one of the write itself says how long the write takes.
            let word = self.draws.disk(
                self.keys[id.index()],
                host.incarnation,
                u64::MAX - host.disk.writes,
            );
            if word & 1 == 1 {
                host.disk.contents = Some(barrier.writing.bytes);
            }
        }
        let mut unread = host.paused.take().map_or_else(Vec::new, |held| held.events);
        if !self.released.is_empty() {
            // It was resumed a moment ago and has not found all that came in.
            self.released.retain(|entry| {
                let others = entry.1.host() != Some(id);
                if !others {
                    unread.push(*entry);
                }
                others
            });
        }
        for (_, event) in unread {
            if let Event::Datagram(datagram) = event {
                self.drop_arrived(datagram, DropCause::Down);
            }
        }
        self.sweep_queue();
    }

    /// Lets a paused host find what came in, in order and before anything else comes up.
    pub(super) fn release_held(&mut self, id: HostId) {
        if let Some(held) = self.hosts[id.index()].paused.take() {
            self.released.extend(held.events);
        }
    }
}
