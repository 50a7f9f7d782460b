//! What a policy makes of connections: latency and loss delay them, cuts hold them up, and nobody hears what cannot have got through.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use squall_live::clock::monotonic;
use squall_live::{Peer, Policy, Stop, Way};
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;
use squall_nodes::{Closed, Span, Time};

use crate::rig::{Heard, Host, PORT, Wish, address, pattern};

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

fn delaying(latency: Span) -> LinkLaw {
    LinkLaw::delaying(Latency::Constant(latency))
}

/// Puts a law in force at both, with these ways cut.
fn apply(hosts: &[&Host], law: Option<&LinkLaw>, cuts: &[(usize, usize)]) {
    static POLICIES: AtomicU64 = AtomicU64::new(1);
    let way = |from, to| match cuts.contains(&(from, to)) {
        true => Way::Cut { by: vec![7] },
        false => Way::Open,
    };
    for (place, host) in hosts.iter().enumerate() {
        let peer = |other: usize| Peer {
            out: way(place, other),
            back: way(other, place),
            law: law.cloned(),
            by: Vec::new(),
        };
        let peers: BTreeMap<_, _> = hosts
            .iter()
            .enumerate()
            .map(|(other, host)| (host.ip, peer(other)))
            .collect();
        host.apply(Policy {
            number: POLICIES.fetch_add(1, Ordering::Relaxed),
            law: law.cloned(),
            peers,
            ..Policy::default()
        });
    }
}

fn took_at_least(begun: Time, least: Span) {
    let took = monotonic().since(begun);
    assert!(took >= least, "it took {took}");
}

/// Two nodes that give up soon, of which the second listens.
fn hasty(user_timeout: Span, connect_timeout: Span) -> (Host, Host) {
    let host = || {
        Host::with(|settings| {
            settings.streams.user_timeout = user_timeout;
            settings.streams.connect_timeout = connect_timeout;
        })
    };
    let (a, mut b) = (host(), host());
    b.wish([Wish::Listen(PORT)]);
    (a, b)
}

#[test]
fn an_opening_takes_a_round_trip_and_bytes_take_a_latency() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    apply(&[&a, &b], Some(&delaying(ms(30))), &[]);
    let begun = monotonic();
    let here = a.wish([Wish::Dial(b.port())]);
    a.hear(&Heard::Opened(here));
    took_at_least(begun, ms(60));
    let there = b.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    took_at_least(begun, ms(90));
    let begun = monotonic();
    a.wish([Wish::Write(here, b"late".to_vec()), Wish::Close(here)]);
    assert_eq!(b.read(there, 4), b"late");
    took_at_least(begun, ms(30));
    b.hear(&Heard::Closed(there, Closed::Orderly));
    // Whom nobody answers hears of it no sooner.
    let begun = monotonic();
    let refused = b.wish([Wish::Dial(a.port())]);
    b.hear(&Heard::Closed(refused, Closed::Refused));
    took_at_least(begun, ms(60));
    // A reset is on its way as long as anything.
    let (_, there) = a.connect(&mut b);
    let begun = monotonic();
    a.stop(Stop::AtOnce);
    b.hear(&Heard::Closed(there, Closed::Reset));
    took_at_least(begun, ms(30));
}

#[test]
fn whatever_is_lost_and_however_latencies_vary_bytes_come_whole_and_in_order() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let law = LinkLaw {
        loss: 0.02,
        reorder: 0.1,
        reorder_by: ms(20),
        duplicate: 0.5,
        ..LinkLaw::delaying(Latency::Uniform(ms(0), ms(10)))
    };
    apply(&[&a, &b], Some(&law), &[]);
    let (here, there) = a.connect(&mut b);
    for round in 1..=40 {
        a.wish([Wish::WriteMuch(here, round * 100)]);
    }
    b.wish([Wish::WriteMuch(there, 500_000), Wish::Close(there)]);
    let whole: Vec<u8> = (1..=40).flat_map(|round| pattern(round * 100)).collect();
    a.hear(&Heard::Closed(here, Closed::Orderly));
    assert!(a.bytes[&here] == pattern(500_000));
    // What it had written before it heard of the end may have come or not; what came is the beginning of it.
    b.is_in_time("the end", |status| status.streams.closing == 0);
    b.so_far();
    let came = b.bytes.remove(&there).unwrap_or_default();
    assert!(whole.starts_with(&came));
}

#[test]
fn a_bandwidth_paces_a_stream_and_holds_no_more_of_it_than_a_buffer() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let law = LinkLaw {
        bandwidth: Some(16_000_000),
        ..delaying(ms(1))
    };
    apply(&[&a, &b], Some(&law), &[]);
    let (here, there) = a.connect(&mut b);
    let begun = monotonic();
    a.wish([Wish::WriteMuch(here, 1_000_000)]);
    a.hear(&Heard::Blocked(here));
    let mut most = 0;
    for _ in 0..10 {
        b.read(there, 100_000);
        most = most.max(b.status().streams.held);
    }
    took_at_least(begun, ms(500));
    assert!(most <= (128 + 64) << 10, "{most}");
}

#[test]
fn what_a_cut_holds_up_comes_after_it_is_healed_whole_and_in_order() {
    for cuts in [&[(0, 1)][..], &[(0, 1), (1, 0)]] {
        let (mut a, mut b) = (Host::start(), Host::listening());
        let law = delaying(ms(1));
        apply(&[&a, &b], Some(&law), &[]);
        let (here, there) = a.connect(&mut b);
        a.wish([Wish::Write(here, b"before ".to_vec())]);
        assert_eq!(b.read(there, 7), b"before ");
        apply(&[&a, &b], Some(&law), cuts);
        a.wish([Wish::Write(here, b"meanwhile ".to_vec())]);
        a.wish([Wish::WriteMuch(here, 100_000), Wish::Close(here)]);
        // A connection to itself shows that time has passed; no cut is in its way.
        let own = b.wish([Wish::Dial(b.port())]);
        b.hear(&Heard::Opened(own));
        b.hear_that("itself", |heard| {
            matches!(heard, Heard::Accepted(..)).then_some(())
        });
        assert_eq!((b.so_far(), b.bytes.get(&there)), (vec![], Some(&vec![])));
        apply(&[&a, &b], Some(&law), &[]);
        b.hear(&Heard::Closed(there, Closed::Orderly));
        let mut whole = b"meanwhile ".to_vec();
        whole.extend(pattern(100_000));
        assert!(b.bytes[&there] == whole);
        let touched = b.stop(Stop::AtOnce).touched;
        assert!(touched.contains_key(&7), "the cut has held something up");
    }
}

#[test]
fn nobody_answers_a_dial_through_a_cut_until_it_is_healed() {
    for cut in [(0, 1), (1, 0)] {
        let (mut a, mut b) = hasty(ms(20_000), ms(300));
        apply(&[&a, &b], None, &[cut]);
        let conn = a.wish([Wish::Dial(b.port())]);
        a.hear(&Heard::Closed(conn, Closed::TimedOut));
        assert_eq!(b.so_far(), []);
        // Another one waits longer, and is through when it asks again after the healing: a second after the first time.
        let mut c = Host::start();
        apply(&[&c, &b], None, &[cut]);
        let begun = monotonic();
        let conn = c.wish([Wish::Dial(b.port()), Wish::Write(0, Vec::new())]);
        assert_eq!(c.so_far(), []);
        apply(&[&c, &b], None, &[]);
        c.hear(&Heard::Opened(conn));
        took_at_least(begun, ms(1_000));
        b.hear_that("a connection", |heard| {
            matches!(heard, Heard::Accepted(..)).then_some(())
        });
    }
}

#[test]
fn a_writer_that_a_cut_keeps_from_its_peer_gives_up_and_the_peer_learns_when_it_writes() {
    // The bytes do not arrive; or they do, and what acknowledges them does not.
    for cuts in [&[(0, 1), (1, 0)][..], &[(0, 1)], &[(1, 0)]] {
        let (mut a, mut b) = hasty(ms(200), ms(10_000));
        let law = delaying(ms(1));
        apply(&[&a, &b], Some(&law), &[]);
        let (here, there) = a.connect(&mut b);
        apply(&[&a, &b], Some(&law), cuts);
        let begun = monotonic();
        a.wish([Wish::Write(here, b"in vain".to_vec())]);
        a.hear(&Heard::Closed(here, Closed::TimedOut));
        took_at_least(begun, ms(200));
        if !cuts.contains(&(0, 1)) {
            assert_eq!(b.read(there, 7), b"in vain");
        }
        // It knows nothing, whether it is healed or not.
        apply(&[&a, &b], Some(&law), &[]);
        let (_, other) = a.connect(&mut b);
        assert_ne!(other, there);
        assert_eq!(b.so_far(), []);
        assert!(b.bytes.get(&there).is_none_or(Vec::is_empty), "it was given up");
        // Until it writes.
        b.wish([Wish::Write(there, b"are you there?".to_vec())]);
        b.hear(&Heard::Closed(there, Closed::Reset));
        assert_eq!(a.so_far(), [], "whoever gave up hears no more of it");
    }
}

#[test]
fn a_reset_does_not_cross_a_cut_and_leaves_the_connection_half_open() {
    let (mut a, mut b) = hasty(ms(200), ms(10_000));
    apply(&[&a, &b], None, &[]);
    let (here, there) = a.connect(&mut b);
    let (_, idle) = a.connect(&mut b);
    apply(&[&a, &b], None, &[(0, 1), (1, 0)]);
    a.wish([Wish::Write(here, b"last words".to_vec())]);
    let ip = a.ip;
    a.stop(Stop::AtOnce);
    // It writes in vain.
    b.wish([Wish::Write(there, b"x".to_vec())]);
    b.hear(&Heard::Closed(there, Closed::TimedOut));
    assert_eq!(b.so_far(), []);
    // The host is there again, and its kernel knows nothing of the other one.
    let c = Host::at(ip, |_| {});
    apply(&[&c, &b], None, &[]);
    assert_eq!(b.so_far(), []);
    b.wish([Wish::Write(idle, b"x".to_vec())]);
    b.hear(&Heard::Closed(idle, Closed::Reset));
    assert_eq!(b.bytes.len(), 0, "what the dead one had written did not come");
    assert_eq!(b.status().streams.open, 0);
}

#[test]
fn what_a_cut_finds_on_its_way_is_sent_again() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let law = delaying(ms(150));
    apply(&[&a, &b], Some(&law), &[]);
    let (here, there) = a.connect(&mut b);
    a.wish([Wish::Write(here, b"on its way".to_vec())]);
    b.is_in_time("the bytes", |status| status.streams.held == 10);
    apply(&[&a, &b], Some(&law), &[(0, 1)]);
    let healed = monotonic();
    apply(&[&a, &b], Some(&law), &[]);
    assert_eq!(b.read(there, 10), b"on its way");
    // Not before the first timeout: two trips and 200 ms after it was sent.
    took_at_least(healed, ms(300));
}

#[test]
fn a_policy_that_says_nothing_of_streams_does_nothing_to_them() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let before = a.connect(&mut b);
    apply(&[&a, &b], None, &[]);
    let after = a.connect(&mut b);
    for (here, there) in [before, after] {
        b.wish([Wish::Pause(there)]);
        a.wish([Wish::WriteMuch(here, 3_000_000)]);
        a.hear(&Heard::Blocked(here));
        b.wish([Wish::Resume(there)]);
        assert!(b.read(there, 3_000_000) == pattern(3_000_000));
        a.hear(&Heard::Writable(here));
        b.wish([Wish::Write(there, b"thanks".to_vec()), Wish::Close(there)]);
        a.hear(&Heard::Closed(here, Closed::Orderly));
        assert_eq!(a.bytes[&here], b"thanks");
    }
    a.wish([Wish::DialWriteClose(b.port(), b"all of it".to_vec())]);
    let there = b.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert_eq!(b.bytes[&there], b"all of it");
    assert_eq!((a.so_far(), b.so_far()), (vec![], vec![]));
    assert_ne!(a.ip, address());
}

#[test]
fn hosts_tell_that_a_stream_is_stuck_and_that_it_flows_again() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |name: &str| folder.path().join(name);
    let host = |name: &str| {
        let file = lines(name);
        Host::with(|settings| settings.lines = Some(file))
    };
    let (mut a, mut b) = (host("a"), host("b"));
    b.wish([Wish::Listen(PORT)]);
    apply(&[&a, &b], None, &[]);
    let (here, there) = a.connect(&mut b);
    a.wish([Wish::Write(here, b"before".to_vec())]);
    b.read(there, 6);
    let told = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(lines(name)).unwrap();
        let told = text.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let what = line.as_object()?.keys().next()?.clone();
            let is_it = what == "stuck" || what == "flows";
            is_it.then(|| format!("{what} {}", line[&what]["with"].as_str().unwrap()))
        });
        told.collect()
    };
    // An ordinary connection is nothing to tell of.
    assert_eq!((told("a"), told("b")), (vec![], vec![]));
    apply(&[&a, &b], None, &[(0, 1)]);
    a.wish([Wish::Write(here, b"meanwhile".to_vec())]);
    // One more of them is no news.
    a.wish([Wish::Dial(b.port())]);
    b.is_in_time("the bytes", |_| !told("b").is_empty());
    apply(&[&a, &b], None, &[]);
    assert_eq!(b.read(there, 9), b"meanwhile");
    a.hear_that("the other one", |heard| {
        matches!(heard, Heard::Opened(_)).then_some(())
    });
    a.so_far();
    b.so_far();
    let both = |ip: std::net::Ipv4Addr| [format!("stuck {ip}"), format!("flows {ip}")];
    assert_eq!(told("a"), both(b.ip));
    assert_eq!(told("b"), both(a.ip));
}
