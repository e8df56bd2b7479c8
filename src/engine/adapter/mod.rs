//! Architectures that our own decoder does not describe, through candle-transformers: safetensors with their `config.json`, in f32 on the CPU,
//! one sequence after another.
//!
//! `table` has one line an architecture, `constructors` makes each model, `config` brings a `config.json` of transformers 4 or 5 to what
//! candle's structures read and refuses every value that candle would silently ignore, `weights` reads tensors, `sequence` holds a model
//! with its state, `run` is the engine. Only what agrees with transformers in `tests/it/adapters.rs` is in the table.
//!
//! candle-transformers gives the logits of the last position only. A score is therefore made token by token: the context is computed as a
//! prompt, and each token of the continuation is one step. That is exact, and slower than one pass.
//!
//! Invariants: every request begins with an empty state; a panic of the library is an error of its request, and the state it left is dropped.

mod config;
mod constructors;
mod falcon;
mod run;
mod sequence;
mod table;
mod weights;

pub use run::AdapterEngine;
pub use table::{attention_bytes, supported};
pub use weights::weights_in_memory;
