//! The persist barrier at work: a write begins, and what waited behind it goes on when it is on the disk.

use squall_nodes::{HostId, Protocol};
use xxhash_rust::xxh3::xxh3_64;

use super::Engine;
use super::event::Event;
use super::host::{Barrier, Waiting};
use crate::digest::Tag;
use crate::trace::Happening;

impl<P: Protocol> Engine<'_, P> {
    pub(super) fn start_write(&mut self, id: HostId, barrier: Barrier<P::Node>) {
        let host = &mut self.hosts[id.index()];
        let word = self
            .draws
            .disk(self.keys[id.index()], host.incarnation, host.disk.writes);
        host.disk.writes += 1;
        let (incarnation, len) = (host.incarnation, barrier.writing.bytes.len() as u32);
        let token = barrier.writing.tokens.first().map_or(0, |token| token.0);
        self.digest
            .head(Tag::Write, self.now.as_nanos(), id.0, token, 0, len);
        self.digest.bytes(&barrier.writing.bytes);
        if let Some(tracer) = &mut self.tracer {
            let hash = xxh3_64(&barrier.writing.bytes);
            tracer.note(self.now, Some(id), Happening::Persisting { token, len, hash });
        }
        let bytes = barrier.bytes;
        host.barrier = Some(Box::new(barrier));
        self.account(0, bytes);
        let takes = self.plan.persist.draw(word);
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

    /// A write is on the disk: what waited behind it goes on, up to the next write.
    pub(super) fn written(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        let Some(barrier) = host.barrier.take() else {
            return;
        };
        let Barrier {
            writing,
            mut queue,
            mut bytes,
        } = *barrier;
        let incarnation = host.incarnation;
        self.account(bytes, 0);
        bytes -= writing.bytes_taken();
        let host = &mut self.hosts[id.index()];
        host.disk.contents = Some(writing.bytes);
        for token in writing.tokens {
            self.push(
                self.now,
                Event::Persisted {
                    host: id,
                    incarnation,
                    token,
                },
            );
        }
        while let Some(waiting) = queue.pop_front() {
            bytes -= waiting.bytes_taken();
            match waiting {
                Waiting::Send { port, to, bytes } => self.send(id, port, to, &bytes),
                Waiting::Claim(fact) => {
                    self.claim(id, fact);
                    if !self.goes_on(id, incarnation) {
                        return;
                    }
                }
                Waiting::Answer { call, answer } => self.answer(id, call, &answer),
                Waiting::Persist(write) => {
                    self.start_write(
                        id,
                        Barrier {
                            bytes: bytes + write.bytes_taken(),
                            writing: write,
                            queue,
                        },
                    );
                    return;
                }
            }
        }
    }
}
