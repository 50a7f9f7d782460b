//! A node that persists and records all the time, and is killed at moments that nobody has chosen: what it has said is on its disk, its next
//! life begins with that, and what was recorded of each life replays to the last entry that is whole.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use squall_nodes::hac::Rules;
use squall_nodes::hac::wire::{Checksum, Code, Entry, Epoch, NO_ID, Packet, Status};

use crate::cluster::{Cluster, PATIENCE};
use crate::garbage::{Draws, packet_in};

/// How often it is killed.
const LIVES: u64 = 40;
/// How many join in each life, about at once.
const JOIN: usize = 6;

/// One who asks the server for an id: each new one is written down.
struct Newcomer {
    socket: UdpSocket,
    address: SocketAddrV4,
}

impl Newcomer {
    fn new(cluster: &Cluster) -> Self {
        let socket = UdpSocket::bind((cluster.ip(200), 0)).expect("a port");
        // When an answer is lost, or the server does not serve yet, it asks again.
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout");
        let Ok(SocketAddr::V4(address)) = socket.local_addr() else {
            panic!("it is bound to an address of IPv4");
        };
        Newcomer { socket, address }
    }

    fn ask(&self, server: SocketAddrV4) {
        let own = Entry {
            id: NO_ID,
            addr: self.address,
            status: Status::Alive,
            heard: 0,
            round: 0,
        };
        // That nobody listened before is told here, once.
        let _ = self
            .socket
            .send_to(&packet_in(Epoch::NONE, Code::Hc, &[own]), server);
    }

    /// The id that it is given.
    fn await_id(&self, server: SocketAddrV4) -> u32 {
        let until = Instant::now() + PATIENCE;
        let mut room = [0; 2_000];
        while Instant::now() < until {
            match self.socket.recv(&mut room) {
                Ok(len) => {
                    let packet = Packet::decode(Rules::Hardened, Checksum::Verified, &room[..len]);
                    let packet = packet.expect("the server sends packets");
                    if packet.code == Code::Hs {
                        return packet.entries.first().id;
                    }
                }
                Err(why) => {
                    let kinds = [ErrorKind::WouldBlock, ErrorKind::ConnectionRefused];
                    assert!(kinds.contains(&why.kind()), "{why}");
                    self.ask(server);
                }
            }
        }
        panic!("the server gives no id");
    }
}

#[test]
fn what_a_killed_node_has_said_is_on_its_disk_and_in_its_recording() {
    let mut cluster = Cluster::new();
    // Two rounds of silence, and it serves again.
    cluster.timing =
        "round: \"100ms\", availability_interval: \"100ms\", client_timeout: \"110ms\", misses: 2";
    let server = cluster.start("s", "record: (folder: \"s/flights\", keep: 1000)");
    let address = cluster.nodes[server].address;
    let mut draws = Draws(4);
    let mut known: Vec<(Newcomer, Option<u32>)> = Vec::new();
    let mut granted = BTreeMap::<String, u64>::new();
    let mut last_life = None;
    for _ in 0..LIVES {
        let before = known.len();
        known.extend((0..JOIN).map(|_| (Newcomer::new(&cluster), None)));
        for (newcomer, _) in &known[before..] {
            newcomer.ask(address);
        }
        // Some have been answered; what is done about the others is under way.
        for (newcomer, id) in &mut known[before..][..draws.below(JOIN)] {
            *id = Some(newcomer.await_id(address));
        }
        cluster.kill(server);
        let seen = &cluster.nodes[server].seen;
        // It may have been killed before it came to that.
        if let Some(booted) = &seen.booted {
            let life = booted["incarnation"].as_u64();
            assert!(life > last_life, "{life:?} after {last_life:?}");
            last_life = life;
        }
        for fact in seen.named("granted") {
            let fact = &fact["Granted"];
            let (id, to) = (fact["id"].as_u64().expect("an id"), fact["addr"].as_str());
            let to = to.expect("an address").to_owned();
            // Nothing that was said is taken back, and no id is given away twice.
            assert!(
                granted.values().all(|given| *given != id),
                "{id} is given to {to}"
            );
            assert_eq!(granted.insert(to, id), None);
        }
        assert_eq!(seen.named("disk_unreadable").count(), 0);
        cluster.start_again(server);
    }
    // Everyone who was told an id has it still.
    for (newcomer, id) in &known {
        let claimed = granted.get(&newcomer.address.to_string());
        if let Some(id) = id {
            assert_eq!(claimed, Some(&u64::from(*id)), "it is told before it is sent");
        }
        newcomer.ask(address);
        let again = newcomer.await_id(address);
        if let Some(claimed) = claimed {
            assert_eq!(u64::from(again), *claimed);
        }
    }
    cluster.until("it has booted", |cluster| {
        cluster.nodes[server].seen.booted.is_some()
    });
    let booted = cluster.nodes[server].seen.booted.as_ref();
    assert_eq!(booted.map(|booted| &booted["disk"]), Some(&"Kept".into()));
    assert!(cluster.stop(server).success());
    replay_all(&cluster);
}

/// Replays all recordings: each is as the node lived it, up to the last whole entry.
fn replay_all(cluster: &Cluster) {
    let folder = std::fs::read_dir(cluster.path("s/flights")).expect("a folder");
    let mut flights: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    flights.retain(|path| path.extension().is_some_and(|end| end == "sqf"));
    flights.sort();
    assert!(flights.len() as u64 > LIVES / 2, "{} recordings", flights.len());
    let replayed = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["replay", "--format", "json"])
        .args(&flights)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let told = String::from_utf8(replayed.stdout).expect("UTF-8");
    assert!(
        replayed.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&replayed.stderr)
    );
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(told.len(), flights.len());
    for one in told {
        assert!(one["difference"].is_null(), "{one}");
        assert!(one["inputs"].as_u64().is_some_and(|inputs| inputs > 0), "{one}");
    }
}
