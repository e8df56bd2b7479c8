//! Continuing a prompt, for every engine that gets logits from a model: choosing tokens, ends, limits, times and log-probabilities.
//!
//! In: a model that computes the logits after ids, and a request. Out: what was produced. Does not know tensors or how a model keeps its
//! state. Nothing is emitted between tokens; a time is taken when the token id is readable on the host.

use super::decoding::Decoder;
use super::kernels::elementwise::log_sum_exp;
use super::stop::StopWatch;
use super::{
    Engine, EngineError, EngineInfo, GenerateRequest, GenerateSink, RawGeneration, RawScore,
    ScoreRequest, ScoreSink,
};
use crate::clock::{self, Instant};
use crate::record::{Finish, TokenTable};
use std::ops::ControlFlow;

/// A model that computes the logits (vocabulary values) after ids, one sequence at a time.
pub(crate) trait Autoregressive: Engine {
    /// The bytes of its tokens.
    fn table(&self) -> &TokenTable;

    /// Forgets the sequence before and prepares for one that may reach `length` tokens. Not part of any time, as loading is not.
    fn reset(&mut self, length: usize) -> Result<(), EngineError>;

    /// Begins a sequence with these ids; the logits after them.
    fn begin(&mut self, ids: &[u32]) -> Result<Vec<f32>, EngineError>;

    /// Appends an id at this position; the logits after it.
    fn append(&mut self, id: u32, position: usize) -> Result<Vec<f32>, EngineError>;

    /// Scores one continuation.
    fn score_one(&mut self, request: &ScoreRequest) -> Result<RawScore, EngineError>;
}

/// Checks ids against the vocabulary, and a sequence of `length` tokens against the context.
pub(crate) fn check_ids(
    info: &EngineInfo,
    ids: &[u32],
    what: &'static str,
    length: usize,
) -> Result<(), EngineError> {
    if ids.is_empty() {
        return Err(EngineError::Empty { what });
    }
    let vocabulary = info.vocabulary;
    if let Some(&id) = ids.iter().find(|&&id| id >= vocabulary) {
        return Err(EngineError::TokenId { id, vocabulary });
    }
    let context = info.context as usize;
    if length > context {
        return Err(EngineError::PromptTooLong {
            tokens: length,
            context,
        });
    }
    Ok(())
}

/// Checks both parts of a request to score; the last continuation token is scored but not computed.
pub(crate) fn check_score(info: &EngineInfo, request: &ScoreRequest) -> Result<(), EngineError> {
    let continuation = request.continuation.len();
    let length = request.context.len() + continuation - continuation.min(1);
    check_ids(info, &request.context, "context", length)?;
    check_ids(info, &request.continuation, "continuation", length)
}

/// Continues every request, one after another. No prefix is shared: the time to the first token would depend on what ran before.
pub(crate) fn generate(
    model: &mut dyn Autoregressive,
    requests: &[GenerateRequest],
    sink: &mut GenerateSink<'_>,
) {
    for (index, request) in requests.iter().enumerate() {
        let result = continue_prompt(model, request);
        if let ControlFlow::Break(()) = sink(index, result) {
            break;
        }
    }
}

/// Scores every request, in the order in which neighbours share the longest prefixes.
pub(crate) fn score(
    model: &mut dyn Autoregressive,
    requests: &[ScoreRequest],
    sink: &mut ScoreSink<'_>,
) {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| requests[i].context.iter().chain(&requests[i].continuation);
        key(a).cmp(key(b))
    });
    for index in order {
        let result = model.score_one(&requests[index]);
        if let ControlFlow::Break(()) = sink(index, result) {
            break;
        }
    }
}

fn continue_prompt(
    model: &mut dyn Autoregressive,
    request: &GenerateRequest,
) -> Result<RawGeneration, EngineError> {
    check_ids(model.info(), &request.ids, "prompt", request.ids.len())?;
    // The last token of an answer is not computed.
    model.reset(request.ids.len() + request.max_tokens.saturating_sub(1) as usize)?;
    let begun = clock::now();
    let logits = model.begin(&request.ids)?;
    let prefill = begun.elapsed();
    let mut raw = RawGeneration {
        ids: Vec::new(),
        finish: Finish::Length,
        prefill,
        token_at: Vec::new(),
        logprobs: request.logprobs.then(Vec::new),
        computed_tokens: request.ids.len() as u32,
    };
    if request.max_tokens > 0 {
        raw.finish = decode(model, request, begun, logits, &mut raw)?;
    }
    Ok(raw)
}

/// The decode loop: fills `raw` and says why it ended.
fn decode(
    model: &mut dyn Autoregressive,
    request: &GenerateRequest,
    begun: Instant,
    mut logits: Vec<f32>,
    raw: &mut RawGeneration,
) -> Result<Finish, EngineError> {
    let mut decoder = Decoder::new(&request.decoding);
    let mut stops = StopWatch::new(request);
    loop {
        let position = request.ids.len() + raw.ids.len();
        let id = decoder
            .next(&logits)
            .ok_or(EngineError::NotANumber { position })?;
        raw.ids.push(id);
        raw.token_at.push(begun.elapsed());
        if let Some(logprobs) = &mut raw.logprobs {
            logprobs.push(logits[id as usize] - log_sum_exp(&logits));
        }
        if request.eos.contains(&id) {
            return Ok(Finish::Eos(id));
        }
        if let Some(stop) = stops.push(id, model.table().piece(id)) {
            return Ok(Finish::Stop(String::from_utf8_lossy(stop).into_owned()));
        }
        if raw.ids.len() >= request.max_tokens as usize {
            return Ok(Finish::Length);
        }
        if position >= model.info().context as usize {
            return Ok(Finish::Context);
        }
        if request
            .timeout
            .is_some_and(|limit| begun.elapsed() >= limit)
        {
            return Ok(Finish::Timeout);
        }
        logits = model.append(id, position)?;
    }
}
