//! What a run is: its conditions, its models, its samples.

use super::{Digest, Generation, RunId, RunStatus, SampleKey, SampleScore, Scoring, TaskKind};
use crate::units::Bytes;
use std::time::Duration;

/// A setting as it was in force, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRecord {
    /// The flag's name without dashes in front.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// `default`, `user file`, `project file`, `environment`, `flag` or `machine`.
    pub origin: String,
}

/// The suite of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteFacts {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Digest of the content.
    pub digest: Digest,
    /// The one metric that decides.
    pub primary: String,
    /// Number of tasks selected.
    pub tasks: u32,
    /// Number of samples selected.
    pub samples: u32,
}

/// Facts about the machine. What could not be read is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostFacts {
    /// Operating system and version.
    pub os: Option<String>,
    /// CPU architecture (`aarch64`, `x86_64`).
    pub arch: String,
    /// CPU or system-on-chip model.
    pub cpu: Option<String>,
    /// Usable CPU cores.
    pub cores: Option<u32>,
    /// Installed memory.
    pub memory_total: Option<Bytes>,
    /// Memory limit of the process (control group, rlimit), when lower than installed.
    pub memory_limit: Option<Bytes>,
    /// Accelerator.
    pub gpu: Option<String>,
    /// `battery` or `mains`.
    pub power_source: Option<String>,
    /// Thermal pressure level at the start.
    pub thermal: Option<String>,
    /// Load average over one minute at the start.
    pub load_average: Option<f64>,
}

/// Bytes a model is expected to need, by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryEstimate {
    /// Weights as they are held.
    pub weights: Bytes,
    /// Key/value cache at the planned context.
    pub kv_cache: Bytes,
    /// Largest live set of activations and logits.
    pub activations: Bytes,
    /// The program itself, tokenizer, tables.
    pub overhead: Bytes,
    /// Context the estimate was made for, in tokens.
    pub context: u32,
}

impl MemoryEstimate {
    /// The sum of all parts.
    pub fn total(&self) -> Bytes {
        self.weights
            .plus(self.kv_cache)
            .plus(self.activations)
            .plus(self.overhead)
    }
}

/// Why a model was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// The estimate is above the budget.
    OverBudget {
        /// What it needs.
        estimate: MemoryEstimate,
        /// What there is.
        budget: Bytes,
    },
    /// Its files could not be had or are not valid; the message says which and why.
    Files(String),
    /// It could not be loaded.
    Load(String),
    /// Too many samples failed in a row.
    Breaker(String),
}

/// Where a model stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelStatus {
    /// Not begun.
    Waiting,
    /// Begun and not complete.
    Started,
    /// All its samples have a record, or the run was resolved without the others.
    Finished,
    /// Not run, and why.
    Skipped(SkipReason),
}

/// A model as planned: everything known before it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedModelRecord {
    /// Content id: weights, tokenizer, template, engine version.
    pub id: Digest,
    /// Name in the catalogue.
    pub name: String,
    /// Position in the run, from 0.
    pub position: u32,
    /// Where the file came from (`pypi:...`, `hf:...@commit/...`, `path:...`).
    pub source: Option<String>,
    /// Digest of the weight file.
    pub weights_sha256: Option<Digest>,
    /// Size of the weight file.
    pub file_bytes: Option<Bytes>,
    /// Architecture name in the file.
    pub architecture: Option<String>,
    /// Quantisation label (`Q4_K_M`).
    pub quantization: Option<String>,
    /// Number of parameters counted in the file.
    pub parameters: Option<u64>,
    /// Trained context in tokens.
    pub context: Option<u32>,
    /// Digest of the tokenizer.
    pub tokenizer_digest: Option<Digest>,
    /// Digest of the chat template; `None` when the model has none and the plain format is used.
    pub template_digest: Option<Digest>,
    /// Final set of end-of-sequence ids.
    pub eos_ids: Vec<u32>,
    /// Licence from the catalogue.
    pub license: Option<String>,
    /// Memory it is expected to need.
    pub estimate: Option<MemoryEstimate>,
}

impl PlannedModelRecord {
    /// A model of which nothing but its identity and its name is known.
    pub fn new(id: Digest, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            position: 0,
            source: None,
            weights_sha256: None,
            file_bytes: None,
            architecture: None,
            quantization: None,
            parameters: None,
            context: None,
            tokenizer_digest: None,
            template_digest: None,
            eos_ids: Vec::new(),
            license: None,
            estimate: None,
        }
    }
}

/// What was learned by loading a model.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    /// Time from the start of loading until the first token was possible (self-check and warm-up excluded).
    pub load: Duration,
    /// `cpu`, `metal`, `cuda`, `mock`.
    pub device: String,
    /// Number format of activations and of the key/value cache.
    pub dtype: String,
    /// Instruction set of the kernels (`avx512`, `avx2`, `neon`, `plain`, `metal`).
    pub simd: String,
    /// CPU threads used.
    pub threads: u32,
    /// Engine name and version.
    pub engine: String,
    /// What the check after loading found; `None` when the engine has nothing to check, and in older records.
    pub check: Option<super::SelfCheck>,
}

/// A model of a run, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRecord {
    /// As planned.
    pub planned: PlannedModelRecord,
    /// Where it stands.
    pub status: ModelStatus,
    /// What loading told; `None` when it was never loaded.
    pub loaded: Option<LoadedModel>,
    /// Peak memory while it was loaded; `None` when it could not be measured.
    pub peak: Option<Bytes>,
}

/// Kind of a failed sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The chat template refused the conversation.
    TemplateRefused,
    /// The prompt does not fit the model's context.
    PromptTooLong,
    /// The time limit ran out before the first token.
    Timeout,
    /// The engine reported an error.
    Engine,
    /// The logits were not numbers.
    NotANumber,
    /// Memory ran out.
    OutOfMemory,
    /// The worker died or panicked.
    Crash,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::TemplateRefused,
        Self::PromptTooLong,
        Self::Timeout,
        Self::Engine,
        Self::NotANumber,
        Self::OutOfMemory,
        Self::Crash,
    ];

    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemplateRefused => "template_refused",
            Self::PromptTooLong => "prompt_too_long",
            Self::Timeout => "timeout",
            Self::Engine => "engine",
            Self::NotANumber => "not_a_number",
            Self::OutOfMemory => "out_of_memory",
            Self::Crash => "crash",
        }
    }

    /// The kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Why a sample has neither a generation nor log-likelihoods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: FailureKind,
    /// Message for people.
    pub message: String,
}

/// One finished or failed sample, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRecord {
    /// Its key.
    pub key: SampleKey,
    /// What was asked of the model.
    pub kind: TaskKind,
    /// Digest of what makes the sample what it is: rendered messages, checks, decoding. Comparisons join on it.
    pub content: Digest,
    /// `easy`, `medium` or `hard`.
    pub difficulty: String,
    /// Order of completion in the run, from 0.
    pub sequence: u64,
    /// The messages the model was shown; one of the user for a raw prompt and for a text.
    pub messages: Vec<super::Message>,
    /// The generation; `None` when the sample failed or is scored by log-likelihood.
    pub generation: Option<Generation>,
    /// The log-likelihoods; `None` when the sample failed or is generated.
    pub scoring: Option<Scoring>,
    /// The failure; `None` when there is a generation or a scoring.
    pub failure: Option<Failure>,
    /// The score. A failed sample has the outcome of its failure, `passed = Some(false)` and score 0 out of 10 by rule (a model that does
    /// not answer does not help), except where evalh itself was at fault. A text has neither: nothing about it is right or wrong.
    pub score: SampleScore,
}

/// The conditions of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunHeader {
    /// Id.
    pub id: RunId,
    /// Digest of the plan; the same command finds an interrupted run by it.
    pub plan_digest: Digest,
    /// evalh version.
    pub evalh_version: String,
    /// Source commit, when the build knew it.
    pub evalh_commit: Option<String>,
    /// The command line.
    pub argv: Vec<String>,
    /// Every setting in force.
    pub settings: Vec<SettingRecord>,
    /// Seed of the plan.
    pub seed: u64,
    /// Repetitions of every sample.
    pub epochs: u32,
    /// Memory budget.
    pub budget: Bytes,
    /// Where the budget came from, in words.
    pub budget_origin: String,
    /// Engine asked for.
    pub engine: String,
    /// The suite.
    pub suite: SuiteFacts,
    /// Digest of the catalogue.
    pub catalog_digest: Digest,
    /// The machine.
    pub host: HostFacts,
    /// Start, RFC 3339 UTC.
    pub started_at: String,
}

/// A whole run, as read back from storage.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Conditions.
    pub header: RunHeader,
    /// Status.
    pub status: RunStatus,
    /// End, RFC 3339 UTC; `None` while it runs or when it was killed.
    pub finished_at: Option<String>,
    /// Models in the order of the plan.
    pub models: Vec<ModelRecord>,
    /// Samples ordered by (model position, sequence).
    pub samples: Vec<SampleRecord>,
    /// Looks at the evidence, in order; empty unless the run goes on until it is resolved.
    pub looks: Vec<super::Look>,
}
