//! What a law of a link does to datagrams: it loses, doubles, delays and holds back its share.

use super::*;

/// Within five standard deviations of its share, for a fixed seed.
fn assert_share(count: u64, of: u64, ratio: f64) {
    let (expected, deviation) = (of as f64 * ratio, (of as f64 * ratio * (1.0 - ratio)).sqrt());
    assert!(
        (count as f64 - expected).abs() < 5.0 * deviation,
        "{count} of {of}, not {expected}"
    );
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
