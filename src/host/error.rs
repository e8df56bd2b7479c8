//! Why a fact about this machine is not known.

use std::io;
use std::path::PathBuf;

/// A fact, or why it is not known.
pub type Probe<T> = Result<T, HostError>;

/// Something that could not be read or set up.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file of the system could not be read.
    #[error("failed to read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the system could not be written.
    #[error("failed to write `{path}`")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the system lacks what it should have.
    #[error("`{path}` has no usable `{field}`")]
    Field {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        field: &'static str,
    },
    /// A folder of the system lists nothing of the kind.
    #[error("the system lists no {what} in `{path}`")]
    NoneListed {
        /// Of what.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// A call to the system failed.
    #[error("the system call `{call}` failed")]
    Call {
        /// Which.
        call: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Not possible on this system.
    #[error("the {what} cannot be read on `{system}`")]
    System {
        /// What was wanted.
        what: &'static str,
        /// The operating system.
        system: &'static str,
    },
}

impl HostError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!(
                    "give this user read access to `{}`",
                    path.display()
                ))
            }
            _ => None,
        }
    }

    /// The message with its cause, in one line.
    pub(super) fn in_full(&self) -> String {
        use std::error::Error as _;
        match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}
