//! Layers over hosts, laid and healed in any order, leave exactly what is left: held against a plain list of them.

use proptest::prelude::*;
use squall_nodes::{Change, DiskState, HostId, Span};
use squall_sim::plan::{Clock, Fault, Layer};

use crate::node::{Do, On, on, start};
use crate::plans::{A, B, C, drift, failing_disk, heal_layer, lay_over, ms, plan, slow, slow_disk, us};

const ALL: [HostId; 3] = [A, B, C];

/// What is done, one after the other.
#[derive(Clone, Debug)]
enum Act {
    Lay(Layer),
    /// One of those that were laid, healed or not, with its hosts in another order.
    Heal(prop::sample::Index),
    HealAll,
}

fn layer() -> impl Strategy<Value = Layer> {
    let hosts = prop::sample::subsequence(ALL.to_vec(), 1..=3).prop_shuffle();
    (hosts, 0..4usize, 1..3u64).prop_map(|(hosts, kind, much)| match kind {
        0 => slow(&hosts, ms(much)),
        1 => slow_disk(&hosts, ms(much)),
        2 => failing_disk(&hosts, 1.0 / (1 << much) as f64),
        // Some of them come to more than a clock can be off by.
        _ => drift(&hosts, if much == 1 { 700_000 } else { -400_000 }),
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => layer().prop_map(Act::Lay),
        5 => any::<prop::sample::Index>().prop_map(Act::Heal),
        // It is for layers over links.
        1 => Just(Act::HealAll),
    ];
    prop::collection::vec(act, 1..20)
}

/// The same layer with its hosts in another order, and one of them named twice.
fn turned(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    if let Layer::Slow { who, .. }
    | Layer::SlowDisk { who, .. }
    | Layer::FailingDisk { who, .. }
    | Layer::Drift { who, .. } = &mut layer
    {
        who.reverse();
        let again = who[0];
        who.push(again);
    }
    layer
}

/// What the layers over a host come to: how slow it is, how its disk is, how fast its clock.
fn comes_to(layers: &[(HostId, Layer)], host: HostId) -> (Span, DiskState, i32) {
    let mut sum = (Span::ZERO, DiskState::Sound, 0);
    for (_, layer) in layers.iter().filter(|(over, _)| *over == host) {
        match layer {
            Layer::Slow { by, .. } => sum.0 = sum.0 + *by,
            Layer::SlowDisk { .. } | Layer::FailingDisk { .. } => sum.1 = DiskState::Ailing,
            Layer::Drift { ppm, .. } => sum.2 += ppm,
            other => panic!("{other:?}"),
        }
    }
    sum.2 = sum.2.clamp(Clock::SLOWEST_PPM, Clock::FASTEST_PPM);
    sum
}

proptest! {
    #[test]
    fn layers_over_hosts_leave_what_a_plain_list_of_them_leaves(acts in acts()) {
        // Whoever is asked reads its clock.
        let names = ["a", "b", "c"];
        let rules = || [start([]), on(On::Command, [Do::ReadClock])];
        let mut draft = names.iter().fold(plan(), |draft, name| draft.host(name, rules()));
        // Laid in this order, and not healed yet; and all that were ever laid.
        let (mut there, mut ever): (Vec<(usize, Layer)>, Vec<Layer>) = (Vec::new(), Vec::new());
        let (mut expected, mut affected) = (Vec::new(), Vec::new());
        let end = ms(acts.len() as u64 + 1);
        let mut shows = [0u64; 3];
        for (nth, act) in acts.iter().enumerate() {
            let fault = match act {
                Act::Lay(layer) => {
                    ever.push(layer.clone());
                    there.push((nth, sorted(layer)));
                    affected.push(None);
                    lay_over(layer.clone())
                }
                Act::Heal(which) if !ever.is_empty() => {
                    let layer = which.get(&ever);
                    let place = there.iter().rposition(|(_, laid)| *laid == sorted(layer));
                    if let Some(place) = place {
                        there.remove(place);
                    }
                    affected.push(Some(u64::from(place.is_some())));
                    heal_layer(turned(layer))
                }
                Act::Heal(_) | Act::HealAll => {
                    affected.push(Some(0));
                    Fault::HealAll
                }
            };
            draft = draft.at(ms(nth as u64 + 1), fault);
            let over: Vec<(HostId, Layer)> = there.iter().flat_map(|(_, layer)| each(layer)).collect();
            let now: Vec<_> = ALL.iter().map(|host| comes_to(&over, *host)).collect();
            // A clock goes on for a millisecond as it is now.
            for (shows, (_, _, ppm)) in shows.iter_mut().zip(&now) {
                *shows += (1_000_000 + i64::from(*ppm)) as u64;
            }
            expected.push(now);
        }
        for host in ALL {
            draft = draft.call(end, host, "when?");
        }
        let story = draft.limit(end + ms(100)).trace(1);
        // As those who watch are told.
        let mut told = [(Span::ZERO, DiskState::Sound, 0); 3];
        let mut changes = story.changes().into_iter().peekable();
        for (nth, now) in expected.iter().enumerate() {
            while let Some((_, change)) = changes.next_if(|(when, _)| *when <= ms(nth as u64 + 1)) {
                match change {
                    Change::Slowed { host, by } => told[host.index()].0 = by,
                    Change::Disk { host, state } => told[host.index()].1 = state,
                    Change::Drift { host, ppm } => told[host.index()].2 = ppm,
                    other => panic!("{other:?}"),
                }
            }
            prop_assert_eq!(&told[..], &now[..], "after act {}", nth);
        }
        // As the hosts are: each answers as much later as it is slow, by a clock that has gone on for so much longer.
        for (host, (by, _, ppm)) in ALL.iter().zip(expected.last().unwrap()) {
            let claimed = story.claimed(*host);
            prop_assert_eq!(claimed.len(), 1);
            prop_assert_eq!(claimed[0].0, end + *by);
            let gained = u128::from(by.as_nanos()) * (1_000_000 + i128::from(*ppm)) as u128 / 1_000_000;
            // The first act came after a millisecond of true time.
            let shown = us(1_000) + Span::from_nanos(shows[host.index()] + gained as u64);
            let says = format!("Said {{ what: \"{}\" }}", squall_nodes::Time::ZERO + shown);
            prop_assert_eq!(&claimed[0].1, &says);
        }
        // The calls in the end are all that comes in under a layer. Each counts for the drifts without which the clock that it is
        // read by would go at another rate.
        for (nth, act) in acts.iter().enumerate() {
            if let Act::Lay(Layer::Drift { .. }) = act {
                let over = |without: Option<usize>, host| {
                    let there = there.iter().filter(|(step, _)| Some(*step) != without);
                    let over: Vec<_> = there.flat_map(|(_, layer)| each(layer)).collect();
                    comes_to(&over, host).2
                };
                let differ = ALL.iter().filter(|host| over(Some(nth), **host) != over(None, **host));
                affected[nth] = Some(differ.count() as u64);
            }
        }
        for (seen, expected) in story.affected().iter().zip(affected) {
            if let Some(expected) = expected {
                prop_assert_eq!(*seen, expected);
            }
        }
    }
}

/// The same layer with its hosts in order.
fn sorted(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    if let Layer::Slow { who, .. }
    | Layer::SlowDisk { who, .. }
    | Layer::FailingDisk { who, .. }
    | Layer::Drift { who, .. } = &mut layer
    {
        who.sort_unstable_by_key(|target| format!("{target:?}"));
    }
    layer
}

/// A layer over each of its hosts.
fn each(layer: &Layer) -> Vec<(HostId, Layer)> {
    let (Layer::Slow { who, .. }
    | Layer::SlowDisk { who, .. }
    | Layer::FailingDisk { who, .. }
    | Layer::Drift { who, .. }) = layer
    else {
        return Vec::new();
    };
    let host = |target: &squall_sim::plan::Target| match target {
        squall_sim::plan::Target::Host(host) => *host,
        squall_sim::plan::Target::Actor => panic!("nobody acts here"),
    };
    who.iter().map(|target| (host(target), layer.clone())).collect()
}
