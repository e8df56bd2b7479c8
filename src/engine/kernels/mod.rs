//! The engine's hot loops on the CPU: dequantisation, matrix products, attention, gated activations.
//!
//! In: slices of f32 and raw weight blocks. Out: slices of f32. Knows nothing of models, tensors or tokens.
//!
//! Every kernel is written once, generic over a vector of sixteen f32 lanes ([`lanes::Lanes`]), and compiled for each instruction set
//! ([`Tier`]). Invariants, tested against the plain version:
//!
//! * **Bit-equal on every tier**: sixteen lanes, fused multiply-add, one fixed reduction tree. AVX-512, AVX2, NEON and plain Rust give the same bits.
//! * **Bit-equal for every number of rows**: an output depends on its own input row and weight row only, in a fixed order over k. One row
//!   at a time, many at once, any blocking and any number of threads give the same bits.
//!
//! Activations stay f32 and weights are expanded block by block next to their use, so the only error against float32 is rounding order.

pub(crate) mod attention;
pub(crate) mod dequant;
pub(crate) mod elementwise;
mod lanes;
pub(crate) mod matmul;
mod tier;

pub use tier::Tier;
#[cfg(test)]
pub(crate) use tier::force_tier;
#[cfg(target_arch = "x86_64")]
pub(crate) use tier::has_fused;
pub(crate) use tier::{PlainPool, tier};

#[cfg(test)]
mod tests;
