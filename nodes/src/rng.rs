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
        below(self.next_u64(), bound)
    }

    /// A span of at least `low` and less than `high`; `low` when the range is empty.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        between(self.next_u64(), low, high)
    }
}

/// The whole number below `bound` that a random word stands for, each as likely; 0 when `bound` is 0.
#[inline]
pub fn below(word: u64, bound: u64) -> u64 {
    ((u128::from(word) * u128::from(bound)) >> 64) as u64
}

/// The span of at least `low` and less than `high` that a random word stands for, each as likely; `low` when there is none.
#[inline]
pub fn between(word: u64, low: Span, high: Span) -> Span {
    low + Span::from_nanos(below(word, (high - low).as_nanos()))
}

/// A ratio from 0 to 1 as a threshold for random words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(u64);

impl Ratio {
    /// The threshold of a ratio, to 53 bits.
    pub fn new(ratio: f64) -> Self {
        Ratio((ratio * (1u64 << 53) as f64) as u64)
    }

    /// The ratio, as a share of all words.
    pub fn share(self) -> f64 {
        self.0 as f64 / (1u64 << 53) as f64
    }

    /// Whether it is never hit.
    #[inline]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether `word` hits it: of all words, the ratio's share do.
    #[inline]
    pub fn hits(self, word: u64) -> bool {
        word >> 11 < self.0
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

#[cfg(test)]
mod tests {
    use rand::{RngExt, TryRng};

    use super::*;

    fn words(seed: u64, host: &str, incarnation: u32) -> [u64; 4] {
        let mut rng = NodeRng::new(seed, HostKey::of(host), incarnation);
        std::array::from_fn(|_| rng.next_u64())
    }

    #[test]
    fn the_stream_of_a_node_is_the_same_for_good() {
        assert_eq!(HostKey::of("a"), HostKey(KNOWN_KEY));
        assert_eq!(words(7, "a", 0), KNOWN_WORDS);
        let mut rng = NodeRng::new(7, HostKey::of("a"), 0);
        assert_eq!(std::array::from_fn(|_| rng.below(1000)), KNOWN_BELOW);
        let (low, high) = (Span::from_millis(100), Span::from_millis(200));
        assert_eq!(rng.span(low, high), Span::from_nanos(KNOWN_SPAN));
        let mut bytes = [0; 8];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes, KNOWN_BYTES);
    }

    const KNOWN_KEY: u64 = 0xe6c6_32b6_1e96_4e1f;
    const KNOWN_WORDS: [u64; 4] = [
        0x1e6c_72f4_ba77_d335,
        0xad59_5d6b_ec3b_2624,
        0x9ca3_b3e1_6595_859a,
        0xfb31_2ca1_7b60_426e,
    ];
    const KNOWN_BELOW: [u64; 4] = [118, 677, 611, 981];
    const KNOWN_SPAN: u64 = 156_193_099;
    const KNOWN_BYTES: [u8; 8] = [0x9c, 0x13, 0x70, 0xdf, 0xab, 0xc2, 0xc5, 0x8b];

    #[test]
    fn seeds_hosts_and_incarnations_have_streams_of_their_own() {
        let streams = [
            words(1, "a", 0),
            words(2, "a", 0),
            words(1, "b", 0),
            words(1, "a", 1),
            // The seed, the host and the life stand in places of their own: one does not make up for another.
            words(0, "a", 1),
            words(1 << 32, "a", 0),
        ];
        for (i, stream) in streams.iter().enumerate() {
            for other in &streams[..i] {
                assert!(stream.iter().all(|word| !other.contains(word)), "{streams:x?}");
            }
        }
    }

    #[test]
    fn what_is_drawn_from_a_range_stays_in_it() {
        let mut rng = NodeRng::new(3, HostKey::of("a"), 0);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[rng.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
        let (low, high) = (Span::from_nanos(10), Span::from_nanos(13));
        let drawn: std::collections::BTreeSet<Span> = (0..1000).map(|_| rng.span(low, high)).collect();
        assert_eq!(drawn, [10, 11, 12].map(Span::from_nanos).into());
        assert_eq!(rng.span(high, low), high);
    }

    #[test]
    fn a_ratio_is_hit_by_its_share_and_its_ends_are_exact() {
        assert!(Ratio::new(0.0).is_zero());
        assert!((0..1000).all(|n| !Ratio::new(0.0).hits(n)));
        assert!(
            [0, 1, u64::MAX]
                .into_iter()
                .all(|word| Ratio::new(1.0).hits(word))
        );
        assert!(Ratio::new(0.5).hits(u64::MAX / 2 - 1) && !Ratio::new(0.5).hits(u64::MAX / 2 + 1));
    }

    #[test]
    fn the_first_and_the_last_word_stand_for_the_ends_of_a_range() {
        assert_eq!((below(0, 10), below(u64::MAX, 10), below(u64::MAX, 0)), (0, 9, 0));
        let (low, high) = (Span::from_millis(1), Span::from_millis(2));
        assert_eq!(between(0, low, high), low);
        assert!(between(u64::MAX, low, high) < high);
        assert_eq!(between(u64::MAX, high, high), high);
    }

    /// Nodes may draw through `rand`. Were its algorithms to change, so would every run of such a node: then seeds are
    /// re-mapped, and that must be noticed here first.
    #[test]
    fn rand_draws_from_it_as_it_always_did() {
        let mut rng = NodeRng::new(7, HostKey::of("a"), 0);
        let drawn: [u64; 4] = std::array::from_fn(|_| rng.random_range(0..1000));
        assert_eq!(drawn, KNOWN_RANDOM_RANGE);
        let small: [u8; 4] = std::array::from_fn(|_| rng.random_range(10..=20));
        assert_eq!(small, KNOWN_SMALL_RANGE);
    }

    const KNOWN_RANDOM_RANGE: [u64; 4] = [118, 677, 611, 981];
    const KNOWN_SMALL_RANGE: [u8; 4] = [17, 16, 19, 16];

    /// The feature `unbiased` of `rand`, which any crate of a build can turn on for all, changes one draw in 2³² or fewer:
    /// only words chosen for it show whether it is on.
    #[test]
    fn the_feature_of_rand_that_would_change_what_is_drawn_is_off() {
        struct Words(std::vec::IntoIter<u32>);
        impl TryRng for Words {
            type Error = std::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Ok(self.0.next().expect("no more words than are chosen are drawn"))
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                Ok(u64::from(self.try_next_u32()?) | u64::from(self.try_next_u32()?) << 32)
            }
            fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Self::Error> {
                into.fill(0);
                Ok(())
            }
        }
        // Three times this is all ones: the low half is as biased as can be, twice; the unbiased method goes on to the third.
        let mut rng = Words(vec![0x5555_5555, 0x5555_5555, u32::MAX].into_iter());
        assert_eq!(rng.random_range(0..=2u32), 0);
        assert_eq!(rng.0.len(), 1);
    }
}
