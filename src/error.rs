//! Every way evalh can end badly, and the exit code of each.
//!
//! A room has an error enum of its own; this one wraps them all. The exit code and the hint of each are decided here in one exhaustive
//! `match`, so that a new kind of error cannot be forgotten.

use crate::analysis::AnalysisError;
use crate::baseline::BaselineError;
use crate::cli::CliError;
use crate::config::ConfigError;
use crate::console::ConsoleError;
use crate::engine::EngineError;
use crate::engine::mock::MockScriptError;
use crate::host::HostError;
use crate::hub::HubError;
use crate::memory::MemoryError;
use crate::modelfile::ModelFileError;
use crate::ops::KlError;
use crate::plan::PlanError;
use crate::runner::RunnerError;
use crate::store::StoreError;
use crate::suite::SuiteError;
use crate::tokenizer::TokenizerError;
use std::path::PathBuf;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// Done; a gate passed.
    Done,
    /// A gate found a regression, or more samples failed than allowed.
    Failed,
    /// The command line, the environment or a configuration file is wrong.
    Usage,
    /// The machine, the device or a model's files.
    Machine,
    /// A gate had too little evidence.
    Inconclusive,
    /// The database.
    Store,
    /// A bug in evalh.
    Bug,
    /// A part is done; the same command continues.
    Incomplete,
    /// Interrupted.
    Interrupted,
}

impl ExitCode {
    /// Every code.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Machine,
        Self::Inconclusive,
        Self::Store,
        Self::Bug,
        Self::Incomplete,
        Self::Interrupted,
    ];

    /// The number the process ends with.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Machine => 3,
            Self::Inconclusive => 4,
            Self::Store => 5,
            Self::Bug => 70,
            Self::Incomplete => 75,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// An error that knows how the program ends with it and what the user can do.
pub trait Coded: std::error::Error {
    /// How the program ends.
    fn exit_code(&self) -> ExitCode;

    /// One thing the user can do.
    fn hint(&self) -> Option<String>;
}

/// Any error of evalh.
#[derive(Debug, thiserror::Error)]
pub enum EvalhError {
    /// The command line.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// Printing.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// The machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The shape of a model.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A model file.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The catalogue, the price card or a settings file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A suite.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// Model files.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A tokenizer or chat template.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A mock script.
    #[error(transparent)]
    MockScript(#[from] MockScriptError),
    /// A plan that cannot be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A run that could not go on.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The analysis.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// A baseline or a history of champions.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Models that cannot be set against their base.
    #[error(transparent)]
    Kl(#[from] KlError),
    /// A model that cannot be used, by its name in the catalogue.
    #[error("model `{model}` cannot be used")]
    Model {
        /// Its name.
        model: String,
        /// Why.
        source: Box<EvalhError>,
    },
    /// A source on the command line that cannot be read.
    #[error("the source `{}` {error}", found.escape_debug())]
    SourceSyntax {
        /// As given.
        found: String,
        /// What is wrong with it.
        error: crate::config::SourceSyntaxError,
    },
    /// A model whose files are not here.
    #[error("the files of `{model}` are not here")]
    NotFetched {
        /// Its name.
        model: String,
    },
    /// No suite of this name.
    #[error("there is no suite `{name}`; there are {}", list(valid))]
    UnknownSuite {
        /// As asked for.
        name: String,
        /// What there is.
        valid: Vec<String>,
    },
    /// No task of this name.
    #[error("suite `{suite}` has no task `{task}`; it has {}", list(valid))]
    UnknownTask {
        /// As asked for.
        task: String,
        /// The suite.
        suite: String,
        /// What there is.
        valid: Vec<String>,
    },
    /// A line of standard input.
    #[error("line {number} of standard input cannot be used: {why}")]
    Line {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
    /// A build without the real engine.
    #[error("this build of evalh has only the mock engine")]
    NoCandle,
    /// A file that was asked for could not be read.
    #[error("failed to read `{path}`")]
    Input {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that was asked for could not be written.
    #[error("failed to write `{path}`")]
    Output {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The user interrupted; what is done is saved.
    #[error("interrupted")]
    Interrupted,
    /// Something that cannot happen happened.
    #[error("this is a bug in evalh: {what}")]
    Bug {
        /// What.
        what: String,
    },
}

impl Coded for EvalhError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Store(_)
            | Self::Runner(RunnerError::Sink(_))
            | Self::Analysis(AnalysisError::Differs { .. }) => ExitCode::Store,
            Self::Cli(_)
            | Self::Config(_)
            | Self::Suite(_)
            | Self::MockScript(_)
            | Self::Analysis(_)
            | Self::Baseline(_)
            | Self::UnknownSuite { .. }
            | Self::UnknownTask { .. }
            | Self::SourceSyntax { .. }
            | Self::Line { .. }
            | Self::Input { .. }
            | Self::Output { .. } => ExitCode::Usage,
            Self::Plan(e) if e.is_usage() => ExitCode::Usage,
            Self::Runner(RunnerError::Suite(_)) => ExitCode::Usage,
            Self::Runner(RunnerError::NotInSuite { .. }) => ExitCode::Bug,
            Self::Kl(e) => e.exit_code(),
            Self::Hub(HubError::Interrupted) => ExitCode::Interrupted,
            Self::Hub(_)
            | Self::Tokenizer(_)
            | Self::Plan(_)
            | Self::Model { .. }
            | Self::NotFetched { .. }
            | Self::NoCandle => ExitCode::Machine,
            Self::Console(_)
            | Self::Host(_)
            | Self::Memory(_)
            | Self::ModelFile(_)
            | Self::Engine(_) => ExitCode::Machine,
            Self::Interrupted => ExitCode::Interrupted,
            Self::Bug { .. } => ExitCode::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Cli(e) => e.hint(),
            Self::Console(e) => e.hint(),
            Self::Host(e) => e.hint(),
            Self::Memory(e) => e.hint(),
            Self::ModelFile(e) => e.hint(),
            Self::Engine(e) => e.hint(),
            Self::Config(e) => e.hint(),
            Self::Suite(e) => e.hint(),
            Self::Hub(e) => e.hint(),
            Self::Tokenizer(e) => e.hint(),
            Self::Plan(e) => e.hint(),
            Self::Runner(e) => e.hint(),
            Self::Store(e) => e.hint(),
            Self::Analysis(e) => e.hint(),
            Self::Baseline(e) => e.hint(),
            Self::Kl(e) => e.hint(),
            Self::Model { source, .. } => source.hint(),
            Self::NotFetched { model } => {
                Some(format!("fetch them with `evalh models pull {model}`"))
            }
            Self::UnknownSuite { name, valid }
            | Self::UnknownTask {
                task: name, valid, ..
            } => nearest(name, valid),
            Self::NoCandle => {
                Some("add `--engine mock`, or build with the default features".to_owned())
            }
            Self::SourceSyntax { .. } => {
                Some("write for example `hf:OWNER/REPO/FILE.gguf` or `path:FILE.gguf`".to_owned())
            }
            Self::MockScript(_) | Self::Line { .. } | Self::Input { .. } | Self::Output { .. } => {
                None
            }
            Self::Interrupted => Some("the same command continues the run".to_owned()),
            Self::Bug { .. } => Some(
                "please report it with the command line and the output of `evalh doctor --json`"
                    .to_owned(),
            ),
        }
    }
}

impl EvalhError {
    /// Whether the user asked to stop.
    pub fn is_interruption(&self) -> bool {
        self.exit_code() == ExitCode::Interrupted
    }
}

/// Names in backticks.
fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}

/// The name that was probably meant.
fn nearest(name: &str, valid: &[String]) -> Option<String> {
    let close = valid.iter().map(|v| (strsim::jaro_winkler(name, v), v));
    let best = close
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|b| b.0 > 0.8)?;
    Some(format!("did you mean `{}`?", best.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::error_text;

    fn shown(error: &EvalhError) -> (u8, String) {
        let hint = error.hint();
        let text = error_text(error, hint.as_deref(), false);
        (error.exit_code().number(), text)
    }

    #[test]
    fn exit_codes_are_those_of_the_documentation() {
        let all: Vec<_> = ExitCode::ALL.into_iter().map(ExitCode::number).collect();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 70, 75, 130]);
    }

    #[test]
    fn every_error_has_its_code_and_text() {
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let path = PathBuf::from("/x");
        let source = "lots".parse::<crate::units::Bytes>().unwrap_err();
        for (error, code, text) in [
            (
                EvalhError::Cli(CliError::Variable {
                    name: "EVALH_MEMORY_BUDGET",
                    source: source.into(),
                }),
                2,
                "error: the environment variable `EVALH_MEMORY_BUDGET` has a value that cannot be used\n  caused by: `lots` is not a size; \
                 write for example `36GB`, `512MB` or `8GiB`\n\nhint: unset `EVALH_MEMORY_BUDGET`, or give the flag: a flag comes before \
                 the environment\n",
            ),
            (
                EvalhError::Console(ConsoleError::Write {
                    stream: "output",
                    source: denied(),
                }),
                3,
                "error: failed to write to standard output\n  caused by: permission denied\n",
            ),
            (
                EvalhError::Host(HostError::Read {
                    path: path.clone(),
                    source: denied(),
                }),
                3,
                "error: failed to read `/x`\n  caused by: permission denied\n\nhint: give this user read access to `/x`\n",
            ),
            (
                EvalhError::Memory(MemoryError::Missing {
                    key: "llama.block_count".to_owned(),
                }),
                3,
                "error: the memory a model needs cannot be estimated: `llama.block_count` is missing\n\nhint: the file may be damaged: \
                 `evalh models verify` checks it against its digest\n",
            ),
            (
                EvalhError::ModelFile(ModelFileError::Version { found: 9 }),
                3,
                "error: GGUF version 9 is not supported; versions 2 and 3 are\n",
            ),
            (
                EvalhError::Engine(EngineError::Device {
                    device: "metal".to_owned(),
                    why: "this is no Mac".to_owned(),
                }),
                3,
                "error: device `metal` is not available: this is no Mac\n\nhint: use `--device cpu`\n",
            ),
            (
                EvalhError::Output {
                    path,
                    source: denied(),
                },
                2,
                "error: failed to write `/x`\n  caused by: permission denied\n",
            ),
            (
                EvalhError::Interrupted,
                130,
                "error: interrupted\n\nhint: the same command continues the run\n",
            ),
            (
                EvalhError::Bug {
                    what: "a plan without models".to_owned(),
                },
                70,
                "error: this is a bug in evalh: a plan without models\n\nhint: please report it with the command line and the output of \
                 `evalh doctor --json`\n",
            ),
        ] {
            assert_eq!(shown(&error), (code, text.to_owned()));
        }
    }
}
