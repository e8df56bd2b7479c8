//! Expansion of weight rows to f32, one function a block format.
//!
//! Every value is computed by the same multiplications and additions on every machine. Formats: ggml's `ggml-common.h` (block layouts);
//! results are tested against the Python package `gguf` (`tests/golden/dequant.py`).
#![allow(
    clippy::inline_always,
    reason = "the bodies must be compiled inside the functions of their tier"
)]

use super::lanes::Lanes;
use super::tier::multiversion;
use crate::modelfile::GgmlType;

/// Calls an expansion for every block. A macro and not a function with a closure: the compiler does not inline the shim of a closure's call
/// into the functions compiled per tier, which then lose their vector instructions.
macro_rules! each_block {
    ($bytes:ident, $out:ident, $expand:expr) => {
        for (block, values) in $bytes.as_chunks().0.iter().zip($out.as_chunks_mut().0) {
            $expand(block, values);
        }
    };
}

/// Expands one row. `bytes` holds whole blocks and `out` as many values.
#[inline(always)]
pub(super) fn dequantize_row<V: Lanes>(ty: GgmlType, bytes: &[u8], out: &mut [f32]) {
    match ty {
        GgmlType::F32 => each_block!(bytes, out, f32_value),
        GgmlType::F16 => each_block!(bytes, out, f16_value),
        GgmlType::BF16 => each_block!(bytes, out, bf16_value),
        GgmlType::Q4_0 => each_block!(bytes, out, q4_0::<V>),
        GgmlType::Q4_1 => each_block!(bytes, out, q4_1::<V>),
        GgmlType::Q5_0 => each_block!(bytes, out, q5_0::<V>),
        GgmlType::Q5_1 => each_block!(bytes, out, q5_1::<V>),
        GgmlType::Q8_0 => each_block!(bytes, out, q8_0::<V>),
        GgmlType::Q2_K => each_block!(bytes, out, q2_k),
        GgmlType::Q3_K => each_block!(bytes, out, q3_k),
        GgmlType::Q4_K => each_block!(bytes, out, q4_k::<V>),
        GgmlType::Q5_K => each_block!(bytes, out, q5_k::<V>),
        GgmlType::Q6_K => each_block!(bytes, out, q6_k::<V>),
        GgmlType::IQ4_NL => each_block!(bytes, out, iq4_nl),
        GgmlType::IQ4_XS => each_block!(bytes, out, iq4_xs),
        GgmlType::MXFP4 => each_block!(bytes, out, mxfp4),
    }
}

#[inline(always)]
fn expand_of<V: Lanes, const M: usize, const N: usize>(
    ty: GgmlType,
    bytes: &[u8],
    out: &mut [f32],
) {
    dequantize_row::<V>(ty, bytes, out);
}

multiversion! {
    /// Expands whole rows outside a product: embeddings, norms.
    pub(crate) fn expand(ty: GgmlType, bytes: &[u8], out: &mut [f32]) => expand_of
}

#[inline(always)]
fn f32_value(b: &[u8; 4], o: &mut [f32; 1]) {
    o[0] = f32::from_le_bytes(*b);
}

#[inline(always)]
fn f16_value(b: &[u8; 2], o: &mut [f32; 1]) {
    o[0] = f16(b, 0);
}

#[inline(always)]
fn bf16_value(b: &[u8; 2], o: &mut [f32; 1]) {
    o[0] = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
}

/// The IEEE half-precision value at byte `at`. Exact, subnormals included: the exponent is moved by a multiplication with 2^112.
#[inline(always)]
fn f16(block: &[u8], at: usize) -> f32 {
    let bits = u16::from_le_bytes([block[at], block[at + 1]]);
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let sign = u32::from(bits & 0x8000) << 16;
    let value = if magnitude >= 0x7c00 << 13 {
        magnitude | 0x7f80_0000
    } else {
        (f32::from_bits(magnitude) * f32::from_bits(0x7780_0000)).to_bits()
    };
    f32::from_bits(value | sign)
}

/// Sixteen codes to sixteen values: `(code + offset) * scale + min`. The codes are small integers, so the first sum is exact.
#[inline(always)]
fn put<V: Lanes>(codes: V::Bytes, offset: f32, scale: V, min: V, out: &mut [f32; 16]) {
    V::widen(codes)
        .add(V::splat(offset))
        .mul(scale)
        .add(min)
        .store(out);
}

/// Sixteen bytes at `at`.
#[inline(always)]
fn sixteen<V: Lanes>(b: &[u8], at: usize) -> V::Bytes {
    V::bytes(
        b[at..]
            .first_chunk()
            .expect("a block holds sixteen bytes wherever its layout says so"),
    )
}

/// The low and the high halves of sixteen bytes.
#[inline(always)]
fn nibbles<V: Lanes>(q: V::Bytes) -> (V::Bytes, V::Bytes) {
    (V::field(q, 0, 0xf), V::field(q, 4, 0xf))
}

/// A block of 32 values in two halves: codes, offset, scale, minimum.
#[inline(always)]
fn halves<V: Lanes>(
    (low, high): (V::Bytes, V::Bytes),
    offset: f32,
    d: f32,
    m: f32,
    o: &mut [f32; 32],
) {
    let (d, m) = (V::splat(d), V::splat(m));
    let parts = o.as_chunks_mut().0;
    put(low, offset, d, m, &mut parts[0]);
    put(high, offset, d, m, &mut parts[1]);
}

#[inline(always)]
fn q4_0<V: Lanes>(b: &[u8; 18], o: &mut [f32; 32]) {
    halves::<V>(nibbles::<V>(sixteen::<V>(b, 2)), -8.0, f16(b, 0), 0.0, o);
}

#[inline(always)]
fn q4_1<V: Lanes>(b: &[u8; 20], o: &mut [f32; 32]) {
    halves::<V>(
        nibbles::<V>(sixteen::<V>(b, 4)),
        0.0,
        f16(b, 0),
        f16(b, 2),
        o,
    );
}

/// The codes of a 5-bit block: nibbles at `low`, fifth bits in the four bytes at `high`.
#[inline(always)]
fn five_bit<V: Lanes>(b: &[u8], high: usize, low: usize) -> (V::Bytes, V::Bytes) {
    let (first, second) = nibbles::<V>(sixteen::<V>(b, low));
    let fifth = |at: usize| V::spread(u16::from_le_bytes([b[at], b[at + 1]]));
    (
        V::above(first, fifth(high)),
        V::above(second, fifth(high + 2)),
    )
}

#[inline(always)]
fn q5_0<V: Lanes>(b: &[u8; 22], o: &mut [f32; 32]) {
    halves::<V>(five_bit::<V>(b, 2, 6), -16.0, f16(b, 0), 0.0, o);
}

#[inline(always)]
fn q5_1<V: Lanes>(b: &[u8; 24], o: &mut [f32; 32]) {
    halves::<V>(five_bit::<V>(b, 4, 8), 0.0, f16(b, 0), f16(b, 2), o);
}

#[inline(always)]
fn q8_0<V: Lanes>(b: &[u8; 34], o: &mut [f32; 32]) {
    // Signed codes, moved into 0..=255 and back.
    let codes = |at: usize| V::flip_sign(sixteen::<V>(b, at));
    halves::<V>((codes(2), codes(18)), -128.0, f16(b, 0), 0.0, o);
}

#[inline(always)]
fn q2_k(b: &[u8; 84], o: &mut [f32; 256]) {
    let (d, dmin) = (f16(b, 80), f16(b, 82));
    for (group, out) in o.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (half, shift, side) = (group / 8, (group % 8) / 2 * 2, group % 2);
        let scale = b[group];
        let (dl, ml) = (d * f32::from(scale & 0xf), dmin * f32::from(scale >> 4));
        let q = &b[16 + half * 32 + side * 16..][..16];
        for l in 0..16 {
            out[l] = dl * f32::from((q[l] >> shift) & 3) - ml;
        }
    }
}

/// The sixteen 6-bit scales of a Q3_K block, minus 32. `packed` holds sixteen low nibbles and then sixteen pairs of high bits.
#[inline(always)]
fn q3_k_scale(packed: &[u8], group: usize) -> f32 {
    let low = if group < 8 {
        packed[group] & 0xf
    } else {
        packed[group - 8] >> 4
    };
    let high = (packed[8 + group % 4] >> (2 * (group / 4))) & 3;
    f32::from(i16::from(low | (high << 4)) - 32)
}

#[inline(always)]
fn q3_k(b: &[u8; 110], o: &mut [f32; 256]) {
    let d = f16(b, 108);
    for (group, out) in o.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (half, step, side) = (group / 8, (group % 8) / 2, group % 2);
        let dl = d * q3_k_scale(&b[96..108], group);
        let mask = 1_u8 << (half * 4 + step);
        let high = &b[side * 16..][..16];
        let q = &b[32 + half * 32 + side * 16..][..16];
        for l in 0..16 {
            let value =
                i16::from((q[l] >> (2 * step)) & 3) - if high[l] & mask == 0 { 4 } else { 0 };
            out[l] = dl * f32::from(value);
        }
    }
}

/// Scale and minimum number `j` of the twelve packed bytes of Q4_K and Q5_K.
#[inline(always)]
fn k_scale_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            (packed[j + 4] & 0xf) | ((packed[j - 4] >> 6) << 4),
            (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4),
        )
    };
    (f32::from(scale), f32::from(min))
}

/// 64 values of Q4_K or Q5_K: the low nibbles of 32 bytes, then the high ones, each with a scale and a minimum. `fifth` moves the fifth bits
/// of sixteen codes above them: (codes, first byte, second half).
#[inline(always)]
fn k_pair<V: Lanes>(
    q: &[u8],
    ((d1, m1), (d2, m2)): ((f32, f32), (f32, f32)),
    fifth: impl Fn(V::Bytes, usize, bool) -> V::Bytes,
    o: &mut [f32; 64],
) {
    let parts = o.as_chunks_mut::<16>().0;
    for side in 0..2 {
        let (low, high) = nibbles::<V>(sixteen::<V>(q, side * 16));
        put(
            fifth(low, side * 16, false),
            0.0,
            V::splat(d1),
            V::splat(-m1),
            &mut parts[side],
        );
        put(
            fifth(high, side * 16, true),
            0.0,
            V::splat(d2),
            V::splat(-m2),
            &mut parts[side + 2],
        );
    }
}

/// Scales and minima of pair number `pair`, multiplied with the block's own.
#[inline(always)]
fn k_scales(b: &[u8], pair: usize) -> ((f32, f32), (f32, f32)) {
    let (d, dmin) = (f16(b, 0), f16(b, 2));
    let one = |j: usize| {
        let (scale, min) = k_scale_min(&b[4..16], j);
        (d * scale, dmin * min)
    };
    (one(2 * pair), one(2 * pair + 1))
}

#[inline(always)]
fn q4_k<V: Lanes>(b: &[u8; 144], o: &mut [f32; 256]) {
    for (pair, out) in o.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        k_pair::<V>(
            &b[16 + pair * 32..],
            k_scales(b, pair),
            |codes, _, _| codes,
            out,
        );
    }
}

#[inline(always)]
fn q5_k<V: Lanes>(b: &[u8; 176], o: &mut [f32; 256]) {
    for (pair, out) in o.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let fifth = |codes, at: usize, second: bool| {
            let bit = V::field(
                sixteen::<V>(b, 16 + at),
                (2 * pair + usize::from(second)) as u32,
                1,
            );
            V::above(codes, bit)
        };
        k_pair::<V>(&b[48 + pair * 32..], k_scales(b, pair), fifth, out);
    }
}

#[inline(always)]
fn q6_k<V: Lanes>(b: &[u8; 210], o: &mut [f32; 256]) {
    let d = f16(b, 208);
    for (group, out) in o.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // Sixteen groups: two halves of four quarters of two sides.
        let (half, quarter, side) = (group / 8, group % 8 / 2, group % 2);
        let low = sixteen::<V>(b, half * 64 + quarter % 2 * 32 + side * 16);
        let high = sixteen::<V>(b, 128 + half * 32 + side * 16);
        let low = V::field(low, (quarter / 2 * 4) as u32, 0xf);
        let codes = V::above(low, V::field(high, (quarter * 2) as u32, 3));
        let scale = d * f32::from(b[192 + group].cast_signed());
        put(codes, -32.0, V::splat(scale), V::zero(), out);
    }
}

/// The sixteen non-linear levels of the IQ4 types.
const IQ4_LEVELS: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

#[inline(always)]
fn levels(q: &[u8], d: f32, table: &[f32; 16], out: &mut [f32]) {
    for j in 0..16 {
        out[j] = d * table[usize::from(q[j] & 0xf)];
        out[j + 16] = d * table[usize::from(q[j] >> 4)];
    }
}

#[inline(always)]
fn iq4_nl(b: &[u8; 18], o: &mut [f32; 32]) {
    levels(&b[2..], f16(b, 0), &IQ4_LEVELS, o);
}

#[inline(always)]
fn iq4_xs(b: &[u8; 136], o: &mut [f32; 256]) {
    let d = f16(b, 0);
    let high = u16::from_le_bytes([b[2], b[3]]);
    for (i, out) in o.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let low = (b[4 + i / 2] >> (4 * (i % 2))) & 0xf;
        let scale = i16::from(low) | (((high >> (2 * i)) & 3) << 4).cast_signed();
        levels(
            &b[8 + i * 16..],
            d * f32::from(scale - 32),
            &IQ4_LEVELS,
            out,
        );
    }
}

/// The sixteen values of FP4 E2M1 times two (the block scale is halved instead).
const FP4_LEVELS: [f32; 16] = [
    0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, -0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0,
];

#[inline(always)]
fn mxfp4(b: &[u8; 17], o: &mut [f32; 32]) {
    // 2^(e - 128): the E8M0 scale, halved.
    let e = u32::from(b[0]);
    let d = f32::from_bits(if e < 2 {
        0x0020_0000 << e
    } else {
        (e - 1) << 23
    });
    levels(&b[1..], d, &FP4_LEVELS, o);
}
