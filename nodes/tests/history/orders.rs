//! Linearizability as it is defined: every order of the calls is tried.

use std::collections::BTreeSet;

use squall_nodes::CallId;
use squall_nodes::history::{Ended, Operation, Spec};

/// Where a history stops being linearizable, and what could be there by then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The call whose end completes the shortest prefix that is not linearizable.
    pub(crate) at: CallId,
    /// The states that are possible there without that call, of its part.
    pub(crate) states: BTreeSet<String>,
}

/// Where the history is broken first; `None` when it is linearizable.
pub(crate) fn broken<S: Spec>(spec: &S, history: &[Operation<S::Op, S::Ret>]) -> Option<Broken> {
    let mut ends = Vec::new();
    for operation in history {
        if let Ended::Returned { at, .. } | Ended::Refused { at } = operation.ended {
            ends.push((at, operation));
        }
    }
    ends.sort_unstable_by_key(|(at, _)| *at);
    ends.into_iter().find_map(|(until, last)| {
        let key = spec.key(&last.op);
        let part = |without: Option<CallId>| {
            let operations = history.iter().filter(|operation| {
                spec.key(&operation.op) == key && operation.called < until && Some(operation.id) != without
            });
            let mut calls: Vec<Call<'_, S>> = operations.filter_map(|known| call(known, until)).collect();
            let mut states = BTreeSet::new();
            orders(spec, &spec.init(&key), &mut calls, &mut states);
            states
        };
        part(None).is_empty().then(|| Broken {
            at: last.id,
            states: part(Some(last.id)),
        })
    })
}

/// A call as far as it is known at some place of the history.
struct Call<'a, S: Spec> {
    op: &'a S::Op,
    called: u64,
    /// When it came back and with what; where it has not, it may have had effect or not.
    back: Option<(u64, &'a S::Ret)>,
}

fn call<S: Spec>(operation: &Operation<S::Op, S::Ret>, until: u64) -> Option<Call<'_, S>> {
    let back = match &operation.ended {
        Ended::Refused { at } if *at <= until => return None,
        Ended::Returned { at, ret } if *at <= until => Some((*at, ret)),
        Ended::Returned { .. } | Ended::Refused { .. } | Ended::Unknown => None,
    };
    Some(Call {
        op: &operation.op,
        called: operation.called,
        back,
    })
}

/// The states after each order in which every call that has come back comes back with what it did.
fn orders<S: Spec>(spec: &S, state: &S::State, calls: &mut Vec<Call<'_, S>>, states: &mut BTreeSet<String>) {
    if calls.iter().all(|call| call.back.is_none()) {
        states.insert(format!("{state:?}"));
    }
    for next in 0..calls.len() {
        // Nothing that is left may have come back before this one was called.
        let called = calls[next].called;
        if calls
            .iter()
            .any(|call| call.back.is_some_and(|(at, _)| at < called))
        {
            continue;
        }
        let call = calls.remove(next);
        let after = match call.back {
            Some((_, ret)) => spec.step(state, call.op, ret),
            None => Some(spec.apply(state, call.op).0),
        };
        if let Some(after) = after {
            orders(spec, &after, calls, states);
        }
        calls.insert(next, call);
    }
}
