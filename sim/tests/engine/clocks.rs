//! Clocks of their own: offsets, drifts, jumps, and what they do to timers. What is expected is arithmetic.

use squall_nodes::{Change, Span};

use crate::node::{Do, On, Rule, on, start};
use crate::plans::{
    A, B, at, drift, heal_layer, jump, kill, lay_over, ms, pause, plan, restart, resume, slow,
};
use crate::stories::Story;

const fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

/// Ticks every `interval` of its own time, the first time after it.
fn ticker(interval: Span) -> Vec<Rule> {
    vec![
        start([Do::Arm(1, interval)]),
        on(On::Timer(1), [Do::Arm(1, interval)]),
    ]
}

/// When a host's timer went off, in true time.
fn ticks(story: &Story) -> Vec<Span> {
    story.timers(A).into_iter().map(|(when, _)| when).collect()
}

/// The first true nanosecond at which a clock at `ppm` has gained `local` nanoseconds.
fn after(local: u64, ppm: i64) -> u64 {
    let rate = u128::try_from(1_000_000 + ppm).unwrap();
    u64::try_from((u128::from(local) * 1_000_000).div_ceil(rate)).unwrap()
}

#[test]
fn a_fast_clock_ticks_as_often_as_arithmetic_says() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .clock(Span::ZERO, 500)
        .limit(secs(1_000) + ms(1))
        .trace(1);
    // In 1000.001 s it gains 1000.501 0005 s: 10 005 ticks, and the last at 1000.5 s of its own.
    let ticks = ticks(&story);
    assert_eq!(ticks.len(), 10_005);
    // Each tick is read from the clock as it was at the tick before, and a clock may have gone past a nanosecond by then.
    let mut local = 0;
    for tick in &ticks {
        local += 100_000_000;
        let earliest = after(local, 500);
        let shown = u128::from(tick.as_nanos()) * 1_000_500 / 1_000_000;
        assert_eq!(tick.as_nanos(), earliest, "tick for {local}");
        local = u64::try_from(shown).unwrap();
    }
}

#[test]
fn a_slow_clock_with_an_offset_ticks_as_often_as_arithmetic_says() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::ReadClock, Do::Arm(1, ms(100))]),
                on(On::Timer(1), [Do::Arm(1, ms(100))]),
            ],
        )
        .clock(secs(3), -200)
        .limit(secs(1_000))
        .trace(1);
    assert_eq!(story.claimed(A), [(ms(0), "Said { what: \"3s\" }".to_owned())]);
    // It gains 999.8 s in 1000 s, and the last of these ticks comes with the end of the run.
    assert_eq!(ticks(&story).len(), 9_997);
    assert_eq!(ticks(&story)[0], Span::from_nanos(after(100_000_000, -200)));
    let true_clock = plan().host("a", ticker(ms(100))).limit(secs(1_000)).trace(1);
    assert_eq!(ticks(&true_clock).len(), 9_999);
}

#[test]
fn deadlines_are_on_the_hosts_own_clock() {
    let story = plan()
        .host(
            "a",
            [start([Do::ArmAt(1, at(secs(5))), Do::ArmAt(2, at(secs(2)))])],
        )
        .clock(secs(3), 0)
        .limit(secs(4))
        .trace(1);
    // What was over when the clock began is due at once.
    assert_eq!(
        story.timers(A),
        [(ms(0), "Alarm(2)".to_owned()), (secs(2), "Alarm(1)".to_owned())]
    );
}

#[test]
fn drifts_add_up_and_are_healed_one_by_one() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .clock(Span::ZERO, 100)
        .host("b", [])
        .at(secs(100), lay_over(drift(&[A, B], 400)))
        .at(secs(200), lay_over(drift(&[A], 500)))
        .at(secs(300), heal_layer(drift(&[B, A], 400)))
        .at(secs(400), heal_layer(drift(&[A], 500)))
        .limit(secs(500))
        .trace(1);
    let changes: Vec<(Span, Change)> = story.changes();
    let drift = |host, ppm| Change::Drift { host, ppm };
    assert_eq!(
        changes,
        [
            (secs(100), drift(A, 500)),
            (secs(100), drift(B, 400)),
            (secs(200), drift(A, 1_000)),
            (secs(300), drift(A, 600)),
            (secs(300), drift(B, 0)),
            (secs(400), drift(A, 100)),
        ]
    );
    // It gains 10 + 50 + 100 + 60 + 10 ms in 500 s: 5002 ticks, of which what is rounded up costs none.
    let ticks = ticks(&story);
    assert_eq!(ticks.len(), 5_002);
    let between = |from: u64, to: u64| {
        let inside = |tick: &&Span| (secs(from)..secs(to)).contains(*tick);
        ticks.iter().filter(inside).count() as u64
    };
    assert_eq!(story.affected()[0], between(100, 300));
    assert_eq!(story.affected()[1], between(200, 400));
    assert_eq!(story.affected()[2..], [1, 1]);
}

#[test]
fn a_clock_is_never_less_than_half_or_more_than_twice_as_fast() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .at(secs(10), lay_over(drift(&[A], 900_000)))
        .at(secs(10), lay_over(drift(&[A], 900_000)))
        .at(secs(20), heal_layer(drift(&[A], 900_000)))
        .at(secs(20), heal_layer(drift(&[A], 900_000)))
        .at(secs(20), lay_over(drift(&[A], -400_000)))
        .at(secs(20), lay_over(drift(&[A], -400_000)))
        // The bounds are for what they come to: more of one makes up for more of the other.
        .at(secs(30), lay_over(drift(&[A], 500_000)))
        .limit(secs(40))
        .trace(1);
    let rates: Vec<i32> = story
        .changes()
        .into_iter()
        .map(|(_, change)| match change {
            Change::Drift { ppm, .. } => ppm,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        rates,
        [900_000, 1_000_000, 900_000, 0, -400_000, -500_000, -300_000]
    );
    // 10 s + 20 s + 5 s + 7 s of its own, and the last tick comes with the end of the run.
    assert_eq!(ticks(&story).len(), 419);
}

#[test]
fn a_drift_that_the_bounds_make_nothing_of_touches_nothing() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .clock(Span::ZERO, 600_000)
        .at(secs(10), lay_over(drift(&[A], 1_000_000)))
        .at(secs(20), lay_over(drift(&[A], 300_000)))
        .limit(secs(30))
        .trace(1);
    // With its own drift the first is beyond the bound already.
    assert_eq!(story.affected()[1], 0);
    let ticks = ticks(&story);
    let under = ticks.iter().filter(|tick| **tick >= secs(10)).count() as u64;
    assert_eq!(story.affected()[0], under);
    assert_eq!(
        story.outcome.doubts,
        [
            "drift #1 touched nothing, laid at 20s: nothing came in while it was there, or the clock went as fast without it"
        ]
    );
}

#[test]
fn a_drift_moves_the_deadlines_that_are_armed() {
    let one = |ppm| {
        plan()
            .host("a", [start([Do::Arm(1, secs(10))])])
            .at(secs(4), lay_over(drift(&[A], ppm)))
            .limit(secs(20))
            .trace(1)
    };
    // 6 s are left of its own time.
    assert_eq!(ticks(&one(1_000_000)), [secs(7)]);
    assert_eq!(ticks(&one(-500_000)), [secs(16)]);
    let healed = plan()
        .host("a", [start([Do::Arm(1, secs(10))])])
        .at(secs(4), lay_over(drift(&[A], -500_000)))
        .at(secs(6), heal_layer(drift(&[A], -500_000)))
        .limit(secs(20))
        .trace(1);
    assert_eq!(ticks(&healed), [secs(11)]);
    assert_eq!(
        healed.outcome.doubts,
        [
            "drift #0 touched nothing, laid at 4s: nothing came in while it was there, or the clock went as fast without it"
        ]
    );
}

#[test]
fn a_jump_over_a_deadline_makes_it_due_at_once_and_brings_others_nearer() {
    let story = plan()
        .host("a", [start([1, 2, 3].map(|n| Do::Arm(n, secs(n))))])
        .at(ms(500), jump(&[A, B], ms(1_700)))
        .host("b", [])
        .limit(secs(5))
        .trace(1);
    let due = |when, timer: &str| (when, timer.to_owned());
    assert_eq!(
        story.timers(A),
        [
            due(ms(500), "Alarm(1)"),
            due(ms(500), "Alarm(2)"),
            due(ms(1_300), "Alarm(3)")
        ]
    );
    let by = ms(1_700);
    assert_eq!(
        story.changes(),
        [
            (ms(500), Change::Jumped { host: A, by }),
            (ms(500), Change::Jumped { host: B, by })
        ]
    );
    assert_eq!(story.affected(), [2]);
}

#[test]
fn a_ticker_that_jumps_ticks_as_often_as_arithmetic_says() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .every(ms(50), ms(970), secs(10), jump(&[A], ms(30)))
        .limit(secs(10) + ms(1))
        .trace(1);
    // Eleven jumps of 30 ms, each in the middle between two ticks. The clock gains 10.331 s: 103 ticks.
    assert_eq!(ticks(&story).len(), 103);
    assert_eq!(ticks(&story)[..3], [ms(70), ms(170), ms(270)]);
    assert_eq!(story.affected(), [11]);
}

#[test]
fn a_clock_is_the_machines_and_goes_on_while_its_host_is_down_or_paused() {
    let story = plan()
        .host("a", [start([Do::ReadClock, Do::Arm(1, secs(9))])])
        .clock(secs(1), 1_000_000)
        .at(secs(1), kill(&[A]))
        .at(secs(2), jump(&[A], secs(4)))
        .at(secs(3), restart(&[A]))
        .at(secs(4), pause(&[A]))
        .at(secs(6), jump(&[A], secs(2)))
        .at(secs(7), resume(&[A]))
        .limit(secs(10))
        .trace(1);
    // 1 s, and 6 s gained by 3 s, and 4 s of the jump.
    assert_eq!(
        story.claimed(A),
        [
            (ms(0), "Said { what: \"1s\" }".to_owned()),
            (secs(3), "Said { what: \"11s\" }".to_owned()),
        ]
    );
    // It is due at 20 s of its own, which were at 6.5 s.
    assert_eq!(ticks(&story), [secs(7)]);
    // A jump counts hosts that are up.
    assert_eq!(story.affected(), [1, 0, 1, 1, 1, 1]);
}

#[test]
fn a_timer_taken_back_before_a_jump_stays_taken_back() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, secs(3)), Do::Arm(2, secs(1)), Do::Arm(3, secs(3))]),
                on(On::Timer(2), [Do::Disarm(1), Do::Arm(3, secs(8))]),
            ],
        )
        .at(secs(2), jump(&[A], secs(4)))
        .limit(secs(10))
        .trace(1);
    // The third was moved to 9 s of its own before the jump to 6 s.
    assert_eq!(ticks(&story), [secs(1), secs(5)]);
}

#[test]
fn a_slow_host_reads_its_clock_when_it_is_done() {
    let story = plan()
        .host(
            "a",
            [
                start([Do::Arm(1, ms(10))]),
                on(On::Timer(1), [Do::ReadClock, Do::Arm(1, ms(10))]),
            ],
        )
        .clock(Span::ZERO, 1_000_000)
        .at(ms(1), lay_over(slow(&[A], ms(4))))
        .limit(ms(20))
        .trace(1);
    // Due at 5 ms, done at 9 ms, when it shows 18 ms; due at 28 ms of its own, which is at 14 ms; done at 18 ms.
    assert_eq!(
        story.claimed(A),
        [
            (ms(9), "Said { what: \"0.018s\" }".to_owned()),
            (ms(18), "Said { what: \"0.036s\" }".to_owned()),
        ]
    );
}

#[test]
fn the_end_of_time_on_a_clock_is_no_trouble() {
    let story = plan()
        .host("a", ticker(ms(100)))
        .clock(Span::LONGEST, 1_000_000)
        .every(ms(1), ms(1), secs(1), jump(&[A], Span::LONGEST))
        .limit(secs(1))
        .trace(1);
    // After 58 jumps of ten years the clock has come to the end of what it can show, and what is armed is for never.
    assert!(ticks(&story).len() < 100, "{}", ticks(&story).len());
    assert_eq!(story.affected(), [999]);
}
