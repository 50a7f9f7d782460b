//! Calls as operations on a sequential object, and how a protocol's commands and answers are read as such.

use std::fmt;

use super::spec::Spec;
use crate::node::CallId;

/// One call of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<O, R> {
    /// The call's number.
    pub id: CallId,
    /// What was to be done.
    pub op: O,
    /// When it was called: a place in one order of all calls and answers, in which no two have the same.
    pub called: u64,
    /// What came of it.
    pub ended: Ended<R>,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended<R> {
    /// It came back.
    Returned {
        /// When: a place in the same order, after the call's.
        at: u64,
        /// With what.
        ret: R,
    },
    /// It was refused: it was not done and never will be.
    Refused {
        /// When that was said: a place in the same order, after the call's.
        at: u64,
    },
    /// Nobody knows: it may have been done at any time since it was called, may yet be done, and may never be.
    Unknown,
}

/// How commands are read as operations and answers as what they came back with.
pub struct Reading<C, A, S: Spec> {
    /// The operation that a command asks for; `None` for a command that is none.
    pub op: fn(&C) -> Option<S::Op>,
    /// What an answer says of an operation.
    pub ret: fn(&S::Op, &A) -> Told<S::Ret>,
}

impl<C, A, S: Spec> Clone for Reading<C, A, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, A, S: Spec> Copy for Reading<C, A, S> {}

impl<C, A, S: Spec> fmt::Debug for Reading<C, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

/// What an answer says of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<R> {
    /// It was done, and came back with this.
    Returned(R),
    /// It was not done and never will be.
    Refused,
    /// It may have been done, or may yet be: as good as no answer, and none that comes later counts.
    Unknown,
    /// Nothing: an answer that counts may yet come.
    Nothing,
}

/// How much a checker may spend before it says that it could not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many operations it may try out on states, all in all.
    pub steps: u64,
    /// How many configurations (a state, and who has had effect) it may keep at once.
    pub configurations: usize,
}

impl Default for Bounds {
    /// Ten million steps, and half a million configurations: seconds, and some hundred bytes a configuration for small states.
    fn default() -> Self {
        Bounds {
            steps: 10_000_000,
            configurations: 500_000,
        }
    }
}

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There is an order of the calls, each between its call and its answer, in which the object gives these answers.
    Linearizable,
    /// There is none.
    Violated(Box<Explanation>),
    /// It was not found out.
    Undecided {
        /// Why, in a sentence that begins with "it" or "more".
        why: String,
    },
}

/// Why a history is not linearizable: the answer before which it is, what the object could hold by then, and what else was under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The part of the object, in its `Debug` form.
    pub key: String,
    /// The call whose answer no order of the calls gives: what was asked and answered before it has an order.
    pub call: CallId,
    /// What it was to do, in its `Debug` form.
    pub op: String,
    /// What it came back with, in its `Debug` form; `None` where it was refused, and what others came back with rests on it.
    pub ret: Option<String>,
    /// How many calls of that part there were by then, this one among them.
    pub calls: usize,
    /// The states that were possible just before the answer, without that call: the first [`Explanation::STATES`] in their order, in
    /// their `Debug` form. None where what others came back with rests on that call having had effect.
    pub states: Vec<String>,
    /// Whether there were more, or it took too long to find all of them.
    pub more_states: bool,
    /// The other calls that were without an answer then, in the order of their numbers: each may have had effect or not.
    pub open: Vec<CallId>,
}

impl Explanation {
    /// How many states are told.
    pub const STATES: usize = 8;
    /// How many open calls are told by name.
    const OPEN: usize = 8;
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { call, op, .. } = self;
        let key = match self.key.as_str() {
            "()" => String::new(),
            key => format!(" of {key}"),
        };
        let Some(ret) = &self.ret else {
            let others = self.calls.saturating_sub(1);
            write!(
                f,
                "call {} (`{op}`) was refused, and what came back from the {others} other calls{key} rests on it",
                call.0
            )?;
            return Ok(());
        };
        write!(
            f,
            "call {} (`{op}`) came back with `{ret}`, which no order of the ",
            call.0
        )?;
        match self.calls {
            1 => write!(f, "only call{key}")?,
            calls => write!(f, "{calls} calls{key}")?,
        }
        f.write_str(" gives: ")?;
        let states: Vec<String> = self.states.iter().map(|state| format!("`{state}`")).collect();
        match (states.as_slice(), self.more_states) {
            ([], true) => {
                f.write_str("it was not found out in time what there could be without it by then")?
            }
            ([], false) => {
                f.write_str("what others came back with rests on it, and leaves it another answer")?
            }
            ([state], false) => write!(f, "without it there could only be {state} by then")?,
            (states, false) => write!(f, "without it there could be {} by then", states.join(" or "))?,
            (states, true) => write!(
                f,
                "without it there could be {} or something else by then",
                states.join(" or ")
            )?,
        }
        if !self.open.is_empty() {
            let told = self.open.iter().take(Self::OPEN).map(|call| call.0.to_string());
            let told: Vec<String> = told.collect();
            let calls = if self.open.len() == 1 { "call" } else { "calls" };
            write!(f, ", {calls} {}", told.join(", "))?;
            let rest = self.open.len().saturating_sub(Self::OPEN);
            if rest > 0 {
                write!(f, " and {rest} others")?;
            }
            let effect = if self.open.len() == 1 {
                "whether it had had effect or not"
            } else {
                "whichever of them had had effect"
            };
            write!(f, " being without an answer, {effect}")?;
        }
        Ok(())
    }
}
