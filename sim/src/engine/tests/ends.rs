//! What else ends a run, and what is made once for all runs.

use squall_nodes::{HostId, Outbox, Span, Time, Unwitnessed, drive};

use super::wear::{BUILT, FAR, ROUNDS, Way, asked_while_paused, plan};
use crate::engine::{End, Engine};
use crate::plan::{Cue, Fault, Layer, Origin, PlannedInvariant, Step, Target, Trigger};
use crate::timeline::cues::Deed;

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
