//! A law by itself: its order, its queue, its bounds.

use super::*;

/// The same word for all purposes, or another one for some of them.
#[derive(Clone, Copy)]
struct Fixed<'w>(u64, &'w [(Purpose, u64)]);

impl Words for Fixed<'_> {
    fn word(self, purpose: Purpose) -> u64 {
        let other = self.1.iter().find(|(of, _)| *of == purpose);
        other.map_or(self.0, |(_, word)| *word)
    }
}

/// Hits every ratio that is not 0.
const HITS: Fixed<'_> = Fixed(0, &[]);

/// A link with a law, which has carried nothing.
struct Link {
    law: Law,
    now: Time,
    free_at: Time,
    counted: Vec<u32>,
}

impl Link {
    fn new(law: &LinkLaw) -> Self {
        Link {
            law: Law::new(law, Vec::new()),
            now: Time::ZERO,
            free_at: Time::ZERO,
            counted: Vec::new(),
        }
    }

    fn send(&mut self, words: Fixed<'_>, len: usize) -> Passage {
        let Link {
            law,
            now,
            free_at,
            counted,
        } = self;
        law.passage(words, *now, len, || Some(free_at), |entry| counted.push(entry))
    }
}

fn constant(latency: Span) -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(latency))
}

const fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

#[test]
fn a_law_is_gone_by_in_its_order() {
    // 128 bytes on the wire take a millisecond; two of them fill the queue.
    let everything = LinkLaw {
        loss: 1.0,
        duplicate: 1.0,
        reorder: 1.0,
        reorder_by: ms(8),
        corrupt: 1.0,
        bandwidth: Some(128 * 8 * 1000),
        queue: 256,
        mtu: Some(128),
        ..constant(ms(1))
    };
    let mut link = Link::new(&everything);
    // What is too long takes no room in the queue; what is lost has used it.
    assert_eq!(link.send(HITS, 101), Passage::TooLong);
    assert_eq!(link.free_at, Time::ZERO);
    assert_eq!(link.send(HITS, 100), Passage::Lost);
    assert_eq!(link.send(HITS, 100), Passage::Lost);
    assert_eq!(link.send(HITS, 100), Passage::Congested);
    // What is not is delayed by the queue, its latency and what it is held back for; its copy by the first two, without a flaw.
    let spared = Fixed(
        0,
        &[(Purpose::Loss, u64::MAX), (Purpose::ReorderBy, u64::MAX / 2 + 1)],
    );
    link.law = Law::new(
        &LinkLaw {
            loss: 0.5,
            ..everything
        },
        Vec::new(),
    );
    link.now = Time::ZERO + ms(1);
    let Passage::Flawed { latency, flaw, copy } = link.send(spared, 100) else {
        panic!("it has no flaw");
    };
    assert_eq!((latency, copy), (ms(2) + ms(1) + ms(4), Some(ms(2) + ms(1))));
    assert_eq!(flaw, Flaw { place: 0, mask: 1 });
}

#[test]
fn a_datagram_counts_for_the_entries_of_its_law_whatever_becomes_of_it() {
    let mut link = Link::new(&constant(ms(1)));
    let law = LinkLaw {
        mtu: Some(30),
        ..constant(ms(1))
    };
    link.law = Law::new(&law, vec![3, 7]);
    assert_eq!(link.send(HITS, 3), Passage::TooLong);
    assert_eq!(link.send(HITS, 2), Passage::Once(ms(1)));
    assert_eq!(link.counted, [3, 7, 3, 7]);
}

#[test]
fn where_no_more_can_be_remembered_a_queue_has_no_room_and_nobody_else_asks_for_any() {
    let narrow = LinkLaw {
        bandwidth: Some(1_000_000),
        ..constant(ms(1))
    };
    let [narrow, wide] = [narrow, constant(ms(1))].map(|law| Law::new(&law, vec![1]));
    let send = |law: &Law| law.passage(HITS, Time::ZERO, 8, || None, |_| {});
    assert_eq!(send(&narrow), Passage::Congested);
    assert_eq!(send(&wide), Passage::Once(ms(1)));
}

#[test]
fn what_does_not_fit_into_an_empty_queue_never_goes_out() {
    let mut link = Link::new(&LinkLaw {
        bandwidth: Some(1_000_000),
        queue: HEADERS + 9,
        ..constant(Span::ZERO)
    });
    assert_eq!(link.send(HITS, 10), Passage::Congested);
    assert!(matches!(link.send(HITS, 9), Passage::Once(_)));
}

#[test]
fn times_and_bytes_beyond_64_bits_on_the_way_are_exact_all_the_same() {
    // A bit a second: 29 bytes take 232 s, and 2⁴⁰ bytes longer than anything may last.
    assert_eq!(transmission(29, 1), Span::from_secs(232));
    assert_eq!(transmission(1 << 40, 1), Span::LONGEST);
    // A bandwidth that is no divisor: 1 byte at 3 bit/s takes 2.67 s, rounded up.
    assert_eq!(transmission(1, 3), Span::from_nanos(2_666_666_667));
    assert_eq!(carried(Span::LONGEST, 8_000_000_000), Span::LONGEST.as_nanos());
    // What went in together fits together, though each time is rounded up: 10 packets of 29 bytes, at 3 bit/s.
    let mut link = Link::new(&LinkLaw {
        bandwidth: Some(3),
        queue: 290,
        ..constant(Span::ZERO)
    });
    for _ in 0..10 {
        assert!(matches!(link.send(HITS, 1), Passage::Once(_)));
    }
    assert_eq!(link.send(HITS, 1), Passage::Congested);
    // As fast as can be written, a byte takes a nanosecond: time is not finer.
    let mut link = Link::new(&LinkLaw {
        bandwidth: Some(u64::MAX),
        queue: u64::MAX,
        ..constant(Span::ZERO)
    });
    assert_eq!(link.send(HITS, 1), Passage::Once(Span::from_nanos(1)));
    assert_eq!(link.send(HITS, 1), Passage::Once(Span::from_nanos(2)));
}

#[test]
fn a_packet_of_the_mtu_passes_and_one_byte_more_does_not() {
    let mut link = Link::new(&LinkLaw {
        mtu: Some(1500),
        ..constant(Span::ZERO)
    });
    assert_eq!(link.send(HITS, 1472), Passage::Once(Span::ZERO));
    assert_eq!(link.send(HITS, 1473), Passage::TooLong);
}

#[test]
fn what_has_no_byte_gets_no_flaw_and_everything_else_gets_one_that_shows() {
    let mut link = Link::new(&LinkLaw {
        corrupt: 1.0,
        ..constant(Span::ZERO)
    });
    assert_eq!(link.send(HITS, 0), Passage::Once(Span::ZERO));
    for len in 1..200u64 {
        let how = [(Purpose::CorruptHow, len.wrapping_mul(0x9e37_79b9_7f4a_7c15))];
        let Passage::Flawed { flaw, copy: None, .. } = link.send(Fixed(0, &how), len as usize) else {
            panic!("{len} bytes got no flaw");
        };
        assert!(flaw.place < len as usize && flaw.mask != 0);
    }
}
