//! The event queue: a timing wheel that pops in the exact order of (time, order of pushing).
//!
//! Events lie in a slab and never move. A wheel of slots holds those of the near future as lists through the slab; what
//! lies beyond the wheel waits in a heap of keys. A slot is sorted when it is reached, and what is pushed into the slot
//! that is being drained goes to a small heap beside it, so that many events at one instant cost no quadratic insertion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A slot is 2^17 ns (131 µs) wide.
const SLOT_BITS: u32 = 17;
/// The wheel is 4096 slots (537 ms) round.
const SLOTS: u64 = 4096;
/// A key holds 40 bits of order above 24 bits of place in the slab.
const PLACE_BITS: u32 = 24;
const NONE: u32 = u32::MAX;

/// A queue of events, popped by (time, order of pushing).
pub(crate) struct Queue<T> {
    /// First of the list of each slot of the wheel.
    heads: Vec<u32>,
    /// A bit for each slot that is not empty, and a bit for each word of them that is not zero.
    occupied: [u64; SLOTS as usize / 64],
    summary: u64,
    slab: Vec<Record<T>>,
    /// Next of each record in its slot's list, or in the list of free places.
    next: Vec<u32>,
    free: u32,
    /// The slot being drained, soonest last.
    current: Vec<Key>,
    /// What was pushed at or before the slot being drained.
    late: BinaryHeap<Reverse<Key>>,
    /// What lies beyond the wheel.
    far: BinaryHeap<Reverse<Key>>,
    /// The number of the slot being drained: time >> SLOT_BITS.
    cursor: u64,
    pushed: u64,
    len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: u64,
    /// Order of pushing, above the place in the slab.
    order: u64,
}

#[derive(Clone, Copy)]
struct Record<T> {
    key: Key,
    event: T,
}

/// The queue holds as many events as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// An event taken out of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Popped<T> {
    pub(crate) at: u64,
    /// What [`Queue::push`] returned for it.
    pub(crate) ticket: u64,
    pub(crate) event: T,
}

impl<T: Copy> Queue<T> {
    /// How many events it can hold: a gigabyte of them.
    pub(crate) const CAPACITY: usize = (1 << PLACE_BITS) - 1;

    pub(crate) fn new() -> Self {
        Queue {
            heads: vec![NONE; SLOTS as usize],
            occupied: [0; SLOTS as usize / 64],
            summary: 0,
            slab: Vec::new(),
            next: Vec::new(),
            free: NONE,
            current: Vec::new(),
            late: BinaryHeap::new(),
            far: BinaryHeap::new(),
            cursor: 0,
            pushed: 0,
            len: 0,
        }
    }

    /// Empties the queue and starts time anew; what was allocated stays.
    pub(crate) fn clear(&mut self) {
        for word in 0..self.occupied.len() {
            let mut bits = self.occupied[word];
            while bits != 0 {
                self.heads[word * 64 + bits.trailing_zeros() as usize] = NONE;
                bits &= bits - 1;
            }
            self.occupied[word] = 0;
        }
        self.summary = 0;
        self.slab.clear();
        self.next.clear();
        self.free = NONE;
        self.current.clear();
        self.late.clear();
        self.far.clear();
        self.cursor = 0;
        self.pushed = 0;
        self.len = 0;
    }

    /// How many events are in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many events were in it at once since it was last cleared, at most.
    #[cfg(test)]
    pub(crate) fn most(&self) -> usize {
        // A place in the slab is taken only when no other is free.
        self.slab.len()
    }

    /// Puts in an event. The ticket names it for good: no other event of the run has it.
    ///
    /// # Errors
    ///
    /// [`Full`] when it holds [`CAPACITY`](Self::CAPACITY) events.
    #[inline]
    pub(crate) fn push(&mut self, at: u64, event: T) -> Result<u64, Full> {
        let place = if self.free != NONE {
            let place = self.free;
            self.free = self.next[place as usize];
            place
        } else {
            if self.slab.len() >= Self::CAPACITY {
                return Err(Full);
            }
            self.slab.len() as u32
        };
        assert!(
            self.pushed < 1 << (64 - PLACE_BITS),
            "a run pushed more than 2^40 events"
        );
        let key = Key {
            at,
            order: self.pushed << PLACE_BITS | u64::from(place),
        };
        self.pushed += 1;
        self.len += 1;
        let record = Record { key, event };
        if place as usize == self.slab.len() {
            self.slab.push(record);
            self.next.push(NONE);
        } else {
            self.slab[place as usize] = record;
        }
        self.place(key);
        Ok(key.order)
    }

    /// Takes out the next event.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Popped<T>> {
        let key = loop {
            match (self.current.last(), self.late.peek()) {
                (Some(&soon), Some(&Reverse(late))) if late < soon => {
                    self.late.pop();
                    break late;
                }
                (Some(&soon), _) => {
                    self.current.pop();
                    break soon;
                }
                (None, Some(&Reverse(late))) => {
                    self.late.pop();
                    break late;
                }
                (None, None) => {
                    if !self.advance() {
                        return None;
                    }
                }
            }
        };
        let place = key.place();
        self.len -= 1;
        self.next[place] = self.free;
        self.free = place as u32;
        Some(Popped {
            at: key.at,
            ticket: key.order,
            event: self.slab[place].event,
        })
    }

    /// Everything that is in it, in no order that means anything.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Popped<T>> + '_ {
        let heaps = self.late.iter().chain(&self.far).map(|Reverse(key)| *key);
        let wheel = self.heads.iter().flat_map(move |head| {
            let record = |place: u32| (place != NONE).then_some(place);
            std::iter::successors(record(*head), move |place| record(self.next[*place as usize]))
                .map(|place| self.slab[place as usize].key)
        });
        self.current
            .iter()
            .copied()
            .chain(heaps)
            .chain(wheel)
            .map(|key| Popped {
                at: key.at,
                ticket: key.order,
                event: self.slab[key.place()].event,
            })
    }

    /// Drops every event of which `keep` is false. It takes time in proportion to the whole queue.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &T) -> bool) {
        let mut kept: Vec<Key> = Vec::with_capacity(self.len);
        kept.append(&mut self.current);
        kept.extend(self.late.drain().map(|Reverse(key)| key));
        kept.extend(self.far.drain().map(|Reverse(key)| key));
        for slot in 0..self.heads.len() {
            let mut place = std::mem::replace(&mut self.heads[slot], NONE);
            while place != NONE {
                kept.push(self.slab[place as usize].key);
                place = self.next[place as usize];
            }
        }
        self.occupied = [0; SLOTS as usize / 64];
        self.summary = 0;
        kept.retain(|key| {
            let place = key.place();
            let keeps = keep(key.order, &self.slab[place].event);
            if !keeps {
                self.next[place] = self.free;
                self.free = place as u32;
                self.len -= 1;
            }
            keeps
        });
        for key in kept {
            self.place(key);
        }
    }

    #[inline]
    fn place(&mut self, key: Key) {
        let slot = key.at >> SLOT_BITS;
        if slot <= self.cursor {
            self.late.push(Reverse(key));
        } else if slot - self.cursor < SLOTS {
            self.link(slot, key);
        } else {
            self.far.push(Reverse(key));
        }
    }

    #[inline]
    fn link(&mut self, slot: u64, key: Key) {
        let slot = (slot % SLOTS) as usize;
        let place = key.place();
        self.next[place] = self.heads[slot];
        self.heads[slot] = place as u32;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64);
    }

    /// Moves on to the next slot that holds anything, and sorts it. False when there is none.
    fn advance(&mut self) -> bool {
        if self.summary == 0 {
            let Some(Reverse(soonest)) = self.far.peek() else {
                return false;
            };
            // Nothing lies between: the wheel turns to just before the soonest of the far.
            self.cursor = (soonest.at >> SLOT_BITS) - 1;
        }
        while let Some(&Reverse(key)) = self.far.peek() {
            let slot = key.at >> SLOT_BITS;
            if slot - self.cursor >= SLOTS {
                break;
            }
            self.far.pop();
            self.link(slot, key);
        }
        let slot = self.next_occupied();
        let ahead = (slot as u64).wrapping_sub(self.cursor + 1) % SLOTS;
        self.cursor += 1 + ahead;
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        if self.occupied[slot / 64] == 0 {
            self.summary &= !(1 << (slot / 64));
        }
        let mut place = std::mem::replace(&mut self.heads[slot], NONE);
        while place != NONE {
            self.current.push(self.slab[place as usize].key);
            place = self.next[place as usize];
        }
        if self.current.len() > 1 {
            self.current.sort_unstable_by(|a, b| b.cmp(a));
        }
        true
    }

    /// The first slot after the cursor, round the wheel, that holds anything. There must be one.
    fn next_occupied(&self) -> usize {
        let start = ((self.cursor + 1) % SLOTS) as usize;
        let (word, bit) = (start / 64, start % 64);
        let here = self.occupied[word] & (u64::MAX << bit);
        if here != 0 {
            return word * 64 + here.trailing_zeros() as usize;
        }
        // The words after this one, then those from the first up to and including this one.
        let after = if word == 63 {
            0
        } else {
            self.summary & (u64::MAX << (word + 1))
        };
        let word = if after != 0 {
            after.trailing_zeros()
        } else {
            self.summary.trailing_zeros()
        } as usize;
        word * 64 + self.occupied[word].trailing_zeros() as usize
    }
}

impl Key {
    fn place(self) -> usize {
        (self.order & ((1 << PLACE_BITS) - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same queue as anyone would write it: a heap of (time, order of pushing).
    #[derive(Default)]
    struct Naive {
        heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
        pushed: u64,
    }

    impl Naive {
        fn push(&mut self, at: u64, event: u32) {
            self.heap.push(Reverse((at, self.pushed, event)));
            self.pushed += 1;
        }

        fn pop(&mut self) -> Option<(u64, u32)> {
            self.heap.pop().map(|Reverse((at, _, event))| (at, event))
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64),
        Pop,
        Retain(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Within a slot, within the wheel, just round it, far beyond it.
        let delay = prop_oneof![
            0..4u64,
            0..200_000u64,
            0..600_000_000u64,
            530_000_000..540_000_000u64,
            0..1u64 << 40
        ];
        prop::collection::vec(
            prop_oneof![5 => delay.prop_map(Step::Push), 4 => Just(Step::Pop), 1 => (2..5u32).prop_map(Step::Retain)],
            1..400,
        )
    }

    proptest! {
        #[test]
        fn it_pops_what_a_plain_heap_pops(steps in steps()) {
            let (mut queue, mut naive, mut now) = (Queue::new(), Naive::default(), 0);
            for (event, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(delay) => {
                        queue.push(now + delay, event as u32).unwrap();
                        naive.push(now + delay, event as u32);
                    }
                    Step::Pop => {
                        let popped = queue.pop().map(|popped| (popped.at, popped.event));
                        prop_assert_eq!(popped, naive.pop());
                        now = popped.map_or(now, |(at, _)| at);
                    }
                    Step::Retain(divisor) => {
                        queue.retain(|_, event| event % divisor != 0);
                        naive.heap.retain(|Reverse((_, _, event))| event % divisor != 0);
                    }
                }
                prop_assert_eq!(queue.len(), naive.heap.len());
            }
            let mut pending: Vec<_> = queue.pending().map(|popped| (popped.at, popped.ticket >> PLACE_BITS, popped.event)).collect();
            let mut expected: Vec<_> = naive.heap.iter().map(|Reverse(key)| *key).collect();
            pending.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(pending, expected);
            while let Some(expected) = naive.pop() {
                prop_assert_eq!(queue.pop().map(|popped| (popped.at, popped.event)), Some(expected));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }

    #[test]
    fn a_cleared_queue_is_as_good_as_new() {
        let mut queue = Queue::new();
        for at in [5, 1 << 18, 1 << 40] {
            queue.push(at, at).unwrap();
        }
        queue.pop();
        queue.clear();
        assert_eq!((queue.len(), queue.pop()), (0, None));
        queue.push(7, 70).unwrap();
        assert_eq!(queue.pop().unwrap().event, 70);
    }

    #[test]
    fn places_are_used_again() {
        let mut queue = Queue::new();
        for at in 0..100_000u64 {
            queue.push(at, at).unwrap();
            assert_eq!(queue.pop().unwrap().event, at);
        }
        assert_eq!(queue.slab.len(), 1);
    }
}
