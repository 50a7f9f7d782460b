//! Timers that go off late, as on a machine that was measured: by how much, never early, and nothing else changes by it.

use squall_nodes::Span;
use squall_sim::machine::{Boots, Machine, Waking};
use squall_sim::outcome::Verdict;
use squall_sim::plan::{Latency, Origin};
use squall_sim::trace::{Fate, Happening};

use crate::node::{Claim, Do, On, Rule, on, send, start};
use crate::plans::{A, B, Draft, at, jump, kill, link, ms, plan, restart, us};
use crate::promises::SPOKEN;
use crate::stories::Story;

/// What lies between two rounds of a ticker.
const ROUND: Span = ms(10);

/// Ticks again and again, each time a round after the tick before.
fn ticker() -> Vec<Rule> {
    vec![start([Do::Arm(1, ROUND)]), on(On::Timer(1), [Do::Arm(1, ROUND)])]
}

/// When the timers of the first host went off.
fn ticks(story: &Story) -> Vec<Span> {
    story.timers(A).into_iter().map(|(when, _)| when).collect()
}

/// By how much each tick of a ticker was late, which began at the start of the run.
fn late_by(ticks: &[Span]) -> Vec<Span> {
    let from = std::iter::once(&Span::ZERO).chain(ticks);
    ticks
        .iter()
        .zip(from)
        .map(|(tick, from)| {
            let took = *tick - *from;
            assert!(took >= ROUND, "a timer went off {took} after it was armed");
            took - ROUND
        })
        .collect()
}

#[test]
fn each_of_many_timers_in_a_row_is_late_by_as_much_more() {
    let story = plan()
        .host("a", ticker())
        .timers_are_late(Latency::Constant(ms(3)))
        .trace(1);
    let expected: Vec<Span> = (1..=76).map(|n| ms(13) * n).collect();
    assert_eq!(ticks(&story), expected);
}

#[test]
fn timers_are_exact_where_nothing_else_is_said() {
    let story = plan().host("a", ticker()).trace(1);
    let expected: Vec<Span> = (1..100).map(|n| ROUND * n).collect();
    assert_eq!(ticks(&story), expected);
}

#[test]
fn timers_are_as_late_as_the_law_has_it() {
    let (least, most) = (us(100), us(900));
    let story = plan()
        .host("a", ticker())
        .timers_are_late(Latency::Uniform(least, most))
        .limit(Span::from_secs(50))
        .trace(1);
    let mut late = late_by(&ticks(&story));
    late.sort_unstable();
    assert!(
        late.len() > 4_700 && least <= late[0] && late[late.len() - 1] <= most,
        "{late:?}"
    );
    // Kolmogorov's distance to the law; 1.95 is exceeded by one sample of it in a thousand, and by none that is off by much.
    let samples = late.len() as f64;
    let of_law = |late: &Span| (*late - least).as_nanos() as f64 / (most - least).as_nanos() as f64;
    let distance = late.iter().enumerate().fold(0.0, |distance: f64, (rank, late)| {
        let (below, up_to) = (rank as f64 / samples, (rank + 1) as f64 / samples);
        distance.max(of_law(late) - below).max(up_to - of_law(late))
    });
    assert!(distance * samples.sqrt() < 1.95, "{distance}");
}

/// Whatever entry there was before, the last deadline is what a timer is late for, and by the whole of the law.
#[test]
fn a_timer_that_was_moved_is_late_for_the_deadline_that_it_has() {
    let moved = |first: u64, then: u64| {
        let story = plan()
            .host("a", [start([Do::Arm(1, ms(first)), Do::Arm(1, ms(then))])])
            .timers_are_late(Latency::Constant(ms(3)))
            .trace(1);
        ticks(&story)
    };
    for (first, then) in [(20, 5), (20, 20), (20, 21), (20, 23), (20, 24), (20, 60)] {
        assert_eq!(moved(first, then), [ms(then + 3)], "from {first} to {then} ms");
    }
    let story = plan()
        .host(
            "a",
            [start([Do::Arm(1, ms(20)), Do::Disarm(1), Do::Arm(1, ms(23))])],
        )
        .timers_are_late(Latency::Constant(ms(3)))
        .trace(1);
    assert_eq!(ticks(&story), [ms(26)]);
}

#[test]
fn timers_on_a_clock_that_is_not_true_are_late_in_true_time() {
    let half_as_fast_again = || {
        plan()
            .host("a", [start([Do::Arm(1, ms(30))])])
            .clock(ms(7), 500_000)
            .timers_are_late(Latency::Constant(ms(3)))
    };
    assert_eq!(ticks(&half_as_fast_again().trace(1)), [ms(23)]);
    // At 10 ms it has 15 ms to go: what it jumps over is due at once, and found as late as ever.
    let jumped = half_as_fast_again().at(ms(10), jump(&[A], ms(40))).trace(1);
    assert_eq!(ticks(&jumped), [ms(13)]);
}

#[test]
fn each_life_and_each_run_is_late_in_its_own_way() {
    let ticker = || {
        plan()
            .host("a", ticker())
            .timers_are_late(Latency::Uniform(us(100), us(900)))
    };
    let [one, same, other] = [1, 1, 2].map(|seed| ticks(&ticker().trace(seed)));
    assert_eq!(one, same);
    assert_ne!(one[0], other[0]);
    // Its clock goes on, so that a second life has other deadlines; but not one that begins when the first began.
    let again = ticker()
        .at(Span::ZERO, kill(&[A]))
        .at(Span::ZERO, restart(&[A]))
        .trace(1);
    assert_ne!(ticks(&again)[0], one[0]);
}

fn talkers() -> Draft {
    let talker = |to| {
        vec![
            start([Do::Arm(1, ROUND)]),
            on(On::Timer(1), [send(to, "#"), Do::Arm(1, ROUND)]),
        ]
    };
    let mut law = link(Latency::Constant(ms(1)));
    law.loss = 0.3;
    plan().host("a", talker(B)).host("b", talker(A)).links(law)
}

#[test]
fn no_other_draw_changes() {
    let fates = |draft: Draft| -> Vec<Fate> {
        let story = draft.trace(5);
        let fate = |event: &squall_sim::trace::TraceEvent| match &event.what {
            Happening::Sent { fate, .. } if event.host == Some(A) => Some(*fate),
            _ => None,
        };
        story.trace.events.iter().filter_map(fate).take(50).collect()
    };
    let exact = fates(talkers());
    assert!(exact.len() == 50 && exact.contains(&Fate::Lost), "{exact:?}");
    assert_eq!(
        fates(talkers().timers_are_late(Latency::Uniform(us(100), ms(9)))),
        exact
    );
    // And a host more leaves others as late as they were.
    let late = || plan().timers_are_late(Latency::Uniform(us(100), ms(9)));
    let alone = late().host("a", ticker()).trace(5);
    let with_another = late().host("a", ticker()).host("b", ticker()).trace(5);
    assert_eq!(ticks(&alone), ticks(&with_another));
    assert_ne!(ticks(&alone)[0], with_another.timers(B)[0].0);
}

/// A promise of quiet has the tolerance of a live run, which is what such a run stands for; an exact one does without.
#[test]
fn it_is_judged_as_a_live_run_is() {
    let says_at = |after: Span| {
        plan()
            .host(
                "a",
                [
                    start([Do::Arm(1, after)]),
                    on(
                        On::Timer(1),
                        [Do::Claim(Claim::Said {
                            what: "so".to_owned(),
                        })],
                    ),
                ],
            )
            .live_tolerance(ms(50))
            .invariant(SPOKEN, "spoken", "(bound: \"200ms\")", Origin::Written)
    };
    let late = |after| says_at(after).timers_are_late(Latency::Constant(ms(3)));
    let verdict = |draft: Draft| draft.run(1).verdict;
    assert_eq!(verdict(says_at(ms(190))), Verdict::Held);
    assert_eq!(verdict(says_at(ms(220))), Verdict::Violated);
    assert_eq!(verdict(late(ms(220))), Verdict::Held);
    let broken = late(ms(260)).run(1);
    assert_eq!(broken.verdict, Verdict::Violated);
    assert_eq!(broken.violation.map(|broken| broken.at), Some(at(ms(250))));
}

/// A machine whose timers are late by 1 ms after up to 50 ms, and by 5 ms after more, on which hosts boot 4 ms late, and 30 ms again.
fn machine() -> Machine {
    let waking = |idle, late| Waking {
        idle: ms(idle),
        late: ms(late),
    };
    Machine {
        delay: vec![Span::ZERO],
        // Classes of one each.
        lateness: [(0, 1), (10, 1), (20, 1), (30, 1), (50, 5)]
            .map(|(idle, late)| waking(idle, late))
            .into(),
        write: vec![Span::ZERO],
        boots: Boots {
            first: vec![ms(4)],
            again: vec![ms(30)],
        },
    }
}

#[test]
fn who_was_idle_for_longer_is_later_and_finds_all_that_is_due_by_then_at_once() {
    let rules = vec![
        start([
            Do::Arm(1, ms(20)),
            Do::Arm(2, ms(90)),
            Do::Arm(3, ms(93)),
            Do::Arm(4, ms(96)),
        ]),
        on(On::Timer(4), [Do::Arm(1, ms(49))]),
    ];
    let story = plan().host("a", rules).on(&machine()).trace(1);
    // It boots at 4 ms: 20 ms idle, then 69, then hardly any and up, and then the 49 of its own.
    assert_eq!(ticks(&story), [ms(25), ms(99), ms(99), ms(101), ms(151)]);
}

#[test]
fn what_comes_in_is_handled_and_leaves_timers_as_late_as_they_were() {
    let story = plan()
        .host(
            "a",
            vec![
                start([Do::Arm(1, ms(80))]),
                on(On::Command, [Do::Arm(2, ms(100))]),
            ],
        )
        .call(ms(86), A, "wake up")
        .on(&machine())
        .trace(1);
    assert_eq!(ticks(&story), [ms(89), ms(191)]);
}

#[test]
fn hosts_boot_late_and_hear_nothing_before() {
    let story = plan()
        .host(
            "a",
            vec![start([Do::Claim(Claim::Said {
                what: "up".to_owned(),
            })])],
        )
        .call(ms(1), A, "early")
        .at(ms(100), kill(&[A]))
        .at(ms(200), restart(&[A]))
        .call(ms(210), A, "again")
        .on(&machine())
        .trace(1);
    let claimed: Vec<Span> = story.claimed(A).into_iter().map(|(when, _)| when).collect();
    assert_eq!(claimed, [ms(4), ms(230)]);
    assert_eq!(
        story.outcome.verdict,
        Verdict::Held,
        "no node is handed anything before its start"
    );
}
