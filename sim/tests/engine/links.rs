//! What links do to datagrams, and that every datagram is accounted for.

use proptest::prelude::*;
use squall_nodes::Span;
use squall_sim::outcome::Traffic;
use squall_sim::plan::{Fault, Latency, LinkLaw};

use crate::node::{Do, On, PORT, Rule, beat, on, place, send, start};
use crate::plans::{
    A, B, C, D, Draft, kill, lay, link, ms, one_way, partition, pause, plan, restart, resume, us,
};
use crate::stories::Story;

/// How many datagrams a says to b where a law is looked at.
const MANY: u64 = 2_000;

/// a says 0, 1, 2, … to b, one a millisecond, over a link of this law.
fn stream(law: LinkLaw) -> Draft {
    plan()
        .host("a", beat(&[B], ms(1), ms(1)))
        .host("b", [])
        .links(law)
        .limit(ms(MANY + 1))
}

fn constant(latency: Span) -> LinkLaw {
    link(Latency::Constant(latency))
}

fn numbers(story: &Story) -> Vec<u64> {
    story.words(B).iter().map(|says| says.parse().unwrap()).collect()
}

#[test]
fn a_link_without_loss_loses_nothing_and_one_that_loses_all_delivers_nothing() {
    let none = stream(constant(us(10))).run(1).traffic;
    let expected = Traffic {
        sent: MANY,
        delivered: MANY,
        ..Traffic::default()
    };
    assert_eq!(none, expected);
    let all = LinkLaw {
        loss: 1.0,
        duplicate: 1.0,
        ..constant(us(10))
    };
    let expected = Traffic {
        sent: MANY,
        lost: MANY,
        ..Traffic::default()
    };
    assert_eq!(stream(all).run(1).traffic, expected, "what is lost has no copy");
}

/// Within five standard deviations of its share, for a fixed seed.
fn assert_share(count: u64, of: u64, ratio: f64) {
    let (expected, deviation) = (of as f64 * ratio, (of as f64 * ratio * (1.0 - ratio)).sqrt());
    assert!(
        (count as f64 - expected).abs() < 5.0 * deviation,
        "{count} of {of}, not {expected}"
    );
}

#[test]
fn a_link_loses_and_doubles_its_share() {
    let law = LinkLaw {
        loss: 0.3,
        duplicate: 0.2,
        ..constant(us(10))
    };
    let traffic = stream(law).run(3).traffic;
    assert_share(traffic.lost, MANY, 0.3);
    assert_share(traffic.duplicated, MANY - traffic.lost, 0.2);
    assert_eq!(traffic.delivered, MANY - traffic.lost + traffic.duplicated);
}

#[test]
fn a_copy_says_the_same_and_has_a_latency_of_its_own() {
    let law = LinkLaw {
        duplicate: 1.0,
        ..link(Latency::Uniform(us(10), us(900)))
    };
    let story = stream(law).trace(1);
    let heard = story.heard(B);
    assert_eq!(heard.len() as u64, 2 * MANY);
    let mut numbers = numbers(&story);
    numbers.sort_unstable();
    assert!((0..MANY).all(|n| numbers[2 * n as usize..][..2] == [n, n]));
    let together = heard.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert!(together < 10, "{together} copies came with their originals");
}

#[test]
fn latency_keeps_within_its_law_and_spreads_over_it() {
    let (low, high) = (us(100), us(900));
    let story = stream(link(Latency::Uniform(low, high))).trace(1);
    let took: Vec<Span> = story
        .heard(B)
        .iter()
        .map(|(when, says)| *when - ms(says.parse::<u64>().unwrap() + 1))
        .collect();
    assert_eq!(took.len() as u64, MANY);
    assert!(took.iter().all(|span| (low..high).contains(span)));
    for tenth in 0..10 {
        let from = low + (high - low) / 10 * tenth;
        let here = took
            .iter()
            .filter(|span| (from..from + (high - low) / 10).contains(span))
            .count();
        assert_share(here as u64, MANY, 0.1);
    }
    assert!(
        stream(constant(us(300)))
            .trace(1)
            .heard(B)
            .iter()
            .all(|(when, says)| { *when == ms(says.parse::<u64>().unwrap() + 1) + us(300) })
    );
}

#[test]
fn what_is_held_back_is_overtaken_and_nothing_else_is() {
    let law = |reorder| LinkLaw {
        reorder,
        reorder_by: ms(5),
        ..constant(us(10))
    };
    let in_order = numbers(&stream(law(0.0)).trace(1));
    assert!(in_order.is_sorted());
    let story = stream(law(0.25)).trace(1);
    let late = |(when, says): &&(Span, String)| *when - ms(says.parse::<u64>().unwrap() + 1) > us(10);
    let heard = story.heard(B);
    let held: Vec<_> = heard.iter().filter(late).collect();
    assert_share(held.len() as u64, heard.len() as u64, 0.25);
    assert!(
        held.iter()
            .all(|(when, says)| *when - ms(says.parse::<u64>().unwrap() + 1) < us(10) + ms(5))
    );
    let overtaken = numbers(&story)
        .windows(2)
        .filter(|pair| pair[0] > pair[1])
        .count();
    assert!(overtaken as u64 > MANY / 10, "{overtaken}");
    let mut punctual: Vec<u64> = Vec::new();
    punctual.extend(
        heard
            .iter()
            .filter(|entry| !late(entry))
            .map(|(_, says)| says.parse::<u64>().unwrap()),
    );
    assert!(punctual.is_sorted());
}

#[test]
fn a_link_of_its_own_law_keeps_to_it_in_its_direction_only() {
    let story = plan()
        .host("a", beat(&[B, C], ms(1), ms(10)))
        .host("b", beat(&[A], ms(1), ms(10)))
        .host("c", [])
        .link(A, B, constant(ms(3)))
        .link(
            C,
            A,
            LinkLaw {
                loss: 1.0,
                ..constant(ms(1))
            },
        )
        .limit(ms(9))
        .trace(1);
    assert_eq!(story.heard(B), [(ms(4), "0".to_owned())]);
    assert_eq!(story.heard(A), [(ms(2), "0".to_owned())]);
    assert_eq!(story.heard(C), [(ms(2), "1".to_owned())]);
}

#[test]
fn what_goes_nowhere_is_counted_as_to_nobody() {
    let mut elsewhere = place(B);
    elsewhere.set_ip("10.0.0.3".parse().unwrap());
    let mut closed = place(B);
    closed.set_port(PORT + 1);
    let ship = |bytes| Do::Ship { to: place(B), bytes };
    let story = plan()
        .host(
            "a",
            [start([
                Do::Send {
                    to: elsewhere,
                    says: "no such host".into(),
                },
                Do::Send {
                    to: closed,
                    says: "no such port".into(),
                },
                Do::SendFrom {
                    port: PORT + 1,
                    to: place(B),
                    says: "from no port".into(),
                },
                ship(65_507),
                ship(65_508),
            ])],
        )
        .host("b", [])
        .trace(1);
    assert_eq!(story.words(B), ["65507 bytes"]);
    let expected = Traffic {
        sent: 5,
        delivered: 1,
        to_nobody: 4,
        ..Traffic::default()
    };
    assert_eq!(story.outcome.traffic, expected);
}

#[test]
fn what_is_sent_to_oneself_crosses_a_link_as_well() {
    let story = plan().host("a", [start([send(A, "note")])]).trace(1);
    assert_eq!(story.heard(A), [(ms(1), "note".to_owned())]);
}

#[test]
fn a_long_payload_comes_as_it_was_sent_however_many_are_under_way() {
    let sizes: Vec<usize> = (0..300).map(|n| n * 7).collect();
    let ships: Vec<Do> = sizes
        .iter()
        .map(|bytes| Do::Ship {
            to: place(B),
            bytes: *bytes,
        })
        .collect();
    let story = plan()
        .host("a", [start([Do::Arm(1, ms(5))]), on(On::Timer(1), ships)])
        .host("b", [on(On::Datagram, [Do::Reply("got #".into())])])
        .trace(1);
    let expected: Vec<String> = sizes
        .iter()
        .map(|bytes| match bytes {
            100.. => format!("{bytes} bytes"),
            _ => ".".repeat(*bytes),
        })
        .collect();
    assert_eq!(story.words(B), expected);
    assert_eq!(story.words(A).len(), 300);
}

/// Anything that can happen to datagrams, at random.
fn mess() -> impl Strategy<Value = (LinkLaw, Vec<(u64, Fault)>, u64, u64)> {
    let hosts = || prop::sample::subsequence(vec![A, B, C, D], 0..=3);
    let fault = prop_oneof![
        hosts().prop_map(|who| kill(&who)),
        hosts().prop_map(|who| restart(&who)),
        hosts().prop_map(|who| pause(&who)),
        hosts().prop_map(|who| resume(&who)),
        hosts().prop_map(|who| lay(partition(&[&who]))),
        (hosts(), hosts()).prop_map(|(from, to)| lay(one_way(&from, &to))),
        Just(Fault::HealAll),
    ];
    let law =
        (0.0..0.5f64, 0.0..0.5f64, 0.0..0.5f64, 0..20_000u64).prop_map(|(loss, duplicate, reorder, most)| {
            LinkLaw {
                loss,
                duplicate,
                reorder,
                reorder_by: us(most),
                ..link(Latency::Uniform(us(most / 3), us(most)))
            }
        });
    (
        law,
        prop::collection::vec((0..100_000u64, fault), 0..25),
        1..120u64,
        any::<u64>(),
    )
}

/// A host that beats to all and answers some, with payloads short and long.
fn chatter(port: u16) -> Vec<Rule> {
    let mut rules = beat(&[A, B, C, D], ms(1), us(1_700));
    rules.push(on(
        On::Timer(99),
        [
            Do::Ship {
                to: place(B),
                bytes: 30_000,
            },
            Do::SendFrom {
                port,
                to: place(C),
                says: "out of another port".into(),
            },
        ],
    ));
    rules.push(on(On::Datagram, [Do::Disarm(1), Do::Arm(1, us(300))]));
    rules.push(on(On::Timer(1), [send(A, "quiet")]));
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_datagram_is_accounted_for((law, faults, limit, seed) in mess()) {
        let mut draft = plan()
            .host("a", chatter(PORT))
            .host("b", chatter(PORT + 1))
            .host("c", chatter(PORT))
            .late_host("d", ms(20), chatter(PORT))
            .links(law)
            .limit(ms(limit));
        for (when, fault) in faults {
            draft = draft.at(us(when), fault);
        }
        let story = draft.trace(seed);
        let Traffic { sent, duplicated, delivered, lost, cut, to_nobody, overflowed, in_flight, .. } = story.outcome.traffic;
        prop_assert_eq!(sent + duplicated, delivered + lost + cut + to_nobody + overflowed + in_flight);
        // What is counted is what the trace has, so that nothing is counted as something else.
        let kinds = kinds(&story);
        prop_assert_eq!(kinds, [sent, duplicated, delivered, lost, cut, to_nobody, overflowed]);
    }
}

/// The traffic as the trace has it.
fn kinds(story: &Story) -> [u64; 7] {
    use squall_sim::trace::{DropCause, Fate, Happening};
    let count = |is: &dyn Fn(&Happening) -> bool| {
        story.trace.events.iter().filter(|event| is(&event.what)).count() as u64
    };
    let fate = |wanted| count(&|what| matches!(what, Happening::Sent { fate, .. } if *fate == wanted));
    let dropped = |wanted| count(&|what| matches!(what, Happening::Dropped { why, .. } if *why == wanted));
    [
        count(&|what| matches!(what, Happening::Sent { .. })),
        fate(Fate::Doubled),
        count(&|what| matches!(what, Happening::Received { .. })),
        fate(Fate::Lost),
        fate(Fate::Cut) + dropped(DropCause::Cut),
        fate(Fate::NoSuchPlace) + dropped(DropCause::Down) + dropped(DropCause::PortClosed),
        dropped(DropCause::BufferFull),
    ]
}
