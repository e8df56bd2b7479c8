//! What can be wrong with a catalogue, a price card or a setting.

use super::{Place, SourceSyntaxError};
use std::path::PathBuf;

/// A file or a setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: {message}{}", place.excerpt())]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// What the TOML parser said.
        message: String,
    },
    /// A key that nothing reads.
    #[error("{place}: unknown key `{key}` in {table}; valid are {}{}", ticked(valid), place.excerpt())]
    UnknownKey {
        /// Where.
        place: Box<Place>,
        /// The key.
        key: String,
        /// What it was found in.
        table: String,
        /// The keys that may be there.
        valid: Vec<String>,
    },
    /// A key that has to be there.
    #[error("{place}: {table} has no `{key}`{}", place.excerpt())]
    MissingKey {
        /// Where the table begins.
        place: Box<Place>,
        /// The key.
        key: &'static str,
        /// What it is missing in.
        table: String,
    },
    /// A value of another type than needed.
    #[error("{place}: `{key}` is {found} where {needed} is needed{}", place.excerpt())]
    WrongType {
        /// Where.
        place: Box<Place>,
        /// The key.
        key: String,
        /// The type in the file.
        found: &'static str,
        /// The type needed.
        needed: &'static str,
    },
    /// A value that is not allowed.
    #[error("{place}: `{key}` is `{found}` where {needed} is needed{}", place.excerpt())]
    Value {
        /// Where.
        place: Box<Place>,
        /// The key.
        key: String,
        /// The value.
        found: String,
        /// What is allowed.
        needed: &'static str,
    },
    /// A source that cannot be read.
    #[error("{place}: source `{found}` {error}{}", place.excerpt())]
    Source {
        /// Where.
        place: Box<Place>,
        /// The source as written.
        found: String,
        /// What is wrong with it.
        error: SourceSyntaxError,
    },
    /// `pypi:` or `https:` without a digest.
    #[error("{place}: {table} has a `{scheme}:` source and no `sha256`{}", place.excerpt())]
    DigestNeeded {
        /// Where the source is.
        place: Box<Place>,
        /// The entry.
        table: String,
        /// `pypi` or `https`.
        scheme: &'static str,
    },
    /// Two entries with one name.
    #[error("{place}: the name `{name}` is already used in line {first_line}{}", place.excerpt())]
    DuplicateName {
        /// Where the second is.
        place: Box<Place>,
        /// The name.
        name: String,
        /// Line of the first.
        first_line: usize,
    },
    /// A model that the catalogue does not have.
    #[error(
        "model `{name}` is not in the catalogue `{origin}`; valid are {}",
        ticked(valid)
    )]
    UnknownModel {
        /// As asked for.
        name: String,
        /// The catalogue.
        origin: String,
        /// The names it has.
        valid: Vec<String>,
    },
    /// A tag that no entry has.
    #[error(
        "no model in the catalogue `{origin}` has the tag `{tag}`; valid are {}",
        ticked(valid)
    )]
    UnknownTag {
        /// As asked for.
        tag: String,
        /// The catalogue.
        origin: String,
        /// The tags it has.
        valid: Vec<String>,
    },
    /// Nothing was selected and nothing is marked as default.
    #[error("the catalogue `{origin}` has no entry with `default = true`")]
    NoDefault {
        /// The catalogue.
        origin: String,
    },
    /// An environment variable or flag that cannot be read.
    #[error("{origin} is `{value}` where {needed} is needed")]
    Setting {
        /// Which variable or flag.
        origin: String,
        /// Its value.
        value: String,
        /// What is allowed.
        needed: &'static str,
    },
    /// No folder for the cache could be derived.
    #[error(
        "there is no folder for the cache: neither `EVALH_CACHE`, `XDG_CACHE_HOME` nor `HOME` names an absolute path"
    )]
    NoCacheFolder,
}

impl ConfigError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { key, valid, .. } => did_you_mean(key, valid),
            Self::UnknownModel { name, valid, .. } => did_you_mean(name, valid),
            Self::UnknownTag { tag, valid, .. } => did_you_mean(tag, valid),
            Self::DigestNeeded { .. } => {
                Some("add `sha256 = \"...\"`, the digest of the finished weight file".to_owned())
            }
            Self::NoDefault { .. } => {
                Some("name models with `--models a,b` or `--models tag:NAME`".to_owned())
            }
            Self::NoCacheFolder => Some("set `EVALH_CACHE` to a folder".to_owned()),
            _ => None,
        }
    }
}

/// The valid name nearest to `name`, when it is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, valid: &'a [String]) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    valid
        .iter()
        .map(|v| (strsim::jaro_winkler(&wanted, &v.to_lowercase()), v.as_str()))
        .filter(|(similarity, _)| *similarity >= 0.8)
        // The first of equals, so that the answer does not depend on the order of a sort.
        .fold(None, |best: Option<(f64, &str)>, (s, v)| match best {
            Some((b, _)) if b >= s => best,
            _ => Some((s, v)),
        })
        .map(|(_, v)| v)
}

fn did_you_mean(name: &str, valid: &[String]) -> Option<String> {
    nearest(name, valid).map(|v| format!("did you mean `{v}`?"))
}

fn ticked(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}
