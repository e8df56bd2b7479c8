//! The bytes a model needs, from its header. Pure arithmetic.
//!
//! In: a checked [`GgufHeader`](crate::modelfile::GgufHeader) and the bytes it was parsed from (per-layer arrays stay in the file), or a
//! `config.json` and a checked [`SafetensorsSet`](crate::modelfile::SafetensorsSet). Out: a [`ModelShape`], and from that and a context
//! length a [`MemoryEstimate`](crate::record::MemoryEstimate) by part. Does no I/O, knows no device and no budget.
//!
//! Invariants: every number of a header is bounded before it is used, so nothing overflows or divides by zero; an estimate never falls when
//! the context, the prefill chunk or the bytes of a cached value grow.
//!
//! Formulas: `estimate.rs`. Keys: GGUF specification (ggml repository, `docs/gguf.md`, "LLM").

mod config_shape;
mod error;
mod estimate;
mod shape;
#[cfg(test)]
mod tests;

pub use config_shape::shape_from_config;
pub use error::MemoryError;
pub use estimate::{PREFILL_CHUNK_ROWS, estimate};
pub use shape::{ModelShape, shape};
