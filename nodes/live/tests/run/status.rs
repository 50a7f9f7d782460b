//! What a node says of itself.

use std::net::{Ipv4Addr, UdpSocket};

use squall_live::settings::Attendance;
use squall_live::{Policy, Recording, Stop};
use squall_nodes::{DiskAtBoot, Span};

use crate::clerk::{Alone, Wish, settings};

#[test]
fn the_status_says_who_it_is_and_how() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.data = Some(folder.path().join("data"));
    let node = Alone::start(settings.clone());
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    for wish in [Wish::Bind(port), Wish::Arm, Wish::Claims(40, 3), Wish::Persist] {
        node.wish(wish);
    }
    let policy = Policy {
        number: 12,
        ..Policy::default()
    };
    let applied = node.runtime.block_on(node.asker.apply(policy)).unwrap();
    let status = node.status();
    assert!(applied <= status.now && status.booted <= Some(applied));
    assert_eq!(
        (status.name.as_str(), status.role.as_str()),
        ("c1", Some("Clerk"))
    );
    assert_eq!((status.config.as_u64(), status.seed), (Some(3), 5));
    assert_eq!((status.incarnation, status.disk), (0, DiskAtBoot::Fresh));
    assert_eq!(status.ports, [port]);
    assert_eq!(status.timers[0].timer, "Hour");
    assert!(status.timers[0].within <= Span::from_secs(3600));
    // Of each kind of fact the last: what comes often pushes nothing out.
    assert_eq!((status.facts.len(), status.claims["filed"]), (1, 40));
    assert_eq!(
        (status.facts[0].name.as_str(), status.facts[0].count),
        ("filed", 40)
    );
    assert_eq!(status.facts[0].says, "Filed { text: \"xxx\" }");
    assert_eq!((status.writes.completed, status.writes.waiting), (1, 0));
    assert_eq!(
        (status.policy, status.recording.clone()),
        (Some(12), Recording::Off)
    );
    let json = status.to_json();
    assert_eq!(json["claims"]["filed"], 40);
    // Numbers are numbers, with units in the names of what they are of.
    for value in [
        &json["now_ms"],
        &json["booted_ms"],
        &json["up_ms"],
        &json["timers"][0]["within_ms"],
        &json["timers"][0]["at_ms"],
        &json["facts"][0]["ago_ms"],
        &json["stalls"]["longest_ms"],
        &json["delayed_bytes"],
        &json["writes"]["waiting_bytes"],
    ] {
        assert!(value.is_number(), "{json}");
    }
    let up = json["now_ms"].as_f64().unwrap() - json["booted_ms"].as_f64().unwrap();
    assert!((json["up_ms"].as_f64().unwrap() - up).abs() < 1e-3, "{json}");
    node.stop(Stop::InOrder);
    // Its folder is free at once, and the next life is another one.
    let node = Alone::start(settings);
    assert_eq!(
        (node.status().incarnation, node.status().disk),
        (1, DiskAtBoot::Kept)
    );
    node.stop(Stop::AtOnce);
}
