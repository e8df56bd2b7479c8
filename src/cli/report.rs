//! `evalh report`.

use super::shared::{DbArgs, PricesArgs};
use super::{CliError, Environment, Setting};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people, at a terminal.
    Terminal,
    /// For people, in a document.
    Markdown,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// For continuous integration.
    Junit,
}

/// Which numbers a report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kpi {
    /// Those that answer the questions.
    Main,
    /// Every metric with its interval, method and count.
    All,
}

/// A report to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// Id or unique beginning of one; `None` means the newest run.
    pub run: Option<String>,
    /// Its form.
    pub format: ReportFormat,
    /// Its extent.
    pub kpi: Kpi,
    /// Write to this file instead of standard output.
    pub output: Option<PathBuf>,
    /// Recompute every stored number from raw rows and fail on any difference.
    pub verify: bool,
    /// Database.
    pub db: Setting<Option<PathBuf>>,
    /// The price card.
    pub prices: Setting<Option<PathBuf>>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  evalh report                                the newest run
  evalh report 0197k3 --kpi all               every metric of that run
  evalh report --format markdown -o report.md
  evalh report --verify                       recompute every number from raw rows")]
pub(super) struct ReportArgs {
    /// Run id or the beginning of one [default: the newest]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Form: terminal, markdown, json, csv or junit [default: terminal]
    #[arg(
        short,
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    format: Option<ReportFormat>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Numbers shown: main or all [default: main]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHICH")]
    kpi: Option<Kpi>,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Recompute every number from raw rows; fail on any difference
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    db: DbArgs,
    #[command(flatten)]
    prices: PricesArgs,
}

impl ReportArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<ReportRequest, CliError> {
        let named = if self.json {
            ReportFormat::Json
        } else {
            ReportFormat::Terminal
        };
        Ok(ReportRequest {
            run: self.run,
            format: self.format.unwrap_or(named),
            kpi: self.kpi.unwrap_or(Kpi::Main),
            output: self.output,
            verify: self.verify,
            db: self.db.resolve(env)?,
            prices: self.prices.resolve(env)?,
        })
    }
}
