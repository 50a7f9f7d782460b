//! What waits for facts: how often each has been claimed, and what that triggers.

use squall_nodes::{HostId, Span, Time};
use squall_sim::plan::{Cue, Step, Trigger};

/// The entries of the timeline that still wait for a fact, in the order of the file.
pub(crate) struct Cues<'p> {
    waiting: Vec<Waiting<'p>>,
}

struct Waiting<'p> {
    step: usize,
    fact: usize,
    by: &'p [HostId],
    nth: u32,
    after: Span,
    /// How often it has been claimed by those.
    claimed: u32,
}

/// An entry that a fact has triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Triggered {
    /// Which.
    pub(crate) step: usize,
    /// Who claimed it.
    pub(crate) actor: HostId,
    /// When it is to happen.
    pub(crate) at: Time,
}

impl<'p> Cues<'p> {
    /// All that wait in a timeline. What waits for something else than a fact is never played live.
    pub(crate) fn new(timeline: &'p [Step]) -> Self {
        let waiting = timeline
            .iter()
            .enumerate()
            .filter_map(|(step, planned)| match &planned.trigger {
                Trigger::When {
                    cue: Cue::Fact(fact),
                    by,
                    nth,
                    after,
                } => Some(Waiting {
                    step,
                    fact: *fact,
                    by,
                    nth: *nth,
                    after: *after,
                    claimed: 0,
                }),
                Trigger::At(_) | Trigger::Every { .. } | Trigger::When { .. } => None,
            });
        Cues {
            waiting: waiting.collect(),
        }
    }

    /// A host claimed a fact at a time. What it triggers waits no more.
    pub(crate) fn claimed(&mut self, fact: usize, host: HostId, at: Time) -> Vec<Triggered> {
        let mut triggered = Vec::new();
        self.waiting.retain_mut(|waiting| {
            if waiting.fact != fact || !(waiting.by.is_empty() || waiting.by.contains(&host)) {
                return true;
            }
            waiting.claimed += 1;
            if waiting.claimed < waiting.nth {
                return true;
            }
            triggered.push(Triggered {
                step: waiting.step,
                actor: host,
                at: at + waiting.after,
            });
            false
        });
        triggered
    }
}

#[cfg(test)]
mod tests {
    use squall_sim::plan::Fault;

    use super::*;

    #[test]
    fn the_nth_of_all_by_these_hosts_triggers_once_and_is_counted_from_its_own_time() {
        let step = |by: Vec<HostId>, nth, after| Step {
            trigger: Trigger::When {
                cue: Cue::Fact(3),
                by,
                nth,
                after: Span::from_millis(after),
            },
            fault: Fault::HealAll,
            label: String::new(),
        };
        let (a, b, c) = (HostId(0), HostId(1), HostId(2));
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let timeline = [step(vec![a, b], 2, 20), step(vec![], 1, 0)];
        let mut cues = Cues::new(&timeline);
        assert_eq!(cues.claimed(2, a, at(1)), []);
        let now = |step, actor, at| Triggered { step, actor, at };
        assert_eq!(cues.claimed(3, c, at(2)), [now(1, c, at(2))]);
        assert_eq!(cues.claimed(3, a, at(3)), []);
        assert_eq!(cues.claimed(3, b, at(4)), [now(0, b, at(24))]);
        assert_eq!(cues.claimed(3, b, at(5)), []);
    }
}
