//! What a node needs and cannot have, when it starts or later.

use std::net::{Ipv4Addr, UdpSocket};

use squall_live::settings::Attendance;

use crate::clerk::{Alone, Wish, settings};

#[test]
fn a_port_that_another_process_has_stops_the_node_and_is_named() {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    assert_eq!(
        node.ends().unwrap_err().to_string(),
        format!(
            "the node asked for port {port}, and 127.0.0.1:{port} cannot be bound: another process has it"
        )
    );
    // An address of the documents' own, which no machine has.
    let node = Alone::start(settings(Ipv4Addr::new(192, 0, 2, 1), Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    let why = node.ends().unwrap_err().to_string();
    assert!(why.ends_with("this machine does not have that address"), "{why}");
}

#[test]
fn what_is_not_done_live_is_refused_by_name() {
    for (wish, what) in [(Wish::Listen, "streams"), (Wish::Join, "multicast")] {
        let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
        node.call(0, wish, 0);
        assert_eq!(
            node.ends().unwrap_err().to_string(),
            format!("the node asked for {what}, and this version does not do {what} live")
        );
    }
}

#[test]
fn lines_that_cannot_be_kept_are_an_error_at_the_start() {
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.lines = Some("/proc/lines".into());
    let why = Alone::start(settings).ends().unwrap_err().to_string();
    assert!(why.starts_with("lines cannot be written to /proc/lines"), "{why}");
}
