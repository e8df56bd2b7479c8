//! `evalh kl`.

use super::setting::resolve;
use super::shared::{Files, FilesArgs};
use super::value;
use super::{CliError, Environment, Setting};
use crate::record::DeviceChoice;
use crate::units::Bytes;
use clap::Args;
use std::path::PathBuf;

/// The suite whose questions and texts are taken when none is named.
const DEFAULT_SUITE: &str = "basics";

/// Tokens read of all texts together when nothing else is said.
const DEFAULT_TOKENS: u32 = 16_384;

/// Tokens of a window when nothing else is said.
const DEFAULT_WINDOW: u32 = 256;

/// Models to be set against a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KlRequest {
    /// Name of the base in the catalogue.
    pub base: String,
    /// Names of the others; at least one.
    pub models: Vec<String>,
    /// Name or path of the suite.
    pub suite: String,
    /// Files read instead of the suite's texts; empty means the suite's.
    pub texts: Vec<PathBuf>,
    /// Most tokens read of all texts together.
    pub tokens: u32,
    /// Most tokens of a window, the one that begins a text included.
    pub window: u32,
    /// Leave out questions, speed and memory.
    pub texts_only: bool,
    /// Bytes evalh may use; `None` means what the machine allows.
    pub memory_budget: Setting<Option<Bytes>>,
    /// Device; `None` means the best there is.
    pub device: Setting<Option<DeviceChoice>>,
    /// How model files are obtained.
    pub files: Files,
    /// One JSON object with every observation.
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
BASE and every MODEL must have the same vocabulary: they are meant to be one model in several files. For every position \
of the texts the distribution of the next token is set against that of BASE; the choice tasks of the suite are answered \
by all; speed and memory are measured in turns. docs/quantisation.md says what every number means.

Examples:
  evalh kl smollm2-f16 smollm2-q8_0 smollm2-q4_1
  evalh kl smollm2-f16 smollm2-q4_1 --text letters.txt --text manual.txt --tokens 50000 --json")]
pub(super) struct KlArgs {
    /// Model that the others are set against, by its name in the catalogue
    #[arg(value_name = "BASE")]
    base: String,
    /// The others
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
    /// Suite: its choice tasks are answered, its texts are read
    #[arg(short, long, value_name = "NAME|PATH", default_value = DEFAULT_SUITE)]
    suite: String,
    /// Read this file instead of the suite's texts; may be repeated
    #[arg(short, long = "text", value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// Tokens read of all texts together
    #[arg(long, value_name = "N", default_value_t = DEFAULT_TOKENS, value_parser = value::tokens)]
    tokens: u32,
    /// Tokens of a window; the first quarter is context only
    #[arg(long, value_name = "N", default_value_t = DEFAULT_WINDOW, value_parser = value::tokens)]
    window: u32,
    /// Read the texts only: no questions, no speed, no memory
    #[arg(long)]
    texts_only: bool,
    /// Memory evalh may use, such as 36GB or 8GiB [default: as the machine allows] [env: EVALH_MEMORY_BUDGET]
    #[arg(long, value_name = "SIZE", value_parser = value::budget)]
    memory_budget: Option<Bytes>,
    /// Device: auto, cpu, metal, cuda or cuda:N [default: auto] [env: EVALH_DEVICE]
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    files: FilesArgs,
    /// Print one JSON object with every observation
    #[arg(long)]
    json: bool,
}

impl KlArgs {
    pub(super) fn resolve(self, env: &Environment) -> Result<KlRequest, CliError> {
        Ok(KlRequest {
            base: self.base,
            models: self.models,
            suite: self.suite,
            texts: self.texts,
            tokens: self.tokens,
            window: self.window,
            texts_only: self.texts_only,
            memory_budget: resolve(
                self.memory_budget,
                env,
                "EVALH_MEMORY_BUDGET",
                value::budget,
            )?,
            device: resolve(self.device, env, "EVALH_DEVICE", value::device)?,
            files: self.files.resolve(env)?,
            json: self.json,
        })
    }
}
