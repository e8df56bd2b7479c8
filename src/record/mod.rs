//! The nouns every room shares: ids, run headers, events, generations, scores.
//!
//! Plain data without storage or text format, and without behaviour but for [`ThoughtScan`], on which two rooms must agree byte for byte. A type that travels between rooms lives here; a type that does not, does not.

mod device;
mod divergence;
mod event;
mod generation;
mod ids;
mod look;
mod reasoning;
mod run;
mod score;
mod scoring;
mod self_check;

pub use device::{DeviceChoice, Dtype};
pub use divergence::{
    ChangedModel, DivergenceRecord, FileFacts, QuestionResult, SpeedPair, SpeedTiming, TextFacts,
    WindowPair,
};
pub use event::{EventSink, RunCounts, RunEvent, RunEventKind, RunStatus, SinkError};
pub use generation::{Finish, Generation, Message, Role, Timing, TokenTable};
pub use ids::{Digest, RunId, SampleKey};
pub use look::{Evidence, Look, LookVerdict};
pub use reasoning::{Reasoning, ThoughtMarkers, ThoughtScan, Watched};
pub use run::{
    Failure, FailureKind, HostFacts, LoadedModel, MemoryEstimate, ModelRecord, ModelStatus,
    PlannedModelRecord, RunHeader, RunRecord, SampleRecord, SettingRecord, SkipReason, SuiteFacts,
};
pub use score::{CheckRecord, Component, Outcome, SampleScore, ScoreValue};
pub use scoring::{ChoiceMetric, ChoiceScore, ChoiceScoring, Scoring, TaskKind, TextScoring};
pub use self_check::SelfCheck;
