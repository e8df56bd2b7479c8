//! `evalh models list|pull|verify|estimate`.

use super::setting::resolve;
use super::shared::{CatalogArgs, FilesArgs};
use super::value::{self, Selector};
use super::{CatalogSettings, CliError, Environment, Files, Setting};
use crate::units::Bytes;
use clap::{Args, Subcommand};

/// Something to do with the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelsRequest {
    /// Show it.
    List(ModelsListRequest),
    /// Fetch files.
    Pull(PullRequest),
    /// Check files against their digests.
    Verify(VerifyRequest),
    /// Say what models need.
    Estimate(EstimateRequest),
}

/// The catalogue to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsListRequest {
    /// Only these; empty means all.
    pub models: Vec<Selector>,
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// Budget that models are held against; `None` means what the machine allows.
    pub memory_budget: Setting<Option<Bytes>>,
    /// As JSON, one object a model.
    pub json: bool,
}

/// Files to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Of these models; empty means the catalogue's defaults.
    pub models: Vec<Selector>,
    /// How.
    pub files: Files,
    /// As JSON, one object a model.
    pub json: bool,
}

/// Files to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// Of these models; empty means all that are here.
    pub models: Vec<Selector>,
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// As JSON, one object a model.
    pub json: bool,
}

/// Memory to be estimated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimateRequest {
    /// Of these models; empty means all that are here.
    pub models: Vec<Selector>,
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// For this context in tokens; `None` means the model's own or the catalogue's.
    pub context: Option<u32>,
    /// Budget that models are held against; `None` means what the machine allows.
    pub memory_budget: Setting<Option<Bytes>>,
    /// As JSON, one object a model.
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Show the catalogue: files, digests, size, memory, whether it fits
    List(ListArgs),
    /// Fetch and verify model files
    Pull(PullArgs),
    /// Check the files that are here against their digests, reading every byte
    Verify(VerifyArgs),
    /// Show the memory a model needs, part by part
    Estimate(EstimateArgs),
}

#[derive(Debug, Args)]
struct Chosen {
    /// Models by name or tag:NAME
    #[arg(value_name = "MODEL", value_parser = value::selector)]
    models: Vec<Selector>,
    /// Print one JSON object a model
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct BudgetArg {
    /// Budget that models are held against [default: as the machine allows] [env: EVALH_MEMORY_BUDGET]
    #[arg(long, value_name = "SIZE", value_parser = value::budget)]
    memory_budget: Option<Bytes>,
}

impl BudgetArg {
    fn resolve(self, env: &Environment) -> Result<Setting<Option<Bytes>>, CliError> {
        resolve(
            self.memory_budget,
            env,
            "EVALH_MEMORY_BUDGET",
            value::budget,
        )
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  evalh models list
  evalh models list tag:mac-36gb
  evalh models list --json | jq -r .path")]
struct ListArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    budget: BudgetArg,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without MODEL the catalogue's defaults are fetched. An interrupted download is continued.

Examples:
  evalh models pull
  evalh models pull smollm2-135m-instruct-q4_1
  evalh models pull tag:mac-36gb")]
struct PullArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    files: FilesArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without MODEL every model whose files are here is checked.

Example:
  evalh models verify gemma-3-270m-q4_k_m")]
struct VerifyArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without MODEL every model whose files are here is estimated.

Example:
  evalh models estimate gemma-3-270m-q4_k_m --context 4096 --memory-budget 8GB")]
struct EstimateArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// Context in tokens [default: as the catalogue or the model says]
    #[arg(long, value_name = "TOKENS", value_parser = value::context)]
    context: Option<u32>,
    #[command(flatten)]
    budget: BudgetArg,
}

impl ModelsArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<ModelsRequest, CliError> {
        Ok(match self.command {
            ModelsCommand::List(args) => ModelsRequest::List(ModelsListRequest {
                models: args.chosen.models,
                catalog: args.catalog.resolve(env)?,
                memory_budget: args.budget.resolve(env)?,
                json: args.chosen.json,
            }),
            ModelsCommand::Pull(args) => ModelsRequest::Pull(PullRequest {
                models: args.chosen.models,
                files: args.files.resolve(env)?,
                json: args.chosen.json,
            }),
            ModelsCommand::Verify(args) => ModelsRequest::Verify(VerifyRequest {
                models: args.chosen.models,
                catalog: args.catalog.resolve(env)?,
                json: args.chosen.json,
            }),
            ModelsCommand::Estimate(args) => ModelsRequest::Estimate(EstimateRequest {
                models: args.chosen.models,
                catalog: args.catalog.resolve(env)?,
                context: args.context,
                memory_budget: args.budget.resolve(env)?,
                json: args.chosen.json,
            }),
        })
    }
}
