//! What is used again instead of being allocated: buffers of bytes, and barriers with the room that their queues have taken.
//!
//! A buffer has the room of its size and no more, whatever it held before: what is held can be told from the lengths of what is in
//! the buffers, and does not depend on what ran before. Spares are bounded: what comes back beyond that is freed.

use std::collections::BTreeMap;

use squall_nodes::Node;

use super::host::Barrier;

/// What an allocation of its own costs besides its bytes: its header, and what it is rounded up by.
pub(crate) const ALLOCATION: usize = 32;
/// How many bytes spare buffers may take together, and as many the spare barriers: 32 MiB.
const MOST_SPARE: usize = 32 << 20;
/// The least room of a buffer.
const LEAST_ROOM: usize = 40;

/// Buffers of bytes that are not used now.
#[derive(Default)]
pub(crate) struct Buffers {
    by_room: BTreeMap<usize, Vec<Vec<u8>>>,
    /// How many bytes they take.
    bytes: usize,
}

/// Barriers that are not used now: without a write, and with nothing that waits.
pub(crate) struct Barriers<N: Node> {
    #[expect(
        clippy::vec_box,
        reason = "a host holds a box, which goes to and fro as it is"
    )]
    idle: Vec<Box<Barrier<N>>>,
    /// How many bytes they take.
    bytes: usize,
}

/// How many bytes of memory a buffer takes that holds `len` bytes: at most a quarter more than them, from [`LEAST_ROOM`] on, and its
/// allocation.
pub(crate) fn taken_by(len: usize) -> usize {
    room(len) + ALLOCATION
}

/// The room of a buffer that holds `len` bytes: four sizes from each power of two to the next.
fn room(len: usize) -> usize {
    let len = len.max(LEAST_ROOM);
    len.next_multiple_of(1 << (len.ilog2() - 2))
}

impl Buffers {
    /// A buffer that holds `bytes`.
    pub(crate) fn filled(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.empty(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// A buffer that holds nothing, and has room for `len` bytes.
    pub(crate) fn empty(&mut self, len: usize) -> Vec<u8> {
        let room = room(len);
        let spare = self.by_room.get_mut(&room).and_then(Vec::pop);
        match spare {
            Some(spare) => {
                self.bytes -= room + ALLOCATION;
                spare
            }
            None => Vec::with_capacity(room),
        }
    }

    /// Takes back a buffer that nobody needs any more.
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>) {
        let room = room(buffer.capacity());
        // One from elsewhere has another room.
        if room == buffer.capacity() && self.bytes + room + ALLOCATION <= MOST_SPARE {
            self.bytes += room + ALLOCATION;
            buffer.clear();
            self.by_room.entry(room).or_default().push(buffer);
        }
    }
}

impl<N: Node> Default for Barriers<N> {
    fn default() -> Self {
        Barriers {
            idle: Vec::new(),
            bytes: 0,
        }
    }
}

impl<N: Node> Barriers<N> {
    /// A barrier without a write.
    pub(crate) fn take(&mut self) -> Box<Barrier<N>> {
        match self.idle.pop() {
            Some(barrier) => {
                self.bytes -= barrier.room();
                barrier
            }
            None => Box::new(Barrier::failed()),
        }
    }

    /// Takes back a barrier that nobody needs any more; the buffers in it go where buffers go.
    pub(crate) fn put(&mut self, mut barrier: Box<Barrier<N>>, buffers: &mut Buffers) {
        barrier.empty_into(buffers);
        if self.bytes + barrier.room() <= MOST_SPARE {
            self.bytes += barrier.room();
            self.idle.push(barrier);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_buffer_has_a_quarter_more_room_than_it_needs_at_most(len in 0..1_usize << 20) {
            let has = room(len);
            prop_assert!(has >= len && has <= LEAST_ROOM.max(len + len / 4), "{has}");
            prop_assert_eq!(room(has), has);
        }
    }

    #[test]
    fn a_buffer_is_used_again_for_what_takes_as_much_room() {
        let mut buffers = Buffers::default();
        let first = buffers.filled(&[1; 1_200]);
        let lies = first.as_ptr();
        buffers.put(first);
        assert_eq!(buffers.bytes, taken_by(1_200));
        let other = buffers.filled(&[2; 40]);
        assert_ne!(other.as_ptr(), lies);
        let again = buffers.filled(&[3; 1_100]);
        assert_eq!((again.as_ptr(), &again[..]), (lies, &[3; 1_100][..]));
        assert_eq!(buffers.bytes, 0);
    }

    #[test]
    fn spares_are_bounded() {
        let mut buffers = Buffers::default();
        let all: Vec<Vec<u8>> = (0..100).map(|_| buffers.filled(&[0; 1 << 20])).collect();
        for buffer in all {
            buffers.put(buffer);
        }
        assert!(buffers.bytes <= MOST_SPARE && buffers.bytes > MOST_SPARE / 2);
        let held: usize = buffers.by_room.values().flatten().map(Vec::capacity).sum();
        assert!(held <= buffers.bytes);
    }
}
