//! Bytes in order, put in at the end and taken out at the front, in buffers that are used again.

use std::collections::VecDeque;

use crate::engine::spares::{Buffers, taken_by};

/// What a long rope's buffers hold at most: it takes no more of them than it has to, and none is hard to come by.
const LONGEST_CHUNK: usize = 64 << 10;

#[derive(Default)]
pub(super) struct Rope {
    chunks: VecDeque<Vec<u8>>,
    /// How many bytes of the first chunk are taken out.
    gone: usize,
    len: usize,
    /// How many bytes of memory it takes, about.
    taken: usize,
}

impl Rope {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes of memory it takes, about.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Puts bytes in at the end.
    pub(super) fn push(&mut self, mut bytes: &[u8], buffers: &mut Buffers) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            let room = self.chunks.back().map_or(0, |last| last.capacity() - last.len());
            if room == 0 {
                // Many short writes share a buffer, each twice as long as the one before.
                let last = self.chunks.back().map_or(0, |last| last.capacity());
                let wanted = bytes.len().max(2 * last).min(LONGEST_CHUNK);
                self.add(buffers.empty(wanted));
            } else if let Some(last) = self.chunks.back_mut() {
                let (now, later) = bytes.split_at(room.min(bytes.len()));
                last.extend_from_slice(now);
                bytes = later;
            }
        }
    }

    /// Puts a whole buffer in at the end.
    pub(super) fn push_buffer(&mut self, buffer: Vec<u8>) {
        self.len += buffer.len();
        self.add(buffer);
    }

    /// Appends `len` bytes, from the `start`th on, to a buffer.
    pub(super) fn copy(&self, start: usize, len: usize, into: &mut Vec<u8>) {
        let (mut skip, mut left) = (start + self.gone, len);
        for chunk in &self.chunks {
            if skip >= chunk.len() {
                skip -= chunk.len();
                continue;
            }
            let here = (chunk.len() - skip).min(left);
            into.extend_from_slice(&chunk[skip..skip + here]);
            left -= here;
            skip = 0;
            if left == 0 {
                break;
            }
        }
    }

    /// Takes the first `count` bytes out.
    pub(super) fn drop_front(&mut self, count: usize, buffers: &mut Buffers) {
        self.len -= count;
        self.gone += count;
        while let Some(first) = self.chunks.front()
            && self.gone >= first.len()
        {
            self.gone -= first.len();
            self.taken -= Self::cost(first);
            buffers.put(self.chunks.pop_front().unwrap_or_default());
        }
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        self.chunks.drain(..).for_each(|chunk| buffers.put(chunk));
        (self.gone, self.len, self.taken) = (0, 0, 0);
    }

    fn add(&mut self, buffer: Vec<u8>) {
        self.taken += Self::cost(&buffer);
        self.chunks.push_back(buffer);
    }

    fn cost(buffer: &Vec<u8>) -> usize {
        taken_by(buffer.capacity()) + size_of::<Vec<u8>>()
    }
}
