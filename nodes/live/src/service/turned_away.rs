//! How often those who ask from outside were turned away, or shown out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counts, which all who serve share.
#[derive(Clone, Debug, Default)]
pub(super) struct TurnedAway(Arc<[AtomicU64; What::ALL.len()]>);

/// What was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Of the control socket: a client for whom there was no place.
    Client,
    /// A line that was no request, or was too long; its client is shown out.
    Request,
    /// A call for which there was no room.
    Call,
    /// Of the pages: a guest who has asked for nothing in time.
    Guest,
}

impl What {
    pub(super) const ALL: [What; 4] = [What::Client, What::Request, What::Call, What::Guest];

    /// As figures and JSON call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            What::Client => "client",
            What::Request => "request",
            What::Call => "call",
            What::Guest => "guest",
        }
    }
}

impl TurnedAway {
    pub(super) fn count(&self, what: What) {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was each, since the node was started.
    pub(super) fn counts(&self) -> [(What, u64); What::ALL.len()] {
        What::ALL.map(|what| (what, self.0[what as usize].load(Ordering::Relaxed)))
    }
}
