//! Sixteen f32 lanes on every instruction set, with the same bits everywhere.
//!
//! The types of this file are used only inside functions compiled for their instruction set (the `multiversion` macro); that is what
//! makes the intrinsics below sound. `#[inline(always)]` is needed: the methods must be compiled inside those functions.
#![allow(
    unsafe_code,
    reason = "vector intrinsics; see the module header for why each is sound"
)]
#![allow(clippy::inline_always, reason = "see the module header")]

/// Sixteen f32 lanes, and the sixteen bytes that become them.
pub(crate) trait Lanes: Copy {
    /// Sixteen bytes.
    type Bytes: Copy;
    /// Byte i is `from[i]`.
    fn bytes(from: &[u8; 16]) -> Self::Bytes;
    /// `(byte >> shift) & mask` in every byte; the mask is at most `255 >> shift`.
    fn field(bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes;
    /// `a | b << 4` in every byte; b is below 16.
    fn above(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Byte i is bit i of `bits`, 0 or 1.
    fn spread(bits: u16) -> Self::Bytes;
    /// Every byte with its highest bit flipped.
    fn flip_sign(bytes: Self::Bytes) -> Self::Bytes;
    /// Byte i as lane i.
    fn widen(bytes: Self::Bytes) -> Self;
    /// All lanes 0.
    fn zero() -> Self;
    /// All lanes `value`.
    fn splat(value: f32) -> Self;
    /// Lane i is `from[i]`.
    fn load(from: &[f32; 16]) -> Self;
    /// Writes lane i to `to[i]`.
    fn store(self, to: &mut [f32; 16]);
    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self * b`.
    fn mul(self, b: Self) -> Self;
    /// `self * b + c`, rounded once, in every lane.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The sum of all lanes: lane i and i + 8, then i and i + 4, then i and i + 2, then the last two.
    fn sum(self) -> f32;
}

/// Plain Rust: the reference.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; 16]);

impl Lanes for Plain {
    #[inline(always)]
    fn zero() -> Self {
        Self([0.0; 16])
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 16])
    }
    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        *to = self.0;
    }
    type Bytes = [u8; 16];
    #[inline(always)]
    fn bytes(from: &[u8; 16]) -> [u8; 16] {
        *from
    }
    #[inline(always)]
    fn field(bytes: [u8; 16], shift: u32, mask: u8) -> [u8; 16] {
        bytes.map(|b| (b >> shift) & mask)
    }
    #[inline(always)]
    fn above(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        std::array::from_fn(|i| a[i] | (b[i] << 4))
    }
    #[inline(always)]
    fn spread(bits: u16) -> [u8; 16] {
        std::array::from_fn(|i| ((bits >> i) & 1) as u8)
    }
    #[inline(always)]
    fn flip_sign(bytes: [u8; 16]) -> [u8; 16] {
        bytes.map(|b| b ^ 0x80)
    }
    #[inline(always)]
    fn widen(bytes: [u8; 16]) -> Self {
        Self(bytes.map(f32::from))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * b.0[i]))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        let eight: [f32; 8] = std::array::from_fn(|i| self.0[i] + self.0[i + 8]);
        let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
        let two = [four[0] + four[2], four[1] + four[3]];
        two[0] + two[1]
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::{
        __m128, __m128i, __m256, __m512, _mm_add_ps, _mm_add_ss, _mm_and_si128, _mm_cmpeq_epi8,
        _mm_cvtsi32_si128, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_or_si128,
        _mm_set1_epi8, _mm_set1_epi16, _mm_shuffle_epi8, _mm_shuffle_ps, _mm_slli_epi16,
        _mm_srl_epi16, _mm_unpackhi_epi64, _mm_xor_si128, _mm256_add_ps, _mm256_castps256_ps128,
        _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_extractf128_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm512_add_ps, _mm512_castps512_ps256, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32,
        _mm512_extractf32x8_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    /// One 512-bit register.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    /// Two 256-bit registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    /// Sixteen bytes are the same register in both tiers.
    macro_rules! sixteen_bytes {
        () => {
            type Bytes = __m128i;
            #[inline(always)]
            fn bytes(from: &[u8; 16]) -> __m128i {
                // SAFETY: sixteen bytes are readable behind the reference; the load is unaligned.
                unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
            }
            /// 16-bit shift, then a mask that removes what came from the neighbouring byte.
            #[inline(always)]
            fn field(bytes: __m128i, shift: u32, mask: u8) -> __m128i {
                // SAFETY: see the module header.
                unsafe {
                    let shifted = _mm_srl_epi16(bytes, _mm_cvtsi32_si128(shift.cast_signed()));
                    _mm_and_si128(shifted, _mm_set1_epi8(mask.cast_signed()))
                }
            }
            #[inline(always)]
            fn above(a: __m128i, b: __m128i) -> __m128i {
                // SAFETY: see the module header. `b` is below 16, so nothing moves into the neighbouring byte.
                unsafe { _mm_or_si128(a, _mm_slli_epi16::<4>(b)) }
            }
            /// The byte of a bit is copied to every lane, the lane's own bit is kept and compared.
            #[inline(always)]
            fn spread(bits: u16) -> __m128i {
                // SAFETY: see the module header; both tables have sixteen bytes.
                unsafe {
                    let both = _mm_set1_epi16(bits.cast_signed());
                    let own = Self::bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
                    let bit =
                        Self::bytes(&[1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
                    let kept = _mm_and_si128(_mm_shuffle_epi8(both, own), bit);
                    _mm_and_si128(_mm_cmpeq_epi8(kept, bit), _mm_set1_epi8(1))
                }
            }
            #[inline(always)]
            fn flip_sign(bytes: __m128i) -> __m128i {
                // SAFETY: see the module header.
                unsafe { _mm_xor_si128(bytes, _mm_set1_epi8(i8::MIN)) }
            }
        };
    }

    /// The reduction tree below eight lanes.
    #[inline(always)]
    fn sum8(v: __m256) -> f32 {
        // SAFETY: reached only from functions compiled for AVX2 or AVX-512 (module header).
        unsafe {
            let four: __m128 = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    impl Lanes for Avx512 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_setzero_ps() })
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        fn load(from: &[f32; 16]) -> Self {
            // SAFETY: sixteen floats are readable behind the reference; the load is unaligned.
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; 16]) {
            // SAFETY: sixteen floats are writable behind the reference; the store is unaligned.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        sixteen_bytes!();
        #[inline(always)]
        fn widen(bytes: __m128i) -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)) })
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_add_ps(self.0, b.0) })
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_mul_ps(self.0, b.0) })
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: see the module header.
            Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: see the module header.
            sum8(unsafe {
                _mm256_add_ps(
                    _mm512_castps512_ps256(self.0),
                    _mm512_extractf32x8_ps::<1>(self.0),
                )
            })
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: see the module header.
            unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: see the module header.
            unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
        }
        #[inline(always)]
        fn load(from: &[f32; 16]) -> Self {
            // SAFETY: sixteen floats are readable behind the reference; the loads are unaligned.
            unsafe {
                Self(
                    _mm256_loadu_ps(from.as_ptr()),
                    _mm256_loadu_ps(from.as_ptr().add(8)),
                )
            }
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; 16]) {
            // SAFETY: sixteen floats are writable behind the reference; the stores are unaligned.
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), self.0);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
            }
        }
        sixteen_bytes!();
        #[inline(always)]
        fn widen(bytes: __m128i) -> Self {
            // SAFETY: see the module header.
            unsafe {
                let low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
                Self(
                    low,
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes))),
                )
            }
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: see the module header.
            unsafe { Self(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: see the module header.
            unsafe { Self(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: see the module header.
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, b.0, c.0),
                    _mm256_fmadd_ps(self.1, b.1, c.1),
                )
            }
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: see the module header.
            sum8(unsafe { _mm256_add_ps(self.0, self.1) })
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Lanes;
    use std::arch::aarch64::{
        float32x4_t, uint8x16_t, vaddq_f32, vandq_u8, vcvtq_f32_u32, vdupq_n_f32, vdupq_n_s8,
        vdupq_n_u8, veorq_u8, vfmaq_f32, vget_low_u8, vget_low_u16, vld1q_f32, vld1q_u8,
        vmovl_high_u8, vmovl_high_u16, vmovl_u8, vmovl_u16, vmulq_f32, vorrq_u8, vshlq_n_u8,
        vshlq_u8, vst1q_f32,
    };

    /// Four 128-bit registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Neon([float32x4_t; 4]);

    impl Lanes for Neon {
        #[inline(always)]
        fn zero() -> Self {
            Self::splat(0.0)
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: NEON is part of every AArch64 target this crate is built for.
            Self([unsafe { vdupq_n_f32(value) }; 4])
        }
        #[inline(always)]
        fn load(from: &[f32; 16]) -> Self {
            // SAFETY: sixteen floats are readable behind the reference.
            Self(std::array::from_fn(|i| unsafe {
                vld1q_f32(from.as_ptr().add(4 * i))
            }))
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; 16]) {
            for (i, quarter) in self.0.into_iter().enumerate() {
                // SAFETY: sixteen floats are writable behind the reference.
                unsafe { vst1q_f32(to.as_mut_ptr().add(4 * i), quarter) }
            }
        }
        type Bytes = uint8x16_t;
        #[inline(always)]
        fn bytes(from: &[u8; 16]) -> uint8x16_t {
            // SAFETY: sixteen bytes are readable behind the reference.
            unsafe { vld1q_u8(from.as_ptr()) }
        }
        #[inline(always)]
        fn field(bytes: uint8x16_t, shift: u32, mask: u8) -> uint8x16_t {
            // SAFETY: NEON is always there. A negative shift goes right.
            unsafe {
                vandq_u8(
                    vshlq_u8(bytes, vdupq_n_s8(-(shift as i8))),
                    vdupq_n_u8(mask),
                )
            }
        }
        #[inline(always)]
        fn above(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
            // SAFETY: NEON is always there.
            unsafe { vorrq_u8(a, vshlq_n_u8::<4>(b)) }
        }
        #[inline(always)]
        fn spread(bits: u16) -> uint8x16_t {
            Self::bytes(&std::array::from_fn(|i| ((bits >> i) & 1) as u8))
        }
        #[inline(always)]
        fn flip_sign(bytes: uint8x16_t) -> uint8x16_t {
            // SAFETY: NEON is always there.
            unsafe { veorq_u8(bytes, vdupq_n_u8(0x80)) }
        }
        #[inline(always)]
        fn widen(bytes: uint8x16_t) -> Self {
            // SAFETY: NEON is always there.
            unsafe {
                let low = vmovl_u8(vget_low_u8(bytes));
                let high = vmovl_high_u8(bytes);
                Self([
                    vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
                    vcvtq_f32_u32(vmovl_high_u16(low)),
                    vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
                    vcvtq_f32_u32(vmovl_high_u16(high)),
                ])
            }
        }
        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: NEON is always there.
            Self(std::array::from_fn(|i| unsafe {
                vaddq_f32(self.0[i], b.0[i])
            }))
        }
        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: NEON is always there.
            Self(std::array::from_fn(|i| unsafe {
                vmulq_f32(self.0[i], b.0[i])
            }))
        }
        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: NEON is always there. `vfmaq_f32(c, a, b)` is c + a * b, rounded once.
            Self(std::array::from_fn(|i| unsafe {
                vfmaq_f32(c.0[i], self.0[i], b.0[i])
            }))
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            let mut four = [0.0_f32; 4];
            // SAFETY: NEON is always there; `four` holds four floats.
            unsafe {
                let eight = [
                    vaddq_f32(self.0[0], self.0[2]),
                    vaddq_f32(self.0[1], self.0[3]),
                ];
                vst1q_f32(four.as_mut_ptr(), vaddq_f32(eight[0], eight[1]));
            }
            (four[0] + four[2]) + (four[1] + four[3])
        }
    }
}
