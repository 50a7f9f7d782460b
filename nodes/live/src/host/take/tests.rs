//! What has come in goes through the edge, all of it and in order.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use squall_nodes::HostKey;
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;

use super::*;
use crate::clock::monotonic;
use crate::policy::Policy;

const IP: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[test]
fn however_much_has_come_in_none_of_it_is_lost_between_the_sockets_and_the_edge() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let mut sockets = Sockets::new(IP, 212_992);
    while sockets.ports().count() < 20 {
        let free = UdpSocket::bind((IP, 0)).unwrap().local_addr().unwrap().port();
        // Another process may be quicker.
        let _ = sockets.bind(free);
    }
    let mut edge = Edge::new(IP, 7, HostKey::of("a"), 0, 64 << 20);
    edge.apply(Policy {
        number: 1,
        law: Some(LinkLaw::delaying(Latency::Constant(Span::from_secs(3600)))),
        ..Policy::default()
    });
    let sender = UdpSocket::bind((IP, 0)).unwrap();
    let ports: Vec<u16> = sockets.ports().collect();
    for port in &ports {
        for _ in 0..100 {
            sender.send_to(b"x", SocketAddrV4::new(IP, *port)).unwrap();
        }
    }
    let mut counts = Counts::default();
    take_in(&mut sockets, &mut edge, &mut counts);
    // So much at a time.
    assert_eq!((edge.held(), sockets.first()), (1024, None));
    // As before a wait.
    assert!(sockets.fill());
    take_in(&mut sockets, &mut edge, &mut counts);
    assert_eq!((edge.held(), counts), (2000, Counts::default()));
    assert!(sockets.read_until() <= monotonic());
}
