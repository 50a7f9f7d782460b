//! What streams take: no more connections and bytes than may be, nothing for those that are over, and no long queue.

use squall_nodes::{HostId, Outbox, Span, Unwitnessed, drive};

use super::wear::{FAR, ROUNDS, Way, Wear, plan};
use crate::engine::bounds::STALE_AT_LEAST;
use crate::engine::{End, Engine};
use crate::plan::{Latency, LinkLaw, Plan};

/// How a run ends, and its engine is asked something then.
fn after<R>(
    plan: &Plan<Wear>,
    limits: (usize, usize),
    ask: impl FnOnce(&Engine<'_, Wear>) -> R,
) -> (Option<End>, R) {
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(plan, &placed);
    (engine.most_connections, engine.most_held) = limits;
    // What ran before leaves nothing.
    for seed in [7, 1] {
        engine.reset(seed, None);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
    }
    (engine.ended, ask(&engine))
}

#[test]
fn a_run_ends_when_there_are_more_connections_than_may_be() {
    let mut plan = plan(Way::Dials, ROUNDS);
    plan.network.streams.connect_timeout = FAR;
    let (ended, open) = after(&plan, (100, usize::MAX), |engine| engine.streams.open());
    // The one that is too much is the last.
    assert_eq!((ended, open), (Some(End::TooManyConnections), 101));
    let (ended, open) = after(&plan, (1_000, usize::MAX), |engine| engine.streams.open());
    assert_eq!((ended, open), (Some(End::Limit), 1_000));
}

#[test]
fn a_run_ends_when_streams_hold_more_bytes_than_may_be() {
    const MOST: usize = 1 << 20;
    let mut plan = plan(Way::Writes, ROUNDS);
    plan.network.streams.connect_timeout = FAR;
    let (ended, held) = after(&plan, (10, MOST), |engine| engine.held);
    assert_eq!(ended, Some(End::TooMuchHeld));
    assert!((MOST..MOST + MOST / 4).contains(&held), "{held}");
}

#[test]
fn connections_that_are_over_take_nothing_and_leave_the_queue_as_short_as_it_was() {
    // Each is dialled, opened, written to, and closed when it was read.
    let mut plan = plan(Way::DialsItself, 10 * ROUNDS);
    plan.network.default = std::sync::Arc::new(LinkLaw::delaying(Latency::Constant(Span::from_nanos(10))));
    plan.limit = plan.limit + FAR;
    let (ended, (open, held, most)) = after(&plan, (usize::MAX, usize::MAX), |engine| {
        (engine.streams.open(), engine.held, engine.queue.most())
    });
    assert_eq!((ended, open, held), (Some(End::Limit), 0, 0));
    assert!(
        most <= 2 * STALE_AT_LEAST + 200,
        "{most} events lay in the queue at once"
    );
}

#[test]
fn a_kernel_knows_the_mtu_of_a_link_and_no_packet_is_longer_than_ethernet_has_them() {
    let a = HostId(0);
    for (mtu, most) in [
        (None, 1_460),
        (Some(9_000), 1_460),
        (Some(576), 536),
        (Some(41), 1),
        (Some(30), 1),
    ] {
        let mut plan = plan(Way::Quiet, 0);
        let mut law = LinkLaw::delaying(Latency::Constant(Span::ZERO));
        law.mtu = mtu;
        plan.network.default = std::sync::Arc::new(law);
        let (_, longest) = after(&plan, (0, 0), |engine| engine.longest_payload(a, a));
        assert_eq!(longest, most, "{mtu:?}");
    }
}
