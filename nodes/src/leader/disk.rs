//! What a node keeps on its disk: a format byte, [postcard](https://postcard.jamesmunns.com/), a CRC-32C.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::wire::{LARGEST, MOST_NODES, Term};

/// What survives a crash, by the rules of `Hardened`; by those of `Original` nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// All nodes, in the order of their numbers; empty when it waits to be told.
    pub(super) nodes: Vec<SocketAddrV4>,
    /// The highest term that it has seen.
    pub(super) term: Term,
    /// What it has had of what others said.
    pub(super) had: Vec<Had>,
}

/// What a node has had of what another said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Had {
    /// Who said it.
    pub(super) from: SocketAddrV4,
    /// Which of the sender's lives it is, counted by the receiver and the sender together.
    pub(super) session: u64,
    /// By which the sender's lives are told apart.
    pub(super) life: u64,
    /// The number of the last thing in it.
    pub(super) number: u64,
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
        let Ok((saved, [])) = postcard::take_from_bytes::<Saved>(body) else {
            return None;
        };
        let few = saved.nodes.len() <= MOST_NODES && saved.had.len() <= MOST_NODES;
        (few && saved.term.counter <= LARGEST).then_some(saved)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn saved() -> Saved {
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 7500);
        let had = Had {
            from,
            session: 2,
            life: 70,
            number: 9,
        };
        Saved {
            nodes: vec![from],
            term: Term {
                counter: 3,
                number: 1,
            },
            had: vec![had],
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
}
