//! What links do to datagrams, and that every datagram is accounted for.

use std::sync::Arc;

use proptest::prelude::*;
use squall_nodes::{Change, HostId, Span};
use squall_sim::outcome::{StreamTraffic, Traffic};
use squall_sim::plan::{Fault, Latency, Layer, LinkChange, LinkLaw, Zones};
use squall_sim::trace::{Fate, Happening};

use crate::node::{Do, On, PORT, Rule, beat, on, place, send, start};
use crate::plans::{
    A, B, C, D, Draft, bridge, changed, flap, kill, lay, link, ms, one_way, partition, pause, plan, restart,
    resume, ring, targets, us,
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

/// a ships datagrams of these sizes to b at once, at 5 ms, over a link of this law.
fn ships(sizes: &[usize], law: LinkLaw) -> Draft {
    let ship = |bytes: &usize| Do::Ship {
        to: place(B),
        bytes: *bytes,
    };
    let ships: Vec<Do> = sizes.iter().map(ship).collect();
    plan()
        .host("a", [start([Do::Arm(1, ms(5))]), on(On::Timer(1), ships)])
        .host("b", [])
        .links(law)
}

/// What became at once of each datagram that a sent.
fn fates(story: &Story) -> Vec<Fate> {
    let fate = |event: &squall_sim::trace::TraceEvent| match event.what {
        Happening::Sent { fate, .. } if event.host == Some(A) => Some(fate),
        _ => None,
    };
    story.trace.events.iter().filter_map(fate).collect()
}

/// The hashes of what a host sent, or heard.
fn hashes(story: &Story, host: HostId) -> Vec<u64> {
    let hash = |event: &squall_sim::trace::TraceEvent| match event.what {
        Happening::Sent { hash, .. } | Happening::Received { hash, .. } if event.host == Some(host) => {
            Some(hash)
        }
        _ => None,
    };
    story.trace.events.iter().filter_map(hash).collect()
}

#[test]
fn a_link_with_a_bandwidth_sends_one_datagram_after_the_other_and_drops_what_it_has_no_room_for() {
    // 8 Mbit/s are a byte a microsecond. With their headers these are 100, 200 and 700 of them, then one too many, and as many as fit.
    let law = LinkLaw {
        bandwidth: Some(8_000_000),
        queue: 1_528,
        ..constant(ms(1))
    };
    let sizes = [72, 172, 672, 501, 500];
    let story = ships(&sizes, law).trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    let ends = [100, 300, 1_000, 1_528];
    assert_eq!(heard, ends.map(|end| ms(5) + us(end) + ms(1)));
    use Fate::{Congested, Underway};
    assert_eq!(fates(&story), [Underway, Underway, Underway, Congested, Underway]);
    let expected = Traffic {
        sent: 5,
        delivered: 4,
        congested: 1,
        ..Traffic::default()
    };
    assert_eq!(story.outcome.traffic, expected);
    assert_eq!(story.changes(), [(ms(5), Change::Choked { from: A, to: B })]);
}

#[test]
fn what_is_lost_has_used_the_bandwidth_and_what_is_cut_has_not() {
    let law = |loss| LinkLaw {
        loss,
        bandwidth: Some(8_000_000),
        queue: 300,
        ..constant(ms(1))
    };
    let lossy = ships(&[72; 5], law(1.0)).run(1).traffic;
    assert_eq!((lossy.lost, lossy.congested), (3, 2));
    let cut = ships(&[72; 5], law(0.0))
        .at(ms(1), lay(one_way(&[A], &[B])))
        .run(1)
        .traffic;
    assert_eq!((cut.cut, cut.congested), (5, 0));
}

#[test]
fn a_copy_takes_no_turn_of_its_own_in_the_queue() {
    let law = LinkLaw {
        duplicate: 1.0,
        bandwidth: Some(8_000_000),
        queue: 200,
        ..constant(ms(1))
    };
    let story = ships(&[72, 72], law).trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    let [first, second] = [100, 200].map(|end| ms(6) + us(end));
    assert_eq!(heard, [first, first, second, second]);
}

#[test]
fn when_the_bandwidth_changes_what_waits_keeps_its_place() {
    let law = LinkLaw {
        bandwidth: Some(8_000_000),
        ..constant(ms(1))
    };
    let faster = LinkChange {
        bandwidth: Some(80_000_000),
        ..LinkChange::default()
    };
    let ship = || Do::Ship {
        to: place(B),
        bytes: 972,
    };
    let rules = [
        start([Do::Arm(1, ms(5)), Do::Arm(2, ms(6))]),
        on(On::Timer(1), [ship(), ship()]),
        on(On::Timer(2), [ship()]),
    ];
    let story = plan()
        .host("a", rules)
        .host("b", [])
        .links(law)
        .at(us(5_500), Fault::Lay(changed(&[A], &[B], faster)))
        .trace(1);
    let heard: Vec<Span> = story.heard(B).into_iter().map(|(when, _)| when).collect();
    // Two go out in a millisecond each; the third comes after them, and takes a tenth.
    assert_eq!(heard, [us(7_000), us(8_000), us(8_100)]);
    assert_eq!(story.affected(), [1]);
}

#[test]
fn what_is_longer_than_the_mtu_is_dropped_and_those_who_watch_are_told() {
    let law = LinkLaw {
        mtu: Some(1_500),
        ..constant(ms(1))
    };
    let story = ships(&[1_472, 1_473], law).trace(1);
    assert_eq!(story.words(B), ["1472 bytes"]);
    assert_eq!(fates(&story), [Fate::Underway, Fate::TooLong]);
    assert_eq!(story.outcome.traffic.too_long, 1);
    assert_eq!(story.changes(), [(ms(5), Change::Choked { from: A, to: B })]);
}

#[test]
fn what_is_corrupted_comes_with_another_byte_and_its_copy_as_it_was_sent() {
    let law = LinkLaw {
        corrupt: 1.0,
        duplicate: 0.5,
        ..constant(ms(1))
    };
    // Short ones lie in their events, long ones elsewhere; the two are alike but for that.
    for len in [1, 31, 32, 33, 1_000] {
        let story = ships(&[len; 40], law.clone()).trace(1);
        let traffic = story.outcome.traffic;
        assert_eq!(traffic.corrupted, 40);
        let twice = fates(&story)
            .iter()
            .filter(|fate| **fate == Fate::CorruptedAndDoubled)
            .count();
        assert!((1..40).contains(&twice) && twice as u64 == traffic.duplicated);
        let sent = hashes(&story, A)[0];
        let intact = hashes(&story, B).iter().filter(|hash| **hash == sent).count();
        assert_eq!(intact, twice, "of {len} bytes");
    }
    let empty = ships(&[0; 40], law).run(1).traffic;
    assert_eq!((empty.corrupted, empty.lost), (0, 0));
}

#[test]
fn a_corrupted_datagram_changes_the_digest_as_a_node_that_says_something_else_does() {
    let law = |corrupt| LinkLaw {
        corrupt,
        ..constant(ms(1))
    };
    let digest = |corrupt, len| ships(&[len], law(corrupt)).run(1).digest;
    for len in [8, 800] {
        assert_ne!(digest(1.0, len), digest(0.0, len));
    }
}

#[test]
fn hosts_in_zones_have_the_links_of_their_zones() {
    let ms_of = |millis| Arc::new(constant(ms(millis)));
    let story = plan()
        .host(
            "a",
            [start([
                send(A, "self"),
                send(B, "near"),
                send(C, "far"),
                send(D, "out"),
            ])],
        )
        .host("b", [])
        .host("c", [start([send(A, "back"), send(B, "own")])])
        .host("d", [])
        .zones(Zones {
            names: vec!["eu".to_owned(), "us".to_owned()],
            of: vec![Some(0), Some(0), Some(1), None],
            laws: vec![((0, 0), ms_of(2)), ((0, 1), ms_of(40)), ((1, 0), ms_of(50))],
        })
        .link(C, B, constant(ms(7)))
        .trace(1);
    assert_eq!(
        story.heard(A),
        [(ms(2), "self".to_owned()), (ms(50), "back".to_owned())]
    );
    assert_eq!(
        story.heard(B),
        [(ms(2), "near".to_owned()), (ms(7), "own".to_owned())]
    );
    assert_eq!(story.heard(C), [(ms(40), "far".to_owned())]);
    assert_eq!(story.heard(D), [(ms(1), "out".to_owned())]);
}

#[test]
fn a_change_of_links_lasts_until_it_is_healed_and_counts_what_crosses_them() {
    let slow = || {
        let change = LinkChange {
            latency: Some(Latency::Constant(ms(200))),
            ..LinkChange::default()
        };
        changed(&[A, B], &[A, B], change)
    };
    let story = plan()
        .host("a", beat(&[B, C], ms(10), ms(10)))
        .host("b", [])
        .host("c", [])
        .at(ms(15), Fault::Lay(slow()))
        .at(ms(35), Fault::Heal(slow()))
        .at(ms(36), Fault::Heal(slow()))
        .limit(ms(300))
        .trace(1);
    let when = |nth: usize| {
        story
            .heard(B)
            .iter()
            .find(|(_, says)| *says == (2 * nth).to_string())
            .unwrap()
            .0
    };
    assert_eq!(
        [when(0), when(1), when(2), when(3)],
        [ms(11), ms(220), ms(230), ms(41)]
    );
    assert!(
        story
            .heard(C)
            .iter()
            .all(|(when, _)| when.as_nanos() % ms(10).as_nanos() == ms(1).as_nanos())
    );
    assert_eq!(story.affected(), [2, 1, 0]);
    let beyond = |beyond: &[(HostId, HostId)]| Change::Links {
        beyond: beyond.to_vec(),
    };
    let straggled = Change::Straggled { from: A, to: B };
    assert_eq!(
        story.changes(),
        [
            (ms(15), beyond(&[(A, B), (B, A)])),
            (ms(35), beyond(&[])),
            (ms(220), straggled.clone()),
            (ms(230), straggled),
        ]
    );
}

/// Anything that can happen to datagrams, at random.
fn mess() -> impl Strategy<Value = ([LinkLaw; 3], Vec<(u64, Fault)>, u64, u64)> {
    let hosts = || prop::sample::subsequence(vec![A, B, C, D], 0..=3);
    let cut = || {
        prop_oneof![
            hosts().prop_map(|who| partition(&[&who])),
            (hosts(), hosts()).prop_map(|(from, to)| one_way(&from, &to)),
            (hosts(), hosts()).prop_map(|(over, side)| bridge(&over, &[&side])),
            hosts().prop_map(|who| ring(&who, 1)),
        ]
    };
    let spans = || (1..20_000u64, 1..20_000u64);
    // Changes of laws are often the same, so that some of them are healed.
    let change = || {
        (law(), 0..4u8).prop_map(|(law, part)| match part {
            0 => LinkChange {
                bandwidth: law.bandwidth,
                queue: Some(law.queue),
                ..LinkChange::default()
            },
            1 => LinkChange {
                mtu: Some(150),
                ..LinkChange::default()
            },
            2 => LinkChange {
                corrupt: Some(0.5),
                loss: Some(0.0),
                ..LinkChange::default()
            },
            _ => LinkChange {
                latency: Some(law.latency),
                duplicate: Some(law.duplicate),
                ..LinkChange::default()
            },
        })
    };
    let layer = || {
        prop_oneof![
            3 => cut().prop_map(Layer::Cut),
            2 => (cut(), spans()).prop_map(|(cut, (down, up))| flap(cut, us(down), us(up))),
            3 => (hosts(), hosts(), change()).prop_map(|(from, to, change)| changed(&from, &to, change)),
            2 => (hosts(), 1..3_000u64).prop_map(|(who, by)| Layer::Slow { who: targets(&who), by: us(by) }),
        ]
    };
    let fault = prop_oneof![
        1 => hosts().prop_map(|who| kill(&who)),
        1 => hosts().prop_map(|who| restart(&who)),
        1 => hosts().prop_map(|who| pause(&who)),
        1 => hosts().prop_map(|who| resume(&who)),
        4 => layer().prop_map(Fault::Lay),
        1 => layer().prop_map(Fault::Heal),
        1 => Just(Fault::HealAll),
    ];
    (
        [law(), law(), law()],
        prop::collection::vec((0..100_000u64, fault), 0..25),
        1..120u64,
        any::<u64>(),
    )
}

fn law() -> impl Strategy<Value = LinkLaw> {
    let ratio = || 0.0..0.5f64;
    let bandwidth = prop::option::of(prop::sample::select(vec![100_000, 3_000_000, 200_000_000]));
    let queue = prop::sample::select(vec![29, 400, 20_000, LinkLaw::QUEUE]);
    let mtu = prop::option::of(prop::sample::select(vec![29, 31, 1_500, 65_535]));
    let parts = (
        ratio(),
        ratio(),
        ratio(),
        0..20_000u64,
        ratio(),
        bandwidth,
        queue,
        mtu,
    );
    parts.prop_map(
        |(loss, duplicate, reorder, most, corrupt, bandwidth, queue, mtu)| LinkLaw {
            latency: Latency::Uniform(us(most / 3), us(most)),
            loss,
            duplicate,
            reorder,
            reorder_by: us(most),
            corrupt,
            bandwidth,
            queue,
            mtu,
        },
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
    fn every_datagram_is_accounted_for(([law, between, own], faults, limit, seed) in mess()) {
        let mut draft = plan()
            .host("a", chatter(PORT))
            .host("b", chatter(PORT + 1))
            .host("c", chatter(PORT))
            .late_host("d", ms(20), chatter(PORT))
            .links(law)
            .zones(Zones {
                names: vec!["here".to_owned(), "there".to_owned()],
                of: vec![Some(0), Some(1), Some(1), None],
                laws: vec![((0, 1), Arc::new(between))],
            })
            .link(C, A, own)
            .limit(ms(limit));
        for (when, fault) in faults {
            draft = draft.at(us(when), fault);
        }
        let story = draft.trace(seed);
        let traffic = story.outcome.traffic;
        prop_assert!(traffic.is_balanced(), "{:?}", traffic);
        // What is counted is what the trace has, so that nothing is counted as something else; and what came to no end in it is in
        // flight.
        let seen = seen(&story);
        prop_assert_eq!(traffic, seen);
    }
}

/// The traffic as the trace has it. What is in flight is what came to no end.
fn seen(story: &Story) -> Traffic {
    use squall_sim::trace::DropCause;
    let count = |is: &dyn Fn(&Happening) -> bool| {
        story.trace.events.iter().filter(|event| is(&event.what)).count() as u64
    };
    let fate = |wanted| count(&|what| matches!(what, Happening::Sent { fate, .. } if *fate == wanted));
    let dropped = |wanted| count(&|what| matches!(what, Happening::Dropped { why, .. } if *why == wanted));
    let launched = fate(Fate::Underway)
        + fate(Fate::Corrupted)
        + 2 * (fate(Fate::Doubled) + fate(Fate::CorruptedAndDoubled));
    let delivered = count(&|what| matches!(what, Happening::Received { .. }));
    let arrived = delivered + count(&|what| matches!(what, Happening::Dropped { .. }));
    Traffic {
        sent: count(&|what| matches!(what, Happening::Sent { .. })),
        duplicated: fate(Fate::Doubled) + fate(Fate::CorruptedAndDoubled),
        delivered,
        lost: fate(Fate::Lost),
        cut: fate(Fate::Cut) + dropped(DropCause::Cut),
        to_nobody: fate(Fate::NoSuchPlace) + dropped(DropCause::Down) + dropped(DropCause::PortClosed),
        overflowed: dropped(DropCause::BufferFull),
        congested: fate(Fate::Congested),
        too_long: fate(Fate::TooLong),
        corrupted: fate(Fate::Corrupted) + fate(Fate::CorruptedAndDoubled),
        in_flight: launched - arrived,
        streams: StreamTraffic::default(),
    }
}

#[test]
fn what_a_changed_link_kept_for_too_long_is_told_of_when_it_comes_though_the_link_is_healed() {
    let slower = |latency| {
        let latency = Some(Latency::Constant(latency));
        changed(
            &[A],
            &[B],
            LinkChange {
                latency,
                ..LinkChange::default()
            },
        )
    };
    let story = |latency| {
        plan()
            .host(
                "a",
                [start([Do::Arm(1, ms(5))]), on(On::Timer(1), [send(B, "late")])],
            )
            .host("b", [])
            .at(ms(1), Fault::Lay(slower(latency)))
            .at(ms(10), Fault::Heal(slower(latency)))
            .trace(1)
    };
    let late = story(ms(500));
    let straggled = Change::Straggled { from: A, to: B };
    assert_eq!(late.changes().last(), Some(&(ms(505), straggled)));
    assert_eq!(late.heard(B).len(), 1);
    // A hundred milliseconds are tolerated.
    assert_eq!(story(ms(100)).changes().len(), 2);
}
