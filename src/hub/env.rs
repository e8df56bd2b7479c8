//! The environment of Hugging Face's tools, read the way they read it.
//!
//! `HF_HOME`, `HF_HUB_CACHE` (and the older `HUGGINGFACE_HUB_CACHE`), `HF_TOKEN` over the file `HF_TOKEN_PATH` over `$HF_HOME/token`,
//! `HF_HUB_DISABLE_IMPLICIT_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE` (and `TRANSFORMERS_OFFLINE`), `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT`. Truth values are
//! `1`, `on`, `yes`, `true` in any case; everything else is false, as there.

use super::{HubError, Secret};
use crate::config::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hub's address when no other is set.
const ENDPOINT: &str = "https://huggingface.co";

/// What Hugging Face's tools would use on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfEnv {
    /// `HF_HOME`, or its default; `None` when there is no home folder either.
    pub home: Option<PathBuf>,
    /// Root of the shared cache.
    pub hub_cache: Option<PathBuf>,
    /// Token for closed repositories.
    pub token: Option<Secret>,
    /// The hub's address without a slash at the end.
    pub endpoint: String,
    /// `HF_HUB_OFFLINE`.
    pub offline: bool,
    /// Most time for an answer about a file; `None` means evalh's own 4 s.
    pub etag_timeout: Option<Duration>,
    /// Most time without a byte during a transfer.
    pub download_timeout: Duration,
}

impl HfEnv {
    /// Reads the variables, and the token file.
    ///
    /// # Errors
    /// When a variable has a value that cannot be used.
    pub fn from_env(env: &BTreeMap<String, String>) -> Result<Self, HubError> {
        let set = |name: &str| env.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
        let truth = |name: &str| {
            set(name).is_some_and(|v| {
                matches!(v.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true")
            })
        };
        let user_home = set("HOME").map(PathBuf::from);
        let path = |text: &str| expand_home(Path::new(text), user_home.as_deref());
        let cache_base = match (set("XDG_CACHE_HOME"), &user_home) {
            (Some(folder), _) => Some(path(folder)),
            (None, Some(home)) => Some(home.join(".cache")),
            (None, None) => None,
        };
        let home = set("HF_HOME")
            .map(path)
            .or_else(|| Some(cache_base?.join("huggingface")));
        let hub_cache = set("HF_HUB_CACHE")
            .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
            .map(path)
            .or_else(|| Some(home.as_ref()?.join("hub")));
        let token = if truth("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            None
        } else if let Some((name, text)) = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .into_iter()
            .find_map(|n| Some((n, set(n)?)))
        {
            Some(token(name, text)?)
        } else {
            let file = set("HF_TOKEN_PATH")
                .map(path)
                .or_else(|| Some(home.as_ref()?.join("token")));
            read_token(file.as_deref())?
        };
        Ok(Self {
            home,
            hub_cache,
            token,
            endpoint: endpoint(set("HF_ENDPOINT"))?,
            // The older name counts as well, as there.
            offline: truth("HF_HUB_OFFLINE") || truth("TRANSFORMERS_OFFLINE"),
            etag_timeout: seconds("HF_HUB_ETAG_TIMEOUT", set("HF_HUB_ETAG_TIMEOUT"))?,
            download_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT", set("HF_HUB_DOWNLOAD_TIMEOUT"))?
                .unwrap_or(Duration::from_secs(10)),
        })
    }
}

/// `~` and `~/x` below the home folder; other paths as they are.
pub(crate) fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn token(variable: &str, text: &str) -> Result<Secret, HubError> {
    Secret::new(text).ok_or_else(|| HubError::Variable {
        variable: variable.to_owned(),
        needed: "a token of visible ASCII characters",
    })
}

fn read_token(file: Option<&Path>) -> Result<Option<Secret>, HubError> {
    use std::io::Read as _;
    const MOST_BYTES: u64 = 4096;
    let Some(file) = file.filter(|f| f.is_file()) else {
        return Ok(None);
    };
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(MOST_BYTES).read_to_string(&mut text))
        .map_err(HubError::io("read the token file", file))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    token(&file.to_string_lossy(), &text).map(Some)
}

fn endpoint(text: Option<&str>) -> Result<String, HubError> {
    let Some(text) = text else {
        return Ok(ENDPOINT.to_owned());
    };
    match Source::parse(text) {
        Ok(Source::Https(url)) if !url.contains(['?', '#']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(HubError::Variable {
            variable: "HF_ENDPOINT".to_owned(),
            needed: "an `https://` address without user name, query or fragment (`http://` only to this machine)",
        }),
    }
}

fn seconds(variable: &str, text: Option<&str>) -> Result<Option<Duration>, HubError> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 3600.0 => Ok(Some(Duration::from_secs_f64(s))),
        _ => Err(HubError::Variable {
            variable: variable.to_owned(),
            needed: "a number of seconds above 0, at most 3600",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn folders_follow_the_conventions() {
        let cache = |pairs: &[(&str, &str)]| HfEnv::from_env(&env(pairs)).unwrap().hub_cache;
        for (pairs, expected) in [
            (&[("HOME", "/h")][..], Some("/h/.cache/huggingface/hub")),
            (
                &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
                Some("/x/huggingface/hub"),
            ),
            (&[("HOME", "/h"), ("HF_HOME", "~/hf")], Some("/h/hf/hub")),
            (&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")], Some("/c")),
            (
                &[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")],
                Some("/old"),
            ),
            (&[], None),
        ] {
            assert_eq!(
                cache(pairs).as_deref(),
                expected.map(Path::new),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn the_token_comes_from_the_nearest_place() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_string_lossy().into_owned();
        std::fs::write(folder.path().join("token"), "from-home\n").unwrap();
        std::fs::write(folder.path().join("other"), "from-path\n").unwrap();
        let other = format!("{home}/other");
        let revealed = |pairs: &[(&str, &str)]| HfEnv::from_env(&env(pairs)).unwrap().token;
        let base = ("HF_HOME", home.as_str());
        assert_eq!(revealed(&[base]), Secret::new("from-home"));
        assert_eq!(
            revealed(&[base, ("HF_TOKEN_PATH", &other)]),
            Secret::new("from-path")
        );
        assert_eq!(
            revealed(&[base, ("HF_TOKEN_PATH", &other), ("HF_TOKEN", " t ")]),
            Secret::new("t")
        );
        assert_eq!(
            revealed(&[
                base,
                ("HF_TOKEN", "t"),
                ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "YES")
            ]),
            None
        );
        assert_eq!(revealed(&[("HF_HOME", "/nonexistent")]), None);
    }

    #[test]
    fn values_that_cannot_be_used_are_refused_and_secrets_not_repeated() {
        for (name, value, message) in [
            (
                "HF_ENDPOINT",
                "http://example.org",
                "`HF_ENDPOINT` is not an `https://` address without user name, query or fragment (`http://` only to this machine)",
            ),
            (
                "HF_ENDPOINT",
                "https://u:canary@example.org",
                "`HF_ENDPOINT` is not an `https://` address without user name, query or fragment (`http://` only to this machine)",
            ),
            (
                "HF_HUB_ETAG_TIMEOUT",
                "soon",
                "`HF_HUB_ETAG_TIMEOUT` is not a number of seconds above 0, at most 3600",
            ),
            (
                "HF_TOKEN",
                "canary with spaces",
                "`HF_TOKEN` is not a token of visible ASCII characters",
            ),
        ] {
            let error = HfEnv::from_env(&env(&[(name, value)])).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!format!("{error:?}").contains("canary"));
        }
        let read = HfEnv::from_env(&env(&[
            ("HF_ENDPOINT", "http://localhost:1/"),
            ("HF_HUB_OFFLINE", "On"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "2.5"),
            ("HF_TOKEN", "canary"),
        ]))
        .unwrap();
        assert_eq!(read.endpoint, "http://localhost:1");
        assert!(read.offline);
        assert_eq!(read.download_timeout, Duration::from_millis(2500));
        assert_eq!(read.etag_timeout, None);
        let older = HfEnv::from_env(&env(&[("TRANSFORMERS_OFFLINE", "yes")])).unwrap();
        let neither = HfEnv::from_env(&env(&[("HF_HUB_OFFLINE", "0")])).unwrap();
        assert!(older.offline && !neither.offline);
        let shown = format!("{read:?}");
        assert!(
            shown.contains("Secret(set)") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
