//! evalh: a local LLM evaluation harness.
//!
//! The rooms and their directions are described in `docs/architecture.md`.

pub mod analysis;
pub mod baseline;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod cost;
pub mod engine;
pub mod error;
pub mod guard;
pub mod host;
pub mod hub;
pub mod memory;
pub mod metric;
pub mod modelfile;
pub mod ops;
pub mod plan;
pub mod record;
pub mod report;
pub mod runner;
pub mod scorer;
pub mod stats;
pub mod store;
pub mod suite;
pub mod tokenizer;
pub mod units;
