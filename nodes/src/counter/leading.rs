//! What a replica has in hand that leads, or would.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Batch, Ledger, Op, Stamp};
use crate::node::Token;

/// What a replica does.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// It follows the leader of the term that it has promised, or waits for one.
    Following,
    /// It stands for leader of that term.
    Standing(Standing),
    /// It leads in it.
    Leading(Leading),
}

/// An election.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The write after which its own promise counts.
    pub(super) written: Token,
    /// Who follows, each with its newest state.
    pub(super) followed: BTreeMap<usize, (Stamp, Ledger)>,
}

/// A reign.
#[derive(Clone, Debug, Default)]
pub(super) struct Leading {
    pub(super) step: u64,
    /// Whether a majority has a state of this term: before, it may not be known what was answered in an earlier one.
    pub(super) is_ready: bool,
    /// What is to be done next, by who asks.
    pub(super) queue: BTreeMap<usize, (Batch, Vec<Op>)>,
    /// Whether something was done that is in no round: only where the leader is hasty.
    pub(super) is_ahead: bool,
    pub(super) round: Option<Round>,
}

/// A state on its way to the others.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) stamp: Stamp,
    pub(super) ledger: Ledger,
    /// The write after which its own disk counts.
    pub(super) written: Token,
    /// Who has it.
    pub(super) taken: BTreeSet<usize>,
    /// What is to be told when a majority has it: to whom, of which batch, and what the counter stood at before.
    pub(super) answers: Vec<(usize, Batch, i64)>,
}
