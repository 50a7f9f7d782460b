//! Hosts that have all the connections that they may have, and writers that have all that may wait.

use squall_nodes::Span;
use squall_sim::plan::StreamLaw;

use super::listener;
use crate::node::{Conn, Do, On, PORT, Rule, on, place, start};
use crate::plans::{A, B, C, ms, pause, plan, resume};

fn dial() -> Do {
    Do::Dial(place(B))
}

/// Dials `b` at these times, in milliseconds.
fn dials(times: &[u64]) -> Vec<Rule> {
    let armed: Vec<Do> = times.iter().map(|at| Do::Arm(*at, ms(*at))).collect();
    let dials = times.iter().map(|at| on(On::Timer(*at), [dial()]));
    std::iter::once(start(armed)).chain(dials).collect()
}

fn connections(connections: u32) -> StreamLaw {
    StreamLaw {
        connections,
        ..StreamLaw::default()
    }
}

#[test]
fn a_host_accepts_as_many_connections_as_it_may_and_as_many_again_when_they_are_closed() {
    let mut a = dials(&[1, 30]);
    a[0] = start([Do::Arm(1, ms(1)), Do::Arm(20, ms(20)), Do::Arm(30, ms(30))]);
    a.push(on(On::Timer(20), [Do::Close(Conn::Nth(0))]));
    let story = plan()
        .streams(connections(2))
        .host("a", a)
        .host("b", listener())
        .host("c", dials(&[1, 10]))
        .trace(1);
    assert_eq!(story.told(A), ["3ms has opened 1 to b", "32ms has opened 2 to b"]);
    assert_eq!(story.told(C), ["3ms has opened 1 to b", "12ms loses 2: Refused"]);
    let counts = story.outcome.traffic.streams;
    assert_eq!((counts.opened, counts.refused, counts.turned_away), (3, 1, 0));
}

#[test]
fn what_the_kernel_of_a_full_host_has_opened_for_it_meanwhile_is_reset() {
    let twice = || [start([dial(), dial()])];
    let story = plan()
        .streams(connections(2))
        .host("a", twice())
        .host("b", listener())
        .host("c", twice())
        .trace(1);
    assert_eq!(story.told(A), ["2ms has opened 1 to b", "2ms has opened 2 to b"]);
    assert_eq!(
        story.told(C),
        [
            "2ms has opened 1 to b",
            "2ms has opened 2 to b",
            "4ms loses 1: Reset",
            "4ms loses 2: Reset"
        ]
    );
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms accepts 2 from a"]);
    assert_eq!(story.outcome.traffic.streams.turned_away, 2);
}

#[test]
fn what_a_peer_opens_beyond_its_share_is_reset_and_others_are_let_in() {
    let law = StreamLaw {
        of_peer: 1,
        ..StreamLaw::default()
    };
    let story = plan()
        .streams(law)
        .host("a", [start([dial(), dial()])])
        .host("b", listener())
        .host("c", [start([dial()])])
        .trace(1);
    assert_eq!(
        story.told(A),
        [
            "2ms has opened 1 to b",
            "2ms has opened 2 to b",
            "4ms loses 2: Reset"
        ]
    );
    assert_eq!(story.told(B), ["3ms accepts 1 from a", "3ms accepts 2 from c"]);
    assert_eq!(story.outcome.traffic.streams.turned_away, 1);
}

#[test]
fn a_node_may_open_as_many_connections_as_others_may_open_to_it() {
    let a = [
        start([dial(), Do::Dial(place(C)), Do::Arm(1, ms(10)), Do::Arm(2, ms(20))]),
        on(On::Timer(1), [Do::Close(Conn::Nth(0))]),
        on(On::Timer(2), [Do::Dial(place(C))]),
    ];
    let story = plan()
        .streams(connections(1))
        .host("a", a)
        .host("b", listener())
        .host("c", listener())
        .trace(1);
    assert_eq!(
        story.told(A),
        [
            "0ns loses 2: Refused",
            "2ms has opened 1 to b",
            "22ms has opened 3 to c"
        ]
    );
    assert_eq!(story.outcome.traffic.streams.turned_away, 0);
}

#[test]
fn a_place_that_cannot_be_is_refused_at_once() {
    for nowhere in ["0.0.0.0:7", "224.0.0.1:7", "255.255.255.255:7", "10.0.0.2:0"] {
        let story = plan()
            .host("a", [start([Do::Dial(nowhere.parse().unwrap())])])
            .host("b", listener())
            .trace(1);
        assert_eq!(story.told(A), ["0ns loses 1: Refused"], "{nowhere}");
    }
}

#[test]
fn a_connection_that_is_being_closed_counts_until_its_peer_has_closed_it_or_its_host_has_lost_patience() {
    let b = || {
        [
            start([Do::Listen(PORT)]),
            on(On::Accepted, [Do::Close(Conn::This)]),
        ]
    };
    // It never reads the end, so it never closes.
    let reluctant = [start([dial()]), on(On::Opened, [Do::PauseReading(Conn::This)])];
    let story = plan()
        .streams(connections(1))
        .host("a", reluctant)
        .host("b", b())
        .host("c", dials(&[100, 20_000, 21_000]))
        .limit(Span::from_secs(30))
        .trace(1);
    assert_eq!(
        story.told(C)[..3],
        [
            "102ms loses 1: Refused",
            "20002ms loses 2: Refused",
            "21002ms has opened 3 to b"
        ]
    );
    let story = plan()
        .streams(connections(1))
        .host("a", [start([dial()])])
        .host("b", b())
        .host("c", dials(&[100]))
        .trace(1);
    assert_eq!(story.told(C)[0], "102ms has opened 1 to b");
}

#[test]
fn a_node_that_is_killed_leaves_no_connection_behind_that_its_next_life_counts() {
    let law = connections(1);
    let closes = [
        start([Do::Listen(PORT)]),
        on(On::Accepted, [Do::Close(Conn::This)]),
    ];
    let reluctant = [start([dial()]), on(On::Opened, [Do::PauseReading(Conn::This)])];
    let story = plan()
        .streams(law)
        .host("a", reluctant)
        .host("b", closes)
        .host("c", dials(&[10, 100]))
        .at(ms(50), crate::plans::kill(&[B]))
        .at(ms(60), crate::plans::restart(&[B]))
        .trace(1);
    assert_eq!(
        story.told(C)[..2],
        ["12ms loses 1: Refused", "102ms has opened 2 to b"]
    );
}

#[test]
fn the_kernel_of_a_paused_host_opens_one_connection_more_than_it_is_told_and_hears_no_more() {
    let opened = |law: StreamLaw, dials: usize| {
        let story = plan()
            .streams(law)
            .host("a", [start(vec![dial(); dials])])
            .host("b", listener())
            .at(ms(0), pause(&[B]))
            .at(ms(500), resume(&[B]))
            .limit(Span::from_secs(5))
            .trace(1);
        let when: Vec<bool> = story
            .told(A)
            .iter()
            .map(|told| {
                assert!(told.contains("has opened"), "{told}");
                told.starts_with("2ms ")
            })
            .collect();
        assert_eq!(story.told(B).len(), dials);
        when.iter().filter(|at_once| **at_once).count()
    };
    assert_eq!(opened(StreamLaw::default(), 131), 129);
    let law = StreamLaw {
        listen_backlog: 2,
        ..StreamLaw::default()
    };
    assert_eq!(opened(law, 5), 3);
}

#[test]
fn what_waits_of_all_connections_has_a_bound_and_only_the_one_that_goes_beyond_it_is_lost() {
    let law = |backlogs| StreamLaw {
        send_buffer: 1_000,
        receive_buffer: 2_000,
        backlog: 5_000,
        backlogs,
        ..StreamLaw::default()
    };
    let played = |backlogs| {
        plan()
            .streams(law(backlogs))
            .host(
                "a",
                [
                    start([dial(), dial()]),
                    on(On::Opened, [Do::Pour(Conn::This, 4_500)]),
                ],
            )
            .host("b", listener())
            .limit(Span::from_secs(5))
            .trace(1)
    };
    // Each has 3 500 bytes more than its send buffer holds.
    let lost = |told: Vec<String>| told.iter().any(|told| told.contains("loses"));
    let within = played(7_000);
    assert!(!lost(within.told(A)));
    let beyond = played(6_999);
    assert!(beyond.told(A).contains(&"2ms loses 2: Reset".to_owned()));
    for story in [within, beyond] {
        assert!(story.read(B, 1) == story.wrote(A, 1));
    }
}
