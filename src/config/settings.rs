//! Settings files: `evalh.toml` of the current folder and the user's own `evalh/config.toml`.
//!
//! A key of these files stands for a variable of the environment: `memory_budget = "27GB"` for `EVALH_MEMORY_BUDGET`. The command line reads
//! both through one door and gives them their order: flag > environment > project file > user file > default.

use super::reader::{Document, Table, read_bounded};
use super::{ConfigError, Place};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// File of the project, in the current folder.
const PROJECT_FILE: &str = "evalh.toml";

/// Keys a settings file may have, with the variable each stands for.
const KEYS: [(&str, &str); 14] = [
    ("baselines", "EVALH_BASELINES"),
    ("cache_dir", "EVALH_CACHE"),
    ("catalog", "EVALH_CATALOG"),
    ("color", "EVALH_COLOR"),
    ("db", "EVALH_DB"),
    ("device", "EVALH_DEVICE"),
    ("locked", "EVALH_LOCKED"),
    ("log", "EVALH_LOG"),
    ("memory_budget", "EVALH_MEMORY_BUDGET"),
    ("models", "EVALH_MODELS"),
    ("offline", "EVALH_OFFLINE"),
    ("prices", "EVALH_PRICES"),
    ("suite", "EVALH_SUITE"),
    ("watts", "EVALH_WATTS"),
];

/// Which file a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsLayer {
    /// `evalh.toml` of the current folder.
    Project,
    /// The user's own file.
    User,
}

impl SettingsLayer {
    /// The name in a run's settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project file",
            Self::User => "user file",
        }
    }
}

/// A value of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSetting {
    /// As text, the way the environment would give it.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// In which file.
    pub layer: SettingsLayer,
}

/// The values of both files by the variable they stand for; the project's file comes before the user's.
///
/// # Errors
/// When a file cannot be read, is not TOML or has a key that is not known.
pub fn settings_files(
    env: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<BTreeMap<String, FileSetting>, ConfigError> {
    let mut all = BTreeMap::new();
    let home = absolute(env, "HOME");
    if let Some(path) = config_folder(env).map(|f| f.join("evalh").join("config.toml"))
        && path.is_file()
    {
        read_file(
            &path,
            &path.to_string_lossy(),
            SettingsLayer::User,
            home.as_deref(),
            &mut all,
        )?;
    }
    let project = folder.join(PROJECT_FILE);
    if project.is_file() {
        read_file(
            &project,
            PROJECT_FILE,
            SettingsLayer::Project,
            home.as_deref(),
            &mut all,
        )?;
    }
    Ok(all)
}

fn read_file(
    path: &Path,
    shown: &str,
    layer: SettingsLayer,
    home: Option<&Path>,
    all: &mut BTreeMap<String, FileSetting>,
) -> Result<(), ConfigError> {
    let text = read_bounded(path)?;
    let document = Document {
        path: shown,
        text: &text,
    };
    let mut table: Table<'_> = document.parse("the settings")?;
    for (key, variable) in KEYS {
        if let Some(value) = table.take(key) {
            let text = expand_home(&value.scalar_text()?, home);
            all.insert(
                variable.to_owned(),
                FileSetting {
                    text,
                    place: value.place(),
                    layer,
                },
            );
        }
    }
    table.finish()
}

/// `~/x` as a path below the home folder. Only paths begin so, so every value may pass through here.
fn expand_home(text: &str, home: Option<&Path>) -> String {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

fn absolute(env: &BTreeMap<String, String>, variable: &str) -> Option<PathBuf> {
    env.get(variable)
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
}

fn config_folder(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    absolute(env, "XDG_CONFIG_HOME").or_else(|| Some(absolute(env, "HOME")?.join(".config")))
}

/// Where model files are kept when nothing else is said: `$XDG_CACHE_HOME/evalh` or `~/.cache/evalh`.
pub fn cache_folder(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let base =
        absolute(env, "XDG_CACHE_HOME").or_else(|| Some(absolute(env, "HOME")?.join(".cache")));
    Some(base?.join("evalh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &Path)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.to_string_lossy().into_owned()))
            .collect()
    }

    #[test]
    fn the_project_file_comes_before_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        std::fs::create_dir_all(config.join("evalh")).unwrap();
        std::fs::write(
            config.join("evalh/config.toml"),
            "db = \"~/runs.sqlite\"\nmemory_budget = \"8GB\"\n",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("evalh.toml"),
            "memory_budget = \"27GB\"\noffline = true\n",
        )
        .unwrap();
        let env = env(&[("XDG_CONFIG_HOME", &config), ("HOME", Path::new("/home/a"))]);
        let found = settings_files(&env, folder.path()).unwrap();
        let text = |name: &str| (found[name].text.clone(), found[name].layer);
        assert_eq!(
            text("EVALH_MEMORY_BUDGET"),
            ("27GB".to_owned(), SettingsLayer::Project)
        );
        assert_eq!(
            text("EVALH_DB"),
            ("/home/a/runs.sqlite".to_owned(), SettingsLayer::User)
        );
        assert_eq!(
            text("EVALH_OFFLINE"),
            ("true".to_owned(), SettingsLayer::Project)
        );
        assert_eq!(found["EVALH_OFFLINE"].place.line, 2);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("evalh.toml"), "memory_buget = \"1GB\"\n").unwrap();
        let error = settings_files(&BTreeMap::new(), folder.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("evalh.toml:1:1:") && error.contains("memory_budget"),
            "{error}"
        );
    }

    #[test]
    fn the_cache_has_a_default_below_home() {
        let home = env(&[("HOME", Path::new("/home/a"))]);
        assert_eq!(
            cache_folder(&home),
            Some(PathBuf::from("/home/a/.cache/evalh"))
        );
        assert_eq!(
            cache_folder(&env(&[("XDG_CACHE_HOME", Path::new("/c"))])),
            Some(PathBuf::from("/c/evalh"))
        );
        assert_eq!(cache_folder(&BTreeMap::new()), None);
    }
}
