//! `evalh run`.

use super::setting::{resolve, resolve_switch};
use super::shared::{PricesArgs, SelectionArgs};
use super::value::{self, Portion};
use super::{CliError, Environment, Origin, Selection, Setting};
use crate::record::SettingRecord;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// A run to be made or continued.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// What is run.
    pub selection: Selection,
    /// Begin a new run even when an interrupted one of the same plan could be continued.
    pub fresh: bool,
    /// Time limit of one sample; `None` means no limit.
    pub timeout: Setting<Option<Duration>>,
    /// Failed samples that are allowed before the exit code is 1; none by default.
    pub max_failures: Setting<Portion>,
    /// Stop when the primary difference between two models is resolved at this confidence level; `None` means all samples.
    pub until_resolved: Setting<Option<f64>>,
    /// The engine runs in this process and not in a worker.
    pub in_process: Setting<bool>,
    /// Power the machine draws while it works; `None` means as the price card says.
    pub watts: Setting<Option<f64>>,
    /// The price card.
    pub prices: Setting<Option<PathBuf>>,
    /// The report as JSON.
    pub json: bool,
}

impl RunRequest {
    /// Every value that was decided here, with its origin.
    pub fn settings(&self) -> Vec<SettingRecord> {
        let mut all = self.selection.settings();
        let seconds = Setting {
            value: self.timeout.value.map(|t| format!("{}s", t.as_secs_f64())),
            origin: self.timeout.origin,
        };
        all.extend(seconds.record_if_given("timeout"));
        all.push(self.max_failures.record("max-failures"));
        all.extend(self.until_resolved.record_if_given("until-resolved"));
        all.push(self.in_process.record("in-process"));
        all.extend(self.watts.record_if_given("watts"));
        all
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Missing model files are fetched and verified first. An interrupted run of the same plan is continued.

Examples:
  evalh run --suite business
  evalh run -s prompts/mine.toml -m smollm2-135m-instruct-q4_1,gemma-3-270m-q4_k_m --epochs 3
  evalh run -s business -m tag:mac-36gb --memory-budget 27GB --timeout 2m
  evalh run -s business -m gemma-3-270m-q4_k_m,smollm2-135m-instruct-q4_1 --until-resolved
  evalh run -s business --engine mock --json | jq .models")]
pub(super) struct RunArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Begin anew instead of continuing an interrupted run of the same plan
    #[arg(long)]
    fresh: bool,
    /// Time limit of one sample, such as 90s or 2m [default: none] [env: EVALH_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    timeout: Option<Duration>,
    /// Failed samples allowed before the exit code is 1 [default: 0] [env: EVALH_MAX_FAILURES]
    #[arg(long, value_name = "N|P%", value_parser = value::allowance)]
    max_failures: Option<Portion>,
    /// Ask two models in rounds of prompts in random order and stop when the primary metric tells them apart, at
    /// 95 % or another LEVEL
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "95%",
        value_parser = value::level
    )]
    until_resolved: Option<f64>,
    /// Run the engine in this process instead of a worker, for debugging: its crash ends the run [env: EVALH_IN_PROCESS]
    #[arg(long)]
    in_process: bool,
    /// Power the machine draws while it works, for costs [default: as the price card says] [env: EVALH_WATTS]
    #[arg(long, value_name = "W", value_parser = value::positive)]
    watts: Option<f64>,
    #[command(flatten)]
    prices: PricesArgs,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<RunRequest, CliError> {
        Ok(RunRequest {
            selection: self.selection.resolve(env)?,
            fresh: self.fresh,
            timeout: resolve(self.timeout, env, "EVALH_TIMEOUT", value::duration)?,
            max_failures: resolve(
                self.max_failures,
                env,
                "EVALH_MAX_FAILURES",
                value::allowance,
            )?
            .or(Portion::Count(0)),
            until_resolved: Setting {
                origin: match self.until_resolved {
                    Some(_) => Origin::Flag,
                    None => Origin::Default,
                },
                value: self.until_resolved,
            },
            in_process: resolve_switch(self.in_process, env, "EVALH_IN_PROCESS")?,
            watts: resolve(self.watts, env, "EVALH_WATTS", value::positive)?,
            prices: self.prices.resolve(env)?,
            json: self.json,
        })
    }
}
