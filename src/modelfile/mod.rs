//! Model files as bytes: a validated header, and the weights mapped read-only.
//!
//! In: a path, or the first bytes of a file whose length is known. Out: [`ModelFile`], a [`WeightsFile`] whose [`GgufHeader`] lists metadata and
//! tensors with checked offsets, or [`SafetensorsFiles`]. Knows nothing of tensors as numbers, devices, tokenizers or networks; the tokenizer, the
//! engine and the memory estimate all read the same header.
//!
//! Invariant: nothing is allocated by a size that the file declares, only by sizes that were checked against the file's length.
//!
//! Formats: GGUF specification, versions 2 and 3 (ggml repository, `docs/gguf.md`), little-endian; safetensors (its repository's README).

mod config;
mod error;
mod ggml_type;
mod gguf;
mod mapped;
mod python_json;
mod safetensors;
mod safetensors_json;

pub use config::{MAX_CONFIG_BYTES, ModelConfig};
pub use error::ModelFileError;
pub use ggml_type::GgmlType;
pub use gguf::{ArrayRef, ElementType, GgufHeader, TensorInfo, Value};
pub use mapped::{
    MappedTensor, ModelFile, SafetensorsFiles, TensorMap, WeightsFile, is_safetensors,
};
pub use python_json::json_with_infinity;
pub use safetensors::{Dtype, SafeTensor, SafetensorsHeader, SafetensorsSet};
pub use safetensors_json::SafetensorsIndex;
