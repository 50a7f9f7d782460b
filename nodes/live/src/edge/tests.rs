//! An edge does what its policy says, and the same each time.

use squall_nodes::latency::Latency;

use super::*;
use crate::policy::Peer;

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

fn send(edge: &mut Edge, now: Time, to: Ipv4Addr, bytes: &[u8], counts: &mut Counts) -> u32 {
    edge.send(|| now, 5, SocketAddrV4::new(to, 6), bytes, counts)
}

/// When each datagram comes out that is delayed, with its first byte.
fn all_due(edge: &mut Edge, counts: &mut Counts) -> Vec<(Time, u8)> {
    let mut due = Vec::new();
    loop {
        let next = edge.next();
        match edge.due(next, counts) {
            None => return due,
            Some(Some(datagram)) => due.push((next, datagram.bytes[0])),
            Some(None) => {}
        }
    }
}

#[test]
fn without_a_policy_or_a_law_everything_goes_out_at_once() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    assert_eq!(send(&mut edge, at(0), PEER, b"x", &mut counts), 1);
    edge.apply(Policy::default());
    assert_eq!(send(&mut edge, at(0), PEER, b"x", &mut counts), 1);
    assert!(!edge.drops(PEER, &mut counts));
    assert_eq!((edge.next(), counts), (Time::MAX, Counts::default()));
}

#[test]
fn cuts_are_made_one_way_each_and_count_for_what_made_them() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(cut(1, true, false));
    assert_eq!(send(&mut edge, at(0), PEER, b"x", &mut counts), 0);
    assert_eq!(send(&mut edge, at(0), OTHER, b"x", &mut counts), 1);
    assert!(!edge.drops(PEER, &mut counts));
    edge.apply(cut(2, false, true));
    assert_eq!(send(&mut edge, at(0), PEER, b"x", &mut counts), 1);
    assert!(edge.drops(PEER, &mut counts) && !edge.drops(OTHER, &mut counts));
    assert_eq!(counts.cut, 2);
    assert_eq!(counts.touched, [(1, 1), (2, 1), (9, 2)].into());
    // No cut is in the way to oneself.
    edge.apply(cut(3, true, true));
    assert_eq!(send(&mut edge, at(0), OWN, b"x", &mut counts), 1);
    assert!(!edge.drops(OWN, &mut counts));
    // One that comes late puts nothing out of force.
    edge.apply(Policy::default());
    assert_eq!(edge.number(), Some(3));
}

#[test]
fn what_is_delayed_comes_up_in_time_and_in_order_and_is_looked_at_again() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(delaying(5)));
    for (now, name) in [(0, b"a"), (0, b"b"), (1, b"c")] {
        assert_eq!(send(&mut edge, at(now), PEER, name, &mut counts), 0);
    }
    assert_eq!(edge.next(), at(5));
    assert!(edge.due(at(4), &mut counts).is_none());
    assert_eq!(
        all_due(&mut edge, &mut counts),
        [(at(5), b'a'), (at(5), b'b'), (at(6), b'c')]
    );
    assert_eq!((edge.bytes(), counts.touched[&4]), (0, 3));
    send(&mut edge, at(10), PEER, b"d", &mut counts);
    edge.apply(cut(2, true, false));
    assert_eq!(all_due(&mut edge, &mut counts), []);
    assert_eq!((counts.cut, edge.bytes()), (1, 0));
}

#[test]
fn the_law_is_applied_in_its_order() {
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
    send(&mut edge, at(0), PEER, &[0; 101], &mut counts);
    for _ in 0..5 {
        send(&mut edge, at(0), PEER, &[0; 100], &mut counts);
    }
    // What is lost has used the bandwidth, what is too long has not.
    assert_eq!((counts.too_long, counts.lost, counts.congested), (1, 3, 2));
    // The link to another one is another link.
    send(&mut edge, at(0), OTHER, &[0; 100], &mut counts);
    assert_eq!(counts.lost, 4);
    // A datagram that waits its turn is under way for that long besides.
    edge.apply(Policy {
        number: 2,
        ..with_law(LinkLaw { loss: 0.0, ..law })
    });
    assert_eq!(send(&mut edge, at(2), PEER, &[7; 100], &mut counts), 0);
    assert_eq!(all_due(&mut edge, &mut counts), [(at(4), 7)]);
}

#[test]
fn a_copy_is_made_and_counted_and_what_is_held_back_is_overtaken() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(LinkLaw {
        duplicate: 1.0,
        ..delaying(0)
    }));
    assert_eq!(send(&mut edge, at(0), PEER, b"x", &mut counts), 2);
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
        send(&mut edge, at(1), PEER, &[number], &mut counts);
    }
    let due = all_due(&mut edge, &mut counts);
    let held_back = due.iter().filter(|(when, _)| *when > at(2)).count();
    assert!((25..75).contains(&held_back), "{held_back} of 100");
    assert!(due.iter().all(|(when, _)| (at(2)..at(1003)).contains(when)));
}

#[test]
fn no_more_is_delayed_than_may_be() {
    let mut counts = Counts::default();
    let mut edge = Edge::new(OWN, 7, HostKey::of("a"), 0, 10 * (100 + DELAYED));
    edge.apply(with_law(delaying(5)));
    for _ in 0..15 {
        send(&mut edge, at(0), PEER, &[0; 100], &mut counts);
    }
    assert_eq!((counts.congested, all_due(&mut edge, &mut counts).len()), (5, 10));
    // Queues to as many receivers as anybody can make up take no more than a bounded memory.
    edge.apply(Policy {
        number: 2,
        ..with_law(LinkLaw {
            bandwidth: Some(1),
            loss: 1.0,
            ..delaying(0)
        })
    });
    for address in 0..10_000u32 {
        send(&mut edge, at(0), Ipv4Addr::from_bits(address), b"x", &mut counts);
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
            send(&mut edge, at(0), PEER, &[number], &mut counts);
        }
        (all_due(&mut edge, &mut counts), counts)
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
        send(&mut edge, at(0), to, &[0; 13], &mut counts);
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
        send(&mut edge, at(60), PEER, &[0; 12], &mut counts);
        assert!(!edge.is_upset());
    }
    send(&mut edge, at(60), PEER, &[0; 12], &mut counts);
    assert_eq!(
        (told(&mut edge), counts.congested),
        (vec![(What::Choked, PEER)], 1)
    );
    let mut full = Edge::new(OWN, 7, HostKey::of("a"), 0, 0);
    full.apply(with_law(delaying(5)));
    send(&mut full, at(0), PEER, b"x", &mut counts);
    assert_eq!(told(&mut full), [(What::Choked, PEER)]);
}

#[test]
fn a_straggler_is_told_when_it_goes_out_whatever_the_law_is_by_then() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    let tolerated = Some(Span::from_millis(10));
    let policy = |number, law, by: &[u32]| Policy {
        number,
        by: by.to_vec(),
        tolerated,
        ..with_law(law)
    };
    edge.apply(policy(1, delaying(50), &[4]));
    send(&mut edge, at(0), PEER, b"late", &mut counts);
    edge.apply(policy(2, delaying(10), &[]));
    send(&mut edge, at(1), PEER, b"soon", &mut counts);
    assert!(edge.due(at(11), &mut counts).flatten().is_some() && !edge.is_upset());
    assert!(edge.due(at(50), &mut counts).flatten().is_some());
    assert_eq!(told(&mut edge), [(What::Straggled, PEER)]);
    // What a cut drops comes to nobody.
    edge.apply(policy(3, delaying(50), &[4]));
    send(&mut edge, at(100), PEER, b"late", &mut counts);
    edge.apply(Policy {
        tolerated,
        ..cut(4, true, false)
    });
    assert!(edge.due(at(150), &mut counts).is_some() && !edge.is_upset());
    // What the scenario's own law lets through was to be reckoned with.
    edge.apply(policy(5, delaying(50), &[]));
    send(&mut edge, at(200), PEER, b"own", &mut counts);
    assert!(edge.due(at(250), &mut counts).is_some() && !edge.is_upset());
    // Who does not say what is tolerated tolerates everything.
    edge.apply(Policy {
        number: 6,
        ..with_law(delaying(50))
    });
    send(&mut edge, at(300), PEER, b"any", &mut counts);
    assert!(edge.due(at(350), &mut counts).is_some() && !edge.is_upset());
}

#[test]
fn what_a_host_that_did_not_run_sends_too_late_is_a_straggler() {
    let mut counts = Counts::default();
    let mut edge = edge().tolerating(Span::from_millis(20));
    edge.apply(Policy {
        by: Vec::new(),
        tolerated: Some(Span::from_millis(10)),
        ..with_law(delaying(5))
    });
    for late in [0, 20, 21] {
        send(&mut edge, at(0), PEER, b"x", &mut counts);
        assert!(edge.due(at(5 + late), &mut counts).flatten().is_some());
        assert_eq!(edge.is_upset(), late > 20, "{late} ms late");
    }
    assert_eq!(told(&mut edge), [(What::Straggled, PEER)]);
}

#[test]
fn however_many_links_are_upset_little_is_kept_of_them_and_each_is_told() {
    let (mut edge, mut counts) = (edge(), Counts::default());
    edge.apply(with_law(LinkLaw {
        mtu: Some(28),
        ..delaying(0)
    }));
    for address in 0..10_000u32 {
        send(&mut edge, at(0), Ipv4Addr::from_bits(address), b"x", &mut counts);
    }
    assert_eq!(told(&mut edge).len(), 10_000);
    send(&mut edge, at(30), PEER, b"x", &mut counts);
    assert_eq!(told(&mut edge), [(What::Choked, PEER)]);
}
