//! Why a model's files could not be had.

use crate::record::Digest;
use crate::units::Bytes;
use std::path::PathBuf;

/// A source that did not work.
#[derive(Debug)]
pub struct SourceFailure {
    /// The source, as in the catalogue.
    pub source: String,
    /// Why it did not work.
    pub error: HubError,
}

/// A failure to find, fetch or verify files.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No source of a model worked.
    #[error("model `{model}` could not be had from {}{}", counted(failures.len()), listed(failures))]
    NoSource {
        /// The model.
        model: String,
        /// Each source and why it failed, in the order they were tried.
        failures: Vec<SourceFailure>,
    },
    /// The files are not on this machine.
    #[error("the files of model `{model}` are not on this machine")]
    NotFetched {
        /// The model.
        model: String,
    },
    /// The file system refused.
    #[error("failed to {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The network is needed and may not be used.
    #[error("not on this machine, and {because} forbids the network")]
    Offline {
        /// `--offline` or `HF_HUB_OFFLINE`.
        because: &'static str,
    },
    /// This build has no network.
    #[error("this evalh was built without the feature `hub`, which `{scheme}:` sources need")]
    NotBuiltIn {
        /// Scheme of the source.
        scheme: &'static str,
    },
    /// The user asked to stop.
    #[error("stopped before the files were complete")]
    Interrupted,
    /// No connection, or no answer in time.
    #[error("`{host}` cannot be reached: {why}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the connection said.
        why: String,
    },
    /// The repository is closed to this user.
    #[error("`{repo}` is not open to {}: the hub answered {status}", if *token_set { "the token that is set" } else { "requests without a token" })]
    Denied {
        /// Repository or URL.
        repo: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token_set: bool,
    },
    /// The hub has no such thing.
    #[error("`{repo}` has no {what} `{name}`: the hub answered 404")]
    Missing {
        /// Repository.
        repo: String,
        /// `revision` or `file`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is no such repository or URL.
    #[error("`{url}` does not exist: the server answered 404")]
    NoSuchUrl {
        /// Repository or URL.
        url: String,
    },
    /// The server wants fewer requests.
    #[error("`{host}` limits requests (429){}", wait_s.map_or(String::new(), |s| format!(" and asks to wait {s} s")))]
    RateLimited {
        /// Host.
        host: String,
        /// Seconds it asked for.
        wait_s: Option<u64>,
    },
    /// Another answer than needed.
    #[error("`{url}` answered {status}")]
    Status {
        /// Without query.
        url: String,
        /// Code.
        status: u16,
    },
    /// An answer that does not follow the protocol.
    #[error("the answer of `{url}` has {problem}")]
    Protocol {
        /// Without query.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A transfer that broke again and again.
    #[error("the transfer of `{url}` broke {attempts} times, the last time after {}: {why}", Bytes(*got))]
    Broken {
        /// Without query.
        url: String,
        /// How often.
        attempts: u32,
        /// Bytes that are kept for the next attempt.
        got: u64,
        /// What the connection said.
        why: String,
    },
    /// More or fewer bytes than declared.
    #[error("`{what}` has {got} bytes where {expected} were declared")]
    Length {
        /// File or URL.
        what: String,
        /// Declared.
        expected: u64,
        /// Received.
        got: u64,
    },
    /// Another content than declared.
    #[error("`{what}` has the SHA-256 `{got}` where {by} says `{expected}`")]
    Digest {
        /// File or source.
        what: String,
        /// Who declared it.
        by: &'static str,
        /// Declared.
        expected: Digest,
        /// Computed, or announced by the hub.
        got: Digest,
    },
    /// A name from outside that could lead outside.
    #[error("`{from}` names the file `{name}`, which is not a plain path inside it")]
    UnsafeName {
        /// Repository or wheel.
        from: String,
        /// The name.
        name: String,
    },
    /// Safetensors weights of which a file is missing.
    #[error("`{}` is not whole: `{missing}` is missing", main.display())]
    Incomplete {
        /// The main file.
        main: PathBuf,
        /// The file that is not there.
        missing: String,
    },
    /// The index of safetensors weights, or the header of weights in a repository, cannot be used.
    #[error("`{file}` cannot be used: {source}")]
    Index {
        /// Its name.
        file: String,
        /// What is wrong with it.
        source: crate::modelfile::ModelFileError,
    },
    /// No file fits.
    #[error("`{place}` has no file that fits `{wanted}`; it has {}", ticked(files))]
    NoFile {
        /// Repository or folder.
        place: String,
        /// Name or pattern.
        wanted: String,
        /// Weight files that are there.
        files: Vec<String>,
    },
    /// More than one file fits.
    #[error("`{place}` has {} files that fit `{wanted}`: {}", files.len(), ticked(files))]
    ManyFiles {
        /// Repository or folder.
        place: String,
        /// Name or pattern.
        wanted: String,
        /// Those that fit.
        files: Vec<String>,
    },
    /// A `path:` source that is not there.
    #[error("`{}` does not exist", path.display())]
    NoPath {
        /// The path.
        path: PathBuf,
    },
    /// `~` without a home folder.
    #[error("`{}` begins with `~` and no home folder is known", path.display())]
    NoHome {
        /// The path.
        path: PathBuf,
    },
    /// No pip.
    #[error("pip was not found; tried {}", ticked(tried))]
    PipMissing {
        /// Commands tried.
        tried: Vec<String>,
    },
    /// The index has no such wheel.
    #[error("pip found no wheel of `{package}=={version}` for this machine: {said}")]
    PackageMissing {
        /// Package.
        package: String,
        /// Version.
        version: String,
        /// What pip said last.
        said: String,
    },
    /// pip could not reach its index.
    #[error("pip could not reach its package index for `{package}=={version}`: {said}")]
    PipUnreachable {
        /// Package.
        package: String,
        /// Version.
        version: String,
        /// What pip said last.
        said: String,
    },
    /// pip failed otherwise.
    #[error("`{command}` ended with {status} for `{package}=={version}`: {said}")]
    Pip {
        /// The command.
        command: String,
        /// Package.
        package: String,
        /// Version.
        version: String,
        /// Exit status in words.
        status: String,
        /// What pip said last.
        said: String,
    },
    /// A wheel that is not a readable archive.
    #[error("the wheel `{wheel}` cannot be read: {why}")]
    Wheel {
        /// File name.
        wheel: String,
        /// What the archive reader said.
        why: String,
    },
    /// A wheel without the file that is needed.
    #[error(
        "the wheel `{wheel}` has no `{member}`; its largest files are {}",
        ticked(largest)
    )]
    MemberMissing {
        /// File name.
        wheel: String,
        /// The path in it.
        member: String,
        /// What is in it.
        largest: Vec<String>,
    },
    /// `models.lock` cannot be read.
    #[error("{place}: {message}{}", place.excerpt())]
    LockSyntax {
        /// Where.
        place: crate::config::Place,
        /// What is wrong.
        message: String,
    },
    /// `--locked` and nothing is locked.
    #[error("`--locked` is set and `{}` has no entry for `{source_text}` of model `{model}`", lock.display())]
    LockMissing {
        /// The lock file.
        lock: PathBuf,
        /// The model.
        model: String,
        /// The source as the catalogue has it.
        source_text: String,
    },
    /// What was found is not what was locked.
    #[error("model `{model}` has the {field} `{found}` where `{}` says `{locked}`", lock.display())]
    LockDiffers {
        /// The lock file.
        lock: PathBuf,
        /// The model.
        model: String,
        /// `commit`, `file`, `etag`, `sha256` or `bytes`.
        field: &'static str,
        /// In the lock file.
        locked: String,
        /// Found.
        found: String,
    },
    /// An environment variable that cannot be used. A token's value is not repeated.
    #[error("`{variable}` is not {needed}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is allowed.
        needed: &'static str,
    },
}

impl HubError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSource { failures, .. } => failures.iter().find_map(|f| f.error.hint()),
            Self::NotFetched { model } => Some(format!("run `evalh models pull {model}`")),
            Self::Offline { .. } => {
                Some("run `evalh models pull` once on a machine with a network".to_owned())
            }
            Self::Denied {
                repo, token_set, ..
            } => Some(if *token_set {
                format!("accept the terms of `{repo}` on its page with the account of the token")
            } else {
                format!("accept the terms of `{repo}` on its page, then set `HF_TOKEN`")
            }),
            Self::PipMissing { .. } => {
                Some("install Python with pip, or put another source first in the catalogue".to_owned())
            }
            Self::ManyFiles { .. } => {
                Some("name one of them at the end of the source".to_owned())
            }
            Self::LockMissing { .. } | Self::LockDiffers { .. } => Some(
                "`evalh models lock` writes what is there now; look at the difference before you commit it"
                    .to_owned(),
            ),
            Self::Digest { .. } | Self::Length { .. } => {
                Some("`evalh models pull` fetches a damaged file again".to_owned())
            }
            _ => None,
        }
    }

    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

fn counted(sources: usize) -> String {
    match sources {
        0 => "any source: none is left to try".to_owned(),
        1 => "its source".to_owned(),
        n => format!("any of its {n} sources"),
    }
}

fn listed(failures: &[SourceFailure]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for failure in failures {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n  `{}`: {}", failure.source, failure.error);
    }
    text
}

fn ticked(names: &[String]) -> String {
    const MOST: usize = 12;
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut quoted: Vec<String> = names.iter().take(MOST).map(|n| format!("`{n}`")).collect();
    if names.len() > MOST {
        quoted.push(format!("and {} more", names.len() - MOST));
    }
    quoted.join(", ")
}

/// Text from a server or another program, made safe to print: one line, no control characters, bounded.
pub(crate) fn printable(text: &str) -> String {
    const MOST: usize = 300;
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= MOST {
        return words;
    }
    words.chars().take(MOST).chain("...".chars()).collect()
}
