//! The armed timers of a live node: one deadline each, by their codes, and the one that is due next.

use std::collections::{BTreeMap, BTreeSet};

use squall_nodes::{Time, Timer};

/// The armed timers of a node.
pub(crate) struct Timers<T> {
    armed: BTreeMap<u64, Armed<T>>,
    /// When each goes off, in which place among those of the same deadline, and its code.
    due: BTreeSet<(Time, u64, u64)>,
    /// How many were armed.
    count: u64,
}

struct Armed<T> {
    timer: T,
    at: Time,
    order: u64,
}

impl<T: Timer> Timers<T> {
    pub(crate) fn new() -> Self {
        Timers {
            armed: BTreeMap::new(),
            due: BTreeSet::new(),
            count: 0,
        }
    }

    /// Arms a timer, in place of when it was armed for; armed for *never*, it is taken back.
    ///
    /// # Panics
    ///
    /// When the node has another timer with the same code: its author has to tell them apart.
    pub(crate) fn arm(&mut self, timer: T, at: Time) {
        let code = timer.code();
        if at == Time::MAX {
            return self.disarm(timer);
        }
        let order = self.count;
        self.count += 1;
        if let Some(before) = self.armed.insert(code, Armed { timer, at, order }) {
            assert!(
                before.timer == timer,
                "{:?} and {timer:?} are two timers with one code",
                before.timer
            );
            self.due.remove(&(before.at, before.order, code));
        }
        self.due.insert((at, order, code));
    }

    /// Takes a timer back, if it is armed.
    pub(crate) fn disarm(&mut self, timer: T) {
        let code = timer.code();
        if let Some(Armed { at, order, .. }) = self.armed.remove(&code) {
            self.due.remove(&(at, order, code));
        }
    }

    /// When the next one goes off; [`Time::MAX`] when none is armed.
    pub(crate) fn next(&self) -> Time {
        self.due.first().map_or(Time::MAX, |(at, ..)| *at)
    }

    /// Disarms the timer whose deadline was first, if it has come, and says which it is.
    pub(crate) fn pop(&mut self, now: Time) -> Option<T> {
        let (at, _, code) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.armed.remove(&code).map(|armed| armed.timer)
    }

    /// All of them, in the order in which they will go off.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&T, Time)> {
        let armed = |(at, _, code): &(Time, u64, u64)| Some((&self.armed.get(code)?.timer, *at));
        self.due.iter().filter_map(armed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    struct Numbered(u64);
    impl Timer for Numbered {
        fn code(&self) -> u64 {
            self.0
        }
    }

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn timers_go_off_by_deadline_and_then_in_the_order_in_which_they_were_armed() {
        let mut timers = Timers::new();
        for (code, due) in [(3, 20), (1, 10), (2, 10), (9, 5)] {
            timers.arm(Numbered(code), at(due));
        }
        assert_eq!(timers.next(), at(5));
        assert_eq!(timers.iter().count(), 4);
        assert_eq!(timers.pop(at(4)), None);
        let order: Vec<u64> = std::iter::from_fn(|| timers.pop(at(20)))
            .map(|timer| timer.0)
            .collect();
        assert_eq!(order, [9, 1, 2, 3]);
        assert_eq!(timers.next(), Time::MAX);
    }

    #[test]
    fn a_timer_has_one_deadline_and_is_disarmed_once_it_has_gone_off() {
        let mut timers = Timers::new();
        timers.arm(Numbered(1), at(10));
        timers.arm(Numbered(1), at(30));
        assert_eq!(timers.pop(at(29)), None);
        timers.arm(Numbered(1), at(20));
        assert_eq!(timers.pop(at(29)), Some(Numbered(1)));
        assert_eq!(timers.pop(at(99)), None);
        timers.arm(Numbered(1), at(40));
        timers.disarm(Numbered(1));
        timers.disarm(Numbered(2));
        timers.arm(Numbered(2), at(1));
        timers.arm(Numbered(2), Time::MAX);
        assert_eq!((timers.pop(at(99)), timers.iter().count()), (None, 0));
    }
}
