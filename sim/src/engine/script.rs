//! What the plan has happen: first boots, the timeline's times, the calls of the workload.

use squall_nodes::{CallId, Change, HostId, Protocol, Seen, Time, encode_data};

use super::Engine;
use super::event::Event;
use super::see::By;
use crate::digest::Tag;
use crate::plan::Trigger;
use crate::trace::Happening;

impl<P: Protocol> Engine<'_, P> {
    /// Puts in what the plan holds: first boots, the timeline, the workload.
    pub(super) fn begin(&mut self) {
        for (index, host) in self.plan.hosts.iter().enumerate() {
            let id = HostId(index as u32);
            if host.starts == Time::ZERO {
                self.boot(id);
            } else {
                self.push(host.starts, Event::Boot { host: id });
            }
        }
        for (index, step) in self.plan.timeline.iter().enumerate() {
            let event = Event::Step {
                step: index as u32,
                actor: None,
            };
            match step.trigger {
                Trigger::At(at) => self.push(at, event),
                Trigger::Every { first, until, .. } if first < until => self.push(first, event),
                Trigger::Every { .. } | Trigger::When { .. } => {}
            }
        }
        for (index, work) in self.plan.workload.iter().enumerate() {
            if work.first < work.until {
                let event = Event::Work {
                    entry: index as u32,
                    ordinal: 0,
                };
                self.push(work.first, event);
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
        if let Some(interval) = work.interval {
            let next = self.now + interval;
            if next < work.until {
                self.push(
                    next,
                    Event::Work {
                        entry,
                        ordinal: ordinal + 1,
                    },
                );
            }
        }
    }

    /// Plans the next time of a step that happens again and again.
    pub(super) fn repeat(&mut self, step: u32) {
        if let Trigger::Every { interval, until, .. } = self.plan.timeline[step as usize].trigger {
            let next = self.now + interval;
            if next < until {
                self.push(next, Event::Step { step, actor: None });
            }
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
