//! Changed models against their base to text: a table with a row a model, what it means in sentences, and everything for a script.
//!
//! A sentence says which is better only where an interval does.

mod json;
mod terminal;
#[cfg(test)]
mod tests;
mod words;

pub use json::divergence_json;
pub use terminal::divergence_terminal;

use super::palette::Palette;

/// How changed models are shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DivergenceView {
    /// Columns of the terminal.
    pub width: usize,
    /// Colours of the terminal.
    pub palette: Palette,
}
