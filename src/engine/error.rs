//! What can go wrong in an engine.

use crate::modelfile::ModelFileError;
use crate::record::FailureKind;

/// A failure of an engine or of one of its requests.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The architecture has no description.
    #[error("architecture `{found}` is not supported")]
    UnsupportedArchitecture {
        /// As named by the file.
        found: String,
        /// What is supported.
        supported: Vec<&'static str>,
    },
    /// A tensor the architecture needs is absent.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor has the wrong shape.
    #[error("tensor `{name}` has the shape {found:?} where {expected:?} is needed")]
    Shape {
        /// Its name.
        name: String,
        /// In the file.
        found: Vec<u64>,
        /// By the metadata.
        expected: Vec<u64>,
    },
    /// The metadata contradicts itself or is out of range.
    #[error("metadata `{key}` is {found}: {why}")]
    Metadata {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What is wrong.
        why: String,
    },
    /// The file is not valid.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The prompt does not fit the context.
    #[error("the prompt has {tokens} tokens but the context holds {context}")]
    PromptTooLong {
        /// Of the prompt.
        tokens: usize,
        /// Of the model.
        context: usize,
    },
    /// A request without ids.
    #[error("the {what} is empty")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// An id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocabulary}")]
    TokenId {
        /// The id.
        id: u32,
        /// Ids in the vocabulary.
        vocabulary: u32,
    },
    /// The logits held a value that is not a number.
    #[error("the logits at position {position} are not numbers")]
    NotANumber {
        /// Position in the sequence.
        position: usize,
    },
    /// The device asked for is not there.
    #[error("device `{device}` is not available: {why}")]
    Device {
        /// As asked for.
        device: String,
        /// Why not.
        why: String,
    },
    /// The device or a tensor operation failed.
    #[error("the {what} failed: {why}")]
    Backend {
        /// What was being done.
        what: &'static str,
        /// What the backend said.
        why: String,
    },
    /// A failure that a mock script asked for, or one reported by a worker.
    #[error("{message}")]
    Reported {
        /// Kind.
        kind: FailureKind,
        /// Message.
        message: String,
    },
}

impl EngineError {
    /// The kind under which a failed sample is recorded.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            Self::PromptTooLong { .. } => FailureKind::PromptTooLong,
            Self::NotANumber { .. } => FailureKind::NotANumber,
            Self::Reported { kind, .. } => *kind,
            _ => FailureKind::Engine,
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedArchitecture { supported, .. } => {
                Some(format!("supported are {}", supported.join(", ")))
            }
            Self::Device { .. } => Some("use `--device cpu`".to_owned()),
            Self::File(e) => e.hint(),
            Self::NotANumber { .. } => {
                Some("try `--device cpu`; if it persists the file is damaged".to_owned())
            }
            _ => None,
        }
    }
}
