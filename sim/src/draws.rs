//! The draws of the network, the disks and the workload: a word for each decision, keyed by what the decision is about.
//!
//! A ChaCha8 stream keyed by the run's seed gives some secret words; from them a word for (purpose, from, to, ordinal)
//! follows by folded multiplications, with no state but the ordinal. So no decision shifts another's draw: a loss that is
//! turned off, a host that is added, one more message on another link leave every other word as it was.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use squall_nodes::HostKey;
use squall_nodes::link::passage::{Purpose, Words};
pub(crate) use squall_nodes::rng::{Ratio, below};

/// The secret words of one run.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    link: [u64; 2],
    datagram: u64,
    /// The words of the disks and the workload come after these: one purpose more would make those others, and every seed another run.
    purpose: [[u64; 2]; Purpose::COUNT],
    disk: [u64; 3],
    work: [u64; 2],
    /// This and what comes after it came later, and is drawn behind the others: so those are what they were before.
    lateness: [u64; 3],
    stream: [u64; 3],
}

/// The words of one datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    draws: &'a Draws,
    base: u64,
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[16..].copy_from_slice(b"squall world rng");
        let mut stream = ChaCha8Rng::from_seed(key);
        let mut word = || stream.next_u64();
        Draws {
            link: [word(), word()],
            datagram: word(),
            purpose: std::array::from_fn(|_| [word(), word()]),
            disk: [word(), word(), word()],
            work: [word(), word()],
            lateness: [word(), word(), word()],
            stream: [word(), word(), word()],
        }
    }

    /// The key of the link between two hosts, in this direction.
    pub(crate) fn link(&self, from: HostKey, to: HostKey) -> u64 {
        fold(from.0 ^ self.link[0], to.0.rotate_left(32) ^ self.link[1])
    }

    /// The words of the datagram with this ordinal on the link with this key.
    #[inline]
    pub(crate) fn datagram(&self, link: u64, ordinal: u64) -> Datagram<'_> {
        // The golden ratio spreads neighbouring ordinals over all bits before they are folded.
        let spread = ordinal.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Datagram {
            draws: self,
            base: fold(link ^ spread, self.datagram),
        }
    }

    /// The word of a host's write to its disk: which one, in which life.
    pub(crate) fn disk(&self, host: HostKey, incarnation: u32, ordinal: u64) -> u64 {
        let life = fold(host.0 ^ self.disk[0], u64::from(incarnation) ^ self.disk[1]);
        fold(
            life ^ ordinal.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            self.disk[2],
        )
    }

    /// The word of how late a host's timers go off that are due at a time on its clock, in one of its lives.
    pub(crate) fn lateness(&self, host: HostKey, incarnation: u32, deadline: u64) -> u64 {
        let [of_host, of_life, of_deadline] = self.lateness;
        let life = fold(host.0 ^ of_host, u64::from(incarnation) ^ of_life);
        fold(
            life ^ deadline.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            of_deadline,
        )
    }

    /// The key of the connection that a host dials, in one of its lives, and calls by this number.
    pub(crate) fn connection(&self, host: HostKey, incarnation: u32, conn: u64) -> u64 {
        let [of_host, of_life, _] = self.stream;
        let life = fold(host.0 ^ of_host, u64::from(incarnation) ^ of_life);
        life ^ conn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The word of in how many pieces the bytes from a number on are read at an end of the connection with this key.
    pub(crate) fn piece(&self, connection: u64, end: u64, from: u64) -> u64 {
        let [_, of_end, of_piece] = self.stream;
        let end = fold(
            connection ^ of_end,
            end.wrapping_add(1).wrapping_mul(of_piece | 1),
        );
        fold(
            end ^ from.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            of_piece,
        )
    }

    /// The word of an entry's nth call.
    pub(crate) fn work(&self, entry: usize, ordinal: u64) -> u64 {
        let [of_entry, of_call] = self.work;
        // Folded twice: once, the words of neighbouring ordinals are steps of one size, which for some seeds is so small that all
        // calls go to one host.
        let entry = fold(entry as u64 ^ of_entry, of_call);
        let spread = ordinal.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        fold(fold(entry ^ spread, of_call), of_entry)
    }
}

impl Words for Datagram<'_> {
    #[inline]
    fn word(self, purpose: Purpose) -> u64 {
        let [before, by] = self.draws.purpose[purpose as usize];
        fold(self.base ^ before, by)
    }
}

/// The high and the low half of the product, folded into each other.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: HostKey = HostKey(1);
    const B: HostKey = HostKey(2);

    #[test]
    fn the_words_of_a_run_are_the_same_for_good() {
        let draws = Draws::new(7);
        let link = draws.link(HostKey::of("a"), HostKey::of("b"));
        let words: Vec<u64> = (0..3)
            .map(|n| draws.datagram(link, n).word(Purpose::Loss))
            .collect();
        assert_eq!(link, KNOWN_LINK);
        assert_eq!(words, KNOWN_LOSS);
        assert_eq!(draws.datagram(link, 0).word(Purpose::Latency), KNOWN_LATENCY);
        assert_eq!(draws.disk(HostKey::of("a"), 0, 0), KNOWN_DISK);
        assert_eq!(draws.work(1, 2), KNOWN_WORK);
        assert_eq!(draws.lateness(HostKey::of("a"), 0, 0), KNOWN_LATENESS);
    }

    const KNOWN_LATENESS: u64 = 0x6c31_3f7b_4e45_9d66;
    const KNOWN_LINK: u64 = 0xf90a_8b81_3b54_3087;
    const KNOWN_LOSS: [u64; 3] = [
        0x692c_1525_4196_bd6f,
        0x945b_9092_7986_b5f0,
        0xdaf2_a4c7_68dd_5569,
    ];
    const KNOWN_LATENCY: u64 = 0x6146_71ed_6aa6_245f;
    const KNOWN_DISK: u64 = 0xb040_92c6_cd04_ebe8;
    const KNOWN_WORK: u64 = 0xccbd_7bb3_a305_63e5;

    #[test]
    fn whom_one_call_asks_says_nothing_of_whom_the_next_one_does() {
        for seed in 0..200 {
            let draws = Draws::new(seed);
            let whom: Vec<_> = (0..2000).map(|nth| below(draws.work(0, nth), 4)).collect();
            for apart in 1..=4 {
                let pairs = whom.windows(apart + 1);
                let same = pairs.filter(|calls| calls[0] == calls[apart]).count();
                // A quarter of 2 000 is 500, and seven standard deviations of that are 136.
                assert!(
                    same.abs_diff(500) < 140,
                    "seed {seed}: {same} of calls {apart} apart"
                );
            }
        }
    }

    #[test]
    fn every_key_gives_words_of_its_own() {
        let (draws, other) = (Draws::new(1), Draws::new(2));
        let word =
            |draws: &Draws, from, to, n, purpose| draws.datagram(draws.link(from, to), n).word(purpose);
        let words = [
            word(&draws, A, B, 0, Purpose::Loss),
            word(&draws, B, A, 0, Purpose::Loss),
            word(&draws, A, B, 1, Purpose::Loss),
            word(&draws, A, B, 0, Purpose::Latency),
            word(&other, A, B, 0, Purpose::Loss),
        ];
        for (i, word) in words.iter().enumerate() {
            assert!(!words[..i].contains(word), "{words:x?}");
        }
    }

    /// Each bit of the words of one link, of one ordinal over many links, and of the two purposes XORed is set in half of
    /// them: within five standard deviations (p < 10⁻⁶ a bit), for a fixed seed.
    #[test]
    fn each_bit_is_set_in_half_of_the_words() {
        const N: u64 = 100_000;
        let draws = Draws::new(3);
        let link = draws.link(A, B);
        let by_ordinal = |n| draws.datagram(link, n).word(Purpose::Loss);
        let by_link = |n| draws.datagram(draws.link(HostKey(n), B), 0).word(Purpose::Loss);
        let by_pair = |n| by_ordinal(n) ^ draws.datagram(link, n).word(Purpose::Latency);
        let by_next = |n| by_ordinal(n) ^ by_ordinal(n + 1);
        let sources: [(&str, &dyn Fn(u64) -> u64); 4] = [
            ("ordinals", &by_ordinal),
            ("links", &by_link),
            ("purposes", &by_pair),
            ("neighbours", &by_next),
        ];
        let five_deviations = 5.0 * (N as f64 / 4.0).sqrt();
        for (name, word) in sources {
            let mut set = [0u64; 64];
            for n in 0..N {
                let word = word(n);
                for (bit, count) in set.iter_mut().enumerate() {
                    *count += word >> bit & 1;
                }
            }
            for (bit, count) in set.into_iter().enumerate() {
                let off = (count as f64 - N as f64 / 2.0).abs();
                assert!(
                    off < five_deviations,
                    "{name}: bit {bit} is set in {count} of {N} words"
                );
            }
        }
    }
}
