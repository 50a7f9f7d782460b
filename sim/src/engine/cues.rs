//! What nodes do and faults wait for: which steps of the timeline wait for what, and how often it has happened.

use squall_nodes::{Fact, HostId, Node, Protocol};

use super::Engine;
use super::event::Event;
use crate::plan::{Cue, Step, Trigger};

/// The steps that still wait, each list in the order of the plan.
pub(crate) struct Cues {
    /// For each fact.
    facts: Vec<Vec<u32>>,
    begun: Vec<u32>,
    completed: Vec<u32>,
    sends: Vec<u32>,
    opens: Vec<u32>,
    /// For each step of the plan, how often what it waits for has happened.
    matched: Vec<u32>,
    /// How many steps were looked at so far, one for each deed that it waits for the like of.
    effort: u64,
}

/// Something that a node has just done.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    Claimed(usize),
    BegunToPersist,
    Persisted,
    SentTo(HostId),
    OpenedTo(HostId),
}

impl Cues {
    /// For a protocol of nodes `N`; nothing waits yet.
    pub(crate) fn new<N: Node>() -> Self {
        Cues {
            facts: vec![Vec::new(); N::Fact::NAMES.len()],
            begun: Vec::new(),
            completed: Vec::new(),
            sends: Vec::new(),
            opens: Vec::new(),
            matched: Vec::new(),
            effort: 0,
        }
    }

    /// Begins anew, with all steps of a timeline that wait.
    pub(crate) fn reset(&mut self, timeline: &[Step]) {
        for list in &mut self.facts {
            list.clear();
        }
        self.begun.clear();
        self.completed.clear();
        self.sends.clear();
        self.opens.clear();
        for (step, planned) in timeline.iter().enumerate() {
            if let Trigger::When { cue, .. } = &planned.trigger {
                let list = match cue {
                    Cue::Fact(fact) => &mut self.facts[*fact],
                    Cue::PersistBegun => &mut self.begun,
                    Cue::PersistCompleted => &mut self.completed,
                    Cue::Send(_) => &mut self.sends,
                    Cue::Open(_) => &mut self.opens,
                };
                list.push(step as u32);
            }
        }
        self.effort = 0;
        self.matched.clear();
        self.matched.resize(timeline.len(), 0);
    }

    /// How many steps of a timeline were looked at since deeds of their kind were done: in a plan where thousands wait for datagrams,
    /// this is what a datagram costs.
    pub(super) fn effort(&self) -> u64 {
        self.effort
    }

    #[inline(always)]
    fn list(&mut self, deed: Deed) -> &mut Vec<u32> {
        match deed {
            Deed::Claimed(fact) => &mut self.facts[fact],
            Deed::BegunToPersist => &mut self.begun,
            Deed::Persisted => &mut self.completed,
            Deed::SentTo(_) => &mut self.sends,
            Deed::OpenedTo(_) => &mut self.opens,
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Counts what a node has just done for the steps that wait for it. What it triggers at once waits in `triggered`.
    pub(super) fn cue(&mut self, id: HostId, deed: Deed) {
        if self.cues.list(deed).is_empty() {
            return;
        }
        // Most deeds trigger nothing, and a step that has happened is not looked at again.
        let mut waiting = std::mem::take(self.cues.list(deed));
        self.cues.effort += waiting.len() as u64;
        waiting.retain(|step| !self.triggers(*step, id, deed));
        *self.cues.list(deed) = waiting;
        self.weigh_effort();
    }

    /// Does what a node's deed triggers at once. Whether the rest of what it asked for is still to be done.
    #[inline(always)]
    pub(super) fn cued(&mut self, id: HostId, incarnation: u32, deed: Deed) -> bool {
        self.cues.list(deed).is_empty() || self.cued_by_waiting(id, incarnation, deed)
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

    /// Counts a deed for a step that waits for its like. Whether it was the one that the step waits for.
    fn triggers(&mut self, step: u32, id: HostId, deed: Deed) -> bool {
        let Trigger::When {
            cue, by, nth, after, ..
        } = &self.plan.timeline[step as usize].trigger
        else {
            return false;
        };
        if !by.is_empty() && !by.contains(&id) {
            return false;
        }
        if let (Cue::Send(to), Deed::SentTo(receiver)) | (Cue::Open(to), Deed::OpenedTo(receiver)) =
            (cue, deed)
            && !to.is_empty()
            && !to.contains(&receiver)
        {
            return false;
        }
        let matched = &mut self.cues.matched[step as usize];
        *matched += 1;
        if *matched < *nth {
            return false;
        }
        if after.is_zero() {
            self.triggered.push_back((step, id));
        } else {
            let actor = Some(id);
            self.push(self.now + *after, Event::Step { step, actor });
        }
        true
    }
}
