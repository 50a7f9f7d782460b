//! Whatever is done to them, what is read from a stream is what was written to it, from the first byte on and without a gap.

use proptest::prelude::*;
use squall_nodes::{Crash, Span};
use squall_sim::Prepared;
use squall_sim::plan::{CutPlan, Fault, Latency, StreamLaw};

use crate::node::{Conn, Do, On, PORT, Rule, on, place, start};
use crate::plans::{
    A, B, Draft, heal, lay, link, ms, one_way, partition, pause, plan, restart, resume, targets,
};

/// Something that is done to two hosts at a time.
#[derive(Clone, Debug)]
enum Blow {
    Cut(u8, Span),
    Pause(bool, Span),
    Kill,
    PowerCut,
    Restart,
    KillWriter,
}

fn cut(kind: u8) -> CutPlan {
    match kind {
        0 => partition(&[&[A], &[B]]),
        1 => one_way(&[A], &[B]),
        _ => one_way(&[B], &[A]),
    }
}

fn blows(gentle: bool) -> impl Strategy<Value = Vec<(Span, Blow)>> {
    let span = || (1..5_000_u64).prop_map(ms);
    let soft = prop_oneof![
        3 => (0..3_u8, span()).prop_map(|(kind, lasts)| Blow::Cut(kind, lasts)),
        1 => (any::<bool>(), span()).prop_map(|(writer, lasts)| Blow::Pause(writer, lasts)),
    ];
    let hard = prop_oneof![
        3 => (0..3_u8, span()).prop_map(|(kind, lasts)| Blow::Cut(kind, lasts)),
        1 => (any::<bool>(), span()).prop_map(|(writer, lasts)| Blow::Pause(writer, lasts)),
        1 => Just(Blow::Kill),
        1 => Just(Blow::PowerCut),
        1 => Just(Blow::Restart),
        1 => Just(Blow::KillWriter),
    ];
    let blow = if gentle { soft.boxed() } else { hard.boxed() };
    prop::collection::vec(((0..10_000_u64).prop_map(ms), blow), 0..8)
}

fn laws() -> impl Strategy<Value = (f64, f64, f64, u64)> {
    (0.0..0.3, 0.0..0.3, 0.0..0.3, 1..50_u64)
}

fn buffers() -> impl Strategy<Value = (u64, u64)> {
    (1..100_000_u64, 1..100_000_u64)
}

/// Pours something now and then, after a time each, and closes at the end or not.
fn writer(pours: &[(u64, usize)], closes: bool) -> Vec<Rule> {
    let mut rules = vec![start([Do::Dial(place(B)), Do::Arm(0, ms(5))])];
    for (nth, (after, bytes)) in (0..).zip(pours) {
        rules.push(on(
            On::Timer(nth),
            [Do::Pour(Conn::Nth(0), *bytes), Do::Arm(nth + 1, ms(*after))],
        ));
    }
    if closes {
        rules.push(on(On::Timer(pours.len() as u64), [Do::Close(Conn::Nth(0))]));
    }
    rules
}

/// Listens, and answers each piece with some bytes.
fn reader() -> Vec<Rule> {
    vec![
        start([Do::Listen(PORT)]),
        on(On::Bytes, [Do::Pour(Conn::This, 37)]),
    ]
}

fn struck(draft: Draft, blows: &[(Span, Blow)]) -> Draft {
    blows.iter().fold(draft, |draft, (at, blow)| match blow {
        Blow::Cut(kind, lasts) => draft.at(*at, lay(cut(*kind))).at(*at + *lasts, heal(cut(*kind))),
        Blow::Pause(writer, lasts) => {
            let who = [if *writer { A } else { B }];
            draft.at(*at, pause(&who)).at(*at + *lasts, resume(&who))
        }
        Blow::Kill => draft.at(*at, Fault::Crash(Crash::Kill, targets(&[B]))),
        Blow::PowerCut => draft.at(*at, Fault::Crash(Crash::PowerCut, targets(&[B]))),
        Blow::Restart => draft.at(*at, restart(&[B])),
        // It never comes back: in another life it would dial another connection by the same number.
        Blow::KillWriter => draft.at(*at, Fault::Crash(Crash::Kill, targets(&[A]))),
    })
}

fn story(
    pours: &[(u64, usize)],
    closes: bool,
    (loss, duplicate, reorder, latency): (f64, f64, f64, u64),
    (send_buffer, receive_buffer): (u64, u64),
) -> Draft {
    let mut law = link(Latency::Uniform(ms(0), ms(latency)));
    (law.loss, law.duplicate, law.reorder, law.reorder_by) = (loss, duplicate, reorder, ms(2 * latency));
    let streams = StreamLaw {
        send_buffer,
        receive_buffer,
        ..StreamLaw::default()
    };
    plan()
        .links(law)
        .streams(streams)
        .host("a", writer(pours, closes))
        .host("b", reader())
        .limit(Span::from_secs(400))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_read_is_what_was_written_as_far_as_it_came(
        pours in prop::collection::vec((1..2_000_u64, 1..5_000_usize), 1..12),
        closes in any::<bool>(),
        laws in laws(),
        buffers in buffers(),
        blows in blows(false),
        seed in any::<u64>(),
    ) {
        let story = struck(story(&pours, closes, laws, buffers), &blows).trace(seed);
        let there = (story.wrote(A, 1), story.read(B, 1));
        let back = (story.wrote(B, 1), story.read(A, 1));
        for (wrote, read) in [there, back] {
            prop_assert!(wrote.starts_with(&read), "{} of {}", read.len(), wrote.len());
        }
    }

    #[test]
    fn all_that_was_written_comes_when_nobody_goes_down_or_gives_up(
        pours in prop::collection::vec((1..2_000_u64, 1..5_000_usize), 1..12),
        laws in laws(),
        buffers in buffers(),
        blows in blows(true),
        seed in any::<u64>(),
    ) {
        let patient = StreamLaw {
            user_timeout: Span::from_secs(10_000),
            connect_timeout: Span::from_secs(10_000),
            send_buffer: buffers.0.max(100),
            receive_buffer: buffers.1.max(100),
            ..StreamLaw::default()
        };
        let story = struck(story(&pours, false, laws, buffers), &blows)
            .streams(patient)
            .limit(Span::from_secs(20_000))
            .trace(seed);
        prop_assert_eq!(story.wrote(A, 1).len(), pours.iter().map(|(_, bytes)| bytes).sum::<usize>());
        prop_assert!(story.wrote(A, 1) == story.read(B, 1), "{} of {}", story.read(B, 1).len(), story.wrote(A, 1).len());
        prop_assert!(story.wrote(B, 1) == story.read(A, 1), "{} of {}", story.read(A, 1).len(), story.wrote(B, 1).len());
    }

    #[test]
    fn equal_seeds_give_equal_runs_whatever_ran_before(
        pours in prop::collection::vec((1..2_000_u64, 1..5_000_usize), 1..12),
        closes in any::<bool>(),
        laws in laws(),
        buffers in buffers(),
        blows in blows(false),
        seed in any::<u64>(),
    ) {
        let draft = || struck(story(&pours, closes, laws, buffers), &blows);
        let (prepared, other) = (draft().prepare(), draft().prepare());
        let (mut worker, mut fresh) = (prepared.worker(), other.worker());
        let first = worker.run(seed);
        worker.run(seed.wrapping_add(1));
        prop_assert_eq!(&worker.run(seed), &first);
        prop_assert_eq!(&fresh.trace(seed).0, &first);
    }
}
