//! Elementwise functions: exp, gated activations, rotary embedding, log-sum-exp.
//!
//! Written as plain loops over `mul_add`, which the compiler vectorises per tier without changing a bit.
#![allow(
    clippy::inline_always,
    reason = "the bodies must be compiled inside the functions of their tier"
)]

use super::lanes::Lanes;
use super::tier::multiversion;

/// e^x with a relative error below 2e-7; 0 below -87.3, infinity above 88.7.
///
/// Cody-Waite reduction to |r| <= ln 2 / 2 and the Taylor polynomial of degree 7 (remainder below 1e-8).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts; the first has enough trailing zeros for n * LN2_HIGH to be exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.7);
    let n = clamped.mul_add(LOG2_E, ROUND) - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, clamped));
    let p = r.mul_add(1.0 / 5040.0, 1.0 / 720.0);
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r, 1.0);
    let p = p.mul_add(r, 1.0);
    // 2^n in two factors, because n = 128 is no exponent of its own.
    let half = (n as i32) >> 1;
    let scale = |e: i32| f32::from_bits(((e + 127) as u32) << 23);
    let value = p * scale(half) * scale(n as i32 - half);
    if x < -87.3 { 0.0 } else { value }
}

/// Activation of a gated MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// x / (1 + e^-x).
    Silu,
    /// The tanh approximation of GELU (Hendrycks and Gimpel 2016), as in `gelu_pytorch_tanh`.
    GeluTanh,
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let inner = SQRT_2_OVER_PI * (0.044_715 * x * x).mul_add(x, x);
    // 0.5 (1 + tanh y) = 1 / (1 + e^(-2y))
    x / (1.0 + exp(-2.0 * inner))
}

#[inline(always)]
fn gated_rows<V: Lanes, const M: usize, const N: usize>(
    both: &[f32],
    width: usize,
    activation: Activation,
    out: &mut [f32],
) {
    for (row, out) in both
        .chunks_exact(2 * width)
        .zip(out.chunks_exact_mut(width))
    {
        let (gate, up) = row.split_at(width);
        match activation {
            Activation::Silu => out
                .iter_mut()
                .zip(gate)
                .zip(up)
                .for_each(|((o, &g), &u)| *o = silu(g) * u),
            Activation::GeluTanh => out
                .iter_mut()
                .zip(gate)
                .zip(up)
                .for_each(|((o, &g), &u)| *o = gelu_tanh(g) * u),
        }
    }
}

multiversion! {
    /// `activation(gate) * up` for rows that hold gate and up side by side: (L, 2F) -> (L, F).
    pub(crate) fn gated(both: &[f32], width: usize, activation: Activation, out: &mut [f32]) => gated_rows
}

#[inline(always)]
fn log_sum_exp_of<V: Lanes, const M: usize, const N: usize>(logits: &[f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (chunks, rest) = logits.as_chunks::<16>();
    // f64 partial sums: a vocabulary of 262,144 equal logits must not lose digits.
    let mut sums = [0.0_f64; 16];
    for chunk in chunks {
        for lane in 0..16 {
            sums[lane] += f64::from(exp(chunk[lane] - max));
        }
    }
    let rest: f64 = rest.iter().map(|&x| f64::from(exp(x - max))).sum();
    max + (sums.iter().sum::<f64>() + rest).ln() as f32
}

multiversion! {
    /// ln of the sum of e^x over all logits.
    pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 => log_sum_exp_of
}

/// How the two halves of a rotated pair lie in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RopeStyle {
    /// Pairs are (i, i + d/2): GPT-NeoX, Gemma, Qwen.
    Halves,
    /// Pairs are (2i, 2i + 1): the order of Llama weights in GGUF files.
    Neighbours,
}

/// Rotates the first `2 * cos.len()` values of one head in place.
pub(crate) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], style: RopeStyle) {
    let pairs = cos.len();
    for i in 0..pairs {
        let (a, b) = match style {
            RopeStyle::Halves => (i, i + pairs),
            RopeStyle::Neighbours => (2 * i, 2 * i + 1),
        };
        let (x, y) = (head[a], head[b]);
        head[a] = x.mul_add(cos[i], -(y * sin[i]));
        head[b] = x.mul_add(sin[i], y * cos[i]);
    }
}

#[inline(always)]
fn sum_squares_of<V: Lanes, const M: usize, const N: usize>(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut acc = V::zero();
    for chunk in chunks {
        let v = V::load(chunk);
        acc = v.mul_add(v, acc);
    }
    rest.iter().fold(acc.sum(), |sum, &x| x.mul_add(x, sum))
}

multiversion! {
    /// The sum of squares of a row.
    pub(crate) fn sum_squares(row: &[f32]) -> f32 => sum_squares_of
}

/// Root-mean-square normalisation of one row: `x / sqrt(mean(x^2) + eps) * weight` (Zhang and Sennrich 2019).
pub(crate) fn rms_norm(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let scale = 1.0 / (sum_squares(row) / row.len() as f32 + eps).sqrt();
    for ((o, &x), &w) in out.iter_mut().zip(row).zip(weight) {
        *o = x * scale * w;
    }
}
