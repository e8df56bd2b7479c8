//! `evalh suites list|show|lint`.

use clap::{Args, Subcommand};

/// Something to do with suites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuitesRequest {
    /// Name them.
    List(SuitesListRequest),
    /// Show one.
    Show(SuiteShowRequest),
    /// Check some.
    Lint(LintRequest),
}

/// Suites to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuitesListRequest {
    /// As JSON, one object a suite.
    pub json: bool,
}

/// A suite to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteShowRequest {
    /// Name or path.
    pub suite: String,
    /// Only this task.
    pub task: Option<String>,
    /// As JSON, one object a sample.
    pub json: bool,
}

/// Suites to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintRequest {
    /// Names or paths; empty means every suite of the current folder.
    pub suites: Vec<String>,
    /// As JSON, one object a finding.
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SuitesArgs {
    #[command(subcommand)]
    command: SuitesCommand,
}

#[derive(Debug, Subcommand)]
enum SuitesCommand {
    /// List the suites of this folder and the built-in ones
    List(ListArgs),
    /// Show a suite's tasks and samples
    Show(ShowArgs),
    /// Check suites; report file:line:column
    Lint(LintArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object a suite
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  evalh suites show business
  evalh suites show prompts/mine.toml --task invoice-json")]
struct ShowArgs {
    /// Suite: a name, or the path of a TOML file
    #[arg(value_name = "NAME|PATH")]
    suite: String,
    /// Only this task
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Print one JSON object a sample
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without arguments every suite in prompts/ is checked. The exit code is 2 when something is wrong.

Example:
  evalh suites lint prompts/*.toml")]
struct LintArgs {
    /// Suites: names, or paths of TOML files
    #[arg(value_name = "NAME|PATH")]
    suites: Vec<String>,
    /// Print one JSON object a finding
    #[arg(long)]
    json: bool,
}

impl SuitesArgs {
    pub(super) fn resolve(self) -> SuitesRequest {
        match self.command {
            SuitesCommand::List(args) => SuitesRequest::List(SuitesListRequest { json: args.json }),
            SuitesCommand::Show(args) => SuitesRequest::Show(SuiteShowRequest {
                suite: args.suite,
                task: args.task,
                json: args.json,
            }),
            SuitesCommand::Lint(args) => SuitesRequest::Lint(LintRequest {
                suites: args.suites,
                json: args.json,
            }),
        }
    }
}
