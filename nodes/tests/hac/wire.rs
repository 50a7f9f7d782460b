//! hac's packets and tables under arbitrary and mutated bytes: what is written reads back, what is not a packet is refused
//! and counted, nothing panics, and merging does not depend on who came first.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::world::{brisk, cast};
use proptest::prelude::*;
use squall_nodes::hac::table::{MAX_ENTRIES, Meeting, Table};
use squall_nodes::hac::wire::{
    Checksum, Code, Entry, Epoch, Head, Mode, NO_ID, Packet, Part, Status, WireError, entries_in, split,
};
use squall_nodes::hac::{Answer, HacFact, Role, Rules};

fn any_rules() -> impl Strategy<Value = Rules> {
    prop_oneof![Just(Rules::Original), Just(Rules::Hardened)]
}

fn any_code() -> impl Strategy<Value = Code> {
    prop_oneof![
        Just(Code::Hc),
        Just(Code::Hs),
        Just(Code::Ac),
        Just(Code::As),
        Just(Code::Ap)
    ]
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![Just(Part::Whole), Just(Part::More), Just(Part::Last)]
}

fn any_epoch() -> impl Strategy<Value = Epoch> {
    (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(counter, server, nonce)| Epoch {
        counter,
        server,
        nonce,
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let status = prop_oneof![Just(Status::Dead), Just(Status::Alive)];
    (
        any::<u32>(),
        any::<u32>(),
        any::<u16>(),
        status,
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(|(id, ip, port, status, heard, round)| {
            let addr = SocketAddrV4::new(Ipv4Addr::from(ip), port);
            Entry {
                id,
                addr,
                status,
                heard,
                round,
            }
        })
}

/// A packet as a node would write it.
fn any_packet() -> impl Strategy<Value = (Head, Part, u16, Vec<Entry>)> {
    let entries = proptest::collection::vec(any_entry(), 1..70);
    (
        any_rules(),
        any_code(),
        any_part(),
        any_epoch(),
        entries,
        0u16..500,
    )
        .prop_map(|(rules, code, part, epoch, mut entries, more)| {
            let mode = if code == Code::Ap {
                Mode::PeerToPeer
            } else {
                Mode::ClientServer
            };
            let introduces = code == Code::Ac && rules == Rules::Hardened;
            if code != Code::As && !introduces {
                entries.truncate(1);
            }
            let beyond = if code == Code::As { more } else { 0 };
            let total = entries.len() as u16 + beyond;
            (
                Head {
                    rules,
                    mode,
                    code,
                    epoch,
                },
                part,
                total,
                entries,
            )
        })
}

fn encoded((head, part, total, entries): &(Head, Part, u16, Vec<Entry>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.encode(*part, *total, entries, &mut bytes);
    bytes
}

/// Few ids and rounds, so that entries meet.
fn any_table() -> impl Strategy<Value = Table> {
    let entry =
        (1u32..5, 0u8..3, 0u32..3, 0u32..3, any::<bool>()).prop_map(|(id, last, heard, round, alive)| {
            Entry {
                id,
                addr: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 7400),
                status: if alive { Status::Alive } else { Status::Dead },
                heard,
                round,
            }
        });
    let epoch = (0u64..3, 1u32..3, 0u32..2).prop_map(|(counter, server, nonce)| Epoch {
        counter,
        server,
        nonce,
    });
    (epoch, proptest::collection::vec(entry, 0..8)).prop_map(|(epoch, entries)| {
        let mut table = Table::new(epoch);
        table.absorb(epoch, entries, Meeting::Greater);
        table
    })
}

fn merged(one: &Table, other: &Table) -> Table {
    let mut table = one.clone();
    table.merge(other);
    table
}

proptest! {
    #[test]
    fn what_is_written_reads_back(packet in any_packet()) {
        let bytes = encoded(&packet);
        let (head, part, total, entries) = packet;
        let read = Packet::decode(head.rules, Checksum::Verified, &bytes).unwrap();
        prop_assert_eq!((read.mode, read.code, read.part), (head.mode, head.code, part));
        prop_assert_eq!(read.entries.iter().collect::<Vec<_>>(), entries.clone());
        prop_assert_eq!(read.entries.first(), entries[0]);
        match head.rules {
            Rules::Original => prop_assert_eq!((read.epoch, read.total), (Epoch::NONE, entries.len() as u16)),
            Rules::Hardened => prop_assert_eq!((read.epoch, read.total), (head.epoch, total)),
        }
    }

    #[test]
    fn a_split_list_fits_its_datagrams_and_comes_together_again(
        rules in any_rules(),
        mtu in 45u16..1500,
        entries in proptest::collection::vec(any_entry(), 1..300),
    ) {
        let head = Head { rules, mode: Mode::ClientServer, code: Code::As, epoch: Epoch { counter: 1, server: 1, nonce: 1 } };
        let mut read = Vec::new();
        let mut parts = Vec::new();
        for (part, chunk) in split(&entries, entries_in(rules, mtu)) {
            let mut bytes = Vec::new();
            head.encode(part, entries.len() as u16, chunk, &mut bytes);
            prop_assert!(bytes.len() <= usize::from(mtu));
            let packet = Packet::decode(rules, Checksum::Verified, &bytes).unwrap();
            read.extend(packet.entries.iter());
            parts.push(packet.part);
        }
        prop_assert_eq!(read, entries);
        let last = parts.pop().unwrap();
        prop_assert_eq!(last, if parts.is_empty() { Part::Whole } else { Part::Last });
        prop_assert!(parts.iter().all(|part| *part == Part::More));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read_within_their_length(
        rules in any_rules(),
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        for checksum in [Checksum::Verified, Checksum::Ignored] {
            if let Ok(packet) = Packet::decode(rules, checksum, &bytes) {
                prop_assert!(packet.entries.len() * 19 < bytes.len());
                prop_assert_eq!(packet.entries.iter().count(), packet.entries.len());
            }
        }
    }

    #[test]
    fn a_mutated_packet_is_never_read_under_hardened(
        packet in any_packet(),
        flips in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let mut packet = packet;
        packet.0.rules = Rules::Hardened;
        let good = encoded(&packet);
        let mut bytes = good.clone();
        for flip in flips {
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Two flips of one bit take each other back. CRC-32C tells up to five at these lengths.
        prop_assume!(bytes != good);
        prop_assert!(Packet::decode(Rules::Hardened, Checksum::Verified, &bytes).is_err());
    }

    #[test]
    fn merging_commutes(a in any_table(), b in any_table()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merging_associates(a in any_table(), b in any_table(), c in any_table()) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merging_twice_is_merging_once(a in any_table(), b in any_table()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
    }
}

/// Each AC introduces sixty nodes that nobody has ever heard of.
#[test]
fn a_client_that_introduces_without_end_fills_no_more_than_a_table() {
    let mut world = brisk("Hardened", &cast(1), 1, |_| ());
    world.run(1_000);
    let Answer::Status { epoch, id, .. } = world.status(1);
    let own = Entry {
        id: id.unwrap(),
        addr: world.addr(1),
        status: Status::Alive,
        heard: 0,
        round: 1,
    };
    let head = Head {
        rules: Rules::Hardened,
        mode: Mode::ClientServer,
        code: Code::Ac,
        epoch,
    };
    for packet in 0..80 {
        let name = |i: u32| Entry {
            id: NO_ID,
            addr: SocketAddrV4::new(Ipv4Addr::from(0xc000_0000 + packet * 60 + i), 7400),
            ..own
        };
        let entries: Vec<Entry> = std::iter::once(own).chain((0..60).map(name)).collect();
        let mut bytes = Vec::new();
        head.encode(Part::Whole, entries.len() as u16, &entries, &mut bytes);
        world.inject(world.addr(1), 0, &bytes);
    }
    // The round is not over: nobody of them is told.
    world.run(1);
    let Answer::Status { rows, .. } = world.status(0);
    assert_eq!(rows.len(), MAX_ENTRIES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Half of the datagrams are rubbish, half are well-formed packets of anyone about anything.
    #[test]
    fn nodes_take_any_datagrams_and_carry_on(
        rules in any_rules(),
        rubbish in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 20),
        packets in proptest::collection::vec(any_packet(), 20),
        senders in proptest::collection::vec(0u32..6, 40),
    ) {
        let names = ["p1", "p2", "p3"].map(|name| (name, Role::Peer));
        let rules_name = if rules == Rules::Original { "Original" } else { "Hardened" };
        for cast in [cast(2), names.to_vec()] {
            let mut world = brisk(rules_name, &cast, 1, |_| ());
            world.run(700);
            let datagrams = rubbish.iter().cloned().chain(packets.iter().map(encoded));
            for (bytes, sender) in datagrams.zip(&senders) {
                let from = SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + sender), 7400);
                for host in 0..3 {
                    world.inject(from, host, &bytes);
                }
                world.run(20);
            }
            world.run(3_000);
            for host in 0..3 {
                world.status(host);
            }
        }
    }

    #[test]
    fn what_is_not_a_packet_is_counted_and_claimed_at_powers_of_two(count in 1u64..70) {
        let mut world = brisk("Hardened", &cast(1), 1, |_| ());
        for _ in 0..count {
            world.inject(world.addr(1), 0, &[9, 0, 0, 0]);
        }
        world.run(100);
        let counts = world.facts.iter().filter_map(|(_, _, fact)| match fact {
            HacFact::Unreadable { kind: WireError::OtherVersion, count } => Some(*count),
            _ => None,
        });
        let expected: Vec<u64> = (0..).map(|power| 1 << power).take_while(|power| *power <= count).collect();
        prop_assert_eq!(counts.collect::<Vec<_>>(), expected);
        world.assert_held();
    }
}
