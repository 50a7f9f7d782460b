//! What is seen of a run, by all who watch: claims, answers and changes enter the digest and the trace, meet the judge and the
//! stopwatches.

use squall_nodes::{CallId, Change, Fact, HostId, Node, Protocol, Seen, Time, encode_data};

use super::event::Event;
use super::queue::Full;
use super::{End, Engine};
use crate::digest::Tag;
use crate::timeline::cues::Deed;
use crate::trace::Happening;

/// What changes the world.
#[derive(Clone, Copy)]
pub(crate) struct By<'p> {
    /// As files write it.
    pub(crate) label: &'p str,
    /// Its place in the timeline; `None` for what comes of itself.
    pub(crate) step: Option<usize>,
    /// Who did what triggered it.
    pub(crate) actor: Option<HostId>,
}

impl<'p> By<'p> {
    /// A step of the timeline.
    pub(super) fn step(step: usize, label: &'p str, actor: Option<HostId>) -> Self {
        By {
            label,
            step: Some(step),
            actor,
        }
    }

    /// Nothing in the timeline, at that moment.
    pub(super) fn itself(label: &'p str) -> Self {
        By {
            label,
            step: None,
            actor: None,
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// A claim is seen, and counts for what waits for it.
    pub(super) fn claim(&mut self, id: HostId, fact: <P::Node as Node>::Fact) {
        self.data_bytes.clear();
        fact.encode(&mut self.data_bytes);
        let len = self.data_bytes.len() as u32;
        self.digest
            .head(Tag::Fact, self.now.as_nanos(), id.0, fact.index() as u64, 0, len);
        self.digest.bytes(&self.data_bytes);
        self.trace(Some(id), || Happening::Fact {
            name: fact.name().to_owned(),
            says: format!("{fact:?}"),
        });
        let incarnation = self.hosts[id.index()].incarnation;
        self.see(&Seen::Fact {
            host: id,
            incarnation,
            fact: &fact,
        });
        self.stopwatches.fact(self.now, id, &fact, &self.judge.world);
        self.cue(id, Deed::Claimed(fact.index()));
    }

    pub(super) fn answer(&mut self, id: HostId, call: CallId, answer: &<P::Node as Node>::Answer) {
        self.data_bytes.clear();
        encode_data(answer, &mut self.data_bytes);
        let len = self.data_bytes.len() as u32;
        self.digest
            .head(Tag::Answer, self.now.as_nanos(), id.0, call.0, 0, len);
        self.digest.bytes(&self.data_bytes);
        self.trace(Some(id), || Happening::Answer {
            call: call.0,
            says: format!("{answer:?}"),
        });
        self.see(&Seen::Answer {
            host: id,
            call,
            answer,
        });
    }

    /// The world changed.
    pub(super) fn change(&mut self, change: Change, by: By<'_>) {
        self.data_bytes.clear();
        encode_data(&change, &mut self.data_bytes);
        let len = self.data_bytes.len() as u32;
        self.digest
            .head(Tag::World, self.now.as_nanos(), u32::MAX, 0, 0, len);
        self.digest.bytes(&self.data_bytes);
        if let Some(tracer) = &mut self.tracer {
            let facts = <<P::Node as Node>::Fact as Fact>::NAMES;
            tracer.changed(self.now, &change, by, &self.plan.timeline, facts);
        }
        self.see(&Seen::World(&change));
        self.weigh_effort();
    }

    /// Shows one thing to everyone who watches.
    pub(super) fn see(&mut self, seen: &Seen<'_, P::Node>) {
        self.judge.see(self.now, seen);
        if self.judge.violation.is_some() {
            self.ended.get_or_insert(End::Violated);
        }
        self.plan_judge();
    }

    /// Makes sure that an entry comes up when the judge is due.
    pub(super) fn plan_judge(&mut self) {
        let due = self.judge.due().max(self.now);
        let (entry, _) = self.judge_entry;
        if due < entry {
            match self.queue.push(due.as_nanos(), Event::Judge) {
                Ok(ticket) => self.judge_entry = (due, ticket),
                Err(Full) => {
                    self.ended.get_or_insert(End::QueueFull);
                }
            }
            if entry != Time::MAX {
                self.stale += 1;
                self.sweep_queue();
            }
        }
    }
}
