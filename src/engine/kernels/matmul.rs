//! Products of f32 rows with weight rows in any GGUF type: `out[m][n] = sum over k of x[m][k] * w[n][k]`.
//!
//! A block of weight rows is expanded to f32 in a buffer that stays in the cache, then multiplied with all input rows, a register block
//! of outputs at a time. Work is split over output columns, so every thread expands its own weight rows once.
#![allow(
    clippy::inline_always,
    reason = "the bodies must be compiled inside the functions of their tier"
)]

use super::dequant::dequantize_row;
use super::lanes::Lanes;
use super::tier::multiversion;
use crate::modelfile::GgmlType;
use rayon::prelude::*;
use std::cell::RefCell;

/// Weight rows of one matrix, as they lie in the file.
#[derive(Clone, Copy)]
pub(crate) struct WeightRows<'a> {
    /// Type of the blocks.
    pub ty: GgmlType,
    /// All rows, one after another.
    pub bytes: &'a [u8],
    /// Number of rows (outputs).
    pub rows: usize,
    /// Values in a row (inputs).
    pub columns: usize,
}

impl WeightRows<'_> {
    fn row(&self, n: usize) -> &[u8] {
        let len = self.bytes.len() / self.rows;
        &self.bytes[n * len..(n + 1) * len]
    }
}

/// Weight rows expanded at a time: 16 rows of 2048 values are 128 KiB, which a second-level cache holds.
const BLOCK_ROWS: usize = 16;
/// Below this many multiplications a product is not worth a second thread.
const PARALLEL_WORK: usize = 1 << 17;

thread_local! {
    /// Expanded weight rows of this thread.
    static EXPANDED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Where the outputs go. Threads write disjoint columns.
#[derive(Clone, Copy)]
struct Out {
    at: *mut f32,
    /// Distance between two output rows.
    stride: usize,
    len: usize,
}

#[expect(
    unsafe_code,
    reason = "threads write disjoint columns of one row-major matrix, which slices cannot express"
)]
// SAFETY: the pointer is used only by `Out::set`, by tasks that own disjoint columns, while the exclusive borrow it came from is held.
unsafe impl Send for Out {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Out {}

impl Out {
    #[inline(always)]
    #[expect(unsafe_code, reason = "see `Out`")]
    fn set(self, m: usize, n: usize, value: f32) {
        let index = m * self.stride + n;
        assert!(
            index < self.len,
            "an output index is inside the output matrix"
        );
        // SAFETY: in bounds by the assertion; no other task writes this element (columns are disjoint), none reads it before the end.
        unsafe { *self.at.add(index) = value }
    }
}

/// Multiplies `x` (M rows of `columns` values) with several matrices that share the input: out is (M, sum of rows).
pub(crate) fn matmul(x: &[f32], weights: &[WeightRows<'_>], out: &mut [f32]) {
    let columns = weights[0].columns;
    let rows_in = x.len() / columns;
    let total: usize = weights.iter().map(|w| w.rows).sum();
    assert_eq!(
        out.len(),
        rows_in * total,
        "the output has a place for every product"
    );
    let padded;
    let x = if columns.is_multiple_of(16) {
        x.as_chunks::<16>().0
    } else {
        padded = pad_rows(x, columns);
        &padded
    };
    let chunks = columns.div_ceil(16);
    let out = Out {
        at: out.as_mut_ptr(),
        stride: total,
        len: out.len(),
    };
    let mut blocks = Vec::new();
    let mut first = 0;
    for w in weights {
        blocks.extend((0..w.rows).step_by(BLOCK_ROWS).map(|n| (*w, n, first)));
        first += w.rows;
    }
    let work = |&(w, n, first): &(WeightRows<'_>, usize, usize)| {
        EXPANDED.with_borrow_mut(|buffer| block(x, chunks, w, n, first, out, buffer));
    };
    if rows_in * total * columns < PARALLEL_WORK {
        blocks.iter().for_each(work);
    } else {
        // A few large pieces per thread: the pieces are equal work, and each wake-up costs microseconds.
        let least = blocks.len().div_ceil(rayon::current_num_threads() * 4);
        blocks.par_iter().with_min_len(least.max(1)).for_each(work);
    }
}

fn pad_rows(x: &[f32], columns: usize) -> Vec<[f32; 16]> {
    let mut out = Vec::with_capacity(x.len() / columns * columns.div_ceil(16));
    for row in x.chunks_exact(columns) {
        for part in row.chunks(16) {
            let mut chunk = [0.0; 16];
            chunk[..part.len()].copy_from_slice(part);
            out.push(chunk);
        }
    }
    out
}

#[inline(always)]
fn block_of<V: Lanes, const M: usize, const N: usize>(
    x: &[[f32; 16]],
    chunks: usize,
    w: WeightRows<'_>,
    n0: usize,
    first: usize,
    out: Out,
    buffer: &mut Vec<f32>,
) {
    let count = BLOCK_ROWS.min(w.rows - n0);
    buffer.resize(BLOCK_ROWS * chunks * 16, 0.0);
    for (i, row) in buffer.chunks_exact_mut(chunks * 16).take(count).enumerate() {
        dequantize_row::<V>(w.ty, w.row(n0 + i), &mut row[..w.columns]);
        row[w.columns..].fill(0.0);
    }
    let expanded = &buffer.as_chunks::<16>().0[..count * chunks];
    let rows_in = x.len() / chunks;
    let mut m = 0;
    while m < rows_in {
        if m + M <= rows_in {
            columns_of::<V, M, N>(x, expanded, chunks, (m, first + n0), out);
            m += M;
        } else {
            columns_of::<V, 1, N>(x, expanded, chunks, (m, first + n0), out);
            m += 1;
        }
    }
}

multiversion! {
    fn block(x: &[[f32; 16]], chunks: usize, w: WeightRows<'_>, n0: usize, first: usize, out: Out, buffer: &mut Vec<f32>) => block_of
}

/// M input rows times every expanded weight row.
#[inline(always)]
fn columns_of<V: Lanes, const M: usize, const N: usize>(
    x: &[[f32; 16]],
    expanded: &[[f32; 16]],
    chunks: usize,
    (m, n): (usize, usize),
    out: Out,
) {
    let inputs: [&[[f32; 16]]; M] =
        std::array::from_fn(|i| &x[(m + i) * chunks..(m + i + 1) * chunks]);
    let count = expanded.len() / chunks;
    let mut j = 0;
    while j < count {
        if j + N <= count {
            tile::<V, M, N>(inputs, expanded, chunks, j, |i, c, v| {
                out.set(m + i, n + c, v);
            });
            j += N;
        } else {
            tile::<V, M, 1>(inputs, expanded, chunks, j, |i, c, v| {
                out.set(m + i, n + c, v);
            });
            j += 1;
        }
    }
}

/// The register block: M x N dot products over k, sixteen lanes each. `emit` gets (row, column, value), the column counted with `j`.
#[inline(always)]
fn tile<V: Lanes, const M: usize, const N: usize>(
    x: [&[[f32; 16]]; M],
    w: &[[f32; 16]],
    chunks: usize,
    j: usize,
    mut emit: impl FnMut(usize, usize, f32),
) {
    let w: [&[[f32; 16]]; N] = std::array::from_fn(|c| &w[(j + c) * chunks..(j + c + 1) * chunks]);
    let acc = dots::<V, M, N>(x, w, chunks);
    for (i, row) in acc.into_iter().enumerate() {
        for (c, sum) in row.into_iter().enumerate() {
            emit(i, j + c, sum.sum());
        }
    }
}

/// M x N accumulators of x[i] . w[j]; every slice holds `chunks` chunks.
#[inline(always)]
pub(super) fn dots<V: Lanes, const M: usize, const N: usize>(
    x: [&[[f32; 16]]; M],
    w: [&[[f32; 16]]; N],
    chunks: usize,
) -> [[V; N]; M] {
    // Equal lengths in sight of the compiler remove the bounds checks of the loop.
    let x = x.map(|row| &row[..chunks]);
    let w = w.map(|row| &row[..chunks]);
    let mut acc = [[V::zero(); N]; M];
    for k in 0..chunks {
        let weights: [V; N] = std::array::from_fn(|j| V::load(&w[j][k]));
        for i in 0..M {
            let input = V::load(&x[i][k]);
            for j in 0..N {
                acc[i][j] = input.mul_add(weights[j], acc[i][j]);
            }
        }
    }
    acc
}
