//! Whether a history is linearizable, as [`stateright`]'s tester finds it: a search that shares no code and no author with Squall's. The
//! tests hold both checkers of `squall_nodes::history` against it.

use squall_nodes::history::{Ended, Operation, Spec};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// Whether the other project finds a history linearizable.
///
/// Every call is a thread of its own, so that any may overlap any other; one of which nothing is known stays in flight, and one that was
/// refused was none.
///
/// # Panics
///
/// When the history is none: an answer without a call.
pub fn is_linearizable<R>(object: R, history: &[Operation<R::Op, R::Ret>]) -> bool
where
    R: SequentialSpec + Clone,
    R::Op: Clone + std::fmt::Debug,
    R::Ret: Clone + std::fmt::Debug,
{
    enum Event<'a, O, R> {
        Called(&'a O),
        Returned(&'a R),
    }
    let mut events = Vec::new();
    for operation in history {
        let thread = operation.id.0;
        match &operation.ended {
            Ended::Refused { .. } => continue,
            Ended::Returned { at, ret } => events.push((*at, thread, Event::Returned(ret))),
            Ended::Unknown => {}
        }
        events.push((operation.called, thread, Event::Called(&operation.op)));
    }
    events.sort_by_key(|(at, ..)| *at);
    let mut tester = LinearizabilityTester::new(object);
    for (_, thread, event) in events {
        let taken = match event {
            Event::Called(op) => tester.on_invoke(thread, op.clone()),
            Event::Returned(ret) => tester.on_return(thread, ret.clone()),
        };
        if let Err(why) = taken {
            panic!("that is no history: {why}");
        }
    }
    tester.is_consistent()
}

/// One of Squall's sequential objects as the other project wants one: with all of its parts as one object, where Squall judges each part
/// by itself.
pub struct Whole<S: Spec> {
    spec: S,
    parts: Vec<(S::Key, S::State)>,
}

impl<S: Spec> Whole<S> {
    /// As the object is at first.
    pub fn new(spec: S) -> Self {
        Whole {
            spec,
            parts: Vec::new(),
        }
    }

    /// The part that an operation concerns.
    fn part(&mut self, op: &S::Op) -> &mut S::State {
        let key = self.spec.key(op);
        let known = self.parts.iter().position(|(of, _)| *of == key);
        let place = known.unwrap_or(self.parts.len());
        if known.is_none() {
            let first = self.spec.init(&key);
            self.parts.push((key, first));
        }
        &mut self.parts[place].1
    }
}

impl<S: Spec> Clone for Whole<S> {
    fn clone(&self) -> Self {
        Whole {
            spec: self.spec.clone(),
            parts: self.parts.clone(),
        }
    }
}

impl<S: Spec> SequentialSpec for Whole<S> {
    type Op = S::Op;
    type Ret = S::Ret;

    fn invoke(&mut self, op: &S::Op) -> S::Ret {
        let spec = self.spec.clone();
        let part = self.part(op);
        let (after, ret) = spec.apply(part, op);
        *part = after;
        ret
    }

    fn is_valid_step(&mut self, op: &S::Op, ret: &S::Ret) -> bool {
        let due = self.invoke(op);
        self.spec.allows(op, &due, ret)
    }
}

#[cfg(test)]
#[path = "../../history/made.rs"]
mod made;
#[cfg(test)]
mod tests;
