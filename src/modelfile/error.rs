//! What can be wrong with a model file.

use std::path::PathBuf;

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The file could not be opened, measured or mapped.
    #[error("failed to read `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The first four bytes are not `GGUF`.
    #[error("not a GGUF file: it {}", beginning(found))]
    Magic {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A version this reader does not know.
    #[error("GGUF version {found} is not supported; versions 2 and 3 are")]
    Version {
        /// The version in the file.
        found: u32,
    },
    /// The file ends inside the header.
    #[error("the file ends at byte {length} inside {what} at byte {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        offset: u64,
        /// Length of the file.
        length: u64,
    },
    /// A count or size above what any real model has.
    #[error("{what} is {found}, above the limit of {limit}, at byte {offset}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// Declared.
        found: u64,
        /// Allowed.
        limit: u64,
        /// Where.
        offset: u64,
    },
    /// A value that is not allowed.
    #[error("{what} at byte {offset} is invalid: {why}")]
    Invalid {
        /// What was being read.
        what: &'static str,
        /// Where.
        offset: u64,
        /// Why.
        why: String,
    },
    /// A tensor whose declaration contradicts the file.
    #[error("tensor `{name}` {why}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// One of several files that belong together.
    #[error("`{file}`: {source}")]
    InFile {
        /// Its name.
        file: String,
        /// What is wrong with it.
        source: Box<ModelFileError>,
    },
    /// A `config.json` that is none, or one of its values.
    #[error("`config.json` cannot be used: {why}")]
    Config {
        /// What is wrong.
        why: String,
    },
    /// A key that the reader of this header needs.
    #[error("metadata key `{key}` is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A key with another type than needed.
    #[error("metadata key `{key}` is not {expected}")]
    KeyType {
        /// The key.
        key: String,
        /// What is needed.
        expected: &'static str,
    },
}

/// The first bytes of a file in words.
fn beginning(found: &[u8]) -> String {
    if found.is_empty() {
        return "is empty".to_owned();
    }
    let bytes: Vec<String> = found.iter().map(|b| format!("{b:02x}")).collect();
    format!(
        "begins with the bytes {} instead of `GGUF`",
        bytes.join(" ")
    )
}

impl ModelFileError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Truncated { .. } | Self::Tensor { .. } => {
                Some("the download may be incomplete: `evalh models verify` checks it, `evalh models pull` fetches it again".to_owned())
            }
            Self::InFile { source, .. } => source.hint(),
            Self::Magic { .. } => Some("evalh reads GGUF and safetensors weight files; name one in the entry's `sources`".to_owned()),
            _ => None,
        }
    }
}
