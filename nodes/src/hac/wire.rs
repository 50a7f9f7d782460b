//! The packets of hac, byte for byte: what is written, what is read, and what is not taken for a packet.
//!
//! ```text
//! version u8 | mode u8 | code u8 | flags u8 | [ epoch: counter u64, server id u32, nonce u32 | total u16 ] | entries | [ CRC-32C u32 ]
//! entry: id u32 | IPv4 u32 | port u16 | status u8 | heard u32 | round u32
//! ```
//!
//! Everything is big-endian. What stands in brackets is there under `Hardened` alone. *Decided*: the field sizes, the
//! numbers of modes and codes, and the `total` of a split list, without which a list whose middle packet was lost cannot
//! be told from a whole one.

use std::cmp::Ordering;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

use super::config::Rules;

/// A packet whose bytes were read and found to be well formed. It borrows them: reading allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// In which mode the sender runs.
    pub mode: Mode,
    /// What kind of packet it is.
    pub code: Code,
    /// Which part of a list it carries.
    pub part: Part,
    /// The epoch that it speaks of; [`Epoch::NONE`] under `Original`.
    pub epoch: Epoch,
    /// *Decided*: how many entries the whole list has; under `Original`, which does not say it, those of this packet.
    pub total: u16,
    /// The entries of this packet: at least one; exactly one unless it is an AS or, under `Hardened`, an AC, whose first
    /// entry is its sender's and whose others are of those whom the sender introduces.
    pub entries: Entries<'a>,
}

/// What goes ahead of the entries of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The version.
    pub rules: Rules,
    /// The mode.
    pub mode: Mode,
    /// The code.
    pub code: Code,
    /// The epoch; not written under `Original`.
    pub epoch: Epoch,
}

/// Which of the two clusters a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// One server, many clients.
    ClientServer = 0,
    /// Everyone to everyone.
    PeerToPeer = 1,
}

/// The five kinds of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// A client opens a handshake.
    Hc = 0,
    /// The server answers it with the client's id.
    Hs = 1,
    /// A client is available.
    Ac = 2,
    /// The server tells everyone who is available.
    As = 3,
    /// A peer is available.
    Ap = 4,
}

/// Which part of a list a packet carries: the two flags of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: neither flag is set. `last_packet` says nothing without `can_be_split`.
    Whole,
    /// Some of it, and more comes: `can_be_split`.
    More,
    /// Some of it, and the last that was sent: `can_be_split` and `last_packet`.
    Last,
}

/// One server's reign: who opened it, and how many came before.
///
/// The order is total: the higher counter is the greater; between equal counters, the **lower** server id; between equal ids,
/// the higher nonce.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1; 0 where there is no epoch.
    pub counter: u64,
    /// The id of the server that opened it; 0 where there is none or it is not known.
    pub server: u32,
    /// Drawn when it was opened, so that a server that has lost its disk does not open an epoch of its own again; 0 where
    /// there is no epoch.
    pub nonce: u32,
}

/// What is said of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, from 1; [`NO_ID`] when it has none yet.
    pub id: u32,
    /// Where it is.
    pub addr: SocketAddrV4,
    /// Whether it is held for alive.
    pub status: Status,
    /// In how many rounds it was heard.
    pub heard: u32,
    /// The round in which the entry was made.
    pub round: u32,
}

/// Whether a node is held for alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It has been silent.
    Dead = 0,
    /// It was heard.
    Alive = 1,
}

/// Why bytes are not a packet for this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than any packet has.
    #[error("too short")]
    TooShort,
    /// Another version than this node's.
    #[error("another version")]
    OtherVersion,
    /// No mode, or not this node's.
    #[error("another mode")]
    OtherMode,
    /// No code, or none of its mode.
    #[error("an unknown code")]
    UnknownCode,
    /// The checksum is of other bytes.
    #[error("a wrong checksum")]
    BadChecksum,
    /// The entries are cut short, missing, or too many for the code or for the total.
    #[error("a ragged list")]
    RaggedList,
    /// A status that is neither dead nor alive.
    #[error("an unknown status")]
    UnknownStatus,
}

/// Whether the checksum of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// A packet with a wrong one is refused.
    Verified,
    /// Any will do.
    Ignored,
}

/// The id that says 'none yet'.
pub const NO_ID: u32 = u32::MAX;

const HEADER: usize = 4;
const PREFIX: usize = 18;
const ENTRY: usize = 19;
const CRC: usize = 4;

const CAN_BE_SPLIT: u8 = 0b01;
const LAST_PACKET: u8 = 0b10;

impl<'a> Packet<'a> {
    /// Reads a packet of the version that goes with `rules`.
    ///
    /// Any bytes at all may be given. Nothing is allocated.
    ///
    /// # Errors
    ///
    /// Why the bytes are not such a packet.
    pub fn decode(rules: Rules, checksum: Checksum, bytes: &'a [u8]) -> Result<Self, WireError> {
        let (&[version, mode, code, flags], rest) = bytes.split_first_chunk().ok_or(WireError::TooShort)?;
        if version != rules.version() {
            return Err(WireError::OtherVersion);
        }
        let rest = match rules {
            Rules::Original => rest,
            Rules::Hardened => {
                let (_, crc) = rest.split_last_chunk::<CRC>().ok_or(WireError::TooShort)?;
                let sealed = &bytes[..bytes.len() - CRC];
                if checksum == Checksum::Verified && crc32c::crc32c(sealed) != u32::from_be_bytes(*crc) {
                    return Err(WireError::BadChecksum);
                }
                &rest[..rest.len() - CRC]
            }
        };
        let mode = Mode::from_byte(mode).ok_or(WireError::OtherMode)?;
        let code = Code::from_byte(code)
            .filter(|code| code.mode() == mode)
            .ok_or(WireError::UnknownCode)?;
        let (epoch, total, list) = match rules {
            Rules::Original => (Epoch::NONE, None, rest),
            Rules::Hardened => {
                let (prefix, list) = rest.split_first_chunk::<PREFIX>().ok_or(WireError::TooShort)?;
                let epoch = Epoch {
                    counter: u64_at(prefix, 0),
                    server: u32_at(prefix, 8),
                    nonce: u32_at(prefix, 12),
                };
                (epoch, Some(u16_at(prefix, 16)), list)
            }
        };
        let entries = Entries::read(list)?;
        let len = u16::try_from(entries.len()).map_err(|_| WireError::RaggedList)?;
        let total = total.unwrap_or(len);
        let is_list = match (code, rules) {
            (Code::As, _) => len <= total,
            (Code::Ac, Rules::Hardened) => len == total,
            _ => len == 1 && total == 1,
        };
        if !is_list {
            return Err(WireError::RaggedList);
        }
        Ok(Packet {
            mode,
            code,
            part: Part::from_flags(flags),
            epoch,
            total,
            entries,
        })
    }
}

impl Head {
    /// Appends a packet of one entry.
    pub fn encode_one(&self, entry: &Entry, into: &mut Vec<u8>) {
        self.encode(Part::Whole, 1, std::slice::from_ref(entry), into);
    }

    /// Appends a packet with `entries`, a part of a list of `total`.
    pub fn encode(&self, part: Part, total: u16, entries: &[Entry], into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&[
            self.rules.version(),
            self.mode as u8,
            self.code as u8,
            part.flags(),
        ]);
        if self.rules == Rules::Hardened {
            into.extend_from_slice(&self.epoch.counter.to_be_bytes());
            into.extend_from_slice(&self.epoch.server.to_be_bytes());
            into.extend_from_slice(&self.epoch.nonce.to_be_bytes());
            into.extend_from_slice(&total.to_be_bytes());
        }
        for entry in entries {
            entry.encode(into);
        }
        if self.rules == Rules::Hardened {
            let crc = crc32c::crc32c(&into[start..]);
            into.extend_from_slice(&crc.to_be_bytes());
        }
    }
}

/// How many entries a packet of at most `mtu` bytes can carry.
pub fn entries_in(rules: Rules, mtu: u16) -> usize {
    let around = match rules {
        Rules::Original => HEADER,
        Rules::Hardened => HEADER + PREFIX + CRC,
    };
    usize::from(mtu).saturating_sub(around) / ENTRY
}

/// Cuts a list into the parts that go into packets of `each` entries, `each` being at least 1.
pub fn split<T>(list: &[T], each: usize) -> impl Iterator<Item = (Part, &[T])> {
    let packets = list.len().div_ceil(each);
    list.chunks(each).enumerate().map(move |(i, chunk)| match i + 1 {
        _ if packets == 1 => (Part::Whole, chunk),
        last if last == packets => (Part::Last, chunk),
        _ => (Part::More, chunk),
    })
}

impl Mode {
    fn from_byte(byte: u8) -> Option<Self> {
        [Mode::ClientServer, Mode::PeerToPeer]
            .get(usize::from(byte))
            .copied()
    }
}

impl Code {
    fn from_byte(byte: u8) -> Option<Self> {
        [Code::Hc, Code::Hs, Code::Ac, Code::As, Code::Ap]
            .get(usize::from(byte))
            .copied()
    }

    fn mode(self) -> Mode {
        match self {
            Code::Hc | Code::Hs | Code::Ac | Code::As => Mode::ClientServer,
            Code::Ap => Mode::PeerToPeer,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Code::Hc => "HC",
            Code::Hs => "HS",
            Code::Ac => "AC",
            Code::As => "AS",
            Code::Ap => "AP",
        })
    }
}

impl Part {
    fn from_flags(flags: u8) -> Self {
        match (flags & CAN_BE_SPLIT != 0, flags & LAST_PACKET != 0) {
            (false, _) => Part::Whole,
            (true, false) => Part::More,
            (true, true) => Part::Last,
        }
    }

    fn flags(self) -> u8 {
        match self {
            Part::Whole => 0,
            Part::More => CAN_BE_SPLIT,
            Part::Last => CAN_BE_SPLIT | LAST_PACKET,
        }
    }
}

impl Epoch {
    /// Below every epoch: what a node has that never accepted one.
    pub const NONE: Epoch = Epoch {
        counter: 0,
        server: 0,
        nonce: 0,
    };
}

impl Ord for Epoch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.counter
            .cmp(&other.counter)
            .then(other.server.cmp(&self.server))
            .then(self.nonce.cmp(&other.nonce))
    }
}

impl PartialOrd for Epoch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Epoch {
    /// As it is displayed: stories are full of epochs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Epoch {
    /// Counter and server id: `3.1`. The nonce says nothing to a reader.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.counter, self.server))
    }
}

impl Entry {
    /// The id, unless it is none: 0 is never granted.
    pub fn id(&self) -> Option<u32> {
        (self.id != NO_ID && self.id != 0).then_some(self.id)
    }

    fn encode(&self, into: &mut Vec<u8>) {
        let mut bytes = [0; ENTRY];
        bytes[0..4].copy_from_slice(&self.id.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.addr.ip().octets());
        bytes[8..10].copy_from_slice(&self.addr.port().to_be_bytes());
        bytes[10] = self.status as u8;
        bytes[11..15].copy_from_slice(&self.heard.to_be_bytes());
        bytes[15..19].copy_from_slice(&self.round.to_be_bytes());
        into.extend_from_slice(&bytes);
    }

    fn decode(bytes: &[u8; ENTRY]) -> Self {
        Entry {
            id: u32_at(bytes, 0),
            addr: SocketAddrV4::new(Ipv4Addr::from(u32_at(bytes, 4)), u16_at(bytes, 8)),
            status: if bytes[STATUS_AT] == Status::Alive as u8 {
                Status::Alive
            } else {
                Status::Dead
            },
            heard: u32_at(bytes, 11),
            round: u32_at(bytes, 15),
        }
    }
}

const STATUS_AT: usize = 10;

impl fmt::Display for Entry {
    /// `2@10.0.0.3:7400 alive heard 7`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{id}@{} {} heard {}", self.addr, self.status, self.heard),
            None => write!(f, "?@{} {} heard {}", self.addr, self.status, self.heard),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Dead => "dead",
            Status::Alive => "alive",
        })
    }
}

/// The entries of a packet, read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    chunks: &'a [[u8; ENTRY]],
}

impl<'a> Entries<'a> {
    /// How many there are; at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a packet without an entry is not a packet"
    )]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// The first of them.
    pub fn first(&self) -> Entry {
        Entry::decode(&self.chunks[0])
    }

    /// All of them, in the order of the packet.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + use<'a> {
        self.chunks.iter().map(Entry::decode)
    }

    fn read(list: &'a [u8]) -> Result<Self, WireError> {
        let (chunks, rest) = list.as_chunks::<ENTRY>();
        if chunks.is_empty() || !rest.is_empty() {
            return Err(WireError::RaggedList);
        }
        if chunks.iter().any(|chunk| chunk[STATUS_AT] > Status::Alive as u8) {
            return Err(WireError::UnknownStatus);
        }
        Ok(Entries { chunks })
    }
}

impl WireError {
    /// Every reason there is.
    pub const ALL: [WireError; 7] = [
        WireError::TooShort,
        WireError::OtherVersion,
        WireError::OtherMode,
        WireError::UnknownCode,
        WireError::BadChecksum,
        WireError::RaggedList,
        WireError::UnknownStatus,
    ];
}

/// How many datagrams were not taken for packets, by reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Unreadable {
    counts: [u64; WireError::ALL.len()],
}

impl Unreadable {
    /// Counts one. What it returns is the count when it is to be claimed: at 1, 2, 4, 8, …, so that a flood of rubbish is
    /// no flood of facts.
    pub(super) fn count(&mut self, kind: WireError) -> Option<u64> {
        let count = &mut self.counts[kind as usize];
        *count += 1;
        count.is_power_of_two().then_some(*count)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u32) -> Entry {
        let addr = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 3), 7400);
        Entry {
            id,
            addr,
            status: Status::Alive,
            heard: 7,
            round: 9,
        }
    }

    fn head(rules: Rules, code: Code) -> Head {
        Head {
            rules,
            mode: code.mode(),
            code,
            epoch: Epoch {
                counter: 3,
                server: 1,
                nonce: 6,
            },
        }
    }

    #[test]
    fn a_packet_of_the_source_has_four_bytes_ahead_of_its_entries() {
        let mut bytes = Vec::new();
        head(Rules::Original, Code::Hc).encode_one(&entry(2), &mut bytes);
        let written = [
            1, 0, 0, 0, 0, 0, 0, 2, 10, 0, 0, 3, 0x1c, 0xe8, 1, 0, 0, 0, 7, 0, 0, 0, 9,
        ];
        assert_eq!(bytes, written);
    }

    #[test]
    fn a_hardened_packet_adds_the_epoch_the_total_and_a_checksum() {
        let mut bytes = Vec::new();
        head(Rules::Hardened, Code::Ac).encode_one(&entry(2), &mut bytes);
        assert_eq!(bytes.len(), HEADER + PREFIX + ENTRY + CRC);
        assert_eq!(
            bytes[4..22],
            [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 6, 0, 1]
        );
        let packet = Packet::decode(Rules::Hardened, Checksum::Verified, &bytes).unwrap();
        assert_eq!(
            (packet.epoch, packet.total, packet.entries.first()),
            (
                Epoch {
                    counter: 3,
                    server: 1,
                    nonce: 6
                },
                1,
                entry(2)
            )
        );
    }

    #[test]
    fn a_flipped_bit_is_a_lost_packet_under_hardened() {
        let mut bytes = Vec::new();
        head(Rules::Hardened, Code::Ac).encode_one(&entry(2), &mut bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Packet::decode(Rules::Hardened, Checksum::Verified, &bytes).is_err(),
                "bit {bit}"
            );
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn reserved_flags_are_ignored() {
        let mut bytes = Vec::new();
        head(Rules::Original, Code::As).encode(Part::Last, 1, &[entry(2)], &mut bytes);
        bytes[3] |= 0b1111_1100;
        let packet = Packet::decode(Rules::Original, Checksum::Verified, &bytes).unwrap();
        assert_eq!(packet.part, Part::Last);
    }

    #[test]
    fn what_is_not_a_packet_is_refused_with_the_reason() {
        let mut good = Vec::new();
        head(Rules::Original, Code::As).encode(Part::Whole, 1, &[entry(2)], &mut good);
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Packet::decode(Rules::Original, Checksum::Verified, &bytes).unwrap_err()
        };
        assert_eq!(refused(&|b| b.truncate(3)), WireError::TooShort);
        assert_eq!(refused(&|b| b[0] = 2), WireError::OtherVersion);
        assert_eq!(refused(&|b| b[1] = 2), WireError::OtherMode);
        assert_eq!(refused(&|b| b[2] = 5), WireError::UnknownCode);
        assert_eq!(refused(&|b| b[2] = Code::Ap as u8), WireError::UnknownCode);
        assert_eq!(refused(&|b| b.truncate(4)), WireError::RaggedList);
        assert_eq!(refused(&|b| b.push(0)), WireError::RaggedList);
        assert_eq!(refused(&|b| b[14] = 2), WireError::UnknownStatus);
        let two = |b: &mut Vec<u8>| {
            b.extend_from_within(4..);
            b[2] = Code::Ac as u8;
        };
        assert_eq!(refused(&two), WireError::RaggedList);
    }

    #[test]
    fn a_list_that_fits_is_not_split_and_one_that_does_not_ends_with_a_last_packet() {
        let parts = |len: usize| {
            split(&vec![(); len], 3)
                .map(|(part, chunk)| (part, chunk.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(3), [(Part::Whole, 3)]);
        assert_eq!(parts(7), [(Part::More, 3), (Part::More, 3), (Part::Last, 1)]);
    }

    #[test]
    fn a_flood_of_rubbish_is_claimed_at_powers_of_two() {
        let mut unreadable = Unreadable::default();
        let claimed: Vec<u64> = (0..100)
            .filter_map(|_| unreadable.count(WireError::TooShort))
            .collect();
        assert_eq!(claimed, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(unreadable.count(WireError::RaggedList), Some(1));
    }

    #[test]
    fn the_lower_server_id_is_the_greater_epoch_of_two_with_one_counter() {
        let epoch = |counter, server, nonce| Epoch {
            counter,
            server,
            nonce,
        };
        assert!(epoch(2, 9, 1) > epoch(1, 1, 2));
        assert!(epoch(2, 3, 1) > epoch(2, 4, 2));
        assert!(epoch(2, 3, 2) > epoch(2, 3, 1));
        assert!(Epoch::NONE < epoch(1, NO_ID, 0));
    }
}
