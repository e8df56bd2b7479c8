//! `evalh baseline save|list|promote|rollback`.

use super::shared::{DbArgs, FolderArgs};
use super::value::{self, SideArg};
use super::{CliError, Environment, Setting};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Something to do with baselines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineRequest {
    /// Folder of baselines and champions.
    pub folder: PathBuf,
    /// What.
    pub action: BaselineAction,
}

/// What to do with baselines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineAction {
    /// Save what a model did.
    Save(SaveRequest),
    /// Name the saved ones and the champions.
    List {
        /// As JSON, one object a baseline.
        json: bool,
        /// The history of champions instead.
        history: bool,
    },
    /// Make a model the champion of a suite.
    Promote(PromoteRequest),
    /// Go back to the champion before.
    Rollback(RollbackRequest),
}

/// A baseline to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveRequest {
    /// Its name.
    pub name: String,
    /// What is saved.
    pub side: SideArg,
    /// The file; `None` means the name in the folder.
    pub to: Option<PathBuf>,
    /// Replace another baseline in that file.
    pub replace: bool,
    /// Database.
    pub db: Setting<Option<PathBuf>>,
}

/// A model to become champion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromoteRequest {
    /// The model.
    pub model: String,
    /// The suite.
    pub suite: String,
    /// The run it was measured in; `None` means the newest of the suite.
    pub run: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Database.
    pub db: Setting<Option<PathBuf>>,
}

/// A champion to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRequest {
    /// The suite.
    pub suite: String,
    /// Why.
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
enum BaselineCommand {
    /// Save what a model did in a run as one JSON file that can be committed
    Save(SaveArgs),
    /// List saved baselines and the champions
    List(ListArgs),
    /// Make a model the champion of a suite
    Promote(PromoteArgs),
    /// Go back to the champion before
    Rollback(RollbackArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  evalh baseline save main                            the newest run, if it has one model
  evalh baseline save main 0197k3:gemma-3-270m-q4_k_m
  evalh baseline save main :gemma-3-270m-q4_k_m --to ci/main.json --replace")]
struct SaveArgs {
    /// Name of the baseline
    #[arg(value_name = "NAME")]
    name: String,
    /// Run id or the beginning of one, and a model [default: the newest run]
    #[arg(value_name = "RUN[:MODEL]", value_parser = value::side)]
    side: Option<SideArg>,
    /// Write to this file [default: NAME.json in the folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Replace another baseline of this name
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    db: DbArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Show every promotion and rollback, oldest first
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What the model did is saved beside the history: `evalh gate --baseline champion` needs no database
of the time. The history only grows; `evalh baseline rollback` adds to it.

Example:
  evalh baseline promote gemma-3-270m-q4_k_m -s business --reason 'half the memory'")]
struct PromoteArgs {
    /// Name of the model, or the first digits of its id
    #[arg(value_name = "MODEL")]
    model: String,
    /// Name of the suite
    #[arg(short, long, value_name = "SUITE")]
    suite: String,
    /// Run it was measured in [default: the newest of the suite]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    db: DbArgs,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// Name of the suite
    #[arg(short, long, value_name = "SUITE")]
    suite: String,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
}

impl BaselineArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<BaselineRequest, CliError> {
        let (folder, action) = match self.command {
            BaselineCommand::Save(args) => {
                let save = SaveRequest {
                    name: args.name,
                    side: args.side.unwrap_or_default(),
                    to: args.to,
                    replace: args.replace,
                    db: args.db.resolve(env)?,
                };
                (args.folder, BaselineAction::Save(save))
            }
            BaselineCommand::List(args) => {
                let (json, history) = (args.json, args.history);
                (args.folder, BaselineAction::List { json, history })
            }
            BaselineCommand::Promote(args) => {
                let promote = PromoteRequest {
                    model: args.model,
                    suite: args.suite,
                    run: args.run,
                    reason: args.reason,
                    db: args.db.resolve(env)?,
                };
                (args.folder, BaselineAction::Promote(promote))
            }
            BaselineCommand::Rollback(args) => {
                let (suite, reason) = (args.suite, args.reason);
                (
                    args.folder,
                    BaselineAction::Rollback(RollbackRequest { suite, reason }),
                )
            }
        };
        Ok(BaselineRequest {
            folder: folder.resolve(env)?,
            action,
        })
    }
}
