//! Signals: the first stops the node in order, the second at once.

use std::io;

use squall_nodes::Node;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::door::{Handle, Stop};
use crate::settings::Attendance;

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
        let mut how = Stop::InOrder;
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
            match how {
                Stop::InOrder => {
                    tracing::info!(signal = name, "stopping in order; another signal stops at once")
                }
                Stop::AtOnce => tracing::warn!(signal = name, "stopping at once"),
            }
            handle.stop(how);
            how = Stop::AtOnce;
        }
    }
}
