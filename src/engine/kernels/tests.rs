//! Every tier against the plain version, bit for bit, and the plain version against f64.

use super::attention::{AttentionShape, Inputs, attention};
use super::dequant::expand;
use super::elementwise::{Activation, exp, gated, log_sum_exp};
use super::matmul::{WeightRows, matmul};
use super::{Tier, force_tier, tier};
use crate::modelfile::GgmlType;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tier is a setting of the whole process, so tests that change it take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `body` on every tier of this machine and returns the results, plain first.
fn on_every_tier<T>(body: impl Fn() -> T) -> Vec<(Tier, T)> {
    let _turn = turn();
    let before = tier();
    let results = Tier::ALL
        .into_iter()
        .filter(|&t| force_tier(t))
        .map(|t| (t, body()))
        .collect();
    assert!(force_tier(before));
    results
}

fn assert_same_bits(results: &[(Tier, Vec<f32>)]) {
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let plain = bits(&results[0].1);
    for (tier, result) in &results[1..] {
        assert!(
            bits(result) == plain,
            "{} differs from plain",
            tier.as_str()
        );
    }
}

/// Reproducible numbers in -1..1.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Blocks of `ty` with random bits and small scales.
fn blocks(ty: GgmlType, rows: usize, columns: usize) -> Vec<u8> {
    let size = ty.bytes(columns as u64, rows as u64).unwrap() as usize;
    let mut bytes: Vec<u8> = numbers(ty.id() + 7, size)
        .iter()
        .map(|x| ((x + 1.0) * 127.0) as u8)
        .collect();
    let small = half::f16::from_f32(0.01).to_le_bytes();
    for block in bytes.chunks_exact_mut(ty.block_bytes()) {
        let scales: &[usize] = match ty {
            GgmlType::F32 => {
                block.copy_from_slice(&0.25_f32.to_le_bytes());
                continue;
            }
            GgmlType::MXFP4 => {
                block[0] = 120;
                continue;
            }
            GgmlType::BF16 => {
                block[1] = 0x3e;
                continue;
            }
            GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q4_K | GgmlType::Q5_K => &[0, 2],
            GgmlType::Q2_K => &[80, 82],
            GgmlType::Q3_K => &[108],
            GgmlType::Q6_K => &[208],
            _ => &[0],
        };
        for &at in scales {
            block[at..at + 2].copy_from_slice(&small);
        }
    }
    bytes
}

fn product(ty: GgmlType, x: &[f32], columns: usize, rows: usize) -> Vec<f32> {
    let bytes = blocks(ty, rows, columns);
    let mut out = vec![0.0; x.len() / columns * rows];
    matmul(
        x,
        &[WeightRows {
            ty,
            bytes: &bytes,
            rows,
            columns,
        }],
        &mut out,
    );
    out
}

#[test]
fn products_have_the_same_bits_on_every_tier_and_are_right() {
    for ty in GgmlType::all() {
        let columns = 512;
        for rows_in in [1, 2, 5, 6, 7, 13] {
            let x = numbers(3, rows_in * columns);
            let results = on_every_tier(|| product(ty, &x, columns, 37));
            assert_same_bits(&results);
            let bytes = blocks(ty, 37, columns);
            let mut w = vec![0.0; 37 * columns];
            expand(ty, &bytes, &mut w);
            for (i, got) in results[0].1.iter().enumerate() {
                let (m, n) = (i / 37, i % 37);
                let terms = (0..columns)
                    .map(|k| f64::from(x[m * columns + k]) * f64::from(w[n * columns + k]));
                let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
                assert!(
                    (f64::from(*got) - sum).abs() <= 1e-6 * size + 1e-9,
                    "{} {got} {sum}",
                    ty.name()
                );
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    // Large enough for several threads; odd sizes reach every remainder path. 35 columns are padded.
    for (columns, ty) in [(576, GgmlType::Q4_1), (35, GgmlType::F16)] {
        let x = numbers(11, 23 * columns);
        let all = product(ty, &x, columns, 301);
        for m in 0..23 {
            let one = product(ty, &x[m * columns..(m + 1) * columns], columns, 301);
            assert!(
                one.iter()
                    .zip(&all[m * 301..])
                    .all(|(a, b)| a.to_bits() == b.to_bits()),
                "row {m}"
            );
        }
    }
}

#[test]
fn several_matrices_are_their_columns_side_by_side() {
    let x = numbers(5, 3 * 64);
    let (a, b) = (
        blocks(GgmlType::Q8_0, 20, 64),
        blocks(GgmlType::Q5_0, 9, 64),
    );
    let rows = |ty, bytes, rows| WeightRows {
        ty,
        bytes,
        rows,
        columns: 64,
    };
    let mut both = vec![0.0; 3 * 29];
    matmul(
        &x,
        &[rows(GgmlType::Q8_0, &a, 20), rows(GgmlType::Q5_0, &b, 9)],
        &mut both,
    );
    let (mut left, mut right) = (vec![0.0; 60], vec![0.0; 27]);
    matmul(&x, &[rows(GgmlType::Q8_0, &a, 20)], &mut left);
    matmul(&x, &[rows(GgmlType::Q5_0, &b, 9)], &mut right);
    for m in 0..3 {
        assert_eq!(both[m * 29..m * 29 + 20], left[m * 20..(m + 1) * 20]);
        assert_eq!(both[m * 29 + 20..(m + 1) * 29], right[m * 9..(m + 1) * 9]);
    }
}

fn attend(
    rows: usize,
    first: usize,
    window: Option<usize>,
    softcap: Option<f32>,
) -> (Vec<f32>, AttentionShape) {
    let shape = AttentionShape {
        heads: 6,
        kv_heads: 2,
        head_dim: 48,
        scale: 0.2,
        window,
        softcap,
    };
    let context = 64;
    let (k, v) = (numbers(1, context * 96), numbers(2, context * 96));
    // The queries of a position are the same however many rows are computed at once.
    let q = &numbers(9, context * 288)[first * 288..(first + rows) * 288];
    let mut out = vec![0.0; rows * 288];
    attention(
        Inputs {
            q,
            k: &k,
            v: &v,
            first,
            shape,
        },
        &mut out,
    );
    (out, shape)
}

#[test]
fn attention_has_the_same_bits_on_every_tier_and_is_right() {
    for (window, softcap) in [
        (None, None),
        (Some(7), None),
        (None, Some(0.5)),
        (Some(1), None),
    ] {
        let results = on_every_tier(|| attend(40, 5, window, softcap).0);
        assert_same_bits(&results);
        let (k, v, q) = (
            numbers(1, 64 * 96),
            numbers(2, 64 * 96),
            numbers(9, 64 * 288),
        );
        for (at, got) in results[0].1.iter().enumerate() {
            let (row, head, d) = (at / 288, at % 288 / 48, at % 48);
            let position = 5 + row;
            let from = window.map_or(0, |w| (position + 1).saturating_sub(w));
            let score = |j: usize| {
                let dot: f64 = (0..48)
                    .map(|i| {
                        f64::from(q[position * 288 + head * 48 + i])
                            * f64::from(k[j * 96 + head / 3 * 48 + i])
                    })
                    .sum();
                let s = dot * f64::from(0.2_f32);
                softcap
                    .map_or(s, |c| f64::from(c) * (s / f64::from(c)).tanh())
                    .exp()
            };
            let total: f64 = (from..=position).map(score).sum();
            let sum: f64 = (from..=position)
                .map(|j| score(j) * f64::from(v[j * 96 + head / 3 * 48 + d]))
                .sum::<f64>()
                / total;
            assert!(
                (f64::from(*got) - sum).abs() < 1e-5,
                "{got} {sum} at {at}, {window:?} {softcap:?}"
            );
        }
    }
}

#[test]
fn attention_of_one_row_equals_attention_of_many() {
    for window in [None, Some(9)] {
        let (all, _) = attend(40, 5, window, None);
        for row in 0..40 {
            let (one, _) = attend(1, 5 + row, window, None);
            assert!(
                one.iter()
                    .zip(&all[row * 288..])
                    .all(|(a, b)| a.to_bits() == b.to_bits()),
                "row {row}"
            );
        }
    }
}

#[test]
fn elementwise_functions_are_close_to_f64() {
    for i in -9000..9000 {
        let x = i as f32 / 100.0;
        let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
        if (-87.0..88.7).contains(&x) {
            assert!((got / want - 1.0).abs() < 3e-7, "exp({x}) = {got}, {want}");
        }
    }
    assert_eq!(exp(-100.0), 0.0);
    assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    let both: Vec<f32> = numbers(4, 64).iter().map(|x| x * 8.0).collect();
    for activation in [Activation::Silu, Activation::GeluTanh] {
        let results = on_every_tier(|| {
            let mut out = vec![0.0; 32];
            gated(&both, 32, activation, &mut out);
            out
        });
        assert_same_bits(&results);
        for (i, got) in results[0].1.iter().enumerate() {
            let (g, u) = (f64::from(both[i]), f64::from(both[32 + i]));
            let active = match activation {
                Activation::Silu => g / (1.0 + (-g).exp()),
                Activation::GeluTanh => {
                    0.5 * g * (1.0 + (0.797_884_560_802_865_4 * (g + 0.044_715 * g * g * g)).tanh())
                }
            };
            assert!(
                (f64::from(*got) - active * u).abs() < 1e-5,
                "{activation:?}({g}) * {u} = {got}"
            );
        }
    }
    let logits: Vec<f32> = numbers(8, 1003).iter().map(|x| x * 20.0).collect();
    let exact = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
    for (_, got) in on_every_tier(|| log_sum_exp(&logits)) {
        assert!((f64::from(got) - exact).abs() < 2e-6);
    }
}

/// Expected values from the Python package `gguf` (`tests/golden/dequant.py`).
#[test]
fn expansion_agrees_with_the_gguf_package() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/golden/dequant.json")).unwrap();
    let cases = golden.as_array().unwrap();
    for ty in GgmlType::all().filter(|&t| t != GgmlType::F32) {
        let case = cases
            .iter()
            .find(|c| c["type"] == ty.name())
            .unwrap_or_else(|| panic!("no case for {}", ty.name()));
        let bytes: Vec<u8> = case["bytes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b.as_u64().unwrap() as u8)
            .collect();
        let want: Vec<f32> = case["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap() as f32)
            .collect();
        let mut got = vec![0.0; want.len()];
        expand(ty, &bytes, &mut got);
        for (g, w) in got.iter().zip(&want) {
            assert!(
                (g - w).abs() <= 1e-6 * w.abs().max(1e-3),
                "{}: {g} instead of {w}",
                ty.name()
            );
        }
    }
}
