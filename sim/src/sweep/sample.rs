//! Which seeds of a sweep are run a second time: a share of them, chosen by what they are and by nothing else.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

/// A share of a sweep's runs, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// None at all.
    pub const NONE: Share = Share(0);
    /// All of them.
    pub const ALL: Share = Share(WHOLE);

    /// So many of a million, from 0 to 1 000 000; what is more is taken for all.
    pub fn millionths(parts: u32) -> Share {
        Share(parts.min(WHOLE))
    }
}

const WHOLE: u32 = 1_000_000;

/// The seeds of one sweep that are run a second time.
///
/// A seed is chosen by a fixed hash of it, so that a run is rechecked whichever thread it falls to, in whichever sweep. A
/// sweep too short to have one that is chosen so takes its last: the one with the most runs behind it.
pub(super) struct Sample {
    share: Share,
    last_resort: Option<u64>,
}

impl Sample {
    pub(super) fn of(seeds: &Range<u128>, share: Share) -> Self {
        let is_empty = || !seeds.clone().any(|seed| is_chosen(seed as u64, share));
        Sample {
            share,
            last_resort: (share > Share::NONE && is_empty())
                .then(|| seeds.end.checked_sub(1).map(|last| last as u64))
                .flatten(),
        }
    }

    pub(super) fn has(&self, seed: u64) -> bool {
        is_chosen(seed, self.share) || self.last_resort == Some(seed)
    }
}

fn is_chosen(seed: u64, share: Share) -> bool {
    // Not a residue of the seed: seeds that were drawn for a purpose, every even one, would be all in it or none.
    xxh3_64(&seed.to_le_bytes()) % u64::from(WHOLE) < u64::from(share.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(seeds: Range<u64>, parts: u32) -> Vec<u64> {
        let sample = Sample::of(&(seeds.start.into()..seeds.end.into()), Share::millionths(parts));
        seeds.filter(|&seed| sample.has(seed)).collect()
    }

    #[test]
    fn about_as_many_are_chosen_as_are_asked_for() {
        assert_eq!(chosen(0..1_000, 0), Vec::<u64>::new());
        assert_eq!(chosen(0..1_000, 1_000_000), (0..1_000).collect::<Vec<_>>());
        assert_eq!(Share::millionths(u32::MAX), Share::ALL);
        // A hundredth of a hundred thousand is a thousand, give or take three standard deviations of 31 each.
        let count = chosen(0..100_000, 10_000).len();
        assert!((906..=1094).contains(&count), "{count}");
    }

    #[test]
    fn the_choice_of_a_seed_does_not_hang_on_the_sweep() {
        let of_all = chosen(0..10_000, 10_000);
        let mut of_parts = chosen(0..5_000, 10_000);
        of_parts.extend(chosen(5_000..10_000, 10_000));
        assert_eq!(of_parts, of_all);
        // What was once chosen stays chosen in every version, or reports of one would puzzle another.
        assert_eq!(of_all[..3], [99, 376, 479]);
    }

    #[test]
    fn a_sweep_too_short_for_its_share_takes_its_last_seed() {
        let (first, second) = (chosen(0..10_000, 10_000)[0], chosen(0..10_000, 10_000)[1]);
        assert_eq!(chosen(first + 1..second, 10_000), [second - 1]);
        assert_eq!(chosen(7..7, 10_000), Vec::<u64>::new());
        assert_eq!(chosen(0..0, 1_000_000), Vec::<u64>::new());
        assert_eq!(chosen(u64::MAX - 1..u64::MAX, 1), [u64::MAX - 1]);
    }
}
