//! A comparison of two sides to text: terminal, page, script.
//!
//! The sides are called A and B everywhere; a table of the metrics comes first, the verdict and what to beware of last, where the eye is.

mod cells;
mod full;
mod json;
mod markdown;
mod sentences;
mod terminal;
#[cfg(test)]
mod tests;

pub use json::compare_json;
pub use markdown::compare_markdown;
pub use terminal::compare_terminal;

use super::palette::Palette;

/// How a comparison is shown to people.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareView {
    /// Every method beside its number.
    pub all: bool,
    /// The samples that changed.
    pub different: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Colours of the terminal.
    pub palette: Palette,
    /// The command line without what changes its form.
    pub command: Vec<String>,
}

impl CompareView {
    /// The command that shows more.
    fn next(&self, report: &crate::analysis::ContrastReport) -> String {
        let flag = if !report.changes.list.is_empty() && !self.different {
            "--different"
        } else if self.all {
            "--json"
        } else {
            "--kpi all"
        };
        let words = self.command.iter().map(|w| super::escape::shell(w));
        let words: Vec<String> = words.collect();
        format!("{} {flag}", words.join(" "))
    }
}
