//! `evalh compare`.

use super::report::Kpi;
use super::shared::{DbArgs, PricesArgs};
use super::{CliError, Environment, Setting};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people, at a terminal.
    Terminal,
    /// For people, in a document.
    Markdown,
    /// For programs.
    Json,
}

/// A comparison to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareRequest {
    /// The two sides as they were named: `RUN`, `RUN:MODEL`, `:MODEL`, or a file.
    pub sides: [String; 2],
    /// Its form.
    pub format: CompareFormat,
    /// Its extent.
    pub kpi: Kpi,
    /// List the samples that changed.
    pub different: bool,
    /// The metric of sample files; `None` is their first.
    pub metric: Option<String>,
    /// The filter of sample files; `None` is their first.
    pub filter: Option<String>,
    /// Documents that occur twice in a sample file are repetitions.
    pub replicates: bool,
    /// Write to this file instead of standard output.
    pub output: Option<PathBuf>,
    /// Database.
    pub db: Setting<Option<PathBuf>>,
    /// The price card.
    pub prices: Setting<Option<PathBuf>>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A and B are each RUN (with one model), RUN:MODEL, :MODEL (the newest run for A, the run of A for B), or a file.
MODEL is a name or the beginning of one. Runs are joined by the content of their prompts,
sample files of lm-evaluation-harness by doc_hash and filter.

Examples:
  evalh compare latest:gemma-3-4b :qwen2.5-7b   two models of the newest run
  evalh compare 0197k3 0198aa --different       two runs of one model, and which samples changed
  evalh compare samples_a.jsonl samples_b.jsonl --metric acc_norm --json")]
pub(super) struct CompareArgs {
    /// One side: RUN, RUN:MODEL, :MODEL or a file
    #[arg(value_name = "A")]
    a: String,
    /// The other side
    #[arg(value_name = "B")]
    b: String,
    /// List the samples that changed, where A lost most first
    #[arg(long)]
    different: bool,
    /// Form: terminal, markdown or json [default: terminal]
    #[arg(
        short,
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    format: Option<CompareFormat>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Numbers shown: main, or all with every method [default: main]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHICH")]
    kpi: Option<Kpi>,
    /// Metric of sample files [default: their first]
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Filter of sample files [default: their first]
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// A document that occurs twice in a sample file is a repetition
    #[arg(long)]
    replicates: bool,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    db: DbArgs,
    #[command(flatten)]
    prices: PricesArgs,
}

impl CompareArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<CompareRequest, CliError> {
        let named = if self.json {
            CompareFormat::Json
        } else {
            CompareFormat::Terminal
        };
        Ok(CompareRequest {
            sides: [self.a, self.b],
            format: self.format.unwrap_or(named),
            kpi: self.kpi.unwrap_or(Kpi::Main),
            different: self.different,
            metric: self.metric,
            filter: self.filter,
            replicates: self.replicates,
            output: self.output,
            db: self.db.resolve(env)?,
            prices: self.prices.resolve(env)?,
        })
    }
}
