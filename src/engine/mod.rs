//! Running one loaded model: token ids in, timed tokens and log-probabilities out.
//!
//! An engine knows tensors and token ids. It does not know text, chat templates, suites, scores, storage or the terminal; the one thing it
//! is told about text is the byte table of its vocabulary, by which it recognises stop strings without decoding.
//!
//! All requests of a phase are handed over at once, so that order, batching and prefix sharing are the engine's business. Results are
//! reported one by one, with the index of their request.
//!
//! Invariants: the tokens and log-probabilities of a request do not depend on the other requests; nothing is emitted between tokens;
//! a time is taken when the token id is readable on the host. Traits carry no borrowed state, so that an engine can live in another process.

#[cfg(feature = "candle")]
pub mod adapter;
#[cfg(feature = "candle")]
pub mod candle;
#[cfg(feature = "candle")]
mod continuation;
#[cfg(feature = "candle")]
mod decoding;
mod error;
#[cfg(feature = "candle")]
mod kernels;
pub mod mock;
#[cfg(feature = "candle")]
mod open;
mod stop;
pub mod worker;

pub use error::EngineError;
#[cfg(feature = "candle")]
pub use open::{adapter_memory, open};

use crate::record::{DeviceChoice, Dtype, Finish, SelfCheck, ThoughtMarkers, TokenTable};
use crate::units::Bytes;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

/// Version of the numerical behaviour of the engines of this crate; part of every model's content id. Raised when tokens could change.
pub const ENGINE_VERSION: u32 = 2;

/// How a model is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where it runs.
    pub device: DeviceChoice,
    /// Number format of activations that was asked for; `None` takes what the device computes in.
    pub dtype: Option<Dtype>,
    /// Positions the key/value cache is allocated for; held to the trained context.
    pub context: u32,
    /// The bytes of every token, for stop strings.
    pub table: Arc<TokenTable>,
    /// The id that begins a text, for the prompt of the self-check; `None` begins it with an ordinary token.
    pub bos: Option<u32>,
    /// Reads the peak memory of the process.
    pub peak_memory: fn() -> Option<Bytes>,
}

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodingParams {
    /// 0 means greedy (the arg-max; the lowest id wins a tie).
    pub temperature: f64,
    /// Keep only the k most probable tokens.
    pub top_k: Option<u32>,
    /// Keep the smallest set of tokens whose probability reaches p.
    pub top_p: Option<f64>,
    /// Keep tokens with at least this share of the top probability.
    pub min_p: Option<f64>,
    /// Seed of this request's random stream.
    pub seed: u64,
}

impl Default for DecodingParams {
    /// Greedy.
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            seed: 0,
        }
    }
}

/// One prompt to continue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GenerateRequest {
    /// Prompt ids, used as they are.
    pub ids: Vec<u32>,
    /// Most tokens to produce.
    pub max_tokens: u32,
    /// How tokens are chosen.
    pub decoding: DecodingParams,
    /// Ids that end the generation.
    pub eos: Vec<u32>,
    /// Byte strings that end the generation when they appear in the produced text.
    pub stop: Vec<Vec<u8>>,
    /// How thoughts are marked, in which stop strings are not obeyed; `None` obeys them everywhere.
    pub thoughts: Option<Thoughts>,
    /// Whether to report the log-probability of each produced token.
    pub logprobs: bool,
    /// Time limit, checked after each token.
    pub timeout: Option<Duration>,
}

/// How the thoughts of a generation are marked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thoughts {
    /// The vocabulary's markers.
    pub markers: Arc<ThoughtMarkers>,
    /// The block that the prompt leaves open, as `ThoughtScan::new` takes it.
    pub open: Option<u8>,
}

/// What an engine produced for one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct RawGeneration {
    /// Produced ids, including the one that ended the generation.
    pub ids: Vec<u32>,
    /// Why it ended. `Finish::Stop` carries the stop string.
    pub finish: Finish,
    /// Time from the start of this request until the logits of the last prompt token were ready.
    pub prefill: Duration,
    /// Time from the start of this request until each id was readable on the host.
    pub token_at: Vec<Duration>,
    /// Log-probability of each produced id under the unmodified distribution, when asked for.
    pub logprobs: Option<Vec<f32>>,
    /// Prompt tokens that were computed for this request (fewer than the prompt's when a prefix was shared).
    pub computed_tokens: u32,
}

/// A continuation to score after a context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoreRequest {
    /// Context ids; not empty.
    pub context: Vec<u32>,
    /// Ids whose log-probability is wanted; not empty.
    pub continuation: Vec<u32>,
}

/// Log-probabilities of one continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct RawScore {
    /// Natural log-probability of each continuation id given everything before it.
    pub token_logprobs: Vec<f32>,
    /// The most probable id at each continuation position (the lowest id wins a tie).
    pub token_top1: Vec<u32>,
    /// Tokens that were computed for this request.
    pub computed_tokens: u32,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineInfo {
    /// Name and version.
    pub engine: String,
    /// `cpu`, `metal`, `cuda`, `mock`.
    pub device: String,
    /// Number format of activations and of the key/value cache.
    pub dtype: String,
    /// Instruction set of the kernels.
    pub simd: String,
    /// CPU threads used.
    pub threads: u32,
    /// Longest context in tokens.
    pub context: u32,
    /// Vocabulary size.
    pub vocabulary: u32,
    /// What the check after loading found; `None` when there is nothing to check.
    pub check: Option<SelfCheck>,
}

/// Receives the result of the request with this index; `Break` ends the phase after it.
pub type GenerateSink<'a> =
    dyn FnMut(usize, Result<RawGeneration, EngineError>) -> ControlFlow<()> + 'a;

/// Receives the score of the request with this index; `Break` ends the phase after it.
pub type ScoreSink<'a> = dyn FnMut(usize, Result<RawScore, EngineError>) -> ControlFlow<()> + 'a;

/// Receives the position and the logits of a row.
pub type LogitsSink<'a> = dyn FnMut(usize, &[f32]) + 'a;

/// A loaded model.
pub trait Engine: Send {
    /// What it is.
    fn info(&self) -> &EngineInfo;

    /// Continues every request. Each gets exactly one result unless the sink breaks off.
    ///
    /// # Errors
    /// When the engine as a whole can no longer run; failures of one request go to the sink. When the process that hosts the model died
    /// ([`EngineError::is_death`]) the request that was in work is lost with it: the first without a result, because generations are made
    /// one after another in the order given.
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError>;

    /// Scores every request. Each gets exactly one result unless the sink breaks off.
    ///
    /// # Errors
    /// As for [`Engine::generate`].
    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError>;

    /// Peak memory of the process that hosts the model since it was loaded, when that can be measured.
    fn peak_memory(&self) -> Option<Bytes>;

    /// Hands the logits (vocabulary values each) at positions `rows` of a sequence to `each`, in order and with their position. Nothing
    /// behind `rows` is computed; an engine may keep what the last sequence shares with this one, which changes no bit.
    ///
    /// # Errors
    /// When the ids are none, too many or outside the vocabulary, the device fails, or the engine cannot show logits.
    fn logits(
        &mut self,
        ids: &[u32],
        rows: Range<usize>,
        each: &mut LogitsSink<'_>,
    ) -> Result<(), EngineError> {
        let _ = (ids, rows, each);
        Err(EngineError::NoLogits {
            engine: self.info().engine.clone(),
        })
    }
}
