//! The rolling digest of a run: every event's bytes, in order, through one 128-bit xxh3.

use xxhash_rust::xxh3::Xxh3;

use crate::outcome::Digest;

/// Bytes are gathered into blocks of this size before they are hashed.
const BLOCK: usize = 16 * 1024;

/// What an event's record in the digest opens with. The numbers are part of the digest's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    Start = 1,
    Datagram = 2,
    Timer = 3,
    Command = 4,
    Persisted = 5,
    Fact = 6,
    Answer = 7,
    World = 8,
    Dropped = 9,
    Stopped = 10,
    Write = 11,
    InFlight = 12,
    Call = 13,
    PersistFailed = 14,
    /// A node is told something of a stream.
    Stream = 15,
    /// A node asks for something of streams.
    Asked = 16,
    /// A packet of a stream is lost.
    PacketLost = 17,
}

pub(crate) struct Rolling {
    block: Box<[u8; BLOCK]>,
    /// How many bytes of the block are taken.
    filled: usize,
    hash: Xxh3,
}

/// How long a record's head is.
const HEAD: usize = 32;

impl Rolling {
    pub(crate) fn new() -> Self {
        Rolling {
            block: Box::new([0; BLOCK]),
            filled: 0,
            hash: Xxh3::new(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.hash.reset();
    }

    /// Takes in a record: 32 bytes of head, with the length of what follows.
    #[inline]
    pub(crate) fn head(&mut self, tag: Tag, at: u64, host: u32, a: u64, b: u32, len: u32) {
        *self.room() = head(tag, at, host, a, b, len);
    }

    /// Takes in a record of a short payload: its head, and 32 bytes of which the head's length says how many count; the others
    /// are zero.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "a head and what follows it")]
    pub(crate) fn short(&mut self, tag: Tag, at: u64, host: u32, a: u64, b: u32, len: u32, bytes: &[u8; 32]) {
        let room: &mut [u8; 2 * HEAD] = self.room();
        room[..HEAD].copy_from_slice(&head(tag, at, host, a, b, len));
        room[HEAD..].copy_from_slice(bytes);
    }

    /// Takes in the bytes that the last head announced.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        match self.block.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => {
                self.flush();
                self.hash.update(bytes);
            }
        }
    }

    /// The digest of all records since the last [`clear`](Self::clear).
    pub(crate) fn finish(&mut self) -> Digest {
        self.flush();
        Digest(self.hash.digest128())
    }

    /// The next bytes of the block.
    #[inline]
    fn room<const LEN: usize>(&mut self) -> &mut [u8; LEN] {
        // A block that was flushed is empty.
        let start = if self.filled > BLOCK - LEN {
            self.flush();
            0
        } else {
            self.filled
        };
        self.filled = start + LEN;
        self.block[start..]
            .first_chunk_mut()
            .expect("there is room for a record in a block")
    }

    #[cold]
    fn flush(&mut self) {
        self.hash.update(&self.block[..self.filled]);
        self.filled = 0;
    }
}

#[inline]
fn head(tag: Tag, at: u64, host: u32, a: u64, b: u32, len: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0..8].copy_from_slice(&at.to_le_bytes());
    head[8..12].copy_from_slice(&host.to_le_bytes());
    head[12..20].copy_from_slice(&a.to_le_bytes());
    head[20..24].copy_from_slice(&b.to_le_bytes());
    head[24..28].copy_from_slice(&len.to_le_bytes());
    head[28..32].copy_from_slice(&(tag as u32).to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_the_bytes_whatever_the_blocks() {
        let mut rolling = Rolling::new();
        let mut plain = Vec::new();
        for n in 0..2_000u64 {
            rolling.short(Tag::Datagram, n, 3, 4, 5, 32, &[n as u8; 32]);
            let mut head = [0; 32];
            head[..8].copy_from_slice(&n.to_le_bytes());
            head[8] = 3;
            head[12] = 4;
            head[20] = 5;
            head[24] = 32;
            head[28] = 2;
            plain.extend_from_slice(&head);
            plain.extend_from_slice(&[n as u8; 32]);
        }
        assert_eq!(rolling.finish(), Digest(xxhash_rust::xxh3::xxh3_128(&plain)));
        rolling.clear();
        assert_eq!(rolling.finish(), Digest(xxhash_rust::xxh3::xxh3_128(b"")));
    }
}
