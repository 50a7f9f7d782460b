//! A host's own clock: how local time follows from true time, and when in true time a local instant is reached.
//!
//! All of it is whole-number arithmetic. The clock stands at a number of *fine* parts, a millionth of a nanosecond each, and
//! gains as many of them in a nanosecond of true time as its rate says; so a change of the rate or a jump loses nothing, and
//! after any number of them local time is what arithmetic says it is.
//!
//! Local time is rounded down to nanoseconds. [`Clock::reaches`] is the *first* true nanosecond at which it has come to a
//! local instant: never early, and late by no more than the clock goes on in one nanosecond of true time.

use squall_nodes::{HostId, Node, Protocol, Span, Time};

use super::Engine;
use super::host::Host;
use crate::plan;

/// Fine parts of a nanosecond.
const FINE: u128 = 1_000_000;
/// The last instant that a clock shows; the one after it means *never*.
const LAST: u64 = u64::MAX - 1;

/// A clock that is not true, or was not true once.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Where it stands, in fine parts, at the true instant `since`.
    stands: u128,
    since: Time,
    /// How many fine parts it gains in a nanosecond.
    rate: u128,
}

impl Clock {
    /// A clock as a plan has it; none where it is true.
    pub(crate) fn planned(planned: plan::Clock) -> Option<Box<Clock>> {
        (planned != plan::Clock::default()).then(|| {
            Box::new(Clock {
                stands: u128::from(planned.offset.as_nanos()) * FINE,
                since: Time::ZERO,
                rate: rate(planned.drift_ppm),
            })
        })
    }

    /// A clock that has been true until now.
    fn true_until_now() -> Clock {
        Clock {
            stands: 0,
            since: Time::ZERO,
            rate: FINE,
        }
    }

    /// What it shows at a true instant, which is not before the last change of its rate.
    #[inline(never)]
    pub(crate) fn local(&self, at: Time) -> Time {
        let shows = self.fine(at) / FINE;
        Time::from_nanos(u64::try_from(shows).map_or(LAST, |shows| shows.min(LAST)))
    }

    /// The first true instant, from `now` on, at which it shows `local` or more.
    #[inline(never)]
    pub(crate) fn reaches(&self, local: Time, now: Time) -> Time {
        let still = (u128::from(local.as_nanos()) * FINE).saturating_sub(self.fine(now));
        let takes = u64::try_from(still.div_ceil(self.rate)).unwrap_or(u64::MAX);
        Time::from_nanos((now + Span::from_nanos(takes)).as_nanos().min(LAST))
    }

    /// Lets it go at another rate from `now` on.
    fn go(&mut self, ppm: i32, now: Time) {
        self.stands = self.fine(now);
        self.since = now;
        self.rate = rate(ppm);
    }

    /// Puts it forward.
    fn jump(&mut self, by: Span) {
        self.stands = self.stands.saturating_add(u128::from(by.as_nanos()) * FINE);
    }

    fn fine(&self, at: Time) -> u128 {
        let gained = u128::from(at.since(self.since).as_nanos()) * self.rate;
        self.stands.saturating_add(gained)
    }
}

/// How many fine parts a clock that is fast by so many millionths gains in a nanosecond.
fn rate(ppm: i32) -> u128 {
    let ppm = ppm.clamp(plan::Clock::SLOWEST_PPM, plan::Clock::FASTEST_PPM);
    FINE.saturating_add_signed(i128::from(ppm))
}

impl<N: Node> Host<N> {
    /// What its clock shows at a true instant.
    #[inline]
    pub(crate) fn local(&self, at: Time) -> Time {
        match &self.clock {
            None => at,
            Some(clock) => clock.local(at),
        }
    }

    /// The first true instant, from `now` on, at which its clock shows `local` or more.
    #[inline]
    pub(crate) fn reaches(&self, local: Time, now: Time) -> Time {
        match &self.clock {
            None => local,
            Some(clock) => clock.reaches(local, now),
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Lets a host's clock go at another rate, and what it waits for come up when it is due then.
    pub(super) fn set_rate(&mut self, id: HostId, ppm: i32) {
        let now = self.now;
        self.clock_of(id).go(ppm, now);
        self.bring_timers_forward(id);
    }

    /// Puts a host's clock forward. What it jumps over is due at once.
    pub(super) fn put_forward(&mut self, id: HostId, by: Span) {
        self.clock_of(id).jump(by);
        self.bring_timers_forward(id);
    }

    fn clock_of(&mut self, id: HostId) -> &mut Clock {
        let clock = &mut self.hosts[id.index()].clock;
        clock.get_or_insert_with(|| Box::new(Clock::true_until_now()))
    }

    /// Timers that are due before their entries come up get others. An entry that comes up too early looks at its deadline
    /// then, as ever.
    fn bring_timers_forward(&mut self, id: HostId) {
        let now = self.now;
        let host = &self.hosts[id.index()];
        let late = host.timers.late(|local| {
            let local = Time::from_nanos(local);
            host.reaches(local, now).as_nanos()
        });
        for (place, at) in late {
            self.push_timer(Time::from_nanos(at), id, place);
            self.stale += 1;
        }
        self.sweep_queue();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock(offset: u64, ppm: i32) -> Clock {
        let planned = plan::Clock {
            offset: Span::from_nanos(offset),
            drift_ppm: ppm,
        };
        Clock::planned(planned).map_or_else(Clock::true_until_now, |clock| *clock)
    }

    const fn ns(ns: u64) -> Time {
        Time::from_nanos(ns)
    }

    #[test]
    fn a_clock_that_is_true_takes_no_room() {
        assert!(Clock::planned(plan::Clock::default()).is_none());
        assert_eq!(Clock::true_until_now().local(ns(12_345)), ns(12_345));
    }

    #[test]
    fn the_slowest_is_half_as_fast_and_the_fastest_twice() {
        assert_eq!(clock(7, i32::MIN).local(ns(1_001)), ns(507));
        assert_eq!(clock(7, i32::MAX).local(ns(1_001)), ns(2_009));
        assert_eq!(clock(0, plan::Clock::SLOWEST_PPM).reaches(ns(3), ns(0)), ns(6));
        assert_eq!(clock(0, plan::Clock::FASTEST_PPM).reaches(ns(3), ns(0)), ns(2));
    }

    #[test]
    fn the_end_of_time_is_reached_by_no_clock() {
        let mut clock = clock(u64::MAX, plan::Clock::FASTEST_PPM);
        clock.jump(Span::from_nanos(u64::MAX));
        assert_eq!(clock.local(ns(u64::MAX)), ns(LAST));
        assert!(clock.reaches(Time::MAX, ns(u64::MAX)) < Time::MAX);
        clock.go(-1, ns(u64::MAX));
        assert!(clock.local(ns(u64::MAX)) < Time::MAX);
    }

    /// A clock, what it stands at in fine parts by arithmetic of its own, and true time: after any number of changes.
    fn worn() -> impl Strategy<Value = (Clock, u128, u64)> {
        let change = (0..10_000_000_000u64, -500_000..=1_000_000i32, 0..5_000_000_000u64);
        (
            0..10_000_000_000u64,
            -500_000..=1_000_000i32,
            proptest::collection::vec(change, 0..8),
        )
            .prop_map(|(offset, ppm, changes)| {
                let mut worn = clock(offset, ppm);
                let (mut fine, mut now, mut per) =
                    (u128::from(offset) * 1_000_000, 0, 1_000_000 + i128::from(ppm));
                for (after, ppm, jump) in changes {
                    now += after;
                    fine += u128::from(after) * u128::try_from(per).unwrap();
                    per = 1_000_000 + i128::from(ppm);
                    worn.go(ppm, ns(now));
                    worn.jump(Span::from_nanos(jump));
                    fine += u128::from(jump) * 1_000_000;
                }
                (worn, fine, now)
            })
    }

    proptest! {
        #[test]
        fn local_time_is_what_arithmetic_says_after_any_number_of_changes((clock, fine, now) in worn()) {
            prop_assert_eq!(u128::from(clock.local(ns(now)).as_nanos()), fine / 1_000_000);
        }

        #[test]
        fn an_instant_is_reached_at_the_first_nanosecond_that_shows_it((clock, _, now) in worn(), ahead in 0..100_000_000_000u64) {
            let shown = clock.local(ns(now));
            let wanted = shown + Span::from_nanos(ahead);
            let reached = clock.reaches(wanted, ns(now));
            prop_assert!(reached >= ns(now));
            let late = clock.local(reached).since(wanted);
            prop_assert!(clock.local(reached) >= wanted, "early");
            // The fastest gains two nanoseconds in one.
            prop_assert!(late <= Span::from_nanos(1), "late by {late}");
            if reached > ns(now) {
                prop_assert!(clock.local(reached - Span::from_nanos(1)) < wanted, "late");
            }
        }

        #[test]
        fn what_is_shown_is_reached_no_later_than_now((clock, _, now) in worn(), ahead in 0..100_000_000_000u64) {
            let at = ns(now + ahead);
            // To local time and back is the first of all instants that show the same.
            let first = clock.reaches(clock.local(at), ns(now));
            prop_assert!(first <= at);
            prop_assert_eq!(clock.local(first), clock.local(at));
        }

        #[test]
        fn local_time_never_goes_back((clock, _, now) in worn(), ahead in 0..10_000_000_000u64, ppm in -500_000..=1_000_000i32) {
            let mut clock = clock;
            let before = clock.local(ns(now));
            clock.go(ppm, ns(now));
            prop_assert_eq!(clock.local(ns(now)), before);
            prop_assert!(clock.local(ns(now + ahead)) >= before);
        }
    }
}
