//! The closed catalogue of every number evalh reports, and the raw observations behind them.
//!
//! In: one stored generation or sample. Out: what it says about time, tokens and text, in the metric's unit; and the table of all
//! metrics with unit, direction, definition and interval method.
//!
//! What it does not know: statistics over samples (that is `analysis` with `stats`), storage, output.
//!
//! Invariants: a number that cannot be computed is `None`, never zero; an id never changes its meaning; a metric that this version cannot
//! measure is absent from the table.
//!
//! Definitions for people: `docs/metrics.md`, held equal to the table by a test.

mod catalogue;
mod error;
mod latency;
mod model;
mod observe;
mod reference;

pub use catalogue::{all, find};
pub use error::MetricError;
pub use latency::{LatencyFamily, Statistic};
pub use model::{Direction, Group, IntervalKind, Level, Metric, Unit};
pub use observe::{
    characters, cut_off, decode_ms, e2e_ms, first_answer_ms, gaps_ms, has_replacement_character,
    mean_logprob, prefill_ms, repeats, second_token_ms, tokenize_ms, tpot_ms, ttft_ms, words,
};
pub use reference::reference_markdown;
