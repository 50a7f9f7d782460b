//! An edge does what its policy says, and the same each time.

use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;

use super::*;
use crate::policy::{Peer, Way};

const OWN: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 3);

fn edge() -> Edge {
    Edge::new(OWN, 7, HostKey::of("a"), 0, 1 << 20)
}

fn delaying(millis: u64) -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(Span::from_millis(millis)))
}

fn with_law(law: LinkLaw) -> Policy {
    Policy {
        number: 1,
        law: Some(law),
        by: vec![4],
        ..Policy::default()
    }
}

fn cut(number: u64, out: bool, back: bool) -> Policy {
    let way = |cut, by| match cut {
        true => Way::Cut { by: vec![by, 9] },
        false => Way::Open,
    };
    let peer = Peer {
        out: way(out, 1),
        back: way(back, 2),
        ..Peer::default()
    };
    Policy {
        number,
        peers: [(PEER, peer.clone()), (OWN, peer)].into(),
        ..Policy::default()
    }
}

fn at(millis: u64) -> Time {
    Time::ZERO + Span::from_millis(millis)
}

fn take_in(edge: &mut Edge, received: Time, from: Ipv4Addr, bytes: &[u8], counts: &mut Counts) {
    edge.take_in(received, (5, SocketAddrV4::new(from, 6)), bytes, counts);
}

/// What has arrived by a time, by its first byte.
fn arrived(edge: &mut Edge, now: Time, counts: &mut Counts) -> Vec<u8> {
    edge.arrive(now, counts);
    std::iter::from_fn(|| edge.next_arrived())
        .map(|letter| letter.bytes[0])
        .collect()
}

/// When each datagram arrives that is under way, with its first byte.
fn arrivals(edge: &mut Edge, counts: &mut Counts) -> Vec<(Time, u8)> {
    let mut all = Vec::new();
    while edge.next() < Time::MAX {
        let now = edge.next();
        all.extend(arrived(edge, now, counts).into_iter().map(|name| (now, name)));
    }
    all
}

#[test]
fn without_a_policy_or_a_law_everything_passes_at_once() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    assert!(!edge.is_in_force() && edge.lets_out(PEER, &mut counts));
    edge.apply(Policy::default());
    assert!(edge.is_in_force() && edge.lets_out(PEER, &mut counts));
    for name in [b"a", b"b"] {
        take_in(&mut edge, at(3), PEER, name, &mut counts);
    }
    assert_eq!(arrivals(&mut edge, &mut counts), [(at(3), b'a'), (at(3), b'b')]);
    assert_eq!((edge.bytes(), counts), (0, Counts::default()));
}

#[test]
fn cuts_are_made_one_way_each_and_count_for_what_made_them() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(cut(1, true, false));
    assert!(!edge.lets_out(PEER, &mut counts) && edge.lets_out(OTHER, &mut counts));
    take_in(&mut edge, at(0), PEER, b"a", &mut counts);
    assert_eq!(arrived(&mut edge, at(0), &mut counts), b"a");
    edge.apply(cut(2, false, true));
    assert!(edge.lets_out(PEER, &mut counts));
    take_in(&mut edge, at(1), PEER, b"b", &mut counts);
    take_in(&mut edge, at(1), OTHER, b"c", &mut counts);
    assert_eq!(arrived(&mut edge, at(1), &mut counts), b"c");
    assert_eq!(counts.cut, 2);
    assert_eq!(counts.touched, [(1, 1), (2, 1), (9, 2)].into());
    // No cut is in the way to oneself.
    edge.apply(cut(3, true, true));
    assert!(edge.lets_out(OWN, &mut counts));
    take_in(&mut edge, at(2), OWN, b"d", &mut counts);
    assert_eq!(arrived(&mut edge, at(2), &mut counts), b"d");
    // One that comes late puts nothing out of force.
    edge.apply(Policy::default());
    assert_eq!(edge.number(), Some(3));
}

#[test]
fn what_is_under_way_arrives_in_time_and_in_order_and_crosses_no_cut() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(delaying(5)));
    // The last was read first.
    for (received, name) in [(1, b"c"), (0, b"a"), (0, b"b")] {
        take_in(&mut edge, at(received), PEER, name, &mut counts);
    }
    assert_eq!(edge.next(), at(5));
    assert_eq!(arrived(&mut edge, at(4), &mut counts), b"");
    assert_eq!(
        arrivals(&mut edge, &mut counts),
        [(at(5), b'a'), (at(5), b'b'), (at(6), b'c')]
    );
    assert_eq!((edge.bytes(), counts.touched[&4]), (0, 3));
    take_in(&mut edge, at(10), PEER, b"d", &mut counts);
    take_in(&mut edge, at(11), PEER, b"e", &mut counts);
    // One has arrived when the cut is laid, though the node does not have it.
    edge.arrive(at(15), &mut counts);
    edge.apply(cut(2, false, true));
    assert_eq!(arrived(&mut edge, at(20), &mut counts), b"d");
    assert_eq!((counts.cut, edge.bytes()), (1, 0));
}

#[test]
fn each_link_has_a_law_and_a_queue_of_its_own_which_counts_from_when_it_took_a_datagram() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    // 128 bytes on the wire take a millisecond; three of them fill the queue.
    let law = LinkLaw {
        bandwidth: Some(128 * 8 * 1000),
        queue: 384,
        mtu: Some(128),
        loss: 1.0,
        ..delaying(0)
    };
    edge.apply(with_law(law.clone()));
    take_in(&mut edge, at(0), PEER, &[0; 101], &mut counts);
    for _ in 0..5 {
        take_in(&mut edge, at(0), PEER, &[0; 100], &mut counts);
    }
    // What is lost has used the bandwidth, what is too long has not.
    assert_eq!((counts.too_long, counts.lost, counts.congested), (1, 3, 2));
    take_in(&mut edge, at(0), OTHER, &[0; 100], &mut counts);
    assert_eq!(counts.lost, 4);
    // A datagram that waits its turn is under way for that long besides, whenever it is read.
    let peer = Peer {
        law: Some(delaying(30)),
        ..Peer::default()
    };
    edge.apply(Policy {
        number: 2,
        peers: [(OTHER, peer)].into(),
        ..with_law(LinkLaw { loss: 0.0, ..law })
    });
    take_in(&mut edge, at(2), PEER, &[7; 100], &mut counts);
    take_in(&mut edge, at(2), OTHER, &[8; 100], &mut counts);
    assert_eq!(arrivals(&mut edge, &mut counts), [(at(4), 7), (at(32), 8)]);
}

#[test]
fn a_copy_is_made_and_counted_and_what_is_held_back_is_overtaken() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(LinkLaw {
        duplicate: 1.0,
        corrupt: 1.0,
        ..delaying(0)
    }));
    take_in(&mut edge, at(0), PEER, b"x", &mut counts);
    assert_eq!(arrived(&mut edge, at(0), &mut counts), b"xx");
    assert_eq!(counts.duplicated, 1);
    edge.apply(Policy {
        number: 2,
        ..with_law(LinkLaw {
            reorder: 0.5,
            reorder_by: Span::from_secs(1),
            ..delaying(1)
        })
    });
    for number in 0..100 {
        take_in(&mut edge, at(1), PEER, &[number], &mut counts);
    }
    let all = arrivals(&mut edge, &mut counts);
    let held_back = all.iter().filter(|(when, _)| *when > at(2)).count();
    assert!((25..75).contains(&held_back), "{held_back} of 100");
    assert!(all.iter().all(|(when, _)| (at(2)..at(1003)).contains(when)));
}

#[test]
fn no_more_is_under_way_than_may_be() {
    let mut counts = Counts::default();
    let mut edge = Edge::new(OWN, 7, HostKey::of("a"), 0, 10 * (100 + UNDER_WAY));
    edge.apply(with_law(delaying(5)));
    for _ in 0..15 {
        take_in(&mut edge, at(0), PEER, &[0; 100], &mut counts);
    }
    // What has arrived takes as much, until the node has it.
    edge.arrive(at(5), &mut counts);
    take_in(&mut edge, at(5), PEER, &[0; 100], &mut counts);
    assert_eq!(
        (counts.congested, arrived(&mut edge, at(5), &mut counts).len()),
        (6, 10)
    );
    // Queues of as many senders as anybody can make up take no more than a bounded memory.
    edge.apply(Policy {
        number: 2,
        ..with_law(LinkLaw {
            bandwidth: Some(1),
            loss: 1.0,
            ..delaying(0)
        })
    });
    for address in 0..10_000u32 {
        take_in(&mut edge, at(0), Ipv4Addr::from_bits(address), b"x", &mut counts);
    }
    assert_eq!(edge.free_at.len(), MOST_QUEUES);
}

#[test]
fn equal_seeds_make_equal_fates() {
    let law = LinkLaw {
        loss: 0.3,
        duplicate: 0.3,
        reorder: 0.3,
        reorder_by: Span::from_millis(9),
        ..LinkLaw::delaying(Latency::Uniform(Span::ZERO, Span::from_millis(3)))
    };
    let fates = |seed| {
        let mut counts = Counts::default();
        let mut edge = Edge::new(OWN, seed, HostKey::of("a"), 0, 1 << 20);
        edge.apply(with_law(law.clone()));
        for number in 0..200 {
            take_in(&mut edge, at(0), PEER, &[number], &mut counts);
        }
        (arrivals(&mut edge, &mut counts), counts)
    };
    assert_eq!(fates(1), fates(1));
    assert_ne!(fates(1), fates(2));
}

fn told(edge: &mut Edge) -> Vec<Upset> {
    std::iter::from_fn(|| edge.next_upset()).collect()
}

#[test]
fn what_finds_no_room_or_is_too_long_is_told_once_in_a_while_and_not_forgotten() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(LinkLaw {
        mtu: Some(40),
        bandwidth: Some(8 * 1000),
        queue: 80,
        ..delaying(0)
    }));
    // Too long, and nothing else is.
    for to in [PEER, PEER, OTHER] {
        take_in(&mut edge, at(0), to, &[0; 13], &mut counts);
    }
    let both = [(What::Choked, PEER), (What::Choked, OTHER)];
    assert_eq!((told(&mut edge).as_slice(), counts.too_long), (&both[..], 3));
    // Of one of them more came, which is told when the pause is over.
    edge.recall_upsets(at(19));
    assert!(!edge.is_upset());
    edge.recall_upsets(at(20));
    assert_eq!(told(&mut edge), [(What::Choked, PEER)]);
    edge.recall_upsets(at(60));
    assert!(!edge.is_upset());
    // Two of 40 bytes fill the queue.
    for _ in 0..2 {
        take_in(&mut edge, at(60), PEER, &[0; 12], &mut counts);
        assert!(!edge.is_upset());
    }
    take_in(&mut edge, at(60), PEER, &[0; 12], &mut counts);
    assert_eq!(
        (told(&mut edge), counts.congested),
        (vec![(What::Choked, PEER)], 1)
    );
    let mut full = Edge::new(OWN, 7, HostKey::of("a"), 0, 0);
    full.apply(with_law(delaying(5)));
    take_in(&mut full, at(0), PEER, b"x", &mut counts);
    assert_eq!(told(&mut full), [(What::Choked, PEER)]);
}

#[test]
fn a_straggler_is_told_when_it_arrives_whatever_the_law_is_by_then() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    let tolerated = Some(Span::from_millis(10));
    let policy = |number, law, by: &[u32]| Policy {
        number,
        by: by.to_vec(),
        tolerated,
        ..with_law(law)
    };
    edge.apply(policy(1, delaying(50), &[4]));
    take_in(&mut edge, at(0), PEER, b"late", &mut counts);
    edge.apply(policy(2, delaying(10), &[]));
    take_in(&mut edge, at(1), PEER, b"soon", &mut counts);
    assert_eq!(arrived(&mut edge, at(11), &mut counts), b"s");
    assert!(!edge.is_upset());
    assert_eq!(arrived(&mut edge, at(50), &mut counts), b"l");
    assert_eq!(told(&mut edge), [(What::Straggled, PEER)]);
    // What a cut drops comes to nobody.
    edge.apply(policy(3, delaying(50), &[4]));
    take_in(&mut edge, at(100), PEER, b"late", &mut counts);
    edge.apply(Policy {
        tolerated,
        ..cut(4, false, true)
    });
    assert_eq!(arrived(&mut edge, at(150), &mut counts), b"");
    assert!(!edge.is_upset());
    // What the scenario's own law lets through was to be reckoned with; that the host itself is late is told by itself.
    edge.apply(policy(5, delaying(50), &[]));
    take_in(&mut edge, at(200), PEER, b"own", &mut counts);
    assert_eq!(arrived(&mut edge, at(9_000), &mut counts), b"o");
    assert!(!edge.is_upset());
    // Who does not say what is tolerated tolerates everything.
    edge.apply(Policy {
        number: 6,
        ..with_law(delaying(50))
    });
    take_in(&mut edge, at(300), PEER, b"any", &mut counts);
    assert_eq!(arrived(&mut edge, at(350), &mut counts), b"a");
    assert!(!edge.is_upset());
}

#[test]
fn however_many_links_are_upset_little_is_kept_of_them_and_each_is_told() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(LinkLaw {
        mtu: Some(28),
        ..delaying(0)
    }));
    for address in 0..10_000u32 {
        take_in(&mut edge, at(0), Ipv4Addr::from_bits(address), b"x", &mut counts);
    }
    assert_eq!(told(&mut edge).len(), 10_000);
    take_in(&mut edge, at(30), PEER, b"x", &mut counts);
    assert_eq!(told(&mut edge), [(What::Choked, PEER)]);
}

#[test]
fn each_datagram_goes_by_the_policy_that_counted_when_it_came_in_and_when_it_arrives() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(delaying(5)));
    let lossy = Policy {
        number: 2,
        since: at(10),
        ..with_law(LinkLaw {
            loss: 1.0,
            ..delaying(5)
        })
    };
    let severed = Policy {
        law: Some(delaying(5)),
        since: at(20),
        ..cut(3, true, true)
    };
    // None of them was told of while the host did not run.
    edge.apply(Policy {
        number: 4,
        since: at(30),
        missed: vec![lossy, severed],
        ..with_law(delaying(7))
    });
    let names = [
        (9, b"a"),
        (10, b"b"),
        (14, b"c"),
        (20, b"d"),
        (24, b"e"),
        (30, b"f"),
    ];
    for (received, name) in names {
        take_in(&mut edge, at(received), PEER, name, &mut counts);
    }
    assert_eq!((counts.lost, counts.cut), (2, 2));
    assert_eq!(edge.held(), 2);
    assert_eq!(arrivals(&mut edge, &mut counts), [(at(14), b'a'), (at(37), b'f')]);
    assert!(
        edge.lets_out(PEER, &mut counts),
        "the last one counts for what goes out"
    );
    // What came before a cut, and arrives in it, is stopped by it though that is over when it is looked at.
    let mut edge = self::edge();
    edge.apply(with_law(delaying(5)));
    edge.apply(Policy {
        number: 3,
        since: at(10),
        missed: vec![Policy {
            since: at(5),
            ..cut(2, false, true)
        }],
        ..with_law(delaying(5))
    });
    for (received, name) in [(3, b"a"), (4, b"b"), (11, b"c")] {
        take_in(&mut edge, at(received), PEER, name, &mut counts);
    }
    // As long as something may go by them, they are remembered.
    edge.forget_before(at(11));
    assert_eq!(edge.policies.len(), 2);
    assert_eq!(arrived(&mut edge, at(20), &mut counts), b"c");
    assert_eq!(counts.cut, 4);
    edge.forget_before(at(20));
    assert_eq!(edge.policies.len(), 1);
}

#[test]
fn no_more_policies_are_remembered_than_can_be_missed() {
    let mut edge = edge();
    let policy = |number| Policy {
        number,
        since: at(number),
        ..Policy::default()
    };
    edge.apply(policy(1));
    edge.apply(Policy {
        missed: (2..10_000).map(policy).collect(),
        ..policy(10_000)
    });
    assert_eq!(
        (edge.policies.len(), edge.number()),
        (MOST_POLICIES, Some(10_000))
    );
}

#[test]
fn what_has_left_a_host_before_it_lost_power_arrives_and_nothing_after_that() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(delaying(5)));
    let dead = Peer {
        out: Way::Dead,
        back: Way::Dead,
        law: Some(delaying(5)),
        by: Vec::new(),
    };
    edge.apply(Policy {
        number: 2,
        since: at(10),
        peers: [(PEER, dead)].into(),
        ..with_law(delaying(5))
    });
    take_in(&mut edge, at(9), PEER, b"a", &mut counts);
    take_in(&mut edge, at(10), PEER, b"b", &mut counts);
    assert!(!edge.lets_out(PEER, &mut counts) && edge.cuts(PEER).any());
    assert_eq!(arrivals(&mut edge, &mut counts), [(at(14), b'a')]);
    assert_eq!((counts.unsent, counts.cut), (2, 0));
}

#[test]
fn a_copy_that_finds_no_room_was_made_all_the_same() {
    let mut counts = Counts::default();
    let mut edge = Edge::new(OWN, 7, HostKey::of("a"), 0, 1 + UNDER_WAY);
    edge.apply(with_law(LinkLaw {
        duplicate: 1.0,
        ..delaying(5)
    }));
    take_in(&mut edge, at(0), PEER, b"x", &mut counts);
    assert_eq!((counts.duplicated, counts.congested, edge.held()), (1, 1, 1));
}
