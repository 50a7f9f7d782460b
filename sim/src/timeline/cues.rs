//! What nodes do and faults wait for: which steps of a timeline wait for what, and how often it has happened.

use squall_nodes::{HostId, Span};

use crate::plan::{Cue, Step, Trigger};

/// The steps that still wait, each list in the order of the plan.
pub struct Cues {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It has claimed the fact at this place in [`Fact::NAMES`](squall_nodes::Fact::NAMES).
    Claimed(usize),
    /// A write to its disk has begun.
    BegunToPersist,
    /// A write is on its disk.
    Persisted,
    /// It has sent a datagram to this host.
    SentTo(HostId),
    /// A connection that it dialled to this host is open.
    OpenedTo(HostId),
}

/// A step that a deed has triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Its place in the timeline.
    pub step: u32,
    /// Who did it.
    pub actor: HostId,
    /// How long after the deed it happens.
    pub after: Span,
}

impl Cues {
    /// For a protocol with so many facts; nothing waits yet.
    pub fn new(facts: usize) -> Self {
        Cues {
            facts: vec![Vec::new(); facts],
            begun: Vec::new(),
            completed: Vec::new(),
            sends: Vec::new(),
            opens: Vec::new(),
            matched: Vec::new(),
            effort: 0,
        }
    }

    /// Begins anew, with all steps of a timeline that wait.
    pub fn reset(&mut self, timeline: &[Step]) {
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
    pub fn effort(&self) -> u64 {
        self.effort
    }

    /// Whether any step waits for something like that.
    #[inline(always)]
    pub fn wait_for(&mut self, deed: Deed) -> bool {
        !self.list(deed).is_empty()
    }

    /// Counts what a node has just done for the steps of the timeline that wait for it, and says which it triggers, in the order of the
    /// plan. Those wait no more.
    pub fn note(&mut self, timeline: &[Step], host: HostId, deed: Deed, triggered: &mut Vec<Triggered>) {
        // Most deeds trigger nothing, and a step that has happened is not looked at again.
        let mut waiting = std::mem::take(self.list(deed));
        self.effort += waiting.len() as u64;
        waiting.retain(|step| match self.triggers(timeline, *step, host, deed) {
            Some(now) => {
                triggered.push(now);
                false
            }
            None => true,
        });
        *self.list(deed) = waiting;
    }

    /// Counts a deed for a step that waits for its like. Something if it was the one that the step waits for.
    fn triggers(&mut self, timeline: &[Step], step: u32, host: HostId, deed: Deed) -> Option<Triggered> {
        let Trigger::When {
            cue, by, nth, after, ..
        } = &timeline[step as usize].trigger
        else {
            return None;
        };
        if !by.is_empty() && !by.contains(&host) {
            return None;
        }
        if let (Cue::Send(to), Deed::SentTo(receiver)) | (Cue::Open(to), Deed::OpenedTo(receiver)) =
            (cue, deed)
            && !to.is_empty()
            && !to.contains(&receiver)
        {
            return None;
        }
        let matched = &mut self.matched[step as usize];
        *matched += 1;
        (*matched >= *nth).then_some(Triggered {
            step,
            actor: host,
            after: *after,
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Fault;

    const A: HostId = HostId(0);
    const B: HostId = HostId(1);
    const C: HostId = HostId(2);

    fn step(cue: Cue, by: Vec<HostId>, nth: u32, after: u64) -> Step {
        Step {
            trigger: Trigger::When {
                cue,
                by,
                nth,
                after: Span::from_millis(after),
            },
            fault: Fault::HealAll,
            label: String::new(),
        }
    }

    /// What each deed of a host triggers: a step, and after how many milliseconds.
    fn play(timeline: &[Step], deeds: &[(HostId, Deed)]) -> Vec<Vec<(u32, u64)>> {
        let mut cues = Cues::new(4);
        cues.reset(timeline);
        let each = deeds.iter().map(|(host, deed)| {
            let mut triggered = Vec::new();
            cues.note(timeline, *host, *deed, &mut triggered);
            assert!(triggered.iter().all(|now| now.actor == *host));
            let after = |now: &Triggered| (now.step, now.after.as_nanos() / 1_000_000);
            triggered.iter().map(after).collect()
        });
        each.collect()
    }

    #[test]
    fn the_nth_of_all_by_these_hosts_triggers_once() {
        let timeline = [
            step(Cue::Fact(3), vec![A, B], 2, 20),
            step(Cue::Fact(3), vec![], 1, 0),
        ];
        let deeds = [(A, 2), (C, 3), (A, 3), (B, 3), (B, 3)].map(|(host, fact)| (host, Deed::Claimed(fact)));
        let expected: [&[(u32, u64)]; 5] = [&[], &[(1, 0)], &[], &[(0, 20)], &[]];
        assert_eq!(play(&timeline, &deeds), expected);
    }

    #[test]
    fn a_deed_triggers_what_waits_for_its_kind_in_the_order_of_the_plan() {
        let timeline = [
            step(Cue::Send(vec![B]), vec![], 1, 0),
            step(Cue::PersistCompleted, vec![], 1, 0),
            step(Cue::Send(vec![]), vec![], 2, 5),
            step(Cue::PersistBegun, vec![C], 1, 0),
        ];
        let deeds = [
            (A, Deed::SentTo(C)),
            (A, Deed::BegunToPersist),
            (A, Deed::SentTo(B)),
            (A, Deed::Persisted),
            (C, Deed::BegunToPersist),
        ];
        let expected: [&[(u32, u64)]; 5] = [&[], &[], &[(0, 0), (2, 5)], &[(1, 0)], &[(3, 0)]];
        assert_eq!(play(&timeline, &deeds), expected);
    }
}
