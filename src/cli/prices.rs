//! `evalh prices list`.

use super::shared::PricesArgs;
use super::{CliError, Environment, Setting};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Something to do with the price card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PricesRequest {
    /// Show it.
    List(PricesListRequest),
}

/// The price card to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricesListRequest {
    /// The card.
    pub prices: Setting<Option<PathBuf>>,
    /// As JSON, one object a price.
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PricesCommandArgs {
    #[command(subcommand)]
    command: PricesCommand,
}

#[derive(Debug, Subcommand)]
enum PricesCommand {
    /// Show every price with its date and source
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object a price
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    prices: PricesArgs,
}

impl PricesCommandArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<PricesRequest, CliError> {
        let PricesCommand::List(args) = self.command;
        Ok(PricesRequest::List(PricesListRequest {
            prices: args.prices.resolve(env)?,
            json: args.json,
        }))
    }
}
