//! How a worker dies, and what can be wrong with what it says.

use crate::record::FailureKind;
use crate::units::Bytes;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes that are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than the message needs.
    #[error("a message ends inside its {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// A count or length above the limit.
    #[error("the {what} has a length of {found}, above the limit of {limit}")]
    Length {
        /// Of what.
        what: &'static str,
        /// As stated.
        found: u64,
        /// Allowed.
        limit: u64,
    },
    /// A tag that stands for nothing.
    #[error("the {what} has the unknown tag {found}")]
    Tag {
        /// Of what.
        what: &'static str,
        /// The tag.
        found: u8,
    },
    /// A text that is not UTF-8 or not one of the names it may be.
    #[error("the {what} is not a valid text")]
    Text {
        /// Which.
        what: &'static str,
    },
    /// More bytes than the message needs.
    #[error("{bytes} bytes follow a message")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// A message that must not be sent as it is, or not now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not a message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Another program, or another version of this one.
    #[error("it speaks {found} where {expected} is needed")]
    Version {
        /// Of the other side.
        found: String,
        /// Of this side.
        expected: String,
    },
    /// A message out of turn.
    #[error("`{found}` came where {expected} was due")]
    Turn {
        /// Name of the message.
        found: &'static str,
        /// What was due.
        expected: &'static str,
    },
    /// A result for a request that was not made.
    #[error("a result for request {index} of {count} came")]
    Index {
        /// Its index, from 0.
        index: u32,
        /// Number of requests.
        count: usize,
    },
    /// A second result.
    #[error("a second result for request {index} came")]
    Twice {
        /// Its index, from 0.
        index: u32,
    },
    /// Numbers that belong together and differ in number, or are more than asked for.
    #[error("{found} {what} came where {expected} are possible")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many came.
        found: usize,
        /// How many there can be.
        expected: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocabulary}")]
    TokenId {
        /// The id.
        id: u32,
        /// Ids in the vocabulary.
        vocabulary: u32,
    },
    /// A time that runs backwards or is longer than a year.
    #[error("the time of token {position} is not possible")]
    Time {
        /// Position of the token, from 0.
        position: usize,
    },
    /// A log-probability that is no number.
    #[error("the log-probability of token {position} is not a number")]
    LogProbability {
        /// Position of the token, from 0.
        position: usize,
    },
    /// An end that the request did not allow.
    #[error("a generation ended by an id or a text that does not end it")]
    Finish,
    /// A description that is not fit to be shown.
    #[error("the {what} of the engine cannot be shown")]
    Info {
        /// Which part.
        what: &'static str,
    },
}

/// How a worker came to its end. It is not running any more when this is made.
#[derive(Debug, thiserror::Error)]
pub enum WorkerDeath {
    /// The program could not be started.
    #[error("failed to start the worker `{program}`")]
    Start {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine panicked.
    #[error("the worker panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// A signal ended it.
    #[error("the worker was ended by {}{}", signal_name(*number), said(last_words.as_ref()))]
    Signal {
        /// The signal.
        number: i32,
        /// The last line it wrote to standard error.
        last_words: Option<String>,
    },
    /// It ended by itself.
    #[error("the worker ended with exit code {code}{}", said(last_words.as_ref()))]
    Exited {
        /// The code.
        code: i32,
        /// The last line it wrote to standard error.
        last_words: Option<String>,
    },
    /// It closed its pipe and went on, and was ended.
    #[error("the worker closed its pipe")]
    Closed,
    /// It held more memory than it may, and was ended.
    #[error("the worker held {used} of memory where {limit} are allowed")]
    MemoryLimit {
        /// What it held.
        used: Bytes,
        /// What it may hold.
        limit: Bytes,
    },
    /// Memory ran out: its own allocation failed, or the system ended it.
    #[error("memory ran out in the worker{}", said(last_words.as_ref()))]
    OutOfMemory {
        /// The last line it wrote to standard error.
        last_words: Option<String>,
    },
    /// It did not answer in time, and was ended.
    #[error("the worker did not {what} within {} s", limit.as_secs_f64())]
    Hung {
        /// What was due.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// What it sent cannot be trusted, and it was ended.
    #[error("the worker broke its protocol: {0}")]
    Protocol(Violation),
    /// It had died before it was asked.
    #[error("the worker is not running")]
    Gone,
}

impl WorkerDeath {
    /// The kind under which a sample that was in work is recorded.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            Self::Hung { .. } => FailureKind::Timeout,
            Self::MemoryLimit { .. } | Self::OutOfMemory { .. } => FailureKind::OutOfMemory,
            Self::Start { .. }
            | Self::Panicked { .. }
            | Self::Signal { .. }
            | Self::Exited { .. }
            | Self::Closed
            | Self::Protocol(_)
            | Self::Gone => FailureKind::Crash,
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("`--in-process` runs models without a worker".to_owned()),
            Self::MemoryLimit { .. } | Self::OutOfMemory { .. } => Some(
                "a larger `--memory-budget`, a smaller model or shorter prompts may help"
                    .to_owned(),
            ),
            Self::Panicked { .. } | Self::Signal { .. } | Self::Exited { .. } => {
                Some("`--in-process` shows where it happens".to_owned())
            }
            Self::Hung { .. } | Self::Closed | Self::Protocol(_) | Self::Gone => None,
        }
    }
}

/// The last words of a process in an error, when there are any.
fn said(last_words: Option<&String>) -> String {
    last_words.map_or_else(String::new, |text| format!(": {text}"))
}

/// The name of the signals that end processes in practice; others by number.
fn signal_name(number: i32) -> String {
    #[cfg(unix)]
    let name = match number {
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        libc::SIGINT => "SIGINT",
        libc::SIGHUP => "SIGHUP",
        _ => "",
    };
    #[cfg(not(unix))]
    let name = "";
    if name.is_empty() {
        format!("signal {number}")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_death_has_its_text_and_kind() {
        let words = || Some("thread `main` has overflowed its stack".to_owned());
        for (death, kind, text) in [
            (
                WorkerDeath::Start {
                    program: PathBuf::from("/x/evalh"),
                    source: std::io::Error::from(std::io::ErrorKind::NotFound),
                },
                FailureKind::Crash,
                "failed to start the worker `/x/evalh`",
            ),
            (
                WorkerDeath::Panicked {
                    message: "index 3 is out of range".to_owned(),
                },
                FailureKind::Crash,
                "the worker panicked: index 3 is out of range",
            ),
            (
                WorkerDeath::Signal {
                    number: 11,
                    last_words: words(),
                },
                FailureKind::Crash,
                "the worker was ended by SIGSEGV: thread `main` has overflowed its stack",
            ),
            (
                WorkerDeath::Signal {
                    number: 64,
                    last_words: None,
                },
                FailureKind::Crash,
                "the worker was ended by signal 64",
            ),
            (
                WorkerDeath::Exited {
                    code: 7,
                    last_words: None,
                },
                FailureKind::Crash,
                "the worker ended with exit code 7",
            ),
            (
                WorkerDeath::Closed,
                FailureKind::Crash,
                "the worker closed its pipe",
            ),
            (
                WorkerDeath::MemoryLimit {
                    used: Bytes(2_500_000_000),
                    limit: Bytes(2_000_000_000),
                },
                FailureKind::OutOfMemory,
                "the worker held 2.5 GB of memory where 2.0 GB are allowed",
            ),
            (
                WorkerDeath::OutOfMemory {
                    last_words: Some("memory allocation of 8 bytes failed".to_owned()),
                },
                FailureKind::OutOfMemory,
                "memory ran out in the worker: memory allocation of 8 bytes failed",
            ),
            (
                WorkerDeath::Hung {
                    what: "answer",
                    limit: Duration::from_millis(2_500),
                },
                FailureKind::Timeout,
                "the worker did not answer within 2.5 s",
            ),
            (
                WorkerDeath::Protocol(Violation::Finish),
                FailureKind::Crash,
                "the worker broke its protocol: a generation ended by an id or a text that does not end it",
            ),
            (
                WorkerDeath::Gone,
                FailureKind::Crash,
                "the worker is not running",
            ),
        ] {
            assert_eq!(death.to_string(), text);
            assert_eq!(death.failure_kind(), kind, "{text}");
        }
    }

    #[test]
    fn what_the_user_can_do() {
        let hint = |death: WorkerDeath| death.hint();
        assert_eq!(
            hint(WorkerDeath::OutOfMemory { last_words: None }).unwrap(),
            "a larger `--memory-budget`, a smaller model or shorter prompts may help"
        );
        let exited = WorkerDeath::Exited {
            code: 1,
            last_words: None,
        };
        assert_eq!(
            hint(exited).unwrap(),
            "`--in-process` shows where it happens"
        );
        let start = WorkerDeath::Start {
            program: PathBuf::new(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        };
        assert_eq!(
            hint(start).unwrap(),
            "`--in-process` runs models without a worker"
        );
        assert_eq!(hint(WorkerDeath::Closed), None);
    }

    #[test]
    fn every_violation_has_its_text() {
        let tag = WireError::Tag {
            what: "message",
            found: 99,
        };
        for (violation, text) in [
            (
                Violation::Wire(WireError::Truncated { what: "ids" }),
                "a message ends inside its ids",
            ),
            (
                Violation::Wire(WireError::Length {
                    what: "frame",
                    found: 544_501_614,
                    limit: 67_108_864,
                }),
                "the frame has a length of 544501614, above the limit of 67108864",
            ),
            (Violation::Wire(tag), "the message has the unknown tag 99"),
            (
                Violation::Wire(WireError::Text { what: "device" }),
                "the device is not a valid text",
            ),
            (
                Violation::Wire(WireError::Trailing { bytes: 3 }),
                "3 bytes follow a message",
            ),
            (
                Violation::Version {
                    found: "protocol 2".to_owned(),
                    expected: "protocol 1".to_owned(),
                },
                "it speaks protocol 2 where protocol 1 is needed",
            ),
            (
                Violation::Turn {
                    found: "peak",
                    expected: "a result",
                },
                "`peak` came where a result was due",
            ),
            (
                Violation::Index { index: 9, count: 3 },
                "a result for request 9 of 3 came",
            ),
            (
                Violation::Twice { index: 1 },
                "a second result for request 1 came",
            ),
            (
                Violation::Count {
                    what: "token times",
                    found: 2,
                    expected: 3,
                },
                "2 token times came where 3 are possible",
            ),
            (
                Violation::TokenId {
                    id: 300,
                    vocabulary: 258,
                },
                "token id 300 is outside the vocabulary of 258",
            ),
            (
                Violation::Time { position: 4 },
                "the time of token 4 is not possible",
            ),
            (
                Violation::LogProbability { position: 0 },
                "the log-probability of token 0 is not a number",
            ),
            (
                Violation::Info { what: "device" },
                "the device of the engine cannot be shown",
            ),
        ] {
            assert_eq!(violation.to_string(), text);
        }
    }
}
