//! Model files as bytes: a validated header, and the weights mapped read-only.
//!
//! In: a path. Out: [`WeightsFile`], whose [`GgufHeader`] lists metadata and tensors with checked offsets. Knows nothing of tensors as
//! numbers, devices, tokenizers or networks; the tokenizer, the engine and the memory estimate all read the same header.
//!
//! Invariant: nothing is allocated by a size that the file declares, only by sizes that were checked against the file's length.
//!
//! Format: GGUF specification, versions 2 and 3 (ggml repository, `docs/gguf.md`), little-endian.

mod error;
mod ggml_type;
mod gguf;
mod mapped;

pub use error::ModelFileError;
pub use ggml_type::GgmlType;
pub use gguf::{ArrayRef, ElementType, GgufHeader, TensorInfo, Value};
pub use mapped::WeightsFile;
