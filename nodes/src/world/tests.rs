//! Which groups there are, and since when each of them is quiet.

use proptest::prelude::*;

use super::*;
use crate::seen::{Crash, DiskAtBoot};
use crate::time::Span;

fn world(hosts: usize) -> World {
    World::new(
        (0..hosts).map(|i| Resident {
            name: format!("h{i}"),
            ip: Ipv4Addr::new(10, 0, 0, i as u8 + 1),
            up: true,
            drift_ppm: 0,
        }),
        Links::Tolerated,
    )
}

fn ids(ids: &[u32]) -> Vec<HostId> {
    ids.iter().map(|&i| HostId(i)).collect()
}

fn shape(world: &World) -> Vec<Vec<HostId>> {
    world.groups().iter().map(|group| group.hosts.clone()).collect()
}

const S: u64 = 1_000_000_000;

#[test]
fn a_partition_makes_a_group_a_side_and_its_healing_makes_one_again() {
    let mut world = world(5);
    world.apply(
        Time::from_nanos(S),
        &Change::Cut {
            layer: 1,
            cut: Cut::Groups(vec![0, 0, 1, 1, 1]),
        },
    );
    assert_eq!(shape(&world), [ids(&[0, 1]), ids(&[2, 3, 4])]);
    assert!(!world.can_reach(HostId(0), HostId(2)));
    world.apply(Time::from_nanos(2 * S), &Change::Healed { layer: 1 });
    assert_eq!(shape(&world), [ids(&[0, 1, 2, 3, 4])]);
    assert_eq!(world.groups()[0].quiet_since, Time::from_nanos(2 * S));
}

#[test]
fn two_layers_add_up_and_healing_one_leaves_the_other() {
    let mut world = world(4);
    world.apply(
        Time::from_nanos(1),
        &Change::Cut {
            layer: 1,
            cut: Cut::Groups(vec![0, 0, 1, 1]),
        },
    );
    world.apply(
        Time::from_nanos(2),
        &Change::Cut {
            layer: 2,
            cut: Cut::Groups(vec![0, 1, 0, 1]),
        },
    );
    assert_eq!(world.groups().len(), 4);
    world.apply(Time::from_nanos(3), &Change::Healed { layer: 1 });
    assert_eq!(shape(&world), [ids(&[0, 2]), ids(&[1, 3])]);
}

#[test]
fn a_one_way_cut_is_no_group_for_anyone_it_touches() {
    let mut world = world(3);
    let cut = Cut::OneWay {
        from: vec![true, false, false],
        to: vec![false, true, false],
    };
    world.apply(Time::from_nanos(1), &Change::Cut { layer: 1, cut });
    assert_eq!(shape(&world), Vec::<Vec<HostId>>::new());
    assert!(world.can_reach(HostId(1), HostId(0)));
}

#[test]
fn hosts_that_one_way_cuts_keep_from_each_other_both_ways_are_alone() {
    let mut world = world(3);
    let all = vec![true; 3];
    world.apply(
        Time::from_nanos(1),
        &Change::Cut {
            layer: 1,
            cut: Cut::OneWay {
                from: all.clone(),
                to: all,
            },
        },
    );
    assert!(!world.can_reach(HostId(0), HostId(1)));
    assert!(world.can_reach(HostId(0), HostId(0)));
    assert_eq!(shape(&world), [ids(&[0]), ids(&[1]), ids(&[2])]);
}

#[test]
fn while_a_change_is_being_made_no_group_is_quiet_and_slack_comes_on_top() {
    let slack = Span::from_secs(1);
    let at = |s: u64| Time::from_nanos(s * S);
    let mut world = world(2).with_slack(slack);
    assert_eq!(world.groups()[0].quiet_since, at(1));
    world.apply(at(2), &Change::Unsettled { by: 4 });
    world.apply(at(2), &Change::Unsettled { by: 5 });
    assert_eq!(world.groups()[0].quiet_since, Time::MAX);
    world.apply(at(3), &Change::Settled { by: 4 });
    assert_eq!(world.groups()[0].quiet_since, Time::MAX);
    world.apply(at(4), &Change::Settled { by: 5 });
    assert_eq!(world.groups()[0].quiet_since, at(5));
    world.apply(
        at(7),
        &Change::Stalled {
            host: HostId(1),
            by: slack,
        },
    );
    assert_eq!(world.groups()[0].quiet_since, at(8));
}

#[test]
fn a_crash_disturbs_those_who_were_in_the_group_and_no_one_else() {
    let mut world = world(4);
    world.apply(
        Time::from_nanos(S),
        &Change::Cut {
            layer: 1,
            cut: Cut::Groups(vec![0, 0, 1, 1]),
        },
    );
    world.apply(
        Time::from_nanos(2 * S),
        &Change::Down {
            host: HostId(0),
            how: Crash::Kill,
        },
    );
    assert_eq!(shape(&world), [ids(&[1]), ids(&[2, 3])]);
    assert_eq!(
        world.group_of(HostId(1)).unwrap().quiet_since,
        Time::from_nanos(2 * S)
    );
    assert_eq!(
        world.group_of(HostId(2)).unwrap().quiet_since,
        Time::from_nanos(S)
    );
    assert!(world.group_of(HostId(0)).is_none());
    let up = Change::Up {
        host: HostId(0),
        incarnation: 1,
        disk: DiskAtBoot::Kept,
    };
    world.apply(Time::from_nanos(3 * S), &up);
    assert_eq!(world.incarnation(HostId(0)), 1);
    assert_eq!(
        world.group_of(HostId(1)).unwrap().quiet_since,
        Time::from_nanos(3 * S)
    );
}

#[test]
fn a_paused_host_is_up_and_in_no_group() {
    let mut world = world(2);
    world.apply(Time::from_nanos(1), &Change::Paused { host: HostId(1) });
    assert!(world.is_up(HostId(1)) && !world.is_running(HostId(1)));
    assert_eq!(shape(&world), [ids(&[0])]);
}

#[test]
fn links_beyond_what_is_tolerated_are_never_quiet() {
    let residents = [Resident {
        name: "a".into(),
        ip: Ipv4Addr::LOCALHOST,
        up: true,
        drift_ppm: 0,
    }];
    let world = World::new(residents, Links::Beyond);
    assert_eq!(world.groups()[0].quiet_since, Time::MAX);
    assert_eq!(world.host_at(Ipv4Addr::LOCALHOST), Some(HostId(0)));
}

/// The groups by their definition, from what each pair can do.
fn groups_of_pairs(world: &World) -> Vec<Vec<HostId>> {
    let running: Vec<HostId> = (0..world.len() as u32)
        .map(HostId)
        .filter(|host| world.is_running(*host))
        .collect();
    let mut groups = Vec::new();
    let mut seen = Vec::new();
    for &host in &running {
        if seen.contains(&host) {
            continue;
        }
        let mut component = vec![host];
        let mut next = 0;
        while let Some(&from) = component.get(next) {
            next += 1;
            for &to in &running {
                let joined = world.can_reach(from, to) || world.can_reach(to, from);
                if joined && !component.contains(&to) {
                    component.push(to);
                }
            }
        }
        component.sort_unstable();
        seen.extend(&component);
        if component
            .iter()
            .all(|&a| component.iter().all(|&b| world.can_reach(a, b)))
        {
            groups.push(component);
        }
    }
    groups
}

const HOSTS: usize = 6;

fn change() -> impl Strategy<Value = (u8, Vec<u32>, Vec<bool>, Vec<bool>)> {
    let marks = || prop::collection::vec(prop::bool::weighted(0.3), HOSTS);
    (0..10u8, prop::collection::vec(0..3u32, HOSTS), marks(), marks())
}

proptest! {
    #[test]
    fn groups_are_what_their_definition_says(changes in prop::collection::vec(change(), 1..20)) {
        let mut world = world(HOSTS);
        let mut laid = Vec::new();
        for (step, (kind, sides, from, to)) in changes.into_iter().enumerate() {
            let layer = step as u32;
            let host = HostId(sides.iter().sum::<u32>() % HOSTS as u32);
            let change = match kind {
                0 => Change::Down { host, how: Crash::Kill },
                1 => Change::Paused { host },
                2 => Change::Resumed { host },
                3 | 4 if !laid.is_empty() => Change::Healed { layer: laid.remove(sides[0] as usize % laid.len()) },
                5 => {
                    laid.push(layer);
                    Change::Cut { layer, cut: Cut::Groups(sides) }
                }
                6 => {
                    laid.push(layer);
                    let group = sides.iter().map(|side| if *side == 2 { Cut::BRIDGE } else { *side });
                    Change::Cut { layer, cut: Cut::Bridge(group.collect()) }
                }
                7 => {
                    laid.push(layer);
                    let mut len = 0;
                    let place = from.iter().map(|outside| if *outside { Cut::OUTSIDE } else { len += 1; len - 1 });
                    let place = place.collect();
                    Change::Cut { layer, cut: Cut::Ring { place, len, reach: sides[0] } }
                }
                _ => {
                    laid.push(layer);
                    Change::Cut { layer, cut: Cut::OneWay { from, to } }
                }
            };
            world.apply(Time::from_nanos(layer.into()), &change);
            prop_assert_eq!(shape(&world), groups_of_pairs(&world));
            for host in (0..HOSTS as u32).map(HostId) {
                let groups = world.groups().iter().filter(|group| group.contains(host));
                prop_assert_eq!(groups.collect::<Vec<_>>(), world.group_of(host).into_iter().collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_bridge_and_a_ring_keep_apart_whom_they_say_and_make_no_groups() {
    let bridge = Cut::Bridge(vec![0, 0, Cut::BRIDGE, 1]);
    let blocked = |cut: &Cut, hosts: u32| -> Vec<(u32, u32)> {
        let pairs = (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to)));
        pairs
            .filter(|(from, to)| cut.blocks(HostId(*from), HostId(*to)))
            .collect()
    };
    assert_eq!(blocked(&bridge, 4), [(0, 3), (1, 3), (3, 0), (3, 1)]);
    let ring = Cut::Ring {
        place: vec![0, 1, 2, 3, Cut::OUTSIDE, Cut::OUTSIDE],
        len: 4,
        reach: 1,
    };
    let across = [
        (0, 2),
        (0, 4),
        (0, 5),
        (1, 3),
        (1, 4),
        (1, 5),
        (2, 0),
        (2, 4),
        (2, 5),
        (3, 1),
        (3, 4),
        (3, 5),
    ];
    assert_eq!(
        blocked(&ring, 6)
            .into_iter()
            .filter(|(from, _)| *from < 4)
            .collect::<Vec<_>>(),
        across
    );
    assert!(!ring.blocks(HostId(4), HostId(5)) && ring.blocks(HostId(5), HostId(0)));
    let mut world = world(6);
    world.apply(Time::from_nanos(1), &Change::Cut { layer: 1, cut: ring });
    assert_eq!(shape(&world), [ids(&[4, 5])]);
}

#[test]
fn whatever_is_wrong_with_a_machine_or_a_link_is_the_end_of_the_quiet_of_its_group_alone() {
    let a = HostId(0);
    let wrong_and_mended = [
        [
            Change::Slowed {
                host: a,
                by: Span::from_millis(1),
            },
            Change::Slowed {
                host: a,
                by: Span::ZERO,
            },
        ],
        [
            Change::Disk {
                host: a,
                state: DiskState::Ailing,
            },
            Change::Disk {
                host: a,
                state: DiskState::Sound,
            },
        ],
        [
            Change::Drift { host: a, ppm: -1_001 },
            Change::Drift { host: a, ppm: -1_000 },
        ],
        [
            Change::Links {
                beyond: vec![(HostId(1), a)],
            },
            Change::Links { beyond: Vec::new() },
        ],
    ];
    for [wrong, mended] in wrong_and_mended {
        let mut world = world(4);
        world.apply(
            Time::from_nanos(1),
            &Change::Cut {
                layer: 1,
                cut: Cut::Groups(vec![0, 0, 1, 1]),
            },
        );
        world.apply(Time::from_nanos(2), &wrong);
        assert_eq!(world.groups()[0].quiet_since, Time::MAX, "{wrong:?}");
        assert!(world.groups()[1].quiet_since < Time::MAX, "{wrong:?}");
        world.apply(Time::from_nanos(3), &mended);
        assert_eq!(world.groups()[0].quiet_since, Time::from_nanos(3), "{mended:?}");
    }
}

#[test]
fn a_straggler_and_a_choked_link_disturb_the_groups_of_both_their_ends_and_no_other() {
    let (from, to) = (HostId(0), HostId(2));
    for change in [Change::Straggled { from, to }, Change::Choked { from, to }] {
        let mut world = world(5);
        let cut = Cut::Groups(vec![0, 0, 1, 1, 2]);
        world.apply(Time::from_nanos(1), &Change::Cut { layer: 1, cut });
        let before = shape(&world);
        world.apply(Time::from_nanos(2), &change);
        assert_eq!(shape(&world), before, "{change:?}");
        let since: Vec<Time> = world.groups().iter().map(|group| group.quiet_since).collect();
        assert_eq!(since, [2, 2, 1].map(Time::from_nanos), "{change:?}");
        // It goes on with the hosts when their groups are found anew, and ends no quiet for good.
        let aside = HostId(4);
        world.apply(Time::from_nanos(3), &Change::Paused { host: aside });
        let since: Vec<Time> = world.groups().iter().map(|group| group.quiet_since).collect();
        assert_eq!(since, [2, 2].map(Time::from_nanos), "{change:?}");
    }
}

#[test]
fn a_group_is_not_quiet_while_a_stream_inside_it_is_stuck_and_is_disturbed_when_it_goes_on() {
    let [a, b, c] = [0, 1, 2].map(HostId);
    let since =
        |world: &World| -> Vec<Time> { world.groups().iter().map(|group| group.quiet_since).collect() };
    let at = Time::from_nanos;
    let mut world = world(4);
    let cut = Cut::Groups(vec![0, 0, 1, 1]);
    world.apply(at(1), &Change::Cut { layer: 1, cut });
    // Between two groups it concerns neither.
    world.apply(at(2), &Change::StreamStuck { from: a, to: c });
    assert_eq!(since(&world), [at(1), at(1)]);
    // In one, it concerns that one.
    world.apply(at(3), &Change::StreamStuck { from: a, to: b });
    assert_eq!(since(&world), [Time::MAX, at(1)]);
    world.apply(at(4), &Change::StreamFlows { from: a, to: b });
    assert_eq!(since(&world), [at(4), at(1)]);
    // Whoever goes on dialling one that is cut off keeps nobody from being quiet.
    world.apply(at(4), &Change::StreamStuck { from: b, to: c });
    world.apply(at(5), &Change::StreamFlows { from: b, to: c });
    assert_eq!(since(&world), [at(4), at(1)]);
    // It still is when the cut is healed: the two are in one group then.
    world.apply(at(5), &Change::Healed { layer: 1 });
    assert_eq!(since(&world), [Time::MAX]);
    world.apply(at(6), &Change::Paused { host: b });
    assert_eq!(since(&world), [Time::MAX]);
    world.apply(at(7), &Change::StreamFlows { from: a, to: c });
    assert_eq!(since(&world), [at(7)]);
}

#[test]
fn a_straggler_leaves_a_group_that_is_never_quiet_as_it_is() {
    let mut world = world(2);
    let [a, b] = [0, 1].map(HostId);
    let slowed = |by| Change::Slowed { host: a, by };
    world.apply(Time::from_nanos(1), &slowed(Span::from_millis(1)));
    world.apply(Time::from_nanos(2), &Change::Straggled { from: b, to: a });
    assert_eq!(world.groups()[0].quiet_since, Time::MAX);
}

#[test]
fn a_jump_and_a_choked_link_disturb_whom_they_touch() {
    let mut world = world(4);
    world.apply(
        Time::from_nanos(1),
        &Change::Cut {
            layer: 1,
            cut: Cut::Groups(vec![0, 0, 1, 1]),
        },
    );
    world.apply(
        Time::from_nanos(2),
        &Change::Jumped {
            host: HostId(0),
            by: Span::from_secs(1),
        },
    );
    world.apply(
        Time::from_nanos(3),
        &Change::Choked {
            from: HostId(2),
            to: HostId(3),
        },
    );
    let since: Vec<Time> = world.groups().iter().map(|group| group.quiet_since).collect();
    assert_eq!(since, [Time::from_nanos(2), Time::from_nanos(3)]);
    world.apply(Time::from_nanos(4), &Change::Healed { layer: 1 });
    assert_eq!(world.groups()[0].quiet_since, Time::from_nanos(4));
}

#[test]
fn a_pause_takes_steps_in_proportion_to_the_hosts_however_many_groups_there_are() {
    let hosts = 2_000;
    let mut world = World::new(
        (0..hosts).map(|i| Resident {
            name: format!("h{i}"),
            ip: Ipv4Addr::from(i),
            up: true,
            drift_ppm: 0,
        }),
        Links::Tolerated,
    );
    let cut = Cut::Groups((0..hosts).collect());
    world.apply(Time::ZERO, &Change::Cut { layer: 1, cut });
    assert_eq!(world.groups().len(), hosts as usize);
    let before = world.effort();
    world.apply(Time::ZERO, &Change::Paused { host: HostId(7) });
    let steps = world.effort() - before;
    assert!((1..=10 * u64::from(hosts)).contains(&steps), "{steps}");
}

#[test]
fn a_layer_takes_steps_in_proportion_to_the_layers_and_the_hosts_and_to_whom_it_cuts() {
    let hosts = 1_000usize;
    let mut world = World::new(
        (0..hosts).map(|i| Resident {
            name: format!("h{i}"),
            ip: Ipv4Addr::from(i as u32),
            up: true,
            drift_ppm: 0,
        }),
        Links::Tolerated,
    );
    let only = |host: usize| (0..hosts).map(|other| other == host).collect();
    for layer in 0..200 {
        let cut = Cut::OneWay {
            from: only(layer),
            to: only(layer + 1),
        };
        let layer = layer as u32;
        world.apply(Time::ZERO, &Change::Cut { layer, cut });
    }
    let before = world.effort();
    let cut = Cut::OneWay {
        from: only(300),
        to: only(302),
    };
    world.apply(Time::ZERO, &Change::Cut { layer: 200, cut });
    let steps = world.effort() - before;
    assert!((1..=3 * 201 * hosts as u64).contains(&steps), "{steps}");
}
