//! Sockets give and take what they should, and count the rest.

use std::time::Duration;

use squall_nodes::Span;

use super::*;

const IP: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Sockets on ports that nobody has, and a runtime that watches them.
fn sockets(ports: usize, buffer: usize) -> (Sockets, Vec<u16>, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let mut sockets = Sockets::new(IP, buffer);
    let inside = runtime.enter();
    while sockets.open.len() < ports {
        let free = UdpSocket::bind((IP, 0)).unwrap().local_addr().unwrap().port();
        // Another process may be quicker.
        if sockets.bind(free).is_ok() {
            sockets.bind(free).unwrap();
        }
    }
    drop(inside);
    let open = sockets.ports().collect();
    (sockets, open, runtime)
}

fn to(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(IP, port)
}

#[test]
fn a_flood_on_one_port_starves_no_other_and_is_counted() {
    let (mut sockets, ports, _runtime) = sockets(2, 212_992);
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    for _ in 0..1_000 {
        sender.send_to(&[1; 200], to(ports[0])).unwrap();
    }
    sender.send_to(b"honest", to(ports[1])).unwrap();
    assert!(sockets.fill());
    let mut batch = Vec::new();
    while let Some(letter) = sockets.take() {
        batch.push((letter.port, sockets.bytes_of(letter).to_vec()));
    }
    assert!(batch.len() <= BATCH);
    assert!(
        batch.contains(&(ports[1], b"honest".to_vec())),
        "in the first batch"
    );
    let mut read = batch.len() as u64;
    while sockets.fill() {
        while sockets.take().is_some() {
            read += 1;
        }
    }
    let dropped = sockets.dropped_by_kernel().unwrap();
    assert_eq!(read + dropped, 1_001);
    assert!(dropped > 500, "{dropped}");
    assert_eq!(sockets.dropped_by_kernel().unwrap(), 0, "each is counted once");
}

#[test]
fn a_batch_of_long_datagrams_ends_where_its_bytes_do() {
    let (mut sockets, ports, _runtime) = sockets(1, 212_992);
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    // The kernel takes at least this many.
    for fill in [1, 2] {
        sender.send_to(&[fill; LONGEST_DATAGRAM], to(ports[0])).unwrap();
    }
    let mut read = Vec::new();
    while sockets.fill() {
        while let Some(letter) = sockets.take() {
            let bytes = sockets.bytes_of(letter);
            assert_eq!(bytes.len(), LONGEST_DATAGRAM);
            read.push(bytes[LONGEST_DATAGRAM - 1]);
        }
    }
    assert_eq!(read, [1, 2]);
}

#[test]
fn the_kernel_keeps_as_much_as_it_is_told_to() {
    let (mut sockets, ports, _runtime) = sockets(1, 20_000);
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    for _ in 0..100 {
        sender.send_to(b"x", to(ports[0])).unwrap();
    }
    let mut read = 0;
    while sockets.fill() {
        while sockets.take().is_some() {
            read += 1;
        }
    }
    assert!((20..30).contains(&read), "{read} of about 768 bytes in 20 000");
    assert_eq!(sockets.dropped_by_kernel().unwrap(), 100 - read);
}

#[test]
fn what_cannot_be_sent_is_counted_and_what_nobody_hears_is_not() {
    let (sockets, ports, _runtime) = sockets(1, 212_992);
    let mut counts = Counts::default();
    let here = ports[0];
    let cannot = [
        (here, SocketAddrV4::new(IP, 0)),
        (here, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 9)),
        (here, SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 1), 9)),
        (here ^ 1, to(9)),
    ];
    for (port, to) in cannot {
        assert!(!sockets.admits(port, to, 1, &mut counts), "{port} to {to}");
    }
    assert_eq!(counts.unsent, 4);
    assert!(!sockets.admits(here, to(9), LONGEST_DATAGRAM + 1, &mut counts));
    assert!(sockets.admits(here, to(9), LONGEST_DATAGRAM, &mut counts));
    assert_eq!((counts.unsent, counts.too_long), (4, 1));
    // From the loopback network nothing leaves the machine.
    let away = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9);
    sockets.send(here, away, b"x", &mut counts);
    assert_eq!(counts.unsent, 5);
    // Nobody listens there, and nobody is told: the next one goes out all the same.
    let heard = UdpSocket::bind((IP, 0)).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let gone = UdpSocket::bind((IP, 0)).unwrap().local_addr().unwrap().port();
    sockets.send(here, to(gone), b"x", &mut counts);
    sockets.send(here, to(heard.local_addr().unwrap().port()), b"y", &mut counts);
    let mut bytes = [0; 9];
    assert_eq!(heard.recv(&mut bytes).unwrap(), 1);
    assert_eq!(counts.unsent, 5);
}

#[test]
fn a_buffer_beyond_what_the_kernel_can_count_is_the_largest_and_not_the_smallest() {
    let given = |buffer| {
        let (sockets, ..) = sockets(1, buffer);
        let socket = sockets.open[0].socket.get_ref();
        socket2::SockRef::from(socket).recv_buffer_size().unwrap()
    };
    let most = given(MOST_BUFFER);
    assert!(most >= 212_992, "{most}");
    for beyond in [8192 << 20, (1 << 32) + 2, usize::MAX] {
        assert_eq!(given(beyond), most, "{beyond}");
    }
}

#[test]
fn a_datagram_that_waited_in_the_kernel_is_known_to_have() {
    let (mut sockets, ports, _runtime) = sockets(2, 212_992);
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    let waits = Span::from_millis(5);
    let until = monotonic() + Span::from_secs(60);
    // A machine on which nobody else wants to know begins to look at its clock a moment after it is asked to.
    loop {
        let before = monotonic();
        assert!(before < until, "the kernel says nothing of it");
        // The order in which they came in, and not that of the ports.
        for port in [ports[1], ports[0], ports[1]] {
            sender.send_to(b"x", to(port)).unwrap();
        }
        let sent = monotonic();
        while monotonic() < sent + waits {}
        sockets.waited();
        assert!(sockets.fill());
        let read = monotonic();
        let mut letters = Vec::new();
        while let Some(letter) = sockets.take() {
            letters.push((letter.port, letter.received));
        }
        assert!(!sockets.fill());
        assert_eq!(letters.len(), 3);
        assert!(letters.is_sorted_by_key(|(_, received)| *received));
        let [(first, earliest), .., (_, latest)] = letters[..] else {
            unreachable!("there are three");
        };
        assert!(latest <= read);
        // Both clocks are read one after the other, and compared at two instants.
        let apart = Span::from_millis(1);
        if latest + waits <= read + apart && earliest + apart >= before {
            assert_eq!(first, ports[1]);
            break;
        }
    }
}

#[test]
fn what_is_in_the_inbox_is_there_until_it_is_taken() {
    let (mut sockets, ports, _runtime) = sockets(1, 212_992);
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    for _ in 0..200 {
        sender.send_to(b"x", to(ports[0])).unwrap();
    }
    let mut taken = 0;
    // Whoever has looked does not have to take at once.
    while sockets.fill() && sockets.fill() {
        while sockets.take().is_some() {
            taken += 1;
        }
    }
    assert_eq!(taken + sockets.dropped_by_kernel().unwrap(), 200);
}
