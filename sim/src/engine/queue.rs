//! The event queue: a timing wheel that pops in the exact order of (time, order of pushing).
//!
//! Events lie in a slab and never move: each has a line of the processor's cache to itself, with its time and its order. A
//! wheel of slots holds those of the near future as lists of places in the slab; what lies beyond the wheel waits in a heap of
//! keys. A slot is sorted when it is reached, and what is pushed into the slot that is being drained goes to a small heap
//! beside it, so that many events at one instant cost no quadratic insertion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A slot is 2^17 ns (131 µs) wide.
const SLOT_BITS: u32 = 17;
/// The wheel is 4096 slots (537 ms) round.
const SLOTS: usize = 4096;
const WORDS: usize = SLOTS / 64;
/// So many events of one slot are a crowd.
const CROWD: usize = 16;
/// A key holds 40 bits of order above 24 bits of place in the slab.
const PLACE_BITS: u32 = 24;
const PLACES: u64 = (1 << PLACE_BITS) - 1;
/// No place: beyond the end of the longest slab.
const NONE: u32 = PLACES as u32;

/// A queue of events, popped by (time, order of pushing).
pub(crate) struct Queue<T> {
    /// First of the list of each slot of the wheel.
    heads: Box<[u32; SLOTS]>,
    /// A bit for each slot that is not empty, and a bit for each word of them that is not zero.
    occupied: [u64; WORDS],
    summary: u64,
    slab: Vec<Record<T>>,
    /// Next of each record in its slot's list, or in the list of free places. Were they in the records, each step along a list
    /// would wait for a line of a large slab.
    next: Vec<u32>,
    /// First of the list of free places.
    free: u32,
    /// The event that was popped last. Its place is free once the next is popped.
    lent: u32,
    /// The slot being drained, soonest last.
    current: Vec<InSlot>,
    /// What was pushed at or before the slot being drained.
    late: BinaryHeap<Reverse<Key>>,
    /// What lies beyond the wheel.
    far: BinaryHeap<Reverse<Key>>,
    /// The number of the slot being drained: time >> SLOT_BITS.
    cursor: u64,
    pushed: u64,
    len: usize,
    /// Whether the slot being drained was entered just now and holds many more.
    crowded: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: u64,
    /// Order of pushing, above the place in the slab.
    order: u64,
}

/// The time since the slot began, above the place in the slab.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct InSlot(u64);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Record<T> {
    at: u64,
    order: u64,
    event: T,
}

/// The queue holds as many events as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Where an event lies that was taken out of the queue, until the next is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// An event taken out of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Popped {
    pub(crate) at: u64,
    /// What [`Queue::push`] returned for it.
    pub(crate) ticket: u64,
    pub(crate) place: Place,
}

impl<T: Copy> Queue<T> {
    /// How many events it can hold: a gigabyte of them.
    pub(crate) const CAPACITY: usize = PLACES as usize;
    /// How many bytes an event takes in it.
    pub(crate) const RECORD: usize = size_of::<Record<T>>();

    pub(crate) fn new() -> Self {
        Queue {
            heads: Box::new([NONE; SLOTS]),
            occupied: [0; WORDS],
            summary: 0,
            slab: Vec::new(),
            next: Vec::new(),
            free: NONE,
            lent: NONE,
            current: Vec::new(),
            late: BinaryHeap::new(),
            far: BinaryHeap::new(),
            cursor: 0,
            pushed: 0,
            len: 0,
            crowded: false,
        }
    }

    /// Empties the queue and starts time anew; what was allocated stays.
    pub(crate) fn clear(&mut self) {
        for slot in slots(self.occupied) {
            self.heads[slot] = NONE;
        }
        self.occupied = [0; WORDS];
        self.summary = 0;
        self.slab.clear();
        self.next.clear();
        self.free = NONE;
        self.lent = NONE;
        self.current.clear();
        self.late.clear();
        self.far.clear();
        self.cursor = 0;
        self.pushed = 0;
        self.len = 0;
        self.crowded = false;
    }

    /// How many events are in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many events were in it at once since it was last cleared, at most, or one more.
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
    #[inline(always)]
    pub(crate) fn push(&mut self, at: u64, event: T) -> Result<u64, Full> {
        let place = self.free_place()?;
        let order = self.pushed;
        assert!(
            order < 1 << (64 - PLACE_BITS),
            "a run pushed more than 2^40 events"
        );
        self.pushed += 1;
        self.len += 1;
        let next = self.enter(Key::new(at, order, place));
        self.write(Record { at, order, event }, next);
        Ok(order)
    }

    /// Takes out the next event. It lies in its place until the next is taken out.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Popped> {
        self.take_back();
        let place = match self.current.last() {
            Some(&soon) if self.late.is_empty() || !self.late_is_sooner(soon) => {
                self.current.pop();
                soon.place()
            }
            None if self.late.is_empty() => self.advance()?,
            _ => self.pop_late()?,
        };
        self.lent = place;
        self.len -= 1;
        let record = &self.slab[place as usize];
        Some(Popped {
            at: record.at,
            ticket: record.order,
            place: Place(place),
        })
    }

    /// The event that was popped last.
    #[inline]
    pub(crate) fn event(&self, place: Place) -> &T {
        debug_assert_eq!(place.0, self.lent, "an event was kept beyond the next");
        &self.slab[place.0 as usize].event
    }

    /// Whether the event that was popped last was the first of a crowd. True once for each.
    #[inline(always)]
    pub(crate) fn opens_crowd(&mut self) -> bool {
        std::mem::take(&mut self.crowded)
    }

    /// What else is in the slot being drained, but for what was pushed there since it was entered.
    pub(crate) fn crowd(&self) -> impl Iterator<Item = &T> {
        let slab = &self.slab;
        self.current
            .iter()
            .map(|in_slot| &slab[in_slot.place() as usize].event)
    }

    /// Gives an event a place as if it had been popped.
    ///
    /// # Errors
    ///
    /// [`Full`], as for [`push`](Self::push).
    pub(crate) fn lend(&mut self, event: T) -> Result<Place, Full> {
        self.take_back();
        let place = self.free_place()?;
        let (at, order) = (0, 0);
        self.write(Record { at, order, event }, NONE);
        self.lent = place;
        Ok(Place(place))
    }

    /// Drops every event of which `keep` is false. It takes time in proportion to the whole queue.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &T) -> bool) {
        let mut places: Vec<u32> = Vec::with_capacity(self.len);
        places.extend(self.current.drain(..).map(InSlot::place));
        let keys = self.late.drain().chain(self.far.drain());
        places.extend(keys.map(|Reverse(key)| (key.order & PLACES) as u32));
        for slot in slots(self.occupied) {
            let mut place = std::mem::replace(&mut self.heads[slot], NONE);
            while place != NONE {
                places.push(place);
                place = self.next[place as usize];
            }
        }
        self.occupied = [0; WORDS];
        self.summary = 0;
        for place in places {
            let record = self.slab[place as usize];
            self.next[place as usize] = if keep(record.order, &record.event) {
                self.enter(Key::new(record.at, record.order, place))
            } else {
                self.len -= 1;
                std::mem::replace(&mut self.free, place)
            };
        }
    }

    /// The place that [`write`](Self::write) takes next.
    #[inline(always)]
    fn free_place(&self) -> Result<u32, Full> {
        match (self.free, self.slab.len()) {
            (NONE, Self::CAPACITY..) => Err(Full),
            (NONE, len) => Ok(len as u32),
            (free, _) => Ok(free),
        }
    }

    /// Writes to the first free place.
    #[inline(always)]
    fn write(&mut self, record: Record<T>, next: u32) {
        let place = self.free as usize;
        // No place is beyond the end, too.
        match (self.slab.get_mut(place), self.next.get_mut(place)) {
            (Some(there), Some(link)) => {
                *there = record;
                self.free = std::mem::replace(link, next);
            }
            _ => {
                self.slab.push(record);
                self.next.push(next);
            }
        }
    }

    /// The event that was popped last is done with.
    #[inline]
    fn take_back(&mut self) {
        if let Some(link) = self.next.get_mut(self.lent as usize) {
            *link = self.free;
            self.free = std::mem::replace(&mut self.lent, NONE);
        }
    }

    /// Puts the event at a place where it belongs by its time. Returns what it has to name as the next in its list.
    #[inline(always)]
    fn enter(&mut self, key: Key) -> u32 {
        let slot = key.at >> SLOT_BITS;
        // What is not after the cursor wraps around to far ahead.
        if slot.wrapping_sub(self.cursor).wrapping_sub(1) < SLOTS as u64 - 1 {
            return self.link(slot, key.place());
        }
        if slot <= self.cursor {
            self.late.push(Reverse(key));
        } else {
            self.far.push(Reverse(key));
        }
        NONE
    }

    /// Makes a place the first of a slot's list. Returns which was.
    #[inline(always)]
    fn link(&mut self, slot: u64, place: u32) -> u32 {
        let slot = slot as usize % SLOTS;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64);
        std::mem::replace(&mut self.heads[slot], place)
    }

    fn late_is_sooner(&self, soon: InSlot) -> bool {
        let soonest = &self.slab[soon.place() as usize];
        let soon = Key::new(soonest.at, soonest.order, soon.place());
        self.late.peek().is_some_and(|Reverse(late)| *late < soon)
    }

    fn pop_late(&mut self) -> Option<u32> {
        self.late.pop().map(|Reverse(key)| key.place())
    }

    /// Moves on to the next slot that holds anything, and takes out its first event. The others, if any, are sorted.
    #[inline(always)]
    fn advance(&mut self) -> Option<u32> {
        if !self.far.is_empty() {
            self.bring_near();
        }
        if self.summary == 0 {
            return None;
        }
        let slot = self.next_occupied();
        let ahead = (slot as u64).wrapping_sub(self.cursor + 1) % SLOTS as u64;
        self.cursor += 1 + ahead;
        let word = &mut self.occupied[slot / 64 % WORDS];
        *word &= !(1 << (slot % 64));
        if *word == 0 {
            self.summary &= !(1 << (slot / 64));
        }
        let first = std::mem::replace(&mut self.heads[slot % SLOTS], NONE);
        // Mostly there is but one.
        match self.next[first as usize] {
            NONE => Some(first),
            _ => self.take_first(first),
        }
    }

    /// Takes out the first event of a list and sorts the others.
    fn take_first(&mut self, mut place: u32) -> Option<u32> {
        while place != NONE {
            // The record's line is fetched while the next in the list is being found.
            self.current
                .push(InSlot::new(self.slab[place as usize].at, place));
            place = self.next[place as usize];
        }
        self.sort();
        self.crowded = self.current.len() >= CROWD;
        self.current.pop().map(InSlot::place)
    }

    /// Puts into the wheel what has come near enough.
    fn bring_near(&mut self) {
        if self.summary == 0
            && let Some(Reverse(soonest)) = self.far.peek()
        {
            // Nothing lies between: the wheel turns to just before the soonest of the far.
            self.cursor = (soonest.at >> SLOT_BITS) - 1;
        }
        while let Some(&Reverse(key)) = self.far.peek() {
            let slot = key.at >> SLOT_BITS;
            if slot - self.cursor >= SLOTS as u64 {
                break;
            }
            self.far.pop();
            let next = self.link(slot, key.place());
            self.next[key.place() as usize] = next;
        }
    }

    /// Sorts the current slot, soonest last.
    fn sort(&mut self) {
        self.current.sort_unstable_by(|a, b| b.cmp(a));
        if self
            .current
            .windows(2)
            .any(|two| two[0].since() == two[1].since())
        {
            self.sort_instants();
        }
    }

    /// Sorts the events of each instant by the order of pushing, the first last.
    #[cold]
    fn sort_instants(&mut self) {
        let slab = &self.slab;
        for instant in self.current.chunk_by_mut(|a, b| a.since() == b.since()) {
            if instant.len() > 1 {
                instant.sort_unstable_by_key(|in_slot| Reverse(slab[in_slot.place() as usize].order));
            }
        }
    }

    /// The first slot after the cursor, round the wheel, that holds anything. There must be one.
    #[inline]
    fn next_occupied(&self) -> usize {
        let start = (self.cursor + 1) as usize % SLOTS;
        let (word, bit) = (start / 64, start % 64);
        let here = self.occupied[word] & (u64::MAX << bit);
        if here != 0 {
            return word * 64 + here.trailing_zeros() as usize;
        }
        // The words after this one, then those from the first up to and including this one.
        let after = self.summary & (u64::MAX << word << 1);
        let words = if after != 0 { after } else { self.summary };
        let word = words.trailing_zeros() as usize % WORDS;
        word * 64 + self.occupied[word].trailing_zeros() as usize
    }
}

/// The slots whose bits are set.
fn slots(occupied: [u64; WORDS]) -> impl Iterator<Item = usize> {
    occupied.into_iter().enumerate().flat_map(|(word, bits)| {
        let rest = std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)));
        rest.take_while(|bits| *bits != 0)
            .map(move |bits| word * 64 + bits.trailing_zeros() as usize)
    })
}

impl Key {
    #[inline]
    fn new(at: u64, order: u64, place: u32) -> Self {
        Key {
            at,
            order: order << PLACE_BITS | u64::from(place),
        }
    }

    #[inline]
    fn place(self) -> u32 {
        (self.order & PLACES) as u32
    }
}

impl InSlot {
    #[inline]
    fn new(at: u64, place: u32) -> Self {
        let since = at & ((1 << SLOT_BITS) - 1);
        InSlot(since << PLACE_BITS | u64::from(place))
    }

    fn since(self) -> u64 {
        self.0 >> PLACE_BITS
    }

    #[inline]
    fn place(self) -> u32 {
        (self.0 & PLACES) as u32
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
        Lend,
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
            prop_oneof![5 => delay.prop_map(Step::Push), 4 => Just(Step::Pop), 1 => Just(Step::Lend), 1 => (2..5u32).prop_map(Step::Retain)],
            1..400,
        )
    }

    proptest! {
        #[test]
        fn it_pops_what_a_plain_heap_pops(steps in steps()) {
            let (mut queue, mut naive, mut now) = (Queue::new(), Naive::default(), 0);
            let mut lent: Option<(Place, u32)> = None;
            for (event, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(delay) => {
                        queue.push(now + delay, event as u32).unwrap();
                        naive.push(now + delay, event as u32);
                    }
                    Step::Pop => {
                        let popped = queue.pop().map(|popped| (popped.at, *queue.event(popped.place)));
                        prop_assert_eq!(popped, naive.pop());
                        lent = popped.map(|(_, event)| (Place(queue.lent), event));
                        now = popped.map_or(now, |(at, _)| at);
                    }
                    Step::Lend => lent = Some((queue.lend(event as u32).unwrap(), event as u32)),
                    Step::Retain(divisor) => {
                        queue.retain(|_, event| event % divisor != 0);
                        naive.heap.retain(|Reverse((_, _, event))| event % divisor != 0);
                    }
                }
                prop_assert_eq!(queue.len(), naive.heap.len());
                // Whatever is done but taking out another, what was taken out lies where it did.
                if let Some((place, event)) = lent {
                    prop_assert_eq!(*queue.event(place), event);
                }
                if queue.opens_crowd() {
                    prop_assert!(queue.crowd().count() + 1 >= CROWD);
                }
            }
            while let Some(expected) = naive.pop() {
                prop_assert_eq!(queue.pop().map(|popped| (popped.at, *queue.event(popped.place))), Some(expected));
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
        let popped = queue.pop().unwrap();
        assert_eq!(*queue.event(popped.place), 70);
    }

    #[test]
    fn places_are_used_again() {
        let mut queue = Queue::new();
        for at in 0..100_000u64 {
            queue.push(at, at).unwrap();
            let popped = queue.pop().unwrap();
            assert_eq!(*queue.event(popped.place), at);
        }
        // The one that was popped last keeps its place until the next is popped.
        assert_eq!(queue.slab.len(), 2);
    }
}
