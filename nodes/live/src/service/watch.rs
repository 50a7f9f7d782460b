//! What is worth a line in the log and is no fact: drops, stalls, the recorder. It is looked at now and then, so that no
//! flood of datagrams is one of lines.

use std::time::Duration;

use squall_nodes::Node;

use crate::door::Handle;
use crate::status::{Recording, Status};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the node until it stops.
pub(super) async fn watch<N: Node>(handle: Handle<N>) {
    let mut before: Option<Status> = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let Ok(status) = handle.status().await else {
            return;
        };
        if let Some(before) = &before {
            tell(before, &status);
        }
        before = Some(status);
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
        tracing::warn!(stalls, longest = %now.stalls.longest, "the node was kept from running since the last look");
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
