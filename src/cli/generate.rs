//! `evalh generate`.

use super::shared::ModelUseArgs;
use super::{CliError, Environment, ModelUse};
use clap::Args;

/// Prompts to be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateRequest {
    /// By which model.
    pub model: ModelUse,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With --json every line of stdin has `ids`, `prompt` or `messages`, and may have `max_tokens`, `temperature`, `top_p`, \
`top_k`, `min_p`, `seed`, `stop`, `ignore_eos` and `logprobs`. All lines are handed to the engine at once; results \
keep their order. Without --json every line is one user message.

Example:
  echo '{\"prompt\": \"2 + 2 =\", \"max_tokens\": 8}' | evalh generate -m gemma-3-270m-q4_k_m --json")]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    model: ModelUseArgs,
}

impl GenerateArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<GenerateRequest, CliError> {
        Ok(GenerateRequest {
            model: self.model.resolve(env)?,
        })
    }
}
