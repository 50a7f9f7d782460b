//! The node of these tests, which would wear a naive engine out, and its plans.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use squall_nodes::{
    Breach, Built, ConfigOf, ConnId, Describe, HostId, HostKey, Input, Invariant, InvariantKind, Node,
    NodeRng, Outbox, Placed, Promise, Protocol, Seen, Span, StreamEvent, Time, Tolerance, World, facts,
};

use crate::plan::{
    Clock, Expect, Fault, Latency, LinkLaw, Network, Plan, PlannedHost, Step, Target, Trigger, Work,
    address_of,
};

/// A node that arms timers in one of the ways that would fill a naive queue, `times` over.
pub(super) struct Wear;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Way {
    /// Far ahead, near, far ahead, …
    FarAndNear,
    /// Each time a nanosecond earlier than the last.
    Earlier,
    /// Far ahead, and taken back.
    ArmAndDisarm,
    /// Near, and taken back.
    NearAndDisarm,
    /// Another timer each time, far ahead, and taken back.
    AnotherAndDisarm,
    /// Another timer each time, far ahead, taken back, and armed again before anything is swept.
    AnotherAndBack,
    /// For never.
    Never,
    /// Many timers, far ahead, at each boot.
    ManyAtBoot,
    /// A claim at each tick.
    Claims,
    /// The same, behind a write.
    ClaimsBehindAWrite,
    /// Persists again and again, behind a write.
    PersistsBehindAWrite,
    /// Dials an address of nobody, again and again.
    Dials,
    /// Writes to the first of those, more and more.
    Writes,
    /// Dials itself, writes to each connection, and closes it when it was read.
    DialsItself,
    /// Only hears what it is asked.
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Code(pub(super) u64);

#[derive(Clone)]
pub(super) struct Worn {
    way: Way,
    done: u64,
    times: u64,
    conn: Option<ConnId>,
}

/// Where it listens.
const PORT: u16 = 7;
/// No host has this address.
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 7);

facts! {
    /// The one thing that is claimed.
    pub(super) enum Tick {
        /// A tick.
        "tick" => Tick,
    }
}

thread_local! {
    /// How many invariants this thread has built.
    pub(super) static BUILT: Cell<u32> = const { Cell::new(0) };
}

/// How often each way is gone.
pub(super) const TIMES: u64 = 1_000_000;

/// How often a node is asked to go on, between which time passes.
pub(super) const ROUNDS: u64 = 1_000;

const TICK: Code = Code(0);

pub(super) const FAR: Span = Span::from_secs(3_600);

/// A bit in which timers differ though their codes do not.
pub(super) const NO_PART_OF_THE_CODE: u64 = 1 << 63;

impl squall_nodes::Timer for Code {
    fn code(&self) -> u64 {
        self.0 & !NO_PART_OF_THE_CODE
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
            conn: None,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Stream {
                conn,
                event: StreamEvent::Bytes(_),
            } => return out.close(conn),
            Input::Stream { .. } => return,
            Input::Start => out.listen(PORT),
            _ => {}
        }
        if let Way::DialsItself = self.way
            && self.done >= self.times
        {
            return;
        }
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
                Way::AnotherAndDisarm => {
                    let timer = Code(1 + self.done);
                    out.arm(timer, now + FAR);
                    out.disarm(timer);
                }
                Way::AnotherAndBack => {
                    let timer = Code(1 + self.done);
                    out.arm(timer, now + FAR);
                    out.disarm(timer);
                    out.arm(timer, now + FAR);
                    out.arm(timer, Time::MAX);
                }
                Way::Never => out.arm(Code(1 + self.done % 10), Time::MAX),
                Way::ManyAtBoot => out.arm(Code(1 + self.done), now + FAR),
                Way::Claims => out.claim(Tick::Tick),
                Way::ClaimsBehindAWrite => {
                    if self.done == 1 {
                        out.persist(b"first");
                    }
                    out.claim(Tick::Tick);
                }
                Way::PersistsBehindAWrite => {
                    out.persist(b"as ever");
                }
                Way::Dials => {
                    out.dial(NOBODY);
                }
                Way::Writes => {
                    let conn = *self.conn.get_or_insert_with(|| out.dial(NOBODY));
                    let payload = out.payload(&[7; 10_000]);
                    out.write(conn, payload);
                }
                Way::DialsItself => {
                    let conn = out.dial(SocketAddrV4::new(address_of(HostId(0)), PORT));
                    let payload = out.payload(b"hello");
                    out.write(conn, payload);
                }
                Way::Quiet => {}
            }
        }
        match self.way {
            Way::ManyAtBoot | Way::Quiet => {}
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
            |Nothing {}, _| {
                BUILT.set(BUILT.get() + 1);
                Built {
                    invariant: Box::new(Fidgety {
                        due: Time::ZERO + FAR,
                    }),
                    promise: Promise::Always,
                    by_default: Promise::Always,
                }
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

pub(super) fn plan(way: Way, times: u64) -> Plan<Wear> {
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
            clock: Clock::default(),
        }],
        network: Network::of(LinkLaw::delaying(Latency::Constant(Span::ZERO))),
        persist: Latency::Constant(Span::ZERO),
        lateness: None,
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
        live_tolerance: Span::ZERO,
    }
}

/// A host that is asked something every microsecond and paused after the first.
pub(super) fn asked_while_paused() -> Plan<Wear> {
    let mut plan = plan(Way::Quiet, 0);
    plan.limit = Span::from_millis(100);
    plan.workload.push(Work {
        first: Time::ZERO,
        interval: Some(Span::from_micros(1)),
        until: Time::MAX,
        of: vec![HostId(0)],
        command: (),
        label: "ask".to_owned(),
    });
    let pause = Fault::Pause(vec![Target::Host(HostId(0))]);
    plan.timeline.push(Step {
        trigger: Trigger::At(Time::from_nanos(1_500)),
        label: pause.kind().to_owned(),
        fault: pause,
    });
    plan
}
