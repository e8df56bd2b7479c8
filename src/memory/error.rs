//! What can be wrong with the shape a header declares.

use crate::modelfile::ModelFileError;

/// A header from which no memory estimate can be made.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A value of the wrong type.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// A key or tensor that is needed.
    #[error("the memory a model needs cannot be estimated: `{key}` is missing")]
    Missing {
        /// Which.
        key: String,
    },
    /// A number that no model has.
    #[error("metadata `{key}` is {found}; {least} to {most} is possible")]
    Range {
        /// The key.
        key: String,
        /// In the file.
        found: String,
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// A list that is not one number a layer.
    #[error("metadata `{key}` has {found} values for {layers} layers")]
    PerLayer {
        /// The key.
        key: String,
        /// Values in the file.
        found: u64,
        /// Layers of the model.
        layers: u64,
    },
    /// The size of a head is neither given nor implied.
    #[error(
        "the size of an attention head is not given, and {embedding} values do not divide by {heads} heads"
    )]
    HeadSize {
        /// Width of the model.
        embedding: u64,
        /// Heads.
        heads: u64,
    },
}

impl MemoryError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(source) => source.hint(),
            _ => Some(
                "the file may be damaged: `evalh models verify` checks it against its digest"
                    .to_owned(),
            ),
        }
    }
}
