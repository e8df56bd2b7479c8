//! A generation as the columns of its row, with the summaries that the views show.

use super::StoreError;
use super::value::{floats_to_blob, ids_to_blob, integer, nanos, times_to_blob};
use crate::record::{Finish, Generation};

/// The columns of a generation.
pub(super) struct GenerationRow<'g> {
    pub(super) completion: &'g str,
    pub(super) token_ids: Vec<u8>,
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: i64,
    pub(super) prompt_digest: &'g str,
    pub(super) finish: &'static str,
    pub(super) finish_eos_id: Option<u32>,
    pub(super) finish_stop: Option<&'g str>,
    pub(super) tokenize_ns: i64,
    pub(super) prefill_ns: Option<i64>,
    pub(super) ttft_ns: Option<i64>,
    pub(super) tpot_ns: Option<f64>,
    pub(super) total_ns: i64,
    pub(super) token_at_ns: Vec<u8>,
    pub(super) logprobs: Option<Vec<u8>>,
    pub(super) reasoning_tokens: Option<u32>,
    pub(super) answer_at: Option<u32>,
}

impl<'g> GenerationRow<'g> {
    pub(super) fn of(g: &'g Generation) -> Result<Self, StoreError> {
        let t = &g.timing;
        let (finish, finish_eos_id, finish_stop) = match &g.finish {
            Finish::Eos(id) => ("eos", Some(*id), None),
            Finish::Stop(text) => ("stop", None, Some(text.as_str())),
            Finish::Length => ("length", None, None),
            Finish::Context => ("context", None, None),
            Finish::Timeout => ("timeout", None, None),
        };
        let total_ns = nanos("total_ns", t.total)?;
        let ttft_ns = match t.token_at.first() {
            Some(first) => Some(nanos("ttft_ns", *first)?),
            None => None,
        };
        // (E2E - TTFT) / (tokens - 1), undefined below two tokens.
        let gaps = t.token_at.len().saturating_sub(1);
        let tpot_ns = ttft_ns
            .filter(|_| gaps > 0)
            .map(|ttft| (total_ns - ttft) as f64 / gaps as f64);
        Ok(Self {
            completion: &g.completion,
            token_ids: ids_to_blob(&g.token_ids),
            prompt_tokens: g.prompt_tokens,
            completion_tokens: integer("completion_tokens", g.token_ids.len() as u64)?,
            prompt_digest: g.prompt_digest.as_str(),
            finish,
            finish_eos_id,
            finish_stop,
            tokenize_ns: nanos("tokenize_ns", t.tokenize)?,
            prefill_ns: t.prefill.map(|p| nanos("prefill_ns", p)).transpose()?,
            ttft_ns,
            tpot_ns,
            total_ns,
            token_at_ns: times_to_blob("token_at_ns", &t.token_at)?,
            logprobs: g.logprobs.as_deref().map(floats_to_blob),
            reasoning_tokens: g.reasoning.map(|r| r.tokens),
            answer_at: g.reasoning.map(|r| r.answer_at),
        })
    }
}
