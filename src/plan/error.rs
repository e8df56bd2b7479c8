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
    /// A comparison until it is resolved does not have two models. Exit code 2.
    #[error(
        "`--until-resolved` compares exactly two models but {} planned: {}",
        number(models),
        quoted(models)
    )]
    NotTwoModels {
        /// Names of the models planned.
        models: Vec<String>,
    },
    /// One of the two models to compare cannot be run. Exit code 3.
    #[error(
        "`--until-resolved` compares two models but `{model}` cannot be run: {}",
        why(reason)
    )]
    NothingToCompare {
        /// Its name.
        model: String,
        /// Why.
        reason: SkipReason,
    },
}

impl PlanError {
    /// True when the command is at fault (exit code 2) and not the machine or the files (3).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoModels
            | Self::NoSamples { .. }
            | Self::NoEpochs
            | Self::SameModel { .. }
            | Self::NotTwoModels { .. } => true,
            Self::NothingFits { .. } | Self::NothingRuns { .. } | Self::NothingToCompare { .. } => {
                false
            }
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
            Self::NotTwoModels { .. } => Some(
                "name two models with `--models a,b`, or leave out `--until-resolved`".to_owned(),
            ),
            Self::NoSamples { .. }
            | Self::NoEpochs
            | Self::NothingRuns { .. }
            | Self::NothingToCompare { .. } => None,
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
        SkipReason::OverBudget { .. } => format!("`{name}` {}", why(reason)),
        SkipReason::Files(_) | SkipReason::Load(_) | SkipReason::Breaker(_) => {
            format!("`{name}`: {}", why(reason))
        }
    };
    models.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn why(reason: &SkipReason) -> String {
    match reason {
        SkipReason::OverBudget { estimate, budget } => {
            format!("{} but the budget is {budget}", parts(estimate))
        }
        SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => why.clone(),
    }
}

fn number(models: &[String]) -> String {
    match models.len() {
        1 => "1 is".to_owned(),
        n => format!("{n} are"),
    }
}

fn quoted(models: &[String]) -> String {
    let all: Vec<String> = models.iter().map(|m| format!("`{m}`")).collect();
    all.join(", ")
}
