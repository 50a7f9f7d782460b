//! What becomes of a simulated machine when it goes up or down.

use squall_nodes::{HostId, Node, NodeRng, Protocol};

use super::Engine;
use super::event::Event;
use super::host::{Held, Power};
use super::see::By;
use crate::trace::DropCause;

impl<P: Protocol> Engine<'_, P> {
    /// Boots the node of a host that is down.
    pub(super) fn boot(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        host.power = Power::On;
        host.incarnation = host.boots;
        host.boots += 1;
        host.ids = squall_nodes::Ids::default();
        let before = host.disk.taken();
        host.disk.begin_life();
        let lost = before - host.disk.taken();
        let rng = NodeRng::new(self.seed, self.keys[id.index()], host.incarnation);
        let placed = &self.placed[id.index()];
        host.node = Some(P::Node::boot(
            &placed.role,
            &placed.config,
            host.disk.contents.as_deref(),
            rng,
        ));
        if !host.slow_by.is_zero() {
            host.held = Some(Box::default());
        }
        let incarnation = host.incarnation;
        self.account(lost, 0);
        let at = self.boots_at(id);
        self.push(
            at,
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
        if let Some(mut barrier) = host.barrier.take()
            && let Some(writing) = barrier.writing.take()
        {
            // Its own ordinal: the one of the write itself says how long the write takes.
            let word = self.draws.disk(
                self.keys[id.index()],
                host.incarnation,
                u64::MAX - host.disk.writes,
            );
            let before = barrier.bytes + host.disk.taken();
            if word & 1 == 1 {
                if let Some(gone) = host.disk.write(writing.bytes) {
                    self.buffers.put(gone);
                }
            } else {
                host.disk.lose(writing.bytes);
            }
            let after = host.disk.taken();
            self.account(before, after);
            self.barriers.put(barrier, &mut self.buffers);
        }
        let mut unread = Vec::new();
        if let Some(held) = self.hosts[id.index()].held.take() {
            self.stale += usize::from(held.work.is_some());
            unread.extend(held.events);
        }
        if !self.released.is_empty() {
            // It went on a moment ago and has not found all that came in.
            self.released.retain(|entry| {
                let others = entry.1.host() != Some(id);
                if !others {
                    unread.push(*entry);
                }
                others
            });
        }
        self.account(unread.len() * Held::EVENT, 0);
        for (_, event) in unread {
            match event {
                Event::Datagram(datagram) => self.drop_arrived(datagram, DropCause::Down),
                // Its timer, or the clearing of all, counted it as stale; but it is not in the queue.
                Event::Timer { .. } => self.stale = self.stale.saturating_sub(1),
                _ => {}
            }
        }
        self.sweep_queue();
        self.look_at_disk(id, By::itself("slow_disk"));
    }
}
