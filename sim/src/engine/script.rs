//! What the plan has happen: first boots, the timeline's times, the calls of the workload.

use squall_nodes::{CallId, Change, HostId, Protocol, Seen, Time, encode_data};

use super::Engine;
use super::event::Event;
use super::see::By;
use crate::digest::Tag;
use crate::timeline::{self, Due};
use crate::trace::Happening;

impl<P: Protocol> Engine<'_, P> {
    /// Puts in what the plan holds: first boots, the timeline, the workload.
    pub(super) fn begin(&mut self) {
        for (at, due) in timeline::begun(self.plan) {
            match due {
                Due::Boot(host) if at == Time::ZERO => self.boot(host),
                due => self.push(at, event_of(due)),
            }
        }
        self.plan_judge();
    }

    /// Makes the next call of an entry of the workload, and plans the one after.
    pub(super) fn work(&mut self, entry: u32, ordinal: u64) {
        let work = &self.plan.workload[entry as usize];
        let word = self.draws.work(entry as usize, ordinal);
        let place = crate::draws::below(word, work.of.len() as u64) as usize;
        let id = work.of[place];
        let host = &self.hosts[id.index()];
        if host.is_up() {
            let incarnation = host.incarnation;
            let call = CallId(self.next_call);
            self.next_call += 1;
            self.calls_made[entry as usize] += 1;
            self.trace(Some(id), || Happening::Call {
                call: call.0,
                says: format!("{:?}", work.command),
            });
            self.data_bytes.clear();
            encode_data(&work.command, &mut self.data_bytes);
            let len = self.data_bytes.len() as u32;
            self.digest
                .head(Tag::Call, self.now.as_nanos(), id.0, call.0, entry, len);
            self.digest.bytes(&self.data_bytes);
            self.see(&Seen::Call {
                host: id,
                call,
                command: &work.command,
            });
            let at = self.hears_at(id);
            self.push(
                at,
                Event::Command {
                    host: id,
                    incarnation,
                    entry,
                    call,
                },
            );
        }
        self.again(Due::Call(entry, ordinal));
    }

    /// Plans the next time of what happens now, if there is one.
    pub(super) fn again(&mut self, due: Due) {
        if let Some((next, due)) = timeline::again(self.plan, self.now, due) {
            self.push(next, event_of(due));
        }
    }

    /// Switches on a host that starts late.
    pub(super) fn switch_on(&mut self, host: HostId) {
        let disk = self.hosts[host.index()].disk.found();
        let incarnation = self.hosts[host.index()].boots;
        self.boot(host);
        self.change(
            Change::Up {
                host,
                incarnation,
                disk,
            },
            By::itself("start"),
        );
    }
}

fn event_of(due: Due) -> Event {
    match due {
        Due::Boot(host) => Event::Boot { host },
        Due::Step(step) => Event::Step { step, actor: None },
        Due::Call(entry, ordinal) => Event::Work { entry, ordinal },
    }
}
