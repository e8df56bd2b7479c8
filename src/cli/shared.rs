//! Arguments that several subcommands have, and their resolved forms.

use super::setting::{resolve, resolve_switch};
use super::value::{self, Portion, Selector};
use super::{CliError, Environment, Origin, Setting};
use crate::record::{DeviceChoice, SettingRecord};
use crate::units::Bytes;
use clap::{Args, ValueEnum};
use std::fmt;
use std::path::PathBuf;

/// Heading of the flags that every subcommand has.
const GLOBAL: &str = "Global options";

/// How much is logged to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures.
    Error,
    /// What deserves attention.
    Warn,
    /// Steps.
    Info,
    /// Details of steps.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which engine runs models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// The real one.
    Candle,
    /// A scripted one, for trying out suites and for tests; reads no weights.
    Mock,
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&value::choice_name(self))
    }
}

/// What every subcommand takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// How much is logged.
    pub log: Setting<LogLevel>,
    /// How log lines look.
    pub log_format: Setting<LogFormat>,
    /// When colour is used.
    pub color: Setting<ColorChoice>,
    /// No progress and no notes.
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// Log to stderr from this level on [default: warn] [env: EVALH_LOG]
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "LEVEL", help_heading = GLOBAL)]
    log: Option<LogLevel>,
    /// Log lines as text or json [default: text] [env: EVALH_LOG_FORMAT]
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "FORMAT", help_heading = GLOBAL)]
    log_format: Option<LogFormat>,
    /// Use colour: auto, always or never [default: auto] [env: EVALH_COLOR]
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "WHEN", help_heading = GLOBAL)]
    color: Option<ColorChoice>,
    /// Show no progress and no notes; results, warnings and errors stay
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    quiet: bool,
}

impl GlobalArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<Global, CliError> {
        Ok(Global {
            log: resolve(self.log, env, "EVALH_LOG", value::choice)?.or(LogLevel::Warn),
            log_format: resolve(self.log_format, env, "EVALH_LOG_FORMAT", value::choice)?
                .or(LogFormat::Text),
            color: resolve(self.color, env, "EVALH_COLOR", value::choice)?.or(ColorChoice::Auto),
            quiet: self.quiet,
        })
    }
}

/// Where the catalogue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSettings {
    /// The catalogue's file; `None` means `models.toml` of the current folder, else the built-in one.
    pub catalog: Setting<Option<PathBuf>>,
}

#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    /// Catalogue of models [default: models.toml here, else built in] [env: EVALH_CATALOG]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
}

impl CatalogArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<CatalogSettings, CliError> {
        Ok(CatalogSettings {
            catalog: resolve(self.catalog, env, "EVALH_CATALOG", value::path)?,
        })
    }
}

/// How model files are obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The catalogue.
    pub catalog: CatalogSettings,
    /// No network at all.
    pub offline: Setting<bool>,
    /// Only files that `models.lock` names.
    pub locked: Setting<bool>,
}

#[derive(Debug, Args)]
pub(super) struct OfflineArg {
    /// Use the network for nothing [env: EVALH_OFFLINE]
    #[arg(long)]
    offline: bool,
}

impl OfflineArg {
    pub(super) fn resolve(self, env: &Environment) -> Result<Setting<bool>, CliError> {
        resolve_switch(self.offline, env, "EVALH_OFFLINE")
    }
}

#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    offline: OfflineArg,
    /// Refuse model files that models.lock does not name [env: EVALH_LOCKED]
    #[arg(long)]
    locked: bool,
}

impl FilesArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<Files, CliError> {
        Ok(Files {
            catalog: self.catalog.resolve(env)?,
            offline: self.offline.resolve(env)?,
            locked: resolve_switch(self.locked, env, "EVALH_LOCKED")?,
        })
    }
}

/// Which engine, on which device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EngineSettings {
    pub(super) engine: Setting<EngineChoice>,
    pub(super) mock_script: Setting<Option<PathBuf>>,
    pub(super) device: Setting<Option<DeviceChoice>>,
}

#[derive(Debug, Args)]
struct EngineArg {
    /// Engine: candle, or mock, which needs no model files [default: candle] [env: EVALH_ENGINE]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "ENGINE")]
    engine: Option<EngineChoice>,
}

impl EngineArg {
    fn resolve(self, env: &Environment) -> Result<Setting<EngineChoice>, CliError> {
        Ok(resolve(self.engine, env, "EVALH_ENGINE", value::choice)?.or(EngineChoice::Candle))
    }
}

#[derive(Debug, Args)]
pub(super) struct EngineArgs {
    #[command(flatten)]
    engine: EngineArg,
    /// Replies of the mock engine, a TOML file [env: EVALH_MOCK_SCRIPT]
    #[arg(long, value_name = "FILE")]
    mock_script: Option<PathBuf>,
    /// Device: auto, cpu, metal, cuda or cuda:N [default: auto] [env: EVALH_DEVICE]
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    device: Option<DeviceChoice>,
}

impl EngineArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<EngineSettings, CliError> {
        let engine = self.engine.resolve(env)?;
        let mock_script = resolve(self.mock_script, env, "EVALH_MOCK_SCRIPT", value::path)?;
        // A script in the environment is meant for whichever command uses the mock; one on the command line for this command.
        if let (EngineChoice::Candle, Origin::Flag, Some(script)) =
            (engine.value, mock_script.origin, &mock_script.value)
        {
            return Err(CliError::ScriptWithoutMock {
                script: script.display().to_string(),
                engine: engine.value.to_string(),
            });
        }
        Ok(EngineSettings {
            engine,
            mock_script,
            device: resolve(self.device, env, "EVALH_DEVICE", value::device)?,
        })
    }
}

/// What is to be run: the part that `evalh plan` and `evalh run` share.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Name or path of the suite.
    pub suite: Setting<String>,
    /// Models; empty means the catalogue's `default = true` entries.
    pub models: Setting<Vec<Selector>>,
    /// Repetitions of every sample; `None` means what the suite says.
    pub epochs: Setting<Option<u32>>,
    /// Only a seeded, stratified part of the samples.
    pub limit: Setting<Option<Portion>>,
    /// Seed of everything random.
    pub seed: Setting<u64>,
    /// Bytes evalh may use; `None` means what the machine allows.
    pub memory_budget: Setting<Option<Bytes>>,
    /// Engine.
    pub engine: Setting<EngineChoice>,
    /// Replies of the mock engine.
    pub mock_script: Setting<Option<PathBuf>>,
    /// Device; `None` means the best there is.
    pub device: Setting<Option<DeviceChoice>>,
    /// Database; `None` means `results/evalh.sqlite`.
    pub db: Setting<Option<PathBuf>>,
    /// How model files are obtained.
    pub files: Files,
}

#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    /// Suite: a name, or the path of a TOML file [default: business] [env: EVALH_SUITE]
    #[arg(short, long, value_name = "NAME|PATH")]
    suite: Option<String>,
    /// Models by name or tag:NAME, separated by commas [default: the catalogue's defaults] [env: EVALH_MODELS]
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', value_parser = value::selector)]
    models: Vec<Selector>,
    /// Times every sample is run [default: as the suite says] [env: EVALH_EPOCHS]
    #[arg(long, value_name = "K", value_parser = value::epochs)]
    epochs: Option<u32>,
    /// Only so many samples, drawn evenly from all tasks with the seed [env: EVALH_LIMIT]
    #[arg(long, value_name = "N|P%", value_parser = value::limit)]
    limit: Option<Portion>,
    /// Seed of everything random [default: 0] [env: EVALH_SEED]
    #[arg(long, value_name = "S", value_parser = value::seed)]
    seed: Option<u64>,
    /// Memory evalh may use, such as 36GB or 8GiB [default: as the machine allows] [env: EVALH_MEMORY_BUDGET]
    #[arg(long, value_name = "SIZE", value_parser = value::budget)]
    memory_budget: Option<Bytes>,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    db: DbArgs,
    #[command(flatten)]
    files: FilesArgs,
}

impl SelectionArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<Selection, CliError> {
        let given = once_each(self.models);
        let models = resolve(given, env, "EVALH_MODELS", value::selectors)?.or(Vec::new());
        let engine = self.engine.resolve(env)?;
        Ok(Selection {
            suite: resolve(self.suite, env, "EVALH_SUITE", value::text)?
                .or(DEFAULT_SUITE.to_owned()),
            models,
            epochs: resolve(self.epochs, env, "EVALH_EPOCHS", value::epochs)?,
            limit: resolve(self.limit, env, "EVALH_LIMIT", value::limit)?,
            seed: resolve(self.seed, env, "EVALH_SEED", value::seed)?.or(0),
            memory_budget: resolve(
                self.memory_budget,
                env,
                "EVALH_MEMORY_BUDGET",
                value::budget,
            )?,
            engine: engine.engine,
            mock_script: engine.mock_script,
            device: engine.device,
            db: self.db.resolve(env)?,
            files: self.files.resolve(env)?,
        })
    }
}

/// The suite that is run when none is named.
const DEFAULT_SUITE: &str = "business";

/// `None` when empty, else each selector once in the order given.
fn once_each(given: Vec<Selector>) -> Option<Vec<Selector>> {
    let mut all: Vec<Selector> = Vec::new();
    for one in given {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    (!all.is_empty()).then_some(all)
}

impl Selection {
    /// Every value that was decided here, with its origin. What is left to the suite, a settings file or the machine is added by whoever decides it.
    pub fn settings(&self) -> Vec<SettingRecord> {
        let models = self.models.value.iter().map(ToString::to_string);
        let models = models.collect::<Vec<_>>().join(",");
        let mut all = vec![self.suite.record("suite")];
        all.extend((!models.is_empty()).then(|| SettingRecord {
            name: "models".to_owned(),
            value: models,
            origin: self.models.origin.as_str().to_owned(),
        }));
        all.extend(self.epochs.record_if_given("epochs"));
        all.extend(self.limit.record_if_given("limit"));
        all.push(self.seed.record("seed"));
        let budget = Setting {
            value: self.memory_budget.value.map(Bytes::get),
            origin: self.memory_budget.origin,
        };
        all.extend(budget.record_if_given("memory-budget"));
        all.push(self.engine.record("engine"));
        all.extend(path_record("mock-script", &self.mock_script));
        all.extend(self.device.record_if_given("device"));
        all.extend(path_record("db", &self.db));
        all.extend(path_record("catalog", &self.files.catalog.catalog));
        all.push(self.files.offline.record("offline"));
        all.push(self.files.locked.record("locked"));
        all
    }
}

fn path_record(name: &str, path: &Setting<Option<PathBuf>>) -> Option<SettingRecord> {
    let shown = Setting {
        value: path.value.as_ref().map(|p| p.display().to_string()),
        origin: path.origin,
    };
    shown.record_if_given(name)
}

#[derive(Debug, Args)]
pub(super) struct DbArgs {
    /// Database of runs [default: results/evalh.sqlite] [env: EVALH_DB]
    #[arg(long, value_name = "PATH")]
    db: Option<PathBuf>,
}

impl DbArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<Setting<Option<PathBuf>>, CliError> {
        resolve(self.db, env, "EVALH_DB", value::path)
    }
}

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// Folder of baselines and champions [default: baselines] [env: EVALH_BASELINES]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl FolderArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<PathBuf, CliError> {
        let folder = resolve(self.dir, env, "EVALH_BASELINES", value::path)?;
        Ok(folder.or(PathBuf::from("baselines")).value)
    }
}

#[derive(Debug, Args)]
pub(super) struct PricesArgs {
    /// Price card [default: prices.toml here, else built in] [env: EVALH_PRICES]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl PricesArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<Setting<Option<PathBuf>>, CliError> {
        resolve(self.prices, env, "EVALH_PRICES", value::path)
    }
}

/// One model's texts and ids, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelText {
    /// Its name in the catalogue.
    pub model: Setting<String>,
    /// Engine: the mock has its own tokenizer.
    pub engine: Setting<EngineChoice>,
    /// How its files are obtained.
    pub files: Files,
    /// JSON lines in and out; else plain text.
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ModelTextArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    engine: EngineArg,
    #[command(flatten)]
    files: FilesArgs,
}

#[derive(Debug, Args)]
struct ModelArgs {
    /// Name of the model in the catalogue
    #[arg(short, long, value_name = "NAME")]
    model: String,
    /// Read and write one JSON object a line; else plain text
    #[arg(long)]
    json: bool,
}

impl ModelTextArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<ModelText, CliError> {
        Ok(ModelText {
            model: Setting {
                value: self.model.model,
                origin: Origin::Flag,
            },
            engine: self.engine.resolve(env)?,
            files: self.files.resolve(env)?,
            json: self.model.json,
        })
    }
}

/// One model running, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// Its name in the catalogue.
    pub model: Setting<String>,
    /// Engine.
    pub engine: Setting<EngineChoice>,
    /// Replies of the mock engine.
    pub mock_script: Setting<Option<PathBuf>>,
    /// Device; `None` means the best there is.
    pub device: Setting<Option<DeviceChoice>>,
    /// How its files are obtained.
    pub files: Files,
    /// JSON lines in and out; else plain text.
    pub json: bool,
    /// Print tokens asked for, tokens computed and wall time to standard error at the end.
    pub stats: bool,
}

#[derive(Debug, Args)]
pub(super) struct ModelUseArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// At the end print tokens asked for, tokens computed and wall time to stderr
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    files: FilesArgs,
}

impl ModelUseArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<ModelUse, CliError> {
        let engine = self.engine.resolve(env)?;
        Ok(ModelUse {
            model: Setting {
                value: self.model.model,
                origin: Origin::Flag,
            },
            engine: engine.engine,
            mock_script: engine.mock_script,
            device: engine.device,
            files: self.files.resolve(env)?,
            json: self.model.json,
            stats: self.stats,
        })
    }
}
