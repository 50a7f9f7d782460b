//! Whether a history is linearizable so far, while it is made: just-in-time linearization (G. Lowe, *Testing for Linearizability*, 2017),
//! with hindsight.
//!
//! What is possible is kept as a set of configurations: a state, and which of the calls that are still without an answer have had effect
//! in it. When an answer comes, every configuration in which its call has not had effect is taken on by calls that were open then, in
//! every order that ends with that call, and where none of them gives the answer, none of the configurations is left.
//!
//! What an open call will come back with is not known, and to keep every guess of it is hopeless: the orders of a dozen open calls alone are
//! half a thousand million. So an answer is *settled*, for good, only when it is known of every call that was open with it what came
//! of it; then only orders with the right answers are followed, and they are few. Until then it waits in a window. To find a broken
//! promise when it is broken and not when all is known, the window is tried out too at each answer, on a copy, with open calls that may
//! come back with whatever they like. That is exact: together both say at each answer whether there is an order of all calls so far in
//! which each comes back with what it did, whatever those do that have not. A window that is long is tried out only when it has grown by
//! an eighth, and one that takes too much when it is twice as long or something of it is settled; what is broken is found then.
//!
//! Where too many configurations are possible to keep all of them nothing more is settled: from there on an order is searched for, as
//! [`check`](super::check) does, and at the latest at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::least::{Least, Used};
use super::operation::{Bounds, Ended, Explanation, Finding, Operation};
use super::spec::Spec;
use super::wgl::{self, Start};
use crate::node::CallId;

/// A history that is held against a sequential object while it is made.
#[derive(Clone)]
pub struct Online<S: Spec> {
    spec: S,
    bounds: Bounds,
    parts: BTreeMap<S::Key, Part<S>>,
    /// The part of each call that is not settled.
    whose: BTreeMap<CallId, S::Key>,
    /// What is left for settling.
    steps: u64,
}

/// Whether the promise could be held against something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// So far it holds.
    Holds,
    /// It was not found out, or will be later.
    Later,
}

impl<S: Spec> Online<S> {
    /// Of nothing yet.
    pub fn new(spec: S, bounds: Bounds) -> Self {
        Online {
            spec,
            bounds,
            parts: BTreeMap::new(),
            whose: BTreeMap::new(),
            steps: bounds.steps,
        }
    }

    /// Something is called. Each call has a number of its own.
    pub fn called(&mut self, id: CallId, op: S::Op) {
        let key = self.spec.key(&op);
        let part = self
            .parts
            .entry(key.clone())
            .or_insert_with(|| Part::new(self.spec.init(&key)));
        if part.undecided.is_none() && self.whose.insert(id, key).is_none() {
            part.called(id, op);
        }
    }

    /// It came back.
    ///
    /// # Errors
    ///
    /// Why the history is not linearizable any more.
    pub fn returned(&mut self, id: CallId, ret: S::Ret) -> Result<Looked, Box<Explanation>> {
        self.ended(id, Fate::Returned { ret, nth: 0 })
    }

    /// It was refused: it was not done and never will be.
    ///
    /// # Errors
    ///
    /// Why the history is not linearizable any more.
    pub fn refused(&mut self, id: CallId) -> Result<Looked, Box<Explanation>> {
        self.ended(id, Fate::Refused)
    }

    /// It came back with nothing that tells whether it was done. What comes later does not count.
    ///
    /// # Errors
    ///
    /// Why the history is not linearizable any more.
    pub fn unknown(&mut self, id: CallId) -> Result<Looked, Box<Explanation>> {
        self.ended(id, Fate::Unknown)
    }

    /// Nothing will come back any more, as far as one can know. Should something come all the same it counts if what was seen since the
    /// call is not settled yet.
    ///
    /// # Errors
    ///
    /// Why the history is not linearizable any more.
    pub fn lost(&mut self, id: CallId) -> Result<Looked, Box<Explanation>> {
        self.ended(id, Fate::Lost)
    }

    /// The history is over, and it will never be known what came of those calls that are open.
    ///
    /// # Errors
    ///
    /// Why the history is not linearizable.
    pub fn end(&mut self) -> Result<Looked, Box<Explanation>> {
        let mut looked = Looked::Holds;
        for (key, part) in &mut self.parts {
            if part.undecided.is_some() {
                looked = Looked::Later;
                continue;
            }
            match part.find(&self.spec, key, &mut self.steps, &self.bounds) {
                Finding::Linearizable => {}
                Finding::Violated(explanation) => return Err(explanation),
                Finding::Undecided { why } => {
                    part.give_up(why);
                    looked = Looked::Later;
                }
            }
        }
        Ok(looked)
    }

    /// Why it was not found out of some part, when it was not.
    pub fn undecided(&self) -> Option<&str> {
        self.parts.values().find_map(|part| part.undecided.as_deref())
    }

    fn ended(&mut self, id: CallId, fate: Fate<S::Ret>) -> Result<Looked, Box<Explanation>> {
        let Some(key) = self.whose.get(&id) else {
            return Ok(Looked::Later);
        };
        let Some(part) = self.parts.get_mut(key) else {
            return Ok(Looked::Later);
        };
        if !part.ended(id, fate) {
            return Ok(Looked::Later);
        }
        let mut looked = Looked::Later;
        if part.window.len() >= part.next_try {
            let found = part.look_ahead(&self.spec, key, &mut self.steps, &self.bounds);
            let len = part.window.len();
            part.next_try = match found {
                Finding::Linearizable if len <= SHORT => 0,
                Finding::Linearizable => len + len / 8,
                Finding::Violated(explanation) => return Err(explanation),
                // It is tried again when much more is known.
                Finding::Undecided { .. } => len * 2,
            };
            if part.next_try < len * 2 {
                looked = Looked::Holds;
            }
        }
        let settled = part.settle(&self.spec, &self.bounds);
        if part.window.is_empty() && part.undecided.is_none() {
            looked = Looked::Holds;
        }
        for id in settled {
            self.whose.remove(&id);
        }
        Ok(looked)
    }
}

/// How many steps it may take to try out what is not settled, and to settle what can be.
const FEW: u64 = 5_000;

/// A window up to this long is tried out at every answer.
const SHORT: usize = 64;

/// How long a window may be.
const LONGEST: usize = 200_000;

/// One part of the object.
#[derive(Clone)]
struct Part<S: Spec> {
    /// What is settled.
    frontier: Frontier<S>,
    /// What is not, in the order in which it was seen.
    window: VecDeque<Event>,
    /// The calls of which something is in the window, and those that are open.
    calls: BTreeMap<CallId, Pending<S>>,
    /// How many have come back.
    returned: u64,
    /// How many calls there were, but for those that were refused.
    asked: usize,
    /// Those that have come back with nothing, or not yet.
    unanswered: BTreeSet<CallId>,
    /// How long the window is to be before it is tried out again.
    next_try: usize,
    /// What becomes of the window.
    settling: Settling,
    /// Why nothing is found out of this part any more.
    undecided: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Settling {
    /// What is known is settled.
    AsItCan,
    /// There are too many configurations to keep all of them. From here on orders are searched for, and one is enough.
    TooDear,
}

#[derive(Clone, Copy)]
enum Event {
    Called(CallId),
    Returned(CallId),
    Refused(CallId),
}

#[derive(Clone)]
struct Pending<S: Spec> {
    op: S::Op,
    fate: Fate<S::Ret>,
}

#[derive(Clone)]
enum Fate<R> {
    Open,
    Returned {
        ret: R,
        /// How many came back before it.
        nth: u64,
    },
    Refused,
    Unknown,
    Lost,
}

/// Why a history cannot be followed any further.
enum Stuck {
    /// No order gives the next answer.
    NoOrder,
    /// It would take too much.
    TooMuch,
}

/// What may be spent.
struct Cost<'a> {
    steps: &'a mut u64,
    bounds: &'a Bounds,
}

impl Cost<'_> {
    fn step(&mut self) -> Result<(), Stuck> {
        match self.steps.checked_sub(1) {
            Some(left) => *self.steps = left,
            None => return Err(Stuck::TooMuch),
        }
        Ok(())
    }

    fn hold(&self, configurations: usize) -> Result<(), Stuck> {
        match configurations > self.bounds.configurations {
            true => Err(Stuck::TooMuch),
            false => Ok(()),
        }
    }
}

impl<S: Spec> Part<S> {
    fn new(first: S::State) -> Self {
        Part {
            frontier: Frontier::new(first),
            window: VecDeque::new(),
            calls: BTreeMap::new(),
            returned: 0,
            asked: 0,
            unanswered: BTreeSet::new(),
            next_try: 0,
            settling: Settling::AsItCan,
            undecided: None,
        }
    }

    fn called(&mut self, id: CallId, op: S::Op) {
        self.asked += 1;
        self.unanswered.insert(id);
        self.window.push_back(Event::Called(id));
        let fate = Fate::Open;
        self.calls.insert(id, Pending { op, fate });
    }

    /// Takes in what came of a call; false where that says nothing new.
    fn ended(&mut self, id: CallId, fate: Fate<S::Ret>) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        match (&call.fate, &fate) {
            (Fate::Open, _) | (Fate::Lost, Fate::Returned { .. } | Fate::Refused | Fate::Unknown) => {}
            _ => return false,
        }
        match fate {
            Fate::Returned { ret, .. } => {
                let nth = self.returned;
                self.returned += 1;
                call.fate = Fate::Returned { ret, nth };
                self.unanswered.remove(&id);
                self.window.push_back(Event::Returned(id));
            }
            Fate::Refused => {
                call.fate = fate;
                self.unanswered.remove(&id);
                self.window.push_back(Event::Refused(id));
                self.asked -= 1;
            }
            Fate::Open | Fate::Unknown | Fate::Lost => call.fate = fate,
        }
        true
    }

    /// Whether there is an order of all so far, whatever comes of open calls, if that takes but few steps.
    fn look_ahead(&self, spec: &S, key: &S::Key, steps: &mut u64, bounds: &Bounds) -> Finding {
        let mut few = FEW.min(bounds.steps);
        let mut cost = Cost {
            steps: &mut few,
            bounds,
        };
        let mut frontier = self.frontier.clone();
        let taken = match self.settling {
            Settling::AsItCan => self.window.iter().try_for_each(|event| {
                let (Event::Called(id) | Event::Returned(id) | Event::Refused(id)) = event;
                let call = self.calls.get(id);
                call.map_or(Ok(()), |call| frontier.take(spec, *event, call, &mut cost))
            }),
            Settling::TooDear => Err(Stuck::TooMuch),
        };
        match taken {
            Ok(()) => Finding::Linearizable,
            // Now all that there is may be spent on why.
            Err(Stuck::NoOrder) => self.find(spec, key, steps, bounds),
            Err(Stuck::TooMuch) => self.find(spec, key, &mut few, bounds),
        }
    }

    /// Whether there is an order that goes on from one of the configurations, by [a search](super::check) for one.
    fn find(&self, spec: &S, key: &S::Key, steps: &mut u64, bounds: &Bounds) -> Finding {
        let mut operations: BTreeMap<CallId, Operation<S::Op, S::Ret>> = BTreeMap::new();
        for (id, call) in &self.calls {
            let (id, op, ended) = (*id, call.op.clone(), Ended::Unknown);
            operations.insert(
                id,
                Operation {
                    id,
                    op,
                    called: 0,
                    ended,
                },
            );
        }
        for (place, event) in self.window.iter().enumerate() {
            let at = place as u64 + 1;
            let (Event::Called(id) | Event::Returned(id) | Event::Refused(id)) = event;
            let Some((call, operation)) = self.calls.get(id).zip(operations.get_mut(id)) else {
                continue;
            };
            match (event, &call.fate) {
                (Event::Called(_), _) => operation.called = at,
                (Event::Returned(_), Fate::Returned { ret, .. }) => {
                    let ret = ret.clone();
                    operation.ended = Ended::Returned { at, ret };
                }
                (Event::Refused(_), _) => operation.ended = Ended::Refused { at },
                (Event::Returned(_), _) => {}
            }
        }
        let settled: Vec<CallId> = self
            .unanswered
            .iter()
            .filter(|id| !operations.contains_key(id))
            .copied()
            .collect();
        let known = operations
            .values()
            .filter(|operation| !matches!(operation.ended, Ended::Refused { .. }));
        let asked = self.asked - known.count();
        let lost = self.frontier.lost.iter().flat_map(|(op, count)| {
            let (id, op, ended) = (CallId(u64::MAX), op.clone(), Ended::Unknown);
            std::iter::repeat_n(
                Operation {
                    id,
                    op,
                    called: 0,
                    ended,
                },
                *count as usize,
            )
        });
        let lost: Vec<_> = lost.collect();
        let starts = self
            .frontier
            .configurations
            .iter()
            .map(|((done, state), used)| Start {
                done: done.clone(),
                used: used
                    .iter()
                    .zip(&self.frontier.lost)
                    .map(|(used, (op, _))| (op.clone(), *used))
                    .collect(),
                state: state.clone(),
            });
        let operations: Vec<_> = lost.iter().chain(operations.values()).collect();
        let part = wgl::Part {
            spec,
            key,
            operations: &operations,
            starts: starts.collect(),
        };
        let mut found = part.find(steps, bounds);
        if let Finding::Violated(explanation) = &mut found {
            // What was settled is not in it.
            let lost = lost.len();
            explanation.calls = (explanation.calls + asked).saturating_sub(lost);
            explanation.open.retain(|id| *id != CallId(u64::MAX));
            explanation.open.extend(settled);
            explanation.open.sort_unstable();
        }
        found
    }

    /// Settles what comes before the first open call, as far as that takes but few steps and is in order. Comes back with the calls of which
    /// everything is settled.
    fn settle(&mut self, spec: &S, bounds: &Bounds) -> Vec<CallId> {
        let mut settled = Vec::new();
        let mut few = FEW.min(bounds.steps);
        let mut cost = Cost {
            steps: &mut few,
            bounds,
        };
        while self.settling == Settling::AsItCan
            && let Some(event) = self.window.front().copied()
        {
            let (Event::Called(id) | Event::Returned(id) | Event::Refused(id)) = event;
            if let Some(call) = self.calls.get(&id) {
                if matches!(call.fate, Fate::Open) {
                    break;
                }
                match self.frontier.take(spec, event, call, &mut cost) {
                    Ok(()) => {}
                    Err(Stuck::TooMuch) if settled.is_empty() => {
                        self.settling = Settling::TooDear;
                        break;
                    }
                    // There is more to spend at the next answer. And that there is no order is told by who looks for one.
                    Err(Stuck::TooMuch | Stuck::NoOrder) => break,
                }
                let is_over = match (event, &call.fate) {
                    (Event::Called(_), Fate::Returned { .. } | Fate::Refused) => false,
                    (Event::Called(_), _) | (Event::Returned(_) | Event::Refused(_), _) => true,
                };
                if is_over {
                    self.calls.remove(&id);
                    settled.push(id);
                }
            }
            self.window.pop_front();
            self.next_try = 0;
        }
        if self.window.len() > LONGEST {
            let why = format!("more than {LONGEST} calls and answers could not be settled");
            settled = self.give_up(why);
        }
        settled
    }

    /// Forgets everything but why. Comes back with all calls that were not settled.
    fn give_up(&mut self, why: String) -> Vec<CallId> {
        self.undecided = Some(why);
        self.window = VecDeque::new();
        self.unanswered = BTreeSet::new();
        self.frontier.configurations = Least::new();
        std::mem::take(&mut self.calls).into_keys().collect()
    }
}

/// What is possible.
#[derive(Clone)]
struct Frontier<S: Spec> {
    configurations: Least<Configuration<S::State>>,
    /// The calls that were called and have not come back, but will, in that order.
    open: BTreeMap<u64, Open<S>>,
    /// How many kinds of them there were.
    kinds: u64,
    /// The calls that will not, by what they ask for.
    lost: Vec<(S::Op, u32)>,
}

/// A call that was called, and will come back.
#[derive(Clone)]
struct Open<S: Spec> {
    id: CallId,
    op: S::Op,
    ret: S::Ret,
    /// The same for calls that ask for the same and come back with the same. As long as both are open it is all one which of them has
    /// effect first, so that it may be the one that comes back first.
    kind: u64,
}

/// Which open calls have had effect, in the order of their numbers, and in which state that left the object.
type Configuration<T> = (Vec<CallId>, T);

impl<S: Spec> Frontier<S> {
    fn new(first: S::State) -> Self {
        let mut configurations = Least::new();
        configurations.insert((Vec::new(), first), Vec::new());
        Frontier {
            configurations,
            open: BTreeMap::new(),
            kinds: 0,
            lost: Vec::new(),
        }
    }

    /// Takes in what comes next. It is as it was when no order gives the answer.
    fn take(&mut self, spec: &S, event: Event, call: &Pending<S>, cost: &mut Cost<'_>) -> Result<(), Stuck> {
        match (event, &call.fate) {
            (Event::Called(id), Fate::Returned { ret, nth }) => {
                let (op, ret) = (call.op.clone(), ret.clone());
                let alike = self.open.values().find(|open| open.op == op && open.ret == ret);
                let kind = alike.map_or(self.kinds, |open| open.kind);
                self.kinds += 1;
                self.open.insert(*nth, Open { id, op, ret, kind });
            }
            (Event::Called(_), Fate::Open | Fate::Unknown | Fate::Lost) => {
                match self.lost.iter_mut().find(|(op, _)| *op == call.op) {
                    Some((_, count)) => *count += 1,
                    None => self.lost.push((call.op.clone(), 1)),
                }
            }
            (Event::Called(_), Fate::Refused) | (Event::Refused(_), _) => {}
            (Event::Returned(id), Fate::Returned { nth, .. }) => {
                self.close(spec, id, cost)?;
                self.open.remove(nth);
            }
            // Nothing else has come back.
            (Event::Returned(_), _) => {}
        }
        Ok(())
    }

    /// Takes every configuration on until the call has had effect.
    fn close(&mut self, spec: &S, id: CallId, cost: &mut Cost<'_>) -> Result<(), Stuck> {
        let mut closed = Least::new();
        self.explore(spec, cost, |(done, state), used| {
            let Ok(place) = done.binary_search(&id) else {
                return Explore::On;
            };
            let mut done = done.clone();
            done.remove(place);
            closed.insert((done, state.clone()), used.clone());
            Explore::NoFurther
        })?;
        if closed.len() == 0 {
            return Err(Stuck::NoOrder);
        }
        self.configurations = closed;
        Ok(())
    }

    /// Shows every configuration that can be reached, each at most once, and goes on from it where it is asked to.
    fn explore(
        &self,
        spec: &S,
        cost: &mut Cost<'_>,
        mut show: impl FnMut(&Configuration<S::State>, &Used) -> Explore,
    ) -> Result<(), Stuck> {
        let mut known = Least::new();
        let open = || self.open.values();
        let mut reach = |(mut done, state): Configuration<S::State>, used: Used, cost: &mut Cost<'_>| {
            // A look could not be better off later than now, if this is what it comes back with.
            for Open { id, op, ret, .. } in open() {
                if spec.only_looks(op, ret)
                    && let Err(place) = done.binary_search(id)
                {
                    cost.step()?;
                    if spec.step(&state, op, ret).is_some() {
                        done.insert(place, *id);
                    }
                }
            }
            // It leads nowhere where a call can never come back any more with what it comes back with.
            for Open { id, op, ret, .. } in open() {
                if spec.is_past(&state, op, ret) && done.binary_search(id).is_err() {
                    return Ok(None);
                }
            }
            let configuration = (done, state);
            if !known.insert(configuration.clone(), used.clone()) {
                return Ok(None);
            }
            cost.hold(known.len())?;
            let goes_on = show(&configuration, &used) == Explore::On;
            Ok(goes_on.then_some((configuration, used)))
        };
        // What took the least lost calls comes first, so that most of the rest is worse than what is known.
        let mut waiting = VecDeque::new();
        for (configuration, used) in self.configurations.iter() {
            waiting.extend(reach(configuration.clone(), used.clone(), cost)?);
        }
        while let Some(((done, state), used)) = waiting.pop_front() {
            for (class, (op, count)) in self.lost.iter().enumerate() {
                if used.get(class).copied().unwrap_or(0) < *count {
                    cost.step()?;
                    let (after, _) = spec.apply(&state, op);
                    // What has no effect need not have had it.
                    if after != state {
                        let mut used = used.clone();
                        used.resize(used.len().max(class + 1), 0);
                        used[class] += 1;
                        waiting.extend(reach((done.clone(), after), used, cost)?);
                    }
                }
            }
            let mut kinds = Vec::new();
            for Open { id, op, ret, kind } in open() {
                if let Err(place) = done.binary_search(id)
                    && !kinds.contains(kind)
                {
                    kinds.push(*kind);
                    cost.step()?;
                    if let Some(after) = spec.step(&state, op, ret) {
                        let mut done = done.clone();
                        done.insert(place, *id);
                        if let Some(reached) = reach((done, after), used.clone(), cost)? {
                            waiting.push_front(reached);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether to go on from a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explore {
    On,
    NoFurther,
}
