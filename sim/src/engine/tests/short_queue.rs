//! The queue stays short whatever nodes, faults and invariants do with time.

use squall_nodes::{Crash, HostId, Outbox, Span, Time, Unwitnessed, drive};

use super::wear::{FAR, ROUNDS, TIMES, Way, Wear, plan};
use crate::engine::bounds::STALE_AT_LEAST;
use crate::engine::{End, Engine};
use crate::plan::{
    CutPlan, DiskOnRestart, Fault, Layer, Origin, Plan, PlannedInvariant, Step, Target, Trigger, Work,
};

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
