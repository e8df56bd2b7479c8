//! What log-likelihoods say of a model: accuracies of questions, perplexities of texts.
//!
//! A question is a prompt, so accuracies have the intervals of pass rates. A text is a prompt; sums over texts are divided, so that a long text
//! weighs more, and one text has no interval. Formulas: lm-evaluation-harness, `process_results` and the weighted perplexities.

use super::dataset::{ModelData, Prompts, Sums};
use super::estimate;
use super::observed::ObservedEpoch;
use super::value::{Absence, Value};
use crate::record::{ChoiceMetric, Digest, SampleRecord, Scoring, TaskKind, TextScoring};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::f64::consts::LN_2;

/// Id of the interval of a perplexity.
const EXP_RATIO: &str = "exp-ratio-of-sums";
/// Why there is no perplexity at all.
pub(crate) const NO_TEXT: &str = "no text was measured";
/// Why there is no perplexity of whole texts.
pub(crate) const PARTS: &str = "not every token of the texts was scored";

/// What a perplexity is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    /// UTF-8 bytes, in bits.
    ByteInBits,
    /// Scored tokens.
    Token,
    /// Words.
    Word,
    /// UTF-8 bytes.
    Byte,
}

impl Per {
    /// Every way, in the order of the catalogue.
    pub(super) const ALL: [Self; 4] = [Self::ByteInBits, Self::Token, Self::Word, Self::Byte];

    /// The id of its metric.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::ByteInBits => "bits_per_byte",
            Self::Token => "token_perplexity",
            Self::Word => "word_perplexity",
            Self::Byte => "byte_perplexity",
        }
    }

    /// The way with this id.
    pub(super) fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.id() == id)
    }
}

/// What one repetition of a question or a text said, as a comparison needs it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservedLikelihood {
    /// A question: whether each metric took the right choice; `None` where it was not measured.
    Choice {
        /// By the sum of log-probabilities.
        acc: Option<bool>,
        /// By character.
        acc_norm: Option<bool>,
        /// By byte.
        acc_bytes: Option<bool>,
        /// By mutual information.
        acc_mutual_info: Option<bool>,
    },
    /// A text that was measured.
    Text {
        /// Sum of the natural log-probabilities of the scored tokens.
        logprob: f64,
        /// Scored tokens.
        tokens: u32,
        /// UTF-8 bytes; `None` when not every token was scored.
        bytes: Option<u64>,
        /// Words; `None` when not every token was scored.
        words: Option<u64>,
        /// Most tokens read at once.
        window: u32,
    },
    /// A text that failed.
    LostText,
}

impl ObservedLikelihood {
    /// Of a sample; `None` of a generated one. `mutual` names the tasks that asked for mutual information.
    pub(super) fn of(sample: &SampleRecord, mutual: &BTreeSet<&str>) -> Option<Self> {
        match (sample.kind, &sample.scoring) {
            (TaskKind::Generate, _) => None,
            (TaskKind::Choice, _) => {
                let of = |metric| right(sample, metric, mutual).map(|x| x > 0.5);
                Some(Self::Choice {
                    acc: of(ChoiceMetric::Acc),
                    acc_norm: of(ChoiceMetric::AccNorm),
                    acc_bytes: of(ChoiceMetric::AccBytes),
                    acc_mutual_info: of(ChoiceMetric::AccMutualInfo),
                })
            }
            (TaskKind::Perplexity, Some(Scoring::Text(t))) => Some(Self::Text {
                logprob: t.logprob(),
                tokens: u32::try_from(t.tokens()).unwrap_or(u32::MAX),
                bytes: t.is_whole().then_some(t.bytes),
                words: t.is_whole().then_some(t.words),
                window: t.window,
            }),
            (TaskKind::Perplexity, _) => Some(Self::LostText),
        }
    }

    /// Whether it is of a text, about which nothing is right or wrong.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::LostText)
    }

    /// 1 when the metric took the right choice, 0 when not.
    pub(super) fn accuracy(&self, metric: ChoiceMetric) -> Option<f64> {
        let Self::Choice {
            acc,
            acc_norm,
            acc_bytes,
            acc_mutual_info,
        } = self
        else {
            return None;
        };
        let right = match metric {
            ChoiceMetric::Acc => acc,
            ChoiceMetric::AccNorm => acc_norm,
            ChoiceMetric::AccBytes => acc_bytes,
            ChoiceMetric::AccMutualInfo => acc_mutual_info,
        };
        right.map(|r| f64::from(u8::from(r)))
    }

    /// Bits per byte of the text alone; `None` where there are none above zero.
    pub(super) fn bits(&self) -> Option<f64> {
        let nats = self.nats(Per::Byte)?;
        (nats > 0.0).then_some(nats / LN_2)
    }

    /// Nats of a unit of the text alone, the logarithm of its perplexity: that itself may be too large for a number.
    pub(super) fn nats(&self, per: Per) -> Option<f64> {
        let Self::Text {
            logprob,
            tokens,
            bytes,
            words,
            ..
        } = *self
        else {
            return None;
        };
        let n = match per {
            Per::ByteInBits | Per::Byte => bytes? as f64,
            Per::Token => f64::from(tokens),
            Per::Word => words? as f64,
        };
        (n > 0.0 && logprob < 0.0).then(|| -logprob / n)
    }
}

/// Why perplexities of two sides do not measure the same thing.
pub(super) const WINDOWS: &str = "texts were read in windows of different lengths";

/// Whether a metric of two sides measures the same thing: perplexities do where every text was read in windows of one length.
pub(super) fn is_comparable(id: &str, groups: &[(&[ObservedEpoch], &[ObservedEpoch])]) -> bool {
    Per::parse(id).is_none() || windows_differ(groups.iter().copied()) == 0
}

/// Texts that two sides read in windows of different lengths.
pub(super) fn windows_differ<'a>(
    groups: impl Iterator<Item = (&'a [ObservedEpoch], &'a [ObservedEpoch])>,
) -> usize {
    let window = |epochs: &[ObservedEpoch]| {
        epochs.iter().find_map(|e| match e.likelihood {
            Some(ObservedLikelihood::Text { window, .. }) => Some(window),
            _ => None,
        })
    };
    let differ = |(a, b): &(&[ObservedEpoch], &[ObservedEpoch])| match (window(a), window(b)) {
        (Some(x), Some(y)) => x != y,
        _ => false,
    };
    groups.filter(differ).count()
}

/// Digest of everything that was measured of a sample, to see whether anything changed.
pub(super) fn digest(scoring: &Scoring) -> Digest {
    let bytes =
        |logprobs: &[f32]| -> Vec<u8> { logprobs.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let parts: Vec<Vec<u8>> = match scoring {
        Scoring::Choice(q) => q.choices.iter().map(|c| bytes(&c.token_logprobs)).collect(),
        Scoring::Text(t) => vec![bytes(&t.token_logprobs)],
    };
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

/// Tasks whose questions were also scored without their question. Given the samples of all models: one that failed every question of a task was
/// asked them all the same.
pub(super) fn mutual_tasks<'a>(
    samples: impl Iterator<Item = &'a SampleRecord>,
) -> BTreeSet<&'a str> {
    let asked = |s: &&SampleRecord| match &s.scoring {
        Some(Scoring::Choice(q)) => q.choices.iter().any(|c| c.unconditional.is_some()),
        _ => false,
    };
    samples.filter(asked).map(|s| s.key.task.as_str()).collect()
}

/// 1 when the metric took the right choice of a question, 0 when not and when the question failed; nothing where it was not asked for.
pub(super) fn right(
    sample: &SampleRecord,
    metric: ChoiceMetric,
    mutual: &BTreeSet<&str>,
) -> Option<f64> {
    if sample.kind != TaskKind::Choice {
        return None;
    }
    if let Some(Scoring::Choice(q)) = &sample.scoring {
        return q.is_right(metric).map(|r| f64::from(u8::from(r)));
    }
    let asked = metric != ChoiceMetric::AccMutualInfo || mutual.contains(sample.key.task.as_str());
    asked.then_some(0.0)
}

fn text(sample: &SampleRecord) -> Option<&TextScoring> {
    match &sample.scoring {
        Some(Scoring::Text(t)) => Some(t),
        _ => None,
    }
}

/// Negative log-probability and what it is divided by; nothing where not every token was scored and the whole text is the divisor.
fn quotient(sample: &SampleRecord, per: Per) -> Option<(f64, f64)> {
    let t = text(sample)?;
    let nats = -t.logprob();
    match per {
        Per::Token => Some((nats, t.tokens() as f64)),
        _ if !t.is_whole() => None,
        Per::ByteInBits => Some((nats / LN_2, t.bytes as f64)),
        Per::Word => Some((nats, t.words as f64)),
        Per::Byte => Some((nats, t.bytes as f64)),
    }
}

/// The metrics of a model.
pub(super) fn values(
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    level: f64,
) -> Vec<(&'static str, Value)> {
    of_prompts(&data.prompts, mutual, level)
}

/// The metrics of some prompts of a model.
pub(super) fn of_prompts(
    prompts: &Prompts<'_>,
    mutual: &BTreeSet<&str>,
    level: f64,
) -> Vec<(&'static str, Value)> {
    let accuracies = ChoiceMetric::ALL.map(|metric| {
        let clusters = prompts.clusters(|s| right(s, metric, mutual));
        let value = if clusters.is_empty() {
            Absence::NotMeasured(match metric {
                ChoiceMetric::AccMutualInfo => "no task asks for mutual information",
                _ => "no question with choices",
            })
            .into()
        } else {
            estimate::proportion(&clusters, level)
        };
        (metric.as_str(), value)
    });
    let texts = prompts.groups().flatten().any(|s| text(s).is_some());
    let perplexities = Per::ALL.map(|per| {
        let sums = prompts.sums(|s| quotient(s, per));
        let value = if !texts {
            Absence::NotMeasured(NO_TEXT).into()
        } else if sums.denominators.is_empty() {
            Absence::NotMeasured(PARTS).into()
        } else {
            perplexity(per, &sums, level)
        };
        (per.id(), value)
    });
    accuracies.into_iter().chain(perplexities).collect()
}

fn perplexity(per: Per, sums: &Sums, level: f64) -> Value {
    let value = estimate::ratio_of_sums(sums, level);
    match per {
        Per::ByteInBits => value,
        Per::Token | Per::Word | Per::Byte => value.exponentiated(EXP_RATIO),
    }
}

/// The metric that decides the questions of some samples; `None` without a question, and where they differ.
pub(super) fn deciding<'a>(
    samples: impl Iterator<Item = &'a SampleRecord>,
) -> Option<ChoiceMetric> {
    let metrics: BTreeSet<ChoiceMetric> = samples
        .filter_map(|s| match &s.scoring {
            Some(Scoring::Choice(q)) => Some(q.metric),
            _ => None,
        })
        .collect();
    match metrics.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

/// Why a question was not answered rightly.
pub(super) fn why(sample: &SampleRecord) -> Option<String> {
    let Some(Scoring::Choice(q)) = &sample.scoring else {
        return None;
    };
    let taken = q.picked(q.metric)?;
    let right = q.answer as usize;
    let text = |at: usize| q.choices.get(at).map_or("", |c| c.text.as_str());
    (taken != right).then(|| {
        format!(
            "`{}` takes choice {taken}, `{}`, but {right}, `{}`, is right",
            q.metric.as_str(),
            text(taken),
            text(right)
        )
    })
}
