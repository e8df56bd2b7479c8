//! What can go wrong with the database.

use std::path::{Path, PathBuf};

/// A failure of the store. Every variant belongs to exit code 5.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("`{path}` is not an SQLite database")]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// An SQLite database, but not of evalh.
    #[error(
        "`{path}` is a database of another program: its application id is {found:#010x} where evalh writes {expected:#010x}"
    )]
    OtherProgram {
        /// Which file.
        path: PathBuf,
        /// Application id in the file.
        found: u32,
        /// Application id of evalh.
        expected: u32,
    },
    /// Written by a newer evalh.
    #[error("`{path}` has schema version {found}, but this evalh knows versions up to {known}")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// Written by an older evalh and opened without permission to write.
    #[error(
        "`{path}` has schema version {found} and cannot be raised to {known} because it is opened for reading only"
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Version needed.
        known: u32,
    },
    /// There is no database yet.
    #[error("there is no database `{path}`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The folder of the database could not be made.
    #[error("failed to create the folder `{path}`")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be read, copied or replaced.
    #[error("failed to {action} `{path}`")]
    File {
        /// What was being done.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file or its folder cannot be opened.
    #[error("`{path}` cannot be opened")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file or its folder cannot be written.
    #[error("`{path}` cannot be written: the file or its folder is read-only")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// No space is left, or a quota or file size limit is reached.
    #[error("`{path}` cannot grow: the disk is full or a size limit is reached")]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// Another process holds the database.
    #[error("`{path}` is locked by another process and stayed so for {waited_ms} ms")]
    Locked {
        /// Which file.
        path: PathBuf,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// The content is not consistent.
    #[error("`{path}` is damaged: {}", findings.join("; "))]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What the integrity check says.
        findings: Vec<String>,
    },
    /// Any other failure of a statement.
    #[error("failed to {action} in `{path}`")]
    Sql {
        /// What was being done.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The linked SQLite has a known data-corrupting bug.
    #[error("SQLite {found} is linked, but {needed} or newer is needed")]
    Library {
        /// Version number linked.
        found: i32,
        /// Version number needed.
        needed: i32,
    },
    /// A stored value that no evalh writes.
    #[error("column `{column}` of `{path}` holds a value that is not {expected}: `{found}`")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A stored summary that the observation beside it does not give.
    #[error(
        "`{column}` of sample `{task}/{sample}` in `{path}` is {stored} but the stored observation gives {recomputed}"
    )]
    Summary {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: &'static str,
        /// Task id.
        task: String,
        /// Sample id.
        sample: String,
        /// In the column.
        stored: String,
        /// From the observation.
        recomputed: String,
    },
    /// A number above what a column holds.
    #[error("`{column}` is {found}, above the largest storable value {limit}")]
    TooLarge {
        /// Which column.
        column: &'static str,
        /// The value.
        found: u128,
        /// The limit.
        limit: i64,
    },
    /// A value that is not a finite number.
    #[error("`{column}` is {found}, which is not a finite number")]
    NotFinite {
        /// Which column.
        column: &'static str,
        /// The value.
        found: f64,
    },
    /// No run has this id.
    #[error("no run in `{path}` begins with `{prefix}`")]
    NoSuchRun {
        /// Which file.
        path: PathBuf,
        /// As asked for.
        prefix: String,
        /// The stored run with the most similar id.
        nearest: Option<String>,
    },
    /// Several runs have this prefix.
    #[error("`{prefix}` is the beginning of {} runs: {}", matches.len(), quoted(matches))]
    AmbiguousRun {
        /// As asked for.
        prefix: String,
        /// The runs it could mean, newest first.
        matches: Vec<String>,
    },
    /// Nothing is stored yet.
    #[error("no run is stored in `{path}`")]
    NoRuns {
        /// Which file.
        path: PathBuf,
    },
    /// A run with this id is stored already.
    #[error("run `{run}` is already stored in `{path}`")]
    DuplicateRun {
        /// Which file.
        path: PathBuf,
        /// Which run.
        run: String,
    },
    /// A sample with this key has a record already.
    #[error("sample `{sample}` of task `{task}`, epoch {epoch}, already has a record in this run")]
    DuplicateSample {
        /// Task id.
        task: String,
        /// Sample id.
        sample: String,
        /// Epoch.
        epoch: u32,
    },
    /// An exported file holds no run, or several.
    #[error("`{path}` holds {found} runs where an exported file holds one")]
    NotOneRun {
        /// Which file.
        path: PathBuf,
        /// How many.
        found: usize,
    },
    /// The file to write exists.
    #[error("`{path}` exists already")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// An event that needs a run before there is one.
    #[error("the event `{event}` came before a run began")]
    NoRunBegun {
        /// Its kind.
        event: &'static str,
    },
    /// An event about a model the run does not have.
    #[error("model {model} is not part of the run")]
    UnknownModel {
        /// Its content id.
        model: String,
    },
}

impl StoreError {
    /// Sorts a failure of SQLite. `action` completes "failed to ...".
    pub(super) fn from_sqlite(path: &Path, action: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(Code::NotADatabase) => Self::NotADatabase { path },
            Some(Code::ReadOnly | Code::PermissionDenied) => Self::ReadOnly { path },
            Some(Code::DiskFull) => Self::Full { path },
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Locked {
                path,
                waited_ms: super::open::BUSY_TIMEOUT_MS,
            },
            Some(Code::DatabaseCorrupt) => Self::Damaged {
                path,
                findings: vec![source.to_string()],
            },
            Some(Code::CannotOpen) => Self::Open { path, source },
            _ => Self::Sql {
                action,
                path,
                source,
            },
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotADatabase { .. } | Self::OtherProgram { .. } => {
                "name another file with `--db PATH`; this one is left as it is"
            }
            Self::Newer { .. } => "update evalh, or name another file with `--db PATH`",
            Self::Older { .. } => "copy the file to a folder that can be written and open the copy",
            Self::Missing { .. } | Self::NoRuns { .. } => {
                "`evalh run --suite NAME` makes the first run"
            }
            Self::Folder { .. } | Self::Open { .. } | Self::ReadOnly { .. } => {
                "check the permissions, or name another place with `--db PATH`"
            }
            Self::Full { .. } => {
                "what is saved is intact: free some space and give the same command again"
            }
            Self::Locked { .. } => {
                "wait for the other evalh to end, or name another file with `--db PATH`"
            }
            Self::Damaged { .. } => {
                "copy the file away, then `evalh runs check` lists what is wrong and `.recover` of the sqlite3 shell saves what can be read"
            }
            Self::Summary { .. } => {
                "the database was changed by another program, or written by another version of evalh"
            }
            Self::NoSuchRun {
                nearest: Some(id), ..
            } => {
                return Some(format!(
                    "the most similar id is `{id}`; `evalh runs list` shows all"
                ));
            }
            Self::NoSuchRun { nearest: None, .. } => "`evalh runs list` shows all",
            Self::AmbiguousRun { .. } => "give more characters of the id",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut parts: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > SHOWN {
        parts.push(format!("and {} more", names.len() - SHOWN));
    }
    parts.join(", ")
}
