//! The candle engine: one generic decoder on candle tensors, for models in GGUF and safetensors files.
//!
//! `describe` turns a model file into a description of its blocks (`families`, over the keys of a GGUF header or of a `config.json`) and its
//! tensors, `weights` finds them, `decoder` runs the description, `ops`
//! holds the operations: own kernels on the CPU, candle's tensor operations on other devices (and on the CPU when asked for, as the plain
//! reference). `check` holds every loaded model against the plain kernels before its first request. candle-transformers' quantized models are not used for these families (docs/decisions/0002-own-decoder.md).

mod check;
mod config;
mod decoder;
mod describe;
mod device;
mod experts;
mod families;
mod family;
mod names;
mod ops;
mod run;
mod weights;

pub use super::LoadOptions;
pub use crate::engine::kernels::Tier;
pub use config::model_types;
pub use device::automatic_device;
pub use family::supported_architectures;
pub use run::{CandleEngine, PREFILL_CHUNK};

use super::EngineError;

/// Names what was being done when candle failed.
fn backend(what: &'static str) -> impl Fn(candle_core::Error) -> EngineError {
    move |error| EngineError::Backend {
        what,
        why: error.to_string(),
    }
}
