//! What is seen of a run, in the order in which it happened, though it comes from many hosts that are read one after the other.
//!
//! Everything is put in with its time, and comes out when nothing that was earlier can still come: behind the watermark.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use squall_nodes::Time;

/// Things by time. Those of one time come out in the order in which they were put in.
pub(crate) struct Merge<T> {
    waiting: BinaryHeap<Waiting<T>>,
    put_in: u64,
    /// Up to here everything has come out.
    passed: Time,
}

struct Waiting<T> {
    at: Time,
    order: u64,
    what: T,
}

impl<T> Merge<T> {
    pub(crate) fn new() -> Self {
        Merge {
            waiting: BinaryHeap::new(),
            put_in: 0,
            passed: Time::ZERO,
        }
    }

    /// Puts a thing in. What is from before the watermark was kept from coming: a host that was stopped between looking at its clock
    /// and telling. Nobody else can have known of it, so it is as good as if it had happened now.
    pub(crate) fn put(&mut self, at: Time, what: T) {
        self.put_in += 1;
        self.waiting.push(Waiting {
            at: at.max(self.passed),
            order: self.put_in,
            what,
        });
    }

    /// The next thing from up to the watermark.
    pub(crate) fn take(&mut self, watermark: Time) -> Option<(Time, T)> {
        if self.waiting.peek().is_none_or(|next| next.at > watermark) {
            self.passed = self.passed.max(watermark);
            return None;
        }
        let Waiting { at, what, .. } = self.waiting.pop()?;
        self.passed = self.passed.max(at);
        Some((at, what))
    }
}

// The heap gives the greatest: the earliest is.
impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> Time {
        Time::from_nanos(ns)
    }

    #[test]
    fn things_come_out_by_time_behind_the_watermark() {
        let mut merge = Merge::new();
        for (ns, what) in [(5, 'c'), (3, 'a'), (9, 'd'), (5, 'b')] {
            merge.put(at(ns), what);
        }
        let mut out = Vec::new();
        while let Some((_, what)) = merge.take(at(5)) {
            out.push(what);
        }
        assert_eq!(out, ['a', 'c', 'b']);
        assert_eq!(merge.take(at(9)), Some((at(9), 'd')));
    }

    #[test]
    fn what_comes_late_comes_out_at_the_watermark_and_never_before_what_went_ahead() {
        let mut merge = Merge::new();
        merge.put(at(4), 'a');
        assert_eq!(merge.take(at(7)), Some((at(4), 'a')));
        assert_eq!(merge.take(at(7)), None);
        merge.put(at(6), 'b');
        merge.put(at(7), 'c');
        assert_eq!(merge.take(at(8)), Some((at(7), 'b')));
        assert_eq!(merge.take(at(8)), Some((at(7), 'c')));
    }
}
