//! A model's files: found on this machine, or fetched, pinned and verified. The only network for files.
//!
//! In: a [`crate::config::ModelEntry`] and [`HubSettings`]. Out: [`ModelFiles`], a path with its size, its digest and where it came from.
//! Knows nothing of engines, suites, the database or the terminal; it reports through [`Progress`] and reads no environment variable itself.
//!
//! Invariants:
//! * Weights are kept by content, `blobs/<sha256>/<file name>` below the cache folder, and a name is there only when the file is whole: files
//!   are written under another name, flushed to the disk, then renamed.
//! * Nothing is returned whose digest was not computed on this machine, once for each state of the file (`stamp` remembers size and time of
//!   change); a digest of the catalogue, of `models.lock` or of the hub that differs is an error, never a warning.
//! * A set of safetensors is kept in one folder named after its digest; its main file appears there last.
//! * Paths from a network or an archive are checked before they are joined to a folder.
//! * The token goes to the hub's own host only and into no message.
//!
//! Layout of the shared cache: huggingface/hub-docs, `docs/hub/local-cache.md`. Wheels: PyPA, "Binary distribution format".

mod blobs;
mod env;
mod error;
mod fetch;
mod hf_cache;
mod local;
mod lockfile;
mod locking;
mod pip;
mod progress;
mod secret;
mod set;
mod stamp;
mod wheel;

#[cfg(feature = "hub")]
mod hf;
#[cfg(feature = "hub")]
mod http;
#[cfg(feature = "hub")]
mod peek;
#[cfg(feature = "hub")]
mod range;
mod resolve;

#[cfg(test)]
mod tests;

pub use env::HfEnv;
pub use error::{HubError, SourceFailure};
pub use fetch::{Hub, HubSettings, ModelFiles};
pub use lockfile::{LockEntry, LockFile};
#[cfg(feature = "hub")]
pub use peek::{Head, Peek};
pub use pip::PipProgram;
pub use progress::{Progress, Silent};
pub use resolve::{LockOutcome, Locked};
pub use secret::Secret;
