//! What replicas agree on, and what each has on its disk.

use serde::{Deserialize, Serialize};

use super::wire::{open, seal};

/// A term: there is one replica that may lead in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Term {
    /// Counts up. There is no leader in round 0.
    pub round: u64,
    /// The number of the replica that may lead, from 0.
    pub leader: u8,
}

/// The last round there is. Nobody gets there by standing for leader.
pub(super) const LAST_ROUND: u64 = u64::MAX >> 1;

/// How old a state of the counter is: of two the one of the higher term is the newer, then the one of the higher step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) term: Term,
    pub(super) step: u64,
}

/// The counter, with what was last done for whom, so that nothing is done twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) value: i64,
    /// By the number of the replica that asked; those at the end may be missing.
    pub(super) done: Vec<Done>,
}

/// The last batch that was done for a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) batch: Batch,
    /// What the counter stood at before it.
    pub(super) before: i64,
}

/// The name of a batch: the higher is the later one. A replica's first is number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Batch {
    /// The life of the replica that asks.
    pub(super) life: u64,
    pub(super) number: u64,
}

/// One thing to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Op {
    Add(u32),
    Read,
}

impl Op {
    /// What the counter stands at afterwards, which is also what comes back.
    pub(super) fn apply(self, value: i64) -> i64 {
        match self {
            Op::Add(by) => value.saturating_add(i64::from(by)),
            Op::Read => value,
        }
    }
}

impl Ledger {
    /// What was last done for a replica.
    pub(super) fn last(&self, member: usize) -> Done {
        self.done.get(member).copied().unwrap_or_default()
    }

    /// Does a batch. Comes back with what the counter stood at before.
    pub(super) fn apply(&mut self, member: usize, batch: Batch, ops: &[Op]) -> i64 {
        let before = self.value;
        self.value = ops.iter().fold(before, |value, op| op.apply(value));
        if self.done.len() <= member {
            self.done.resize(member + 1, Done::default());
        }
        self.done[member] = Done { batch, before };
        before
    }
}

/// What outlives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// How often the replica has started.
    pub(super) life: u64,
    /// The highest term that it follows: it takes nothing of a lower one any more.
    pub(super) promised: Term,
    /// The newest state that it was given, and how new that is.
    pub(super) accepted: Stamp,
    pub(super) ledger: Ledger,
}

impl Saved {
    /// The bytes for the disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        seal(self)
    }

    /// Reads what was on the disk; `None` when it is anything else than what [`encode`](Self::encode) writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        open(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_done_in_its_order_and_remembered() {
        let mut ledger = Ledger::default();
        let batch = Batch { life: 1, number: 4 };
        assert_eq!(ledger.apply(2, batch, &[Op::Add(5), Op::Read, Op::Add(2)]), 0);
        assert_eq!((ledger.value, ledger.last(2).batch), (7, batch));
        assert_eq!(ledger.last(7), Done::default());
    }

    #[test]
    fn a_disk_reads_back_as_it_was_written_and_damaged_not_at_all() {
        let mut saved = Saved {
            life: 3,
            promised: Term { round: 7, leader: 4 },
            ..Saved::default()
        };
        saved
            .ledger
            .apply(1, Batch { life: 2, number: 9 }, &[Op::Add(300)]);
        let good = saved.encode();
        assert_eq!(Saved::decode(&good), Some(saved));
        for len in 0..good.len() {
            assert_eq!(Saved::decode(&good[..len]), None, "{len} bytes");
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Saved::decode(&bytes), None, "bit {bit}");
        }
    }
}
