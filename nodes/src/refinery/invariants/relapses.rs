//! What has come true and comes undone, though nothing has happened to the group.
//!
//! Where links lose what they carry, a line may be given up for its silence though nobody is gone: so many tries of one packet in a row were
//! lost. Then a node has no upstream for a moment, or two masters reign, and each time the promise has its bound to come true again. Where
//! links lose nothing there is no such thing, and what is promised holds from the bound on. Nor can it be excused for ever, or one that
//! is broken again and again, each time for less than the bound, would never be seen to be.

use std::collections::VecDeque;

use crate::time::{Span, Time};
use crate::world::Group;

/// By what a promise is excused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relapses {
    bound: Span,
    links: Links,
}

/// What links may do to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    LoseNothing,
    Lose,
}

/// When something has changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    last: Time,
    /// The last of them, in their order.
    times: VecDeque<Time>,
}

/// How many changes are excused: three lines of one host that are given up for nothing, and come back. With the settings of `brisk` and 5 %
/// lost, five nodes gave up 26 lines to their masters in four simulated runs of half an hour: 1.3 each in half an hour, so that four of one
/// node within the hundred seconds of `loss.ron` have a probability of some 10⁻⁶.
const MOST: u64 = 6;
/// How many changes are kept in mind.
const KEPT: usize = 256;

impl Relapses {
    /// Those of a promise with this bound, where links may lose such a share of what they carry.
    pub(super) fn new(bound: Span, loss: f64) -> Self {
        let links = if loss > 0.0 {
            Links::Lose
        } else {
            Links::LoseNothing
        };
        Relapses { bound, links }
    }

    /// Whether a promise that is not kept now may have come undone a moment ago: less than the bound ago something changed, and that not more
    /// often since the group has been quiet for the bound than [`MOST`] times and once more in each two bounds.
    pub(super) fn excuse<'a>(
        &self,
        changes: impl Iterator<Item = &'a Changes>,
        group: &Group,
        at: Time,
    ) -> bool {
        let settled = group.quiet_since + self.bound;
        let (mut last, mut count) = (Time::ZERO, 0);
        for changes in changes {
            last = last.max(changes.last);
            count += changes.times.iter().filter(|time| **time > settled).count() as u64;
        }
        let bounds = at.since(settled).as_nanos() / self.bound.as_nanos().max(1);
        self.links == Links::Lose && last + self.bound > at && count <= MOST + bounds / 2
    }
}

impl Changes {
    /// Nothing has changed since then.
    pub(super) fn since(at: Time) -> Self {
        Changes {
            last: at,
            times: VecDeque::new(),
        }
    }

    /// Something changes.
    pub(super) fn note(&mut self, at: Time) {
        self.last = at;
        if self.times.len() == KEPT {
            self.times.pop_front();
        }
        self.times.push_back(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Span = Span::from_secs(10);

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    /// Until when something is excused that changes every so often, beginning when the group was quiet for the bound.
    fn excused_until(loss: f64, every_ms: u64) -> Option<u64> {
        let group = Group {
            hosts: Vec::new(),
            quiet_since: Time::ZERO,
        };
        let relapses = Relapses::new(BOUND, loss);
        let mut changes = Changes::since(Time::ZERO);
        let times = (1..1_000).map(|nth| 10_000 + nth * every_ms);
        let is_excused = |time: &u64| {
            changes.note(at(*time));
            relapses.excuse([&changes].into_iter(), &group, at(*time))
        };
        times.take_while(is_excused).last()
    }

    #[test]
    fn what_changes_again_and_again_is_excused_a_few_times_where_links_lose_something() {
        assert_eq!(excused_until(0.05, 1_000), Some(16_000));
        // Just within the bound each time: twelve in twelve bounds.
        assert_eq!(excused_until(0.05, 9_900), Some(10_000 + 11 * 9_900));
        // As seldom as lines are given up for nothing.
        assert_eq!(excused_until(0.05, 21_000), Some(10_000 + 999 * 21_000));
    }

    #[test]
    fn nothing_is_excused_where_links_lose_nothing_nor_longer_than_the_bound() {
        assert_eq!(excused_until(0.0, 1_000), None);
        let group = Group {
            hosts: Vec::new(),
            quiet_since: Time::ZERO,
        };
        let mut changes = Changes::since(Time::ZERO);
        changes.note(at(12_000));
        let excuse = |time| Relapses::new(BOUND, 0.05).excuse([&changes].into_iter(), &group, at(time));
        assert!(excuse(21_999) && !excuse(22_000));
    }
}
