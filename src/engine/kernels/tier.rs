//! Which instruction set the kernels use.

use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// No explicit vectors; the reference.
    Plain,
    /// AArch64 with NEON.
    Neon,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Neon, Self::Avx2, Self::Avx512];

    /// The tier this process uses: the best available one.
    pub fn in_use() -> Self {
        tier()
    }

    /// The name in records and in the setting `simd`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run it.
    pub fn available(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }
}

const UNDECIDED: u8 = u8::MAX;
static CHOSEN: AtomicU8 = AtomicU8::new(UNDECIDED);

/// The tier in use: the best available one, or the one forced.
pub(crate) fn tier() -> Tier {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen != UNDECIDED {
        return Tier::ALL[chosen as usize];
    }
    let best = Tier::ALL
        .into_iter()
        .rev()
        .find(|t| t.available())
        .unwrap_or(Tier::Plain);
    CHOSEN.store(best as u8, Ordering::Relaxed);
    best
}

/// Uses `tier` from now on in the whole process. Results do not depend on it. False, and no change, when this machine cannot run it.
#[cfg(test)]
pub(crate) fn force_tier(tier: Tier) -> bool {
    let possible = tier.available();
    if possible {
        CHOSEN.store(tier as u8, Ordering::Relaxed);
    }
    possible
}

/// Compiles `$body::<Vector, ROWS, COLUMNS>(args)` for every tier and calls the one in use.
///
/// ROWS x COLUMNS is the block of outputs held in registers: as large as the register file allows.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? => $body:ident) => {
        $(#[$meta])*
        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "calling a function compiled for an instruction set that was detected at run time")
        )]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                $body::<$crate::engine::kernels::lanes::Avx512, 6, 4>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                $body::<$crate::engine::kernels::lanes::Avx2, 2, 2>($($arg),*)
            }
            match $crate::engine::kernels::tier() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `tier` returns `Avx512` only when every feature named above was detected.
                $crate::engine::kernels::Tier::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above, for AVX2, FMA and F16C.
                $crate::engine::kernels::Tier::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                $crate::engine::kernels::Tier::Neon => $body::<$crate::engine::kernels::lanes::Neon, 2, 2>($($arg),*),
                _ => $body::<$crate::engine::kernels::lanes::Plain, 2, 2>($($arg),*),
            }
        }
    };
}
pub(crate) use multiversion;
