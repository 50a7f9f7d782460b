//! When a sender gives up waiting for an acknowledgement and sends again: RFC 6298, as Linux has it.
//!
//! Linux keeps what the variance adds, and not the sum, at `min_rto` or more; it backs off up to two minutes, and an
//! acknowledgement says which sending it answers (RFC 7323), so that none has to be left out for being ambiguous, as Karn's rule would.
//! All of it is whole-number arithmetic.

use squall_nodes::stream::StreamLaw;
use squall_nodes::{Span, Time};

#[derive(Clone, Debug)]
pub(super) struct Rto {
    min: Span,
    /// The smoothed round trip and its variation; `None` before the first measurement.
    measured: Option<(Span, Span)>,
    /// How often in a row nothing was heard in time.
    backoff: u32,
}

impl Rto {
    pub(super) fn new(min: Span) -> Self {
        Rto {
            min,
            measured: None,
            backoff: 0,
        }
    }

    /// How long to wait now.
    pub(super) fn now(&self) -> Span {
        let base = match self.measured {
            None => StreamLaw::FIRST_TIMEOUT.max(self.min),
            Some((smoothed, variation)) => smoothed + (variation * 4).max(self.min),
        };
        doubled(base, self.backoff)
    }

    /// Something that was sent at `sent` was answered: nothing is backed off any more.
    pub(super) fn answered(&mut self, sent: Time, now: Time) {
        let trip = now.since(sent);
        self.measured = Some(match self.measured {
            None => (trip, trip / 2),
            Some((smoothed, variation)) => {
                let off = if trip > smoothed {
                    trip - smoothed
                } else {
                    smoothed - trip
                };
                ((smoothed * 7 + trip) / 8, (variation * 3 + off) / 4)
            }
        });
        self.backoff = 0;
    }

    /// Nothing was answered in time.
    pub(super) fn back_off(&mut self) {
        self.backoff += 1;
    }
}

/// A wait that is doubled so often, up to the longest.
pub(super) fn doubled(base: Span, times: u32) -> Span {
    let factor = 1_u64.checked_shl(times).unwrap_or(u64::MAX);
    let nanos = base.as_nanos().saturating_mul(factor);
    Span::from_nanos(nanos).min(StreamLaw::LONGEST_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIN: Span = Span::from_millis(200);

    fn after(trips: impl IntoIterator<Item = Span>) -> Rto {
        let mut rto = Rto::new(MIN);
        for trip in trips {
            rto.answered(Time::ZERO, Time::ZERO + trip);
        }
        rto
    }

    #[test]
    fn a_timeout_is_what_the_rfc_says() {
        let ms = Span::from_millis;
        assert_eq!(Rto::new(MIN).now(), ms(1_000));
        // Twice its half comes to less than the least.
        assert_eq!(after([ms(80)]).now(), ms(280));
        assert_eq!(after([ms(800)]).now(), ms(800 + 4 * 400));
        // 7/8 × 800 + 1/8 × 400, and 3/4 × 400 + 1/4 × 400.
        assert_eq!(after([ms(800), ms(400)]).now(), ms(750 + 4 * 400));
    }

    #[test]
    fn it_backs_off_up_to_two_minutes_and_an_answer_ends_that() {
        let mut rto = after([Span::ZERO]);
        let mut waits = Vec::new();
        for _ in 0..12 {
            waits.push(rto.now().as_nanos() / 1_000_000);
            rto.back_off();
        }
        let expected = [
            200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 120_000, 120_000,
        ];
        assert_eq!(waits, expected);
        for _ in 0..1_000 {
            rto.back_off();
        }
        assert_eq!(rto.now(), StreamLaw::LONGEST_TIMEOUT);
        rto.answered(Time::ZERO, Time::ZERO);
        assert_eq!(rto.now(), MIN);
    }

    proptest! {
        /// What bounds of promises rest on: the extremes are the worst, and in any order they come to no more than this.
        #[test]
        fn no_order_of_round_trips_makes_a_timeout_longer_than_what_is_reckoned_with(
            runs in prop::collection::vec((0..40_usize, 0..=4_u64), 1..60),
        ) {
            let longest = Span::from_millis(200);
            let trips = runs.iter().flat_map(|(times, quarters)| std::iter::repeat_n(longest * *quarters / 4, *times));
            let bound = longest + (longest * 8 / 3).max(MIN);
            let mut rto = Rto::new(MIN);
            for trip in trips {
                rto.answered(Time::ZERO, Time::ZERO + trip);
                prop_assert!(rto.now() <= bound, "{} after {runs:?}", rto.now());
            }
        }
    }
}
