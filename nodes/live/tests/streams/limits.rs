//! How much a node holds of connections at most, and what becomes of what is more: it is counted, and takes nothing of others.

use squall_live::Stop;
use squall_nodes::{Closed, Span};

use crate::rig::{Heard, Host, PORT, Wish, pattern};

#[test]
fn what_one_address_opens_beyond_its_share_is_reset_and_others_are_let_in() {
    let mut b = Host::with(|settings| settings.streams.of_peer = 3);
    b.wish([Wish::Listen(PORT)]);
    let (mut a, mut c) = (Host::start(), Host::start());
    let conns: Vec<_> = (0..3).map(|_| a.connect(&mut b)).collect();
    for _ in 0..5 {
        let conn = a.wish([Wish::Dial(b.port())]);
        a.hear(&Heard::Opened(conn));
        a.hear(&Heard::Closed(conn, Closed::Reset));
    }
    c.connect(&mut b);
    // When one of them has ended, there is room for one.
    a.wish([Wish::Close(conns[0].0)]);
    b.hear(&Heard::Closed(conns[0].1, Closed::Orderly));
    a.connect(&mut b);
    let counts = b.stop(Stop::AtOnce).streams;
    assert_eq!((counts.accepted, counts.crowded, counts.shut), (5, 5, 0));
}

#[test]
fn whoever_dials_a_node_that_has_all_the_connections_that_it_may_have_is_refused() {
    let mut b = Host::with(|settings| settings.streams.connections = 2);
    b.wish([Wish::Listen(PORT), Wish::Listen(PORT + 1)]);
    let (mut a, mut c) = (Host::listening(), Host::start());
    let first = a.connect(&mut b);
    a.connect(&mut b);
    for port in [PORT, PORT + 1] {
        let conn = c.wish([Wish::Dial(std::net::SocketAddrV4::new(b.ip, port))]);
        c.hear(&Heard::Closed(conn, Closed::Refused));
    }
    // What it dials itself is counted by itself.
    let own: Vec<_> = (0..2).map(|_| b.connect(&mut a)).collect();
    let to = a.port();
    let third = b.wish([Wish::Dial(to)]);
    b.hear(&Heard::Closed(third, Closed::Refused));
    // Room again, for one.
    b.wish([Wish::Close(first.1)]);
    a.hear(&Heard::Closed(first.0, Closed::Orderly));
    b.is_in_time("its end", |status| status.streams.closing == 0);
    c.connect(&mut b);
    assert_eq!(own.len(), 2);
    let counts = b.stop(Stop::AtOnce).streams;
    assert_eq!((counts.accepted, counts.crowded), (3, 0));
    assert_eq!((counts.dialled, counts.opened, counts.refused), (3, 2, 1));
    assert!(counts.shut >= 2, "{}", counts.shut);
}

#[test]
fn a_connection_that_is_written_to_beyond_the_bound_is_reset_and_both_ends_hear_it() {
    for all in [false, true] {
        let mut a = Host::with(|settings| {
            settings.streams.backlog = if all { usize::MAX } else { 1 << 20 };
            settings.streams.backlogs = if all { 1 << 20 } else { usize::MAX };
        });
        let mut b = Host::listening();
        let (here, there) = a.connect(&mut b);
        b.wish([Wish::Pause(there)]);
        let mut written = 0;
        let heard = loop {
            a.wish([Wish::WriteMuch(here, 100_000)]);
            written += 100_000;
            let heard = a.so_far();
            assert!(a.status().streams.backlogs <= 1 << 20);
            if heard.contains(&Heard::Closed(here, Closed::Reset)) {
                break heard;
            }
            assert!(written < 100_000_000, "no buffers are as large");
        };
        assert!(written > 1 << 20);
        assert!(heard.len() <= 2, "{heard:?}");
        b.hear(&Heard::Closed(there, Closed::Reset));
        assert_eq!(a.status().streams.backlogs, 0);
        // Another one is as good as new, and one write of too much is as bad as many.
        let (here, there) = a.connect(&mut b);
        a.wish([Wish::Write(here, b"still here".to_vec())]);
        assert_eq!(b.read(there, 10), b"still here");
        b.wish([Wish::Pause(there)]);
        a.wish([Wish::WriteMuch(here, 10_000_000)]);
        a.hear(&Heard::Closed(here, Closed::Reset));
        assert_eq!(a.stop(Stop::AtOnce).streams.overrun, 2);
    }
}

#[test]
fn a_peer_that_takes_nothing_for_too_long_is_given_up() {
    let mut a = Host::with(|settings| settings.streams.user_timeout = Span::from_millis(300));
    let mut b = Host::listening();
    let (here, there) = a.connect(&mut b);
    b.wish([Wish::Pause(there)]);
    // An idle one is not: nothing waits to be acknowledged.
    let (idle, _) = a.connect(&mut b);
    a.wish([Wish::WriteMuch(here, 4_000_000)]);
    a.hear(&Heard::Blocked(here));
    a.hear(&Heard::Closed(here, Closed::TimedOut));
    assert_eq!(
        a.status().streams.backlogs,
        0,
        "what it had not taken is let go of"
    );
    a.wish([Wish::Write(idle, b"x".to_vec())]);
    assert_eq!(a.so_far(), []);
    assert_eq!(a.stop(Stop::AtOnce).streams.timed_out, 1);
}

#[test]
fn a_connection_is_not_closed_for_ever() {
    let mut a = Host::with(|settings| settings.streams.user_timeout = Span::from_millis(300));
    let mut b = Host::listening();
    let conns: Vec<_> = (0..2).map(|_| a.connect(&mut b)).collect();
    let [(small, small_there), (large, large_there)] = conns[..] else {
        unreachable!()
    };
    b.wish([Wish::Pause(small_there), Wish::Pause(large_there)]);
    // The kernels take all of it, and go on by themselves.
    a.wish([Wish::Write(small, b"farewell".to_vec()), Wish::Close(small)]);
    // They do not, and nobody wants the rest.
    a.wish([Wish::WriteMuch(large, 4_000_000), Wish::Close(large)]);
    a.is_in_time("the ends", |status| status.streams.closing == 0);
    b.hear(&Heard::Closed(large_there, Closed::Reset));
    b.wish([Wish::Resume(small_there)]);
    b.hear(&Heard::Closed(small_there, Closed::Orderly));
    assert_eq!(b.bytes[&small_there], b"farewell");
    assert_eq!(a.so_far(), []);
}

#[test]
fn what_the_node_does_not_read_waits_with_the_kernels_and_in_no_memory_of_its_own() {
    let mut b = Host::with(|settings| settings.streams.receive_buffer = 32 << 10);
    b.wish([Wish::Listen(PORT)]);
    let mut a = Host::with(|settings| settings.streams.send_buffer = 16 << 10);
    let (here, there) = a.connect(&mut b);
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::WriteMuch(here, 1 << 20)]);
    a.hear(&Heard::Blocked(here));
    // As far as the kernels take it in; they take up to four times what they are asked for, with what they need themselves.
    let most = 4 * ((32 + 16) << 10);
    let waiting = a.status().streams.backlogs;
    assert!(waiting >= (1 << 20) - most, "{waiting}");
    b.wish([Wish::Resume(there)]);
    assert!(b.read(there, 1 << 20) == pattern(1 << 20));
}
