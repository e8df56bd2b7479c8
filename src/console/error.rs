//! What can go wrong with printing.

/// A text could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The stream does not take it. A reader that went away is not among the reasons.
    #[error("failed to write to standard {stream}")]
    Write {
        /// `output` or `error`.
        stream: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ConsoleError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        let Self::Write { source, .. } = self;
        (source.kind() == std::io::ErrorKind::StorageFull)
            .then(|| "make room on the disk that the output is redirected to".to_owned())
    }
}
