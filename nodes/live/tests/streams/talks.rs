//! What a node may rely on when it speaks with another one: the contract of streams, as far as two hosts that are well show it.

use std::net::SocketAddrV4;

use squall_live::Stop;
use squall_nodes::{Closed, Span};

use crate::rig::{Heard, Host, PORT, Wish, address, pattern};

#[test]
fn a_connection_opens_at_both_ends_and_carries_bytes_both_ways() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let here = a.wish([Wish::Dial(b.port())]);
    a.hear(&Heard::Opened(here));
    let ip = a.ip;
    let (there, from) = b.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, PORT, from) => Some((*conn, *from)),
        _ => None,
    });
    assert_eq!(*from.ip(), ip, "it comes from the host's own address");
    assert!(from.port() >= 1024);
    a.wish([Wish::Write(here, b"question".to_vec())]);
    assert_eq!(b.read(there, 8), b"question");
    b.wish([Wish::Write(there, b"answer".to_vec())]);
    assert_eq!(a.read(here, 6), b"answer");
    // It was neither over nor blocked.
    assert_eq!((a.so_far(), b.so_far()), (vec![], vec![]));
    let counts = a.stop(Stop::AtOnce).streams;
    assert_eq!((counts.dialled, counts.opened, counts.accepted), (1, 1, 0));
    assert_eq!((counts.written, counts.read), (8, 6));
}

#[test]
fn whoever_dials_where_nobody_listens_is_refused() {
    let (mut a, b) = (Host::start(), Host::start());
    let conn = a.wish([Wish::Dial(b.port())]);
    a.hear(&Heard::Closed(conn, Closed::Refused));
    // Nor does anybody listen at what is no address.
    for to in ["0.0.0.0:6000", "224.0.0.1:6000", "255.255.255.255:6000"] {
        let conn = a.wish([Wish::Dial(to.parse().unwrap())]);
        a.hear(&Heard::Closed(conn, Closed::Refused));
    }
    let conn = a.wish([Wish::Dial(SocketAddrV4::new(b.ip, 0))]);
    a.hear(&Heard::Closed(conn, Closed::Refused));
    // What is asked of a connection that is over is nothing.
    a.wish([
        Wish::Write(conn, b"x".to_vec()),
        Wish::Pause(conn),
        Wish::Resume(conn),
        Wish::Close(conn),
    ]);
    a.wish([Wish::Write(12345, b"x".to_vec()), Wish::Close(12345)]);
    assert_eq!(a.so_far(), []);
    assert_eq!(a.stop(Stop::AtOnce).streams.refused, 5);
}

#[test]
fn a_dial_that_nobody_answers_is_given_up_in_time() {
    let mut a = Host::with(|settings| settings.streams.connect_timeout = Span::from_millis(50));
    // A backlog that is full answers nobody: the kernel of this machine does as if it were switched off.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let at = SocketAddrV4::new(address(), PORT);
    full.bind(&at.into()).unwrap();
    full.listen(0).unwrap();
    let _first = std::net::TcpStream::connect(at).unwrap();
    let conn = a.wish([Wish::Dial(at)]);
    a.hear(&Heard::Closed(conn, Closed::TimedOut));
    assert_eq!(a.stop(Stop::AtOnce).streams.timed_out, 1);
}

#[test]
fn a_node_can_dial_itself() {
    let mut a = Host::listening();
    let here = a.wish([Wish::Dial(a.port())]);
    a.hear(&Heard::Opened(here));
    let there = a.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    assert_ne!(here, there);
    a.wish([Wish::Write(here, b"to myself".to_vec())]);
    assert_eq!(a.read(there, 9), b"to myself");
    a.wish([Wish::Close(there)]);
    a.hear(&Heard::Closed(here, Closed::Orderly));
}

#[test]
fn what_was_written_arrives_whole_and_in_order_before_the_orderly_end() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let (here, there) = a.connect(&mut b);
    // More than both buffers hold, in writes of many lengths, and the end right after it.
    let lens = [1, 2, 1_000, 65_536, 700_000, 1_500_000];
    let mut wishes: Vec<Wish> = lens.iter().map(|len| Wish::WriteMuch(here, *len)).collect();
    wishes.push(Wish::Close(here));
    // Of which nothing comes.
    wishes.push(Wish::Write(here, b"afterwards".to_vec()));
    a.wish(wishes);
    b.hear(&Heard::Closed(there, Closed::Orderly));
    let all: Vec<u8> = lens.iter().flat_map(|len| pattern(*len)).collect();
    assert!(b.bytes[&there] == all);
    // Whoever has closed hears nothing more of it.
    a.is_in_time("the end of it", |status| status.streams.closing == 0);
    assert_eq!(a.so_far(), []);
    assert_eq!(b.status().streams.open, 0);
}

#[test]
fn what_comes_in_while_a_connection_is_being_closed_takes_nothing_of_what_was_written() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let (here, there) = a.connect(&mut b);
    // It does not read, so that it has much unread when it is closed: for the kernel alone that would be a reset.
    a.wish([Wish::Pause(here)]);
    b.wish([Wish::WriteMuch(there, 3_000_000)]);
    b.hear(&Heard::Blocked(there));
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::WriteMuch(here, 1_000_000), Wish::Close(here)]);
    b.hear(&Heard::Writable(there));
    b.wish([Wish::Resume(there)]);
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert!(b.bytes[&there] == pattern(1_000_000));
    a.is_in_time("the end of it", |status| status.streams.closing == 0);
    assert_eq!(a.so_far(), []);
}

#[test]
fn both_ends_may_close_at_once() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    for _ in 0..20 {
        let (here, there) = a.connect(&mut b);
        a.wish([Wish::Write(here, b"x".to_vec()), Wish::Close(here)]);
        b.wish([Wish::Close(there)]);
        a.is_in_time("its end", |status| {
            status.streams.open + status.streams.closing == 0
        });
        b.is_in_time("its end", |status| {
            status.streams.open + status.streams.closing == 0
        });
        // If the other was quicker, it is told so.
        for heard in [a.so_far(), b.so_far()].concat() {
            assert!(matches!(heard, Heard::Closed(_, Closed::Orderly)), "{heard:?}");
        }
    }
}

#[test]
fn what_is_dialled_written_and_closed_at_once_arrives() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    a.wish([Wish::DialWriteClose(b.port(), b"all of it".to_vec())]);
    let there = b.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert_eq!(b.bytes[&there], b"all of it");
    assert_eq!(a.so_far(), []);
}

#[test]
fn a_reader_that_pauses_blocks_the_writer_and_loses_nothing() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let (here, there) = a.connect(&mut b);
    b.wish([Wish::Pause(there)]);
    let (mut written, mut blocked) = (0, false);
    while !blocked {
        a.wish([Wish::WriteMuch(here, 100_000)]);
        written += 1;
        blocked = a.so_far().contains(&Heard::Blocked(here));
        assert!(written < 1_000, "no buffer is as large");
    }
    // It is told once, whatever more is written.
    a.wish([Wish::WriteMuch(here, 100_000)]);
    assert_eq!(a.so_far(), []);
    assert!(a.status().streams.backlogs >= 100_000);
    assert_eq!((b.so_far(), b.bytes.get(&there)), (vec![], None));
    b.wish([Wish::Resume(there)]);
    a.hear(&Heard::Writable(here));
    let len = (written + 1) * 100_000;
    let whole: Vec<u8> = (0..=written).flat_map(|_| pattern(100_000)).collect();
    assert!(b.read(there, len) == whole);
    assert_eq!(a.status().streams.backlogs, 0);
    assert_eq!(a.so_far(), []);
    // And blocks anew.
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::WriteMuch(here, 8_000_000)]);
    a.hear(&Heard::Blocked(here));
}

#[test]
fn the_end_lies_behind_the_bytes_and_is_told_when_they_were_read() {
    let (mut a, mut b) = (Host::start(), Host::listening());
    let (here, there) = a.connect(&mut b);
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::Write(here, b"unread".to_vec()), Wish::Close(here)]);
    // Another connection shows that it would have been told by now.
    let (_, other) = a.connect(&mut b);
    assert_ne!(there, other);
    assert_eq!((b.so_far(), b.bytes.get(&there)), (vec![], None));
    b.wish([Wish::Resume(there)]);
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert_eq!(b.bytes[&there], b"unread");
}

#[test]
fn a_node_that_is_stopped_at_once_resets_its_connections_and_one_that_stops_in_order_ends_them() {
    for (how, closed) in [(Stop::AtOnce, Closed::Reset), (Stop::InOrder, Closed::Orderly)] {
        let (mut a, mut b) = (Host::start(), Host::listening());
        let (here, there) = a.connect(&mut b);
        a.wish([Wish::Write(here, b"last words".to_vec())]);
        b.read(there, 10);
        a.stop(how);
        b.hear(&Heard::Closed(there, closed));
    }
}

#[test]
fn a_port_is_listened_on_again_right_after_its_connections_were_closed() {
    let ip = address();
    for _ in 0..3 {
        let (mut a, mut b) = (Host::start(), Host::at(ip, |_| {}));
        b.wish([Wish::Listen(PORT), Wish::Listen(PORT)]);
        let (here, there) = a.connect(&mut b);
        // The listener closes first, and its kernel remembers the connection for a minute.
        b.wish([Wish::Close(there)]);
        a.hear(&Heard::Closed(here, Closed::Orderly));
        b.is_in_time("its end", |status| status.streams.closing == 0);
        b.stop(Stop::InOrder);
    }
    // Where somebody else listens, it cannot.
    let mut b = Host::at(ip, |_| {});
    b.wish([Wish::Listen(PORT)]);
    let mut c = Host::at(ip, |_| {});
    c.wish_without_an_answer([Wish::Listen(PORT)]);
    let why = c.ends().expect_err("the port is taken").to_string();
    assert!(
        why.contains("cannot be bound") && why.ends_with("has it"),
        "{why}"
    );
}
