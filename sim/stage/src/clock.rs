//! The machine's monotonic clock, which the processes of a run share.

use rustix::time::{ClockId, clock_gettime};
use squall_nodes::Time;

/// What `CLOCK_MONOTONIC` shows.
pub(crate) fn now() -> Time {
    let now = clock_gettime(ClockId::Monotonic);
    // It counts from the machine's start: neither part is ever negative.
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Time::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}
