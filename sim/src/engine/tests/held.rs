//! How many bytes are held back: none that nobody waits for, and no more than may be.

use squall_nodes::{Crash, HostId, Outbox, Span, Time, Unwitnessed, drive};

use super::wear::{FAR, TIMES, Way, Wear, asked_while_paused, plan};
use crate::engine::{End, Engine};
use crate::plan::{Fault, Latency, Layer, Plan, Step, Target, Trigger};

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
