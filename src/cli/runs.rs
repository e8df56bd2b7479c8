//! `evalh runs list|show|check|rm`.

use super::shared::DbArgs;
use super::{CliError, Environment, Setting};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Something to do with stored runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsRequest {
    /// Database.
    pub db: Setting<Option<PathBuf>>,
    /// What.
    pub action: StoredRuns,
}

/// What to do with stored runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRuns {
    /// Name them, newest first.
    List {
        /// As JSON, one object a run.
        json: bool,
    },
    /// Show the conditions of one.
    Show {
        /// Id or unique beginning of one; `None` means the newest.
        run: Option<String>,
        /// As one JSON object.
        json: bool,
    },
    /// Check the whole database.
    Check {
        /// As one JSON object.
        json: bool,
    },
    /// Remove some for good.
    Remove {
        /// Ids or unique beginnings.
        runs: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List stored runs, newest first
    List(ListArgs),
    /// Show the conditions of a run: settings, machine, models, counts
    Show(ShowArgs),
    /// Check the integrity of the database
    Check(CheckArgs),
    /// Remove runs for good
    Rm(RemoveArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object a run
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    db: DbArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Run id or the beginning of one [default: the newest]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    db: DbArgs,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    db: DbArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing can be undone; a beginning that fits several runs removes none.

Example:
  evalh runs rm 0197k3 0197k4")]
struct RemoveArgs {
    /// Run ids or the beginnings of some
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    #[command(flatten)]
    db: DbArgs,
}

impl RunsArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<RunsRequest, CliError> {
        let (db, action) = match self.command {
            RunsCommand::List(args) => (args.db, StoredRuns::List { json: args.json }),
            RunsCommand::Show(args) => {
                let (run, json) = (args.run, args.json);
                (args.db, StoredRuns::Show { run, json })
            }
            RunsCommand::Check(args) => (args.db, StoredRuns::Check { json: args.json }),
            RunsCommand::Rm(args) => (args.db, StoredRuns::Remove { runs: args.runs }),
        };
        Ok(RunsRequest {
            db: db.resolve(env)?,
            action,
        })
    }
}
