//! Draws for what is resampled: the same for equal samples, in any process.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of draws.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of a purpose.
    pub(super) fn new(purpose: [u8; 32]) -> Self {
        Draws(ChaCha8Rng::from_seed(purpose))
    }

    /// A whole number below `bound`, each as likely; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // What is below a `usize` is one.
        crate::draws::below(self.0.next_u64(), bound as u64) as usize
    }
}
