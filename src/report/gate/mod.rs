//! A gate, in every format: for people, scripts, test reports and workflow runners.
//!
//! In: a [`GateReport`](crate::analysis::GateReport) and, where it matters, what an inconclusive one counts as. Out: text.
//!
//! Invariants: worst first; the verdict is the last line; text of models and suites is escaped for its format and never begins a line.

mod github;
mod json;
mod junit;
mod markdown;
mod terminal;
#[cfg(test)]
mod tests;
mod words;

pub use github::{annotations, fence};
pub use json::json;
pub use junit::junit;
pub use markdown::{markdown, summary};
pub use terminal::terminal;

/// What an inconclusive gate counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// As itself.
    Inconclusive,
    /// As a failure.
    Fail,
    /// As a pass.
    Pass,
}

/// A gate with what its formats need beside it.
#[derive(Debug, Clone, Copy)]
pub struct GateView<'a> {
    /// The gate.
    pub report: &'a crate::analysis::GateReport,
    /// What an inconclusive one counts as.
    pub undecided: Undecided,
    /// The exit code that follows.
    pub exit_code: u8,
}
