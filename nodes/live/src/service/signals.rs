//! Signals: the first stops the node in order, the second at once. One that comes twice is one.

use std::io;
use std::time::{Duration, Instant};

use squall_nodes::Node;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::door::{Handle, Stop};
use crate::settings::Attendance;

/// How soon after the first the same signal again is that one still: whoever signals a process and its group, as `timeout` does, sends it
/// to the process twice at a go; a person does not press Ctrl-C twice in that time.
const TWICE: Duration = Duration::from_millis(100);

/// The signals that a node is stopped by.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    attendance: Attendance,
}

impl Signals {
    /// Waits for them from now on. Only inside a runtime.
    pub(super) fn new(attendance: Attendance) -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            attendance,
        })
    }

    /// Tells the node of each, for as long as there are any.
    pub(super) async fn pass_on<N: Node>(mut self, handle: Handle<N>) {
        let mut heard = Heard::default();
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hang_up.recv() => "SIGHUP",
            };
            // A terminal sends these to everyone that was started from it. Whoever attends the node gets them too, and has the word.
            if self.attendance != Attendance::Alone && name != "SIGTERM" {
                continue;
            }
            let Some(how) = heard.signal(name, Instant::now()) else {
                continue;
            };
            match how {
                Stop::InOrder => {
                    tracing::info!(signal = name, "stopping in order; another signal stops at once")
                }
                Stop::AtOnce => tracing::warn!(signal = name, "stopping at once"),
            }
            handle.stop(how);
        }
    }
}

/// What was heard first, and when.
#[derive(Default)]
struct Heard(Option<(&'static str, Instant)>);

impl Heard {
    /// How a signal stops the node; `None` where it is the first one still.
    fn signal(&mut self, name: &'static str, now: Instant) -> Option<Stop> {
        match self.0 {
            None => {
                self.0 = Some((name, now));
                Some(Stop::InOrder)
            }
            Some((first, at)) if first == name && now.duration_since(at) < TWICE => None,
            Some(_) => Some(Stop::AtOnce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_signal_stops_at_once_unless_it_is_the_first_sent_twice_at_a_go() {
        let first = Instant::now();
        let after = |ms| first + Duration::from_millis(ms);
        let mut heard = Heard::default();
        assert_eq!(heard.signal("SIGTERM", first), Some(Stop::InOrder));
        assert_eq!(heard.signal("SIGTERM", after(2)), None);
        assert_eq!(heard.signal("SIGTERM", after(99)), None);
        assert_eq!(heard.signal("SIGTERM", after(100)), Some(Stop::AtOnce));
        // Another signal is somebody else's, who wants it to end now.
        let mut heard = Heard::default();
        assert_eq!(heard.signal("SIGINT", first), Some(Stop::InOrder));
        assert_eq!(heard.signal("SIGTERM", after(2)), Some(Stop::AtOnce));
    }
}
