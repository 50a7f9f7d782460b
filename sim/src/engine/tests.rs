//! What no run shows from outside: that the queue stays short whatever nodes and invariants do with time.

mod alarms;
mod untold;

use std::cell::Cell;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    Breach, Built, ConfigOf, Crash, Describe, HostId, HostKey, Input, Invariant, InvariantKind, Node,
    NodeRng, Outbox, Placed, Promise, Protocol, Seen, Span, Time, Tolerance, Unwitnessed, World, drive,
    facts,
};

use super::bounds::STALE_AT_LEAST;
use super::timers::{Due, NEVER, Timers, Upkeep};
use super::{End, Engine};
use crate::plan::{
    Clock, Cue, CutPlan, DiskOnRestart, Expect, Fault, Latency, Layer, LinkLaw, Network, Origin, Plan,
    PlannedHost, PlannedInvariant, Step, Target, Trigger, Work, address_of,
};
use crate::timeline::cues::Deed;

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
    /// Only hears what it is asked.
    Quiet,
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

thread_local! {
    /// How many invariants this thread has built.
    static BUILT: Cell<u32> = const { Cell::new(0) };
}

/// How often each way is gone.
const TIMES: u64 = 1_000_000;
/// How often a node is asked to go on, between which time passes.
const ROUNDS: u64 = 1_000;
const TICK: Code = Code(0);
const FAR: Span = Span::from_secs(3_600);

/// A bit in which timers differ though their codes do not.
const NO_PART_OF_THE_CODE: u64 = 1 << 63;

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

#[test]
fn timers_of_which_each_is_named_once_take_no_more_room_than_live_at_a_time() {
    for way in [Way::AnotherAndDisarm, Way::AnotherAndBack] {
        let plan = plan(way, TIMES);
        let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
        let mut engine = Engine::new(&plan, &placed);
        engine.reset(1, None);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
        let places = engine.hosts[0].timers.places();
        assert!(places <= 4 * STALE_AT_LEAST, "{way:?}: room for {places} timers");
    }
}

#[test]
fn codes_that_differ_only_in_high_bits_are_found_at_once() {
    for shift in [0, 16, 32, 48] {
        let mut timers = Timers::<Worn>::new();
        for id in 0..10_000 {
            timers.arm(Code(id << shift | 3), 1, 1);
        }
        let longest = timers.longest_search();
        assert!(longest <= 8, "{longest} buckets to look at, shifted by {shift}");
    }
}

#[test]
#[should_panic(expected = "two timers have the code 5")]
fn two_timers_with_one_code_are_an_error_of_their_author() {
    let mut timers = Timers::<Worn>::new();
    timers.arm(Code(5), 1, 1);
    timers.arm(Code(5 | NO_PART_OF_THE_CODE), 2, 2);
}

#[test]
fn an_entry_that_was_taken_back_counts_again_when_its_timer_is_armed_again() {
    let mut timers = Timers::<Worn>::new();
    let timer = Code(1);
    assert_eq!(timers.arm(timer, 10, 10), Upkeep::Push(0));
    timers.enter(0, 10, 77);
    assert_eq!(timers.arm(timer, 12, 12), Upkeep::Nothing);
    assert_eq!(timers.disarm(timer), Upkeep::Forget);
    assert_eq!(timers.disarm(timer), Upkeep::Nothing);
    assert_eq!(timers.arm(timer, 11, 11), Upkeep::Recall);
    assert!(timers.keeps(0, 77));
    assert_eq!(timers.arm(timer, NEVER, NEVER), Upkeep::Forget);
    // The entry is stale and counted already: another takes its place, and nothing more is stale.
    assert_eq!(timers.arm(timer, 9, 9), Upkeep::Push(0));
    timers.enter(0, 9, 78);
    assert_eq!(timers.due(0, 77, 9), Due::Stale);
    assert_eq!(timers.disarm(timer), Upkeep::Forget);
    // Once it is swept, there is no entry to count on.
    assert!(!timers.keeps(0, 78));
    assert_eq!(timers.arm(timer, 9, 9), Upkeep::Push(0));
    timers.enter(0, 9, 79);
    assert_eq!(timers.due(0, 79, 9), Due::Fire(timer));
}

/// How many events lie in the queue at the end, and how many ever lay there at once.
fn length_after(plan: &Plan<Wear>) -> (usize, usize) {
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(plan, &placed);
    engine.reset(1, None);
    drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
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
        Way::AnotherAndDisarm,
        Way::AnotherAndBack,
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
fn flaps_that_are_healed_leave_the_queue_as_short_as_it_was() {
    let mut plan = plan(Way::Quiet, 1);
    plan.limit = Span::from_micros(20 * ROUNDS);
    let flap = || Layer::Flap {
        cut: CutPlan::Partition(vec![vec![Target::Host(HostId(0))]]),
        down: FAR,
        up: FAR,
    };
    for (offset, fault) in [(0, Fault::Lay(flap())), (500, Fault::Heal(flap()))] {
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
    let (_, most) = length_after(&plan);
    assert!(
        most <= STALE_AT_LEAST + 8,
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

/// How a run ends of which no more than `most` bytes may be held back, and how many are then, besides what lies on disks.
fn held_after(plan: &Plan<Wear>, most: usize) -> (Option<End>, usize) {
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(plan, &placed);
    engine.most_held = most;
    engine.reset(1, None);
    drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
    let on_disks: usize = engine.hosts.iter().map(|host| host.disk.taken()).sum();
    (engine.ended, engine.held - on_disks)
}

const MEGABYTE: usize = 1 << 20;

#[test]
fn a_run_ends_when_too_much_waits_behind_a_write() {
    for way in [Way::ClaimsBehindAWrite, Way::PersistsBehindAWrite] {
        let mut plan = plan(way, TIMES);
        plan.persist = Latency::Constant(FAR);
        let (ended, held) = held_after(&plan, MEGABYTE);
        assert_eq!(ended, Some(End::TooMuchHeld), "{way:?}");
        // What one turn asked for is not cut short.
        assert!(
            (MEGABYTE..MEGABYTE + MEGABYTE / 4).contains(&held),
            "{way:?}: {held}"
        );
    }
    // What waits behind short writes comes and goes.
    let mut plan = plan(Way::ClaimsBehindAWrite, TIMES);
    plan.persist = Latency::Constant(Span::from_nanos(700));
    assert_eq!(held_after(&plan, MEGABYTE), (Some(End::Limit), 0));
}

/// A host that is asked something every microsecond and paused after the first.
fn asked_while_paused() -> Plan<Wear> {
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

#[test]
fn a_run_ends_when_a_paused_host_is_asked_too_much() {
    let (ended, held) = held_after(&asked_while_paused(), MEGABYTE);
    assert_eq!(ended, Some(End::TooMuchHeld));
    assert!((MEGABYTE..MEGABYTE + 1_000).contains(&held), "{held}");
}

#[test]
fn what_a_paused_host_finds_or_loses_is_held_no_longer() {
    let who = || vec![Target::Host(HostId(0))];
    for fault in [Fault::Resume(who()), Fault::Crash(Crash::Kill, who())] {
        let mut plan = asked_while_paused();
        plan.timeline.push(Step {
            trigger: Trigger::At(Time::ZERO + Span::from_millis(50)),
            label: fault.kind().to_owned(),
            fault,
        });
        assert_eq!(held_after(&plan, usize::MAX), (Some(End::Limit), 0));
    }
}

#[test]
fn a_slow_host_that_is_paused_and_resumed_leaves_the_queue_as_short_as_it_was() {
    let mut plan = plan(Way::Quiet, 0);
    plan.limit = Span::from_millis(100);
    plan.workload.push(Work {
        first: Time::ZERO,
        interval: None,
        until: Time::MAX,
        of: vec![HostId(0)],
        command: (),
        label: "ask".to_owned(),
    });
    let who = || vec![Target::Host(HostId(0))];
    let slow = Fault::Lay(Layer::Slow { who: who(), by: FAR });
    let every = |from| Trigger::Every {
        first: Time::from_nanos(from),
        interval: Span::from_micros(1),
        until: Time::MAX,
    };
    let steps = [
        (Trigger::At(Time::ZERO), slow),
        (every(1_000), Fault::Pause(who())),
        (every(1_500), Fault::Resume(who())),
    ];
    plan.timeline.extend(steps.map(|(trigger, fault)| Step {
        trigger,
        label: fault.kind().to_owned(),
        fault,
    }));
    // It is stopped and goes on a hundred thousand times; each time the entry at which it would be done is another.
    let (left, most) = length_after(&plan);
    assert!(
        most <= STALE_AT_LEAST + 8,
        "{most} events lay in the queue at once"
    );
    assert!(left <= STALE_AT_LEAST + 8, "{left} events lie in the queue");
}

#[test]
fn clocks_that_jump_leave_the_queue_as_short_as_it_was() {
    let mut plan = plan(Way::ManyAtBoot, 100 * ROUNDS);
    let jump = Fault::Jump {
        who: vec![Target::Host(HostId(0))],
        by: Span::from_nanos(1),
    };
    plan.timeline.push(Step {
        trigger: Trigger::Every {
            first: Time::from_nanos(1_000),
            interval: Span::from_micros(1),
            until: Time::MAX,
        },
        label: jump.kind().to_owned(),
        fault: jump,
    });
    // Each of 999 jumps brings a hundred timers forward.
    let (_, most) = length_after(&plan);
    assert!(
        most <= 2 * STALE_AT_LEAST + 200,
        "{most} events lay in the queue at once"
    );
}

#[test]
fn what_a_slow_host_works_on_or_loses_is_held_no_longer() {
    let who = || vec![Target::Host(HostId(0))];
    let layer = |by| Layer::Slow { who: who(), by };
    // It is quicker than it is asked, or it is healed, or it goes down.
    let cases = [
        (Span::from_nanos(700), None),
        (FAR, Some(Fault::Heal(layer(FAR)))),
        (FAR, Some(Fault::Crash(Crash::Kill, who()))),
    ];
    for (by, fault) in cases {
        let mut plan = asked_while_paused();
        plan.timeline[0].fault = Fault::Lay(layer(by));
        plan.timeline.extend(fault.map(|fault| Step {
            trigger: Trigger::At(Time::ZERO + Span::from_millis(50)),
            label: fault.kind().to_owned(),
            fault,
        }));
        assert_eq!(held_after(&plan, usize::MAX), (Some(End::Limit), 0), "{by}");
    }
    let mut plan = asked_while_paused();
    plan.timeline[0].fault = Fault::Lay(layer(FAR));
    let (ended, held) = held_after(&plan, MEGABYTE);
    assert_eq!(ended, Some(End::TooMuchHeld));
    assert!((MEGABYTE..MEGABYTE + 1_000).contains(&held), "{held}");
}

#[test]
fn a_run_ends_when_more_layers_lie_over_hosts_than_may() {
    let mut plan = plan(Way::Quiet, 0);
    plan.limit = Span::from_millis(100);
    let slow = Fault::Lay(Layer::Slow {
        who: vec![Target::Host(HostId(0))],
        by: Span::from_nanos(1),
    });
    plan.timeline.push(Step {
        trigger: Trigger::Every {
            first: Time::ZERO,
            interval: Span::from_micros(1),
            until: Time::MAX,
        },
        label: slow.kind().to_owned(),
        fault: slow,
    });
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(&plan, &placed);
    engine.reset(1, None);
    drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
    assert_eq!(engine.ended, Some(End::TooManyLayers));
    assert_eq!(engine.now, Time::ZERO + Span::from_micros(1_000));
}

#[test]
fn a_run_ends_when_the_world_changes_more_than_anyone_can_follow() {
    let mut plan = asked_while_paused();
    plan.workload.clear();
    plan.timeline.clear();
    let who = || vec![Target::Host(HostId(0))];
    for (offset, fault) in [(0, Fault::Pause(who())), (500, Fault::Resume(who()))] {
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
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(&plan, &placed);
    let mut end = |most_effort| {
        engine.most_effort = most_effort;
        engine.reset(1, None);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
        (engine.ended, engine.now)
    };
    let whole = (Some(End::Limit), Time::ZERO + plan.limit);
    assert_eq!(end(u64::MAX), whole);
    let (ended, at) = end(1_000);
    assert_eq!(ended, Some(End::TooMuchEffort));
    assert!(at < Time::ZERO + Span::from_millis(1), "{at}");
    // Effort is counted for each run.
    assert_eq!(end(u64::MAX), whole);
}

#[test]
fn a_deed_costs_a_step_for_each_fault_that_waits_for_its_like() {
    const WAIT: u64 = 1_000;
    let mut plan = plan(Way::Claims, ROUNDS);
    let cues = [Cue::Fact(0), Cue::Send(Vec::new())];
    for cue in cues {
        for _ in 0..WAIT {
            let fault = Fault::HealAll;
            plan.timeline.push(Step {
                trigger: Trigger::When {
                    cue: cue.clone(),
                    by: Vec::new(),
                    nth: u32::MAX,
                    after: Span::ZERO,
                },
                label: fault.kind().to_owned(),
                fault,
            });
        }
    }
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(&plan, &placed);
    engine.reset(1, None);
    let a = HostId(0);
    for (deed, costs) in [
        (Deed::SentTo(a), WAIT),
        (Deed::Claimed(0), WAIT),
        (Deed::Persisted, 0),
    ] {
        let before = engine.cues.effort();
        engine.cue(a, deed);
        assert_eq!(engine.cues.effort() - before, costs);
    }
    let mut end = |most_effort| {
        engine.most_effort = most_effort;
        engine.reset(1, None);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
        (engine.ended, engine.cues.effort())
    };
    let whole = (Some(End::Limit), ROUNDS * WAIT);
    assert_eq!(end(u64::MAX), whole);
    let (ended, effort) = end(100 * WAIT);
    assert_eq!(ended, Some(End::TooMuchEffort));
    // It ends with the deed that is too much.
    assert!(((99 * WAIT)..=(101 * WAIT)).contains(&effort), "{effort}");
    // It is counted for each run.
    assert_eq!(end(u64::MAX), whole);
}

#[test]
fn invariants_are_built_once_for_all_runs_of_a_worker_and_begin_each_anew() {
    let mut plan = plan(Way::Claims, ROUNDS);
    plan.invariants.push(PlannedInvariant {
        kind: 0,
        name: "wear.fidgety".to_owned(),
        params: "()".to_owned(),
        origin: Origin::Default,
    });
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let before = BUILT.get();
    let mut engine = Engine::new(&plan, &placed);
    for seed in 0..5 {
        engine.reset(seed, None);
        assert_eq!(engine.judge.due(), Time::ZERO + FAR);
        drive(&mut engine, &mut Outbox::new(), &mut Unwitnessed);
        assert_ne!(engine.judge.due(), Time::ZERO + FAR);
    }
    assert_eq!(BUILT.get() - before, 1);
}
