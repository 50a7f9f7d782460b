//! Runs that are stopped on the way.

use std::sync::atomic::{AtomicBool, Ordering};

use squall_nodes::{Span, Time};
use squall_sim::runner::{LOOK_EACH, Prepared, Stopped};

use crate::node::{Do, On, STOP, beat, on, start};
use crate::plans::{A, at, ms, plan};

/// A host that beats to itself each millisecond for a minute, and stops the run after ten seconds.
fn stops_itself() -> impl Prepared {
    let mut rules = beat(&[A], ms(1), ms(1));
    rules.push(start([Do::Arm(1, Span::from_secs(10))]));
    rules.push(on(On::Timer(1), [Do::Stop]));
    plan().host("a", rules).limit(Span::from_secs(60)).prepare()
}

#[test]
fn a_run_is_stopped_in_the_middle_and_the_next_of_its_worker_is_as_ever() {
    let prepared = stops_itself();
    let whole = prepared.worker().run(1);
    assert!(whole.events > 100_000, "{}", whole.events);
    let mut worker = prepared.worker();
    // The stop is looked at before anything is run, too.
    assert!(STOP.load(Ordering::Relaxed));
    assert_eq!(worker.run_until(1, &STOP), Err(Stopped { at: Time::ZERO }));
    for traced in [false, true] {
        STOP.store(false, Ordering::Relaxed);
        let stopped = if traced {
            worker.trace_until(1, &STOP).map(|(outcome, _)| outcome)
        } else {
            worker.run_until(1, &STOP)
        };
        let stopped = stopped.expect_err("it was not stopped").at;
        // Each millisecond has at least one event.
        let pressed = Span::from_secs(10);
        let looked_by = at(pressed + ms(LOOK_EACH));
        assert!((at(pressed)..=looked_by).contains(&stopped), "{stopped}");
        let never = AtomicBool::new(false);
        assert_eq!(worker.run_until(1, &never), Ok(whole.clone()));
        assert_eq!(worker.trace(1).0, whole);
    }
}
