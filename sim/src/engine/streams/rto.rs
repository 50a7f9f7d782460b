//! When a sender gives up waiting for an acknowledgement and sends again: RFC 6298, as Linux has it.
//!
//! Linux keeps what the variance adds, and not the sum, at `min_rto` or more; it backs off up to two minutes, and an
//! acknowledgement says which sending it answers (RFC 7323), so that none has to be left out for being ambiguous, as Karn's rule would.
//! All of it is whole-number arithmetic.

use squall_nodes::{Span, Time};

/// The timeout before anything was measured: RFC 6298, 2.1.
const INITIAL: Span = Span::from_secs(1);
/// What it backs off to at most: `TCP_RTO_MAX` of Linux.
pub(super) const LONGEST: Span = Span::from_secs(120);

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
            None => INITIAL.max(self.min),
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
    Span::from_nanos(nanos).min(LONGEST)
}
