//! Garbage and floods on the datagram ports of a cluster that goes on with its work.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use squall_nodes::hac::wire::WireError;

use crate::cluster::Cluster;
use crate::garbage::{Draws, LONGEST, datagram, why};
use crate::operators::figure;

/// What a node takes at most, its program included, whatever it is sent: 64 MiB. Its inbox is 208 KiB and a batch of 128 KiB.
const MOST_MEMORY: u64 = 64 << 20;

fn assert_memory(cluster: &Cluster) {
    for (place, node) in cluster.nodes.iter().enumerate() {
        let most = cluster.most_memory(place);
        assert!(most < MOST_MEMORY, "{} took {most} bytes", node.name);
    }
}

/// How often a node has claimed to have been sent what it could not read, by why: the last that it said of each.
fn unreadable(cluster: &Cluster, place: usize) -> BTreeMap<String, u64> {
    let facts = cluster.nodes[place].seen.named("unreadable");
    let told = facts.map(|fact| {
        let fact = &fact["Unreadable"];
        let kind = fact["kind"].as_str().expect("a kind").to_owned();
        (kind, fact["count"].as_u64().expect("a count"))
    });
    told.collect()
}

#[test]
fn garbage_is_counted_and_nobody_is_lost() {
    const OF_EACH: u64 = 64;
    let mut cluster = Cluster::of_four();
    let socket = UdpSocket::bind((cluster.ip(200), 0)).expect("a port");
    let mut draws = Draws(1);
    let kinds = [
        WireError::TooShort,
        WireError::OtherVersion,
        WireError::OtherMode,
        WireError::BadChecksum,
        WireError::RaggedList,
    ];
    let enough = |cluster: &Cluster, place: usize| {
        let told = unreadable(cluster, place);
        kinds.iter().all(|kind| {
            told.get(&format!("{kind:?}"))
                .is_some_and(|count| *count >= OF_EACH)
        })
    };
    let mut sent = BTreeMap::<String, u64>::new();
    let mut turn = 0;
    cluster.until("all kinds of garbage are claimed", |cluster| {
        // A little at a time, so that most of it finds room: as often as anybody says anything.
        for bytes in (0..8).map(|kind| datagram(&mut draws, turn + kind)) {
            let why = why(&bytes).expect("it is garbage");
            *sent.entry(format!("{why:?}")).or_default() += 1;
            for node in &cluster.nodes {
                socket.send_to(&bytes, node.address).expect("loopback takes it");
            }
        }
        turn += 8;
        (0..cluster.nodes.len()).all(|place| enough(cluster, place))
    });
    for place in 0..cluster.nodes.len() {
        for (kind, count) in unreadable(&cluster, place) {
            assert!(count <= sent[&kind], "{kind}: {count} claimed of {}", sent[&kind]);
        }
    }
    cluster.until_whole("with garbage behind it");
    // The longest that there can be, until the count of its kind is claimed again; what is longer, the kernel does not pass on.
    let long = draws.bytes(LONGEST);
    let kind = format!("{:?}", why(&long).expect("it is garbage"));
    let before: Vec<_> = (0..cluster.nodes.len())
        .map(|place| unreadable(&cluster, place).remove(&kind))
        .collect();
    let longer = socket.send_to(&vec![0; LONGEST + 1], cluster.nodes[0].address);
    assert!(longer.is_err(), "no datagram is longer");
    cluster.until("long garbage is claimed", |cluster| {
        for node in &cluster.nodes {
            socket.send_to(&long, node.address).expect("loopback takes it");
        }
        let mut nodes = before.iter().enumerate();
        nodes.all(|(place, before)| unreadable(cluster, place).remove(&kind) > *before)
    });
    cluster.until_whole("after the longest datagram");
    for place in 0..cluster.nodes.len() {
        let name = cluster.nodes[place].name.clone();
        let shown = figure(
            cluster.nodes[place].address,
            "squall_facts_total{fact=\"unreadable\"}",
        );
        let claimed = cluster.nodes[place].seen.named("unreadable").count() as u64;
        assert_eq!(shown, claimed, "{name}");
    }
    assert_memory(&cluster);
}

#[test]
fn what_finds_no_room_is_counted() {
    let mut cluster = Cluster::of_four();
    let socket = UdpSocket::bind((cluster.ip(200), 0)).expect("a port");
    // It takes nothing in, so that what the kernel keeps for it is full after some hundreds.
    cluster.signal(3, "-STOP");
    for _ in 0..2_000 {
        socket
            .send_to(&[0; 100], cluster.nodes[3].address)
            .expect("loopback takes it");
    }
    cluster.signal(3, "-CONT");
    cluster.until("it is counted", |cluster| {
        cluster.nodes[3].seen.count("overflowed") > 1_000
    });
    let counted = cluster.nodes[3].seen.count("overflowed");
    let shown = figure(
        cluster.nodes[3].address,
        "squall_datagrams_total{fate=\"overflowed\"}",
    );
    assert!(counted <= shown, "{counted} and {shown}");
    cluster.until_whole("after the pause");
}

#[test]
fn a_flood_on_every_port_loses_nobody() {
    const FROM_EACH: u64 = 100_000;
    let mut cluster = Cluster::of_four();
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address).collect();
    let sent = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooders: Vec<_> = (0..4u8)
            .map(|flooder| {
                let socket = UdpSocket::bind((cluster.ip(200 + flooder), 0)).expect("a port");
                let (sent, addresses) = (&sent, &addresses);
                scope.spawn(move || {
                    let mut draws = Draws(u64::from(flooder));
                    let garbage: Vec<Vec<u8>> = (0..64).map(|turn| datagram(&mut draws, turn)).collect();
                    for turn in 0..FROM_EACH as usize {
                        let to = addresses[turn % addresses.len()];
                        let bytes = &garbage[turn / addresses.len() % garbage.len()];
                        // The sender may have no room either.
                        if socket.send_to(bytes, to).is_ok() {
                            sent.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        // While it lasts, operators are answered.
        let (is_over, addresses) = (&is_over, &addresses);
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for node in addresses {
                    figure(*node, "squall_datagrams_total{fate=\"delivered\"}");
                }
            }
        });
        let ends: Vec<_> = flooders.into_iter().map(|flooder| flooder.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "somebody could not send");
    });
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent >= FROM_EACH, "{sent}");
    cluster.until_whole("after the flood");
    for node in &cluster.nodes {
        let of = |fate| {
            figure(
                node.address,
                &format!("squall_datagrams_total{{fate=\"{fate}\"}}"),
            )
        };
        let told = of("delivered") + of("overflowed");
        // Each had its share; the kernel may have dropped some on the way to the socket, which nobody is told of.
        assert!(told >= sent / 8, "{}: {told} of {sent}", node.name);
    }
    assert_memory(&cluster);
}
