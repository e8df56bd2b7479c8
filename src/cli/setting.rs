//! A value and where it came from.

use super::value::ValueError;
use super::{CliError, Environment as Env};
use crate::record::SettingRecord;
use std::collections::BTreeMap;
use std::fmt::Display;

/// A value of a settings file that stands for a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileValue {
    /// As the variable would give it.
    pub text: String,
    /// `path:line:column` of the value.
    pub place: String,
    /// Which file, as kept with a run: `project file` or `user file`.
    pub layer: &'static str,
}

/// What is asked after the flags: the environment, and below it the settings files, both passed in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables of the process.
    pub variables: BTreeMap<String, String>,
    /// Values of settings files by the variable they stand for.
    pub files: BTreeMap<String, FileValue>,
}

/// Only the names of variables: their values may be tokens.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("files", &self.files)
            .finish()
    }
}

impl Environment {
    /// The text of a variable, or of the settings file's key that stands for it.
    pub fn text(&self, name: &str) -> Option<&str> {
        let variable = self.variables.get(name).map(|text| text.trim());
        let file = self.files.get(name).map(|file| file.text.trim());
        variable.filter(|text| !text.is_empty()).or(file)
    }
}

impl From<BTreeMap<String, String>> for Environment {
    fn from(variables: BTreeMap<String, String>) -> Self {
        Self {
            variables,
            files: BTreeMap::new(),
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A flag or an argument.
    Flag,
    /// This variable of the environment.
    Environment(&'static str),
    /// A settings file, `project file` or `user file`.
    File(&'static str),
    /// None of these: the built-in default.
    Default,
}

impl Origin {
    /// The name in a run's settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment(_) => "environment",
            Self::File(layer) => layer,
            Self::Default => "default",
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<Option<T>> {
    /// The value, or `default` when neither flag nor environment gave one.
    pub fn or(self, default: T) -> Setting<T> {
        Setting {
            value: self.value.unwrap_or(default),
            origin: self.origin,
        }
    }

    /// As kept with a run; `None` when nothing was given, because the value is then decided elsewhere.
    pub(super) fn record_if_given(&self, name: &str) -> Option<SettingRecord>
    where
        T: Display,
    {
        let value = self.value.as_ref()?.to_string();
        Some(SettingRecord {
            name: name.to_owned(),
            value,
            origin: self.origin.as_str().to_owned(),
        })
    }
}

impl<T: Display> Setting<T> {
    /// As kept with a run.
    pub fn record(&self, name: &str) -> SettingRecord {
        SettingRecord {
            name: name.to_owned(),
            value: self.value.to_string(),
            origin: self.origin.as_str().to_owned(),
        }
    }
}

/// Flag before environment before settings files before nothing.
pub(super) fn resolve<T>(
    flag: Option<T>,
    env: &Env,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, ValueError>,
) -> Result<Setting<Option<T>>, CliError> {
    if flag.is_some() {
        return Ok(Setting {
            value: flag,
            origin: Origin::Flag,
        });
    }
    let given = |text: &&String| !text.trim().is_empty();
    if let Some(text) = env.variables.get(name).filter(given) {
        let value = read(text.trim()).map_err(|source| CliError::Variable { name, source })?;
        return Ok(Setting {
            value: Some(value),
            origin: Origin::Environment(name),
        });
    }
    let Some(file) = env.files.get(name) else {
        return Ok(Setting {
            value: None,
            origin: Origin::Default,
        });
    };
    let value = read(file.text.trim()).map_err(|source| CliError::File {
        place: file.place.clone(),
        // Every key that is read here is its variable without the program's name.
        key: name.trim_start_matches("EVALH_").to_ascii_lowercase(),
        source,
    })?;
    Ok(Setting {
        value: Some(value),
        origin: Origin::File(file.layer),
    })
}

/// A switch: present on the command line, or a truth value in the environment.
pub(super) fn resolve_switch(
    flag: bool,
    env: &Env,
    name: &'static str,
) -> Result<Setting<bool>, CliError> {
    let setting = resolve(flag.then_some(true), env, name, super::value::truth)?;
    Ok(setting.or(false))
}
