//! What can be wrong with a command line.

use super::value::ValueError;

/// A command line or environment that makes no request. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments. The text is the parser's own: it names the flag, the valid values and the nearest, and shows the usage.
    #[error("{}", without_prefix(.0))]
    Usage(clap::Error),
    /// No subcommand. The text is the help, which says what there is.
    #[error("no subcommand is given\n\n{}", .0.trim_end())]
    NoCommand(String),
    /// A variable of the environment.
    #[error("the environment variable `{name}` has a value that cannot be used")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        source: ValueError,
    },
    /// A settings file.
    #[error("{place}: `{key}` has a value that cannot be used")]
    File {
        /// `path:line:column`.
        place: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        source: ValueError,
    },
    /// The mock engine was given a script but is not the engine asked for.
    #[error("`--mock-script {script}` needs `--engine mock`, but the engine is `{engine}`")]
    ScriptWithoutMock {
        /// The script.
        script: String,
        /// The engine.
        engine: String,
    },
}

impl CliError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_) | Self::NoCommand(_) => None,
            Self::Variable { name, .. } => Some(format!(
                "unset `{name}`, or give the flag: a flag comes before the environment"
            )),
            Self::File { .. } => None,
            Self::ScriptWithoutMock { .. } => Some("add `--engine mock`".to_owned()),
        }
    }
}

/// The parser's message without the `error: ` that the console puts in front of every error.
fn without_prefix(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.trim_end().to_owned()
}
