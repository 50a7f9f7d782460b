//! The calls to one replica, on their way to the leader and back.

use std::collections::VecDeque;

use super::state::{Batch, Op};
use super::wire::BATCH;
use crate::node::CallId;

/// The calls that wait, and those that are with the leader.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    life: u64,
    number: u64,
    waiting: VecDeque<(CallId, Op)>,
    /// What was asked of the leader last and has no answer.
    asked: Vec<(CallId, Op)>,
}

impl Caller {
    /// Of a replica in one of its lives.
    pub(super) fn new(life: u64) -> Self {
        Caller {
            life,
            number: 0,
            waiting: VecDeque::new(),
            asked: Vec::new(),
        }
    }

    /// Takes in a call; false where as many wait as go into a batch.
    pub(super) fn call(&mut self, call: CallId, op: Op) -> bool {
        let has_room = self.waiting.len() < BATCH;
        if has_room {
            self.waiting.push_back((call, op));
        }
        has_room
    }

    /// Makes a batch of all that waits when nothing is with the leader. Whether there is a new one.
    pub(super) fn ask(&mut self) -> bool {
        let is_new = self.asked.is_empty() && !self.waiting.is_empty();
        if is_new {
            self.number += 1;
            self.asked = self.waiting.drain(..).collect();
        }
        is_new
    }

    /// What is with the leader.
    pub(super) fn asked(&self) -> Option<(Batch, Vec<Op>)> {
        let ops = || self.asked.iter().map(|(_, op)| *op).collect();
        (!self.asked.is_empty()).then(|| (self.batch(), ops()))
    }

    /// It was done: what each call comes back with.
    pub(super) fn done(&mut self, batch: Batch, before: i64) -> Vec<(CallId, i64)> {
        if batch != self.batch() {
            return Vec::new();
        }
        let mut value = before;
        let calls = self.asked.drain(..).map(|(call, op)| {
            value = op.apply(value);
            (call, value)
        });
        calls.collect()
    }

    fn batch(&self) -> Batch {
        Batch {
            life: self.life,
            number: self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_is_asked_at_a_time_and_answered_once() {
        let mut caller = Caller::new(3);
        assert!(caller.call(CallId(1), Op::Add(2)) && caller.ask());
        assert!(caller.call(CallId(2), Op::Read) && !caller.ask());
        let (batch, ops) = caller.asked().unwrap();
        assert_eq!(
            (batch, ops.as_slice()),
            (Batch { life: 3, number: 1 }, &[Op::Add(2)][..])
        );
        let other = Batch { life: 2, number: 1 };
        assert_eq!(caller.done(other, 7), []);
        assert_eq!(caller.done(batch, 7), [(CallId(1), 9)]);
        assert_eq!(caller.done(batch, 7), []);
        assert!(caller.ask());
        assert_eq!(caller.asked().unwrap().0.number, 2);
    }

    #[test]
    fn no_more_calls_wait_than_go_into_a_batch() {
        let mut caller = Caller::new(1);
        assert!((0..64).all(|call| caller.call(CallId(call), Op::Read)));
        assert!(!caller.call(CallId(64), Op::Read));
    }
}
