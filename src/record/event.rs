//! What happens during a run, as a stream of events.
//!
//! The runner emits, the store and the console listen. The store hears of a sample before the console does.

use super::{
    Digest, LoadedModel, Look, PlannedModelRecord, RunHeader, SampleKey, SampleRecord, SkipReason,
};
use crate::units::Bytes;
use std::time::Duration;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// Begun and not ended; also what a killed run looks like.
    Started,
    /// Every planned sample has a record, or the comparison was resolved before.
    Success,
    /// Interrupted by the user; the same command continues it.
    Cancelled,
    /// Ended early by an error.
    Failed,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Started, Self::Success, Self::Cancelled, Self::Failed];

    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Success => "success",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The status with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// Numbers at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Samples planned over all models that were not skipped.
    pub planned: u64,
    /// Samples with a record, earlier sessions of the same run included.
    pub recorded: u64,
    /// Of those, failed ones.
    pub failed: u64,
    /// Models skipped.
    pub skipped_models: u32,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvent {
    /// Time since the start of this process' part of the run.
    pub elapsed: Duration,
    /// What happened.
    pub kind: RunEventKind,
}

/// Kinds of events.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEventKind {
    /// A new run begins.
    RunStarted {
        /// Its conditions.
        header: Box<RunHeader>,
        /// Its models.
        models: Vec<PlannedModelRecord>,
        /// Samples planned for each model.
        samples_per_model: u64,
    },
    /// An interrupted run is continued.
    RunResumed {
        /// Its conditions.
        header: Box<RunHeader>,
        /// Its models.
        models: Vec<PlannedModelRecord>,
        /// Samples planned for each model.
        samples_per_model: u64,
        /// Samples of each model that already have a record.
        done: Vec<(Digest, u64)>,
    },
    /// A model is not run.
    ModelSkipped {
        /// Which.
        model: Digest,
        /// Why.
        reason: SkipReason,
    },
    /// Loading begins.
    ModelLoadStarted {
        /// Which.
        model: Digest,
    },
    /// Loading is done.
    ModelLoaded {
        /// Which.
        model: Digest,
        /// What it told.
        loaded: LoadedModel,
    },
    /// Warm-up is done.
    WarmupFinished {
        /// Which.
        model: Digest,
        /// How long it took.
        took: Duration,
    },
    /// A sample begins.
    SampleStarted {
        /// Which.
        key: SampleKey,
    },
    /// A sample has a record: a generation with its score, or a failure.
    SampleFinished {
        /// The record.
        record: Box<SampleRecord>,
    },
    /// A model was stopped because too many samples failed in a row.
    BreakerOpened {
        /// Which.
        model: Digest,
        /// Why.
        reason: String,
    },
    /// A model was unloaded.
    ModelUnloaded {
        /// Which.
        model: Digest,
        /// Whether all its samples have a record.
        complete: bool,
        /// Peak memory while it was loaded.
        peak: Option<Bytes>,
    },
    /// The evidence was looked at between two rounds of a comparison that runs until it is resolved.
    LookTaken {
        /// What was seen and what follows.
        look: Look,
    },
    /// The run ended.
    RunFinished {
        /// How.
        status: RunStatus,
        /// Numbers.
        counts: RunCounts,
    },
}

/// A listener could not take an event. The run stops with what is saved intact.
#[derive(Debug, thiserror::Error)]
#[error("the run could not be recorded")]
pub struct SinkError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Someone who listens to a run.
pub trait EventSink {
    /// Takes one event.
    ///
    /// # Errors
    /// When the event could not be kept; the run then stops.
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError>;
}
