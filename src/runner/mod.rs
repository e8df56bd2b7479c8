//! Executes a plan: loads one model after another, asks every outstanding item, scores the answers and tells a sink.
//!
//! In: a [`Plan`], its suite, a [`ModelLoader`] that turns a planned model into an engine and a codec. Out: [`RunEvent`](crate::record::RunEvent)s. It
//! knows no store, console or concrete engine.
//!
//! Invariants: a planned sample gets exactly one record, a failed one too; a sink that fails stops the run at once; a model is unloaded before
//! the next is loaded; an engine that dies costs the sample it was working on, and is loaded again for the rest a limited number of times; nothing is emitted between the submission of a prompt and its last token; a resumed run ends with the records an uninterrupted
//! one has, in the same order.
//!
//! Timing (docs/metrics.md): TTFT counts from the submission of the messages, so the measured time of rendering and tokenisation is put before the times
//! that the engine reports.

mod error;
mod execute;
mod likelihood;
mod phase;
mod rounds;
mod sample;
mod sitting;
mod warmup;
mod windows;

#[cfg(test)]
mod death_tests;
#[cfg(test)]
mod likelihood_tests;
#[cfg(test)]
mod rounds_tests;
#[cfg(test)]
mod tests;

pub use error::RunnerError;
pub use execute::run;
pub use likelihood::longest_sequence;
pub use rounds::{StopRule, run_until_resolved};
pub use windows::{Text, windows};

use crate::engine::Engine;
use crate::plan::{Plan, PlannedModel};
use crate::record::{RunCounts, RunHeader, RunStatus, SampleKey, SkipReason};
use crate::suite::Suite;
use crate::tokenizer::Codec;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A loaded model with its text side.
pub struct LoadedHost {
    /// Runs token ids.
    pub engine: Box<dyn Engine>,
    /// Turns text into ids and back.
    pub codec: Arc<dyn Codec>,
    /// The load time by the engine's own account; `None` means the time that loading took as seen from here.
    pub load: Option<Duration>,
}

/// Loads models. Implemented where engines and tokenizers are known.
pub trait ModelLoader {
    /// Loads a model. It is dropped before the next one is asked for.
    ///
    /// # Errors
    /// The reason for which the model is skipped; the run goes on with the next.
    fn load(&mut self, model: &PlannedModel) -> Result<LoadedHost, SkipReason>;
}

/// What is to be run.
pub struct Job<'j> {
    /// The plan.
    pub plan: &'j Plan,
    /// The suite the plan was made from.
    pub suite: &'j Suite,
    /// Conditions of the run. For a resumed one, with the id of the interrupted run.
    pub header: RunHeader,
    /// What an interrupted run already has; `None` for a new run.
    pub resume: Option<Resume>,
}

/// What an interrupted run already has.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Keys with a record.
    pub done: BTreeSet<SampleKey>,
    /// How many of those records are failures.
    pub failed: u64,
}

/// Limits, and the way to stop a run from outside.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// When set, the sample in work is finished, the run ends as cancelled, and the same command continues it.
    pub cancel: Arc<AtomicBool>,
    /// Time limit of a sample.
    pub timeout: Option<Duration>,
    /// After so many failures of the engine in a row a model is stopped. Refused templates and prompts that are too long are not counted: they cost
    /// nothing and say nothing of the next sample.
    pub max_consecutive_failures: Option<u32>,
    /// How often a model whose engine died is loaded again for its outstanding samples.
    pub max_restarts: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOutcome {
    /// Status, as in the last event.
    pub status: RunStatus,
    /// Numbers, as in the last event.
    pub counts: RunCounts,
    /// Models that were begun and could not be loaded. Those left out by the plan are not among them.
    pub not_loaded: u32,
}
