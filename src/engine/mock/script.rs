//! Reading a script.

use super::pattern;
use crate::record::SelfCheck;
use serde::Deserialize;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// Time to the first token when a rule gives none.
pub(super) const DEFAULT_TTFT: Duration = Duration::from_millis(20);

/// Time per token when a rule gives none.
pub(super) const DEFAULT_TPOT: Duration = Duration::from_millis(5);

/// Largest script in bytes.
const SIZE_LIMIT: usize = 8 * 1024 * 1024;

/// Longest time in milliseconds that a script may give: a day.
const TIME_LIMIT_MS: f64 = 86_400_000.0;

/// A script that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MockScriptError {
    /// Not valid TOML, or an unknown key or value.
    #[error("{origin}:{line}:{column}: {why}")]
    Invalid {
        /// Path of the script.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// More text than a script needs.
    #[error("`{origin}` has {bytes} bytes but a mock script may have at most {limit}")]
    TooLarge {
        /// Path of the script.
        origin: String,
        /// Its size.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
}

/// How a scripted request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockFailure {
    /// Memory runs out.
    OutOfMemory,
    /// The engine reports an error.
    Engine,
    /// The logits are not numbers.
    NotANumber,
    /// The engine says that the worker died.
    Crash,
    /// The worker panics.
    Panic,
    /// The worker aborts.
    Abort,
    /// The worker ends by itself.
    Exit,
    /// The worker writes what is no message.
    Garbage,
    /// The worker never answers, whatever the time limit.
    Hang,
}

/// How a worker dies on request. Without a worker the death is told and not died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockDeath {
    /// By a panic.
    Panic,
    /// By an abort.
    Abort,
    /// By ending itself.
    Exit,
    /// By writing what is no message, for which it is ended.
    Garbage,
    /// By never answering, for which it is ended.
    Hang,
}

/// One rule of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct MockReply {
    /// Pattern of catalogue names it is for; `None` means every model.
    pub model: Option<String>,
    /// Text the prompt must hold; `None` means every prompt.
    pub contains: Option<String>,
    /// The answer; `None` means the default answer.
    pub text: Option<String>,
    /// Time to the first token.
    pub ttft: Duration,
    /// Time per further token.
    pub tpot: Duration,
    /// Load time of the models it is for.
    pub load: Option<Duration>,
    /// Size of the weights that the models it is for are said to have, for trying out memory budgets.
    pub weights_bytes: Option<u64>,
    /// How the request fails.
    pub fail: Option<MockFailure>,
    /// How long the engine really sleeps before it answers or fails.
    pub hang: Option<Duration>,
    /// How often it is used for one loaded model; `None` means always.
    pub times: Option<u32>,
    /// Bytes of memory that are really taken, little by little, before it is answered.
    pub allocate_bytes: Option<u64>,
    /// How loading the models it is for ends.
    pub load_fail: Option<MockDeath>,
    /// The largest logit difference that the self-check of the models it is for is said to find, in nats; 0.02 are allowed.
    pub self_check: Option<f64>,
}

impl MockReply {
    pub(super) fn is_for(&self, model: &str) -> bool {
        self.model
            .as_ref()
            .is_none_or(|p| pattern::matches(p, model))
    }

    pub(super) fn matches(&self, prompt: &[u8]) -> bool {
        self.contains.as_ref().is_none_or(|text| {
            text.is_empty() || prompt.windows(text.len()).any(|w| w == text.as_bytes())
        })
    }
}

/// Rules in file order; the first that matches answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MockScript {
    replies: Vec<MockReply>,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    #[serde(default)]
    reply: Vec<RawReply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReply {
    model: Option<String>,
    contains: Option<String>,
    text: Option<String>,
    ttft_ms: Option<Spanned<f64>>,
    tpot_ms: Option<Spanned<f64>>,
    load_ms: Option<Spanned<f64>>,
    weights_bytes: Option<u64>,
    fail: Option<MockFailure>,
    hang_ms: Option<Spanned<f64>>,
    times: Option<u32>,
    allocate_bytes: Option<u64>,
    load_fail: Option<MockDeath>,
    self_check: Option<Spanned<f64>>,
}

impl MockScript {
    /// Reads a script. `origin` names it in errors.
    ///
    /// # Errors
    /// With line and column when it is not TOML, has an unknown key, or a value out of range.
    pub fn parse(origin: &str, text: &str) -> Result<Self, MockScriptError> {
        if text.len() > SIZE_LIMIT {
            return Err(MockScriptError::TooLarge {
                origin: origin.to_owned(),
                bytes: text.len(),
                limit: SIZE_LIMIT,
            });
        }
        let invalid = |span: Option<Range<usize>>, why: String| {
            let (line, column) = place(text, span.map_or(0, |s| s.start));
            MockScriptError::Invalid {
                origin: origin.to_owned(),
                line,
                column,
                why,
            }
        };
        let raw: RawScript =
            toml::from_str(text).map_err(|e| invalid(e.span(), e.message().to_owned()))?;
        let duration = |value: Option<Spanned<f64>>| match value {
            None => Ok(None),
            Some(ms) => {
                let span = ms.span();
                milliseconds(ms.into_inner())
                    .map(Some)
                    .map_err(|why| invalid(Some(span), why))
            }
        };
        let difference = |value: Option<Spanned<f64>>| match value {
            Some(nats) if !(nats.as_ref().is_finite() && *nats.as_ref() >= 0.0) => {
                let found = *nats.as_ref();
                let why = format!("`{found}` is no difference; a finite number from 0 on is");
                Err(invalid(Some(nats.span()), why))
            }
            nats => Ok(nats.map(Spanned::into_inner)),
        };
        let reply = |r: RawReply| {
            Ok(MockReply {
                model: r.model,
                contains: r.contains,
                text: r.text,
                ttft: duration(r.ttft_ms)?.unwrap_or(DEFAULT_TTFT),
                tpot: duration(r.tpot_ms)?.unwrap_or(DEFAULT_TPOT),
                load: duration(r.load_ms)?,
                weights_bytes: r.weights_bytes,
                fail: r.fail,
                hang: duration(r.hang_ms)?,
                times: r.times,
                allocate_bytes: r.allocate_bytes,
                load_fail: r.load_fail,
                self_check: difference(r.self_check)?,
            })
        };
        let replies = raw.reply.into_iter().map(reply).collect::<Result<_, _>>()?;
        Ok(Self {
            replies,
            text: text.to_owned(),
        })
    }

    /// The weights this model is said to have: `weights_bytes` of the first rule for it that has them.
    pub fn weights_bytes(&self, model: &str) -> Option<u64> {
        let mut rules = self.replies.iter().filter(|r| r.is_for(model));
        rules.find_map(|r| r.weights_bytes)
    }

    /// How loading this model ends: `load_fail` of the first rule for it that has one.
    pub fn load_death(&self, model: &str) -> Option<MockDeath> {
        let mut rules = self.replies.iter().filter(|r| r.is_for(model));
        rules.find_map(|r| r.load_fail)
    }

    /// What the self-check of this model is said to find: `self_check` of the first rule for it that has one.
    pub fn self_check(&self, model: &str) -> Option<SelfCheck> {
        let mut rules = self.replies.iter().filter(|r| r.is_for(model));
        rules
            .find_map(|r| r.self_check)
            .map(|logit_diff| SelfCheck {
                tokens: 12,
                positions: 2,
                same_top1: if logit_diff <= 0.02 { 2 } else { 1 },
                logit_diff,
                logit_spread: 20.0,
                batch_diff: 0.0,
                tolerance: 1e-3,
                took: Duration::from_millis(3),
            })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its rules.
    pub fn replies(&self) -> &[MockReply] {
        &self.replies
    }
}

fn milliseconds(value: f64) -> Result<Duration, String> {
    if (0.0..=TIME_LIMIT_MS).contains(&value) {
        Ok(Duration::from_nanos((value * 1e6).round() as u64))
    } else {
        Err(format!(
            "`{value}` ms is out of range; 0 to {TIME_LIMIT_MS} (a day) is allowed"
        ))
    }
}

/// Line and column, from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (line, before[start..].chars().count() + 1)
}
