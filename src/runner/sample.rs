//! From what an engine produced to the record of a sample.

use super::execute::Question;
use crate::engine::{EngineError, RawGeneration, Thoughts};
use crate::record::{
    Digest, Failure, FailureKind, Finish, Generation, Outcome, SampleRecord, SampleScore, Scoring,
    TaskKind, Timing,
};
use crate::scorer;
use crate::suite::Quality;
use crate::tokenizer::{self, Codec, TokenizerError};
use std::time::Duration;

/// A prompt that was handed to the engine.
pub(super) struct Submitted {
    pub(super) tokens: u32,
    pub(super) digest: Digest,
    pub(super) tokenize: Duration,
}

impl Submitted {
    pub(super) fn new(ids: &[u32], tokenize: Duration) -> Self {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        Self {
            tokens: u32::try_from(ids.len()).unwrap_or(u32::MAX),
            digest: Digest::of(&bytes),
            tokenize,
        }
    }
}

/// The generation, or the failure when the time limit ran out before the first token.
pub(super) fn generation(
    codec: &dyn Codec,
    (prompt, thoughts): (&Submitted, Option<&Thoughts>),
    raw: RawGeneration,
    timeout: Option<Duration>,
) -> Result<Generation, Failure> {
    if raw.ids.is_empty() && raw.finish == Finish::Timeout {
        let limit = timeout.unwrap_or(raw.prefill).as_secs_f64();
        return Err(Failure {
            kind: FailureKind::Timeout,
            message: format!("no token within {limit} s"),
        });
    }
    let token_at: Vec<Duration> = raw.token_at.iter().map(|t| prompt.tokenize + *t).collect();
    let thoughts = thoughts.cloned().unwrap_or_default();
    let (markers, open) = (&thoughts.markers, thoughts.open);
    let done = tokenizer::completion(codec, markers, open, &raw.ids, &raw.finish);
    Ok(Generation {
        completion: done.text,
        reasoning: done.reasoning,
        prompt_tokens: prompt.tokens,
        prompt_digest: prompt.digest.clone(),
        timing: Timing {
            tokenize: prompt.tokenize,
            prefill: Some(raw.prefill),
            total: token_at
                .last()
                .copied()
                .unwrap_or(prompt.tokenize + raw.prefill),
            token_at,
        },
        token_ids: raw.ids,
        finish: raw.finish,
        logprobs: raw.logprobs,
    })
}

/// The record of a question that was answered.
pub(super) fn answered(
    question: &Question<'_>,
    model: &Digest,
    quality: &Quality,
    generation: Generation,
) -> SampleRecord {
    let score = scorer::score(
        quality,
        question.sample,
        generation.answer(),
        &generation.finish,
    );
    SampleRecord {
        generation: Some(generation),
        failure: None,
        score,
        ..empty(question, model)
    }
}

/// The record of a question or a text whose log-likelihoods were measured.
pub(super) fn scored(question: &Question<'_>, model: &Digest, scoring: Scoring) -> SampleRecord {
    SampleRecord {
        score: scorer::score_likelihood(&scoring),
        scoring: Some(scoring),
        ..empty(question, model)
    }
}

/// The record of a question that was not: 0 out of 10, because a model that does not answer does not help. Of a text there is no such number.
pub(super) fn failed(question: &Question<'_>, model: &Digest, failure: Failure) -> SampleRecord {
    let mut record = empty(question, model);
    record.score.outcome = outcome(failure.kind);
    record.failure = Some(failure);
    record
}

fn empty(question: &Question<'_>, model: &Digest) -> SampleRecord {
    let judged = question.task.kind != TaskKind::Perplexity;
    SampleRecord {
        key: question.item.key(model),
        kind: question.task.kind,
        content: question.item.content.clone(),
        difficulty: question.sample.difficulty.as_str().to_owned(),
        sequence: 0,
        messages: question.messages.clone(),
        generation: None,
        scoring: None,
        failure: None,
        score: SampleScore {
            outcome: Outcome::Error,
            passed: judged.then_some(false),
            score: judged.then_some(0.0),
            components: Vec::new(),
            checks: Vec::new(),
        },
    }
}

fn outcome(kind: FailureKind) -> Outcome {
    match kind {
        FailureKind::TemplateRefused => Outcome::TemplateRefused,
        FailureKind::Timeout => Outcome::Timeout,
        FailureKind::PromptTooLong
        | FailureKind::Engine
        | FailureKind::NotANumber
        | FailureKind::OutOfMemory
        | FailureKind::Crash => Outcome::Error,
    }
}

/// Whether a failure says that the engine may be broken, so that the next samples would fail too.
pub(super) fn blames_engine(kind: FailureKind) -> bool {
    !matches!(
        kind,
        FailureKind::TemplateRefused | FailureKind::PromptTooLong
    )
}

pub(super) fn engine_failure(error: &EngineError) -> Failure {
    Failure {
        kind: error.failure_kind(),
        message: with_causes(error),
    }
}

/// Of a text that could not become ids to score.
pub(super) fn text_failure(error: &TokenizerError) -> Failure {
    let kind = match error {
        TokenizerError::TextTooLong { .. } => FailureKind::PromptTooLong,
        TokenizerError::TemplateRefused { .. } => FailureKind::TemplateRefused,
        _ => FailureKind::Engine,
    };
    Failure {
        kind,
        message: with_causes(error),
    }
}

pub(super) fn prompt_failure(error: &TokenizerError) -> Failure {
    let kind = match error {
        TokenizerError::TextTooLong { .. } => FailureKind::PromptTooLong,
        _ => FailureKind::TemplateRefused,
    };
    Failure {
        kind,
        message: with_causes(error),
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
