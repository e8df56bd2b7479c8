//! Why there is no plan.

use crate::record::{MemoryEstimate, SkipReason};
use crate::units::Bytes;

/// A plan that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No model was chosen. Exit code 2.
    #[error("no model is selected")]
    NoModels,
    /// No sample was chosen. Exit code 2.
    #[error("suite `{suite}` has no samples left to run")]
    NoSamples {
        /// Name of the suite.
        suite: String,
    },
    /// Zero repetitions were asked for. Exit code 2.
    #[error("0 epochs are asked for where at least 1 is needed")]
    NoEpochs,
    /// Two entries are the same model. Exit code 2.
    #[error(
        "`{first}` and `{second}` are the same model: weights, tokenizer and template are equal"
    )]
    SameModel {
        /// Name of one.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// Every model is above the budget. Exit code 3.
    #[error("no model fits the budget of {budget}: {}", breakdown(models))]
    NothingFits {
        /// Bytes that may be used.
        budget: Bytes,
        /// Each model with what it needs, the smallest first.
        models: Vec<(String, MemoryEstimate)>,
    },
    /// No model can be run, for several reasons. Exit code 3.
    #[error("no model can be run: {}", reasons(models))]
    NothingRuns {
        /// Each model and why.
        models: Vec<(String, SkipReason)>,
    },
}

impl PlanError {
    /// True when the command is at fault (exit code 2) and not the machine or the files (3).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoModels | Self::NoSamples { .. } | Self::NoEpochs | Self::SameModel { .. } => {
                true
            }
            Self::NothingFits { .. } | Self::NothingRuns { .. } => false,
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoModels => Some(
                "`evalh models list` shows the catalogue; name some with `--models a,b`".to_owned(),
            ),
            Self::SameModel { second, .. } => Some(format!("leave out `{second}`")),
            Self::NothingFits { models, .. } => {
                let smallest = models.iter().map(|(_, e)| e.total()).min()?;
                Some(format!(
                    "the smallest runs with `--memory-budget {}`",
                    rounded_up(smallest)
                ))
            }
            Self::NoSamples { .. } | Self::NoEpochs | Self::NothingRuns { .. } => None,
        }
    }
}

/// A size as `--memory-budget` takes it, in whole megabytes, never below `size`.
fn rounded_up(size: Bytes) -> String {
    format!("{}MB", size.get().div_ceil(1_000_000))
}

fn parts(e: &MemoryEstimate) -> String {
    format!(
        "needs {} (weights {}, key/value cache {} for {} tokens, activations {}, program {})",
        e.total(),
        e.weights,
        e.kv_cache,
        e.context,
        e.activations,
        e.overhead
    )
}

fn breakdown(models: &[(String, MemoryEstimate)]) -> String {
    let one = |(name, estimate): &(String, MemoryEstimate)| format!("`{name}` {}", parts(estimate));
    models.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn reasons(models: &[(String, SkipReason)]) -> String {
    let one = |(name, reason): &(String, SkipReason)| match reason {
        SkipReason::OverBudget { estimate, budget } => {
            format!("`{name}` {} but the budget is {budget}", parts(estimate))
        }
        SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => {
            format!("`{name}`: {why}")
        }
    };
    models.iter().map(one).collect::<Vec<_>>().join("; ")
}
