//! How a host begins and comes to an end.

use squall_nodes::{HostKey, Node, NodeRng, Span, Time};

use super::Host;
use super::take::For;
use crate::door::Stop;
use crate::error::LiveError;
use crate::line::Line;
use crate::run::Ended;
use crate::settings::{Attendance, Start};

/// How long an orderly stop waits for what is being written, and for what waits behind that.
const PATIENCE: Span = Span::from_secs(5);

impl<N: Node> Host<N> {
    /// Says that it is ready, and waits to be told to go, if it is to. `false` when it is to stop instead.
    pub(crate) fn await_go(&mut self) -> bool {
        let waits = matches!(
            self.settings.attendance,
            Attendance::Attended {
                start: Start::WhenTold,
                ..
            }
        );
        if !waits {
            return true;
        }
        let pid = std::process::id();
        self.tell(|_| Line::Ready { pid });
        self.flush();
        loop {
            self.look_for_stop();
            if self.failed.is_some() || self.ending.is_some() {
                return false;
            }
            // Calls wait until it is up.
            self.serve_what_is_no_call();
            let go_at = self.go_at.unwrap_or(Time::MAX);
            if go_at <= self.tick() {
                return true;
            }
            self.wait(For::Asks, go_at);
        }
    }

    /// Makes the node. It gets its first input next.
    pub(crate) fn boot(&mut self) {
        // It is down until now, and nothing comes through to a host that is.
        self.sockets.forget();
        let at = self.tick();
        let (incarnation, disk) = (self.found.incarnation, self.found.disk);
        self.tell(|_| Line::Booted {
            at,
            incarnation,
            disk,
        });
        self.flush();
        if let Attendance::Attended { .. } = self.settings.attendance {
            self.marks.due = at + self.marks.every;
        }
        self.marks.told_until = at;
        self.booted = Some(at);
        let placed = &self.settings.placed;
        let rng = NodeRng::new(self.seed, HostKey::of(&placed.name), incarnation);
        // It may be large, and is on the disk.
        let state = self.found.state.take();
        self.node = Some(N::boot(&placed.role, &placed.config, state.as_deref(), rng));
        let bound: Vec<String> = self.sockets.addresses().map(|at| at.to_string()).collect();
        let address = (!bound.is_empty()).then(|| tracing::field::display(bound.join(", ")));
        tracing::info!(incarnation, ?disk, address, "the node boots");
    }

    /// Whether someone wants it to stop.
    pub(super) fn look_for_stop(&mut self) {
        if let Ok(how) = self.stopped.try_recv() {
            self.end_by(how);
        }
    }

    /// Comes to an end: in order, it waits for what is being written, and for what waits behind that. How it came to it.
    pub(crate) fn end(mut self) -> Result<Ended, LiveError> {
        let mut how = self.ending.take().unwrap_or(Stop::AtOnce);
        let failed = self.failed.take();
        let until = self.tick() + PATIENCE;
        if how == Stop::InOrder && failed.is_none() {
            while self.barrier.is_writing() && self.tick() < until {
                self.wait(For::Nothing, until);
                if self.failed.is_some() || self.ending.take() == Some(Stop::AtOnce) {
                    break;
                }
            }
            if self.barrier.is_writing() {
                tracing::error!(
                    "the disk takes too long; what is being written is not waited for any longer"
                );
                how = Stop::AtOnce;
            }
        }
        if how == Stop::InOrder && failed.is_none() {
            self.end_streams(until);
        }
        self.count_kernel_drops();
        if how == Stop::InOrder && failed.is_none() {
            let counts = self.counted();
            self.tell(|at| Line::Stopped { at, counts });
        }
        self.flush();
        let counts = self.counted();
        let is_writing = self.barrier.is_writing();
        self.disk.close(!is_writing);
        match failed.or(self.failed) {
            Some(why) => Err(why),
            None => Ok(Ended { how, counts }),
        }
    }
}
