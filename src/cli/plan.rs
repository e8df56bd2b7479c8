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
    /// Also say how many samples it takes to detect this difference of the score, in points of 10.
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
    /// Samples needed to detect a difference of D points (of 10) between two models
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
