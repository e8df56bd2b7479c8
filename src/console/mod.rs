//! Standard output and standard error: results, messages, progress.
//!
//! In: facts about the terminal (passed in), texts, errors, the events of a run, the bytes of a download. Results go to standard output,
//! everything else to standard error. Knows nothing of storage, engines, suites or reports.
//!
//! Invariants: a reader of standard output that went away is no error; text that came from a model or a file reaches the terminal through
//! [`escape_terminal`]; nothing is drawn between two events, so a running measurement is never disturbed by a spinner; with `--quiet` there is
//! no progress and there are no notes, while warnings and errors stay.

mod chain;
mod download;
mod error;
mod escape;
mod facts;
mod lines;
#[cfg(test)]
mod live_tests;
mod log;
mod output;
mod plain;
mod progress;
#[cfg(test)]
mod tests;
mod view;

pub use chain::error_text;
pub use download::DownloadProgress;
pub use error::ConsoleError;
pub use escape::escape_terminal;
pub use facts::{ColorRule, TerminalFacts};
pub use log::{LogSettings, init_log};
pub use output::Console;
pub use plain::PlainProgress;
pub use progress::RunProgress;
