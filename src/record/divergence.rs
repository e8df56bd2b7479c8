//! What a model does that another one does differently: the same texts, questions and prompts under a base model and a changed one.
//!
//! Raw observations: distances of next-token distributions position by position, questions right or wrong, times of generations.

use super::Digest;
use crate::units::Bytes;

/// A model as a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFacts {
    /// Its name in the catalogue.
    pub name: String,
    /// Where the file came from.
    pub source: String,
    /// Digest of the weights.
    pub sha256: Digest,
    /// The label of the weights' quantisation.
    pub quantization: Option<String>,
    /// Bytes of the weight files.
    pub bytes: Bytes,
    /// Bytes of the weights in them.
    pub weight_bytes: Bytes,
    /// Weights in them.
    pub parameters: u64,
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFacts {
    /// `TASK/SAMPLE` of a suite, or the path of a file.
    pub name: String,
    /// Its tokens, without a token that begins it.
    pub tokens: u64,
    /// How many of them were read.
    pub read_tokens: u64,
}

/// A window of a text under both models: one element a scored position, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowPair {
    /// Position of its text in the list of texts.
    pub text: usize,
    /// Position of its first token in the text.
    pub first_token: u64,
    /// Tokens read, the one that begins a text included.
    pub tokens: u32,
    /// Divergence of the next-token distribution from the base's, in nats.
    pub kl: Vec<f64>,
    /// Whether the most probable token is the same.
    pub same_top1: Vec<bool>,
    /// Natural log-probability of the true next token under the base.
    pub base_logprob: Vec<f64>,
    /// The same under the model.
    pub model_logprob: Vec<f64>,
}

/// A question with choices under one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionResult {
    /// Its task.
    pub task: String,
    /// Its sample.
    pub sample: String,
    /// Whether the right choice was taken; a question that failed was not answered rightly.
    pub passed: bool,
    /// Why there is no answer; `None` when there is one.
    pub failure: Option<String>,
}

/// Times of one generation, single-stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeedTiming {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// From its submission until the logits of its last token were ready.
    pub prefill_ns: u64,
    /// Gaps between new tokens.
    pub gaps: u32,
    /// From the first new token to the last.
    pub decode_ns: u64,
}

/// One prompt continued by both models, one right after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeedPair {
    /// By the base.
    pub base: SpeedTiming,
    /// By the model.
    pub model: SpeedTiming,
}

/// A model with what was observed of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedModel {
    /// Its file.
    pub file: FileFacts,
    /// The windows of the texts, in the order of the texts.
    pub windows: Vec<WindowPair>,
    /// The questions, in the order of the suite; empty where none were asked.
    pub questions: Vec<QuestionResult>,
    /// The prompts continued for speed.
    pub speed: Vec<SpeedPair>,
    /// Peak memory of the process that continued them.
    pub peak: Option<Bytes>,
}

/// A base model, the models set against it, and what all of them were given.
#[derive(Debug, Clone, PartialEq)]
pub struct DivergenceRecord {
    /// Its file.
    pub base: FileFacts,
    /// Its answers to the questions.
    pub base_questions: Vec<QuestionResult>,
    /// Peak memory of its process.
    pub base_peak: Option<Bytes>,
    /// The others, in the order given.
    pub models: Vec<ChangedModel>,
    /// The texts.
    pub texts: Vec<TextFacts>,
    /// Most tokens of a window.
    pub window: u32,
    /// The suite the questions are from; `None` where none were asked.
    pub suite: Option<String>,
    /// Load average over one minute, and usable cores, before the first model was loaded.
    pub load: Option<(f64, u32)>,
}
