//! `evalh render`.

use super::shared::ModelTextArgs;
use super::{CliError, Environment, ModelText};
use clap::Args;

/// Conversations to be turned into prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderRequest {
    /// By which model.
    pub model: ModelText,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With --json every line of stdin is {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]} and gives \
{\"prompt\": \"...\", \"ids\": [...]}. Without it every line is one user message.

Example:
  echo 'What is a quorum?' | evalh render -m smollm2-135m-instruct-q4_1")]
pub(super) struct RenderArgs {
    #[command(flatten)]
    model: ModelTextArgs,
}

impl RenderArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<RenderRequest, CliError> {
        Ok(RenderRequest {
            model: self.model.resolve(env)?,
        })
    }
}
