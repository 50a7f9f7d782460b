//! Peers of no manners: more connections, bytes and slowness than a node has room for. It is bounded, counted, and harms nobody else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use squall_live::clock::monotonic;
use squall_nodes::Span;

use crate::rig::{Heard, Host, PORT, Wish, address, pattern};

#[test]
fn ten_thousand_connections_from_one_peer_take_no_more_than_their_share_and_nothing_of_an_honest_one() {
    let (mut b, mut a) = (Host::listening(), Host::start());
    let (here, there) = a.connect(&mut b);
    let port = b.port();
    let flood = thread::spawn(move || {
        let mut kept = Vec::new();
        let mut reset = 0;
        for _ in 0..10_000 {
            // From another address than the honest one; a port that is used up is one fewer.
            let Ok(stream) = dial(port) else { continue };
            kept.push(stream);
            // Those that were reset take a descriptor of this process each.
            if kept.len() >= 300 {
                let before = kept.len();
                kept.retain(|stream| !is_reset(stream));
                reset += before - kept.len();
            }
        }
        (kept, reset)
    });
    // Meanwhile the honest one is answered, and a new one is let in.
    let mut rounds = 0;
    while !flood.is_finished() {
        rounds += 1;
        a.wish([Wish::Write(here, b"ping".to_vec())]);
        assert_eq!(b.read(there, 4), b"ping");
        b.wish([Wish::Write(there, b"pong".to_vec())]);
        assert_eq!(a.read(here, 4), b"pong");
        if rounds % 50 == 1 {
            let (new, new_there) = a.connect(&mut b);
            b.wish([Wish::Close(new_there)]);
            a.hear(&Heard::Closed(new, squall_nodes::Closed::Orderly));
        }
        let status = b.status();
        assert!(status.streams.open <= 256 + 3, "{}", status.streams.open);
    }
    let (kept, reset) = flood.join().unwrap();
    let counts = b
        .is_in_time("the flood", |status| {
            status.counts.streams.crowded as usize >= reset
        })
        .counts;
    assert!(reset > 5_000, "{reset}");
    assert!(counts.streams.crowded > 5_000, "{}", counts.streams.crowded);
    assert_eq!(counts.streams.shut, 0);
    drop(kept);
    b.is_in_time("their ends", |status| status.streams.open <= 3);
}

/// From one address, that is no node's.
fn dial(to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 77, 7, 7), 0).into())?;
    // One that finds no room in the kernel's line is not waited for.
    socket.connect_timeout(&to.into(), std::time::Duration::from_millis(200))?;
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn is_reset(mut stream: &TcpStream) -> bool {
    let read = stream.read(&mut [0]);
    !matches!(read, Err(why) if why.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn a_hundred_megabytes_pass_in_pieces_that_are_read_one_at_a_time() {
    let (mut b, mut a) = (Host::listening(), Host::start());
    let (here, there) = a.connect(&mut b);
    let port = b.port();
    let whole = pattern(1 << 20);
    let flood = thread::spawn(move || {
        let mut stream = TcpStream::connect(port).unwrap();
        for _ in 0..100 {
            stream.write_all(&whole).unwrap();
        }
    });
    let flooded = b.hear_that("the flood", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    let mut come = 0;
    while come < 100 << 20 {
        let piece = b.read(flooded, 1 << 20);
        assert!(piece == pattern(1 << 20));
        come += piece.len();
        // In between, an honest peer is answered.
        a.wish([Wish::Write(here, b"ping".to_vec())]);
        assert_eq!(b.read(there, 4), b"ping");
    }
    flood.join().unwrap();
    b.hear(&Heard::Closed(flooded, squall_nodes::Closed::Orderly));
    assert_eq!(b.status().counts.streams.read, (100 << 20) + 4 * 100);
}

#[test]
fn a_flood_on_connections_keeps_no_timer_and_no_datagram_waiting() {
    // What floods it is all zeros, and nobody keeps it.
    let mut b = Host::hearing(|bytes| bytes[0] != 0, address(), |_| {});
    b.wish([Wish::Listen(PORT)]);
    let port = b.port();
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let over = over.clone();
            thread::spawn(move || {
                let mut stream = TcpStream::connect(port).unwrap();
                let bytes = vec![0; 1 << 16];
                while !over.load(Ordering::Relaxed) && stream.write_all(&bytes).is_ok() {}
            })
        })
        .collect();
    for round in 0..50 {
        b.wish([Wish::Arm(monotonic() + Span::from_millis(1))]);
        b.hear(&Heard::Rang);
        // A byte now and then comes through.
        if round % 10 == 0 {
            let mut slow = TcpStream::connect(port).unwrap();
            let conn = b.hear_that("a slow one", |heard| match heard {
                Heard::Accepted(conn, _, from)
                    if SocketAddrV4::new(*from.ip(), from.port()) == own(&slow) =>
                {
                    Some(*conn)
                }
                _ => None,
            });
            for byte in 1..6_u8 {
                slow.write_all(&[byte]).unwrap();
                assert_eq!(b.read(conn, 1), [byte]);
            }
        }
    }
    let read = b.status().counts.streams.read;
    assert!(read > 1 << 20, "it was no flood: {read}");
    over.store(true, Ordering::Relaxed);
    drop(b);
    for flood in floods {
        flood.join().unwrap();
    }
}

fn own(stream: &TcpStream) -> SocketAddrV4 {
    match stream.local_addr().unwrap() {
        std::net::SocketAddr::V4(own) => own,
        std::net::SocketAddr::V6(_) => unreachable!("it was made for IPv4"),
    }
}

#[test]
fn connections_that_say_nothing_take_no_room_from_those_that_do() {
    let mut b = Host::with(|settings| settings.streams.of_peer = usize::MAX);
    b.wish([Wish::Listen(PORT)]);
    let port = b.port();
    let silent: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(port).unwrap()).collect();
    let mut a = Host::start();
    let (here, there) = a.connect(&mut b);
    a.wish([Wish::WriteMuch(here, 3_000_000)]);
    assert!(b.read(there, 3_000_000) == pattern(3_000_000));
    assert_eq!(b.status().streams.open, 501);
    drop(silent);
    b.is_in_time("their ends", |status| status.streams.open == 1);
}

#[test]
fn a_flood_of_datagrams_keeps_no_connection_waiting() {
    let mut b = Host::listening();
    let at = b.port();
    b.wish([Wish::Bind(PORT)]);
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let floods = over.clone();
    let flood = thread::spawn(move || {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        while !floods.load(Ordering::Relaxed) {
            // What finds no room is dropped there.
            let _ = socket.send_to(&[0; 8], at);
        }
    });
    b.is_in_time("a flood", |status| status.counts.delivered > 0);
    let mut a = Host::start();
    let (here, there) = a.connect(&mut b);
    for _ in 0..20 {
        a.wish([Wish::Write(here, b"ping".to_vec())]);
        assert_eq!(b.read(there, 4), b"ping");
        b.wish([Wish::Write(there, b"pong".to_vec())]);
        assert_eq!(a.read(here, 4), b"pong");
    }
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}
