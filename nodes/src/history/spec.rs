//! Sequential objects: what calls would do if they came one after the other. Three that are often needed are here.

use std::fmt;
use std::marker::PhantomData;

/// A sequential object, against which a history of concurrent calls is held.
///
/// It is deterministic: a state and an operation give one state and one return value. Where an object is made of parts that have nothing
/// to do with each other, each part has a key of its own and is judged by itself, which is as good and much cheaper: a history is
/// linearizable if and only if that of each part is (M. Herlihy and J. Wing, *Linearizability*, 1990, theorem 1).
pub trait Spec: Clone + 'static {
    /// What can be done.
    type Op: Clone + Ord + fmt::Debug;
    /// What comes back.
    type Ret: Clone + PartialEq + fmt::Debug;
    /// What a part of the object holds. Explanations print it by its `Debug` form.
    type State: Clone + Ord + fmt::Debug;
    /// Which part an operation concerns: `()` where there is but one.
    type Key: Clone + Ord + fmt::Debug;

    /// The part that an operation concerns.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// What a part holds at first.
    fn init(&self, key: &Self::Key) -> Self::State;

    /// What a part holds after an operation, and what comes back. Every operation can be done in every state: one that is refused
    /// leaves the state as it is.
    fn apply(&self, state: &Self::State, op: &Self::Op) -> (Self::State, Self::Ret);

    /// Whether `got` may be what an operation came back with, where `due` is what [`apply`](Spec::apply) has it come back with. Where
    /// an answer says less than could be said, such as that it was done, this is the place to allow it.
    fn allows(&self, op: &Self::Op, due: &Self::Ret, got: &Self::Ret) -> bool {
        let _ = op;
        due == got
    }

    /// Whether an operation that comes back with `ret` leaves every state as it is in which it may come back with that: a look does, and
    /// a write does not. A checker is quicker where it is told, and wrong where it is told so and it is not so.
    fn only_looks(&self, op: &Self::Op, ret: &Self::Ret) -> bool {
        let _ = (op, ret);
        false
    }

    /// Whether it is too late in this state for an operation to come back with `ret`, whatever else is done before it: of a counter that
    /// only goes up, when it is higher. A checker is much quicker where it is told, and wrong where it is told so and it is not so.
    fn is_past(&self, state: &Self::State, op: &Self::Op, ret: &Self::Ret) -> bool {
        let _ = (state, op, ret);
        false
    }

    /// What a part holds after an operation that came back with `ret`; `None` where it cannot come back with that.
    fn step(&self, state: &Self::State, op: &Self::Op, ret: &Self::Ret) -> Option<Self::State> {
        let (after, due) = self.apply(state, op);
        self.allows(op, &due, ret).then_some(after)
    }
}

/// One value that is read, written, and replaced if it is what it is thought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<V> {
    /// What it holds at first.
    pub first: V,
}

/// What can be done with a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterOp<V> {
    /// Look at it: comes back with [`RegisterRet::Value`].
    Read,
    /// Put a value there: comes back with [`RegisterRet::Done`].
    Write(V),
    /// Put `to` there if `from` is there: comes back with [`RegisterRet::Swapped`].
    Swap {
        /// What has to be there.
        from: V,
        /// What is to be there.
        to: V,
    },
}

/// What comes back from a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterRet<V> {
    /// What is there.
    Value(V),
    /// It was written.
    Done,
    /// Whether it was replaced.
    Swapped(bool),
}

impl<V: Clone + Ord + fmt::Debug + 'static> Spec for Register<V> {
    type Op = RegisterOp<V>;
    type Ret = RegisterRet<V>;
    type State = V;
    type Key = ();

    fn key(&self, _op: &RegisterOp<V>) {}

    fn init(&self, (): &()) -> V {
        self.first.clone()
    }

    fn apply(&self, state: &V, op: &RegisterOp<V>) -> (V, RegisterRet<V>) {
        match op {
            RegisterOp::Read => (state.clone(), RegisterRet::Value(state.clone())),
            RegisterOp::Write(value) => (value.clone(), RegisterRet::Done),
            RegisterOp::Swap { from, to } if from == state => (to.clone(), RegisterRet::Swapped(true)),
            RegisterOp::Swap { .. } => (state.clone(), RegisterRet::Swapped(false)),
        }
    }

    fn only_looks(&self, op: &RegisterOp<V>, ret: &RegisterRet<V>) -> bool {
        matches!(
            (op, ret),
            (RegisterOp::Read, _) | (_, RegisterRet::Swapped(false))
        )
    }
}

/// A number that is read and added to. It wraps around at the ends of `i64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// What it stands at first.
    pub first: i64,
    /// What may be added to it.
    pub goes: Goes,
}

/// Where a [`Counter`] goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goes {
    /// Anything may be added.
    #[default]
    Anywhere,
    /// Nothing below 0 is ever added, and it stays below the end of `i64`.
    Up,
}

/// What can be done with a [`Counter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterOp {
    /// Look at it: comes back with [`CounterRet::Value`].
    Read,
    /// Add to it: comes back with [`CounterRet::Value`], what it stands at then, or with [`CounterRet::Done`].
    Add(i64),
}

/// What comes back from a [`Counter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterRet {
    /// What it stands at.
    Value(i64),
    /// It was added to.
    Done,
}

impl Spec for Counter {
    type Op = CounterOp;
    type Ret = CounterRet;
    type State = i64;
    type Key = ();

    fn key(&self, _op: &CounterOp) {}

    fn init(&self, (): &()) -> i64 {
        self.first
    }

    fn apply(&self, state: &i64, op: &CounterOp) -> (i64, CounterRet) {
        let after = match op {
            CounterOp::Read => *state,
            CounterOp::Add(by) => state.wrapping_add(*by),
        };
        (after, CounterRet::Value(after))
    }

    fn allows(&self, op: &CounterOp, due: &CounterRet, got: &CounterRet) -> bool {
        due == got || matches!((op, got), (CounterOp::Add(_), CounterRet::Done))
    }

    fn only_looks(&self, op: &CounterOp, _ret: &CounterRet) -> bool {
        matches!(op, CounterOp::Read | CounterOp::Add(0))
    }

    fn is_past(&self, state: &i64, op: &CounterOp, ret: &CounterRet) -> bool {
        match (self.goes, ret) {
            (Goes::Up, CounterRet::Value(value)) => self.apply(state, op).0 > *value,
            (Goes::Up, CounterRet::Done) | (Goes::Anywhere, _) => false,
        }
    }
}

/// Values by keys, each key a part of its own. There is nothing under any key at first.
pub struct Kv<K, V> {
    of: PhantomData<fn() -> (K, V)>,
}

/// What can be done with a [`Kv`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KvOp<K, V> {
    /// Look at what is under a key: comes back with [`KvRet::Value`].
    Get(K),
    /// Put a value under a key: comes back with [`KvRet::Done`].
    Put(K, V),
    /// Take away what is under a key: comes back with [`KvRet::Done`], whether anything was there or not.
    Delete(K),
    /// Replace what is under a key if it is `from`: comes back with [`KvRet::Swapped`].
    Swap {
        /// The key.
        key: K,
        /// What has to be there; `None` for nothing.
        from: Option<V>,
        /// What is to be there; `None` for nothing.
        to: Option<V>,
    },
}

/// What comes back from a [`Kv`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KvRet<V> {
    /// What is there; `None` for nothing.
    Value(Option<V>),
    /// It was done.
    Done,
    /// Whether it was replaced.
    Swapped(bool),
}

impl<K, V> Kv<K, V> {
    /// With nothing in it.
    pub fn new() -> Self {
        Kv { of: PhantomData }
    }
}

impl<K, V> Default for Kv<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

// By hand: it holds no keys and no values, so that it can be copied whatever they are.
impl<K, V> Clone for Kv<K, V> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for Kv<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kv")
    }
}

impl<K, V> Spec for Kv<K, V>
where
    K: Clone + Ord + fmt::Debug + 'static,
    V: Clone + Ord + fmt::Debug + 'static,
{
    type Op = KvOp<K, V>;
    type Ret = KvRet<V>;
    type State = Option<V>;
    type Key = K;

    fn key(&self, op: &KvOp<K, V>) -> K {
        match op {
            KvOp::Get(key) | KvOp::Put(key, _) | KvOp::Delete(key) | KvOp::Swap { key, .. } => key.clone(),
        }
    }

    fn init(&self, _key: &K) -> Option<V> {
        None
    }

    fn apply(&self, state: &Option<V>, op: &KvOp<K, V>) -> (Option<V>, KvRet<V>) {
        match op {
            KvOp::Get(_) => (state.clone(), KvRet::Value(state.clone())),
            KvOp::Put(_, value) => (Some(value.clone()), KvRet::Done),
            KvOp::Delete(_) => (None, KvRet::Done),
            KvOp::Swap { from, to, .. } if from == state => (to.clone(), KvRet::Swapped(true)),
            KvOp::Swap { .. } => (state.clone(), KvRet::Swapped(false)),
        }
    }

    fn only_looks(&self, op: &KvOp<K, V>, ret: &KvRet<V>) -> bool {
        matches!((op, ret), (KvOp::Get(_), _) | (_, KvRet::Swapped(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_holds_what_was_written_or_swapped_in_last() {
        let register = Register { first: 1 };
        let swap = |from, to| RegisterOp::Swap { from, to };
        assert_eq!(register.apply(&1, &RegisterOp::Read), (1, RegisterRet::Value(1)));
        assert_eq!(register.apply(&1, &RegisterOp::Write(2)), (2, RegisterRet::Done));
        assert_eq!(register.apply(&2, &swap(2, 3)), (3, RegisterRet::Swapped(true)));
        assert_eq!(register.apply(&2, &swap(1, 3)), (2, RegisterRet::Swapped(false)));
        assert_eq!(register.step(&2, &RegisterOp::Read, &RegisterRet::Value(1)), None);
    }

    #[test]
    fn an_addition_may_come_back_with_no_more_than_that_it_was_done() {
        let counter = Counter::default();
        let add = CounterOp::Add(2);
        assert_eq!(counter.step(&1, &add, &CounterRet::Value(3)), Some(3));
        assert_eq!(counter.step(&1, &add, &CounterRet::Done), Some(3));
        assert_eq!(counter.step(&1, &add, &CounterRet::Value(2)), None);
        assert_eq!(counter.step(&1, &CounterOp::Read, &CounterRet::Done), None);
        assert_eq!(counter.apply(&i64::MAX, &CounterOp::Add(1)).0, i64::MIN);
    }

    #[test]
    fn what_is_under_a_key_is_a_part_of_its_own() {
        let kv = Kv::<&str, u8>::new();
        let swap = KvOp::Swap {
            key: "a",
            from: None,
            to: Some(1),
        };
        assert_eq!((kv.key(&swap), kv.init(&"a")), ("a", None));
        assert_eq!(kv.apply(&None, &swap), (Some(1), KvRet::Swapped(true)));
        assert_eq!(kv.apply(&Some(2), &swap), (Some(2), KvRet::Swapped(false)));
        assert_eq!(kv.apply(&Some(2), &KvOp::Delete("a")), (None, KvRet::Done));
        assert_eq!(kv.apply(&Some(2), &KvOp::Put("a", 3)).0, Some(3));
        assert_eq!(kv.apply(&Some(2), &KvOp::Get("a")).1, KvRet::Value(Some(2)));
    }
}
