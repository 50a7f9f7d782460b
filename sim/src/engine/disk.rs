//! The persist barrier at work: a write begins, and what waited behind it goes on when it is on the disk, or is dropped when the
//! write fails; and what a host finds on its disk that is restarted.

use squall_nodes::{DiskAtBoot, HostId, Protocol, Span, Token};
use xxhash_rust::xxh3::xxh3_64;

use super::Engine;
use super::ailments::Ailment;
use super::contents::Damage;
use super::event::Event;
use super::faults::Effect;
use super::host::{Barrier, Waiting, Write, WritePace};
use crate::digest::Tag;
use crate::plan::{DiskOnRestart, host_at};
use crate::timeline::cues::Deed;
use crate::trace::Happening;

/// Where the words begin that say which writes fail. Those that say how long writes take begin at 0, and those of crashes end
/// at the last.
const FAILURES: u64 = 1 << 62;
/// Where the words begin that say how a disk is damaged.
const DAMAGE: u64 = 1 << 61;

impl<P: Protocol> Engine<'_, P> {
    /// Begins a write; what waits behind it is in `barrier`, whose first tokens are the write's.
    pub(super) fn start_write(&mut self, id: HostId, writing: Write, mut barrier: Box<Barrier<P::Node>>) {
        let host = &mut self.hosts[id.index()];
        let word = self
            .draws
            .disk(self.keys[id.index()], host.incarnation, host.disk.writes);
        host.disk.writes += 1;
        let (incarnation, len) = (host.incarnation, writing.bytes.len() as u32);
        let token = barrier.tokens.front().map_or(0, |token| token.0);
        self.digest
            .head(Tag::Write, self.now.as_nanos(), id.0, token, 0, len);
        self.digest.bytes(&writing.bytes);
        if let Some(tracer) = &mut self.tracer {
            let hash = xxh3_64(&writing.bytes);
            tracer.note(self.now, Some(id), Happening::Persisting { token, len, hash });
        }
        barrier.bytes += writing.bytes_taken();
        barrier.writing = Some(writing);
        let slowed_by = self.slowed_by_disk(id);
        barrier.pace = if slowed_by.is_zero() {
            WritePace::Own
        } else {
            WritePace::Slowed
        };
        let bytes = barrier.bytes;
        self.hosts[id.index()].barrier = Some(barrier);
        self.account(0, bytes);
        let takes = self.plan.persist.draw(word) + slowed_by;
        self.push(
            self.now + takes,
            Event::Written {
                host: id,
                incarnation,
            },
        );
    }

    /// Puts an effect behind the write that is under way.
    pub(super) fn wait(&mut self, id: HostId, waiting: Waiting<P::Node>) {
        if let Some(barrier) = &mut self.hosts[id.index()].barrier {
            let before = barrier.bytes;
            barrier.wait(waiting);
            let after = barrier.bytes;
            self.account(before, after);
        }
    }

    /// A write is on the disk: what waited behind it goes on, up to the next write. Or it failed.
    pub(super) fn written(&mut self, id: HostId) {
        let Some(mut barrier) = self.hosts[id.index()].barrier.take() else {
            return;
        };
        let Some(writing) = barrier.writing.take() else {
            return;
        };
        self.account(barrier.bytes, 0);
        if self.write_fails(id) {
            self.buffers.put(writing.bytes);
            self.drop_behind(id, barrier);
            return;
        }
        barrier.bytes -= writing.bytes_taken();
        let host = &mut self.hosts[id.index()];
        let incarnation = host.incarnation;
        let before = host.disk.taken();
        if let Some(gone) = host.disk.write(writing.bytes) {
            self.buffers.put(gone);
        }
        let after = host.disk.taken();
        self.account(before, after);
        if !self.cued(id, incarnation, Deed::Persisted) {
            return;
        }
        for token in barrier.tokens.drain(..writing.persists) {
            self.push(
                self.now,
                Event::Persisted {
                    host: id,
                    incarnation,
                    token,
                },
            );
        }
        while let Some(waiting) = barrier.queue.pop_front() {
            barrier.bytes -= waiting.bytes_taken();
            match waiting {
                Waiting::Send { port, to, bytes } => {
                    self.send(id, port, to, &bytes);
                    self.buffers.put(bytes);
                    if !self.cued(id, incarnation, Deed::SentTo(host_at(*to.ip()))) {
                        return;
                    }
                }
                Waiting::Claim(fact) => {
                    self.claim(id, fact);
                    if !self.goes_on(id, incarnation) {
                        return;
                    }
                }
                Waiting::Answer { call, answer } => self.answer(id, call, &answer),
                Waiting::Stream(asked) => self.asked(id, asked),
                Waiting::Persist(write) => {
                    self.start_write(id, write, barrier);
                    self.cued(id, incarnation, Deed::BegunToPersist);
                    return;
                }
            }
        }
        self.barriers.put(barrier, &mut self.buffers);
    }

    /// How much longer a write takes that begins now; counts for each layer that makes it so.
    fn slowed_by_disk(&mut self, id: HostId) -> Span {
        let mut slowed_by = Span::ZERO;
        for over in &self.hosts[id.index()].ailments {
            if let Ailment::SlowDisk(by) = over.ailment {
                slowed_by = slowed_by + by;
                self.faults[over.step as usize].affected += 1;
            }
        }
        slowed_by
    }

    /// Whether the write fails that would be on the disk now. One word decides for all layers, so that the greatest share counts;
    /// it counts for each that would have been enough.
    fn write_fails(&mut self, id: HostId) -> bool {
        let host = &self.hosts[id.index()];
        if host.ailments.is_empty() {
            return false;
        }
        let ordinal = FAILURES + host.disk.writes - 1;
        let word = self.draws.disk(self.keys[id.index()], host.incarnation, ordinal);
        let mut fails = false;
        for over in &host.ailments {
            if let Ailment::FailingDisk(share) = over.ailment
                && share.hits(word)
            {
                self.faults[over.step as usize].affected += 1;
                fails = true;
            }
        }
        fails
    }

    /// A write failed: what waited behind it is dropped, and the persists among it fail too. So it is with what the node asks for
    /// until it is told, which a paused or slow one is much later: all that it knows meanwhile is that it is being written.
    fn drop_behind(&mut self, id: HostId, mut barrier: Box<Barrier<P::Node>>) {
        let failed = std::mem::take(&mut barrier.tokens);
        let closed = barrier.empty_into(&mut self.buffers);
        self.hosts[id.index()].barrier = Some(barrier);
        for conn in closed {
            self.break_off(id, conn);
        }
        for token in failed {
            self.tell_of_failure(id, token);
        }
    }

    /// Lets a node know that a persist failed.
    pub(super) fn tell_of_failure(&mut self, id: HostId, token: Token) {
        let incarnation = self.hosts[id.index()].incarnation;
        self.push(
            self.now,
            Event::PersistFailed {
                host: id,
                incarnation,
                token,
            },
        );
    }

    /// Puts on the disk of a host that is down what it is to find there. What it finds, and whether that is another thing than it
    /// would have found otherwise; a restart with a sound disk touches the host anyhow.
    pub(super) fn replace_disk(&mut self, id: HostId, disk: DiskOnRestart) -> (DiskAtBoot, Effect) {
        let before = self.hosts[id.index()].disk.taken();
        let found = self.damage_disk(id, disk);
        let after = self.hosts[id.index()].disk.taken();
        self.account(before, after);
        found
    }

    fn damage_disk(&mut self, id: HostId, disk: DiskOnRestart) -> (DiskAtBoot, Effect) {
        let host = &mut self.hosts[id.index()];
        let effect = match disk {
            DiskOnRestart::Kept => Effect::Touched,
            DiskOnRestart::Wiped => {
                host.disk.wipe();
                Effect::Touched
            }
            DiskOnRestart::Stale | DiskOnRestart::Torn | DiskOnRestart::Corrupt => {
                let word = |nth| self.draws.disk(self.keys[id.index()], host.boots, DAMAGE + nth);
                match host.disk.damage(disk, [word(0), word(1)]) {
                    Damage::Done(found) => return (found, Effect::Touched),
                    Damage::Nothing => Effect::Nothing,
                }
            }
        };
        (host.disk.found(), effect)
    }
}
