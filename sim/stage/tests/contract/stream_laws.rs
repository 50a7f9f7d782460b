//! What the law of a link does to streams: packets take their time, wait for their turn on a narrow link, and are sent again where they are
//! lost. A narrow link is Linux's own, too (`tbf` of `tc`); latency and loss would take `netem`, which few kernels without modules have.

use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;
use squall_nodes::{Span, Time};
use squall_sim::plan::StreamLaw;

use crate::conns::{Do, Happens};
use crate::node::Act::Conn;
use crate::node::Rule;
use crate::node::When::{Conn as On, Phase};
use crate::streams::{both, dial, read, say, write};

const A: usize = 0;
const B: usize = 1;

const fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

/// That something took as long as it had to, and not so much longer.
fn took(what: &str, since: Time, at: Time, least: Span, more: Span) -> Result<(), String> {
    let took = at.since(since);
    let is_right = least <= took && took <= least + more;
    is_right
        .then_some(())
        .ok_or_else(|| format!("{what} took {took}, of {least} to {}", least + more))
}

#[test]
fn an_opening_and_a_question_take_a_round_trip_each() {
    let a = vec![
        Rule(Phase(1), vec![say("dialled"), dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "question")]),
        read(0, "answer", vec![Conn(Do::SayRead(0))]),
    ];
    let b = vec![read(0, "question", vec![write(0, "answer")])];
    both(a, b)
        .law(LinkLaw::delaying(Latency::Constant(ms(100))))
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(A, "read answer")])
        .holds_in_time(|seen| {
            let opened = seen.when(A, "0: opened");
            took("to open", seen.when(A, "dialled"), opened, ms(200), ms(150))?;
            took("to ask", opened, seen.when(A, "read answer"), ms(200), ms(150))
        });
}

#[test]
fn what_is_long_takes_as_long_as_a_narrow_link_needs_for_it() {
    const LONG: usize = 150_000;
    const BITS_A_SECOND: u64 = 800_000;
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(
            On(0, Happens::Opened),
            vec![say("written"), Conn(Do::WriteLong(0, LONG))],
        ),
    ];
    let all = Rule(On(0, Happens::ReadLong(LONG)), vec![Conn(Do::SayRead(0))]);
    let whole = format!("read {LONG} whole bytes");
    both(a, vec![all])
        .law(LinkLaw {
            bandwidth: Some(BITS_A_SECOND),
            ..LinkLaw::delaying(Latency::Constant(ms(1)))
        })
        .phases_of(Span::from_secs(4))
        .phase(&[], &[A], &[(B, &whole)])
        .holds_of_linux_in_time(|seen| {
            // Without headers, and what a bucket of Linux lets out at once: it is full when something is written.
            let least = Span::from_micros((LONG as u64 - 5_000) * 8 * 1_000_000 / BITS_A_SECOND);
            // Headers take a twentieth at most.
            took(
                "all of it",
                seen.when(A, "written"),
                seen.when(B, &whole),
                least,
                least / 10 + ms(200),
            )
        });
}

#[test]
fn what_is_lost_on_its_way_comes_all_the_same_and_late() {
    // Two packets each: that none of them is lost is as good as impossible.
    const QUESTIONS: usize = 40;
    let turns = |own: &str, theirs: &str| -> Vec<Rule> {
        let turn = |nth: usize| read(0, &theirs.repeat(nth), vec![write(0, own)]);
        (1..QUESTIONS).map(turn).collect()
    };
    let answers = "a".repeat(QUESTIONS);
    let a = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "q")]),
        read(0, &answers, vec![Conn(Do::SayRead(0))]),
    ];
    let last = read(0, &"q".repeat(QUESTIONS), vec![write(0, "a")]);
    let read_all = format!("read {answers}");
    both(
        [a, turns("q", "a")].concat(),
        [turns("a", "q"), vec![last]].concat(),
    )
    .law(LinkLaw {
        loss: 0.1,
        ..LinkLaw::delaying(Latency::Constant(ms(1)))
    })
    .phases_of(Span::from_secs(60))
    .phase(&[], &[A], &[(A, &read_all)])
    .holds_in_time(|seen| {
        assert_eq!(seen.said(A), ["0: opened", &read_all]);
        let (opened, at) = (seen.when(A, "0: opened"), seen.when(A, &read_all));
        // Each packet that is lost is one that nothing comes after: only a timeout tells of it.
        let least = StreamLaw::DEFAULT.min_rto + ms(2) * QUESTIONS as u64;
        took("all of it", opened, at, least, Span::from_secs(60))
    });
}
