//! What no run shows from outside: that the queue stays short whatever nodes and invariants do with time.

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    Breach, Built, ConfigOf, Crash, Describe, HostId, HostKey, Input, Invariant, InvariantKind, Node,
    NodeRng, Outbox, Placed, Promise, Protocol, Seen, Span, Time, Tolerance, World, drive, facts,
};

use super::bounds::STALE_AT_LEAST;
use super::{End, Engine};
use crate::plan::{
    DiskOnRestart, Expect, Fault, Latency, LinkLaw, Network, Origin, Plan, PlannedHost, PlannedInvariant,
    Step, Target, Trigger, address_of,
};

/// A node that arms timers in one of the ways that would fill a naive queue, `times` over.
struct Wear;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    /// Far ahead, near, far ahead, …
    FarAndNear,
    /// Each time a nanosecond earlier than the last.
    Earlier,
    /// Far ahead, and taken back.
    ArmAndDisarm,
    /// Near, and taken back.
    NearAndDisarm,
    /// For never.
    Never,
    /// Many timers, far ahead, at each boot.
    ManyAtBoot,
    /// A claim at each tick.
    Claims,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Code(u64);

#[derive(Clone)]
struct Worn {
    way: Way,
    done: u64,
    times: u64,
}

facts! {
    /// The one thing that is claimed.
    enum Tick {
        /// A tick.
        "tick" => Tick,
    }
}

/// How often each way is gone.
const TIMES: u64 = 1_000_000;
/// How often a node is asked to go on, between which time passes.
const ROUNDS: u64 = 1_000;
const TICK: Code = Code(0);
const FAR: Span = Span::from_secs(3_600);

impl squall_nodes::Timer for Code {
    fn code(&self) -> u64 {
        self.0
    }
}

impl Node for Worn {
    type Role = Way;
    type Config = u64;
    type Command = ();
    type Answer = ();
    type Timer = Code;
    type Fact = Tick;

    fn boot(role: &Way, times: &u64, _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        Worn {
            way: *role,
            done: 0,
            times: *times,
        }
    }

    fn handle(&mut self, now: Time, _input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let timer = Code(1);
        for _ in 0..self.times / ROUNDS {
            self.done += 1;
            match self.way {
                Way::FarAndNear => {
                    out.arm(timer, now + FAR);
                    out.arm(timer, now + Span::from_secs(1));
                }
                Way::Earlier => out.arm(timer, Time::ZERO + FAR - Span::from_nanos(self.done)),
                Way::ArmAndDisarm => {
                    out.arm(timer, now + FAR + Span::from_nanos(self.done));
                    out.disarm(timer);
                }
                Way::NearAndDisarm => {
                    out.arm(timer, now + Span::from_nanos(1 + self.done % 7));
                    out.disarm(timer);
                }
                Way::Never => out.arm(Code(1 + self.done % 10), Time::MAX),
                Way::ManyAtBoot => out.arm(Code(1 + self.done), now + FAR),
                Way::Claims => out.claim(Tick::Tick),
            }
        }
        match self.way {
            Way::ManyAtBoot => {}
            _ => out.arm(TICK, now + Span::from_micros(1)),
        }
    }
}

impl Protocol for Wear {
    const NAME: &'static str = "wear";
    const ABOUT: &'static str = "a node that wears the queue out";
    type Node = Worn;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {
        TIMES
    }

    fn invariants() -> Vec<InvariantKind<Worn>> {
        #[derive(Default, Deserialize)]
        struct Nothing {}
        vec![InvariantKind::with(
            "fidgety",
            "It changes its mind.",
            |Nothing {}, _| Built {
                invariant: Box::new(Fidgety {
                    due: Time::ZERO + FAR,
                }),
                promise: Promise::Always,
                by_default: Promise::Always,
            },
        )]
    }

    fn shortest_timeout(_config: &u64) -> Span {
        FAR
    }

    fn describer() -> Box<dyn Describe> {
        struct Nothing;
        impl Describe for Nothing {
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, _bytes: &[u8]) -> String {
                String::new()
            }
        }
        Box::new(Nothing)
    }
}

/// Due soon after each claim, and far ahead when it has looked.
#[derive(Clone)]
struct Fidgety {
    due: Time,
}

impl Invariant<Worn> for Fidgety {
    fn on_seen(&mut self, at: Time, seen: &Seen<'_, Worn>, _world: &World) -> Result<(), Breach> {
        if let Seen::Fact { .. } = seen {
            self.due = at + Span::from_nanos(500);
        }
        Ok(())
    }

    fn due(&self) -> Time {
        self.due
    }

    fn on_due(&mut self, at: Time, _world: &World) -> Result<(), Breach> {
        self.due = at + FAR;
        Ok(())
    }

    fn judged(&self) -> u64 {
        0
    }

    fn boxed_clone(&self) -> Box<dyn Invariant<Worn>> {
        Box::new(self.clone())
    }
}

fn plan(way: Way, times: u64) -> Plan<Wear> {
    let name = "a".to_owned();
    Plan {
        scenario: "wear".to_owned(),
        rules: "Standard",
        hosts: vec![PlannedHost {
            key: HostKey::of(&name),
            placed: Placed {
                name,
                ip: address_of(HostId(0)),
                role: way,
                config: times,
            },
            starts: Time::ZERO,
        }],
        network: Network {
            default: Arc::new(LinkLaw {
                latency: Latency::Constant(Span::ZERO),
                loss: 0.0,
                duplicate: 0.0,
                reorder: 0.0,
                reorder_by: Span::ZERO,
            }),
            links: Vec::new(),
        },
        persist: Latency::Constant(Span::ZERO),
        timeline: Vec::new(),
        workload: Vec::new(),
        // A microsecond a round, and the last round half done.
        limit: Span::from_micros(ROUNDS) - Span::from_nanos(500),
        max_events: u64::MAX,
        invariants: Vec::new(),
        measures: Vec::new(),
        expect: Expect::Held,
        tolerated: Tolerance {
            loss: 0.0,
            latency: FAR,
        },
    }
}

/// How many events lie in the queue at the end, and how many ever lay there at once.
fn length_after(plan: &Plan<Wear>) -> (usize, usize) {
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(plan, &placed);
    engine.reset(1, None);
    drive(&mut engine, &mut Outbox::new());
    assert_eq!(engine.ended, Some(End::Limit));
    (engine.queue.len(), engine.queue.most())
}

#[test]
fn a_million_arms_of_a_timer_leave_the_queue_as_short_as_it_was() {
    let ways = [
        Way::FarAndNear,
        Way::Earlier,
        Way::ArmAndDisarm,
        Way::NearAndDisarm,
        Way::Never,
    ];
    for way in ways {
        let (_, most) = length_after(&plan(way, TIMES));
        // The stale may come to as many as are tolerated before anyone counts.
        assert!(
            most <= STALE_AT_LEAST + 8,
            "{way:?}: {most} events lay in the queue at once"
        );
    }
}

#[test]
fn timers_of_lives_that_are_over_do_not_pile_up() {
    let mut plan = plan(Way::ManyAtBoot, 100 * ROUNDS);
    let who = || vec![Target::Host(HostId(0))];
    let faults = [
        (0, Fault::Crash(Crash::Kill, who())),
        (
            500,
            Fault::Restart {
                who: who(),
                disk: DiskOnRestart::Kept,
            },
        ),
    ];
    for (offset, fault) in faults {
        plan.timeline.push(Step {
            trigger: Trigger::Every {
                first: Time::from_nanos(1_000 + offset),
                interval: Span::from_micros(1),
                until: Time::MAX,
            },
            label: fault.kind().to_owned(),
            fault,
        });
    }
    // 999 lives of 100 timers each.
    let (_, most) = length_after(&plan);
    assert!(
        most <= 2 * STALE_AT_LEAST + 200,
        "{most} events lay in the queue at once"
    );
}

#[test]
fn an_invariant_that_changes_its_mind_leaves_the_queue_as_short_as_it_was() {
    let mut plan = plan(Way::Claims, 10 * ROUNDS);
    plan.limit = Span::from_micros(20 * ROUNDS);
    plan.invariants.push(PlannedInvariant {
        kind: 0,
        name: "wear.fidgety".to_owned(),
        params: "()".to_owned(),
        origin: Origin::Default,
    });
    let (left, most) = length_after(&plan);
    assert!(
        most <= STALE_AT_LEAST + 8,
        "{most} events lay in the queue at once"
    );
    assert!(left <= STALE_AT_LEAST + 8, "{left} events lie in the queue");
}
