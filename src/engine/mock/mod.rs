//! The scripted engine: `--engine mock`. It answers as a script says and reports the times the script gives, without computing anything.
//!
//! Works on the ids of the byte codec: 0 to 255 are bytes, 256 ends a generation, 257 begins a prompt. It knows nothing of files; the
//! script's text is handed in.
//!
//! Invariants: the same prompt gets the same answer, times and log-probabilities in every process (rules with `times` excepted); the
//! log-probabilities of generating and of scoring agree. Times are reported, not slept; only `hang_ms` really waits, for tests that kill the
//! process, and only `allocate_bytes` really takes memory. The deaths a script may ask for are died by the worker that hosts the engine.

mod pattern;
mod script;

#[cfg(test)]
mod tests;

pub use script::{MockDeath, MockFailure, MockReply, MockScript, MockScriptError};

use super::stop::StopWatch;
use super::{
    ENGINE_VERSION, Engine, EngineError, EngineInfo, GenerateRequest, GenerateSink, RawGeneration,
    RawScore, ScoreRequest, ScoreSink,
};
use crate::record::{Digest, FailureKind, Finish};
use crate::units::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The id that ends a generation.
const EOS: u32 = 256;

/// Ids of the byte codec.
const VOCABULARY: u32 = 258;

/// Longest context in tokens.
const CONTEXT: u32 = 32_768;

/// Log-probability of the token the script wants.
const LIKELY: f32 = -0.05;

/// Memory is taken in steps of this size with this pause between them, so that whoever watches sees it grow.
const ALLOCATE_STEP: usize = 16 << 20;
const ALLOCATE_PAUSE: Duration = Duration::from_millis(4);

/// A model that follows a script.
#[derive(Debug)]
pub struct MockEngine {
    info: EngineInfo,
    script: Arc<MockScript>,
    model: String,
    /// How often each rule was used by this engine.
    used: Vec<u32>,
}

/// What a prompt is answered with.
struct Answer {
    text: Vec<u8>,
    ttft: Duration,
    tpot: Duration,
    hang: Option<Duration>,
    fail: Option<MockFailure>,
    allocate_bytes: Option<u64>,
}

impl MockEngine {
    /// The engine for the model with this catalogue name, which the script's `model` patterns are matched against.
    pub fn new(script: Arc<MockScript>, model: &str) -> Self {
        let used = vec![0; script.replies().len()];
        Self {
            info: EngineInfo {
                engine: format!("mock {ENGINE_VERSION}"),
                device: "mock".to_owned(),
                dtype: "bytes".to_owned(),
                simd: "plain".to_owned(),
                threads: 1,
                context: CONTEXT,
                vocabulary: VOCABULARY,
                check: script.self_check(model),
            },
            script,
            model: model.to_owned(),
            used,
        }
    }

    /// The engine, unless its script says that the self-check of the model fails.
    ///
    /// # Errors
    /// [`EngineError::SelfCheck`] when a scripted difference is above what is allowed.
    pub fn load(script: Arc<MockScript>, model: &str) -> Result<Self, EngineError> {
        let engine = Self::new(script, model);
        match engine.info.check.as_ref().filter(|check| !check.passed()) {
            None => Ok(engine),
            Some(check) => Err(EngineError::SelfCheck {
                device: engine.info.device.clone(),
                check: Box::new(check.clone()),
            }),
        }
    }

    /// The load time that the script gives this model: `load_ms` of the first rule for it that has one.
    pub fn scripted_load(&self) -> Option<Duration> {
        let mut rules = self.script.replies().iter();
        rules.find_map(|r| r.load.filter(|_| r.is_for(&self.model)))
    }

    /// The first rule that matches and is not used up, and one use less of it.
    fn answer(&mut self, prompt: &[u32]) -> Answer {
        let text: Vec<u8> = prompt
            .iter()
            .filter_map(|&id| u8::try_from(id).ok())
            .collect();
        let rules = self.script.replies().iter().zip(&mut self.used);
        for (rule, used) in rules {
            let left = rule.times.is_none_or(|times| *used < times);
            if left && rule.is_for(&self.model) && rule.matches(&text) {
                *used = used.saturating_add(1);
                return Answer {
                    text: rule
                        .text
                        .as_ref()
                        .map_or_else(|| default_text(&text), |t| t.clone().into_bytes()),
                    ttft: rule.ttft,
                    tpot: rule.tpot,
                    hang: rule.hang,
                    fail: rule.fail,
                    allocate_bytes: rule.allocate_bytes,
                };
            }
        }
        Answer {
            text: default_text(&text),
            ttft: script::DEFAULT_TTFT,
            tpot: script::DEFAULT_TPOT,
            hang: None,
            fail: None,
            allocate_bytes: None,
        }
    }

    fn continue_one(&mut self, request: &GenerateRequest) -> Result<RawGeneration, EngineError> {
        check(&request.ids, "prompt")?;
        let answer = self.answer(&request.ids);
        let limit = request.timeout.unwrap_or(Duration::MAX);
        allocate(answer.allocate_bytes.unwrap_or(0));
        if let Some(hang) = answer.hang {
            std::thread::sleep(hang.min(limit));
        }
        if let Some(fail) = answer.fail {
            return Err(fail.error(request.ids.len()));
        }
        let room = CONTEXT - request.ids.len() as u32;
        let mut ids = Vec::new();
        let mut token_at = Vec::new();
        let mut finish = None;
        let mut stops = StopWatch::new(request);
        let mut at = answer
            .ttft
            .saturating_add(answer.hang.unwrap_or(Duration::ZERO));
        while finish.is_none() {
            if ids.len() as u64 >= u64::from(request.max_tokens) {
                finish = Some(Finish::Length);
            } else if ids.len() as u64 >= u64::from(room) {
                finish = Some(Finish::Context);
            } else if at > limit {
                finish = Some(Finish::Timeout);
            } else {
                let id = next_id(&answer.text, ids.len(), &request.eos);
                ids.push(id);
                token_at.push(at);
                at = at.saturating_add(answer.tpot);
                finish = if request.eos.contains(&id) {
                    Some(Finish::Eos(id))
                } else {
                    let byte = u8::try_from(id).ok();
                    let stop = stops.push(id, byte.as_slice());
                    stop.map(|s| Finish::Stop(String::from_utf8_lossy(s).into_owned()))
                };
            }
        }
        Ok(RawGeneration {
            logprobs: request.logprobs.then(|| vec![LIKELY; ids.len()]),
            prefill: token_at.first().copied().unwrap_or(answer.ttft.min(limit)),
            finish: finish.unwrap_or(Finish::Length),
            computed_tokens: request.ids.len() as u32,
            ids,
            token_at,
        })
    }

    fn score_one(&mut self, request: &ScoreRequest) -> Result<RawScore, EngineError> {
        check(&request.context, "context")?;
        check(&request.continuation, "continuation")?;
        let length = request.context.len() + request.continuation.len();
        if length > CONTEXT as usize {
            return Err(EngineError::PromptTooLong {
                tokens: length,
                context: CONTEXT as usize,
            });
        }
        let answer = self.answer(&request.context);
        if let Some(fail) = answer.fail {
            return Err(fail.error(request.context.len()));
        }
        let mut sequence = request.context.clone();
        let mut on_script = true;
        let mut score = RawScore {
            token_logprobs: Vec::new(),
            token_top1: Vec::new(),
            computed_tokens: length as u32,
        };
        for (n, &id) in request.continuation.iter().enumerate() {
            let hash = hash(&sequence, Some(id));
            let wanted = match answer.text.get(n) {
                Some(&byte) if on_script => u32::from(byte),
                None if on_script && n == answer.text.len() => EOS,
                _ => (hash_of_position(&sequence) % 256) as u32,
            };
            on_script &= wanted == id;
            score.token_top1.push(wanted);
            score.token_logprobs.push(if wanted == id {
                LIKELY
            } else {
                // Between -9 and -3 in steps of a thousandth: exact in every f32.
                -3.0 - (hash % 6_001) as f32 / 1_000.0
            });
            sequence.push(id);
        }
        Ok(score)
    }
}

impl Engine for MockEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        for (index, request) in requests.iter().enumerate() {
            let result = self.continue_one(request);
            if sink(index, result).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        for (index, request) in requests.iter().enumerate() {
            let result = self.score_one(request);
            if sink(index, result).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// A script needs no memory worth a number.
    fn peak_memory(&self) -> Option<Bytes> {
        None
    }
}

impl MockFailure {
    fn error(self, position: usize) -> EngineError {
        let (kind, message) = match self {
            Self::NotANumber => return EngineError::NotANumber { position },
            Self::OutOfMemory => (FailureKind::OutOfMemory, "memory ran out, as scripted"),
            Self::Engine => (FailureKind::Engine, "the engine failed, as scripted"),
            Self::Crash => (FailureKind::Crash, "the worker died, as scripted"),
            Self::Panic => return EngineError::Scripted(MockDeath::Panic),
            Self::Abort => return EngineError::Scripted(MockDeath::Abort),
            Self::Exit => return EngineError::Scripted(MockDeath::Exit),
            Self::Garbage => return EngineError::Scripted(MockDeath::Garbage),
            Self::Hang => return EngineError::Scripted(MockDeath::Hang),
        };
        EngineError::Reported {
            kind,
            message: message.to_owned(),
        }
    }
}

/// Takes memory, holds it for a moment and gives it back.
fn allocate(bytes: u64) {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for _ in 0..bytes.div_ceil(ALLOCATE_STEP as u64) {
        held.push(std::hint::black_box(vec![1; ALLOCATE_STEP]));
        std::thread::sleep(ALLOCATE_PAUSE);
    }
    drop(held);
}

/// The n-th id of an answer. Without an id that ends it, the answer begins again, as `ignore_eos` asks of a real model.
fn next_id(text: &[u8], n: usize, eos: &[u32]) -> u32 {
    match text.get(n) {
        Some(&byte) => u32::from(byte),
        None if text.is_empty() || eos.contains(&EOS) => EOS,
        None => u32::from(text[n % text.len()]),
    }
}

fn check(ids: &[u32], what: &'static str) -> Result<(), EngineError> {
    if ids.is_empty() {
        return Err(EngineError::Empty { what });
    }
    if let Some(&id) = ids.iter().find(|&&id| id >= VOCABULARY) {
        return Err(EngineError::TokenId {
            id,
            vocabulary: VOCABULARY,
        });
    }
    if ids.len() >= CONTEXT as usize {
        return Err(EngineError::PromptTooLong {
            tokens: ids.len(),
            context: CONTEXT as usize,
        });
    }
    Ok(())
}

/// A short answer that depends on the prompt alone.
fn default_text(prompt: &[u8]) -> Vec<u8> {
    format!("mock answer {}", Digest::of(prompt).short()).into_bytes()
}

fn hash_of_position(sequence: &[u32]) -> u64 {
    hash(sequence, None)
}

/// FNV-1a with a final mix: the same on every machine and in every version.
fn hash(sequence: &[u32], next: Option<u32>) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for id in sequence.iter().copied().chain(next) {
        state = (state ^ u64::from(id)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state ^= state >> 32;
    state.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17
}
