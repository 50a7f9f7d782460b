//! Histories made at random: calls that had effect one after the other on an object, seen from outside, and then told wrong here and there.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use squall_nodes::CallId;
use squall_nodes::history::{Ended, Explanation, Looked, Online, Operation, Spec};

/// A history of an object.
pub(crate) type Made<S> = Vec<Operation<<S as Spec>::Op, <S as Spec>::Ret>>;

/// How often something is tried. What fails is told, and kept in no file.
pub(crate) fn config(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

/// One call, before it is known what comes back.
#[derive(Clone, Debug)]
struct Draft<O, R> {
    op: O,
    /// When it is called, has effect and comes back, as shares of the time there is.
    times: [u32; 3],
    end: End,
    /// What it comes back with where it is told wrong.
    wrong: R,
    /// Whether it is told wrong, in a hundred.
    luck: u8,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Returned,
    Refused,
    /// It has had effect, and nobody is told.
    Unheard,
    /// It has had no effect, and nobody is told.
    Lost,
}

/// Histories of up to `calls` calls, in half of which nothing is told wrong, and in the others each answer in three. `reach` is how
/// long a call takes at most, in a hundred thousandths of the whole time.
pub(crate) fn histories<S: Spec>(
    spec: S,
    calls: std::ops::RangeInclusive<usize>,
    reach: u32,
    op: impl Strategy<Value = S::Op>,
    ret: impl Strategy<Value = S::Ret>,
) -> impl Strategy<Value = Made<S>> {
    let end = prop_oneof![
        7 => Just(End::Returned),
        1 => Just(End::Refused),
        1 => Just(End::Unheard),
        1 => Just(End::Lost),
    ];
    let times = (0..100_000u32, 1..reach, 1..reach);
    let draft =
        (op, times, end, ret, 0..100u8).prop_map(|(op, (called, first, second), end, wrong, luck)| {
            let (effect, back) = (called + first.min(second), called + first.max(second) + 1);
            Draft {
                op,
                times: [called, effect, back],
                end,
                wrong,
                luck,
            }
        });
    let wrong = prop_oneof![Just(0u8), Just(34u8)];
    (vec(draft, calls), wrong).prop_map(move |(drafts, wrong)| told(&spec, drafts, wrong))
}

fn told<S: Spec>(spec: &S, drafts: Vec<Draft<S::Op, S::Ret>>, wrong: u8) -> Made<S> {
    // Places in one order of everything, in which no two have the same.
    let mut moments: Vec<(u32, usize, usize)> = Vec::new();
    for (call, draft) in drafts.iter().enumerate() {
        moments.extend(draft.times.iter().enumerate().map(|(what, at)| (*at, call, what)));
    }
    moments.sort_unstable();
    let mut places = vec![[0u64; 3]; drafts.len()];
    for (place, (_, call, what)) in moments.iter().enumerate() {
        places[*call][*what] = place as u64;
    }
    let mut states: Vec<(S::Key, S::State)> = Vec::new();
    let mut due: Vec<Option<S::Ret>> = vec![None; drafts.len()];
    for (_, call, _) in moments.iter().filter(|(_, _, what)| *what == 1) {
        let draft = &drafts[*call];
        if !matches!(draft.end, End::Returned | End::Unheard) {
            continue;
        }
        let key = spec.key(&draft.op);
        let place = states
            .iter()
            .position(|(known, _)| *known == key)
            .unwrap_or_else(|| {
                states.push((key.clone(), spec.init(&key)));
                states.len() - 1
            });
        let (after, ret) = spec.apply(&states[place].1, &draft.op);
        states[place].1 = after;
        due[*call] = Some(ret);
    }
    let operation = |(call, draft): (usize, Draft<S::Op, S::Ret>)| {
        let [called, _, at] = places[call];
        let ended = match (draft.end, due[call].clone()) {
            (End::Returned, Some(_)) if draft.luck < wrong => Ended::Returned { at, ret: draft.wrong },
            (End::Returned, Some(ret)) => Ended::Returned { at, ret },
            (End::Refused, _) => Ended::Refused { at },
            _ => Ended::Unknown,
        };
        Operation {
            id: CallId(call as u64),
            op: draft.op,
            called,
            ended,
        }
    };
    drafts.into_iter().enumerate().map(operation).collect()
}

/// Tells a history as it happens: what is found at each answer, until it is broken or over.
pub(crate) fn follow<S: Spec>(
    online: &mut Online<S>,
    history: &[Operation<S::Op, S::Ret>],
) -> Result<Looked, Box<Explanation>> {
    let mut moments = Vec::new();
    for operation in history {
        moments.push((operation.called, operation, false));
        if let Ended::Returned { at, .. } | Ended::Refused { at } = operation.ended {
            moments.push((at, operation, true));
        }
    }
    moments.sort_unstable_by_key(|(at, _, _)| *at);
    for (_, operation, is_over) in moments {
        let id = operation.id;
        match (&operation.ended, is_over) {
            (_, false) => {
                online.called(id, operation.op.clone());
                // Of every other call of which nothing is heard it is known at once that nothing will be.
                if operation.ended == Ended::Unknown && id.0.is_multiple_of(2) {
                    online.lost(id)?;
                }
            }
            (Ended::Returned { ret, .. }, true) => {
                online.returned(id, ret.clone())?;
            }
            (Ended::Refused { .. } | Ended::Unknown, true) => {
                online.refused(id)?;
            }
        }
    }
    online.end()
}
