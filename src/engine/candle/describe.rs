//! From a model file of either format to what the decoder is built of: the description of its blocks, and its tensors under the names that
//! GGUF files have for them.

use super::config;
use super::family::{self, Blueprint};
use super::names::{self, Naming};
use crate::engine::EngineError;
use crate::modelfile::{ModelConfig, ModelFile, SafetensorsFiles, TensorMap};
use std::sync::Arc;

const HEAD: &str = "output.weight";
const TABLE: &str = "token_embd.weight";

/// A model, described.
pub(super) struct Described {
    pub(super) blueprint: Blueprint,
    pub(super) tensors: Tensors,
}

/// Tensors under the names of GGUF files.
pub(super) struct Tensors {
    pub(super) map: Arc<TensorMap>,
    /// Added to the weights of norms: safetensors of the Gemmas hold their distance from 1.
    pub(super) norm_offset: f32,
    /// What the names were, for messages.
    pub(super) naming: Naming,
}

/// Reads the description of a model and finds its tensors.
pub(super) fn describe(file: &ModelFile) -> Result<Described, EngineError> {
    match file {
        ModelFile::Gguf(file) => Ok(Described {
            blueprint: family::of_gguf(file.header())?,
            tensors: Tensors {
                map: Arc::clone(file.tensors()),
                norm_offset: 0.0,
                naming: Naming::Gguf,
            },
        }),
        ModelFile::Safetensors(files) => of_safetensors(files),
    }
}

fn of_safetensors(files: &SafetensorsFiles) -> Result<Described, EngineError> {
    let config = ModelConfig::parse(files.config())?;
    let naming = Naming::of(config.model_type());
    let blueprint = config::blueprint(&config)?;
    let renamed = files.tensors().renamed(|name| names::renamed(naming, name));
    let mut renamed = renamed?;
    tie(&config, &mut renamed)?;
    Ok(Described {
        blueprint,
        tensors: Tensors {
            map: Arc::new(renamed),
            norm_offset: match config.model_type() {
                "gemma2" | "gemma3_text" => 1.0,
                _ => 0.0,
            },
            naming,
        },
    })
}

/// With tied embeddings the head is their table; a head of its own counts where it holds other values, as in transformers 5. Without, there has
/// to be one.
fn tie(config: &ModelConfig, tensors: &mut TensorMap) -> Result<(), EngineError> {
    let (head, table) = (tensors.get(HEAD), tensors.get(TABLE));
    let tied = config.flag("tie_word_embeddings")?.unwrap_or(false);
    match (head, table) {
        (None, _) if !tied => Err(EngineError::MissingTensor {
            name: names::original(Naming::of(config.model_type()), HEAD),
        }),
        (Some(head), Some(table)) if tied => {
            let same = (head.info.ty, &head.info.dims) == (table.info.ty, &table.info.dims)
                && tensors.bytes(head) == tensors.bytes(table);
            if same {
                tensors.remove(HEAD);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
