//! Integration tests: one binary, one module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::duration_suboptimal_units,
    clippy::useless_conversion,
    reason = "a test that panics has failed and says where; what it measured is printed"
)]

#[cfg(feature = "candle")]
mod adapters;
#[cfg(feature = "hub")]
mod canary;
mod cli;
mod cli_compare;
mod cli_data;
mod cli_gate;
mod cli_likelihood;
mod cli_refusals;
mod cli_stops;
mod cli_until;
mod context;
mod coverage;
#[cfg(feature = "candle")]
mod families;
mod golden_likelihood;
mod golden_stats;
mod hostile;
mod hostile_corpus;
#[cfg(feature = "candle")]
mod hostile_models;
#[cfg(feature = "hub")]
mod hub;
#[cfg(all(feature = "hub", feature = "candle"))]
mod hub_families;
#[cfg(feature = "hub")]
mod hub_faults;
#[cfg(feature = "hub")]
mod hub_programs;
#[cfg(feature = "hub")]
mod hub_sets;
#[cfg(feature = "candle")]
mod kl;
#[cfg(feature = "hub")]
mod mock_hub;
mod mutation;
#[cfg(feature = "candle")]
mod real_engine;
mod real_models;
#[cfg(feature = "candle")]
mod real_perplexity;
mod real_tokenizer;
mod reasoning;
mod tiny_gguf;
#[cfg(feature = "candle")]
mod tiny_models;
mod tiny_safetensors;
mod tokenizers;
mod worker;
