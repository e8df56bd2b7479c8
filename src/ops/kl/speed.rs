//! How fast base and model are, each in a worker of its own, in turns: what the machine does meanwhile meets both alike.

use super::texts::Reading;
use super::{Fleet, KlError, skipped};
use crate::engine::{Engine, GenerateRequest, RawGeneration};
use crate::error::EvalhError;
use crate::ops::candidate::in_model;
use crate::record::{SpeedPair, SpeedTiming};
use crate::runner::{LoadedHost, ModelLoader as _};
use crate::units::Bytes;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prompts that are timed.
const PROMPTS: usize = 5;

/// Tokens of a prompt, and new tokens of each.
pub(super) const TOKENS: usize = 64;

/// What was measured of a model and its base.
#[derive(Default)]
pub(super) struct Raced {
    pub(super) pairs: Vec<SpeedPair>,
    /// Peak memory of the base's worker and of the model's.
    pub(super) peaks: [Option<Bytes>; 2],
}

/// Base and model in turns, after one prompt each that is not timed. Who goes first changes from prompt to prompt.
pub(super) fn race(
    fleet: &mut Fleet,
    model: usize,
    texts: &Reading,
    cancel: &AtomicBool,
) -> Result<Raced, EvalhError> {
    let mut base = Racer::start(fleet, 0)?;
    let mut model = Racer::start(fleet, model)?;
    let warmup = prompt(texts, 0);
    base.run(&warmup)?;
    model.run(&warmup)?;
    let mut pairs = Vec::new();
    for at in 1..=PROMPTS {
        if cancel.load(Ordering::Relaxed) {
            return Err(KlError::Interrupted.into());
        }
        let request = prompt(texts, at);
        let (b, m) = if at % 2 == 1 {
            let b = base.run(&request)?;
            (b, model.run(&request)?)
        } else {
            let m = model.run(&request)?;
            (base.run(&request)?, m)
        };
        pairs.push(SpeedPair { base: b, model: m });
    }
    let peaks = [base.engine.peak_memory(), model.engine.peak_memory()];
    Ok(Raced { pairs, peaks })
}

/// The `at`-th prompt: tokens of the texts, from the beginning again when they end.
fn prompt(texts: &Reading, at: usize) -> GenerateRequest {
    let begin = texts.begin.iter().take(TOKENS - 1).copied();
    let missing = TOKENS - begin.len();
    let from = at * TOKENS % texts.ids.len().max(1);
    let rest = texts.ids.iter().cycle().skip(from).take(missing).copied();
    GenerateRequest {
        ids: begin.chain(rest).collect(),
        max_tokens: TOKENS as u32,
        // No id ends it, so that all generations have one length.
        eos: Vec::new(),
        ..GenerateRequest::default()
    }
}

struct Racer {
    name: String,
    engine: Box<dyn Engine>,
}

impl Racer {
    fn start(fleet: &mut Fleet, at: usize) -> Result<Self, EvalhError> {
        let model = &fleet.models[at];
        let name = model.record.name.clone();
        match fleet.loader.load(model) {
            Ok(LoadedHost { engine, .. }) => Ok(Self { name, engine }),
            Err(reason) => Err(KlError::NotLoaded {
                model: name,
                why: skipped(&reason),
            }
            .into()),
        }
    }

    fn run(&mut self, request: &GenerateRequest) -> Result<SpeedTiming, EvalhError> {
        let mut result = None;
        let mut sink = |_: usize, r: Result<RawGeneration, _>| {
            result = Some(r);
            ControlFlow::Continue(())
        };
        let engine = self.engine.as_mut();
        let ran = engine.generate(std::slice::from_ref(request), &mut sink);
        let nothing = crate::engine::EngineError::Empty {
            what: "answer of the engine",
        };
        let raw = ran.and(result.unwrap_or(Err(nothing)));
        let raw = raw.map_err(|e| in_model(&self.name, e.into()))?;
        Ok(timing(request.ids.len(), &raw))
    }
}

fn timing(prompt: usize, raw: &RawGeneration) -> SpeedTiming {
    let ns = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let decode = match (raw.token_at.first(), raw.token_at.last()) {
        (Some(first), Some(last)) => last.saturating_sub(*first),
        _ => std::time::Duration::ZERO,
    };
    SpeedTiming {
        prompt_tokens: u32::try_from(prompt).unwrap_or(u32::MAX),
        prefill_ns: ns(raw.prefill),
        gaps: u32::try_from(raw.token_at.len().saturating_sub(1)).unwrap_or(u32::MAX),
        decode_ns: ns(decode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Finish;
    use std::time::Duration;

    #[test]
    fn prompts_have_one_length_and_differ() {
        let texts = |n: u32| Reading {
            facts: Vec::new(),
            windows: Vec::new(),
            ids: (100..100 + n).collect(),
            begin: vec![1],
        };
        let long = texts(1000);
        for at in 0..=PROMPTS {
            let p = prompt(&long, at);
            assert_eq!((p.ids.len(), p.ids[0], p.max_tokens), (TOKENS, 1, 64));
            assert_eq!(p.ids[1], 100 + 64 * at as u32);
        }
        // A short text is read again from its beginning.
        let short = prompt(&texts(16), 1);
        assert_eq!(short.ids[1..18], [(100..116).collect(), vec![100]].concat());
    }

    #[test]
    fn the_first_token_belongs_to_the_prompt() {
        let at = |ms: u64| Duration::from_millis(ms);
        let raw = RawGeneration {
            ids: vec![5, 6, 7],
            finish: Finish::Length,
            prefill: at(10),
            token_at: vec![at(11), at(14), at(19)],
            logprobs: None,
            computed_tokens: 64,
        };
        assert_eq!(
            timing(64, &raw),
            SpeedTiming {
                prompt_tokens: 64,
                prefill_ns: 10_000_000,
                gaps: 2,
                decode_ns: 8_000_000,
            }
        );
    }
}
