//! The links by themselves: what they draw, what waits in their queues, which laws they have.

use std::sync::Arc;

use squall_nodes::{Cut, Span};

use super::*;
use crate::layers::{Flap, Flapped, Laid, Layers, Turn};
use crate::plan::{HEADERS, Latency, LinkChange, LinkLaw, Zones};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const A: HostId = HostId(0);
const B: HostId = HostId(1);
const C: HostId = HostId(2);
const TOLERATED: Tolerance = Tolerance {
    loss: 0.05,
    latency: Span::from_millis(100),
};

/// Links at work, and the time.
struct Wires<'p> {
    links: Links<'p>,
    draws: Draws,
    keys: Vec<HostKey>,
    faults: Vec<FaultDone>,
    now: Time,
}

impl<'p> Wires<'p> {
    fn new(network: &'p Network, names: &[&str]) -> Self {
        let undone = FaultDone {
            fault: String::new(),
            at: None,
            affected: 0,
        };
        Wires {
            links: Links::new(network, TOLERATED, names.len()),
            draws: Draws::new(5),
            keys: names.iter().map(|name| HostKey::of(name)).collect(),
            faults: vec![undone; 8],
            now: Time::ZERO,
        }
    }

    fn send(&mut self, from: HostId, to: HostId, len: usize) -> Passage {
        let departure = Departure {
            from,
            to,
            now: self.now,
            len,
        };
        self.links
            .send(&self.draws, &self.keys, &mut self.faults, departure)
    }

    fn affected(&self) -> Vec<u64> {
        self.faults.iter().map(|fault| fault.affected).collect()
    }
}

fn rough(loss: f64, duplicate: f64) -> Network {
    let latency = Latency::Uniform(Span::from_millis(1), Span::from_millis(10));
    Network::of(LinkLaw {
        loss,
        duplicate,
        ..LinkLaw::delaying(latency)
    })
}

fn constant(latency: Span) -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(latency))
}

/// What becomes of `count` datagrams from `from` to `to`.
fn passages(network: &Network, names: &[&str], from: &str, to: &str, count: usize) -> Vec<Passage> {
    let place = |name| HostId(names.iter().position(|n| *n == name).unwrap() as u32);
    let mut wires = Wires::new(network, names);
    (0..count)
        .map(|_| wires.send(place(from), place(to), 8))
        .collect()
}

#[test]
fn a_link_takes_three_words_of_memory_and_one_more_where_there_is_a_bandwidth() {
    assert_eq!(size_of::<Link>(), 24);
    let network = Network::of(constant(Span::ZERO));
    let mut wires = Wires::new(&network, &HOSTS);
    wires.send(A, B, 8);
    assert!(wires.links.rows[0].free_at.is_empty());
}

#[test]
fn turning_loss_off_changes_no_other_draw() {
    let with = passages(&rough(0.3, 0.0), &HOSTS, "a", "b", 1000);
    let without = passages(&rough(0.0, 0.0), &HOSTS, "a", "b", 1000);
    let lost = with.iter().filter(|passage| **passage == Passage::Lost).count();
    assert!((200..400).contains(&lost), "{lost}");
    for (with, without) in with.iter().zip(&without) {
        assert!(*with == Passage::Lost || with == without);
    }
}

#[test]
fn a_silent_host_anywhere_in_the_list_changes_no_draw() {
    let network = rough(0.1, 0.1);
    let before = passages(&network, &HOSTS, "a", "c", 100);
    assert_eq!(
        passages(&network, &["silent", "a", "b", "c"], "a", "c", 100),
        before
    );
    assert_eq!(
        passages(&network, &["a", "b", "silent", "c"], "a", "c", 100),
        before
    );
}

#[test]
fn one_more_message_on_a_link_changes_no_draw_on_another() {
    let network = rough(0.1, 0.1);
    let run = |extra: bool| {
        let mut wires = Wires::new(&network, &HOSTS);
        let mut seen = Vec::new();
        for round in 0..100 {
            wires.send(A, B, 8);
            if extra && round == 50 {
                wires.send(A, B, 8);
            }
            seen.push(wires.send(A, C, 8));
            seen.push(wires.send(B, A, 8));
        }
        seen
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn what_a_cut_drops_takes_its_draws_with_it() {
    let network = rough(0.1, 0.1);
    let whole = passages(&network, &HOSTS, "a", "b", 100);
    let mut wires = Wires::new(&network, &HOSTS);
    for (n, passage) in whole.into_iter().enumerate() {
        if n % 3 == 0 {
            wires.links.skip(&wires.draws, &wires.keys, A, B);
        } else {
            assert_eq!(wires.send(A, B, 8), passage);
        }
    }
}

/// 1 byte in 8 µs: a megabit a second.
fn narrow(queue: u64) -> Network {
    Network::of(LinkLaw {
        bandwidth: Some(1_000_000),
        queue,
        ..constant(Span::ZERO)
    })
}

#[test]
fn a_queue_takes_what_it_has_room_for_and_sends_it_one_after_the_other() {
    // 100 bytes a packet: 800 µs each; three fit.
    let network = narrow(300);
    let mut wires = Wires::new(&network, &HOSTS);
    let len = 100 - HEADERS as usize;
    let us = Span::from_micros;
    assert_eq!(wires.send(A, B, len), Passage::Once(us(800)));
    assert_eq!(wires.send(A, B, len), Passage::Once(us(1600)));
    assert_eq!(wires.send(A, B, len), Passage::Once(us(2400)));
    assert_eq!(wires.send(A, B, len), Passage::Congested);
    // Other links, and the way back, have queues of their own.
    assert_eq!(wires.send(A, C, len), Passage::Once(us(800)));
    assert_eq!(wires.send(B, A, len), Passage::Once(us(800)));
    // A byte has gone out after 8 µs, so one of 99 may come in; a nanosecond before it may not.
    wires.now = Time::from_nanos(7_999);
    assert_eq!(wires.send(A, B, 1), Passage::Congested);
    wires.now = Time::from_nanos(29 * 8_000);
    assert_eq!(wires.send(A, B, 2), Passage::Congested);
    assert_eq!(wires.send(A, B, 1), Passage::Once(us(2400)));
    // Once it is empty it is as new.
    wires.now = Time::from_nanos(10_000_000);
    assert_eq!(wires.send(A, B, len), Passage::Once(us(800)));
}

#[test]
fn zones_say_what_nothing_else_does_and_a_link_of_its_own_goes_before_them() {
    let ms = |ms| Arc::new(constant(Span::from_millis(ms)));
    let network = Network {
        default: ms(1),
        zones: Zones {
            names: vec!["eu".into(), "us".into()],
            of: vec![Some(0), Some(1), Some(1), None],
            laws: vec![((0, 1), ms(2)), ((1, 1), ms(3))],
        },
        links: vec![((A, C), ms(4))],
        streams: Default::default(),
    };
    let d = HostId(3);
    let mut wires = Wires::new(&network, &["a", "b", "c", "d"]);
    let expected = [
        (A, B, 2),
        (A, C, 4),
        (B, A, 1),
        (B, C, 3),
        (B, B, 3),
        (A, A, 1),
        (A, d, 1),
        (d, B, 1),
    ];
    for (from, to, ms) in expected {
        let passage = Passage::Once(Span::from_millis(ms));
        assert_eq!(wires.send(from, to, 8), passage, "{from:?} to {to:?}");
        assert_eq!(
            network.law(from, to).latency,
            Latency::Constant(Span::from_millis(ms))
        );
    }
}

fn over(step: usize, from: &[HostId], to: &[HostId], change: LinkChange) -> Arc<Over> {
    let (from, to) = (from.to_vec(), to.to_vec());
    Arc::new(Over {
        step,
        from,
        to,
        change,
    })
}

fn takes(ms: u64) -> LinkChange {
    LinkChange {
        latency: Some(Latency::Constant(Span::from_millis(ms))),
        ..LinkChange::default()
    }
}

#[test]
fn layers_are_over_used_links_and_new_ones_alike_until_they_are_healed() {
    let network = Network::of(constant(Span::from_millis(1)));
    let mut wires = Wires::new(&network, &HOSTS);
    let ms = |ms| Passage::Once(Span::from_millis(ms));
    assert_eq!(wires.send(A, B, 8), ms(1));
    let (first, second) = (
        over(3, &[A], &[A, B, C], takes(2)),
        over(5, &[A, B], &[B], takes(3)),
    );
    wires.links.lay(&first);
    wires.links.lay(&second);
    assert_eq!((wires.send(A, B, 8), wires.send(A, C, 8)), (ms(3), ms(2)));
    // A host's way to itself is no link that layers lie over.
    assert_eq!((wires.send(A, A, 8), wires.send(B, B, 8)), (ms(1), ms(1)));
    // From `a` to `b` the first makes no difference, as long as the second has the last word.
    assert_eq!(wires.affected(), [0, 0, 0, 1, 0, 1, 0, 0]);
    wires.links.heal(&first);
    assert_eq!((wires.send(A, B, 8), wires.send(A, C, 8)), (ms(3), ms(1)));
    wires.links.heal(&second);
    assert_eq!(wires.send(A, B, 8), ms(1));
    assert_eq!(wires.affected(), [0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn a_datagram_counts_for_no_layer_without_which_its_law_would_be_the_same() {
    let network = Network::of(LinkLaw {
        reorder_by: Span::from_millis(20),
        ..constant(Span::from_millis(1))
    });
    // What the layers of each step put in place on one link, and for which of the steps a datagram counts.
    let affected = |changes: &[(usize, LinkChange)]| {
        let mut wires = Wires::new(&network, &HOSTS);
        for (step, change) in changes {
            wires.links.lay(&over(*step, &[A], &[B], change.clone()));
        }
        wires.send(A, B, 8);
        let counted = wires.affected().into_iter().enumerate();
        counted
            .flat_map(|(step, times)| vec![step; times as usize])
            .collect::<Vec<_>>()
    };
    let nothing = LinkChange::default;
    let by = |reorder_by| LinkChange {
        reorder_by: Some(Span::from_millis(reorder_by)),
        ..nothing()
    };
    let reorder = |share| LinkChange {
        reorder: Some(share),
        ..nothing()
    };
    let queue = || LinkChange {
        queue: Some(100),
        ..nothing()
    };
    let bandwidth = || LinkChange {
        bandwidth: Some(1_000_000),
        ..nothing()
    };
    let loss = |loss| LinkChange {
        loss: Some(loss),
        ..nothing()
    };
    // As it is anyhow.
    assert_eq!(
        affected(&[(0, nothing()), (1, takes(1)), (2, loss(0.0))]),
        [0usize; 0]
    );
    // It does nothing without another part, and something with it, whichever is laid first.
    assert_eq!(affected(&[(0, by(5))]), [0usize; 0]);
    assert_eq!(affected(&[(0, by(5)), (1, reorder(0.5))]), [0, 1]);
    assert_eq!(affected(&[(1, reorder(0.5)), (0, by(5))]), [0, 1]);
    assert_eq!(affected(&[(0, reorder(0.5)), (1, by(20))]), [0]);
    assert_eq!(affected(&[(0, reorder(0.5)), (1, by(0))]), [1]);
    assert_eq!(affected(&[(0, queue())]), [0usize; 0]);
    assert_eq!(affected(&[(0, queue()), (1, bandwidth())]), [0, 1]);
    // Others have the last word.
    assert_eq!(affected(&[(0, loss(0.5)), (1, loss(0.2)), (2, takes(3))]), [1, 2]);
    assert_eq!(affected(&[(0, loss(0.5)), (1, loss(0.0))]), [1]);
    // The layers of one step are taken together, however often it lays them.
    assert_eq!(affected(&[(0, loss(0.5)), (0, loss(0.5))]), [0]);
}

#[test]
fn links_beyond_what_is_tolerated_are_told_by_the_laws_that_they_have_in_the_end() {
    let network = Network::of(constant(Span::from_millis(1)));
    let mut wires = Wires::new(&network, &HOSTS);
    let (slow, quick) = (
        over(0, &[B, C], &[A, B], takes(101)),
        over(1, &[C], &[A], takes(100)),
    );
    wires.links.lay(&slow);
    assert_eq!(wires.links.beyond(), [(B, A), (C, A), (C, B)]);
    wires.links.lay(&quick);
    assert_eq!(wires.links.beyond(), [(B, A), (C, B)]);
    wires.links.heal(&slow);
    assert_eq!(wires.links.beyond(), []);
}

#[test]
fn the_laws_of_healed_layers_make_room_for_the_next() {
    let network = Network::of(constant(Span::from_millis(1)));
    let mut wires = Wires::new(&network, &HOSTS);
    for round in 0..100 {
        let [first, second] = [1, 2].map(|by| over(0, &[A, B], &[B, C], takes(round * by)));
        wires.links.lay(&first);
        wires.links.lay(&second);
        wires.links.heal(if round % 2 == 0 { &first } else { &second });
        wires.links.heal(if round % 2 == 0 { &second } else { &first });
    }
    assert!(wires.links.laws.len() <= 4, "{} laws", wires.links.laws.len());
    // Three links, four times a round: each is a step or more.
    assert!(wires.links.effort() >= 100 * 4 * 3);
}

#[test]
fn cuts_are_equal_that_come_to_the_same_whatever_their_groups_are_called() {
    let same = |one: Cut, other: Cut| Laid::Cut(one) == Laid::Cut(other);
    let groups = |groups: [u32; 4]| Cut::Groups(groups.to_vec());
    assert!(same(groups([0, 1, 1, 2]), groups([5, 0, 0, 1])));
    assert!(!same(groups([0, 1, 1, 2]), groups([0, 1, 1, 1])));
    assert!(!same(groups([0, 1, 1, 1]), groups([0, 1, 1, 2])));
    let bridge = |groups: [u32; 4]| Cut::Bridge(groups.to_vec());
    assert!(same(
        bridge([0, 1, Cut::BRIDGE, 1]),
        bridge([1, 0, Cut::BRIDGE, 0])
    ));
    assert!(!same(bridge([0, 1, Cut::BRIDGE, 1]), bridge([0, 1, 2, 1])));
    assert!(!same(bridge([0, 1, 2, 1]), groups([0, 1, 2, 1])));
}

#[test]
fn equal_cuts_are_healed_latest_first_and_others_are_left() {
    let mut layers = Layers::default();
    let (first, second) = (
        || Laid::Cut(Cut::Groups(vec![0, 1, 1])),
        || Laid::Cut(Cut::Groups(vec![0, 0, 1])),
    );
    layers.lay(0, None, first());
    layers.lay(1, None, second());
    layers.lay(2, None, first());
    assert_eq!(layers.between(A, B).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(layers.heal(&first()).unwrap().step, 2);
    assert!(layers.heal(&Laid::Cut(Cut::Groups(vec![0, 1, 2]))).is_none());
    assert_eq!(layers.between(A, C).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(layers.heal_oldest().unwrap().step, 0);
    assert!(layers.cut_any());
}

#[test]
fn cuts_are_equal_when_they_come_to_the_same_whatever_their_groups_are_called() {
    let groups = |groups: [u32; 4]| Laid::Cut(Cut::Groups(groups.into()));
    assert_eq!(groups([0, 0, 1, 2]), groups([1, 1, 2, 0]));
    assert_ne!(groups([0, 0, 1, 2]), groups([0, 0, 1, 1]));
    assert_ne!(groups([0, 0, 1, 1]), groups([0, 0, 1, 2]));
    let bridge = |groups: [u32; 4]| Laid::Cut(Cut::Bridge(groups.into()));
    let over = Cut::BRIDGE;
    assert_eq!(bridge([over, 0, 1, 1]), bridge([over, 3, 0, 0]));
    assert_ne!(bridge([over, 0, 1, 1]), bridge([0, over, 1, 1]));
    assert_ne!(bridge([over, over, 1, 1]), bridge([0, 0, 1, 1]));
    assert_ne!(bridge([0, 0, 1, 1]), groups([0, 0, 1, 1]));
    let ring = |place: [u32; 3]| {
        let place = place.into();
        let (len, reach) = (3, 1);
        Laid::Cut(Cut::Ring { place, len, reach })
    };
    assert_ne!(ring([0, 1, 2]), ring([1, 2, 0]));
}

#[test]
fn a_flap_is_one_layer_whether_it_cuts_or_not() {
    let mut layers = Layers::default();
    let flap = || {
        Laid::Flap(Flap {
            cut: Cut::Groups(vec![0, 1, 1]),
            down: Span::from_millis(2),
            up: Span::from_millis(3),
            cutting: None,
        })
    };
    let number = layers.lay(4, Some(HostId(2)), flap());
    assert!(!layers.cut_any());
    let Some(Flapped {
        step: 4,
        actor: Some(HostId(2)),
        change,
        next,
    }) = layers.flap(number)
    else {
        panic!("it is there");
    };
    let Turn::Cuts(cut, Cut::Groups(_)) = change else {
        panic!("it cuts first");
    };
    assert_ne!(cut, number);
    assert_eq!((next, layers.cut_any()), (Span::from_millis(2), true));
    let opened = layers.flap(number).unwrap();
    assert!(matches!(opened.change, Turn::Opens(number) if number == cut));
    assert_eq!((opened.next, layers.cut_any()), (Span::from_millis(3), false));
    let again = layers.flap(number).unwrap();
    assert!(matches!(again.change, Turn::Cuts(other, _) if other != cut && other != number));
    assert!(layers.heal(&flap()).is_some());
    assert!(!layers.cut_any() && !layers.has(number));
    assert!(layers.flap(number).is_none());
}
