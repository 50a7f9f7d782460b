//! What is worth a line in the log and is no fact: drops, stalls, the recorder, that nobody answers. It is looked at now and then,
//! so that no flood of datagrams is one of lines.

use std::time::Duration;

use squall_nodes::Node;

use crate::door::Handle;
use crate::status::{Recording, Status};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the node until it stops.
pub(super) async fn watch<N: Node>(handle: Handle<N>) {
    let mut before: Option<Status> = None;
    let mut silence = Silence::default();
    loop {
        tokio::time::sleep(EVERY).await;
        let Ok(status) = handle.status().await else {
            return;
        };
        if let Some(before) = &before {
            tell(before, &status);
        }
        silence.tell(&status);
        before = Some(status);
    }
}

/// How long a node has been talking to nobody who answers: a mistyped address looks like that, and a peer that is down.
#[derive(Default)]
struct Silence {
    /// How much had come in at the last look.
    heard: u64,
    /// How much had been sent when something came in last.
    sent: u64,
    /// For how many looks nothing has come in while something was sent.
    looks: u32,
}

impl Silence {
    /// That nobody answers is told after so many looks, and each time when it has lasted for so many times as many.
    const LOOKS: u32 = 5;
    const AGAIN: u32 = 12;

    fn tell(&mut self, status: &Status) {
        let counts = &status.counts;
        let heard = counts.delivered + counts.streams.opened + counts.streams.read;
        let sent = counts.sent + counts.streams.dialled;
        if heard != self.heard {
            if self.looks >= Self::LOOKS {
                tracing::info!("something comes in");
            }
            *self = Silence {
                heard,
                sent,
                looks: 0,
            };
            return;
        }
        let unanswered = sent - self.sent;
        if unanswered == 0 {
            return;
        }
        self.looks += 1;
        let steps = self.looks / Self::LOOKS;
        let is_due =
            self.looks.is_multiple_of(Self::LOOKS) && (steps == 1 || steps.is_multiple_of(Self::AGAIN));
        if is_due {
            tracing::warn!(
                unanswered,
                "nothing comes in, and what is sent is not answered: is somebody at the addresses that it has, and can they be reached?"
            );
        }
    }
}

fn tell(before: &Status, now: &Status) {
    let (old, new) = (&before.counts, &now.counts);
    let since = |count: fn(&crate::line::Counts) -> u64| count(new).saturating_sub(count(old));
    let (overflowed, unsent) = (since(|counts| counts.overflowed), since(|counts| counts.unsent));
    let too_long = since(|counts| counts.too_long);
    if overflowed + unsent + too_long > 0 {
        tracing::warn!(
            overflowed,
            unsent,
            too_long,
            "datagrams dropped since the last look"
        );
    }
    let (lost, cut) = (since(|counts| counts.lost), since(|counts| counts.cut));
    let congested = since(|counts| counts.congested);
    if lost + cut + congested > 0 {
        tracing::debug!(
            lost,
            cut,
            congested,
            "datagrams dropped by the link policy since the last look"
        );
    }
    let (old, new) = (&old.streams, &new.streams);
    let crowded = new.crowded.saturating_sub(old.crowded);
    let shut = new.shut.saturating_sub(old.shut);
    let overrun = new.overrun.saturating_sub(old.overrun);
    if crowded + shut + overrun > 0 {
        tracing::warn!(
            crowded,
            shut,
            overrun,
            "connections reset or refused since the last look, since there were too many, or too much waited to be written"
        );
    }
    let stalls = now.stalls.count.saturating_sub(before.stalls.count);
    if stalls > 0 {
        tracing::warn!(
            stalls,
            longest_ms = now.stalls.longest.as_nanos() / 1_000_000,
            "the node was kept from running since the last look"
        );
    }
    match (&before.recording, &now.recording) {
        (Recording::On { .. }, Recording::Full { bytes }) => {
            tracing::warn!(
                bytes,
                "the recording is as large as it may be, and the flight is not recorded any more"
            );
        }
        (Recording::On { .. }, Recording::Failed { bytes }) => {
            tracing::warn!(
                bytes,
                "the recording cannot be written, and the flight is not recorded any more"
            );
        }
        _ => {}
    }
}
