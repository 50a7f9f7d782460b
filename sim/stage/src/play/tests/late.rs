//! What comes later than is tolerated: faults, turns of flaps and calls are doubts about a run without a violation, and what is on time
//! is none.

use super::*;

/// A time of the run that was so long ago, in milliseconds.
fn ago(play: &mut Play<'_, '_, Echo>, ms: u64) -> Time {
    // The run began long enough before.
    play.origin = Time::from_nanos(clock::now().as_nanos() - Span::from_secs(8).as_nanos());
    Time::from_nanos((Span::from_secs(8) - Span::from_millis(ms)).as_nanos())
}

/// What is said of something that happens 700 ms late, and on time. Nobody is so slow that the one is taken for the other: the tolerance
/// is 100 ms, and what is on time is due in the future.
fn told(timeline: &str, workload: &str, happen: impl Fn(&mut Play<'_, '_, Echo>, Time)) -> Vec<String> {
    let told = |ms: Option<u64>| {
        let mut told = Vec::new();
        with_work(timeline, workload, |mut play| {
            play.boots(S, 0);
            let planned = match ms {
                Some(ms) => ago(&mut play, ms),
                None => Time::MAX,
            };
            happen(&mut play, planned);
            told.extend(std::mem::take(&mut play.late).told());
        });
        told
    };
    assert_eq!(told(None), Vec::<String>::new());
    let late = told(Some(700));
    assert!(
        late.iter()
            .all(|said| said.ends_with("since the machine had other work to do"))
    );
    late
}

#[test]
fn a_fault_that_comes_late_is_told() {
    let late = told(KILLED_AT_ONCE, "[]", |play, planned| {
        play.happen(planned, Due::Planned(timeline::Due::Step(0)))
            .unwrap();
    });
    let [said] = &late[..] else { panic!("{late:?}") };
    assert!(
        said.starts_with("kill(s) came ") && said.contains(" later than it was to"),
        "{said}"
    );
}

#[test]
fn a_turn_of_a_flap_that_comes_late_is_told() {
    const FLAPS: &str = r#"[At("0s", Flap(cut: Partition([["s"]]), down: "1s", up: "1s"))]"#;
    let late = told(FLAPS, "[]", |play, planned| {
        play.strike(0, None, Time::MAX).unwrap();
        let layer = loop {
            match play.schedule.take(Time::MAX, play.plan) {
                Some((_, Due::Turn(layer))) => break layer,
                Some(_) => {}
                None => panic!("it does not turn"),
            }
        };
        play.happen(planned, Due::Turn(layer)).unwrap();
        // One that was healed does not turn any more, late or not.
        play.wires.heal_all();
        play.happen(Time::ZERO, Due::Turn(layer)).unwrap();
    });
    let [said] = &late[..] else { panic!("{late:?}") };
    assert!(
        said.starts_with("a turn of flap(") && said.contains(" came "),
        "{said}"
    );
}

#[test]
fn a_call_that_comes_late_is_told_though_its_host_is_down_by_now() {
    const CALLS: &str = r#"[Every(interval: "10ms", of: "*", command: ())]"#;
    let late = told("[]", CALLS, |play, planned| {
        for id in play.crew.ids() {
            play.crew.host(id).power = Power::Off;
        }
        for nth in 0..3 {
            let call = Due::Planned(timeline::Due::Call(0, nth));
            play.happen(planned, call).unwrap();
        }
        assert_eq!(play.calls, [0]);
    });
    let [said] = &late[..] else { panic!("{late:?}") };
    assert!(
        said.starts_with("the call ") && said.contains(" to 3 times, "),
        "{said}"
    );
}

#[test]
fn what_comes_late_leaves_a_run_without_a_violation_inconclusive() {
    let label = "kill(s)";
    with_play(KILLED_AT_ONCE, |mut play| {
        play.boots(S, 0);
        let planned = ago(&mut play, 700);
        let now = clock::now();
        play.look_at_lateness(label, now, planned);
        let outcome = come_to(play, Time::ZERO + Span::from_secs(1)).outcome;
        assert_eq!(outcome.verdict, Verdict::Inconclusive);
        assert!(
            outcome
                .doubts
                .iter()
                .any(|doubt| doubt.starts_with("kill(s) came ")),
            "{:?}",
            outcome.doubts
        );
    });
}
