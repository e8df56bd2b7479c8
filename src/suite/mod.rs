//! Suites of samples: what is asked and how an answer is checked or its log-likelihood judged.
//!
//! In: a TOML file. Out: a validated [`Suite`] and, for a sample, the chat messages a model is shown. Knows nothing of models, engines,
//! storage. The format is described in `prompts/README.md` and `docs/formats.md`.
//!
//! A suite is hostile input: sizes are bounded, expressions, schemas and templates are compiled and every template is rendered once
//! while loading, data files stay inside the suite's folder. What loads can be run; every error names file, line and column.

mod check;
mod check_parse;
mod data;
mod digest;
mod error;
mod json_path;
mod likelihood;
mod model;
mod node;
mod parse;
mod reader;
mod sample_parse;
mod select;
mod source;
mod template;

#[cfg(test)]
mod tests;

pub use check::{Alternative, Check, NumberAt, Pattern, Rule, Schema, Tolerance, Unit};
pub use error::{Place, Problem, SuiteError};
pub use json_path::JsonPath;
pub use likelihood::{DEFAULT_WINDOW, Likelihood, PromptStyle, WindowPlan};
pub use model::{
    Decoding, Difficulty, FieldValue, GateMargin, MarginKind, Quality, Sample, Shot, Suite, Task,
};
pub use parse::{load, parse};
pub use select::{Limit, ParseLimitError};
pub use template::messages;
