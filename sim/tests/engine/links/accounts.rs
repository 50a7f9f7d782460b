//! Every datagram is accounted for, whatever happens to the links.

use proptest::prelude::*;

use super::*;

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
