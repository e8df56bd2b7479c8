//! A mixture of experts in place of the MLP: (L, E) -> (L, E).
//!
//! Each row is computed by the experts whose router logits are highest and is their sum, weighted by the softmax over those logits (Jiang et
//! al. 2024). Experts add their part in the order of their number, so that a row's result does not depend on the rows beside it.

use super::ops::{Gated, Linear};
use crate::engine::kernels::elementwise::log_sum_exp;
use candle_core::{Result, Tensor};

/// One expert.
pub(super) struct Expert {
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
}

/// All experts of a layer.
pub(super) struct Mixture {
    pub(super) router: Linear,
    pub(super) experts: Vec<Expert>,
    /// Experts of a row.
    pub(super) used: usize,
}

/// Rows of one expert and their weights.
#[derive(Clone, Default)]
struct Work {
    rows: Vec<u32>,
    weights: Vec<f32>,
}

impl Mixture {
    pub(super) fn forward(&self, x: &Tensor, gated: &Gated) -> Result<Tensor> {
        let mut work = vec![Work::default(); self.experts.len()];
        for (row, logits) in self.router.forward(x)?.to_vec2::<f32>()?.iter().enumerate() {
            for (expert, weight) in chosen(logits, self.used) {
                work[expert].rows.push(row as u32);
                work[expert].weights.push(weight);
            }
        }
        let mut sum = x.zeros_like()?;
        for (expert, work) in self.experts.iter().zip(work) {
            let count = work.rows.len();
            if count == 0 {
                continue;
            }
            let rows = Tensor::from_vec(work.rows, count, x.device())?;
            let weights = Tensor::from_vec(work.weights, (count, 1), x.device())?;
            let both = expert.gate_up.forward(&x.index_select(&rows, 0)?)?;
            let part = expert.down.forward(&gated.forward(&both)?)?;
            sum = sum.index_add(&rows, &part.broadcast_mul(&weights)?, 0)?;
        }
        Ok(sum)
    }
}

/// The experts with the highest logits, the lower number first where two are equal, each with its softmax weight among them.
fn chosen(logits: &[f32], used: usize) -> Vec<(usize, f32)> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order.truncate(used);
    let kept: Vec<f32> = order.iter().map(|&e| logits[e]).collect();
    let total = log_sum_exp(&kept);
    order
        .into_iter()
        .zip(kept)
        .map(|(expert, logit)| (expert, (logit - total).exp()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_chosen_and_share_the_weight() {
        let found = chosen(&[0.0, 2.0, 2.0, 1.0], 3);
        let experts: Vec<usize> = found.iter().map(|f| f.0).collect();
        assert_eq!(experts, [1, 2, 3]);
        let total: f32 = found.iter().map(|f| f.1).sum();
        assert!((total - 1.0).abs() < 1e-6);
        assert_eq!(found[0].1, found[1].1);
        let e = 1.0_f32.exp();
        assert!((found[2].1 - 1.0 / (2.0 * e + 1.0)).abs() < 1e-6);
    }
}
