//! A base model against changed ones: what quantisation costs and what it saves.
//!
//! In: a [`DivergenceRecord`]. Out: a [`DivergenceReport`] with a row a model. The unit of what texts say is the window, of questions the question,
//! of speed the prompt; both sides of a pair always saw the same. Formulas: `docs/quantisation.md`.

use super::analyse::BUSY;
use super::value::{Absence, Value};
use crate::record::{
    ChangedModel, DivergenceRecord, FileFacts, QuestionResult, SpeedPair, SpeedTiming, WindowPair,
};
use crate::stats::desc::{self, QuantileType};
use crate::stats::paired_binary::{self, PairedTable};
use crate::stats::{Estimate, Interval, NotEstimable, cluster, mean, prop, ratio};
use crate::units::Bytes;
use std::fmt;

/// Level of every interval.
const LEVEL: f64 = 0.95;

/// A base with the models set against it.
#[derive(Debug, Clone, PartialEq)]
pub struct DivergenceReport {
    /// Level of every interval.
    pub level: f64,
    /// The base.
    pub base: SideFigures,
    /// The others, in the order given.
    pub models: Vec<DivergenceRow>,
    /// Windows of the texts.
    pub windows: usize,
    /// Scored positions of all windows.
    pub positions: usize,
    /// What to beware of.
    pub cautions: Vec<DivergenceCaution>,
}

/// What a model shows without a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct SideFigures {
    /// Its file.
    pub file: FileFacts,
    /// Bits of each weight, scales and the like included; `None` for a file without weights.
    pub bits_per_weight: Option<f64>,
    /// Perplexity of the texts.
    pub perplexity: Value,
    /// Share of questions answered rightly.
    pub accuracy: Value,
    /// Questions that failed.
    pub failed_questions: usize,
    /// Tokens of a prompt a second.
    pub prefill_tps: Value,
    /// New tokens a second.
    pub decode_tps: Value,
    /// Peak memory of its process.
    pub peak: Option<Bytes>,
}

/// A model against the base.
#[derive(Debug, Clone, PartialEq)]
pub struct DivergenceRow {
    /// The model.
    pub side: SideFigures,
    /// Divergence from the base.
    pub texts: TextFigures,
    /// The questions; `None` where none were asked.
    pub questions: Option<QuestionFigures>,
    /// Prompt tokens a second over those of the base.
    pub prefill_ratio: Value,
    /// New tokens a second over those of the base.
    pub decode_ratio: Value,
    /// Bytes of the file over those of the base.
    pub bytes_ratio: Option<f64>,
}

/// What texts say of the distance between two models.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFigures {
    /// Mean divergence of a position in nats.
    pub kl: Value,
    /// Median of the positions.
    pub kl_median: Value,
    /// 99th percentile of the positions.
    pub kl_p99: Value,
    /// Largest of the positions.
    pub kl_max: Value,
    /// Share of positions with the same most probable token.
    pub same_top1: Value,
    /// Share of positions with another one.
    pub changed_top1: Value,
    /// Perplexity over that of the base.
    pub perplexity_ratio: Value,
    /// Root mean square of the change of the true token's probability.
    pub rms_probability: Value,
}

/// Questions under both models.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionFigures {
    /// Who answered what.
    pub table: PairedTable,
    /// Accuracy of the model less that of the base.
    pub difference: Value,
    /// p of the exact McNemar test that both are right equally often.
    pub p_value: Option<f64>,
}

/// What to beware of.
#[derive(Debug, Clone, PartialEq)]
pub enum DivergenceCaution {
    /// Too few windows for an interval.
    NoInterval {
        /// Windows there are.
        windows: usize,
    },
    /// So few windows that the intervals lean on the normal distribution.
    FewWindows {
        /// Windows there are.
        windows: usize,
        /// From how many on they lean less.
        advised: usize,
    },
    /// All windows from one text, or a few: the intervals speak of these texts.
    FewTexts {
        /// Texts there are.
        texts: usize,
    },
    /// Other programs ran.
    BusyMachine {
        /// Load average.
        load: f64,
        /// Usable cores.
        cores: u32,
    },
    /// A text was not read to its end.
    Cut {
        /// Tokens read.
        read: u64,
        /// Tokens of all texts.
        tokens: u64,
    },
    /// The weights are the same file.
    SameFile {
        /// Name of the model.
        model: String,
    },
    /// Questions that failed count as wrong.
    FailedQuestions {
        /// Name of the model.
        model: String,
        /// How many.
        failed: usize,
        /// Of how many.
        questions: usize,
        /// What the first one said.
        first: String,
    },
}

impl DivergenceCaution {
    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoInterval { .. } => "no_interval",
            Self::FewWindows { .. } => "few_windows",
            Self::FewTexts { .. } => "few_texts",
            Self::BusyMachine { .. } => "busy_machine",
            Self::Cut { .. } => "cut",
            Self::SameFile { .. } => "same_file",
            Self::FailedQuestions { .. } => "failed_questions",
        }
    }
}

impl fmt::Display for DivergenceCaution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterval { windows } => write!(
                f,
                "{windows} window of text gives no interval: at least 2 are needed; give a longer text with `--text`"
            ),
            Self::FewWindows { windows, advised } => write!(
                f,
                "only {windows} windows of text: the intervals assume that windows are normally distributed; from {advised} on that matters less \
                 (`--text FILE` gives more)"
            ),
            Self::FewTexts { texts: 1 } => f.write_str(
                "all windows are from one text: the intervals say nothing of other kinds of text",
            ),
            Self::FewTexts { texts } => write!(
                f,
                "the windows are from {texts} texts: the intervals say nothing of other kinds of text"
            ),
            Self::BusyMachine { load, cores } => write!(
                f,
                "the machine was busy at the start, which changes speeds: load average {load:.1} on {cores} cores"
            ),
            Self::Cut { read, tokens } => write!(
                f,
                "{read} of {tokens} tokens of the texts were read; `--tokens` sets how many"
            ),
            Self::SameFile { model } => write!(
                f,
                "`{model}` has the same weights as the base: what differs in speed is noise"
            ),
            Self::FailedQuestions {
                model,
                failed,
                questions,
                first,
            } => write!(
                f,
                "{failed} of {questions} questions failed under `{model}` and count as wrong, the first with: {first}"
            ),
        }
    }
}

/// The report of a record.
pub fn divergence_report(record: &DivergenceRecord) -> DivergenceReport {
    let first = record.models.first();
    let windows = first.map_or(&[][..], |m| &m.windows);
    let base_speed: Vec<SpeedTiming> = record
        .models
        .iter()
        .flat_map(|m| m.speed.iter().map(|p| p.base))
        .collect();
    let base = side(
        &record.base,
        &texts_of(windows, |w| &w.base_logprob),
        &record.base_questions,
        &base_speed,
        record.base_peak,
    );
    DivergenceReport {
        level: LEVEL,
        base,
        models: record.models.iter().map(|m| row(record, m)).collect(),
        windows: windows.len(),
        positions: windows.iter().map(|w| w.kl.len()).sum(),
        cautions: cautions(record, windows.len()),
    }
}

fn row(record: &DivergenceRecord, model: &ChangedModel) -> DivergenceRow {
    let timings: Vec<SpeedTiming> = model.speed.iter().map(|p| p.model).collect();
    let bytes = record.base.bytes.get();
    DivergenceRow {
        side: side(
            &model.file,
            &texts_of(&model.windows, |w| &w.model_logprob),
            &model.questions,
            &timings,
            model.peak,
        ),
        texts: text_figures(&model.windows),
        questions: question_figures(&record.base_questions, &model.questions),
        prefill_ratio: speed_ratio(&model.speed, prefill_tps),
        decode_ratio: speed_ratio(&model.speed, decode_tps),
        bytes_ratio: (bytes > 0).then(|| model.file.bytes.get() as f64 / bytes as f64),
    }
}

fn side(
    file: &FileFacts,
    logprobs: &[Vec<f64>],
    questions: &[QuestionResult],
    timings: &[SpeedTiming],
    peak: Option<Bytes>,
) -> SideFigures {
    let bits = file.weight_bytes.get() as f64 * 8.0 / file.parameters as f64;
    let right = questions.iter().filter(|q| q.passed).count();
    let accuracy = match questions.len() {
        0 => Absence::NotMeasured("no questions were asked").into(),
        n => Value::from_stats(prop::wilson(right as u64, n as u64, LEVEL), n),
    };
    SideFigures {
        file: file.clone(),
        bits_per_weight: bits.is_finite().then_some(bits),
        perplexity: exponential(
            cluster::mean_clustered_t(logprobs, LEVEL),
            -1.0,
            count(logprobs),
        ),
        accuracy,
        failed_questions: questions.iter().filter(|q| q.failure.is_some()).count(),
        prefill_tps: geometric(timings, prefill_tps),
        decode_tps: geometric(timings, decode_tps),
        peak,
    }
}

/// One cluster of log-probabilities a window.
fn texts_of(windows: &[WindowPair], of: impl Fn(&WindowPair) -> &[f64]) -> Vec<Vec<f64>> {
    windows.iter().map(|w| of(w).to_vec()).collect()
}

/// exp(sign x) of a mean of x with its interval.
fn exponential(mean: Result<Estimate, NotEstimable>, sign: f64, observations: usize) -> Value {
    let result = mean.map(|e| {
        let at = |x: f64| (sign * x).exp();
        let interval = e.interval.map(|i| {
            let (low, high) = if sign < 0.0 {
                (i.upper, i.lower)
            } else {
                (i.lower, i.upper)
            };
            Interval {
                lower: low.map(at),
                upper: high.map(at),
                ..i
            }
        });
        Estimate {
            point: at(e.point),
            interval,
            ..e
        }
    });
    Value::from_stats(result, observations)
}

fn count(clusters: &[Vec<f64>]) -> usize {
    clusters.iter().map(Vec::len).sum()
}

fn text_figures(windows: &[WindowPair]) -> TextFigures {
    let kl: Vec<Vec<f64>> = texts_of(windows, |w| &w.kl);
    let positions: Vec<f64> = kl.concat();
    let quantile = |q| match desc::quantile(&positions, q, QuantileType::Type7) {
        Some(x) => Value::single(x, "quantile-7", positions.len()),
        None => Absence::NoObservations.into(),
    };
    let pairs = |f: &dyn Fn(f64, f64) -> f64| -> Vec<Vec<f64>> {
        let of = |w: &WindowPair| {
            let both = w.base_logprob.iter().zip(&w.model_logprob);
            both.map(|(b, m)| f(*b, *m)).collect()
        };
        windows.iter().map(of).collect()
    };
    let share = |wanted: bool| {
        let of = |w: &WindowPair| -> Vec<f64> {
            let hits = w.same_top1.iter().map(|s| *s == wanted);
            hits.map(|hit| f64::from(u8::from(hit))).collect()
        };
        let clusters: Vec<Vec<f64>> = windows.iter().map(of).collect();
        Value::from_stats(cluster::wilson_neff_t(&clusters, LEVEL), positions.len())
    };
    let lost = pairs(&|b, m| b - m);
    let squares = pairs(&|b, m| (m.exp() - b.exp()).powi(2));
    TextFigures {
        kl: Value::from_stats(cluster::mean_clustered_t(&kl, LEVEL), positions.len())
            .clipped(0.0, f64::MAX),
        kl_median: quantile(0.5),
        kl_p99: quantile(0.99),
        kl_max: quantile(1.0),
        same_top1: share(true),
        changed_top1: share(false),
        perplexity_ratio: exponential(
            cluster::mean_clustered_t(&lost, LEVEL),
            1.0,
            positions.len(),
        ),
        rms_probability: root(cluster::mean_clustered_t(&squares, LEVEL), positions.len()),
    }
}

/// The root of a mean of squares with its interval, which cannot leave 0 to 1.
fn root(mean: Result<Estimate, NotEstimable>, observations: usize) -> Value {
    let result = mean.map(|e| Estimate {
        point: e.point.max(0.0).sqrt(),
        interval: e.interval.map(|i| {
            let i = i.clipped(0.0, 1.0);
            Interval {
                lower: i.lower.map(f64::sqrt),
                upper: i.upper.map(f64::sqrt),
                ..i
            }
        }),
        ..e
    });
    Value::from_stats(result, observations)
}

fn question_figures(base: &[QuestionResult], model: &[QuestionResult]) -> Option<QuestionFigures> {
    let passed = |all: &[QuestionResult]| all.iter().map(|q| q.passed).collect::<Vec<bool>>();
    let same = base.iter().zip(model);
    let same = same.filter(|(a, b)| (&a.task, &a.sample) == (&b.task, &b.sample));
    // Both answered the questions of one suite in its order; otherwise there are no pairs.
    if base.is_empty() || base.len() != model.len() || same.count() != base.len() {
        return None;
    }
    let table = PairedTable::from_results(&passed(model), &passed(base)).ok()?;
    Some(QuestionFigures {
        table,
        difference: Value::from_stats(paired_binary::tango(&table, LEVEL), base.len()),
        p_value: paired_binary::mcnemar_exact(&table).ok().map(|t| t.p_value),
    })
}

/// Prompt tokens a second; `None` when the clock saw no time pass.
fn prefill_tps(t: &SpeedTiming) -> Option<f64> {
    rate(t.prompt_tokens, t.prefill_ns)
}

/// New tokens a second, the first left out; `None` with fewer than two.
fn decode_tps(t: &SpeedTiming) -> Option<f64> {
    rate(t.gaps, t.decode_ns)
}

fn rate(tokens: u32, ns: u64) -> Option<f64> {
    (tokens > 0 && ns > 0).then(|| f64::from(tokens) * 1e9 / ns as f64)
}

/// The geometric mean of rates with t bounds on their logarithms.
fn geometric(timings: &[SpeedTiming], of: fn(&SpeedTiming) -> Option<f64>) -> Value {
    let logs: Vec<f64> = timings.iter().filter_map(of).map(f64::ln).collect();
    if logs.is_empty() {
        return Absence::NotMeasured("no speed was measured").into();
    }
    exponential(mean::mean_t(&logs, LEVEL), 1.0, logs.len())
}

/// The geometric mean of the ratios model / base of each prompt.
fn speed_ratio(pairs: &[SpeedPair], of: fn(&SpeedTiming) -> Option<f64>) -> Value {
    let both = pairs
        .iter()
        .filter_map(|p| Some((of(&p.model)?, of(&p.base)?)));
    let (model, base): (Vec<f64>, Vec<f64>) = both.unzip();
    if model.is_empty() {
        return Absence::NotMeasured("no speed was measured").into();
    }
    Value::from_stats(ratio::log_ratio_t(&model, &base, LEVEL), model.len())
}

fn cautions(record: &DivergenceRecord, windows: usize) -> Vec<DivergenceCaution> {
    let mut out = Vec::new();
    let texts = record.texts.iter().filter(|t| t.read_tokens > 0).count();
    match windows {
        0..2 => out.push(DivergenceCaution::NoInterval { windows }),
        2..mean::ADVISED_UNITS => out.push(DivergenceCaution::FewWindows {
            windows,
            advised: mean::ADVISED_UNITS,
        }),
        _ if texts < 3 => out.push(DivergenceCaution::FewTexts { texts }),
        _ => {}
    }
    let sum = |of: fn(&crate::record::TextFacts) -> u64| record.texts.iter().map(of).sum();
    let (read, tokens): (u64, u64) = (sum(|t| t.read_tokens), sum(|t| t.tokens));
    if read < tokens {
        out.push(DivergenceCaution::Cut { read, tokens });
    }
    for model in &record.models {
        if model.file.sha256 == record.base.sha256 {
            out.push(DivergenceCaution::SameFile {
                model: model.file.name.clone(),
            });
        }
    }
    let sides = std::iter::once((&record.base, &record.base_questions));
    let sides = sides.chain(record.models.iter().map(|m| (&m.file, &m.questions)));
    for (file, questions) in sides {
        let mut failures = questions.iter().filter_map(|q| q.failure.as_ref());
        if let Some(first) = failures.next() {
            out.push(DivergenceCaution::FailedQuestions {
                model: file.name.clone(),
                failed: 1 + failures.count(),
                questions: questions.len(),
                first: first.clone(),
            });
        }
    }
    if let Some((load, cores)) = record.load
        && load > BUSY * f64::from(cores)
    {
        out.push(DivergenceCaution::BusyMachine { load, cores });
    }
    out
}

#[cfg(test)]
#[path = "divergence_tests.rs"]
mod tests;
