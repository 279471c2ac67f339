//! Random numbers that never change: what a seed gives is part of the results that it leads to.
//!
//! The generator is PCG-XSL-RR-128/64 ("pcg64") from `rand_pcg`; how its bits become shuffles and floats is
//! written out here, so that no update of a library can change a split or a trained head.

use rand_core::Rng;
use rand_pcg::Pcg64;

/// A stream of random numbers, decided by a seed and a purpose.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// The stream of that seed for that purpose ("folds", "weights", …); different purposes are independent.
    pub(crate) fn new(seed: u64, purpose: &str) -> Random {
        let digest = blake3::hash(purpose.as_bytes());
        let stream = u128::from_le_bytes(std::array::from_fn(|index| digest.as_bytes()[index]));
        Random(Pcg64::new(u128::from(seed), stream))
    }

    /// An integer in `0..bound`, each equally likely (rejection of the incomplete last range).
    ///
    /// # Panics
    /// If the bound is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no integer is below 0");
        let incomplete = (u64::MAX % bound + 1) % bound;
        loop {
            let bits = self.0.next_u64();
            if bits <= u64::MAX - incomplete {
                return bits % bound;
            }
        }
    }

    /// A float in [0, 1): the upper 53 bits, so every value is a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Puts the items into a random order, each order equally likely (Fisher and Yates, from the end).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of a stream, as they were when the first model was saved: a change of any of them
    /// changes every split and every trained dense head.
    #[test]
    fn streams_stay_as_they_are() {
        let mut items: Vec<usize> = (0..10).collect();
        Random::new(42, "test").shuffle(&mut items);
        assert_eq!(items, [8, 9, 7, 5, 4, 6, 0, 3, 1, 2]);
    }

    #[test]
    fn seeds_and_purposes_differ() {
        let first = |seed, purpose| Random::new(seed, purpose).below(u64::MAX);
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_eq!(first(1, "a"), first(1, "a"));
    }

    #[test]
    fn numbers_spread_as_they_should() {
        let mut random = Random::new(0, "spread");
        let mut counts = [0; 7];
        let mut mean = 0.0;
        let n = 70_000;
        for _ in 0..n {
            counts[random.below(7) as usize] += 1;
            let uniform = random.uniform();
            assert!((0.0..1.0).contains(&uniform));
            mean += uniform / f64::from(n);
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn shuffling_nothing_is_fine() {
        Random::new(0, "").shuffle::<u8>(&mut []);
    }
}
