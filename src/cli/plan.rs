//! `evalh plan`.

use super::shared::SelectionArgs;
use super::value;
use super::{CliError, Environment, Selection};
use clap::Args;
use std::path::PathBuf;

/// A plan to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRequest {
    /// What would be run.
    pub selection: Selection,
    /// Also say how many prompts it takes to detect this difference of the primary metric: points of 10 of the score, or of 100 of the pass rate.
    pub detect: Option<f64>,
    /// Write the plan as JSON to this file.
    pub output: Option<PathBuf>,
    /// Print the plan as JSON.
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is loaded or fetched: models that are not here yet are planned with what the catalogue says.

Examples:
  evalh plan -s business -m tag:mac-36gb --memory-budget 27GB
  evalh plan -s business --detect 0.5
  evalh plan -s business -o plan.json")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Prompts needed to detect a difference of D points between two models: of 10 in the score, of 100 in the pass
    /// rate, whichever is primary
    #[arg(long, value_name = "D", value_parser = value::positive)]
    detect: Option<f64>,
    /// Write the plan as JSON to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the plan as one JSON object
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<PlanRequest, CliError> {
        Ok(PlanRequest {
            selection: self.selection.resolve(env)?,
            detect: self.detect,
            output: self.output,
            json: self.json,
        })
    }
}
