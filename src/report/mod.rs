//! Report models to text, one format a file.
//!
//! In: a [`ReportModel`](crate::analysis::ReportModel). Out: a string. Nothing is computed here but the digits that are shown.
//!
//! What it does not know: statistics, the database, the engine, where the text goes.
//!
//! Invariants:
//! * The five questions are answered in the same order in every format for people; a person and a script never learn different things.
//! * Text from models, suites and price cards is escaped for the format it appears in.
//! * What could not be measured is a dash with a footnote, never a zero.

mod beware;
mod compare;
mod csv;
mod divergence;
mod error;
mod escape;
pub mod gate;
mod json;
mod junit;
mod kpi;
mod likelihood;
mod markdown;
mod money;
mod number;
mod palette;
mod table;
mod terminal;
mod verdicts;
mod words;

pub use compare::{CompareView, compare_json, compare_markdown, compare_terminal};
pub use csv::csv;
pub use divergence::{DivergenceView, divergence_json, divergence_terminal};
pub use error::ReportError;
pub use escape::terminal as escape_terminal;
pub use json::json;
pub use junit::junit;
pub use kpi::kpi_all;
pub use markdown::markdown;
pub use palette::Palette;
pub use terminal::terminal;

/// Formats a report can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For a person at a terminal.
    Terminal,
    /// For a page.
    Markdown,
    /// For a script: everything at full precision.
    Json,
    /// For a spreadsheet: one number a row.
    Csv,
    /// For a CI server: one test case a sample.
    Junit,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Terminal,
        Self::Markdown,
        Self::Json,
        Self::Csv,
        Self::Junit,
    ];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Junit => "junit",
        }
    }

    /// The format with this name.
    ///
    /// # Errors
    /// When there is none; the error names the nearest.
    pub fn parse(text: &str) -> Result<Self, ReportError> {
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or_else(|| ReportError::unknown_format(text))
    }
}
