//! Timers against a table of deadlines: whatever is armed and taken back, each goes off at its deadline and at no other time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::wear::{Code, Worn};
use crate::engine::timers::{Due, Timers, Upkeep};

#[derive(Clone, Debug)]
enum Step {
    Arm(u64, u64),
    Disarm(u64),
    /// Time goes on.
    Wait(u64),
    /// The queue drops what is stale.
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Small numbers, which have places of their own, and others; so many that places run short.
    let code = || prop_oneof![3 => 0..8u64, 2 => 0..60u64, 1 => (0..30u64).prop_map(|code| code << 40 | 7)];
    let step = prop_oneof![
        6 => (code(), 1..100u64).prop_map(|(code, after)| Step::Arm(code, after)),
        3 => code().prop_map(Step::Disarm),
        2 => (1..60u64).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..300)
}

/// Timers with a queue as the engine keeps one, but slow.
struct Kept {
    timers: Timers<Worn>,
    /// Times, tickets and places.
    queue: Vec<(u64, u64, u32)>,
    pushed: u64,
}

impl Kept {
    fn push(&mut self, at: u64, place: u32) {
        self.queue.push((at, self.pushed, place));
        self.timers.enter(place, at, self.pushed);
        self.pushed += 1;
    }

    fn keep_up(&mut self, at: u64, upkeep: Upkeep) {
        if let Upkeep::Push(place) | Upkeep::PushAndForget(place) = upkeep {
            self.push(at, place);
        }
    }

    /// What goes off up to a time, and when.
    fn wait(&mut self, until: u64) -> Vec<(u64, u64)> {
        let mut fired = Vec::new();
        while let Some(next) = (0..self.queue.len()).min_by_key(|entry| self.queue[*entry])
            && self.queue[next].0 <= until
        {
            let (at, ticket, place) = self.queue.swap_remove(next);
            match self.timers.due(place, ticket, at) {
                Due::Fire(Code(code)) => fired.push((at, code)),
                Due::Later(deadline) => self.push(deadline, place),
                Due::Stale => {}
            }
        }
        fired
    }
}

proptest! {
    #[test]
    fn each_goes_off_at_its_deadline_and_at_no_other_time(steps in steps()) {
        let timers = Timers::new();
        let mut kept = Kept { timers, queue: Vec::new(), pushed: 0 };
        let mut table: BTreeMap<u64, u64> = BTreeMap::new();
        let mut now = 0;
        for step in steps.into_iter().chain([Step::Wait(1_000)]) {
            match step {
                Step::Arm(code, after) => {
                    let deadline = now + after;
                    table.insert(code, deadline);
                    let upkeep = kept.timers.arm(Code(code), deadline, deadline);
                    kept.keep_up(deadline, upkeep);
                }
                Step::Disarm(code) => {
                    table.remove(&code);
                    let upkeep = kept.timers.disarm(Code(code));
                    prop_assert!(matches!(upkeep, Upkeep::Nothing | Upkeep::Forget));
                }
                Step::Wait(span) => {
                    now += span;
                    let mut fired = kept.wait(now);
                    fired.sort_unstable();
                    let due = |(code, deadline): (&u64, &u64)| (*deadline <= now).then_some((*deadline, *code));
                    let mut expected: Vec<_> = table.iter().filter_map(due).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(fired, expected);
                    table.retain(|_, deadline| *deadline > now);
                }
                Step::Sweep => {
                    let Kept { timers, queue, .. } = &mut kept;
                    queue.retain(|(_, ticket, place)| timers.keeps(*place, *ticket));
                    prop_assert_eq!(queue.len(), table.len());
                }
            }
        }
    }
}
