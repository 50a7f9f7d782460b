//! Histories of a counter, as its clients would have them, for the checkers.

use squall_nodes::CallId;
use squall_nodes::history::{Counter, CounterOp, CounterRet, Ended, Online, Operation, Spec};

/// A linearizable history of so many calls, of which so many are open at once: half of them read, half add. One in a thousand is lost.
///
/// It is the same each time.
pub fn linearizable(calls: u64, open: usize) -> Vec<Operation<CounterOp, CounterRet>> {
    let spec = Counter::default();
    let (mut state, mut place, mut word) = (spec.first, 0, 1_u64);
    let mut draw = |below: u64| {
        // Knuth's MMIX.
        word = word
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) % below
    };
    let mut at = || {
        place += 1;
        place
    };
    let mut all: Vec<Operation<CounterOp, CounterRet>> = Vec::new();
    let mut waiting: Vec<usize> = Vec::new();
    while (all.len() as u64) < calls || !waiting.is_empty() {
        if (all.len() as u64) < calls && waiting.len() < open {
            waiting.push(all.len());
            let op = match draw(2) {
                0 => CounterOp::Read,
                _ => CounterOp::Add(1),
            };
            all.push(Operation {
                id: CallId(all.len() as u64),
                op,
                called: at(),
                ended: Ended::Unknown,
            });
            continue;
        }
        // It has effect, and comes back, while the others are under way.
        let one = waiting.swap_remove(draw(waiting.len() as u64) as usize);
        let (after, ret) = spec.apply(&state, &all[one].op);
        state = after;
        if draw(1_000) > 0 {
            all[one].ended = Ended::Returned { at: at(), ret };
        }
    }
    all
}

/// Tells a checker a history as a run would, a call and an answer after the other, and says whether it held.
pub fn tell(online: &mut Online<Counter>, history: &[Operation<CounterOp, CounterRet>]) -> bool {
    let mut moments: Vec<(u64, usize)> = Vec::with_capacity(2 * history.len());
    for (which, operation) in history.iter().enumerate() {
        moments.push((operation.called, which));
        if let Ended::Returned { at, .. } = operation.ended {
            moments.push((at, which));
        }
    }
    moments.sort_unstable();
    for (at, which) in moments {
        let Operation {
            id,
            op,
            called,
            ended,
        } = history[which].clone();
        if at == called {
            online.called(id, op);
            if ended == Ended::Unknown && online.lost(id).is_err() {
                return false;
            }
        } else if let Ended::Returned { ret, .. } = ended
            && online.returned(id, ret).is_err()
        {
            return false;
        }
    }
    online.end().is_ok() && online.undecided().is_none()
}

#[cfg(test)]
mod tests {
    use squall_nodes::history::{Bounds, Finding, check};

    use super::*;

    #[test]
    fn both_checkers_find_that_it_holds_and_that_a_wrong_answer_does_not() {
        let (spec, bounds) = (Counter::default(), Bounds::default());
        for open in [1, 4, 16] {
            let mut history = linearizable(3_000, open);
            assert!(history.iter().any(|operation| operation.ended == Ended::Unknown));
            assert_eq!(check(&spec, &history, &bounds), Finding::Linearizable);
            assert!(tell(&mut Online::new(spec, bounds), &history));
            let last = history
                .iter_mut()
                .filter_map(|operation| match &mut operation.ended {
                    Ended::Returned { ret, .. } => Some(ret),
                    _ => None,
                })
                .next_back();
            *last.expect("most come back") = CounterRet::Value(-1);
            assert!(matches!(check(&spec, &history, &bounds), Finding::Violated(_)));
            assert!(!tell(&mut Online::new(spec, bounds), &history));
        }
    }
}
