//! Random streams for resampling that stay the same across platforms, versions and thread counts.
//!
//! A [`Seed`] is a hash of what the stream is for (plan, metric, statistic), so that a report does not depend on the order
//! in which its numbers are computed. Every resample has its own ChaCha stream, so that threads do not matter either.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The key of a family of random streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed from the parts that name a stream; each part is hashed with its length, so that ("ab", "c") is not ("a", "bc").
    pub fn from_parts(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// Stream number `index` of this seed.
    pub(crate) fn stream(&self, index: u64) -> Stream {
        let mut rng = ChaCha8Rng::from_seed(self.0);
        rng.set_stream(index);
        Stream(rng)
    }
}

/// One random stream.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A position below `n` without bias (Lemire 2019: multiply, and reject the short remainder).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.bits()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        let seed = Seed::from_parts(&["plan", "metric", "statistic"]);
        let draw = |i| {
            let mut s = seed.stream(i);
            [s.below(1000), s.below(1000), s.below(1000)]
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        assert_ne!(
            Seed::from_parts(&["ab", "c"]),
            Seed::from_parts(&["a", "bc"])
        );
        assert_eq!(Seed::from_bytes([7; 32]), Seed::from_bytes([7; 32]));
    }

    #[test]
    fn positions_are_uniform() {
        let mut stream = Seed::from_parts(&["uniform"]).stream(0);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6)] += 1;
        }
        assert!(
            counts.iter().all(|c| (9_500..10_500).contains(c)),
            "{counts:?}"
        );
        assert_eq!(stream.below(0), 0);
    }
}
