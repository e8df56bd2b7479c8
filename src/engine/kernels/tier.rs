//! Which instruction set the kernels use.

use std::cell::Cell;
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

thread_local! {
    /// The tier of this thread, where it is not the process' own.
    static OF_THREAD: Cell<Option<Tier>> = const { Cell::new(None) };
}

/// The tier in use: that of this thread's pool ([`PlainPool`]), else the best available one.
pub(crate) fn tier() -> Tier {
    OF_THREAD.get().unwrap_or_else(of_process)
}

/// The best available tier, or the one forced.
fn of_process() -> Tier {
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

/// Threads on which every kernel runs in its plain form, whatever the rest of the process uses: the reference of the self-check.
///
/// The tier belongs to the threads and is not handed from operation to operation, so that no kernel and no operation has a parameter for it that
/// could be forgotten: what is computed inside [`PlainPool::install`], also in parallel, cannot leave these threads.
pub(crate) struct PlainPool(rayon::ThreadPool);

impl PlainPool {
    /// As many threads as the kernels have otherwise.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn new() -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(rayon::current_num_threads())
            .start_handler(|_| OF_THREAD.set(Some(Tier::Plain)))
            .build()?;
        Ok(Self(pool))
    }

    /// Runs `work` on these threads.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}

/// Whether plain Rust may be compiled for fused multiply-add, without which each one is a call of the mathematics library.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_fused() -> bool {
    is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2")
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
            // The same plain Rust with the same bits, without vectors written by hand.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn plain_fused($($arg: $ty),*) $(-> $ret)? {
                $body::<$crate::engine::kernels::lanes::Plain, 2, 2>($($arg),*)
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
                #[cfg(target_arch = "x86_64")]
                // SAFETY: AVX2 and FMA were detected.
                _ if $crate::engine::kernels::has_fused() => unsafe { plain_fused($($arg),*) },
                _ => $body::<$crate::engine::kernels::lanes::Plain, 2, 2>($($arg),*),
            }
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn a_plain_pool_is_plain_on_every_thread_and_nothing_else_is() {
        let pool = PlainPool::new().unwrap();
        let inside = || (0..1_000).into_par_iter().map(|_| OF_THREAD.get());
        let tiers: Vec<Option<Tier>> = pool.install(|| inside().collect());
        assert!(tiers.iter().all(|t| *t == Some(Tier::Plain)));
        assert_eq!(pool.install(tier), Tier::Plain);
        assert_eq!(OF_THREAD.get(), None);
        let outside: Vec<Option<Tier>> = inside().collect();
        assert!(outside.iter().all(Option::is_none));
    }
}
