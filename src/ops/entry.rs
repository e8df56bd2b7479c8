//! From the process' arguments to its exit code.

use super::Session;
use crate::cli::{self, ColorChoice, Environment, FileValue, Global, LogFormat, LogLevel, Parsed};
use crate::config;
use crate::console::{ColorRule, Console, LogSettings, TerminalFacts, init_log};
use crate::error::{Coded as _, EvalhError, ExitCode};
use crate::host;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

/// Runs the program. `args` begins with the program's name; `folder` is the current one.
pub fn main(args: Vec<OsString>, variables: BTreeMap<String, String>, folder: PathBuf) -> ExitCode {
    quiet_guarded_panics();
    let facts = TerminalFacts::detect(&variables, host::terminal_width());
    let early = Console::new(facts, ColorRule::Auto, false);
    let env = match environment(variables, &folder) {
        Ok(env) => env,
        Err(error) => return fail(&early, &error),
    };
    let parsed = match cli::parse(args.clone(), &env) {
        Ok(parsed) => parsed,
        Err(error) => return fail(&early, &error.into()),
    };
    let request = match parsed {
        Parsed::Request(request) => request,
        Parsed::Show(shown) => {
            let text = if early.colors_output() {
                &shown.styled
            } else {
                &shown.plain
            };
            return early
                .print_data(text)
                .map_or_else(|e| fail(&early, &e.into()), |()| ExitCode::Done);
        }
    };
    let console = Console::new(facts, color(&request.global), request.global.quiet);
    init_log(log_settings(&request.global, facts.error_is_terminal));
    let argv = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let session = Session::new(console.clone(), env, folder, argv);
    // A panic is a bug: it is told as one, and it must not look like a failed run.
    let result = catch_unwind(AssertUnwindSafe(|| super::execute(&session, &request)));
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(&console, &error),
        Err(_) => fail(
            &console,
            &EvalhError::Bug {
                what: "the message above says where".to_owned(),
            },
        ),
    }
}

/// A panic that a room turns into an error is told by that error alone.
fn quiet_guarded_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !crate::guard::is_guarded() {
            usual(info);
        }
    }));
}

/// The environment with the settings files below it.
fn environment(
    variables: BTreeMap<String, String>,
    folder: &Path,
) -> Result<Environment, EvalhError> {
    let files = config::settings_files(&variables, folder)?;
    let value = |f: config::FileSetting| {
        let place = format!("{}:{}:{}", f.place.path, f.place.line, f.place.column);
        FileValue {
            text: f.text,
            place,
            layer: f.layer.as_str(),
        }
    };
    let files = files
        .into_iter()
        .map(|(name, setting)| (name, value(setting)))
        .collect();
    Ok(Environment { variables, files })
}

fn fail(console: &Console, error: &EvalhError) -> ExitCode {
    console.error(error, error.hint().as_deref());
    error.exit_code()
}

fn color(global: &Global) -> ColorRule {
    match global.color.value {
        ColorChoice::Auto => ColorRule::Auto,
        ColorChoice::Always => ColorRule::Always,
        ColorChoice::Never => ColorRule::Never,
    }
}

fn log_settings(global: &Global, color: bool) -> LogSettings {
    LogSettings {
        level: match global.log.value {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        },
        json: global.log_format.value == LogFormat::Json,
        color: color && global.color.value != ColorChoice::Never,
    }
}
