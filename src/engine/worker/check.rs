//! Answers held against their requests: what a child says is used only when it could be an answer to what it was asked.

use super::error::Violation;
use crate::engine::{EngineInfo, GenerateRequest, RawGeneration, RawScore, ScoreRequest};
use crate::record::Finish;
use std::time::Duration;

/// No time of a generation is longer: the database counts nanoseconds in 63 bits.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Which requests have a result.
#[derive(Debug)]
pub(super) struct Answered(Vec<bool>);

impl Answered {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![false; count])
    }

    /// The index of a request that has no result yet; from now on it has one.
    pub(super) fn take(&mut self, index: u32) -> Result<usize, Violation> {
        let count = self.0.len();
        let at = index as usize;
        let done = self.0.get_mut(at);
        let done = done.ok_or(Violation::Index { index, count })?;
        if std::mem::replace(done, true) {
            return Err(Violation::Twice { index });
        }
        Ok(at)
    }
}

/// What an engine says of itself is stored and printed.
pub(super) fn info(info: &EngineInfo) -> Result<(), Violation> {
    let texts = [
        ("name", &info.engine),
        ("device", &info.device),
        ("number format", &info.dtype),
        ("instruction set", &info.simd),
    ];
    for (what, text) in texts {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Violation::Info { what });
        }
    }
    // A child that says of itself that it computes wrongly does not say that it is loaded.
    if info.check.as_ref().is_some_and(|check| !check.passed()) {
        return Err(Violation::Info { what: "self-check" });
    }
    Ok(())
}

/// Whether this can be the answer to that request.
pub(super) fn generation(
    request: &GenerateRequest,
    info: &EngineInfo,
    raw: &RawGeneration,
) -> Result<(), Violation> {
    at_most("ids", raw.ids.len(), request.max_tokens as usize)?;
    at_most(
        "computed tokens",
        raw.computed_tokens as usize,
        request.ids.len(),
    )?;
    exactly("token times", raw.token_at.len(), raw.ids.len())?;
    vocabulary(&raw.ids, info)?;
    times(raw.prefill, &raw.token_at)?;
    let wanted = if request.logprobs { raw.ids.len() } else { 0 };
    let logprobs = raw.logprobs.as_deref();
    exactly(
        "log-probabilities",
        logprobs.map_or(0, <[f32]>::len),
        wanted,
    )?;
    if logprobs.is_some() != request.logprobs {
        return Err(Violation::Count {
            what: "lists of log-probabilities",
            found: usize::from(logprobs.is_some()),
            expected: usize::from(request.logprobs),
        });
    }
    probabilities(logprobs.unwrap_or(&[]))?;
    let allowed = match &raw.finish {
        Finish::Eos(id) => request.eos.contains(id) && raw.ids.last() == Some(id),
        Finish::Stop(text) => request
            .stop
            .iter()
            .any(|stop| String::from_utf8_lossy(stop) == *text),
        Finish::Timeout => request.timeout.is_some(),
        Finish::Length | Finish::Context => true,
    };
    if allowed {
        Ok(())
    } else {
        Err(Violation::Finish)
    }
}

/// Whether this can be the answer to that request.
pub(super) fn score(
    request: &ScoreRequest,
    info: &EngineInfo,
    raw: &RawScore,
) -> Result<(), Violation> {
    let length = request.continuation.len();
    exactly("log-probabilities", raw.token_logprobs.len(), length)?;
    exactly("most probable ids", raw.token_top1.len(), length)?;
    at_most(
        "computed tokens",
        raw.computed_tokens as usize,
        request.context.len() + length,
    )?;
    vocabulary(&raw.token_top1, info)?;
    probabilities(&raw.token_logprobs)
}

fn at_most(what: &'static str, found: usize, expected: usize) -> Result<(), Violation> {
    if found <= expected {
        return Ok(());
    }
    Err(Violation::Count {
        what,
        found,
        expected,
    })
}

fn exactly(what: &'static str, found: usize, expected: usize) -> Result<(), Violation> {
    if found == expected {
        return Ok(());
    }
    Err(Violation::Count {
        what,
        found,
        expected,
    })
}

fn vocabulary(ids: &[u32], info: &EngineInfo) -> Result<(), Violation> {
    let vocabulary = info.vocabulary;
    match ids.iter().find(|&&id| id >= vocabulary) {
        None => Ok(()),
        Some(&id) => Err(Violation::TokenId { id, vocabulary }),
    }
}

fn times(prefill: Duration, token_at: &[Duration]) -> Result<(), Violation> {
    let mut last = Duration::ZERO;
    for (position, &at) in token_at.iter().enumerate() {
        if at < last || at > LONGEST {
            return Err(Violation::Time { position });
        }
        last = at;
    }
    if prefill > LONGEST {
        return Err(Violation::Time { position: 0 });
    }
    Ok(())
}

fn probabilities(logprobs: &[f32]) -> Result<(), Violation> {
    match logprobs.iter().position(|p| p.is_nan()) {
        None => Ok(()),
        Some(position) => Err(Violation::LogProbability { position }),
    }
}
