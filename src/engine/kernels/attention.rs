//! Causal grouped-query attention of a block of new rows over a key/value cache.
//!
//! Rows of one key/value head are handled together, a few query vectors at a time; each query vector still computes its scores, its
//! softmax and its weighted sum in an order that depends on nothing but its own position.
#![allow(
    clippy::inline_always,
    reason = "the bodies must be compiled inside the functions of their tier"
)]

use super::elementwise::exp;
use super::lanes::Lanes;
use super::matmul::dots;
use super::tier::multiversion;
use rayon::prelude::*;

/// Shape and rules of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    pub kv_heads: usize,
    /// Values in a head; a multiple of 16.
    pub head_dim: usize,
    /// Factor on the scores.
    pub scale: f32,
    /// A position sees itself and the `window - 1` before it; `None` means all.
    pub window: Option<usize>,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

/// Inputs: queries (L, heads * head_dim) at positions `first..first + L`; keys and values (context, kv_heads * head_dim), filled up to there.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub first: usize,
    pub shape: AttentionShape,
}

/// Query rows handled by one task.
const TASK_ROWS: usize = 16;

/// Computes (L, heads * head_dim).
pub(crate) fn attention(inputs: Inputs<'_>, out: &mut [f32]) {
    let width = inputs.shape.heads * inputs.shape.head_dim;
    let task = |(block, out): (usize, &mut [f32])| {
        let mut scratch = Vec::new();
        for kv_head in 0..inputs.shape.kv_heads {
            block_rows(&inputs, block * TASK_ROWS, kv_head, &mut scratch, out);
        }
    };
    if inputs.q.len() / width < TASK_ROWS {
        // Few rows: the heads are the work to share.
        heads_in_parallel(&inputs, out);
    } else {
        out.par_chunks_mut(TASK_ROWS * width)
            .enumerate()
            .for_each(task);
    }
}

fn heads_in_parallel(inputs: &Inputs<'_>, out: &mut [f32]) {
    let AttentionShape {
        heads,
        kv_heads,
        head_dim,
        ..
    } = inputs.shape;
    let rows = inputs.q.len() / (heads * head_dim);
    let run = |kv_head: usize| {
        let mut own = vec![0.0; out.len()];
        block_rows(inputs, 0, kv_head, &mut Vec::new(), &mut own);
        own
    };
    let seen = inputs.first + rows;
    let parts: Vec<Vec<f32>> = if seen * rows * heads * head_dim < 1 << 17 {
        (0..kv_heads).map(run).collect()
    } else {
        (0..kv_heads).into_par_iter().map(run).collect()
    };
    let span = heads / kv_heads * head_dim;
    for (kv_head, part) in parts.iter().enumerate() {
        for row in 0..rows {
            let at = row * heads * head_dim + kv_head * span;
            out[at..at + span].copy_from_slice(&part[at..at + span]);
        }
    }
}

multiversion! {
    /// The rows `row..` that fit into `out`, for one key/value head.
    fn block_rows(inputs: &Inputs<'_>, row: usize, kv_head: usize, scratch: &mut Vec<f32>, out: &mut [f32]) => block_rows_of
}

#[inline(always)]
fn block_rows_of<V: Lanes, const M: usize, const N: usize>(
    inputs: &Inputs<'_>,
    row: usize,
    kv_head: usize,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let AttentionShape {
        heads,
        kv_heads,
        head_dim,
        ..
    } = inputs.shape;
    let group = heads / kv_heads;
    let rows = out.len() / (heads * head_dim);
    // Query vectors of this key/value head: (row in `out`, head), rows outermost so that neighbours see nearly the same keys.
    let vectors = rows * group;
    let vector = |i: usize| (i / group, kv_head * group + i % group);
    let mut i = 0;
    while i < vectors {
        if i + M <= vectors {
            vectors_of::<V, M, N>(
                inputs,
                row,
                kv_head,
                std::array::from_fn(|j| vector(i + j)),
                scratch,
                out,
            );
            i += M;
        } else {
            vectors_of::<V, 1, N>(inputs, row, kv_head, [vector(i)], scratch, out);
            i += 1;
        }
    }
}

/// M query vectors (row in `out`, head) over all keys they see.
#[inline(always)]
fn vectors_of<V: Lanes, const M: usize, const N: usize>(
    inputs: &Inputs<'_>,
    row: usize,
    kv_head: usize,
    vectors: [(usize, usize); M],
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let AttentionShape {
        heads,
        head_dim,
        window,
        ..
    } = inputs.shape;
    let chunks = head_dim / 16;
    let seen: [(usize, usize); M] = vectors.map(|(r, _)| {
        let end = inputs.first + row + r + 1;
        (window.map_or(0, |w| end.saturating_sub(w)), end)
    });
    let lo = seen.iter().map(|s| s.0).min().unwrap_or(0);
    let hi = seen.iter().map(|s| s.1).max().unwrap_or(0);
    let span = hi - lo;
    scratch.clear();
    scratch.resize(M * span, 0.0);
    let queries: [&[[f32; 16]]; M] = vectors.map(|(r, h)| {
        inputs.q[((row + r) * heads + h) * head_dim..][..head_dim]
            .as_chunks::<16>()
            .0
    });
    scores::<V, M, N>(inputs, kv_head, queries, (lo, hi), scratch);
    let mut sums = [0.0_f32; M];
    for (i, weights) in scratch.chunks_exact_mut(span).enumerate() {
        sums[i] = softmax_weights(weights, seen[i].0 - lo, seen[i].1 - lo);
    }
    let weights: [&[f32]; M] = std::array::from_fn(|i| &scratch[i * span..(i + 1) * span]);
    for chunk in 0..chunks {
        let acc = weighted_values::<V, M>(inputs, kv_head, (lo, chunk), weights);
        for (i, (r, h)) in vectors.into_iter().enumerate() {
            let mut values = [0.0; 16];
            acc[i].store(&mut values);
            let at = (r * heads + h) * head_dim + chunk * 16;
            out[at..at + 16]
                .iter_mut()
                .zip(values)
                .for_each(|(o, v)| *o = v / sums[i]);
        }
    }
}

/// The scaled and capped scores of M queries over keys `lo..hi` into `scratch` (M, hi - lo).
#[inline(always)]
fn scores<V: Lanes, const M: usize, const N: usize>(
    inputs: &Inputs<'_>,
    kv_head: usize,
    queries: [&[[f32; 16]]; M],
    (lo, hi): (usize, usize),
    scratch: &mut [f32],
) {
    let AttentionShape {
        kv_heads,
        head_dim,
        scale,
        softcap,
        ..
    } = inputs.shape;
    let chunks = head_dim / 16;
    let span = hi - lo;
    let key = |j: usize| {
        inputs.k[(j * kv_heads + kv_head) * head_dim..][..head_dim]
            .as_chunks::<16>()
            .0
    };
    let mut j = lo;
    while j < hi {
        let step = if j + N <= hi { N } else { 1 };
        let mut put = |i: usize, c: usize, dot: f32| {
            scratch[i * span + (j - lo) + c] = capped(dot * scale, softcap);
        };
        if step == N {
            let acc = dots::<V, M, N>(queries, std::array::from_fn(|c| key(j + c)), chunks);
            (0..M).for_each(|i| (0..N).for_each(|c| put(i, c, acc[i][c].sum())));
        } else {
            let acc = dots::<V, M, 1>(queries, [key(j)], chunks);
            (0..M).for_each(|i| put(i, 0, acc[i][0].sum()));
        }
        j += step;
    }
}

#[inline(always)]
fn capped(score: f32, cap: Option<f32>) -> f32 {
    match cap {
        None => score,
        // tanh y = 1 - 2 / (e^(2y) + 1)
        Some(cap) => cap * (1.0 - 2.0 / (exp(2.0 * (score / cap)) + 1.0)),
    }
}

/// Turns scores in `from..to` into e^(score - max), all others into 0, and returns their sum (in index order, sixteen partial sums).
#[inline(always)]
fn softmax_weights(weights: &mut [f32], from: usize, to: usize) -> f32 {
    weights[..from].fill(0.0);
    weights[to..].fill(0.0);
    let own = &mut weights[from..to];
    let max = own.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut partial = [0.0_f32; 16];
    let (chunks, rest) = own.as_chunks_mut::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            chunk[lane] = exp(chunk[lane] - max);
            partial[lane] += chunk[lane];
        }
    }
    for (lane, w) in rest.iter_mut().enumerate() {
        *w = exp(*w - max);
        partial[lane] += *w;
    }
    partial.iter().sum()
}

/// Sum over j of weight[j] * value[j] for one chunk of sixteen dimensions, in the order of j.
#[inline(always)]
fn weighted_values<V: Lanes, const M: usize>(
    inputs: &Inputs<'_>,
    kv_head: usize,
    (lo, chunk): (usize, usize),
    weights: [&[f32]; M],
) -> [V; M] {
    let AttentionShape {
        kv_heads, head_dim, ..
    } = inputs.shape;
    let stride = kv_heads * head_dim / 16;
    let values = inputs.v.as_chunks::<16>().0;
    let first = lo * stride + kv_head * head_dim / 16 + chunk;
    let mut acc = [V::zero(); M];
    for (j, value) in values[first..]
        .iter()
        .step_by(stride)
        .take(weights[0].len())
        .enumerate()
    {
        let value = V::load(value);
        for i in 0..M {
            acc[i] = V::splat(weights[i][j]).mul_add(value, acc[i]);
        }
    }
    acc
}
