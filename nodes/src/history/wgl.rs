//! Whether a whole history is linearizable: the algorithm of J. Wing and C. Gong (*Testing and Verifying Concurrent Objects*, 1993) with
//! the memory of G. Lowe (*Testing for Linearizability*, 2017).
//!
//! A call may be the next to have had effect if it was made before the first answer whose call has not: it is tried out on the state, and
//! has had effect if it comes back with what it came back with. When all calls that have answers have had effect there is an order; where
//! none of them can, the one before is tried in another place. Which calls have had effect and in which state that left the object is
//! remembered, so that no configuration is searched twice.
//!
//! Four things keep it quick. A call that only looks, and comes back with what it came back with, has effect at once: it could not be
//! better off later. A lost call may have effect as soon as it was called, with whatever comes back, and need not; lost calls
//! that ask for the same are alike, and only how many of them have had effect is remembered. Orders with fewer lost calls are searched
//! first. And no configuration is searched when one was in which, in the same state, fewer of them had had effect.
//!
//! What is to be tried waits in a list, and not on the stack.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::least::{Least, Used};
use super::operation::{Bounds, Ended, Explanation, Finding, Operation};
use super::spec::Spec;
use crate::node::CallId;

/// Holds a whole history against a sequential object, each part of it by itself.
///
/// `operations` may be in any order; their places in time are in them.
pub fn check<S: Spec>(spec: &S, operations: &[Operation<S::Op, S::Ret>], bounds: &Bounds) -> Finding {
    let mut parts: BTreeMap<S::Key, Vec<_>> = BTreeMap::new();
    for operation in operations {
        parts.entry(spec.key(&operation.op)).or_default().push(operation);
    }
    let mut steps = bounds.steps;
    let (mut undecided, mut violated) = (None, None::<(u64, Explanation)>);
    for (key, operations) in &parts {
        let part = Part {
            spec,
            key,
            operations,
            starts: vec![Start {
                done: Vec::new(),
                used: Vec::new(),
                state: spec.init(key),
            }],
        };
        match part.search(Prefix::WHOLE, &mut steps, bounds, Goal::First) {
            Ok(Searched::Found) => {}
            Ok(Searched::Exhausted) => {
                let (at, explanation) = part.explain(bounds);
                if violated.as_ref().is_none_or(|(first, _)| at < *first) {
                    violated = Some((at, explanation));
                }
            }
            Err(why) => undecided = undecided.or(Some(why)),
        }
    }
    match (violated, undecided) {
        (Some((_, explanation)), _) => Finding::Violated(Box::new(explanation)),
        (None, Some(why)) => Finding::Undecided { why },
        (None, None) => Finding::Linearizable,
    }
}

/// What is said when there were too many steps.
pub(super) fn too_many_steps(bounds: &Bounds) -> String {
    format!("it takes more than {} steps", bounds.steps)
}

/// What is said when there were too many configurations.
pub(super) fn too_many_configurations(bounds: &Bounds) -> String {
    format!(
        "more than {} configurations would have to be kept",
        bounds.configurations
    )
}

/// The calls of one part of the object.
pub(super) struct Part<'a, S: Spec> {
    pub(super) spec: &'a S,
    pub(super) key: &'a S::Key,
    pub(super) operations: &'a [&'a Operation<S::Op, S::Ret>],
    /// From where an order may begin.
    pub(super) starts: Vec<Start<S>>,
}

/// From where an order may begin.
pub(super) struct Start<S: Spec> {
    /// Those of the calls that have had effect.
    pub(super) done: Vec<CallId>,
    /// Those of the lost calls that have, of which it is not known which they are: how many that ask for the same.
    pub(super) used: Vec<(S::Op, u32)>,
    /// In which state that left the object.
    pub(super) state: S::State,
}

/// The beginning of a history: what was seen up to a place in it, and without one call.
#[derive(Clone, Copy)]
struct Prefix {
    /// Up to which place.
    until: u64,
    without: Option<CallId>,
}

impl Prefix {
    const WHOLE: Prefix = Prefix {
        until: u64::MAX,
        without: None,
    };
}

/// What a search is for.
enum Goal<'g, T> {
    /// Any order.
    First,
    /// All states that any order leaves.
    States(&'g mut BTreeSet<T>),
}

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Searched {
    /// There is an order.
    Found,
    /// There is none, or no other.
    Exhausted,
}

impl<'a, S: Spec> Part<'a, S> {
    /// Whether there is an order of all of it, and if not, why not.
    pub(super) fn find(&self, steps: &mut u64, bounds: &Bounds) -> Finding {
        match self.search(Prefix::WHOLE, steps, bounds, Goal::First) {
            Ok(Searched::Found) => Finding::Linearizable,
            Ok(Searched::Exhausted) => Finding::Violated(Box::new(self.explain(bounds).1)),
            Err(why) => Finding::Undecided { why },
        }
    }

    fn search(
        &self,
        prefix: Prefix,
        steps: &mut u64,
        bounds: &Bounds,
        goal: Goal<'_, S::State>,
    ) -> Result<Searched, String> {
        Search::new(self, prefix).run(self, prefix, &mut Cost { steps, bounds }, goal)
    }

    /// Why the part, which is not linearizable, is not; with the place of the answer that completes the shortest prefix.
    fn explain(&self, bounds: &Bounds) -> (u64, Explanation) {
        // It is known that it is broken. Where that is seen first is found as well as it can be without spending as much again.
        let few = || bounds.steps.min(200_000);
        let answer = |operation: &&'a Operation<S::Op, S::Ret>| match operation.ended {
            Ended::Returned { at, .. } | Ended::Refused { at } => Some((at, *operation)),
            Ended::Unknown => None,
        };
        let mut answers: Vec<_> = self.operations.iter().filter_map(answer).collect();
        answers.sort_by_key(|(at, _)| *at);
        let is_broken = |answers: &(u64, &Operation<S::Op, S::Ret>)| {
            let prefix = Prefix {
                until: answers.0,
                without: None,
            };
            let searched = self.search(prefix, &mut few(), bounds, Goal::First);
            matches!(searched, Ok(Searched::Exhausted))
        };
        // A prefix of a linearizable history is linearizable, so there is one place at which this turns. It is known of the whole that
        // it is broken, even if that could not be found out of some prefix.
        let before = answers.partition_point(|answer| !is_broken(answer));
        let (until, last) = answers[before.min(answers.len() - 1)];
        let asked = || {
            self.operations
                .iter()
                .filter(move |operation| operation.called < until)
        };
        let is_open = |operation: &&&Operation<S::Op, S::Ret>| {
            operation.id != last.id
                && match operation.ended {
                    Ended::Returned { at, .. } | Ended::Refused { at } => at > until,
                    Ended::Unknown => true,
                }
        };
        let is_there = |operation: &&&Operation<S::Op, S::Ret>| !matches!(operation.ended, Ended::Refused { at } if at < until);
        let mut open: Vec<CallId> = asked().filter(is_open).map(|open| open.id).collect();
        open.sort_unstable();
        let ret = match &last.ended {
            Ended::Returned { ret, .. } => Some(format!("{ret:?}")),
            Ended::Refused { .. } | Ended::Unknown => None,
        };
        let mut states = BTreeSet::new();
        let searched = ret.as_ref().map(|_| {
            let prefix = Prefix {
                until,
                without: Some(last.id),
            };
            let goal = Goal::States(&mut states);
            self.search(prefix, &mut few(), bounds, goal)
        });
        let explanation = Explanation {
            key: format!("{:?}", self.key),
            call: last.id,
            op: format!("{:?}", last.op),
            ret,
            calls: asked().filter(is_there).count(),
            more_states: states.len() > Explanation::STATES || matches!(searched, Some(Err(_))),
            states: states
                .iter()
                .take(Explanation::STATES)
                .map(|state| format!("{state:?}"))
                .collect(),
            open,
        };
        (until, explanation)
    }
}

/// One search for an order.
struct Search<'a, S: Spec> {
    /// The calls that have answers, in the order of calling.
    known: Vec<Known<'a, S>>,
    /// Their answers, in the order of coming.
    answers: Vec<Answer>,
    /// The calls that have none: what they ask for, and when they were called, in that order.
    lost: Vec<(&'a S::Op, Vec<u64>)>,
}

struct Known<'a, S: Spec> {
    id: CallId,
    op: &'a S::Op,
    ret: &'a S::Ret,
    answered: u64,
    /// The same for calls that ask for the same and come back with the same. Where both may have effect it is all one which of them has it
    /// first, so that it may be the one that comes back first.
    kind: usize,
}

#[derive(Clone, Copy)]
struct Answer {
    at: u64,
    /// To which of the known calls.
    known: u32,
    /// How many of the known calls were made before.
    called: u32,
}

/// Which calls have had effect, told by those that have not: the first answer whose call has not, by its place, and all known calls that
/// were made before it and have not had effect, in their order. And in which state that left the object.
type Configuration<T> = (usize, Vec<u32>, T);

/// Configurations with the lost calls that they took.
type Waiting<T> = Vec<(Configuration<T>, Used)>;

impl<'a, S: Spec> Search<'a, S> {
    fn new(part: &Part<'a, S>, prefix: Prefix) -> Self {
        let mut known = Vec::new();
        let mut lost: BTreeMap<&'a S::Op, Vec<u64>> = BTreeMap::new();
        for operation in part.operations {
            if operation.called > prefix.until || prefix.without == Some(operation.id) {
                continue;
            }
            match &operation.ended {
                Ended::Returned { at, ret } if *at <= prefix.until => {
                    known.push((operation.called, *at, operation, ret));
                }
                Ended::Refused { at } if *at <= prefix.until => {}
                Ended::Returned { .. } | Ended::Refused { .. } | Ended::Unknown => {
                    lost.entry(&operation.op).or_default().push(operation.called);
                }
            }
        }
        known.sort_by_key(|(called, ..)| *called);
        let answer = |(place, (_, at, ..)): (usize, &(u64, u64, _, _))| Answer {
            at: *at,
            known: place as u32,
            called: known.partition_point(|(called, ..)| called < at) as u32,
        };
        let mut answers: Vec<Answer> = known.iter().enumerate().map(answer).collect();
        answers.sort_by_key(|answer| answer.at);
        for called in lost.values_mut() {
            called.sort_unstable();
        }
        let (mut kinds, mut number) = (BTreeMap::<&S::Op, Vec<(&S::Ret, usize)>>::new(), 0);
        let mut kind = |op: &'a S::Op, ret: &'a S::Ret| {
            let alike = kinds.entry(op).or_default();
            let known = alike.iter().find(|(known, _)| *known == ret);
            known.map(|(_, kind)| *kind).unwrap_or_else(|| {
                number += 1;
                alike.push((ret, number));
                number
            })
        };
        let known = known.into_iter().map(|(_, answered, operation, ret)| Known {
            id: operation.id,
            op: &operation.op,
            ret,
            answered,
            kind: kind(&operation.op, ret),
        });
        Search {
            known: known.collect(),
            answers,
            lost: lost.into_iter().collect(),
        }
    }

    fn run(
        &self,
        part: &Part<'a, S>,
        prefix: Prefix,
        cost: &mut Cost<'_>,
        mut goal: Goal<'_, S::State>,
    ) -> Result<Searched, String> {
        let mut searched = Least::new();
        let found = Cell::new(Searched::Exhausted);
        let mut reach = |configuration, used: Used, cost: &mut Cost<'_>| {
            let configuration = self.settled(part.spec, configuration, cost)?;
            let is_past = |call: &u32| {
                let Known { op, ret, .. } = self.known[*call as usize];
                part.spec.is_past(&configuration.2, op, ret)
            };
            // It leads nowhere where a call can never come back any more with what it came back with.
            if configuration.1.iter().any(is_past) {
                return Ok(None);
            }
            if !searched.insert(configuration.clone(), used.clone()) {
                return Ok(None);
            }
            cost.hold(searched.len())?;
            if configuration.0 == self.answers.len() {
                match &mut goal {
                    Goal::First => found.set(Searched::Found),
                    Goal::States(states) => {
                        states.insert(configuration.2.clone());
                    }
                }
            }
            Ok::<_, String>(Some((configuration, used)))
        };
        // What is to be tried now; what was tried and took as many lost calls; what was tried and took one less.
        let (mut now, mut tried, mut before) = (Waiting::new(), Waiting::new(), Waiting::new());
        for start in &part.starts {
            if let Some((first, used)) = self.first(part, prefix, start) {
                now.extend(reach(first, used, cost)?);
            }
        }
        loop {
            if let Some(((answer, calls, state), used)) = now.pop() {
                // From the last to the first, so that the one that was called first is tried first.
                for place in (0..calls.len()).rev() {
                    let Known { op, ret, .. } = self.known[calls[place] as usize];
                    if self.waits_for_another(calls[place], &calls) {
                        continue;
                    }
                    cost.step()?;
                    if let Some(after) = part.spec.step(&state, op, ret) {
                        let (answer, calls) = self.without(answer, &calls, place);
                        now.extend(reach((answer, calls, after), used.clone(), cost)?);
                    }
                }
                if !self.lost.is_empty() {
                    tried.push(((answer, calls, state), used));
                }
            } else if let Some(((answer, calls, state), used)) = before.pop() {
                for (class, (op, _)) in self.lost.iter().enumerate() {
                    if used.get(class).copied().unwrap_or(0) < self.available(class, answer) {
                        cost.step()?;
                        let (after, _) = part.spec.apply(&state, op);
                        // What has no effect need not have had it.
                        if after != state {
                            let mut used = used.clone();
                            used.resize(used.len().max(class + 1), 0);
                            used[class] += 1;
                            now.extend(reach((answer, calls.clone(), after), used, cost)?);
                        }
                    }
                }
            } else if tried.is_empty() {
                return Ok(Searched::Exhausted);
            } else {
                // Where most has had effect, the least is left to do.
                before = std::mem::take(&mut tried);
                before.sort_by_key(|((answer, ..), _)| *answer);
            }
            if found.get() == Searched::Found {
                return Ok(Searched::Found);
            }
        }
    }

    /// The configuration in which an order begins; none where the call that is left out has had effect by then.
    fn first(
        &self,
        part: &Part<'a, S>,
        prefix: Prefix,
        start: &Start<S>,
    ) -> Option<(Configuration<S::State>, Used)> {
        let mut used = vec![0; self.lost.len()];
        let mut took = |op: &S::Op, count| {
            if let Ok(class) = self.lost.binary_search_by(|(lost, _)| (*lost).cmp(op)) {
                used[class] += count;
            }
        };
        for (op, count) in &start.used {
            took(op, *count);
        }
        for id in &start.done {
            let operation = part.operations.iter().find(|operation| operation.id == *id)?;
            match &operation.ended {
                Ended::Returned { ret, .. } if prefix.without == Some(*id) => {
                    // A look is as good as none.
                    part.spec.only_looks(&operation.op, ret).then_some(())?;
                }
                // Of what comes back later it is not known here that it has.
                Ended::Returned { at, .. } if *at > prefix.until => took(&operation.op, 1),
                _ => {}
            }
        }
        let is_left = |known: u32| !start.done.contains(&self.known[known as usize].id);
        let answer = self.answers.iter().position(|answer| is_left(answer.known));
        let answer = answer.unwrap_or(self.answers.len());
        let calls = self.called_between(None, answer);
        let calls = calls.into_iter().filter(|known| is_left(*known)).collect();
        Some(((answer, calls, start.state.clone()), used))
    }

    /// The configuration after all looks that come back with what they came back with: none of them could be better off later.
    fn settled(
        &self,
        spec: &S,
        configuration: Configuration<S::State>,
        cost: &mut Cost<'_>,
    ) -> Result<Configuration<S::State>, String> {
        let (mut answer, mut calls, state) = configuration;
        let mut place = 0;
        while place < calls.len() {
            let Known { op, ret, .. } = self.known[calls[place] as usize];
            cost.step()?;
            if spec.only_looks(op, ret) && spec.step(&state, op, ret).is_some() {
                // Calls that may have effect now are put behind those that are there.
                (answer, calls) = self.without(answer, &calls, place);
            } else {
                place += 1;
            }
        }
        Ok((answer, calls, state))
    }

    /// Whether there is another one of its kind that comes back first.
    fn waits_for_another(&self, call: u32, calls: &[u32]) -> bool {
        let Known { answered, kind, .. } = self.known[call as usize];
        calls
            .iter()
            .map(|other| &self.known[*other as usize])
            .any(|other| other.kind == kind && other.answered < answered)
    }

    /// What is left when the call at a place of the list has had effect.
    fn without(&self, answer: usize, calls: &[u32], place: usize) -> (usize, Vec<u32>) {
        let mut left = calls.to_vec();
        let call = left.remove(place);
        if self.answers[answer].known != call {
            return (answer, left);
        }
        // The next answer whose call has not had effect: one that was not there to be tried yet, or is still on the list.
        let called = self.answers[answer].called;
        let is_left = |next: &Answer| next.known >= called || left.binary_search(&next.known).is_ok();
        let behind = &self.answers[answer + 1..];
        let next = answer + 1 + behind.iter().position(is_left).unwrap_or(behind.len());
        left.extend(self.called_between(Some(answer), next));
        (next, left)
    }

    /// The known calls that were made between two answers.
    fn called_between(&self, from: Option<usize>, to: usize) -> Vec<u32> {
        let from = from.map_or(0, |from| self.answers[from].called);
        let to = self.answers.get(to).map_or(from, |to| to.called);
        (from..to).collect()
    }

    /// How many lost calls of a class were made before an answer.
    fn available(&self, class: usize, answer: usize) -> u32 {
        let until = self.answers.get(answer).map_or(u64::MAX, |answer| answer.at);
        self.lost[class].1.partition_point(|called| *called < until) as u32
    }
}

/// What may be spent.
struct Cost<'a> {
    steps: &'a mut u64,
    bounds: &'a Bounds,
}

impl Cost<'_> {
    fn step(&mut self) -> Result<(), String> {
        *self.steps = self
            .steps
            .checked_sub(1)
            .ok_or_else(|| too_many_steps(self.bounds))?;
        Ok(())
    }

    fn hold(&self, configurations: usize) -> Result<(), String> {
        match configurations > self.bounds.configurations {
            true => Err(too_many_configurations(self.bounds)),
            false => Ok(()),
        }
    }
}
