//! `evalh gate`.

use super::shared::{DbArgs, FolderArgs};
use super::value::{self, MarginArg, SideArg};
use super::{CliError, Environment, Setting};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A form of a gate's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateFormat {
    /// For people, at a terminal.
    Terminal,
    /// For people, in a document.
    Markdown,
    /// For programs.
    Json,
    /// For continuous integration.
    Junit,
}

/// What an inconclusive gate counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InconclusiveAs {
    /// A failure.
    Fail,
    /// A pass.
    Pass,
}

/// A run to be held against a baseline.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct GateRequest {
    /// What is held against it.
    pub candidate: SideArg,
    /// The baseline: a file, a saved name, `champion`, or a model of a run.
    pub baseline: String,
    /// Margins that come before those of the suite.
    pub margins: Vec<MarginArg>,
    /// What an inconclusive gate counts as; `None` means as itself.
    pub inconclusive: Option<InconclusiveAs>,
    /// Fail only on a shown regression.
    pub alarm: bool,
    /// Compare the common prompts of different suites.
    pub allow_different_suite: bool,
    /// Compare times of different machines.
    pub allow_different_host: bool,
    /// Form of what is printed.
    pub format: GateFormat,
    /// A JUnit file beside it.
    pub junit: Option<PathBuf>,
    /// Write annotations and the step summary.
    pub github: bool,
    /// Folder of baselines.
    pub folder: PathBuf,
    /// Database.
    pub db: Setting<Option<PathBuf>>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Every gate holds the two-sided 90 % interval of the paired change against its margin: pass when the
interval excludes a loss as large as the margin, fail when it shows a larger one, else inconclusive.
Margins come from [gate] of the suite; --margin sets, replaces or switches off one.
Exit codes: 0 pass, 1 fail, 4 inconclusive.

Examples:
  evalh gate --baseline main                          the newest run against baselines/main.json
  evalh gate --baseline main 0197k3:gemma-3-270m-q4_k_m
  evalh gate --baseline 0197k3 --margin score=0.3 --margin ttft_ms_p50=15%
  evalh gate --baseline champion --github --junit gate.xml")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(super) struct GateArgs {
    /// Candidate: run id or the beginning of one, and a model [default: the newest run]
    #[arg(value_name = "RUN[:MODEL]", value_parser = value::side)]
    candidate: Option<SideArg>,
    /// Baseline: a file, a saved name, `champion`, or RUN[:MODEL]
    #[arg(short, long, value_name = "BASELINE")]
    baseline: String,
    /// Margin of a metric, such as score=0.3, pass_rate=2% or ttft_ms_p50=off; may be repeated
    #[arg(long = "margin", value_name = "METRIC=MARGIN", value_parser = value::margin)]
    margins: Vec<MarginArg>,
    /// Count an inconclusive gate as fail or pass [default: exit code 4]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "AS")]
    inconclusive: Option<InconclusiveAs>,
    /// Fail only when a regression is shown (Holm over all gates), for monitoring
    #[arg(long)]
    alarm: bool,
    /// Judge the common prompts of suites that differ
    #[arg(long)]
    allow_different_suite: bool,
    /// Judge times of different machines
    #[arg(long)]
    allow_different_host: bool,
    /// Form: terminal, markdown, json or junit [default: terminal]
    #[arg(
        short,
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    format: Option<GateFormat>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Also write a JUnit file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write annotations for GitHub Actions and append to its step summary
    #[arg(long, conflicts_with_all = ["format", "json"])]
    github: bool,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    db: DbArgs,
}

impl GateArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<GateRequest, CliError> {
        let named = if self.json {
            GateFormat::Json
        } else {
            GateFormat::Terminal
        };
        Ok(GateRequest {
            candidate: self.candidate.unwrap_or_default(),
            baseline: self.baseline,
            margins: self.margins,
            inconclusive: self.inconclusive,
            alarm: self.alarm,
            allow_different_suite: self.allow_different_suite,
            allow_different_host: self.allow_different_host,
            format: self.format.unwrap_or(named),
            junit: self.junit,
            github: self.github,
            folder: self.folder.resolve(env)?,
            db: self.db.resolve(env)?,
        })
    }
}
