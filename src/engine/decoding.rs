//! Choosing the next token from logits, without sorting the vocabulary.
//!
//! Order of the filters as in the transformers library: temperature, top-k, top-p, min-p. The random stream of a request depends on its
//! seed alone (ChaCha8), so a request decodes to the same tokens in any batch.

use super::DecodingParams;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The arg-max, the lowest id winning a tie; `None` when a logit is NaN or none is finite.
pub(crate) fn argmax(logits: &[f32]) -> Option<u32> {
    let mut best = (0_usize, f32::NEG_INFINITY);
    for (id, &logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            return None;
        }
        if logit > best.1 {
            best = (id, logit);
        }
    }
    best.1.is_finite().then_some(best.0 as u32)
}

/// Chooses the tokens of one request.
pub(crate) struct Decoder {
    params: DecodingParams,
    stream: ChaCha8Rng,
}

impl Decoder {
    /// A decoder with its own random stream.
    pub(crate) fn new(params: &DecodingParams) -> Self {
        Self {
            params: params.clone(),
            stream: ChaCha8Rng::seed_from_u64(params.seed),
        }
    }

    /// The next token; `None` when the logits are not numbers.
    pub(crate) fn next(&mut self, logits: &[f32]) -> Option<u32> {
        let top = argmax(logits)?;
        if self.params.temperature <= 0.0 {
            return Some(top);
        }
        let candidates = candidates(logits, logits[top as usize], &self.params);
        // 53 random bits give a uniform number in [0, 1).
        let uniform = (self.stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let total: f64 = candidates.iter().map(|c| c.1).sum();
        let mut left = uniform * total;
        for &(id, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return Some(id);
            }
        }
        candidates.last().map(|c| c.0)
    }
}

/// The tokens that pass the filters with their weights relative to the most probable one, most probable first.
fn candidates(logits: &[f32], max: f32, params: &DecodingParams) -> Vec<(u32, f64)> {
    // e^-80 of the top weight cannot change a cumulative sum in f64 nor be drawn with 53 bits.
    let floor = params.min_p.map_or(-80.0, |p| p.max(1e-35).ln().max(-80.0));
    let weight = |logit: f32| f64::from(logit - max) / params.temperature;
    let mut kept: Vec<(u32, f64)> = logits
        .iter()
        .enumerate()
        .map(|(id, &l)| (id as u32, weight(l)))
        .filter(|c| c.1 >= -80.0)
        .collect();
    if let Some(k) = params
        .top_k
        .map(|k| k.max(1) as usize)
        .filter(|&k| k < kept.len())
    {
        kept.select_nth_unstable_by(k - 1, by_weight);
        kept.truncate(k);
    }
    for candidate in &mut kept {
        candidate.1 = candidate.1.exp();
    }
    if let Some(p) = params.top_p.filter(|&p| p < 1.0) {
        nucleus(&mut kept, p);
    }
    let least = floor.exp();
    kept.retain(|c| c.1 >= least);
    kept.sort_unstable_by(by_weight);
    kept
}

/// Heavier first, the lower id first among equals.
fn by_weight(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Keeps the fewest heaviest candidates whose share reaches `p`. Sorts only a growing head of the list.
fn nucleus(kept: &mut Vec<(u32, f64)>, p: f64) {
    let goal = p.max(0.0) * kept.iter().map(|c| c.1).sum::<f64>();
    let mut head = 64;
    loop {
        if head < kept.len() {
            kept.select_nth_unstable_by(head, by_weight);
        }
        let end = head.min(kept.len());
        kept[..end].sort_unstable_by(by_weight);
        let mut sum = 0.0;
        let needed = kept[..end].iter().position(|c| {
            sum += c.1;
            sum >= goal
        });
        if let Some(last) = needed {
            return kept.truncate(last + 1);
        }
        if end == kept.len() {
            return;
        }
        head *= 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(temperature: f64) -> DecodingParams {
        DecodingParams {
            temperature,
            ..DecodingParams::default()
        }
    }

    /// What the filters mean, by sorting everything.
    fn reference(logits: &[f32], p: &DecodingParams) -> Vec<u32> {
        let max = logits.iter().copied().fold(f32::MIN, f32::max);
        let mut all: Vec<_> = logits
            .iter()
            .enumerate()
            .map(|(i, &l)| (i as u32, (f64::from(l - max) / p.temperature).exp()))
            .collect();
        all.sort_by(by_weight);
        all.truncate(p.top_k.map_or(usize::MAX, |k| k as usize));
        let total: f64 = all.iter().map(|c| c.1).sum();
        if let Some(top_p) = p.top_p {
            let mut sum = 0.0;
            let n = all.iter().position(|c| {
                sum += c.1;
                sum >= top_p * total
            });
            all.truncate(n.map_or(all.len(), |n| n + 1));
        }
        all.into_iter()
            .filter(|c| c.1 >= p.min_p.unwrap_or(0.0))
            .map(|c| c.0)
            .collect()
    }

    #[test]
    fn filters_agree_with_a_full_sort() {
        let logits: Vec<f32> = (0..5000_u32)
            .map(|i| ((i.wrapping_mul(2_654_435_761) >> 16) % 1000) as f32 / 100.0)
            .collect();
        for (k, top_p, min_p) in [
            (None, Some(0.9), None),
            (Some(40), None, None),
            (Some(300), Some(0.5), None),
            (None, None, Some(0.2)),
            (Some(1), Some(0.1), Some(0.5)),
        ] {
            let p = DecodingParams {
                temperature: 0.8,
                top_k: k,
                top_p,
                min_p,
                seed: 0,
            };
            let max = logits.iter().copied().fold(f32::MIN, f32::max);
            let got: Vec<u32> = candidates(&logits, max, &p)
                .into_iter()
                .map(|c| c.0)
                .collect();
            assert_eq!(got, reference(&logits, &p), "{p:?}");
        }
    }

    #[test]
    fn greedy_ties_go_to_the_lowest_id_and_nan_is_refused() {
        assert_eq!(Decoder::new(&params(0.0)).next(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(Decoder::new(&params(0.0)).next(&[1.0, f32::NAN]), None);
        assert_eq!(
            Decoder::new(&params(0.7)).next(&[f32::NEG_INFINITY; 4]),
            None
        );
    }

    #[test]
    fn drawing_follows_the_distribution_and_the_seed() {
        let logits = [0.0_f32, (3.0_f32).ln(), f32::NEG_INFINITY];
        let mut decoder = Decoder::new(&DecodingParams {
            seed: 7,
            ..params(1.0)
        });
        let ones = (0..4000)
            .filter(|_| decoder.next(&logits) == Some(1))
            .count();
        // 3/4 of 4000 with a standard deviation of 27.
        assert!((2865..=3135).contains(&ones), "{ones}");
        let draw = |seed| {
            let mut d = Decoder::new(&DecodingParams {
                seed,
                ..params(1.0)
            });
            (0..20).map(|_| d.next(&logits)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
