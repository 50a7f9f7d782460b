//! Datagrams that are none of the cluster's, in every way in which they can be.

use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::hac::Rules;
use squall_nodes::hac::wire::{
    Checksum, Code, Entry, Epoch, Head, Mode, NO_ID, Packet, Part, Status, WireError,
};

/// The longest that a datagram can say.
pub(crate) const LONGEST: usize = 65_507;

/// Draws that are the same each time (splitmix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A packet of hac as nodes send it, of an epoch far ahead of any that there is.
pub(crate) fn packet(code: Code, entries: &[Entry]) -> Vec<u8> {
    let far = Epoch {
        counter: 1_000_000,
        server: 1,
        nonce: 7,
    };
    packet_in(far, code, entries)
}

/// A packet of hac as nodes send it.
pub(crate) fn packet_in(epoch: Epoch, code: Code, entries: &[Entry]) -> Vec<u8> {
    let head = Head {
        rules: Rules::Hardened,
        mode: if code == Code::Ap {
            Mode::PeerToPeer
        } else {
            Mode::ClientServer
        },
        code,
        epoch,
    };
    let mut bytes = Vec::new();
    head.encode(Part::Whole, entries.len() as u16, entries, &mut bytes);
    bytes
}

/// What a packet says of somebody.
pub(crate) fn entry(id: u32, host: u8) -> Entry {
    Entry {
        id,
        addr: SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 7),
        status: Status::Alive,
        heard: u32::MAX,
        round: u32::MAX,
    }
}

/// A datagram that no node of a client-server cluster takes for a packet. `turn` says of which kind.
pub(crate) fn datagram(draws: &mut Draws, turn: usize) -> Vec<u8> {
    loop {
        let bytes = any(draws, turn);
        // What a node would believe was forged, which is another matter.
        if why(&bytes).is_some() {
            return bytes;
        }
    }
}

fn any(draws: &mut Draws, turn: usize) -> Vec<u8> {
    let rows: Vec<Entry> = (0..=draws.below(40))
        .map(|id| entry(id as u32, id as u8))
        .collect();
    let codes = [Code::Hc, Code::Hs, Code::Ac, Code::As];
    let code = codes[draws.below(codes.len())];
    let mut real = packet(code, if code == Code::As { &rows } else { &rows[..1] });
    match turn % 8 {
        0 => Vec::new(),
        1 => {
            let len = draws.below(200);
            draws.bytes(len)
        }
        // A few bits flipped, bytes lost at the end, or more of them.
        2 | 3 => {
            for _ in 0..=draws.below(3) {
                let place = draws.below(real.len());
                real[place] ^= 1 << draws.below(8);
            }
            real
        }
        4 => {
            real.truncate(draws.below(real.len()));
            real
        }
        5 => {
            real.extend_from_slice(&[0; 9]);
            real
        }
        // Sealed, and no packet all the same: nobody, or too many, are introduced; another mode's.
        6 => packet(code, if draws.below(2) == 0 { &[] } else { &rows }),
        _ => packet(Code::Ap, &[entry(NO_ID, 1)]),
    }
}

/// Why a node of a client-server cluster does not take bytes for a packet.
pub(crate) fn why(bytes: &[u8]) -> Option<WireError> {
    match Packet::decode(Rules::Hardened, Checksum::Verified, bytes) {
        Err(why) => Some(why),
        Ok(packet) => (packet.mode != Mode::ClientServer).then_some(WireError::OtherMode),
    }
}
