//! What a client-server node keeps on its disk: a format byte, [postcard](https://postcard.jamesmunns.com/), a CRC-32C.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::wire::Epoch;

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The node's id.
    pub(super) identity: Option<Identity>,
    /// The highest epoch that it accepted, and whose; under `Original`, the server that it followed last.
    pub(super) accepted: Option<Reign>,
    /// What it did last.
    pub(super) last: Last,
    /// Whom it knows, by id: what a server granted, what a `Hardened` client read in its last whole table.
    pub(super) book: Vec<(u32, SocketAddrV4)>,
}

/// An id, and the reign in which it was granted or confirmed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) id: u32,
    pub(super) granted: Reign,
}

/// An epoch and where its server is. If two sides of a partition granted one id to two nodes, these may open epochs that only
/// a nonce tells apart; should that be the same too, the lower address is the greater reign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reign {
    pub(super) epoch: Epoch,
    pub(super) at: SocketAddrV4,
}

/// What a node did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Last {
    /// It followed a server, or looked for one.
    Followed,
    /// It served.
    Served,
}

impl Ord for Reign {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.epoch.cmp(&other.epoch).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Reign {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

const FORMAT: u8 = 1;
const CRC: usize = 4;

impl Saved {
    /// The bytes for the disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Plain data into a growing buffer: postcard has no way to fail.
        let mut bytes = postcard::to_extend(self, vec![FORMAT]).unwrap_or_else(|_| vec![FORMAT]);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads what was on the disk; `None` when it is anything else than what [`encode`](Self::encode) writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (sealed, crc) = bytes.split_last_chunk::<CRC>()?;
        if crc32c::crc32c(sealed) != u32::from_le_bytes(*crc) {
            return None;
        }
        let body = sealed.strip_prefix(&[FORMAT])?;
        match postcard::take_from_bytes(body) {
            Ok((saved, [])) => Some(saved),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn saved() -> Saved {
        let addr = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7400);
        let epoch = Epoch {
            counter: 4,
            server: 2,
            nonce: 6,
        };
        let reign = Reign { epoch, at: addr };
        Saved {
            identity: Some(Identity {
                id: 2,
                granted: reign,
            }),
            accepted: Some(reign),
            last: Last::Served,
            book: vec![(2, addr)],
        }
    }

    #[test]
    fn a_disk_reads_back_as_it_was_written() {
        assert_eq!(Saved::decode(&saved().encode()), Some(saved()));
    }

    #[test]
    fn a_disk_that_is_short_flipped_or_of_another_format_is_unreadable() {
        let good = saved().encode();
        for len in 0..good.len() {
            assert_eq!(Saved::decode(&good[..len]), None, "{len} bytes");
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Saved::decode(&bytes), None, "bit {bit}");
        }
        let mut other = vec![FORMAT + 1];
        other.extend_from_slice(&crc32c::crc32c(&[FORMAT + 1]).to_le_bytes());
        assert_eq!(Saved::decode(&other), None);
    }

    #[test]
    fn the_lower_address_is_the_greater_of_two_reigns_with_one_epoch() {
        let at = |last| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 7400);
        let epoch = Epoch {
            counter: 1,
            server: 7,
            nonce: 6,
        };
        assert!(Reign { epoch, at: at(1) } > Reign { epoch, at: at(2) });
        let higher = Epoch {
            counter: 2,
            server: 9,
            nonce: 6,
        };
        assert!(
            Reign {
                epoch: higher,
                at: at(9)
            } > Reign { epoch, at: at(1) }
        );
    }
}
