//! `evalh tokenize`.

use super::shared::ModelTextArgs;
use super::{CliError, Environment, ModelText};
use clap::Args;

/// Lines of text to be turned into ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizeRequest {
    /// By which model.
    pub model: ModelText,
    /// Recognise control tokens written out in the text.
    pub special: bool,
    /// Put the model's BOS id in front.
    pub bos: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With --json every line of stdin is {\"text\": \"...\"} and gives {\"ids\": [...]}. No BOS or EOS is added unless --bos.

Example:
  echo '{\"text\": \"Hello\"}' | evalh tokenize -m smollm2-135m-instruct-q4_1 --json")]
pub(super) struct TokenizeArgs {
    #[command(flatten)]
    model: ModelTextArgs,
    /// Recognise control tokens written out in the text
    #[arg(long)]
    special: bool,
    /// Put the model's BOS id in front
    #[arg(long)]
    bos: bool,
}

impl TokenizeArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<TokenizeRequest, CliError> {
        Ok(TokenizeRequest {
            model: self.model.resolve(env)?,
            special: self.special,
            bos: self.bos,
        })
    }
}
