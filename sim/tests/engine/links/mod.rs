//! What links do to datagrams, a subject a file; and here what they have in common.

mod accounts;
mod bytes;
mod changes;
mod ends;
mod laws;
mod queues;

use std::sync::Arc;

use squall_nodes::{Change, HostId, Span};
use squall_sim::outcome::{StreamTraffic, Traffic};
use squall_sim::plan::{Fault, Latency, Layer, LinkChange, LinkLaw, Zones};
use squall_sim::trace::{Fate, Happening};

use crate::node::{Do, On, PORT, Rule, beat, on, place, send, start};
use crate::plans::{
    A, B, C, D, Draft, bridge, changed, flap, kill, lay, link, ms, one_way, partition, pause, plan, restart,
    resume, ring, targets, us,
};
use crate::stories::Story;

/// How many datagrams a says to b where a law is looked at.
const MANY: u64 = 2_000;

/// a says 0, 1, 2, … to b, one a millisecond, over a link of this law.
fn stream(law: LinkLaw) -> Draft {
    plan()
        .host("a", beat(&[B], ms(1), ms(1)))
        .host("b", [])
        .links(law)
        .limit(ms(MANY + 1))
}

fn constant(latency: Span) -> LinkLaw {
    link(Latency::Constant(latency))
}

fn numbers(story: &Story) -> Vec<u64> {
    story.words(B).iter().map(|says| says.parse().unwrap()).collect()
}

/// a ships datagrams of these sizes to b at once, at 5 ms, over a link of this law.
fn ships(sizes: &[usize], law: LinkLaw) -> Draft {
    let ship = |bytes: &usize| Do::Ship {
        to: place(B),
        bytes: *bytes,
    };
    let ships: Vec<Do> = sizes.iter().map(ship).collect();
    plan()
        .host("a", [start([Do::Arm(1, ms(5))]), on(On::Timer(1), ships)])
        .host("b", [])
        .links(law)
}

/// What became at once of each datagram that a sent.
fn fates(story: &Story) -> Vec<Fate> {
    let fate = |event: &squall_sim::trace::TraceEvent| match event.what {
        Happening::Sent { fate, .. } if event.host == Some(A) => Some(fate),
        _ => None,
    };
    story.trace.events.iter().filter_map(fate).collect()
}

/// The hashes of what a host sent, or heard.
fn hashes(story: &Story, host: HostId) -> Vec<u64> {
    let hash = |event: &squall_sim::trace::TraceEvent| match event.what {
        Happening::Sent { hash, .. } | Happening::Received { hash, .. } if event.host == Some(host) => {
            Some(hash)
        }
        _ => None,
    };
    story.trace.events.iter().filter_map(hash).collect()
}
