//! For how long each datagram is held back where it is: drawn by the engine, and found out from runs in which nothing else happens.
//!
//! Every datagram has draws of its own, by its place among all that were sent on its link, and nothing that happens to the link or to
//! others changes them. So what one is held back for in such a run it is held back for in every run of the seed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use squall_nodes::{HostId, Span, Time};
use squall_sim::plan::{Latency, LinkLaw, host_at};
use squall_sim::trace::Happening;

use super::acts::HELD_BY;
use super::{ALL, MOST_ROUNDS, ROUND, SEED, talkers};
use crate::plans::{link, ms};

/// How long what one host says to another in a round, counted from 1, is held back, where that is `by` at most.
pub(super) fn held(by: Span, from: HostId, to: HostId, round: u64) -> Span {
    static HELD: LazyLock<BTreeMap<(Span, HostId, HostId, u64), Span>> = LazyLock::new(|| {
        let all = HELD_BY.into_iter().flat_map(watched).collect();
        check(&all);
        all
    });
    HELD[&(by, from, to, round)]
}

/// What is seen of a run in which all datagrams are held back, by `by` at most, and take a millisecond besides.
fn watched(by: Span) -> Vec<((Span, HostId, HostId, u64), Span)> {
    let law = LinkLaw {
        reorder: 1.0,
        reorder_by: by,
        ..link(Latency::Constant(ms(1)))
    };
    let limit = ROUND * (MOST_ROUNDS + 1) + by;
    let (_, trace) = {
        let story = talkers().links(law).limit(limit).trace(SEED);
        (story.outcome, story.trace)
    };
    let heard = trace.events.iter().filter_map(|event| match &event.what {
        Happening::Received { from, says, .. } => Some((event, from, says)),
        _ => None,
    });
    heard
        .map(|(event, from, says)| {
            let address: std::net::SocketAddrV4 = from.parse().expect("an address");
            // A host counts what it says, and says it to all others in a round.
            let count: u64 = says.parse().expect("a number");
            let round = 1 + count / (ALL.len() as u64 - 1);
            let took = event.at.since(Time::ZERO) - ROUND * round;
            let to = event.host.expect("somebody hears it");
            ((by, host_at(*address.ip()), to, round), took - ms(1))
        })
        .collect()
}

/// That they are draws: within their bounds, and some from either half.
fn check(all: &BTreeMap<(Span, HostId, HostId, u64), Span>) {
    for by in HELD_BY {
        let held = || {
            all.iter()
                .filter(|((of, ..), _)| *of == by)
                .map(|(_, held)| *held)
        };
        assert!(held().all(|held| held <= by));
        let late = held().filter(|held| *held > by / 2).count();
        let count = held().count();
        assert!((count / 4..count * 3 / 4).contains(&late), "{late} of {count}");
    }
}
