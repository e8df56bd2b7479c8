//! Which engine runs a model file: our own decoder where it has a description of the architecture, else the adapter.

use super::adapter::{self, AdapterEngine};
use super::candle::{CandleEngine, model_types};
use super::{Engine, EngineError, LoadOptions};
use crate::modelfile::{ModelConfig, ModelFile, SafetensorsFiles};
use crate::units::Bytes;

/// Loads a model.
///
/// # Errors
/// When no engine knows its architecture, or the one that does refuses the file or the device.
pub fn open(file: &ModelFile, options: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    match adapted(file)? {
        Some(files) => {
            let engine = AdapterEngine::load(files.set(), files.config(), options)?;
            Ok(Box::new(engine))
        }
        None => Ok(Box::new(CandleEngine::load(file, options)?)),
    }
}

/// The weights of a model that the adapter runs; `None` for one of our own.
fn adapted(file: &ModelFile) -> Result<Option<&SafetensorsFiles>, EngineError> {
    let ModelFile::Safetensors(files) = file else {
        return Ok(None);
    };
    let config = ModelConfig::parse(files.config())?;
    let (own, others) = (model_types(), adapter::supported());
    let found = config.model_type();
    if own.contains(&found) {
        return Ok(None);
    }
    if others.contains(&found) {
        return Ok(Some(files));
    }
    let mut supported = [own, others].concat();
    supported.sort_unstable();
    Err(EngineError::UnsupportedArchitecture {
        found: found.to_owned(),
        supported,
    })
}

/// What a model takes in memory beyond an estimate that counts its weights as they are in the file and no matrix of attention weights:
/// (weights, activations) for `heads` heads at `context` tokens. `None` for a model of our own decoder, whose weights are mapped.
pub fn adapter_memory(file: &ModelFile, heads: u64, context: u32) -> Option<(Bytes, Bytes)> {
    let files = adapted(file).ok().flatten()?;
    let config = ModelConfig::parse(files.config()).ok()?;
    Some((
        adapter::weights_in_memory(files.set()),
        adapter::attention_bytes(config.model_type(), heads, context),
    ))
}
