//! Why a run stopped without an end.

use crate::record::SinkError;
use crate::suite::SuiteError;

/// A run that could not go on. Failures of samples and models are records, not errors.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A listener could not take an event; everything before it is kept. Exit code 5.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A sample has no prompt. Exit code 2.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// The plan was made from another suite. Exit code 70.
    #[error("the plan asks for sample `{sample}` of task `{task}`, which the suite does not have")]
    NotInSuite {
        /// Task id.
        task: String,
        /// Sample id.
        sample: String,
    },
}

impl RunnerError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sink(_) => {
                Some("what is saved is intact: the same command continues the run".to_owned())
            }
            Self::Suite(e) => e.hint(),
            Self::NotInSuite { .. } => None,
        }
    }
}
