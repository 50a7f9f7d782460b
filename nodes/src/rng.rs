//! Seeded randomness: the stream that each node owns.
//!
//! A stream is ChaCha8, keyed by the run's seed, the host's name and the host's incarnation, so that no other host, no
//! earlier life of this one and no decision of the network shares a draw with it. The draws of the network are the
//! simulator's.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64;

use crate::time::Span;

/// What a host is called in every keyed draw: a hash of its name, so that other hosts may come and go around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey(pub u64);

impl HostKey {
    /// The key of the host called `name`.
    pub fn of(name: &str) -> Self {
        HostKey(xxh3_64(name.as_bytes()))
    }
}

/// The random stream of one incarnation of one node.
///
/// It is a [`rand::Rng`], so everything in `rand` draws from it; the methods here are the ones whose results are
/// pinned for good, whatever `rand` changes.
#[derive(Clone, Debug)]
pub struct NodeRng(ChaCha8Rng);

impl NodeRng {
    /// The stream of the given incarnation (counted from 0) of `host` in the run with `seed`.
    pub fn new(seed: u64, host: HostKey, incarnation: u32) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&host.0.to_le_bytes());
        key[16..20].copy_from_slice(&incarnation.to_le_bytes());
        key[24..].copy_from_slice(b"node rng");
        NodeRng(ChaCha8Rng::from_seed(key))
    }

    /// A whole number below `bound`, or 0 when `bound` is 0.
    ///
    /// One 64-bit word is scaled by multiplication; the bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A span of at least `low` and less than `high`; `low` when the range is empty.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        low + Span::from_nanos(self.below((high - low).as_nanos()))
    }
}

impl rand::TryRng for NodeRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Self::Error> {
        self.0.try_fill_bytes(into)
    }
}
