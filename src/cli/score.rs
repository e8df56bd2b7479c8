//! `evalh score`.

use super::shared::ModelUseArgs;
use super::{CliError, Environment, ModelUse};
use clap::Args;

/// Continuations to be scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRequest {
    /// By which model.
    pub model: ModelUse,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Every line of stdin has `context` and `continuation`, or `context_ids` and `continuation_ids`. All lines are handed to \
the engine at once; results keep their order. The boundary between the two is that of lm-evaluation-harness.

Example:
  evalh score -m gemma-3-270m-q4_k_m --json < pairs.jsonl")]
pub(super) struct ScoreArgs {
    #[command(flatten)]
    model: ModelUseArgs,
}

impl ScoreArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<ScoreRequest, CliError> {
        Ok(ScoreRequest {
            model: self.model.resolve(env)?,
        })
    }
}
