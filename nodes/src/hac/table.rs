//! The availability table, as those who hear of it put it together from packets that may be lost, repeated and reordered.
//!
//! A table is a point of a semilattice and merging is its join: it commutes, associates, and taking in a packet twice
//! changes nothing. What a server keeps to *make* a table is its own (`server`).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::wire::{Entry, Epoch};

/// What is known of the nodes of a cluster in one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    epoch: Epoch,
    rows: BTreeMap<u32, Entry>,
    /// How many of the entries were made in each round; no round of which there is none.
    made: BTreeMap<u32, usize>,
}

/// How many entries a table holds at most. What goes beyond is not taken in. A round's AS goes to everyone in the table with
/// every packet of it, so that the square counts: with the usual `mtu`, a full table is 68 packets to each of 4 095 nodes,
/// whoever filled it.
pub const MAX_ENTRIES: usize = 4_096;

/// How an entry meets the one that is held under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// The greater of the two stays, by (round, heard, alive, address).
    Greater,
    /// The one that came last stays. No rule set does this; it is there to be caught.
    Latest,
}

impl Table {
    /// An empty table of `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Table {
            epoch,
            rows: BTreeMap::new(),
            made: BTreeMap::new(),
        }
    }

    /// The epoch whose server made the entries.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The entries, by id.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.rows.values()
    }

    /// How many entries were made in `round`.
    pub fn made_in(&self, round: u32) -> usize {
        self.made.get(&round).copied().unwrap_or(0)
    }

    /// Becomes the join of the two: a higher epoch replaces all of a lower one; within an epoch, each id keeps the greater
    /// of its entries.
    pub fn merge(&mut self, other: &Table) {
        self.absorb(other.epoch, other.rows.values().copied(), Meeting::Greater);
    }

    /// Takes in entries that the server of `epoch` made.
    pub fn absorb(&mut self, epoch: Epoch, entries: impl IntoIterator<Item = Entry>, meeting: Meeting) {
        if epoch < self.epoch {
            return;
        }
        if epoch > self.epoch {
            self.rows.clear();
            self.made.clear();
            self.epoch = epoch;
        }
        for entry in entries {
            let is_full = self.rows.len() >= MAX_ENTRIES;
            match self.rows.entry(entry.id) {
                Slot::Occupied(mut held) if meeting == Meeting::Latest || rank(&entry) > rank(held.get()) => {
                    let before = held.insert(entry);
                    if let Some(count) = self.made.get_mut(&before.round) {
                        *count -= 1;
                        if *count == 0 {
                            self.made.remove(&before.round);
                        }
                    }
                    *self.made.entry(entry.round).or_default() += 1;
                }
                Slot::Vacant(slot) if !is_full => {
                    slot.insert(entry);
                    *self.made.entry(entry.round).or_default() += 1;
                }
                // The one that is held is at least as great, or the entry is beyond the bound of memory.
                Slot::Occupied(_) | Slot::Vacant(_) => {}
            }
        }
    }
}

/// A total order on the entries of one id, so that the join does not depend on who came first.
fn rank(entry: &Entry) -> impl Ord + use<> {
    (
        entry.round,
        entry.heard,
        entry.status,
        *entry.addr.ip(),
        entry.addr.port(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::super::wire::Status;
    use super::*;

    fn entry(id: u32, round: u32, heard: u32) -> Entry {
        let addr = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, id as u8), 7400);
        Entry {
            id,
            addr,
            status: Status::Alive,
            heard,
            round,
        }
    }

    const E1: Epoch = Epoch {
        counter: 1,
        server: 1,
        nonce: 6,
    };
    const E2: Epoch = Epoch {
        counter: 2,
        server: 5,
        nonce: 6,
    };

    #[test]
    fn an_older_round_that_comes_late_changes_nothing() {
        let mut table = Table::new(E1);
        table.absorb(E1, [entry(1, 2, 2), entry(2, 2, 1)], Meeting::Greater);
        let before = table.clone();
        table.absorb(E1, [entry(1, 1, 1), entry(2, 1, 1)], Meeting::Greater);
        assert_eq!(table, before);
        table.absorb(E1, [entry(1, 1, 1)], Meeting::Latest);
        assert_ne!(table, before);
    }

    #[test]
    fn a_higher_epoch_replaces_the_table_and_a_lower_one_is_ignored() {
        let mut table = Table::new(E1);
        table.absorb(E1, [entry(1, 9, 9), entry(2, 9, 9)], Meeting::Greater);
        table.absorb(E2, [entry(2, 0, 0)], Meeting::Greater);
        assert_eq!((table.epoch(), table.entries().len()), (E2, 1));
        table.absorb(E1, [entry(1, 10, 10)], Meeting::Greater);
        assert_eq!((table.epoch(), table.entries().len()), (E2, 1));
    }

    #[test]
    fn the_entries_of_a_round_are_counted() {
        let mut table = Table::new(E1);
        table.absorb(
            E1,
            [entry(1, 3, 1), entry(2, 3, 1), entry(3, 2, 1)],
            Meeting::Greater,
        );
        assert_eq!((table.made_in(3), table.made_in(2)), (2, 1));
        table.absorb(E1, [entry(3, 3, 1), entry(1, 2, 9)], Meeting::Greater);
        assert_eq!((table.made_in(3), table.made_in(2)), (3, 0));
        table.absorb(E1, [entry(1, 2, 9)], Meeting::Latest);
        assert_eq!((table.made_in(3), table.made_in(2)), (2, 1));
        table.absorb(E2, [entry(1, 2, 9)], Meeting::Greater);
        assert_eq!((table.made_in(3), table.made_in(2)), (0, 1));
    }

    #[test]
    fn a_table_does_not_grow_beyond_its_bound() {
        let mut table = Table::new(E1);
        table.absorb(
            E1,
            (1..=2 * MAX_ENTRIES as u32).map(|id| entry(id, 1, 1)),
            Meeting::Greater,
        );
        assert_eq!(table.entries().len(), MAX_ENTRIES);
    }
}
