//! The machine's monotonic clock, and the one alarm by which a node wakes up.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use squall_nodes::{Span, Time};
use tokio::io::unix::AsyncFd;

use crate::watch::watched;

/// Now, on the machine's monotonic clock (`CLOCK_MONOTONIC`), which all its processes share.
pub fn monotonic() -> Time {
    Time::from_nanos(nanos_of(ClockId::Monotonic))
}

/// The monotonic clock and the wall clock at the same instant, or as good as that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) monotonic: Time,
    /// In nanoseconds since 1970.
    wall: u64,
}

impl Clocks {
    /// Reads both.
    pub(crate) fn read() -> Self {
        /// Between two readings nobody else has run.
        const AT_ONCE: Span = Span::from_micros(20);
        const TRIES: usize = 3;
        let mut before = monotonic();
        for _ in 0..TRIES {
            let wall = nanos_of(ClockId::Realtime);
            let after = monotonic();
            if after.since(before) <= AT_ONCE {
                return Clocks {
                    monotonic: before,
                    wall,
                };
            }
            before = after;
        }
        Clocks {
            monotonic: before,
            wall: nanos_of(ClockId::Realtime),
        }
    }

    /// What the monotonic clock showed when the wall clock showed this, if nobody has set it since.
    pub(crate) fn on_monotonic(&self, wall: u64) -> Time {
        if wall <= self.wall {
            let ago = self.wall - wall;
            Time::from_nanos(self.monotonic.as_nanos().saturating_sub(ago))
        } else {
            Time::from_nanos(self.monotonic.as_nanos().saturating_add(wall - self.wall))
        }
    }
}

/// It counts from when the machine was started, or from 1970, and is never negative.
fn nanos_of(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// A timer of the kernel, which is exact to microseconds: the runtime's own are to a millisecond.
pub(crate) struct Alarm {
    fd: AsyncFd<OwnedFd>,
    /// When it goes off; [`Time::MAX`] when it does not.
    set: Time,
}

impl Alarm {
    /// Must be made inside a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Alarm {
            fd: watched(fd)?,
            set: Time::MAX,
        })
    }

    /// Lets it go off at a time, at once when that is past, and not at any other. [`Time::MAX`]: not at all.
    pub(crate) fn set(&mut self, at: Time) -> io::Result<()> {
        if at == self.set {
            return Ok(());
        }
        let nanos = match at {
            // All zeros is what disarms it.
            Time::MAX => 0,
            at => at.as_nanos().max(1),
        };
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (nanos / 1_000_000_000) as i64,
                tv_nsec: (nanos % 1_000_000_000) as _,
            },
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.set = at;
        Ok(())
    }

    /// Whether it has gone off since it was set.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Poll::Ready(ready) = self.fd.poll_read_ready(cx) else {
                return Poll::Pending;
            };
            let mut ready = ready?;
            let mut count = [0; 8];
            match rustix::io::read(ready.get_inner(), &mut count) {
                Ok(_) => {
                    self.set = Time::MAX;
                    return Poll::Ready(Ok(()));
                }
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Poll::Ready(Err(why.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn an_instant_of_the_wall_clock_is_one_of_the_monotonic_clock() {
        let (earlier, later) = (Clocks::read(), Clocks::read());
        let hour = 3_600_000_000_000;
        assert_eq!(earlier.on_monotonic(earlier.wall), earlier.monotonic);
        assert_eq!(
            later.on_monotonic(later.wall + hour),
            later.monotonic + Span::from_secs(3600)
        );
        assert_eq!(later.on_monotonic(0), Time::ZERO);
    }

    #[test]
    fn an_alarm_goes_off_no_earlier_than_it_is_set_and_as_often_as_it_is_set() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut alarm = Alarm::new().unwrap();
            for micros in [300, 0, 50] {
                let at = monotonic() + Span::from_micros(micros);
                // Moved twice before it goes off.
                alarm.set(at + Span::from_secs(3600)).unwrap();
                alarm.set(Time::MAX).unwrap();
                alarm.set(at).unwrap();
                poll_fn(|cx| alarm.poll(cx)).await.unwrap();
                assert!(monotonic() >= at);
                assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx).is_pending())).await);
            }
            // In the past.
            alarm.set(Time::from_nanos(0)).unwrap();
            poll_fn(|cx| alarm.poll(cx)).await.unwrap();
        });
    }
}
