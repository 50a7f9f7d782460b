//! refinery's codec: encoding and decoding again changes nothing whatever the cuts between bytes, and any bytes at all are taken.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use squall_nodes::refinery::Told;
use squall_nodes::refinery::wire::{
    Credential, Decoder, Epoch, Establish, Grant, Link, MAX_CERT, MAX_NAME, Object, Packet, Report, Row,
    Value, Why, WireError,
};

/// A text that may well hold what frames a packet.
fn text(most: usize) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(";;".to_owned()),
        Just("<EOF>".to_owned()),
        Just("<EO".to_owned()),
        Just("\\u003c\"}".to_owned()),
        any::<char>().prop_map(String::from),
        "[a-z;<>]{0,6}",
    ];
    prop::collection::vec(part, 1..6).prop_map(move |parts| {
        let mut text = parts.concat();
        while text.len() > most {
            text.pop();
        }
        if text.is_empty() { "x".to_owned() } else { text }
    })
}

fn address() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

fn packet() -> impl Strategy<Value = Packet> {
    let link = prop::sample::select(vec![Link::Node, Link::Child, Link::Follower, Link::Reigning]);
    let name = || text(MAX_NAME);
    let epoch = || 0..=Epoch::LAST.0;
    let establish = (name(), name(), name(), any::<u16>(), epoch(), link).prop_map(
        |(id, version, kind, port, epoch, link)| {
            Packet::Establish(Establish {
                id,
                version,
                kind,
                port,
                epoch: Epoch(epoch),
                link,
            })
        },
    );
    let row = (name(), address(), name(), address()).prop_map(|(id, address, kind, upstream)| {
        Packet::Row(Row {
            id,
            address,
            kind,
            upstream,
        })
    });
    let grant = (address(), epoch()).prop_map(|(upstream, epoch)| {
        let epoch = Epoch(epoch);
        Packet::Grant(Grant { upstream, epoch })
    });
    prop_oneof![
        establish,
        row,
        grant,
        prop::option::of(any::<[u8; 16]>()).prop_map(Packet::StartAuth),
        text(MAX_CERT).prop_map(|cert| Packet::AuthStart(Credential::Cert(cert))),
        any::<[u8; 32]>().prop_map(|proof| Packet::AuthStart(Credential::Proof(proof))),
        Just(Packet::Ack),
        Just(Packet::Dec),
        Just(Packet::Close(None)),
        Just(Packet::Close(Some(Why::Full))),
        Just(Packet::Close(Some(Why::NoMaster))),
        Just(Packet::Close(Some(Why::Unexpected))),
        Just(Packet::Close(Some(Why::Version))),
        Just(Packet::Close(Some(Why::Replaced))),
        epoch().prop_map(|epoch| Packet::Close(Some(Why::NotReigning(Epoch(epoch))))),
        Just(Packet::Alive(None)),
        address().prop_map(|upstream| Packet::Alive(Some(Report::Has(upstream)))),
        address().prop_map(|upstream| Packet::Alive(Some(Report::Lost(upstream)))),
        name().prop_map(Packet::Gone),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = text(40).prop_map(Value::Text);
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((text(10), inner), 0..4).prop_map(|entries| {
                let object = entries
                    .into_iter()
                    .fold(Object::new(), |object, (key, value)| object.with(key, value));
                Value::Object(object)
            }),
        ]
    })
}

/// What comes out when the bytes come in parts of these lengths, over and over.
fn decoded(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Packet>, WireError> {
    let (mut decoder, mut packets, mut rest) = (Decoder::new(1 << 16), Vec::new(), bytes);
    let mut lengths = cuts.iter().cycle();
    while !rest.is_empty() {
        let length = lengths
            .next()
            .map_or(rest.len(), |length| (*length).min(rest.len()));
        let (mut part, after) = rest.split_at(length);
        while let Some(packet) = decoder.next(&mut part)? {
            packets.push(packet);
        }
        rest = after;
    }
    Ok(packets)
}

proptest! {
    #[test]
    fn packets_come_out_as_they_went_in_under_any_cut(
        packets in prop::collection::vec(packet(), 1..8),
        cuts in prop::collection::vec(1..40usize, 1..20),
    ) {
        let mut bytes = Vec::new();
        for packet in &packets {
            packet.encode(&mut bytes);
        }
        prop_assert_eq!(decoded(&bytes, &cuts), Ok(packets.clone()));
        prop_assert_eq!(decoded(&bytes, &[1]), Ok(packets));
    }

    #[test]
    fn payloads_come_out_as_they_went_in(entries in prop::collection::vec((text(20), value()), 0..6)) {
        let object = entries.into_iter().fold(Object::new(), |object, (key, value)| object.with(key, value));
        let mut bytes = Vec::new();
        object.encode(&mut bytes);
        prop_assert!(!bytes.windows(5).any(|window| window == b"<EOF>"));
        prop_assert!(!bytes.windows(2).any(|window| window == b";;"));
        prop_assert_eq!(Object::decode(&bytes), Ok(object));
    }

    #[test]
    fn any_bytes_are_taken_and_no_more_is_held_than_the_limit(
        parts in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                Just(b"conn:alive;;{}".to_vec()),
                Just(b"<EOF>".to_vec()),
                Just(b"auth:ack;;{\"upstream\":".to_vec()),
            ],
            0..30,
        ),
    ) {
        let mut decoder = Decoder::new(100);
        let mut told = Told::default();
        for part in parts {
            told.take(&part);
            let mut part = part.as_slice();
            loop {
                match decoder.next(&mut part) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => {
                        decoder = Decoder::new(100);
                        break;
                    }
                }
                prop_assert!(decoder.held() <= 100);
            }
        }
    }

    #[test]
    fn any_cut_of_rubbish_is_the_same_rubbish(
        bytes in prop::collection::vec(prop::sample::select(b"con:alive;{}<EOF>\"a".to_vec()), 0..200),
        cuts in prop::collection::vec(1..10usize, 1..8),
    ) {
        prop_assert_eq!(decoded(&bytes, &cuts), decoded(&bytes, &[]));
    }
}

#[test]
fn a_hundred_megabytes_take_no_more_memory_than_the_longest_packet() {
    for limit in [4_096, 65_536] {
        let longest = format!("conn:alive;;{{\"a\":\"{}\"}}<EOF>", "x".repeat(limit - 25));
        assert_eq!(longest.len(), limit);
        let (mut decoder, mut packets) = (Decoder::new(limit), 0);
        let bytes = longest.as_bytes().iter().copied().cycle().take(100 << 20);
        let mut piece = Vec::new();
        for byte in bytes {
            piece.push(byte);
            if piece.len() == 1_460 {
                let mut part = piece.as_slice();
                while let Some(packet) = decoder.next(&mut part).expect("they are packets") {
                    assert_eq!(packet, Packet::Alive(None));
                    packets += 1;
                }
                assert!(decoder.capacity() <= limit, "{}", decoder.capacity());
                piece.clear();
            }
        }
        assert!(packets >= (100 << 20) / limit - 1);
        // What does not end is refused when it is longer than that.
        let mut decoder = Decoder::new(limit);
        let refused = (0..100 << 10).find_map(|_| {
            let read = decoder.next(&mut &[b'x'; 1_024][..]);
            assert!(decoder.capacity() <= limit, "{}", decoder.capacity());
            read.err()
        });
        assert_eq!(refused, Some(WireError::TooLong));
    }
}
